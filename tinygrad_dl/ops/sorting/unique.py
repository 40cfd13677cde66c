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
    flat = rows.reshape(len(rows), math.prod(rows.shape[1:]))
    starts = np.ones(len(rows), np.bool)
    starts[1:] = (flat[1:] != flat[:-1]).any(1)
    first = rows[starts]
    found = [first if dim is None else np.moveaxis(first, 0, dim)]
    if return_inverse:
        run = starts.cumsum() - 1
        found.append(run.reshape(data.shape) if dim is None else run)
    if return_counts:
        found.append(np.diff(np.append(starts.nonzero()[0], len(rows))))
    parts = tuple([wrap(each.copy()) for each in found])
    return parts if len(parts) > 1 else parts[0]
