"""How often each integer occurs."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.ops._overload import method


@method
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, ... occurs in a 1-D tensor of integers that are not negative.

    Args:
        weights: adds those of the integer's places up, instead of counting; of the same shape. Outside the graph.
        minlength: the least length of the result.

    Returns:
        (the largest integer + 1,), or (minlength,) if that is more: int64; with weights float64, or float32 for those
        of float32.

    Raises:
        ValueError: negative integers, other shapes, or a negative `minlength`. TypeError: no integers.

    >>> td.bincount(td.tensor([1, 3, 1]))
    tensor([0, 2, 0, 1])
    >>> td.bincount(td.tensor([1, 3, 1]), td.tensor([0.5, 1.0, 2.0]), minlength=5)
    tensor([0.0000, 2.5000, 0.0000, 1.0000, 0.0000])
    """
    if input.dtype.kind not in "iu":
        raise TypeError(f"bincount: got {input.dtype}, expected integers")
    if minlength < 0:
        raise ValueError(f"bincount: got minlength={minlength}, expected at least 0")
    numbers = input._data.astype(np.int64, copy=False)
    fine = numbers.ndim == 1 and (weights is None or weights.shape == input.shape)
    try:
        total = np.bincount(numbers, None if weights is None else weights._data, minlength) if fine else None
    except ValueError:  # of negative integers
        total = None
    if total is None:
        raise _misfit(numbers, weights)
    if weights is None:
        return wrap(total)
    return wrap(total.astype(np.float32) if weights.dtype == np.float32 else total)


def _misfit(numbers: np.ndarray, weights: Tensor | None) -> ValueError:
    """The error of what can't be counted."""
    if numbers.ndim == 1 and weights is not None and not (numbers < 0).any():
        return ValueError(f"bincount: got weights of shape {weights.shape}, expected {numbers.shape}, as the input has")
    what = "negative integers" if numbers.ndim == 1 else f"shape {numbers.shape}"
    return ValueError(f"bincount: got {what}, expected 1-D input without negative integers")
