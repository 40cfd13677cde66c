"""Dimensions in another order: transpose, permute, movedim, t, and the properties T, mT, H, mH."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.batching import inner, inner_dims
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, axis_of, drawn, error, real
from tinygrad_dl.ops._overload import alias, method, variadic
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.shape.reshape import np_reshape, reshape


@method
def t(input: Array) -> Tensor:
    """The transpose of a matrix; a tensor of fewer dimensions is returned as it is. A view.

    >>> td.zeros(2, 3).t().shape
    (3, 2)
    """
    if input.ndim > 2:
        raise RuntimeError(f"t: expected at most 2 dimensions, got shape {input.shape}; use transpose or mT")
    return transpose(input, 0, 1) if input.ndim == 2 else reshape(input, input.shape)


@method
def adjoint(input: Array) -> Tensor:
    """The last two dimensions exchanged, complex elements conjugated; of a 0-d tensor only that.

    >>> td.adjoint(td.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[1., 3.],
            [2., 4.]])
    """
    turned = _matrix_transpose(input) if input.ndim else reshape(input, ())
    return turned.conj() if turned.is_complex() else turned


@method
def movedim(input: Array, source: Any, destination: Any) -> Tensor:
    """Dimensions `source` (an int or several) moved to the places `destination`. A view.

    >>> td.zeros(2, 3, 4).movedim(0, -1).shape
    (3, 4, 2)
    """
    ndim = input.ndim or 1
    source = [normal_dim(d, ndim) for d in ((source,) if isinstance(source, int) else source)]
    places = [normal_dim(d, ndim) for d in ((destination,) if isinstance(destination, int) else destination)]
    if len(source) != len(places) or len(set(source)) != len(source) or len(set(places)) != len(places):
        raise RuntimeError(f"movedim: expected as many destinations as sources, each once, got {source} and {places}")
    if not ndim:
        source, places = [], []  # a 0-d tensor is taken as one of one dimension
    order = [d for d in range(ndim) if d not in source]
    for place, dim in sorted(zip(places, source, strict=True)):
        order.insert(place, dim)
    return permute(input, order if input.ndim else ())


@composition
def _reversed(self: Tensor) -> Tensor:
    """The dimensions in reverse order: of a matrix, its transpose. A view."""
    return permute(self, range(self.ndim - 1, -1, -1))


@composition
def _matrix_transpose(self: Tensor) -> Tensor:
    """The last two dimensions exchanged. A view."""
    if self.ndim < 2:
        raise RuntimeError(f"mT: expected at least 2 dimensions, got shape {self.shape}; use unsqueeze() first")
    return transpose(self, -2, -1)


@composition
def _hermitian(self: Tensor) -> Tensor:
    """The transpose of a matrix, complex elements conjugated."""
    if self.ndim != 2:
        raise RuntimeError(f"H: expected a matrix, got shape {self.shape}; use mH for batches of matrices")
    return adjoint(self)


moveaxis = movedim

alias("moveaxis", movedim)
alias("T", property(_reversed))
alias("mT", property(_matrix_transpose))
alias("H", property(_hermitian))
alias("mH", property(adjoint, doc="The last two dimensions exchanged, complex elements conjugated: `adjoint`."))

NUMPY[np.moveaxis] = movedim
NUMPY[np.ravel] = lambda a, order="C": np_reshape(a, -1, order)
NUMPY[np.matrix_transpose] = _matrix_transpose


@op(
    np.swapaxes,
    linear=("input",),
    view=True,
    inputs=dict(input=real(min_dims=1), dim0=axis_of("input"), dim1=axis_of("input")),
    errors=[error(IndexError, "got dim 2", array(2, 3), 0, 2)],
    reference=lambda input, dim0, dim1: np.swapaxes(input, dim0, dim1),
)
def transpose(input: Array, dim0: int, dim1: int) -> Array:
    """Two dimensions exchanged. A view.

    Raises:
        IndexError: there is no such dimension.

    >>> td.zeros(2, 3, 4).transpose(0, 2).shape
    (4, 3, 2)
    """
    try:
        return input.swapaxes(dim0, dim1)
    except np.exceptions.AxisError:
        normal_dim(dim0, input.ndim), normal_dim(dim1, input.ndim)
        return input[...]  # PyTorch lets a 0-d tensor have the dimension 0


transpose.vjp(input=lambda g, dim0, dim1: g.swapaxes(dim0, dim1) if g.ndim else g)


@transpose.vmap
def _transpose_batch(input: Any, dim0: int, dim1: int) -> Any:
    ndim = input.ndim - 1
    return transpose(input, inner(dim0, ndim), inner(dim1, ndim)) if ndim else input


swapaxes = swapdims = transpose


def _inverse(dims: Any) -> list[int]:
    """The order of dimensions that undoes `dims`."""
    ndim = len(dims)
    inverse = [0] * ndim
    for position, dim in enumerate(dims):
        inverse[dim] = position
    return inverse


@variadic
@op(
    linear=("input",),
    view=True,
    inputs=dict(input=real(), dims=drawn(lambda rng, input: tuple(int(d) for d in rng.permutation(input.ndim)))),
    errors=[error(ValueError, "axes", array(2, 3), (0,)), error(ValueError, "repeated", array(2, 3), (0, 0))],
    reference=lambda input, dims: np.transpose(input, dims),
)
def permute(input: Array, dims: Any) -> Array:
    """The dimensions in the order `dims`, which names each of them once. A view. Also `t.permute(1, 0)`.

    Raises:
        ValueError: `dims` does not name each dimension once.

    >>> td.zeros(2, 3, 4).permute(2, 0, 1).shape
    (4, 2, 3)
    """
    return input.transpose(dims)


permute.vjp(input=lambda g, dims: np.transpose(g, _inverse((dims,) if isinstance(dims, int) else dims)))


@permute.vmap
def _permute_batch(input: Any, dims: Any) -> Any:
    return permute(input, (0, *inner_dims((dims,) if isinstance(dims, int) else tuple(dims), input.ndim - 1)))


NUMPY[np.transpose] = lambda a, axes=None: permute(a, range(a.ndim - 1, -1, -1) if axes is None else axes)

alias("swapaxes", transpose)
alias("swapdims", transpose)
