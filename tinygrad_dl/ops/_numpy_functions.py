"""NumPy functions that are made of several operations here, or that mean another thing than PyTorch's of the name.

Each has NumPy's own parameters; those that are missing are refused by name (`tinygrad_dl.core.protocol`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.creation import full_like, zeros, zeros_like
from tinygrad_dl.ops.pointwise.extremes import nan_to_num
from tinygrad_dl.ops.reduction import extrema, logical, statistics
from tinygrad_dl.ops.reduction import sum as sums
from tinygrad_dl.ops.reduction.cumulative import cumprod, cumsum, diff
from tinygrad_dl.ops.reduction.logsumexp import logsumexp
from tinygrad_dl.ops.reduction.quantile import nanquantile, quantile
from tinygrad_dl.ops.reduction.sum import prod
from tinygrad_dl.ops.shape.expand import expand, meshgrid
from tinygrad_dl.ops.shape.joining import cat
from tinygrad_dl.ops.shape.permute import permute
from tinygrad_dl.ops.shape.reshape import reshape, unsqueeze
from tinygrad_dl.ops.shape.splitting import tensor_split, unbind
from tinygrad_dl.ops.sorting.sort import sort

NONE: Any = np._NoValue


def as_tensor(value: Any) -> Tensor:
    """A tensor, or one of an array or a number."""
    return value if isinstance(value, Tensor) else wrap(as_array(value))


# -- reductions --------------------------------------------------------------------------------------


def over(a: Any, axis: Any, keepdims: Any) -> tuple[Any, Any, bool]:
    """What to reduce, over which dimensions. axis=() is none in NumPy and all in PyTorch: a new one stands for none."""
    if type(axis) is tuple and not axis:
        return unsqueeze(a, -1), -1, False
    return a, axis, keepdims is not NONE and bool(keepdims)


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


def without_nan(ours: Callable[..., Any], neutral: Any) -> Callable[..., Any]:
    """A reduction over the elements that are numbers."""

    def found(a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> Any:
        filled = np.where(np.isnan(a), neutral, a)
        return ours(*over(filled, axis, keepdims), **({} if dtype is None else {"dtype": dtype}))

    return found


NUMPY[np.count_nonzero] = count_nonzero
NUMPY[np.nansum], NUMPY[np.nanprod] = without_nan(sums.sum, 0), without_nan(prod, 1)
NUMPY[np.nanmean] = lambda a, axis=None, dtype=None, keepdims=False: statistics.nanmean(
    a, axis, keepdims is not NONE and keepdims, dtype=dtype
)
NUMPY[np.ptp] = lambda a, axis=None, keepdims=False: (
    extrema.amax(a, axis, keepdims is not NONE and keepdims) - extrema.amin(a, axis, keepdims is not NONE and keepdims)
)


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


NUMPY[np.median], NUMPY[np.average] = median, average
NUMPY[np.quantile], NUMPY[np.nanquantile] = quantiles(False, False), quantiles(False, True)
NUMPY[np.percentile], NUMPY[np.nanpercentile] = quantiles(True, False), quantiles(True, True)


# -- shapes and parts --------------------------------------------------------------------------------


NUMPY[np.ndim] = lambda a: a.ndim
NUMPY[np.shape] = lambda a: a.shape
NUMPY[np.size] = lambda a, axis=None: a.numel() if axis is None else a.shape[axis]


def expand_dims(a: Any, axis: Any) -> Any:
    """np.expand_dims: one new dimension, or several."""
    if isinstance(axis, int | np.integer):
        return unsqueeze(a, axis)
    count = a.ndim + len(axis)
    for each in sorted(d % count if -count <= d < count else d for d in axis):
        a = unsqueeze(a, each)
    return a


def zeros_of(a: Any, dtype: Any = None, *, shape: Any = None) -> Tensor:
    """np.zeros_like; rules write it for arrays and tensors alike."""
    return zeros_like(a, dtype=dtype) if shape is None else zeros(shape, dtype=dtype or a.dtype)


def full_of(a: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """np.full_like, with the gradient of a tensor that fills it."""
    a = as_tensor(a)
    if not isinstance(fill_value, Tensor):
        return full_like(a, fill_value, dtype=dtype or a.dtype)
    return expand(fill_value.astype(dtype or a.dtype), a.shape).clone()


def grids(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Tensor, ...]:
    """np.meshgrid; sparse: each grid is of size 1 but along its own dimension."""
    found = meshgrid(*map(as_tensor, xi), indexing=indexing)
    if sparse:
        swap = {0: 1, 1: 0} if indexing == "xy" and len(xi) > 1 else {}
        own = [swap.get(i, i) for i in range(len(xi))]
        found = tuple(
            g[tuple(slice(None) if d == i else slice(0, 1) for d in range(g.ndim))]
            for g, i in zip(found, own, strict=True)
        )
    return tuple(g.clone() for g in found) if copy else found


def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
) -> Any:
    """np.unique; the gradient of a value goes to where it stands first."""
    of_array: Any = np.unique  # its overloads know literal flags only
    _, first, *others = of_array(ar._data, True, return_inverse, return_counts, axis, equal_nan=equal_nan)
    values = ar.reshape(-1)[first] if axis is None else NUMPY[np.take](ar, first, axis)
    found = (values, *([wrap(first)] if return_index else []), *map(wrap, others))
    return found if len(found) > 1 else values


def differences(a: Any, n: int = 1, axis: int = -1, prepend: Any = NONE, append: Any = NONE) -> Any:
    """np.diff, which takes numbers in front and behind as well."""
    a = as_tensor(a)
    shape = [1 if d == axis % a.ndim else size for d, size in enumerate(a.shape)]
    ends = [None if p is NONE else as_tensor(p if np.ndim(p) else np.broadcast_to(p, shape)) for p in (prepend, append)]
    return diff(a, n, axis, *ends)


def append(arr: Any, values: Any, axis: int | None = None) -> Tensor:
    """np.append: of flattened tensors, without an axis."""
    arr, values = as_tensor(arr), as_tensor(values)
    return cat([arr.reshape(-1), values.reshape(-1)], 0) if axis is None else cat([arr, values], axis)


def parts_along(default: int) -> Callable[..., Any]:
    """np.hsplit, np.vsplit and np.dsplit."""
    return lambda ary, indices_or_sections: NUMPY[np.split](
        ary, indices_or_sections, 0 if default == 1 and ary.ndim == 1 else default
    )


def nan_replaced(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Tensor:
    """np.nan_to_num; copy=False writes it to x."""
    found: Tensor = nan_to_num(x, nan, posinf, neginf)
    return found if copy else x._assign(found, "np.nan_to_num(copy=False)")


def at_least_3d(ary: Any) -> Any:
    """np.atleast_3d: (n,) becomes (1, n, 1), (n, m) becomes (n, m, 1)."""
    return (
        ary.reshape((1, 1, 1) if not ary.ndim else (1, -1, 1))
        if ary.ndim < 2
        else unsqueeze(ary, 2)
        if ary.ndim == 2
        else ary
    )


def each_of(ours: Callable[..., Any]) -> Callable[..., Any]:
    """np.atleast_1d and its like: of several arguments a tuple."""

    def found(*arys: Any) -> Any:
        results = tuple(ours(as_tensor(each)) for each in arys)
        return results[0] if len(results) == 1 else results

    return found


def only_dim(x: Any, axis: Any) -> Any:
    """The axis of a cumulative sum, which may be left out for one dimension."""
    if axis is None and x.ndim != 1:
        raise ValueError(f"got a tensor of {x.ndim} dimensions without axis, expected axis=")
    return 0 if axis is None else axis


for _function in (np.atleast_1d, np.atleast_2d):
    NUMPY[_function] = each_of(NUMPY[_function])
NUMPY[np.atleast_3d] = each_of(at_least_3d)
NUMPY[np.expand_dims], NUMPY[np.zeros_like], NUMPY[np.full_like] = expand_dims, zeros_of, full_of
NUMPY[np.meshgrid], NUMPY[np.unique], NUMPY[np.diff], NUMPY[np.append] = grids, unique, differences, append
NUMPY[np.hsplit], NUMPY[np.vsplit], NUMPY[np.dsplit] = parts_along(1), parts_along(0), parts_along(2)
NUMPY[np.nan_to_num] = nan_replaced
NUMPY[np.array_split] = lambda ary, indices_or_sections, axis=0: list(
    tensor_split(ary, indices_or_sections if isinstance(indices_or_sections, int) else tuple(indices_or_sections), axis)
)
if hasattr(np, "unstack"):  # from NumPy 2.1 on
    NUMPY[np.unstack] = lambda x, *, axis=0: unbind(x, axis)
if hasattr(np, "cumulative_sum"):
    NUMPY[np.cumulative_sum] = lambda x, *, axis=None, dtype=None: cumsum(x, only_dim(x, axis), dtype=dtype)
    NUMPY[np.cumulative_prod] = lambda x, *, axis=None, dtype=None: cumprod(x, only_dim(x, axis), dtype=dtype)


# -- elementwise, of others --------------------------------------------------------------------------

NUMPY[np.fabs] = lambda x: np.absolute(x)
NUMPY[np.positive] = lambda x: x


# -- joined ---

NUMPY[np.block] = lambda arrays: _block(arrays, _depth(arrays))


def _depth(arrays: Any) -> int:
    return 1 + max(map(_depth, arrays)) if isinstance(arrays, list) else 0


def _block(arrays: Any, depth: int) -> Any:
    """np.block: nested lists joined along the last dimension, those of the next level along the one before."""
    if not isinstance(arrays, list):
        return as_tensor(arrays)
    parts = [_block(each, depth - 1) for each in arrays]
    ndim = max([depth, *(p.ndim for p in parts)])
    return cat([p.reshape((1,) * (ndim - p.ndim) + p.shape) for p in parts], -depth)
