"""Sums, means and other reductions, with `where` and `initial`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import as_array
from tinygrad_dl.ops._numpy.arguments import NONE, as_tensor, over
from tinygrad_dl.ops.reduction import extrema, logical, statistics
from tinygrad_dl.ops.reduction import sum as sums
from tinygrad_dl.ops.reduction.cumulative import cumprod, cumsum
from tinygrad_dl.ops.reduction.logsumexp import logsumexp
from tinygrad_dl.ops.reduction.sum import prod
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
        if where is not True:
            if neutral is None and initial is NONE:
                raise ValueError(
                    "got where= without initial=, expected both: initial stands for the elements that do not count"
                )
            a = np.where(where, a, initial if neutral is None else neutral)
        result = ours(*over(a, axis, keepdims), **({} if dtype is None else {"dtype": dtype}))
        return result if initial is NONE or initial is None else join(result, initial)

    return reduced


for _names, _ours, _neutral, _join in (
    ((np.sum, np.add), sums.sum, 0, np.add),
    ((np.prod, np.multiply), prod, 1, np.multiply),
    ((np.any, np.logical_or), logical.any, False, np.logical_or),
    ((np.all, np.logical_and), logical.all, True, np.logical_and),
    ((np.max, np.maximum), extrema.amax, None, np.maximum),
    ((np.min, np.minimum), extrema.amin, None, np.minimum),
):
    NUMPY[_names[0]] = reduction(_ours, _neutral, _join)
    NUMPY[_names[1], "reduce"] = reduction(_ours, _neutral, _join, 0)
NUMPY[np.amax], NUMPY[np.amin] = NUMPY[np.max], NUMPY[np.min]
NUMPY[np.logaddexp, "reduce"] = lambda array, axis=0, keepdims=False: logsumexp(
    array, tuple(range(array.ndim)) if axis is None else axis, keepdims
)
NUMPY[np.add, "accumulate"] = lambda array, axis=0, dtype=None: cumsum(array, axis, dtype=dtype)
NUMPY[np.multiply, "accumulate"] = lambda array, axis=0, dtype=None: cumprod(array, axis, dtype=dtype)


def mean(a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False, where: Any = True) -> Any:
    """np.mean: of integers a float."""
    a = as_tensor(a)
    if dtype is None and a.dtype.kind in "biu":
        dtype = np.float64
    if where is True:
        return statistics.mean(*over(a, axis, keepdims), dtype=dtype)
    count = np.sum(np.broadcast_to(as_array(where), a.shape), axis=axis, keepdims=keepdims is not NONE and keepdims)
    return sums.sum(*over(np.where(where, a, 0), axis, keepdims), dtype=dtype) / count


def deviation(ours: Callable[..., Any]) -> Callable[..., Any]:
    """np.var or np.std: their `ddof` is PyTorch's correction, and 0 if not given."""

    def found(
        a: Any, axis: Any = None, dtype: Any = None, ddof: Any = 0, keepdims: Any = False, *, correction: Any = NONE
    ) -> Any:
        a = as_tensor(a)
        if dtype is not None or a.dtype.kind in "biu":
            a = a.astype(np.float64 if dtype is None else dtype)
        number = ddof if correction is NONE or correction is None else correction
        a, axis, keepdim = over(a, axis, keepdims)
        return ours(a, axis, None, keepdim, correction=number)

    return found


NUMPY[np.mean], NUMPY[np.var], NUMPY[np.std] = mean, deviation(statistics.var), deviation(statistics.std)


def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """np.count_nonzero."""
    return sums.sum(*over(a != 0, axis, keepdims))


NUMPY[np.count_nonzero] = count_nonzero
NUMPY[np.ptp] = lambda a, axis=None, keepdims=False: (
    extrema.amax(a, axis, keepdims is not NONE and keepdims) - extrema.amin(a, axis, keepdims is not NONE and keepdims)
)


def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False) -> Any:
    """np.average: the mean, weighted."""
    a, keepdims = as_tensor(a), keepdims is not NONE and keepdims
    if weights is None:
        found = mean(a, axis, None, keepdims)
        total = np.full_like(found.detach(), a.numel() / max(1, found.numel()))
    else:
        weights = as_tensor(weights)
        if weights.ndim == 1 and a.ndim > 1 and isinstance(axis, int):
            weights = reshape(weights, [-1 if d == axis % a.ndim else 1 for d in range(a.ndim)])
        weights = np.broadcast_to(weights, a.shape)
        total = sums.sum(weights, axis, keepdims)
        found = sums.sum(a * weights, axis, keepdims) / total
    return (found, total) if returned else found


NUMPY[np.average] = average
