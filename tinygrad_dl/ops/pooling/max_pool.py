"""The functions of max pooling, with PyTorch's names and arguments. The op is in `_max_pool.py`."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.ops.pooling._max_pool import max_pool_indices, pool_max
from tinygrad_dl.ops.pooling._windows import check_dims, per_dim, sizes_of


def _max_pool(
    input: Any,
    dims: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    name = f"max_pool{dims}d"
    check_dims(name, input.shape, dims)
    kernel = per_dim(name, "kernel_size", kernel_size, dims, 1)
    options = (
        kernel,
        kernel if stride is None or stride == () else per_dim(name, "stride", stride, dims, 1),
        per_dim(name, "padding", padding, dims, 0),
        per_dim(name, "dilation", dilation, dims, 1),
        bool(ceil_mode),
    )
    return _with_indices(input, options, return_indices)


def _with_indices(input: Any, options: Any, return_indices: bool) -> Any:
    out = pool_max(input, options)
    return (out, max_pool_indices(input, options)) if return_indices else out


@composition
def max_pool1d(
    input: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of (N, C, L) or (C, L). See `max_pool2d`.

    >>> td.nn.functional.max_pool1d(td.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[3., 2.]])
    """
    return _max_pool(input, 1, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@composition
def max_pool2d(
    input: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of (N, C, H, W) or (C, H, W); the gradient goes to the first of equal elements.

    Args:
        kernel_size: the window's size; like stride, padding and dilation one number, or one for each dimension.
        stride: the distance between windows; by default kernel_size.
        padding: what is added at both ends, at most half the window; never the maximum.
        dilation: the distance between neighbours in a window.
        ceil_mode: whether a last window may reach beyond the end.
        return_indices: whether to return where the maxima stand too, as indices into the flattened H x W.

    Raises:
        ValueError: too much padding, a window larger than the padded input, or other dimensions.

    >>> x = td.arange(8.0).reshape(1, 2, 4)
    >>> td.nn.functional.max_pool2d(x, 2)
    tensor([[[5., 7.]]])
    >>> td.nn.functional.max_pool2d(x, (2, 1), return_indices=True)[1]
    tensor([[[4, 5, 6, 7]]])
    """
    return _max_pool(input, 2, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@composition
def max_pool3d(
    input: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of (N, C, D, H, W) or (C, D, H, W). See `max_pool2d`.

    >>> td.nn.functional.max_pool3d(td.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[7.]]]])
    """
    return _max_pool(input, 3, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _adaptive_max_pool(input: Any, dims: int, output_size: Any, return_indices: bool) -> Any:
    name = f"adaptive_max_pool{dims}d"
    check_dims(name, input.shape, dims)
    return _with_indices(input, (sizes_of(name, input.shape, output_size, dims),), return_indices)


@composition
def adaptive_max_pool1d(input: Array, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of each of `output_size` parts of (N, C, L) or (C, L). See `adaptive_max_pool2d`.

    >>> td.nn.functional.adaptive_max_pool1d(td.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[3., 2.]])
    """
    return _adaptive_max_pool(input, 1, output_size, return_indices)


@composition
def adaptive_max_pool2d(input: Array, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of each part of (N, C, H, W) or (C, H, W) cut into `output_size` parts of about equal size.

    Args:
        output_size: H and W of the result, or one number for both; None for the input's own.
        return_indices: whether to return where the maxima stand too, as indices into the flattened H x W.

    Raises:
        ValueError: other dimensions, or an input without elements there.

    >>> td.nn.functional.adaptive_max_pool2d(td.arange(12.0).reshape(1, 3, 4), (1, 2))
    tensor([[[ 9., 11.]]])
    """
    return _adaptive_max_pool(input, 2, output_size, return_indices)


@composition
def adaptive_max_pool3d(input: Array, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of each part of (N, C, D, H, W) or (C, D, H, W). See `adaptive_max_pool2d`.

    >>> td.nn.functional.adaptive_max_pool3d(td.arange(8.0).reshape(1, 2, 2, 2), 1)
    tensor([[[[7.]]]])
    """
    return _adaptive_max_pool(input, 3, output_size, return_indices)
