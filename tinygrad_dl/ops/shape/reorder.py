"""Elements in another order: flip, roll, rot90."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_dl.core.batching import flat, inner_dims
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.layout import in_order
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, axes_of, axis_of, error, one_of, real
from tinygrad_dl.ops._overload import method, variadic
from tinygrad_dl.ops.shape._dims import normal_dim

LARGE = 2**12  # elements: of fewer, two copies take longer than one that jumps through memory


def _dims(dims: Any, ndim: int) -> list[int]:
    """One dimension or several, counted from the front, each named once."""
    found = [normal_dim(operator.index(d), ndim) for d in (dims if isinstance(dims, tuple | list) else (dims,))]
    if len(set(found)) != len(found):
        raise ValueError(f"expected each dimension once at most, got one twice in dims {dims}")
    return found


@variadic
@op(
    keeps_format=True,
    linear=("input",),
    exact=True,
    inputs=dict(input=real(), dims=axes_of("input", none=False)),
    errors=[error(IndexError, "got dim 2", array(2, 3), 2), error(ValueError, "twice", array(2, 3), (0, 0))],
    reference=lambda input, dims: np.flip(input, dims) if input.ndim else input,
)
def flip(input: Array, dims: Any) -> Array:
    """The elements in reverse order along the given dimensions. A copy. Also `t.flip(0, 1)`.

    >>> td.tensor([[1, 2], [3, 4]]).flip(1)
    tensor([[2, 1],
            [4, 3]])
    """
    index: list[Any] = [slice(None)] * input.ndim
    if input.size >= LARGE and not input.flags.c_contiguous:
        input = in_order(input, None)  # reversing what lies across memory would jump at each element
    for dim in _dims(dims, input.ndim):
        if input.ndim:
            index[dim] = slice(None, None, -1)
    return input[tuple(index)].copy("C")


flip.vjp(input=lambda g, dims: flip.generic(g, dims))


@flip.vmap
def _flip_batch(input: Any, dims: Any) -> Any:
    return flip(input, inner_dims(dims, input.ndim - 1)) if input.ndim > 1 else input


@op(
    linear=("input",),
    exact=True,
    inputs=[
        dict(input=real(), shifts=one_of(0, 1, -2, 7)),
        dict(input=real(min_dims=1), shifts=one_of(1, -5), dims=axis_of("input")),
        dict(input=real(shape="n m"), shifts=one_of((1, 2)), dims=one_of((0, 1), (1, -1))),
    ],
    errors=[error(IndexError, "got dim 2", array(2, 3), 1, 2)],
    reference=lambda input, shifts, dims=None: np.roll(input, shifts, dims),
)
def roll(input: Array, shifts: Any, dims: Any = None) -> Array:
    """The elements moved on by `shifts` along `dims`; those that fall off the end return at the beginning.

    Without `dims`, the flattened tensor is rolled and brought back into shape.

    >>> td.tensor([1, 2, 3]).roll(1)
    tensor([3, 1, 2])
    """
    if isinstance(shifts, int) and isinstance(dims, int) and input.ndim:
        dim = normal_dim(dims, input.ndim)
        cut = -shifts % input.shape[dim] if input.size else 0
        head = (slice(None),) * dim
        return np.concatenate([input[(*head, slice(cut, None))], input[(*head, slice(cut))]], dim)
    shifts, dims = (each if isinstance(each, tuple | list) else (each,) for each in (shifts, dims))
    if not shifts:
        raise ValueError("roll: got no shifts, expected at least one")
    if dims == (None,):
        dims = (None,) * min(len(shifts), 1)
    if len(shifts) != len(dims):
        raise ValueError(
            f"roll: expected as many shifts as dims, got {shifts} and {None if None in dims else dims}; "
            f"without dims, one shift moves the flattened tensor"
        )
    if None in dims:
        return np.roll(input, shifts[0])
    for dim in dims:
        if not input.ndim:
            raise IndexError(f"roll: a 0-d tensor has no dimensions, got dims {dims}; leave them out")
        normal_dim(dim, input.ndim)
    return np.roll(input, shifts, dims)


roll.vjp(
    input=lambda g, shifts, dims: roll.generic(
        g, tuple([-s for s in shifts]) if isinstance(shifts, tuple | list) else -shifts, dims
    )
)


@roll.vmap
def _roll_batch(input: Any, shifts: Any, dims: Any) -> Any:
    if dims is None or (isinstance(dims, tuple | list) and not dims):
        return roll(flat(input), shifts, 1).reshape(input.shape)
    return roll(input, shifts, inner_dims(dims, input.ndim - 1))


@method
def rot90(input: Array, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Rotated by 90 degrees `k` times, in the plane of two dimensions, from the first towards the second.

    >>> td.rot90(td.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    if input.ndim < 2:
        raise RuntimeError(f"rot90: got a tensor of shape {input.shape}, expected at least 2 dimensions")
    first, second = dims
    if normal_dim(first, input.ndim) == normal_dim(second, input.ndim):
        raise ValueError(f"rot90: expected two different dimensions, got {first} and {second} of {input.ndim}")
    k %= 4
    result: Tensor
    if k == 0:
        result = input.clone()
    elif k == 2:
        result = flip(input, (first, second))
    else:
        result = flip(input.transpose(first, second), first if k == 1 else second)
    return result


@method
def fliplr(input: Array) -> Tensor:
    """`flip` along the second dimension.

    >>> td.fliplr(td.tensor([[1, 2], [3, 4]]))
    tensor([[2, 1],
            [4, 3]])
    """
    if input.ndim < 2:
        raise RuntimeError(f"fliplr: got a tensor of shape {input.shape}, expected at least 2 dimensions")
    return flip(input, 1)


@method
def flipud(input: Array) -> Tensor:
    """`flip` along the first dimension.

    >>> td.flipud(td.tensor([[1, 2], [3, 4]]))
    tensor([[3, 4],
            [1, 2]])
    """
    if not input.ndim:
        raise RuntimeError("flipud: got a 0-d tensor, expected at least 1 dimension")
    return flip(input, 0)


def _np_roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """np.roll, whose shifts and axes broadcast."""
    if axis is None:
        return roll(a, int(np.sum(shift)))
    shifts, dims = np.broadcast_arrays(shift, axis)
    return roll(a, tuple(shifts.reshape(-1).tolist()), tuple(dims.reshape(-1).tolist()))


attach("__reversed__", lambda self: flip(self, 0) if self.ndim else self)
NUMPY[np.flip] = lambda m, axis=None: flip(m, tuple(range(m.ndim)) if axis is None else axis)
NUMPY[np.roll] = _np_roll
NUMPY[np.fliplr], NUMPY[np.flipud] = fliplr, flipud
NUMPY[np.rot90] = lambda m, k=1, axes=(0, 1): rot90(m, k, axes)
