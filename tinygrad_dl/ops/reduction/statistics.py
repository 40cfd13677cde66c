"""Means, variances and standard deviations over one dimension, several or all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dtypes import as_dtype
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.reduction._sums import INTEGERS, OVER, add_up, broadcast_back, count, kept, over, require_floating
from tinygrad_dl.ops.reduction.sum import nansum, sum


@op(
    kind="reduction",
    linear=("input",),
    inputs={"input": real(min_side=1), **OVER},
    errors=[error(TypeError, "expected a floating dtype", array(2, dtype="int64"))],
    reference=np.mean,
)
def mean(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    """The mean over one dimension, several or all; of no elements, nan.

    Raises:
        TypeError: integers, of which a mean is no integer; pass `dtype=`.

    >>> td.mean(td.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    tensor([1.5000, 3.5000])
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
    input=lambda g, dim, keepdim, input_shape: broadcast_back(
        g / max(1, count(input_shape, g.shape)), input_shape, dim, keepdim
    )
)


def options(dim: Any, unbiased: Any, correction: Any, ndim: int) -> tuple[Any, Any]:
    """The dimensions and the correction, from PyTorch's old and new ways to say them."""
    if isinstance(dim, bool):  # var(x, False): only whether it is unbiased
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    elif correction is None:
        correction = 1
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
    center = mean.generic(x, dim, True)  # which takes dims 0 and -1 of a 0-d tensor
    n = count(x.shape, center.shape)
    return kept(g, x.shape, dim, keepdim) * (
        np.conjugate(x - center) * (2 / (n - correction) if n > correction else math.nan)
    )


SPREAD = {"input": real(min_dims=1, min_side=2), **OVER, "correction": one_of(0, 1)}


@op(
    kind="reduction",
    inputs=SPREAD,
    errors=INTEGERS,
    reference=lambda input, dim=None, keepdim=False, correction=1: np.var(
        input, dim, ddof=correction, keepdims=keepdim
    ),
)
def var(
    input: Array, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: float | None = 1
) -> Array:
    """The variance: the squared distances from the mean, summed, over (count - correction).

    Args:
        correction: 1 (Bessel's) for an unbiased estimate from a sample, 0 for the plain mean.
        unbiased: the older way to say it: True for 1, False for 0.

    >>> x = td.tensor([1.0, 2.0, 3.0, 4.0])
    >>> td.var(x), td.var(x, correction=0)
    (tensor(1.6667), tensor(1.2500))
    """
    require_floating(input.dtype)
    dim, correction = options(dim, unbiased, correction, input.ndim)
    return variance(input, dim, keepdim, correction)


def var_slope(g: Any, input: Any, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> Any:
    """g * 2 * (input - mean(input)) / (input.size - correction) if dim is None and unbiased is None else None; with a
    dimension, with the mean and the number of elements along it.
    """
    dim, correction = options(dim, unbiased, correction, input.ndim)
    return variance_slope(g, input, dim, keepdim, correction)


var.vjp(input=var_slope)


@op(
    kind="reduction",
    inputs=SPREAD,
    errors=INTEGERS,
    reference=lambda input, dim=None, keepdim=False, correction=1: np.std(
        input, dim, ddof=correction, keepdims=keepdim
    ),
)
def std(
    input: Array, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: float | None = 1
) -> Array:
    """The standard deviation, the root of `var`; where it is 0, so is its gradient.

    >>> td.std(td.tensor([1.0, 2.0, 3.0, 4.0]))
    tensor(1.2910)
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
    input: Array, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: float | None = 1
) -> tuple[Any, Any]:
    """(var, mean) over the same dimensions.

    >>> td.var_mean(td.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    dim, correction = options(dim, unbiased, correction, input.ndim)
    return var(input, dim, None, keepdim, correction=correction), mean(input, dim, keepdim)


@composition
def std_mean(
    input: Array, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: float | None = 1
) -> tuple[Any, Any]:
    """(std, mean) over the same dimensions.

    >>> td.std_mean(td.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    dim, correction = options(dim, unbiased, correction, input.ndim)
    return std(input, dim, None, keepdim, correction=correction), mean(input, dim, keepdim)


@method
def nanmean(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of the elements that are numbers.

    Raises:
        TypeError: they are no floating numbers.

    >>> td.nanmean(td.tensor([1.0, float("nan"), 3.0]))
    tensor(2.)
    """
    if input.dtype.kind in "biu":
        raise TypeError(f"nanmean: expected floating numbers, got dtype {input.dtype}; convert them with .float()")
    return nansum(input, dim, keepdim, dtype=dtype) / sum(~np.isnan(input), dim, keepdim)
