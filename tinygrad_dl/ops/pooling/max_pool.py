"""The functions of max pooling, with PyTorch's names and arguments. The op is in `_max_pool.py`."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import by_dimensions
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.ops.pooling._max_pool import elements_at, max_pool_indices, pool_max
from tinygrad_dl.ops.pooling._windows import check_dims, per_dim, require_floating, sizes_of


@by_dimensions
def max_pool(
    dims: int,
    input: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of {input}; the gradient goes to the first of equal elements.

    Args:
        kernel_size: the window's size; like stride, padding and dilation one number, or one for each dimension.
        stride: the distance between windows; by default kernel_size.
        padding: what is added at both ends, at most half the window; never the maximum.
        dilation: the distance between neighbours in a window.
        ceil_mode: whether a last window may reach beyond the end.
        return_indices: whether to return where the maxima stand too, as indices into the flattened ({sides}).

    Raises:
        ValueError: too much padding, a window larger than the padded input, or other dimensions.

    >>> x = td.arange(8.0).reshape(1, {eight})
    >>> td.nn.functional.max_pool{k}d(x, 2).max()
    tensor(7.)
    >>> td.nn.functional.max_pool{k}d(x, 2, return_indices=True)[1].max()
    tensor(7)
    """
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


@by_dimensions
def adaptive_max_pool(dims: int, input: Array, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of each part of {input} cut into `output_size` parts of about equal size.

    Args:
        output_size: the sizes ({sides}) of the result, or one number for all; None for the input's own.
        return_indices: whether to return where the maxima stand too, as indices into the flattened ({sides}).

    Raises:
        ValueError: other dimensions, or an input without elements there.

    >>> td.nn.functional.adaptive_max_pool{k}d(td.arange(8.0).reshape(1, {eight}), 1).flatten()
    tensor([7.])
    """
    name = f"adaptive_max_pool{dims}d"
    check_dims(name, input.shape, dims, 1)
    require_floating(name, input.dtype)
    return _with_indices(input, (sizes_of(name, input.shape, output_size, dims),), return_indices)


def _with_indices(input: Any, options: Any, return_indices: bool) -> Any:
    if not return_indices:
        return pool_max(input, options)
    indices = max_pool_indices(input, options)
    return elements_at(input, indices, len(options[0])), indices  # the gradient goes where the indices say


@by_dimensions
def max_pool_nd_with_indices(
    dims: int,
    input: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """`max_pool{k}d` with `return_indices`, which is not read here.

    >>> maxima, places = td.nn.functional.max_pool{k}d_with_indices(td.arange(8.0).reshape(1, {eight}), 2)
    >>> places.max()
    tensor(7)
    """
    return max_pool[dims - 1](input, kernel_size, stride, padding, dilation, ceil_mode, True)


@by_dimensions
def adaptive_max_pool_nd_with_indices(dims: int, input: Array, output_size: Any, return_indices: bool = False) -> Any:
    """`adaptive_max_pool{k}d` with `return_indices`, which is not read here.

    >>> maxima, places = td.nn.functional.adaptive_max_pool{k}d_with_indices(td.arange(8.0).reshape(1, {eight}), 1)
    >>> places.flatten()
    tensor([7])
    """
    return adaptive_max_pool[dims - 1](input, output_size, True)


max_pool1d, max_pool2d, max_pool3d = max_pool
max_pool1d_with_indices, max_pool2d_with_indices, max_pool3d_with_indices = max_pool_nd_with_indices
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = adaptive_max_pool
(
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d_with_indices,
) = adaptive_max_pool_nd_with_indices
