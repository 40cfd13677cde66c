"""Max pooling undone: the maxima at their places, zeros everywhere else."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_dl.core.composition import by_dimensions
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.promotion import INT64
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.pooling._windows import check_dims, per_dim
from tinygrad_dl.ops.tensor.conversion import laid_as


@by_dimensions
def max_unpool(
    dims: int,
    input: Array,
    indices: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """What `max_pool{k}d` took the maxima {input} from, with zeros in the place of all other elements.

    Args:
        input, indices: what `max_pool{k}d` gave with `return_indices`.
        kernel_size, stride, padding: what it was given.
        output_size: the sizes ({sides}) of the result, with or without those of N and C, as several sizes have the
            same pooled one; by default the smallest that the last windows fit in.

    Raises:
        ValueError: other dimensions, shapes that differ, a size that these windows do not have, or an index out of
            range. TypeError: the indices are not int64.

    >>> x = td.arange(8.0).reshape(1, {eight})
    >>> maxima, places = td.nn.functional.max_pool{k}d(x, 2, return_indices=True)
    >>> td.nn.functional.max_unpool{k}d(maxima, places, 2).max()
    tensor(7.)
    """
    name = f"max_unpool{dims}d"
    check_dims(name, input.shape, dims)
    if indices.dtype != INT64:
        raise TypeError(f"{name}: expected indices of int64, got {indices.dtype}")
    if indices.shape != input.shape:
        raise ValueError(f"{name}: expected indices of the input's shape {input.shape}, got {indices.shape}")
    kernel = per_dim(name, "kernel_size", kernel_size, dims, 1)
    steps = kernel if stride is None or stride == () else per_dim(name, "stride", stride, dims, 1)
    around = per_dim(name, "padding", padding, dims, 0)
    lead, sizes = input.shape[:-dims], input.shape[-dims:]
    least = tuple([(n - 1) * s + k - 2 * p for n, s, k, p in zip(sizes, steps, kernel, around, strict=True)])
    size = least
    if output_size is not None:
        size = tuple(output_size)
        size = size[2:] if len(size) == dims + 2 else size
        if len(size) != dims or any(abs(n - m) >= s for n, m, s in zip(size, least, steps, strict=True)):
            raise ValueError(
                f"{name}: expected an output_size less than {steps} from {least}, got {tuple(output_size)}"
            )
    if min(size) < 0:
        raise ValueError(f"{name}: got padding={padding}, which leaves a size of {size}, expected less")
    out: Any = input.new_zeros((*lead, math.prod(size)))
    try:
        out = out.scatter(-1, indices.flatten(-dims), input.flatten(-dims))
    except IndexError as error:  # a RuntimeError too, as PyTorch's
        raise ValueError(f"{name}: {str(error).partition(': ')[2]}") from None
    return laid_as(out.reshape(*lead, *size), input)


max_unpool1d, max_unpool2d, max_unpool3d = max_unpool
