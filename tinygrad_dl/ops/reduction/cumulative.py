"""Cumulative sums, products and logarithms of sums of exponentials."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import accumulate as accumulated
from tinygrad_dl.backends.arrays import at_hand, module_of
from tinygrad_dl.backends.transposing import copy_transposed
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import values_of
from tinygrad_dl.inputs import array, axis_of, error, real
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops.comparison.elementwise import ne
from tinygrad_dl.ops.pointwise._selection import unspoilt
from tinygrad_dl.ops.reduction._sums import require_floating
from tinygrad_dl.ops.reduction.sum import before, element_type
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.shape.joining import cat

ROWS = 512  # from so many rows on, columns are faster, which takes two transposed copies
SLICE = 128  # neighbouring elements, from which a call for each slice costs less than NumPy's way
NO_DIM = [error(IndexError, "got dim 2", array(), 2)]
RUNNING = {"input": real(min_dims=1), "dim": axis_of("input")}


@op(
    (np.add, "accumulate"),
    kind="scan",
    linear=("input",),
    inplace=True,
    inputs=RUNNING,
    errors=NO_DIM,
    reference=np.cumsum,
)
def cumsum(input: Array, dim: Any, *, dtype: Any = None) -> Array:
    """The running sum along a dimension; of integers as int64.

    >>> td.cumsum(td.tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([1., 3., 6.])
    """
    return running(np.add, input, dim, element_type(input, dtype))


def running(ufunc: np.ufunc, x: Any, dim: int, dtype: Any) -> Any:
    """ufunc.accumulate; across large slices one slice after the other, which is ten times as fast, and along many rows
    by columns, since in a row each step waits for the one before it.
    """
    dim = normal_dim(dim, x.ndim)
    if not x.ndim:
        return x.astype(dtype or x.dtype)
    if type(x) is not np.ndarray:
        return accumulated(ufunc, x, dim, dtype)
    inner = math.prod(x.shape[dim + 1 :])
    if inner == 1 and x.size >= ROWS * x.shape[dim] and x.size and x.flags.c_contiguous:
        return across(ufunc, x, dtype)
    if inner < SLICE:
        return ufunc.accumulate(x, dim, dtype)
    out = x.astype(dtype or x.dtype, "C")
    accumulate(ufunc, np.moveaxis(out, dim, 0))
    return out


def accumulate(ufunc: np.ufunc, slices: np.ndarray) -> None:
    """Joins each slice with what the ones before it came to, in place."""
    for earlier, here in itertools.pairwise(slices):
        ufunc(earlier, here, out=here)


def across(ufunc: np.ufunc, x: np.ndarray, dtype: Any) -> np.ndarray:
    """`running` along the last dimension, by columns."""
    rows = x.reshape(-1, x.shape[-1])
    columns, out = np.empty(rows.shape[::-1], dtype or x.dtype), np.empty(rows.shape, dtype or x.dtype)
    copy_transposed(rows, columns)
    accumulate(ufunc, columns)
    copy_transposed(columns, out)
    return out.reshape(x.shape)


def summed_from_end(g: Any, dim: Any) -> Any:
    """The running sum from the last element to the first."""
    return np.flip(cumsum.generic(np.flip(g, dim), dim), dim) if g.ndim else g


cumsum.vjp(input=lambda g, dim: summed_from_end(g, dim))


@op((np.multiply, "accumulate"), kind="scan", inplace=True, inputs=RUNNING, errors=NO_DIM, reference=np.cumprod)
def cumprod(input: Array, dim: Any, *, dtype: Any = None) -> Array:
    """The running product along a dimension; its gradient is right at zeros too, to every order.

    >>> td.cumprod(td.tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([1., 2., 6.])
    """
    return running(np.multiply, input, dim, element_type(input, dtype))


def running_product_slope(g: Any, input: Any, out: Any, dim: Any) -> Any:
    """Where there is no zero, the running sum from the end of g * out, over the input.

    At zeros, without division: the gradient of x[j] is before[j] * r[j], where before[j] is the product of
    all elements before it and r[j] = g[j] + x[j+1] * r[j+1].
    """
    if not input.ndim:
        return g
    if at_hand(input) and not np.any(input == 0):
        return summed_from_end(g * out, dim) / input
    x = np.swapaxes(input, dim, -1)
    r, ahead = solved(np.swapaxes(g, dim, -1), shifted(x, 1), shifted), before(x)
    slope = unspoilt(ahead * r, ahead)
    values = values_of(x)
    if (
        not at_hand(values) or not np.isfinite(values).all()
    ):  # the last product has no value without such an element, and so no slope
        others = before(values) * np.flip(before(np.flip(values, -1)), -1)
        slope = np.where(np.isnan(others), np.nan, slope)
    return np.swapaxes(slope, dim, -1)


def solved(r: Any, factor: Any, moved: Callable[[Any, int], Any]) -> Any:
    """s[i] = r[i] + factor[i] * s[the neighbour of i] along the last dimension, where `moved` puts neighbours in place.

    By doubling: each round joins stretches twice as long, so there are log2(n) rounds of whole-array operations, which
    have gradients of their own.
    """
    reach = 1
    while reach < r.shape[-1]:
        r = r + unspoilt(factor * moved(r, reach), factor)
        factor = factor * moved(factor, reach)
        reach *= 2
    return r


def shifted(rows: Any, by: int) -> Any:
    """Along the last dimension: the element `by` places further on, zero beyond the end."""
    zeros = module_of(rows).zeros((*rows.shape[:-1], by), rows.dtype)
    return np.concatenate([rows[..., by:], zeros], axis=-1)


def delayed(rows: Any, by: int) -> Any:
    """Along the last dimension: the element `by` places before, zero in front of the first."""
    zeros = module_of(rows).zeros((*rows.shape[:-1], by), rows.dtype)
    return np.concatenate([zeros, rows[..., :-by]], axis=-1)


cumprod.vjp(input=running_product_slope)


def running_product_tangent(t: Any, input: Any, dim: Any) -> Any:
    """The sum over the elements up to each place, each changed alone, by doubling: right at zeros too.

    Of a stretch are known the product p and its change c; two of them together have p1 p2 and c1 p2 + p1 c2.
    """
    if not input.ndim:
        return t
    p, c = np.swapaxes(input, dim, -1), np.swapaxes(t, dim, -1)
    reach, size = 1, p.shape[-1]
    while reach < size:
        p1, c1, p2, c2 = p[..., :-reach], c[..., :-reach], p[..., reach:], c[..., reach:]
        c = np.concatenate([c[..., :reach], c1 * p2 + p1 * c2], axis=-1)
        p = np.concatenate([p[..., :reach], p1 * p2], axis=-1)
        reach *= 2
    return np.swapaxes(c, dim, -1)


cumprod.jvp(input=running_product_tangent)


@op(
    kind="scan",
    inputs={"input": real(-40.0, 40.0, min_dims=1), "dim": axis_of("input")},
    errors=[*NO_DIM, error(TypeError, "expected a floating dtype", array(2, dtype="int64"), 0)],
    reference=lambda input, dim: np.logaddexp.accumulate(input, dim),
)
def logcumsumexp(input: Array, dim: int) -> Array:
    """log(cumsum(exp(input))) along a dimension, without overflow.

    Args:
        input: floating or complex.
        dim: the dimension.

    Raises:
        TypeError: integers. IndexError: there is no such dimension.

    >>> td.logcumsumexp(td.tensor([0.0, 0.0, 1000.0]), dim=0)
    tensor([0.0000e+00, 6.9315e-01, 1.0000e+03])
    """
    require_floating(input.dtype)
    dim = normal_dim(dim, input.ndim)
    if input.dtype.kind != "c" or not input.ndim:
        return running(np.logaddexp, input, dim, None)
    out = input.copy("C")
    for earlier, here in itertools.pairwise(np.moveaxis(out, dim, 0)):
        swap = earlier.real > here.real
        low, high = np.where(swap, here, earlier), np.where(swap, earlier, here)
        here[...] = np.where(np.isneginf(low.real), high, np.log1p(np.exp(low - high)) + high)
    return out


def logcumsumexp_slope(g: Any, input: Any, out: Any, dim: int) -> Any:
    """g[j] exp(x[i] - out[j]), summed over j >= i: exp(x[i] - out[i]) r[i], where r[i] = g[i] + a[i] r[i + 1].

    a[i] = exp(out[i] - out[i + 1]), which is 1 at most.
    """
    if not input.ndim:
        return g
    share, top = own_share(input, out, dim)
    factor = np.exp(top - np.concatenate([top[..., 1:], top[..., -1:]], axis=-1))
    r = solved(np.swapaxes(g, dim, -1), factor, shifted)
    return np.swapaxes(unspoilt(r * share, share), dim, -1)


def own_share(input: Any, out: Any, dim: int) -> tuple[Any, Any]:
    """The share of each element in its sum, exp(x[i] - out[i]), and `out`, along the last dimension."""
    x, top = np.swapaxes(input, dim, -1), np.swapaxes(out, dim, -1)
    if input.dtype.kind == "f":
        top = np.maximum(top, float(np.finfo(input.dtype).min))  # where the sum is 0: exp(-inf) is 0
    return np.exp(x - top), top


def logcumsumexp_tangent(t: Any, input: Any, out: Any, dim: int) -> Any:
    """t[j] exp(x[j] - out[i]), summed over j <= i: the same recurrence, gone through from the other end."""
    if not input.ndim:
        return t
    share, top = own_share(input, out, dim)
    factor = np.exp(np.concatenate([top[..., :1], top[..., :-1]], axis=-1) - top)
    return np.swapaxes(solved(np.swapaxes(t, dim, -1) * share, factor, delayed), dim, -1)


logcumsumexp.vjp(input=logcumsumexp_slope)
logcumsumexp.jvp(input=logcumsumexp_tangent)


@composition
def diff(input: Array, n: int = 1, dim: int = -1, prepend: Array | None = None, append: Array | None = None) -> Tensor:
    """The differences of neighbours along a dimension, `n` times over: input[i + 1] - input[i].

    Args:
        n: how many times.
        dim: the dimension.
        prepend, append: what is put in front of the input and behind it, of its size in all other dimensions; with n=0
            nothing is.

    Returns:
        `n` elements less along the dimension, and none below zero; of booleans whether neighbours differ.

    >>> td.diff(td.tensor([1, 4, 9, 16]))
    tensor([3, 5, 7])
    >>> td.diff(td.tensor([1, 4, 9, 16]), n=2, append=td.tensor([25]))
    tensor([2, 2, 2])
    """
    if not input.ndim:
        raise ValueError("expected an input of at least one dimension, got a number")
    if n < 0:
        raise ValueError(f"expected n of 0 or more, got {n}")
    dim = normal_dim(dim, input.ndim)
    parts = [part for part in (prepend, input, append) if part is not None] if n else [input]
    x: Tensor = cat(parts, dim) if len(parts) > 1 else input[...]
    later, earlier = [(*(slice(None),) * dim, part) for part in (slice(1, None), slice(None, -1))]
    for _ in range(min(n, x.shape[dim])):
        x = ne(x[later], x[earlier]) if x.dtype == np.bool else x[later] - x[earlier]
    return x


alias("diff", diff)


def along(function: Any) -> Any:
    """NumPy's spelling: without an axis, of the flattened array."""
    return lambda a, axis=None, dtype=None: (
        function(a.reshape(-1), 0, dtype=dtype) if axis is None else function(a, axis, dtype=dtype)
    )


NUMPY[np.cumsum] = along(cumsum)
NUMPY[np.cumprod] = along(cumprod)
NUMPY[np.logaddexp, "accumulate"] = lambda array, axis=0: logcumsumexp(array, axis)
