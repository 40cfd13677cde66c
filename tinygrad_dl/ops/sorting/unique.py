"""The distinct elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.promotion import in_single
from tinygrad_dl.core.tensor import as_array, wrap
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.sorting._order import LONG


@method
def unique(
    input: Array, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The different elements, or slices along `dim`, in order.

    Returns:
        The tensor alone, or a tuple with, as asked for, the index among them of each element of the input, and
        how often each of them occurs. Nothing of it has a gradient.

    >>> td.tensor([3, 1, 3]).unique(return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    data = as_array(input)
    if dim is None and in_a_narrow_range(data):
        parts = _by_counts(data.reshape(-1), return_inverse, return_counts)
    else:
        np_unique: Any = np.unique  # its overloads know literal flags only
        # In single precision, as sorting half precision does not know where nan belongs.
        found = np_unique(in_single(data), False, return_inverse, return_counts, axis=dim, equal_nan=False)
        parts = list(found) if isinstance(found, tuple) else [found]
        parts[0] = parts[0].astype(data.dtype, copy=False)
    if len(parts) == 1:
        return wrap(parts[0])
    if return_inverse:
        parts[1] = parts[1].reshape(data.shape if dim is None else -1)
    return tuple([wrap(each) for each in parts])


def in_a_narrow_range(x: np.ndarray) -> bool:
    """Whether counting all integers that there might be is less work than sorting."""
    return x.dtype.kind in "iu" and x.size >= LONG and int(x.max()) - int(x.min()) <= x.size


def _by_counts(x: np.ndarray, return_inverse: bool, return_counts: bool) -> list[np.ndarray]:
    """`unique` of integers in a narrow range."""
    low = x.min()
    steps = np.subtract(x, low, dtype=np.int64) if x.dtype != np.uint64 else (x - low).astype(np.int64)
    counts = np.bincount(steps)
    there = np.flatnonzero(counts)
    parts = [there.astype(x.dtype) + low]
    if return_inverse:
        parts.append((np.cumsum(counts > 0) - 1).take(steps))
    if return_counts:
        parts.append(counts[there])
    return parts


@method
def unique_consecutive(
    input: Array, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The first of each run of equal elements, or of equal slices along `dim`.

    Returns:
        The tensor alone, or a tuple with, as asked for, the number of the run of each element, and how long each run
        is. Nothing of it has a gradient.

    >>> td.unique_consecutive(td.tensor([1, 1, 2, 1]), return_counts=True)
    (tensor([1, 2, 1]), tensor([2, 1, 1]))
    """
    data = as_array(input)
    dim = None if dim is None else normal_dim(dim, data.ndim)
    rows = data.reshape(-1) if dim is None or not data.ndim else np.moveaxis(data, dim, 0)
    starts = np.ones(len(rows), np.bool)
    differ = rows[1:] != rows[:-1]
    starts[1:] = differ if rows.ndim == 1 else differ.reshape(len(differ), math.prod(rows.shape[1:])).any(1)
    first = rows[starts]
    found = [first if dim is None else np.moveaxis(first, 0, dim)]
    if return_inverse:
        run = starts.cumsum() - 1
        found.append(run.reshape(data.shape) if dim is None else run)
    if return_counts:
        found.append(np.diff(np.append(starts.nonzero()[0], len(rows))))
    parts = tuple([wrap(each.copy()) for each in found])
    return parts if len(parts) > 1 else parts[0]
