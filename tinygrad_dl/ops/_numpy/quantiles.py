"""Medians, quantiles and percentiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.ops._numpy.arguments import NONE, as_tensor
from tinygrad_dl.ops.reduction import statistics
from tinygrad_dl.ops.reduction.quantile import nanquantile, quantile
from tinygrad_dl.ops.shape.permute import permute
from tinygrad_dl.ops.shape.reshape import reshape
from tinygrad_dl.ops.sorting.sort import sort


def median(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """np.median: of an even number the mean of the two in the middle, nan if any is nan; the gradient goes to those."""
    a = as_tensor(a)
    rows, kept = as_rows(a, axis)
    size = rows.shape[-1]
    if not size:
        raise ValueError(f"np.median: expected at least one element, got shape {a.shape}")
    values = sort(rows, -1)[0]
    middle = values[..., (size - 1) // 2 : size // 2 + 1]
    found = np.where(np.isnan(values[..., -1]), np.nan, statistics.mean(middle, -1))
    return found.reshape(kept) if keepdims else found


def as_rows(a: Any, axis: Any) -> tuple[Any, list[int]]:
    """What to reduce as one last dimension, of integers as float64; and the shape of the result with keepdims."""
    if a.dtype.kind in "biu":
        a = a.astype(np.float64)
    dims = tuple(range(a.ndim)) if axis is None else tuple(d % a.ndim for d in np.atleast_1d(axis).tolist())
    rest = [d for d in range(a.ndim) if d not in dims]
    rows = permute(a, (*rest, *dims)).reshape((*(a.shape[d] for d in rest), math.prod(a.shape[d] for d in dims)))
    return rows, [1 if d in dims else n for d, n in enumerate(a.shape)]


def quantiles(percent: bool, ignore_nan: bool) -> Callable[..., Any]:
    """np.quantile and its like: `q` of any shape, `axis` one or several."""

    def found(a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
        rows, kept = as_rows(as_tensor(a), axis)
        parts = (q if isinstance(q, Tensor) else wrap(np.asarray(q, rows.dtype))).astype(rows.dtype)
        parts = parts / 100 if percent else parts
        function = nanquantile if ignore_nan else quantile
        out = function(rows, reshape(parts, -1), -1, interpolation=method)
        return reshape(out, (*parts.shape, *(kept if keepdims is not NONE and keepdims else out.shape[1:])))

    return found


NUMPY[np.median] = median
NUMPY[np.quantile], NUMPY[np.nanquantile] = quantiles(False, False), quantiles(False, True)
NUMPY[np.percentile], NUMPY[np.nanpercentile] = quantiles(True, False), quantiles(True, True)
