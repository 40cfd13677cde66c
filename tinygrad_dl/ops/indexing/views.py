"""Copies of a tensor with a part replaced: `*_scatter`, the functional forms of writing into a view.

`diagonal_scatter(x, src)` is what `x` is after `x.diagonal().copy_(src)`, and leaves `x` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.indexing.diagonal import diagonal
from tinygrad_dl.ops.indexing.getitem import getitem
from tinygrad_dl.ops.indexing.slices import select
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.shape.strided import as_strided
from tinygrad_dl.ops.tensor.conversion import clone


def sliced(input: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Tensor:
    """The slice `start:end:step` along `dim`. A view."""
    return getitem(input, (*(slice(None),) * normal_dim(dim, input.ndim), slice(start, end, step)))


def _replaced(name: str, input: Tensor, src: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
    """A copy of `input` in row-major order whose part is `src`."""
    out = clone(input).contiguous()
    view = part(out)
    if view.shape != src.shape:
        raise RuntimeError(
            f"{name}: expected a src of the shape of the part that it replaces, {tuple(view.shape)}, "
            f"got {tuple(src.shape)}; src.expand_as(...) repeats it"
        )
    view.copy_(src)
    return out


@method
def as_strided_scatter(input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A copy of `input` whose elements seen by `as_strided(input, size, stride, storage_offset)` are those of `src`.

    Args:
        input: a tensor.
        src: a tensor of shape `size`.
        size: the shape of the part.
        stride: the step of each dimension of the part, in elements.
        storage_offset: the first element of the part.

    Returns:
        A tensor of the shape of `input`.

    Raises:
        RuntimeError: `src` has another shape than the part, or the part reaches beyond `input`.

    >>> td.as_strided_scatter(td.zeros(2, 2), td.ones(2), (2,), (3,))
    tensor([[1., 0.],
            [0., 1.]])
    """
    return _replaced("as_strided_scatter", input, src, lambda x: as_strided(x, size, stride, storage_offset))


@method
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of `input` whose diagonal is `src`; see `diagonal` for the arguments.

    Raises:
        RuntimeError: `src` has not the shape of the diagonal.

    >>> td.diagonal_scatter(td.zeros(2, 2), td.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    return _replaced("diagonal_scatter", input, src, lambda x: diagonal(x, offset, dim1, dim2))


@method
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of `input` whose slice number `index` along `dim` is `src`.

    Raises:
        RuntimeError: `src` has not the shape of the slice. IndexError: there is no such slice.

    >>> td.select_scatter(td.zeros(2, 2), td.tensor([1.0, 2.0]), 0, 1)
    tensor([[0., 0.],
            [1., 2.]])
    """
    return _replaced("select_scatter", input, src, lambda x: select(x, dim, index))


@method
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Tensor:
    """A copy of `input` whose slices `start:end:step` along `dim` are `src`.

    Raises:
        RuntimeError: `src` has not the shape of the slices.

    >>> td.slice_scatter(td.zeros(4), td.tensor([1.0, 2.0]), 0, 1, 3)
    tensor([0., 1., 2., 0.])
    """
    return _replaced("slice_scatter", input, src, lambda x: sliced(x, dim, start, end, step))
