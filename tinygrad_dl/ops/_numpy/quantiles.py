"""Medians, quantiles and percentiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.promotion import is_half
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.ops._numpy.arguments import all_dims, as_tensor, constant, floating, kept, numbers
from tinygrad_dl.ops.reduction import statistics
from tinygrad_dl.ops.reduction.quantile import nanquantile, quantile
from tinygrad_dl.ops.shape.permute import permute
from tinygrad_dl.ops.shape.reshape import reshape
from tinygrad_dl.ops.sorting.sort import sort

BY_OP = frozenset({"linear", "lower", "higher", "midpoint", "nearest"})  # what the op's `interpolation` has
WHOLE = frozenset({"lower", "higher", "nearest", "inverted_cdf", "closest_observation"})  # an element, never between


def as_rows(a: Any, axis: Any) -> tuple[Any, list[int]]:
    """What to reduce as one last dimension, of integers as float64; and the shape of the result with keepdims."""
    a = floating(a)
    dims = all_dims(axis, a.ndim)
    rest = [d for d in range(a.ndim) if d not in dims]
    rows = permute(a, (*rest, *dims)).reshape((*(a.shape[d] for d in rest), math.prod(a.shape[d] for d in dims)))
    return rows, [1 if d in dims else n for d, n in enumerate(a.shape)]


def median(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """np.median: of an even number the mean of the two in the middle, nan if any is nan; the gradient goes to those."""
    rows, shape = as_rows(as_tensor(a), axis)
    size = rows.shape[-1]
    if not size:
        found = as_tensor(np.full(tuple(rows.shape[:-1]), np.nan, rows.dtype))
        return found.reshape(shape) if kept(keepdims) else found
    values = sort(rows, -1)[0]
    middle = values[..., (size - 1) // 2 : size // 2 + 1]
    found = np.where(np.isnan(values[..., -1]), np.nan, statistics.mean(middle, -1))
    return found.reshape(shape) if kept(keepdims) else found


def nanmedian(a: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """np.nanmedian: of the elements that are numbers; nan where none is."""
    rows, shape = as_rows(as_tensor(a), axis)
    if not rows.shape[-1]:
        return median(a, axis, keepdims=keepdims)
    count = np.sum(~np.isnan(rows), -1, keepdims=True)
    values = sort(rows, -1)[0]  # nan last
    low, high = (np.take_along_axis(values, place, -1) for place in (np.maximum(count - 1, 0) // 2, count // 2))
    found = np.squeeze(np.where(count > 0, (low + high) / 2, np.nan), -1)
    return found.reshape(shape) if kept(keepdims) else found


def quantiles(percent: bool, ignore_nan: bool) -> Callable[..., Any]:
    """np.quantile and its like: `q` of any shape, `axis` one or several, any of NumPy's methods, weights."""

    def found(
        a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: Any = False, *, weights: Any = None
    ) -> Any:
        a = as_tensor(a)
        if is_half(a.dtype):
            return found(a.astype(np.float32), q, axis, method, keepdims, weights=weights).astype(a.dtype)
        rows, shape = as_rows(a, axis)
        parts = (q if isinstance(q, Tensor) else wrap(np.asarray(q, rows.dtype))).astype(rows.dtype)
        parts = parts / 100 if percent else parts
        flat = reshape(parts, -1)
        if not rows.numel() and (ignore_nan or rows.shape[-1]):
            out = as_tensor(np.full((flat.numel(), *rows.shape[:-1]), np.nan, rows.dtype))
        elif method in BY_OP and weights is None and flat.numel():
            function = nanquantile if ignore_nan else quantile
            out = function(rows, flat, -1, interpolation=method)
        else:
            out = placed(rows, constant(flat, "q"), method, ignore_nan, weights_of(weights, a, axis, rows.shape))
        out = out.astype(a.dtype) if a.dtype.kind in "iu" and method in WHOLE else out
        return reshape(out, (*parts.shape, *(shape if kept(keepdims) else out.shape[1:])))

    return found


def weights_of(weights: Any, a: Any, axis: Any, shape: Any) -> Any:
    """The weight of every element, as the rows lie."""
    if weights is None:
        return None
    held = np.asarray(numbers(weights), np.float64)  # a step's place changes with them, its value does not
    if held.shape != tuple(a.shape):
        dims = all_dims(axis, a.ndim)
        order = sorted(range(len(dims)), key=lambda i: dims[i])
        held = np.transpose(held, order).reshape([n if d in dims else 1 for d, n in enumerate(a.shape)])
    return as_rows(np.broadcast_to(held, a.shape), axis)[0].numpy().reshape(shape)


def placed(rows: Any, q: Any, method: str, ignore_nan: bool, weights: Any) -> Any:
    """Quantiles of each row: NumPy says of its places 0, 1, 2, ... which one, or between which two, a quantile is."""
    order = np.argsort(numbers(rows), -1, kind="stable")
    ordered, of_numpy = np.take_along_axis(rows, order, -1), as_function(method)
    plain = numbers(ordered).reshape(-1, rows.shape[-1])
    heavy = None if weights is None else np.take_along_axis(weights, order, -1).reshape(plain.shape)
    at = np.zeros((len(plain), len(q)))
    missing = np.isnan(plain).sum(-1)
    for i, nan in enumerate(missing.tolist()):
        count = plain.shape[-1] - nan
        if nan and (not ignore_nan or not count):
            at[i] = np.nan
        else:
            at[i] = of_numpy(count, q, None if heavy is None else heavy[i, :count])
    at = at.reshape((*rows.shape[:-1], len(q)))
    low = np.floor(np.where(np.isnan(at), 0, at)).astype(np.int64)
    part = (at - low).astype(rows.dtype)
    first, second = (np.take_along_axis(ordered, i, -1) for i in (low, np.minimum(low + 1, rows.shape[-1] - 1)))
    found = np.where(part == 0, first, first + (second - first) * part)
    return np.moveaxis(np.where(np.isnan(at), np.nan, found), -1, 0)


def as_function(method: str) -> Callable[..., Any]:
    """NumPy's quantiles of the places 0 to n - 1."""
    of_numpy: Any = np.quantile  # its overloads know literal methods only
    return lambda n, q, weights: of_numpy(np.arange(float(n)), q, method=method, weights=weights)


NUMPY[np.median], NUMPY[np.nanmedian] = median, nanmedian
NUMPY[np.quantile], NUMPY[np.nanquantile] = quantiles(False, False), quantiles(False, True)
NUMPY[np.percentile], NUMPY[np.nanpercentile] = quantiles(True, False), quantiles(True, True)
