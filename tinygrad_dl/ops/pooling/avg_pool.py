"""Average pooling over one, two or three dimensions, by one implementation."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import by_dimensions, composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.promotion import FLOAT64, INT64
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops.pooling._cases import naive_windows
from tinygrad_dl.ops.pooling._windows import (
    adaptive,
    adaptive_edges,
    check_dims,
    per_dim,
    require_floating,
    sizes_of,
    sliding_windows,
)
from tinygrad_dl.ops.vision._resample import Product, Resampling, Sums, go_down, resample


def _lengths(size: int, count: int, kernel: int, stride: int, padding: int, include_pad: bool) -> Any:
    """By how many elements each window of a dimension is divided."""
    starts = np.arange(count) * stride - padding
    ends = np.minimum(starts + kernel, size + padding)
    return ends - starts if include_pad else np.minimum(ends, size) - np.maximum(starts, 0)


@functools.lru_cache(maxsize=256)
def pooling_plan(shape: Any, options: Any) -> Resampling:
    """The sums and divisors of average pooling of an input of that shape."""
    kernel, stride, padding, ceil_mode, include_pad, divisor = options
    windows = sliding_windows("avg_pool", shape, kernel, stride, padding, (1,) * len(kernel), ceil_mode)
    maps = tuple([Sums(axis) for axis in windows.axes])
    if divisor is not None:
        return Resampling(maps, 1.0 / divisor)
    lengths = [
        _lengths(axis.size, axis.windows, k, s, p, include_pad)
        for axis, k, s, p in zip(windows.axes, kernel, stride, padding, strict=True)
    ]
    if all((each == k).all() for each, k in zip(lengths, kernel, strict=True)):
        return Resampling(maps, 1.0 / math.prod(kernel))
    return Resampling(maps, 1.0 / functools.reduce(np.multiply.outer, lengths))


@functools.lru_cache(maxsize=256)
def adaptive_plan(shape: Any, counts: Any) -> Resampling:
    """The sums and divisors of adaptive average pooling of an input of that shape."""
    maps: list[Any] = []
    factor = 1.0
    for size, count in zip(shape[len(shape) - len(counts) :], counts, strict=True):
        if count and size % count == 0:
            maps.append(Sums(adaptive(size, count)))
            factor *= count / size
        else:  # windows of different lengths, which overlap
            starts, ends = adaptive_edges(size, count)
            places = np.arange(size)
            inside = (places >= starts[:, None]) & (places < ends[:, None])
            maps.append(Product(inside / (ends - starts)[:, None]))
    return Resampling(tuple(maps), factor)


def _naive_avg_pool(input: Any, options: Any) -> Any:
    kernel, stride, padding, ceil_mode, include_pad, divisor = options
    dims = len(kernel)
    lead, shape = input.shape[: input.ndim - dims], input.shape[input.ndim - dims :]
    edges = naive_windows(shape, (kernel, stride, padding, (1,) * dims, ceil_mode))
    total = np.zeros((*lead, *map(len, edges)), input.dtype)
    for to in np.ndindex(*map(len, edges)):
        index = [edge[i] for edge, i in zip(edges, to, strict=True)]
        values = input[(..., *np.ix_(*index))]
        count = math.prod(map(len, index))
        if include_pad:
            spans = zip(to, shape, kernel, stride, padding, strict=True)
            count = math.prod(min(i * s - p + k, n + p) - (i * s - p) for i, n, k, s, p in spans)
        total[(..., *to)] = values.sum(tuple(range(-dims, 0))) / (divisor or count)
    return total


@op(
    kind="batched",
    keeps_format=True,
    linear=("input",),
    name="avg_pool",
    namespace="rules",
    inputs=[
        {
            "input": real(shape="... 6"),
            "options": one_of(
                ((2,), (2,), (0,), False, True, None),
                ((3,), (2,), (1,), True, False, None),
                ((3,), (2,), (1,), True, True, None),
            ),
        },
        {
            "input": real(shape="n 5 4"),
            "options": one_of(
                ((2, 2), (2, 2), (0, 0), True, True, None),
                ((3, 2), (1, 2), (1, 0), False, False, None),
                ((3, 2), (2, 2), (1, 1), True, True, 5),
                ((5, 4), (1, 1), (0, 0), False, True, None),
            ),
        },
        {"input": real(shape="n 2 4 3"), "options": one_of(((2, 2, 2), (2, 2, 1), (0, 1, 0), False, False, None))},
    ],
    errors=[
        error(ValueError, "larger than the padded input", array(1, 4), ((5,), (5,), (0,), False, True, None)),
        error(TypeError, "floating", array(1, 4, dtype="int64"), ((2,), (2,), (0,), False, True, None)),
    ],
    reference=_naive_avg_pool,
)
def pool_average(input: Array, options: Any) -> Array:
    """The mean of each window; `options`: kernel_size, stride, padding, ceil_mode, count_include_pad, divisor."""
    require_floating("avg_pool", input.dtype)
    return go_down(input, pooling_plan(input.shape, options))


pool_average.vjp(input=lambda g, input_shape, options: resample.generic(g, pooling_plan(input_shape, options), True))


def _naive_adaptive(input: Any, sizes: Any) -> Any:
    dims = len(sizes)
    edges = naive_windows(input.shape[input.ndim - dims :], (sizes,))
    total = np.zeros((*input.shape[: input.ndim - dims], *sizes), input.dtype)
    for to in np.ndindex(*sizes):
        index = np.ix_(*(edge[i] for edge, i in zip(edges, to, strict=True)))
        total[(..., *to)] = input[(..., *index)].mean(tuple(range(-dims, 0)))
    return total


@op(
    kind="batched",
    keeps_format=True,
    linear=("input",),
    name="adaptive_avg_pool",
    namespace="rules",
    inputs=[
        {"input": real(shape="... 6"), "sizes": one_of((1,), (3,), (4,), (7,))},
        {"input": real(shape="n 5 4"), "sizes": one_of((1, 1), (3, 2), (5, 4), (2, 6))},
        {"input": real(shape="n 3 2 4"), "sizes": one_of((1, 1, 1), (2, 2, 3))},
    ],
    errors=[error(TypeError, "floating", array(1, 4, dtype="int64"), (2,))],
    reference=_naive_adaptive,
)
def pool_average_to(input: Array, sizes: Any) -> Array:
    """The mean of each of `sizes` parts of the last dimensions."""
    require_floating("adaptive_avg_pool", input.dtype)
    return go_down(input, adaptive_plan(input.shape, sizes))


pool_average_to.vjp(input=lambda g, input_shape, sizes: resample.generic(g, adaptive_plan(input_shape, sizes), True))


# -- functions -------------------------------------------------------------------------------------


def whole_means(x: np.ndarray, options: Any) -> np.ndarray:
    """The means of windows of integers, rounded towards zero, as PyTorch divides them."""
    plain = (*options[:5], None)
    each = go_down(np.ones(x.shape), pooling_plan(x.shape, (*options[:5], 1)))
    count = options[5] or np.rint(each / go_down(np.ones(x.shape), pooling_plan(x.shape, plain)))
    total = go_down(x.astype(FLOAT64), pooling_plan(x.shape, (*options[:5], 1)))
    means: np.ndarray = np.trunc(total / count).astype(INT64)
    return means


@by_dimensions
def avg_pool(
    dims: int,
    input: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of {input}.

    Args:
        kernel_size: the window's size; like stride and padding one number, or one for each dimension.
        stride: the distance between windows; by default kernel_size.
        padding: zeros at both ends, at most half the window.
        ceil_mode: whether a last window may reach beyond the end.
        count_include_pad: whether the padding counts in the mean.
        divisor_override: what to divide by instead of the number of elements.

    Raises:
        ValueError: too much padding, a window larger than the padded input, or other dimensions.

    >>> td.nn.functional.avg_pool{k}d(td.arange(8.0).reshape(1, {eight}), 2).mean()
    tensor(3.5000)
    """
    name = f"avg_pool{dims}d"
    check_dims(name, input.shape, dims)
    kernel = per_dim(name, "kernel_size", kernel_size, dims, 1)
    if divisor_override is not None and operator.index(divisor_override) == 0:
        raise ValueError(f"{name}: got divisor_override=0, expected another number")
    options = (
        kernel,
        kernel if stride is None or stride == () else per_dim(name, "stride", stride, dims, 1),
        per_dim(name, "padding", padding, dims, 0),
        bool(ceil_mode),
        bool(count_include_pad),
        divisor_override,
    )
    if input.dtype == INT64:
        return wrap(whole_means(input._data, options))
    return pool_average(input, options)


@by_dimensions
def adaptive_avg_pool(dims: int, input: Array, output_size: Any) -> Tensor:
    """The mean of each part of {input} cut into `output_size` parts of about equal size.

    Part i of n goes from floor(i * size / n) to ceil((i + 1) * size / n): parts overlap where n does not divide.

    Args:
        output_size: the sizes ({sides}) of the result, or one number for all; None for the input's own.

    Raises:
        ValueError: other dimensions, or an input without elements there.

    >>> td.nn.functional.adaptive_avg_pool{k}d(td.arange(8.0).reshape(1, {eight}), 1).flatten()
    tensor([3.5000])
    """
    name = f"adaptive_avg_pool{dims}d"
    check_dims(name, input.shape, dims, input.ndim)  # of no channels there are no means
    return pool_average_to(input, sizes_of(name, input.shape, output_size, dims))


with_divisor, avg_pool2d, avg_pool3d = avg_pool
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = adaptive_avg_pool


@composition
def avg_pool1d(
    input: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of (N, C, L) or (C, L): `avg_pool2d` of one dimension.

    >>> td.nn.functional.avg_pool1d(td.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[2., 1.]])
    """
    return with_divisor(input, kernel_size, stride, padding, ceil_mode, count_include_pad)
