"""Sums, means and spreads over one dimension, several or all."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.gemm import product
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dtypes import as_dtype, int64
from tinygrad_dl.inputs import array, axes_of, boolean, error, one_of, real
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops.shape.reshape import normal_dim

# The ufuncs' own reductions, which spare the calls that np.sum and its like make on the way to them.
ADD: Any = np.add.reduce
LARGEST: Any = np.maximum.reduce
SMALLEST: Any = np.minimum.reduce
ANY: Any = np.logical_or.reduce
ALL: Any = np.logical_and.reduce

OVER = {"dim": axes_of("input"), "keepdim": one_of(False, True)}
NO_SUCH_DIM = [error(ValueError, "out of bounds", array(2), 3)]


def over(dim: Any, ndim: int) -> Any:
    """The dimensions to reduce, as NumPy takes them: no dimensions are all in PyTorch, and 0-d tensors have 0 and -1.

    >>> over([0, 1], 2), over((), 2), over((0,), 0)
    ((0, 1), None, None)
    """
    if type(dim) is list:
        dim = tuple(dim)
    if type(dim) is not tuple or (dim and ndim):
        return dim
    for each in dim:
        normal_dim(each, ndim)
    if len(dim) > 1:
        raise ValueError(f"got the dimensions {dim}, expected different ones: a 0-d tensor has 0 and -1 for the same")
    return None


def kept(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """A reduced array with its reduced dimensions back, of size 1."""
    if keepdim or dim is None or not shape:
        return g
    sizes = list(shape)
    try:
        sizes[dim] = 1
    except TypeError:
        if not len(dim):
            return g  # no dimensions are all of them, see `over`
        for each in dim:
            sizes[each] = 1
    return g.reshape(tuple(sizes))


def spread(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """A reduced array, repeated along the reduced dimensions; takes no memory."""
    g = kept(g, shape, dim, keepdim)
    if isinstance(g, np.generic):
        g = np.asarray(g)
    if type(g) is np.ndarray and g.flags.c_contiguous:  # what broadcast_to does, in a tenth of the time
        if g.ndim:
            strides = [0 if have != want else step for have, want, step in zip(g.shape, shape, g.strides, strict=True)]
        else:
            strides = [0] * len(shape)
        wide = np.ndarray(shape, g.dtype, g, 0, strides)
        wide.flags.writeable = False  # its elements share memory
        return wide
    return np.broadcast_to(g, shape)


@functools.lru_cache(maxsize=64)
def ones(count: int, dtype: Any) -> np.ndarray:
    """A vector of ones, made once; nothing may write to it."""
    made = np.ones(count, dtype)
    made.flags.writeable = False
    return made


MANY = 512  # elements, below which NumPy's own reductions take less time


def is_rows(x: np.ndarray, dim: Any) -> bool:
    """Whether `dim` is the last dimension, and the array many rows in memory: for those there are faster ways."""
    return x.size >= MANY and (dim == -1 or dim == x.ndim - 1) and x.dtype.char in "fd" and x.flags.c_contiguous


def largest(x: np.ndarray, dim: Any, keepdim: bool) -> Any:
    """The largest elements. Of rows by their places, which NumPy finds several times as fast as the values."""
    if not is_rows(x, dim):
        return LARGEST(x, dim, None, None, keepdim)
    places = x.reshape(-1, x.shape[-1]).argmax(1)
    places += np.arange(0, x.size, x.shape[-1])
    return x.reshape(-1).take(places).reshape((*x.shape[:-1], 1) if keepdim else x.shape[:-1])


def dot_rows(a: Any, b: Any, dim: Any) -> Any:
    """The sum of a * b along a dimension, which is kept; of rows without the product in between."""
    rows = type(a) is type(b) is np.ndarray and a.shape == b.shape and is_rows(a, dim) and is_rows(b, dim)
    if rows and a.shape[-1] <= 4 * ROW:
        return np.vecdot(a, b)[..., None]
    return ADD(a * b, axis=dim, keepdims=True)


# Rows up to four times this long, and arrays this large, are summed as a product with ones, which BLAS does several
# times faster than NumPy's sum; large arrays are cut into rows, so that rounding errors stay as small as NumPy's.
ROW, LARGE, LONG = 1024, 32768, 32


def add_up(x: np.ndarray, dim: Any, keepdim: bool) -> Any:
    """The sum of a floating array."""
    if is_rows(x, dim) and x.shape[-1] <= 4 * ROW:
        one = ones(x.shape[-1], x.dtype)
        # Long rows one by one: as fast.
        total = np.vecdot(x, one) if x.shape[-1] >= LONG else product(x.reshape(-1, x.shape[-1]), one)
        return total.reshape((*x.shape[:-1], 1) if keepdim else x.shape[:-1])
    if dim is None and x.size >= LARGE and x.dtype.char in "fd" and x.flags.c_contiguous:
        flat = x.reshape(-1)
        whole = len(flat) // ROW * ROW
        rows = product(flat[:whole].reshape(-1, ROW), ones(ROW, x.dtype))
        total = ADD(rows) + ADD(flat[whole:])
        return np.asarray(total).reshape((1,) * x.ndim) if keepdim else total
    return ADD(x, dim, None, None, keepdim)


@op(np.sum, (np.add, "reduce"), inputs={"input": real(), **OVER}, errors=NO_SUCH_DIM)
def sum(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    """The sum over one dimension, several (a tuple) or all; of integers and bools as int64.

    >>> import tinygrad_dl as td
    >>> x = td.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> td.sum(x), td.sum(x, dim=0, keepdim=True)
    (tensor(10.), tensor([[4., 6.]]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.sum.html
    """
    dim = over(dim, input.ndim)
    if dtype is not None:
        return ADD(input, dim, as_dtype(dtype), None, keepdim)
    if input.dtype.kind in "biu":
        return ADD(input, dim, int64, None, keepdim)
    return add_up(input, dim, keepdim)


sum.vjp(input=lambda g, dim, keepdim, input_shape: spread(g, input_shape, dim, keepdim))


def count(shape: tuple[int, ...], reduced: tuple[int, ...]) -> int:
    """How many elements went into each element of a reduced array."""
    return math.prod(shape) // max(1, math.prod(reduced))


@op(
    inputs={"input": real(min_side=1), **OVER},
    errors=[*NO_SUCH_DIM, error(TypeError, "expected a floating dtype", array(2, dtype="int64"))],
    reference=np.mean,
)
def mean(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    """The mean over one dimension, several or all; of no elements, nan.

    Raises:
        TypeError: integers, of which a mean is no integer; pass `dtype=`.

    >>> import tinygrad_dl as td
    >>> td.mean(td.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    tensor([1.5000, 3.5000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.mean.html
    """
    dim = over(dim, input.ndim)
    if dtype is not None:
        input = input.astype(as_dtype(dtype), copy=False)
    if input.dtype.kind in "biu":
        raise TypeError(f"expected a floating dtype, got {input.dtype}; pass dtype=td.float32, or call .float() first")
    total = add_up(input, dim, keepdim)
    n = count(input.shape, total.shape)
    return total / n if n else total + math.nan


mean.vjp(
    input=lambda g, dim, keepdim, input_shape: spread(
        g / max(1, count(input_shape, g.shape)), input_shape, dim, keepdim
    )
)


# -- spread ----------------------------------------------------------------------------------------


def options(dim: Any, unbiased: Any, correction: Any, ndim: int) -> tuple[Any, Any]:
    """The dimensions and the correction, from PyTorch's old and new ways to say them."""
    if isinstance(dim, bool):  # var(x, False): only whether it is unbiased
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    return over(dim, ndim), correction


def squares(x: Any) -> Any:
    """|x| ** 2; of complex numbers real."""
    return np.square(x) if x.dtype.kind != "c" else np.square(x.real) + np.square(x.imag)


def variance(x: np.ndarray, dim: Any, keepdim: bool, correction: Any) -> Any:
    """The mean squared distance from the mean, over count - correction."""
    total = add_up(x, dim, True)
    n = count(x.shape, total.shape)
    distance = x - total * (1 / n if n else math.nan)
    out = add_up(squares(distance), dim, keepdim)
    return out / (n - correction) if n > correction else np.where(out > 0, out.dtype.type(math.inf), out * math.nan)


def variance_slope(g: Any, x: Any, dim: Any, keepdim: bool, correction: Any) -> Any:
    """2 (x - mean) / (count - correction)."""
    center = mean.duck(x, dim, True)  # which takes dims 0 and -1 of a 0-d tensor
    n = count(x.shape, center.shape)
    return kept(g, x.shape, dim, keepdim) * (
        np.conjugate(x - center) * (2 / (n - correction) if n > correction else math.nan)
    )


SPREAD = {"input": real(min_dims=1, min_side=2), **OVER, "correction": one_of(0, 1)}
INTEGERS = [error(TypeError, "expected a floating dtype", array(2, dtype="int64"))]


def require_floating(dtype: Any) -> None:
    """Refuses integers, which have no mean among themselves."""
    if dtype.kind in "biu":
        raise TypeError(f"expected a floating dtype, got {dtype}; call .float() first")


@op(
    inputs=SPREAD,
    errors=INTEGERS,
    reference=lambda input, dim=None, keepdim=False, correction=1: np.var(
        input, dim, ddof=correction, keepdims=keepdim
    ),
)
def var(input: Array, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = 1) -> Array:
    """The variance: the squared distances from the mean, summed, over (count - correction).

    Args:
        correction: 1 (Bessel's) for an unbiased estimate from a sample, 0 for the plain mean.
        unbiased: the older way to say it: True for 1, False for 0.

    >>> import tinygrad_dl as td
    >>> x = td.tensor([1.0, 2.0, 3.0, 4.0])
    >>> td.var(x), td.var(x, correction=0)
    (tensor(1.6667), tensor(1.2500))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.var.html
    """
    require_floating(input.dtype)
    dim, correction = options(dim, unbiased, correction, input.ndim)
    return variance(input, dim, keepdim, correction)


def var_slope(g: Any, input: Any, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> Any:
    """g * 2 (input - mean) / (count - correction)."""
    dim, correction = options(dim, unbiased, correction, input.ndim)
    return variance_slope(g, input, dim, keepdim, correction)


var.vjp(input=var_slope)


@op(
    inputs=SPREAD,
    errors=INTEGERS,
    reference=lambda input, dim=None, keepdim=False, correction=1: np.std(
        input, dim, ddof=correction, keepdims=keepdim
    ),
)
def std(input: Array, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = 1) -> Array:
    """The standard deviation, the root of `var`; where it is 0, so is its gradient.

    >>> import tinygrad_dl as td
    >>> td.std(td.tensor([1.0, 2.0, 3.0, 4.0]))
    tensor(1.2910)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.std.html
    """
    require_floating(input.dtype)
    dim, correction = options(dim, unbiased, correction, input.ndim)
    return np.sqrt(variance(input, dim, keepdim, correction))


def std_slope(g: Any, out: Any, input: Any, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> Any:
    """The slope of `var` over twice the deviation, and 0 where that is 0."""
    dim, correction = options(dim, unbiased, correction, input.ndim)
    half = np.where(out == 0, 0.0, g / np.where(out == 0, 1.0, out + out))
    return variance_slope(half, input, dim, keepdim, correction)


std.vjp(input=std_slope)


@composition
def var_mean(
    input: Array, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = 1
) -> tuple[Any, Any]:
    """(var, mean) over the same dimensions.

    >>> import tinygrad_dl as td
    >>> td.var_mean(td.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.var_mean.html
    """
    dim, correction = options(dim, unbiased, correction, input.ndim)
    return var(input, dim, None, keepdim, correction=correction), mean(input, dim, keepdim)


@composition
def std_mean(
    input: Array, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = 1
) -> tuple[Any, Any]:
    """(std, mean) over the same dimensions.

    >>> import tinygrad_dl as td
    >>> td.std_mean(td.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.std_mean.html
    """
    dim, correction = options(dim, unbiased, correction, input.ndim)
    return std(input, dim, None, keepdim, correction=correction), mean(input, dim, keepdim)


# -- counting --------------------------------------------------------------------------------------

TRUTHS = [{"input": boolean(), **OVER}, {"input": real(), **OVER}]


@op(np.any, (np.logical_or, "reduce"), differentiable=False, exact=True, inputs=TRUTHS, errors=NO_SUCH_DIM)
def any(input: Array, dim: Any = None, keepdim: bool = False) -> Array:
    """Whether any element is nonzero, over one dimension, several or all.

    >>> import tinygrad_dl as td
    >>> td.any(td.tensor([[False, True], [False, False]]), dim=1)
    tensor([ True, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.any.html
    """
    return ANY(input, () if dim in ((), []) else over(dim, input.ndim), None, None, keepdim)


@op(np.all, (np.logical_and, "reduce"), differentiable=False, exact=True, inputs=TRUTHS, errors=NO_SUCH_DIM)
def all(input: Array, dim: Any = None, keepdim: bool = False) -> Array:
    """Whether all elements are nonzero, over one dimension, several or all.

    >>> import tinygrad_dl as td
    >>> td.all(td.tensor([[True, True], [False, True]]), dim=1)
    tensor([ True, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.all.html
    """
    return ALL(input, () if dim in ((), []) else over(dim, input.ndim), None, None, keepdim)


@op(
    np.count_nonzero,
    differentiable=False,
    exact=True,
    inputs={"input": real(), "dim": axes_of("input")},
    errors=NO_SUCH_DIM,
)
def count_nonzero(input: Array, dim: Any = None) -> Array:
    """How many elements are not zero.

    >>> import tinygrad_dl as td
    >>> td.count_nonzero(td.tensor([0.0, 1.0, 2.0]))
    tensor(2)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.count_nonzero.html
    """
    return np.count_nonzero(input, over(dim, input.ndim))


@composition
def nansum(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The sum of the elements that are numbers.

    >>> import tinygrad_dl as td
    >>> td.nansum(td.tensor([1.0, float("nan"), 2.0]))
    tensor(3.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nansum.html
    """
    return sum(np.where(np.isnan(input), np.zeros((), input.dtype), input), dim, keepdim, dtype=dtype)


@composition
def nanmean(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The mean of the elements that are numbers.

    >>> import tinygrad_dl as td
    >>> td.nanmean(td.tensor([1.0, float("nan"), 3.0]))
    tensor(2.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nanmean.html
    """
    return nansum(input, dim, keepdim, dtype=dtype) / sum(~np.isnan(input), dim, keepdim)


alias("nansum", nansum)
alias("nanmean", nanmean)
