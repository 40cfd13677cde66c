"""Collating: many samples become one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.ops.shape.joining import stack

__all__ = ["default_collate", "default_convert"]

NUMBERS = (bool, int, float, complex, np.number, np.bool_)
TEXTS = (str, bytes, np.datetime64, np.timedelta64)  # NumPy's own strings are of the first two kinds
NUMERIC = "biufcV"  # kinds of dtype; V is bfloat16


def _stack(samples: Sequence[Any]) -> Tensor:
    for sample in samples:
        if isinstance(sample, np.ndarray) and sample.dtype.kind not in NUMERIC:
            raise TypeError(
                f"default_collate: got a sample that is an array of {sample.dtype}, expected numbers; give the "
                "DataLoader a collate_fn"
            )
    arrays = [as_array(sample) for sample in samples]
    for number, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"default_collate: got samples of shapes {arrays[0].shape} (sample 0 of the batch) and {array.shape} "
                f"(sample {number}), expected one shape; bring them to one size in the dataset, or give the DataLoader "
                "a collate_fn"
            )
    if any(isinstance(sample, Tensor) and sample.requires_grad for sample in samples):
        return stack(list(samples))
    return wrap(np.stack(arrays))


def _like(example: Any, values: list[Any]) -> Any:
    """The values in a sequence of the example's kind; a plain tuple becomes a list, as in PyTorch."""
    if hasattr(example, "_fields"):
        return type(example)(*values)
    return values


def default_collate(batch: Sequence[Any]) -> Any:
    """One batch from a list of samples, with a new first dimension.

    Tensors and arrays are stacked, numbers become a tensor (Python floats a float64 one), strings, bytes and dates,
    NumPy's too, stay as they are; tuples, lists, named tuples and mappings are collated entry by entry.

    Raises:
        ValueError: the samples have different shapes, lengths or keys.
        TypeError: a sample is of another kind.

    >>> td.data.default_collate([(td.ones(2), 0), (td.zeros(2), 1)])
    [tensor([[1., 1.],
            [0., 0.]]), tensor([0, 1])]
    """
    if not len(batch):
        raise ValueError("default_collate: expected at least one sample, got none")
    first = batch[0]
    if isinstance(first, Tensor | np.ndarray):
        return _stack(batch)
    if isinstance(first, TEXTS):
        return batch
    if isinstance(first, NUMBERS):
        return wrap(np.asarray(batch))
    if isinstance(first, Mapping):
        for number, sample in enumerate(batch):
            if set(sample) != set(first):
                raise ValueError(
                    f"default_collate: got samples with the keys {sorted(first)} (sample 0 of the batch) and "
                    f"{sorted(sample)} (sample {number}), expected the same keys"
                )
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, Sequence):
        for number, sample in enumerate(batch):
            if len(sample) != len(first):
                raise ValueError(
                    f"default_collate: got samples of {len(first)} entries (sample 0 of the batch) and {len(sample)} "
                    f"(sample {number}), expected the same length"
                )
        return _like(first, [default_collate(entries) for entries in zip(*batch, strict=True)])
    raise TypeError(
        "default_collate: expected tensors, arrays, numbers, strings, or tuples, lists and dicts of these, got "
        f"{type(first).__name__}; give the DataLoader a collate_fn"
    )


def default_convert(sample: Any) -> Any:
    """A sample with its arrays as tensors: what a `DataLoader` does to a sample with `batch_size=None`.

    Arrays of strings, dates and objects stay as they are, as all else that is no number.

    >>> import numpy as np
    >>> import tinygrad_dl as td
    >>> td.data.default_convert([np.ones(2), "a"])
    [tensor([1., 1.], dtype=float64), 'a']
    """
    if isinstance(sample, np.ndarray | np.generic):
        if sample.dtype.kind not in NUMERIC:
            return sample
        return wrap(as_array(sample))
    if isinstance(sample, Mapping):
        return {key: default_convert(value) for key, value in sample.items()}
    if isinstance(sample, tuple | list):
        return _like(sample, [default_convert(value) for value in sample])
    return sample
