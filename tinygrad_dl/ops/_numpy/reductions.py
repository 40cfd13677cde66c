"""Sums, means and other reductions, with `where` and `initial`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.promotion import is_half
from tinygrad_dl.core.tensor import as_array
from tinygrad_dl.ops._numpy.arguments import NONE, all_dims, as_tensor, floating, kept, over
from tinygrad_dl.ops.reduction import extrema, logical, statistics
from tinygrad_dl.ops.reduction import sum as sums
from tinygrad_dl.ops.reduction.cumulative import cumprod, cumsum
from tinygrad_dl.ops.reduction.logsumexp import logsumexp
from tinygrad_dl.ops.reduction.sum import prod
from tinygrad_dl.ops.shape.permute import permute
from tinygrad_dl.ops.shape.reshape import reshape


def reduction(ours: Callable[..., Any], neutral: Any, join: Any, default: Any = None) -> Callable[..., Any]:
    """A reduction with NumPy's `where` (the elements that count) and `initial` (what it starts with).

    Args:
        neutral: what stands for elements that do not count; None: `initial`.
        join: how the result and `initial` are put together.
        default: the axis if none is given: None for functions, 0 for methods of ufuncs.
    """

    def reduced(
        a: Any, axis: Any = default, dtype: Any = None, keepdims: Any = False, initial: Any = NONE, where: Any = True
    ) -> Any:
        a = as_tensor(a)
        if isinstance(initial, float) and dtype is None and a.dtype.kind in "iu":
            initial = int(initial)  # as NumPy does, which keeps the dtype
        if where is not True:
            if neutral is None and initial is NONE:
                raise ValueError(
                    "got where= without initial=, expected both: initial stands for the elements that do not count"
                )
            a = np.where(where, a, initial if neutral is None else neutral)
        result = ours(*over(a, axis, keepdims), **({} if dtype is None else {"dtype": dtype}))
        return result if initial is NONE or initial is None else join(result, initial)

    return reduced


def log_sum_exp(a: Any, axis: Any, keepdim: bool, dtype: Any = None) -> Any:
    """What np.logaddexp.reduce gives."""
    a = a if dtype is None else a.astype(dtype)
    return logsumexp(a, all_dims(axis, a.ndim), keepdim)


for _names, _ours, _neutral, _join in (
    ((np.sum, np.add), sums.sum, 0, np.add),
    ((np.prod, np.multiply), prod, 1, np.multiply),
    ((np.any, np.logical_or), logical.any, False, np.logical_or),
    ((np.all, np.logical_and), logical.all, True, np.logical_and),
    ((np.max, np.maximum), extrema.amax, None, np.maximum),
    ((np.min, np.minimum), extrema.amin, None, np.minimum),
    ((None, np.logaddexp), log_sum_exp, -np.inf, np.logaddexp),
):
    if _names[0] is not None:
        NUMPY[_names[0]] = reduction(_ours, _neutral, _join)
    NUMPY[_names[1], "reduce"] = reduction(_ours, _neutral, _join, 0)
NUMPY[np.amax], NUMPY[np.amin] = NUMPY[np.max], NUMPY[np.min]
NUMPY[np.add, "accumulate"] = lambda array, axis=0, dtype=None: cumsum(array, axis, dtype=dtype)
NUMPY[np.multiply, "accumulate"] = lambda array, axis=0, dtype=None: cumprod(array, axis, dtype=dtype)


def mean(a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False, where: Any = True) -> Any:
    """np.mean: of integers a float."""
    a = as_tensor(a)
    if dtype is None and a.dtype.kind in "biu":
        dtype = np.float64
    if where is True:
        return statistics.mean(*over(a, axis, keepdims), dtype=dtype)
    count = np.sum(np.broadcast_to(as_array(where), a.shape), axis=axis, keepdims=kept(keepdims))
    return sums.sum(*over(np.where(where, a, 0), axis, keepdims), dtype=dtype) / count


def spread(a: Any, counts: Any, axis: Any, ddof: Any, keepdims: bool, center: Any, too_few: float) -> Any:
    """The variance of the elements that count, around their mean or around another.

    Args:
        too_few: what to divide by where no more elements count than `ddof`.
    """
    number = np.sum(np.broadcast_to(counts, a.shape), axis=axis, keepdims=True)
    clean = np.where(counts, a, 0)
    if center is NONE or center is None:
        center = np.sum(clean, axis=axis, keepdims=True) / number
    apart = np.where(counts, clean - center, 0)
    squares = apart.real**2 + apart.imag**2 if apart.dtype.kind == "c" else apart * apart
    total = np.sum(squares, axis=axis, keepdims=keepdims)
    left = number.astype(total.dtype) - ddof
    return total / np.reshape(np.where(left > 0, left, too_few), total.shape)


def deviation(ours: Callable[..., Any] | None, root: bool) -> Callable[..., Any]:
    """np.var or np.std: their `ddof` is PyTorch's correction, and 0 if not given. Without an op those that skip NaN."""

    def found(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        ddof: Any = 0,
        keepdims: Any = False,
        *,
        where: Any = True,
        mean: Any = NONE,
        correction: Any = NONE,
    ) -> Any:
        a = floating(a) if dtype is None else as_tensor(a).astype(dtype)
        number = ddof if correction is NONE or correction is None else correction
        if ours is not None and where is True and (mean is NONE or mean is None):
            a, axis, keepdim = over(a, axis, keepdims)
            return ours(a, axis, None, keepdim, correction=number)
        counts = np.asarray(where) if ours is not None else ~np.isnan(a) & np.asarray(where)
        wide = a.astype(np.float32) if is_half(a.dtype) else a
        variance = spread(wide, counts, axis, number, kept(keepdims), mean, 0 if ours is not None else np.nan)
        return (np.sqrt(variance) if root else variance).astype(a.real.dtype)

    return found


NUMPY[np.mean] = mean
NUMPY[np.var], NUMPY[np.std] = deviation(statistics.var, False), deviation(statistics.std, True)


def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False) -> Any:
    """np.average: the mean, weighted; weights are of the shape of `a`, or of that of its dimensions `axis`."""
    a, keepdims = floating(a), kept(keepdims)
    if weights is None:
        found = mean(a, axis, None, keepdims)
        total = np.full_like(found.detach(), a.numel() / max(1, found.numel()))
        return (found, total) if returned else found
    weights = floating(weights)
    if weights.shape != a.shape:
        dims = all_dims(axis, a.ndim)
        if axis is None:
            raise TypeError(f"got weights of shape {weights.shape} without axis, expected shape {a.shape}, or axis=")
        if tuple(weights.shape) != tuple(a.shape[d] for d in dims):
            raise ValueError(f"got weights of shape {weights.shape}, expected the sizes of axis {axis} of {a.shape}")
        order = sorted(range(len(dims)), key=lambda i: dims[i])
        weights = reshape(permute(weights, order), [n if d in dims else 1 for d, n in enumerate(a.shape)])
        weights = np.broadcast_to(weights, a.shape)
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    found = np.sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (found, total) if returned else found


def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """np.count_nonzero."""
    return sums.sum(*over(a != 0, axis, keepdims))


def over_axes(func: Any, a: Any, axes: Any) -> Any:
    """np.apply_over_axes: a reduction along one axis after the other, which keep their places."""
    found = as_tensor(a)
    for axis in np.atleast_1d(axes).tolist():
        axis %= found.ndim
        reduced = func(found, axis)
        found = reduced if reduced.ndim == found.ndim else np.expand_dims(reduced, axis)
    return found


NUMPY[np.count_nonzero], NUMPY[np.average], NUMPY[np.apply_over_axes] = count_nonzero, average, over_axes
NUMPY[np.ptp] = lambda a, axis=None, keepdims=False: (
    NUMPY[np.max](a, axis, None, keepdims) - NUMPY[np.min](a, axis, None, keepdims)
)
