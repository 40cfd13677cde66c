"""Diagonals of matrices, and matrices made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.batching import Batch, inner
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.shape.reshape import reshape
from tinygrad_dl.ops.tensor.inplace import store


@op(
    linear=("input",),
    view=True,
    inputs=[
        dict(input=real(shape="n m"), offset=one_of(0, 1, -1, 4)),
        dict(input=real(shape="n m k"), offset=one_of(0, -1), dim1=one_of(0, -1), dim2=one_of(1)),
    ],
    errors=[error(RuntimeError, "two different dimensions", array(2, 3), 0, 1, 1)],
    reference=lambda input, offset=0, dim1=0, dim2=1: np.diagonal(input, offset, dim1, dim2),
)
def diagonal(input: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    """Diagonal number `offset` of the matrices in `dim1` and `dim2`, as a new last dimension. A view.

    >>> td.tensor([[1, 2], [3, 4]]).diagonal()
    tensor([1, 4])
    """
    if normal_dim(dim1, input.ndim) == normal_dim(dim2, input.ndim):
        raise RuntimeError(f"diagonal: expected two different dimensions, got {dim1} and {dim2} of {input.ndim}")
    out = input.diagonal(offset, dim1, dim2)
    if type(out) is np.ndarray and input.flags.writeable:
        out.setflags(write=True)
    return out


@op(
    linear=("input",),
    namespace="rules",
    exact=True,
    inputs=dict(
        input=real(shape="3"), shape=one_of((3, 4), (3, 3), (5, 3)), offset=one_of(0), dim1=one_of(0), dim2=one_of(1)
    ),
    reference=lambda input, shape, offset, dim1, dim2: np.eye(*shape) * np.pad(input, (0, shape[1] - 3)),
)
def embed_diagonal(input: Array, shape: Any, offset: int, dim1: int, dim2: int) -> Array:
    """Zeros of the given shape with `input` as their diagonal: what the gradient of `diagonal` is.

    >>> import numpy as np
    >>> embed_diagonal(np.ones(2), (2, 3), 1, 0, 1)
    tensor([[0., 1., 0.],
            [0., 0., 1.]], dtype=float64)
    """
    out = module_of(input).zeros(shape, input.dtype)
    place = out.diagonal(offset, dim1, dim2)
    if type(place) is np.ndarray:
        place.setflags(write=True)
    place[...] = input
    return out


diagonal.vjp(
    input=lambda g, input_shape, offset, dim1, dim2: embed_diagonal.generic(g, input_shape, offset, dim1, dim2)
)


@diagonal.vmap
def _diagonal_batch(input: Any, offset: int, dim1: int, dim2: int) -> Any:
    ndim = input.ndim - 1
    return diagonal(input, offset, inner(dim1, ndim), inner(dim2, ndim))


embed_diagonal.vjp(input=lambda g, offset, dim1, dim2: np.diagonal(g, offset, dim1, dim2))


@embed_diagonal.vmap
def _embed_diagonal_batch(input: Any, shape: Any, offset: int, dim1: int, dim2: int, batch: Batch) -> Any:
    ndim = len(shape)
    return embed_diagonal(input, (batch.size, *shape), offset, inner(dim1, ndim), inner(dim2, ndim))


NUMPY[np.diagonal] = lambda a, offset=0, axis1=0, axis2=1: diagonal(a, offset, axis1, axis2)


@method
def diag_embed(input: Array, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Square matrices, in dimensions `dim1` and `dim2`, with the last dimension of `input` on a diagonal.

    >>> td.diag_embed(td.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    ndim = input.ndim + 1
    first, second = normal_dim(dim1, ndim), normal_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diag_embed: expected two different dimensions, got {dim1} and {dim2} of {ndim}")
    side = input.shape[-1] + abs(offset)
    rest = iter(input.shape[:-1])
    shape = tuple([side if i in (first, second) else next(rest) for i in range(ndim)])
    return embed_diagonal(input, shape, offset, first, second)


@method
def diagflat(input: Array, offset: int = 0) -> Tensor:
    """The square matrix with the elements of `input`, row by row, on a diagonal.

    >>> td.diagflat(td.tensor([[1, 2]]))
    tensor([[1, 0],
            [0, 2]])
    """
    return diag_embed(reshape(input, (-1,)), offset)


@method
def diag(input: Array, diagonal: int = 0) -> Tensor:
    """The square matrix with a vector on its diagonal; of a matrix, the diagonal, copied.

    >>> td.diag(td.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    if input.ndim not in (1, 2):
        raise RuntimeError(f"diag: expected a vector or a matrix, got shape {input.shape}; use diagonal or diag_embed")
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    return _diagonal(input, diagonal).clone()


_diagonal = diagonal


@method
def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """The elements whose indices are all the same become `fill_value`, a number, in place.

    Args:
        self: a matrix, or a tensor of more dimensions of one size.
        wrap: whether the diagonal of a matrix of more rows than columns begins anew below each square.

    Raises:
        ValueError: fewer than two dimensions, or more of several sizes. TypeError: `fill_value` is no number.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 3).fill_diagonal_(5.0)
    tensor([[5., 0., 0.],
            [0., 5., 0.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.fill_diagonal_.html
    """
    if self.ndim < 2 or (self.ndim > 2 and len(set(self.shape)) > 1):
        raise ValueError(
            f"fill_diagonal_: got shape {self.shape}, expected a matrix, or more dimensions that are all of one size"
        )
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    if not isinstance(value, bool | int | float | complex | np.number | np.bool):
        raise TypeError(f"fill_diagonal_: got fill_value={fill_value!r}, expected a number")
    on = np.zeros(self.shape, bool)
    np.fill_diagonal(on, True, wrap)
    return store(
        self, on, int(value) if self.dtype.kind in "iu" and isinstance(value, float) else value, "fill_diagonal_"
    )


NUMPY[np.diag] = lambda v, k=0: diag(v, k)
