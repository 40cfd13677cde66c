"""sort, argsort and msort. NaN counts as larger than every number, as in PyTorch."""

from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, axis_of, error, one_of, real
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.indexing.gather import gathered, grid
from tinygrad_dl.ops.indexing.getitem import accumulate
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.sorting._order import LONG, order


class Sorted(NamedTuple):
    """Values in order, and where each of them stood."""

    values: Any
    indices: Any


def picked(input: np.ndarray, indices: np.ndarray, dim: int) -> np.ndarray:
    """The elements at the indices along `dim`."""
    if input.size >= LONG and dim == input.ndim - 1 and input.flags.c_contiguous:
        starts = np.arange(0, input.size, input.shape[-1]).reshape(*input.shape[:-1], 1)
        return input.reshape(-1).take(indices + starts)
    return input[grid(indices, dim)] if input.ndim else input.copy()


def to_their_places(g: Any, input_shape: tuple[int, ...], indices: Any, dim: int) -> Any:
    """The gradient of values picked at `indices`."""
    if not input_shape:
        return g[0].reshape(())
    return accumulate.generic(g[0], grid(indices, normal_dim(dim, len(input_shape))), input_shape)


def from_their_places(t: Any, indices: Any, dim: int) -> Any:
    """The tangents of values picked at `indices`."""
    return gathered.generic(t, dim, indices) if t.ndim else t


@op(
    kind="scan",
    keeps_format=True,
    outputs=Sorted,
    real=True,
    inputs=dict(
        input=real(min_dims=1, distinct=True),
        dim=axis_of("input"),
        descending=one_of(False, True),
        stable=one_of(False, True),
    ),
    errors=[error(IndexError, "got dim 2", array(2, 3), 2)],
    reference=lambda input, dim=-1, descending=False, stable=False: _naive_sort(input, dim, descending),
)
def sort(input: Array, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The elements in order along `dim`, and their indices. Equal elements keep their order, `stable` or not.

    Returns:
        A named tuple (values, indices).

    >>> td.tensor([2.0, 3.0, 1.0]).sort(descending=True)
    Sorted(values=tensor([3., 2., 1.]), indices=tensor([1, 0, 2]))
    """
    dim = normal_dim(dim, input.ndim)
    indices = order(input, dim, descending)
    return Sorted(picked(input, indices, dim), indices)


sort.vjp(input=lambda g, input_shape, indices, dim: to_their_places(g, input_shape, indices, dim))
sort.jvp(input=lambda t, indices, dim: from_their_places(t, indices, dim))


def _naive_sort(input: np.ndarray, dim: int, descending: bool) -> Sorted:
    """`sort` of distinct elements by NumPy, to test against."""
    indices = np.argsort(-input if descending else input, dim)
    return Sorted(np.take_along_axis(input, indices, dim), indices)


@op(
    kind="scan",
    differentiable=False,
    real=True,
    inputs=dict(input=real(min_dims=1, distinct=True), dim=axis_of("input"), descending=one_of(False, True)),
    errors=[error(IndexError, "got dim 2", array(2, 3), 2)],
    reference=lambda input, dim=-1, descending=False, stable=False: _naive_sort(input, dim, descending).indices,
)
def argsort(input: Array, dim: int = -1, descending: bool = False, stable: bool = False) -> Array:
    """The indices that put the elements in order along `dim`. Equal elements keep their order.

    >>> td.tensor([2.0, 3.0, 1.0]).argsort()
    tensor([2, 0, 1])
    """
    return order(input, normal_dim(dim, input.ndim), descending)


@method
def msort(input: Array) -> Tensor:
    """The values in order along the first dimension.

    >>> td.msort(td.tensor([[3, 1], [2, 4]]))
    tensor([[2, 1],
            [3, 4]])
    """
    result: Tensor = sort(input, 0).values
    return result


NUMPY[np.sort] = lambda a, axis=-1, kind=None, order=None, stable=None: (
    (sort(a.reshape(-1), 0) if axis is None else sort(a, axis)).values
)

NUMPY[np.argsort] = lambda a, axis=-1, kind=None, order=None, stable=None: (
    argsort(a.reshape(-1), 0) if axis is None else argsort(a, axis)
)
