"""Copies of views: what `<name>_copy` gives has the elements of what `<name>` gives, in memory of its own."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.indexing.diagonal import diagonal
from tinygrad_dl.ops.indexing.slices import narrow, select
from tinygrad_dl.ops.indexing.views import sliced
from tinygrad_dl.ops.shape.expand import expand
from tinygrad_dl.ops.shape.permute import permute, t, transpose
from tinygrad_dl.ops.shape.reshape import reshape, squeeze, unsqueeze, view_as_shape_or_dtype
from tinygrad_dl.ops.shape.splitting import split, split_with_sizes, unbind
from tinygrad_dl.ops.shape.strided import as_strided
from tinygrad_dl.ops.shape.windows import unfold
from tinygrad_dl.ops.tensor.conversion import clone


def _each(views: Any) -> tuple[Tensor, ...]:
    """Copies of several views."""
    return tuple(clone(one) for one in views)


@composition
def alias_copy(input: Tensor) -> Tensor:
    """A copy of the tensor.

    >>> td.alias_copy(td.tensor([1, 2]))
    tensor([1, 2])
    """
    return clone(input)


@composition
def detach_copy(input: Tensor) -> Tensor:
    """A copy of the tensor that is in no graph.

    >>> td.detach_copy(td.tensor([1.0], requires_grad=True))
    tensor([1.])
    """
    return clone(input.detach())


@composition
def as_strided_copy(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """`as_strided(input, size, stride, storage_offset)`, copied.

    >>> td.as_strided_copy(td.arange(4), (3, 2), (1, 1))
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    return clone(as_strided(input, size, stride, storage_offset))


@composition
def diagonal_copy(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """`diagonal(input, offset, dim1, dim2)`, copied.

    >>> td.diagonal_copy(td.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    return clone(diagonal(input, offset, dim1, dim2))


@composition
def expand_copy(input: Tensor, size: Any, *, implicit: bool = False) -> Tensor:
    """`input.expand(size)`, copied: every element has memory of its own. `implicit` changes nothing.

    >>> td.expand_copy(td.tensor([[1], [2]]), (2, 3))
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    return clone(expand(input, size)).contiguous()


@method
def narrow_copy(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`narrow(input, dim, start, length)`, copied.

    >>> td.narrow_copy(td.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    return clone(narrow(input, dim, start, length))


@composition
def permute_copy(input: Tensor, dims: Any) -> Tensor:
    """`permute(input, dims)`, copied.

    >>> td.permute_copy(td.tensor([[1, 2], [3, 4]]), (1, 0))
    tensor([[1, 3],
            [2, 4]])
    """
    return clone(permute(input, dims))


@composition
def select_copy(input: Tensor, dim: int, index: int) -> Tensor:
    """`select(input, dim, index)`, copied.

    >>> td.select_copy(td.tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
    """
    return clone(select(input, dim, index))


@composition
def slice_copy(input: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Tensor:
    """The slice `start:end:step` along `dim`, copied.

    >>> td.slice_copy(td.arange(6), 0, 1, None, 2)
    tensor([1, 3, 5])
    """
    return clone(sliced(input, dim, start, end, step))


@composition
def split_copy(input: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`split(input, split_size, dim)`, copied.

    >>> td.split_copy(td.arange(3), 2)
    (tensor([0, 1]), tensor([2]))
    """
    return _each(split(input, split_size, dim))


@composition
def split_with_sizes_copy(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """`split_with_sizes(input, split_sizes, dim)`, copied.

    >>> td.split_with_sizes_copy(td.arange(3), [1, 2])
    (tensor([0]), tensor([1, 2]))
    """
    return _each(split_with_sizes(input, split_sizes, dim))


@composition
def squeeze_copy(input: Tensor, dim: Any = None) -> Tensor:
    """`squeeze(input, dim)`, copied.

    >>> td.squeeze_copy(td.tensor([[1, 2]]))
    tensor([1, 2])
    """
    return clone(squeeze(input, dim))


@composition
def t_copy(input: Tensor) -> Tensor:
    """`t(input)`, copied.

    >>> td.t_copy(td.tensor([[1, 2]]))
    tensor([[1],
            [2]])
    """
    return clone(t(input))


@composition
def transpose_copy(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """`transpose(input, dim0, dim1)`, copied.

    >>> td.transpose_copy(td.tensor([[1, 2]]), 0, 1)
    tensor([[1],
            [2]])
    """
    return clone(transpose(input, dim0, dim1))


@composition
def unbind_copy(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """`unbind(input, dim)`, copied.

    >>> td.unbind_copy(td.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    return _each(unbind(input, dim))


@composition
def unfold_copy(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """`input.unfold(dimension, size, step)`, copied.

    >>> td.unfold_copy(td.arange(4), 0, 2, 1)
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    return clone(unfold(input, dimension, size, step)).contiguous()


@composition
def unsqueeze_copy(input: Tensor, dim: int) -> Tensor:
    """`unsqueeze(input, dim)`, copied.

    >>> td.unsqueeze_copy(td.tensor([1, 2]), 0)
    tensor([[1, 2]])
    """
    return clone(unsqueeze(input, dim))


@composition
def view_copy(input: Tensor, size: Any) -> Tensor:
    """`input.reshape(size)`, copied; `size` may be a dtype, by which the bytes are read as by `view`.

    >>> td.view_copy(td.arange(4), (2, 2))
    tensor([[0, 1],
            [2, 3]])
    """
    shaped = isinstance(size, int | tuple | list)
    result: Tensor = clone(reshape(input, size) if shaped else view_as_shape_or_dtype(input, size))
    return result
