"""The same elements in another shape or order: reshape, transpose, expand and their like.

Most of these show the memory of the tensor they were made from, as in PyTorch.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.engine import unbroadcast
from tinygrad_dl.core.tensor import NUMPY
from tinygrad_dl.inputs import array, axes_of, axis_of, drawn, error, real, shape_of


def normal_dim(dim: int, ndim: int) -> int:
    """A dimension counted from the front; raises IndexError if there is none such."""
    if -ndim <= dim < ndim:
        return dim + ndim if dim < 0 else dim
    if ndim == 0 and dim in (0, -1):
        return 0
    expected = f"{-ndim} to {ndim - 1}" if ndim else "0 or -1"
    raise IndexError(f"got dim {dim} for a tensor with {ndim} dimensions, expected {expected}")


@op(
    varargs=True,
    view=True,
    inputs=dict(input=real(), shape=shape_of("input", "reshape")),
    errors=[error(ValueError, "reshape", array(2, 3), (4, 2))],
    reference=lambda input, shape: np.reshape(input, shape),
)
def reshape(input: Array, shape: Any) -> Array:
    """The same elements in another shape; one size may be -1, which is then computed.

    A view if that can be, else a copy. As a method also `t.reshape(2, -1)`.

    Raises:
        ValueError: the shape asks for another number of elements.

    >>> import tinygrad_dl as td
    >>> td.arange(6).reshape(2, -1).shape
    (2, 3)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.reshape.html
    """
    return input.reshape(shape)


reshape.vjp(input=lambda g, input_shape: g.reshape(input_shape))


def np_reshape(a: Any, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None) -> Any:
    """NumPy's reshape, in its order C or F."""
    shape = newshape if shape is None else shape
    if order == "C":
        return reshape(a, shape)
    if order != "F":
        raise ValueError(f"np.reshape of a tensor: expected order 'C' or 'F', got {order!r}")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return np.transpose(reshape(np.transpose(a), shape[::-1]))


NUMPY[np.reshape] = np_reshape


@op(
    np.swapaxes,
    view=True,
    inputs=dict(input=real(min_dims=1), dim0=axis_of("input"), dim1=axis_of("input")),
    errors=[error(IndexError, "got dim 2", array(2, 3), 0, 2)],
    reference=lambda input, dim0, dim1: np.swapaxes(input, dim0, dim1),
)
def transpose(input: Array, dim0: int, dim1: int) -> Array:
    """Two dimensions exchanged. A view.

    Raises:
        IndexError: there is no such dimension.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 3, 4).transpose(0, 2).shape
    (4, 3, 2)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.transpose.html
    """
    try:
        return input.swapaxes(dim0, dim1)
    except np.exceptions.AxisError:
        normal_dim(dim0, input.ndim), normal_dim(dim1, input.ndim)
        return input[...]  # PyTorch lets a 0-d tensor have the dimension 0


transpose.vjp(input=lambda g, dim0, dim1: g.swapaxes(dim0, dim1) if g.ndim else g)
swapaxes = swapdims = transpose


def _inverse(dims: Any) -> list[int]:
    """The order of dimensions that undoes `dims`."""
    ndim = len(dims)
    inverse = [0] * ndim
    for position, dim in enumerate(dims):
        inverse[dim] = position
    return inverse


@op(
    varargs=True,
    view=True,
    inputs=dict(input=real(), dims=drawn(lambda rng, input: tuple(int(d) for d in rng.permutation(input.ndim)))),
    errors=[error(ValueError, "axes", array(2, 3), (0,)), error(ValueError, "repeated", array(2, 3), (0, 0))],
    reference=lambda input, dims: np.transpose(input, dims),
)
def permute(input: Array, dims: Any) -> Array:
    """The dimensions in the order `dims`, which names each of them once. A view. Also `t.permute(1, 0)`.

    Raises:
        ValueError: `dims` does not name each dimension once.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 3, 4).permute(2, 0, 1).shape
    (4, 2, 3)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.permute.html
    """
    return input.transpose(dims)


permute.vjp(input=lambda g, dims: np.transpose(g, _inverse((dims,) if isinstance(dims, int) else dims)))
NUMPY[np.transpose] = lambda a, axes=None: permute(a, range(a.ndim - 1, -1, -1) if axes is None else axes)


def _inserted(shape: tuple[int, ...], dim: Any) -> tuple[int, ...]:
    """The shape with new dimensions of size 1 at `dim`, an int or a tuple of the result's dimensions."""
    if type(dim) is int:
        ndim = len(shape) + 1
        if not -ndim <= dim < ndim:
            raise IndexError(f"got dim {dim}, expected {-ndim} to {ndim - 1} for shape {list(shape)}")
        place = dim if dim >= 0 else dim + ndim
        return (*shape[:place], 1, *shape[place:])
    if not isinstance(dim, tuple | list):
        return _inserted(shape, operator.index(dim))
    ndim = len(shape) + len(dim)
    places = {normal_dim(operator.index(d), ndim) for d in dim}
    if len(places) != len(dim):
        raise ValueError(f"expected each dimension once at most, got one twice in dims {tuple(dim)}")
    rest = iter(shape)
    return tuple([1 if i in places else next(rest) for i in range(ndim)])


@op(
    np.expand_dims,
    view=True,
    inputs=dict(input=real(), dim=drawn(lambda rng, input: int(rng.integers(-input.ndim - 1, input.ndim + 1)))),
    errors=[error(IndexError, "got dim 3", array(2, 3), 3)],
    reference=lambda input, dim: np.expand_dims(input, dim),
)
def unsqueeze(input: Array, dim: Any) -> Array:
    """A new dimension of size 1 at `dim`. A view. A tuple of dimensions makes several, as in NumPy.

    Raises:
        IndexError: `dim` is not between -(ndim + 1) and ndim.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 3).unsqueeze(0).shape, td.zeros(2, 3).unsqueeze(-1).shape
    ((1, 2, 3), (2, 3, 1))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.unsqueeze.html
    """
    return input.reshape(_inserted(input.shape, dim))


unsqueeze.vjp(input=lambda g, input_shape: g.reshape(input_shape))


def _squeezed(shape: tuple[int, ...], dim: Any) -> tuple[int, ...]:
    """The shape without those of the dimensions `dim` (None: all) whose size is 1."""
    ndim = len(shape)
    if dim is None:
        return tuple([n for n in shape if n != 1])
    dims = dim if isinstance(dim, tuple | list) else (dim,)
    named = {normal_dim(operator.index(d), ndim) for d in dims}
    if len(named) != len(dims):
        raise ValueError(f"expected each dimension once at most, got one twice in dims {tuple(dims)}")
    return tuple([n for i, n in enumerate(shape) if n != 1 or i not in named])


@op(
    view=True,
    inputs=[
        dict(input=real(shape="1 n 1"), dim=axes_of("input")),
        dict(input=real(), dim=axis_of("input", none=True)),
    ],
    errors=[error(IndexError, "got dim 2", array(2, 1), 2)],
    reference=lambda input, dim=None: input.reshape(_squeezed(input.shape, dim)),
)
def squeeze(input: Array, dim: Any = None) -> Array:
    """Without the dimensions of size 1: all of them, or those named that have size 1. A view.

    >>> import tinygrad_dl as td
    >>> td.zeros(1, 2, 1).squeeze().shape, td.zeros(1, 2, 1).squeeze(0).shape, td.zeros(1, 2, 1).squeeze(1).shape
    ((2,), (2, 1), (1, 2, 1))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.squeeze.html
    """
    return input.reshape(_squeezed(input.shape, dim))


squeeze.vjp(input=lambda g, input_shape: g.reshape(input_shape))


def _np_squeeze(a: Any, axis: Any = None) -> Any:
    """NumPy refuses to squeeze a dimension of another size than 1."""
    for dim in () if axis is None else axis if isinstance(axis, tuple) else (axis,):
        if a.shape[dim] != 1:
            raise ValueError(f"got dimension {dim} of shape {a.shape}, expected one of size 1")
    return squeeze(a, axis)


NUMPY[np.squeeze] = _np_squeeze


def _expanded(shape: tuple[int, ...], size: Any) -> tuple[int, ...]:
    """The shape that `size` means, where -1 keeps a dimension's size."""
    size = (size,) if isinstance(size, int) else tuple(size)
    new = len(size) - len(shape)
    if -1 in size:
        if -1 in size[:new]:
            raise RuntimeError(
                f"expand: -1 keeps an existing dimension's size: got size {size} for a tensor of shape {shape}, "
                f"expected 0 or more at new dimensions; say how large the new dimension is"
            )
        size = tuple([shape[i - new] if n == -1 else n for i, n in enumerate(size)])
    found: tuple[int, ...] = size
    return found


@op(
    np.broadcast_to,
    varargs=True,
    view=True,
    inputs=dict(input=real(), size=shape_of("input", "expand")),
    errors=[
        error(ValueError, "expand", array(2, 3), (4, 3)),
        error(ValueError, "expand", array(2, 3), (3, 2)),
        error(ValueError, "expand", array(3), (3, 1)),
        error(RuntimeError, "-1 keeps an existing dimension", array(3), (-1, 3)),
    ],
    reference=lambda input, size: np.broadcast_to(input, _expanded(input.shape, size)),
)
def expand(input: Array, size: Any) -> Array:
    """Dimensions of size 1 repeated up to `size`, and new ones put in front. A view, read-only if elements repeat.

    -1 keeps a dimension's size. As a method also `t.expand(2, -1)`.

    Raises:
        ValueError: a dimension of another size than 1 would have to change.

    >>> import tinygrad_dl as td
    >>> td.tensor([[1.0], [2.0]]).expand(-1, 3)
    tensor([[1., 1., 1.],
            [2., 2., 2.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand.html
    """
    size = _expanded(input.shape, size)
    if size == (1,) * (len(size) - input.ndim) + input.shape and input.size:
        return input.reshape(size)  # no element stands in two places, so it may be written to
    shape, new = input.shape, len(size) - input.ndim
    if new < 0 or not input.flags.c_contiguous or not input.size or min(size, default=1) < 1:
        return np.broadcast_to(input, size)
    # The same in half the time: repeated dimensions have stride 0.
    steps = [0] * new
    for n, wanted, step in zip(shape, size[new:], input.strides, strict=True):
        if n != wanted and n != 1:
            return np.broadcast_to(input, size)  # which says what is wrong
        steps.append(0 if n == 1 else step)
    out: np.ndarray = np.ndarray(size, input.dtype, input, 0, steps)
    out.setflags(write=False)
    return out


expand.vjp(input=lambda g, input_shape: g if g.shape == input_shape else unbroadcast(g, input_shape))
broadcast_to = expand


@op(
    varargs=True,
    view=True,
    inputs=dict(input=real(), shape=shape_of("input", "reshape")),
    errors=[error(ValueError, "reshape", array(2, 3), (4, 2)), error(TypeError, "dtype", array(2), np.dtype("int32"))],
    reference=lambda input, shape: np.reshape(input, shape),
)
def view(input: Array, shape: Any) -> Array:
    """The same memory in another shape; one size may be -1. As a method also `t.view(2, -1)`.

    Raises:
        RuntimeError: the elements do not lie in memory so that they can be shown in this shape.
        ValueError: the shape asks for another number of elements.

    >>> import tinygrad_dl as td
    >>> td.arange(6).view(3, 2).shape
    (3, 2)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.view.html
    """
    if isinstance(shape, np.dtype | type):
        raise TypeError(
            f"view: expected a shape, got the dtype {shape}; for another dtype use to(dtype), which converts the "
            f"elements"
        )
    out = input.reshape(shape)
    if out.base is not input and (out.base is None or out.base is not input.base):
        raise RuntimeError(
            f"view: got a tensor of shape {input.shape} with strides {input.strides}, expected one that can be shown "
            f"in shape {out.shape} without a copy; use reshape(), or contiguous() first"
        )
    return out


view.vjp(input=lambda g, input_shape: g.reshape(input_shape))
