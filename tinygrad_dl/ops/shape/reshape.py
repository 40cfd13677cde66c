"""The same elements in another shape: reshape, view, flatten, squeeze, unsqueeze and the like.

Most of these show the memory of the tensor they were made from, as in PyTorch.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core import dtypes
from tinygrad_dl.core.batching import Batch, inner_dims
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.mutations import offset
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, axes_of, axis_of, drawn, error, integers, one_of, real, shape_of
from tinygrad_dl.ops._overload import alias, method, overload, variadic
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.tensor.conversion import contiguous


@variadic
@op(
    linear=("input",),
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

    >>> td.arange(6).reshape(2, -1).shape
    (2, 3)
    """
    return input.reshape(shape)


reshape.vjp(input=lambda g, input_shape: g.reshape(input_shape))


@reshape.vmap
def _reshape_batch(input: Any, shape: Any, batch: Batch) -> Any:
    return reshape(input, (batch.size, *_resolved(shape, input.shape[1:])))


def _resolved(shape: Any, before: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a reshape of one example, with the size for -1 worked out."""
    wanted = (shape,) if isinstance(shape, int) else tuple(shape)
    if -1 not in wanted:
        return wanted
    known = math.prod([n for n in wanted if n != -1])
    return tuple([math.prod(before) // known if n == -1 and known else n for n in wanted])


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
    linear=("input",),
    view=True,
    inputs=dict(input=real(), dim=drawn(lambda rng, input: int(rng.integers(-input.ndim - 1, input.ndim + 1)))),
    errors=[error(IndexError, "got dim 3", array(2, 3), 3)],
    reference=lambda input, dim: np.expand_dims(input, dim),
)
def unsqueeze(input: Array, dim: Any) -> Array:
    """A new dimension of size 1 at `dim`. A view. A tuple of dimensions makes several, as in NumPy.

    Raises:
        IndexError: `dim` is not between -(ndim + 1) and ndim.

    >>> td.zeros(2, 3).unsqueeze(0).shape, td.zeros(2, 3).unsqueeze(-1).shape
    ((1, 2, 3), (2, 3, 1))
    """
    return input.reshape(_inserted(input.shape, dim))


unsqueeze.vjp(input=lambda g, input_shape: g.reshape(input_shape))


@unsqueeze.vmap
def _unsqueeze_batch(input: Any, dim: Any) -> Any:
    count = len(dim) if isinstance(dim, tuple | list) else 1
    return unsqueeze(input, inner_dims(dim, input.ndim - 1 + count))


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
    linear=("input",),
    view=True,
    inputs=[dict(input=real(shape="1 n 1"), dim=axes_of("input")), dict(input=real(), dim=axis_of("input", none=True))],
    errors=[error(IndexError, "got dim 2", array(2, 1), 2)],
    reference=lambda input, dim=None: input.reshape(_squeezed(input.shape, dim)),
)
def squeeze(input: Array, dim: Any = None) -> Array:
    """Without the dimensions of size 1: all of them, or those named that have size 1. A view.

    >>> td.zeros(1, 2, 1).squeeze().shape, td.zeros(1, 2, 1).squeeze(0).shape, td.zeros(1, 2, 1).squeeze(1).shape
    ((2,), (2, 1), (1, 2, 1))
    """
    return input.reshape(_squeezed(input.shape, dim))


squeeze.vjp(input=lambda g, input_shape: g.reshape(input_shape))


@squeeze.vmap
def _squeeze_batch(input: Any, dim: Any) -> Any:
    ndim = input.ndim - 1
    if dim is None:
        return squeeze(input, tuple([i for i in range(1, ndim + 1) if input.shape[i] == 1]))
    dims = inner_dims(dim, ndim)
    return squeeze(input, dims if ndim else ())


def _np_squeeze(a: Any, axis: Any = None) -> Any:
    """NumPy refuses to squeeze a dimension of another size than 1."""
    for dim in () if axis is None else axis if isinstance(axis, tuple) else (axis,):
        if a.shape[dim] != 1:
            raise ValueError(f"got dimension {dim} of shape {a.shape}, expected one of size 1")
    return squeeze(a, axis)


NUMPY[np.squeeze] = _np_squeeze


@variadic
@op(
    linear=("input",),
    view=True,
    inputs=dict(input=real(), shape=shape_of("input", "reshape")),
    errors=[error(ValueError, "reshape", array(2, 3), (4, 2))],
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
    out = input.reshape(shape)
    if out.size and out.base is not input and (out.base is None or out.base is not input.base):
        raise RuntimeError(
            f"view: got a tensor of shape {input.shape} with strides {input.strides}, expected one that can be shown "
            f"in shape {out.shape} without a copy; use reshape(), or contiguous() first"
        )
    return out


view.vjp(input=lambda g, input_shape: g.reshape(input_shape))


@view.vmap
def _view_batch(input: Any, shape: Any, batch: Batch) -> Any:
    return view(input, (batch.size, *_resolved(shape, input.shape[1:])))


@op(
    namespace="rules",
    exact=True,
    differentiable=False,
    inputs=dict(input=integers(shape="n 4"), dtype=one_of(np.dtype("int16"), np.dtype("float64"), np.dtype("uint8"))),
    errors=[error(RuntimeError, "expected a last dimension", array(3), np.dtype("float64"))],
    reference=lambda input, dtype: np.frombuffer(input.tobytes(), dtype).reshape(len(input), 32 // dtype.itemsize),
)
def view_bytes(input: Array, dtype: Any) -> Array:
    """The same bytes as elements of another dtype, without a graph; `Tensor.view(dtype)` is what users call.

    >>> import numpy as np
    >>> view_bytes(np.float32([1.0]), np.int32)
    tensor([1065353216], dtype=int32)
    """
    size, new = input.itemsize, np.dtype(dtype).itemsize
    if size != new and input.size:  # without elements strides say nothing
        steps = input.strides
        # Where elements become larger, rows begin and end where whole new ones do.
        places = (*steps[:-1], size * input.shape[-1], offset(input)) if steps and new > size else ()
        if steps[-1:] != (size,) or any(place % new for place in places):
            raise RuntimeError(
                f"view: got dtype {np.dtype(dtype)} for a tensor of shape {input.shape}, strides "
                f"{tuple(n // size for n in steps)} and dtype {input.dtype}, expected a last dimension of adjacent "
                "elements whose bytes make whole new ones; use contiguous() first, or to(dtype), which converts"
            )
    return input.view(dtype)


@view_bytes.vmap
def _view_bytes_batch(input: Any, dtype: Any, batch: Batch) -> Any:
    if input.ndim == 1 and input.dtype.itemsize != dtype.itemsize:
        return view_bytes(input[0], dtype)  # which says that a number has no dimension to change
    return view_bytes(input, dtype)


SHAPES = frozenset((int, tuple, list))


@overload(view, method=False)
def view_as_shape_or_dtype(self: Tensor, *shape: Any, **kwargs: Any) -> Any:
    """The same memory in another shape, one size of which may be -1, or as another dtype: `t.view(td.int32)`.

    Of another dtype the elements are not converted: the bytes are read as it. Such a view has no graph.

    Raises:
        RuntimeError: the elements do not lie in memory so that they can be shown in this shape or dtype.
        ValueError: the shape asks for another number of elements.

    >>> import tinygrad_dl as td
    >>> td.arange(6).view(3, 2).shape
    (3, 2)
    >>> td.tensor([1.0]).view(td.int32)
    tensor([1065353216], dtype=int32)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.view.html
    """
    if kwargs:
        dtype = kwargs.get("dtype")
        return view(self, *shape, **kwargs) if dtype is None else view_bytes(self, dtypes.as_dtype(dtype))
    only = shape[0] if len(shape) == 1 else shape
    if type(only) not in SHAPES and isinstance(only, dtypes.dtype | np.dtype | type):
        return view_bytes(self, dtypes.as_dtype(only))
    return view(self, only)


alias("view", view_as_shape_or_dtype)


def _at_least(ndim: int, tensor: Any) -> Any:
    """The tensor with dimensions of size 1 put in front, as `hstack` and `vstack` want it."""
    missing = ndim - tensor.ndim
    return tensor.reshape((1,) * missing + tensor.shape) if missing > 0 else tensor


def each_of(tensors: tuple[Any, ...], function: Callable[[Any], Any]) -> Any:
    """The result for one tensor, or a tuple of results for several or for a sequence of them."""
    if len(tensors) == 1 and not isinstance(tensors[0], tuple | list):
        return function(tensors[0])
    return tuple(map(function, tensors[0] if len(tensors) == 1 else tensors))


@composition
def atleast_1d(*tensors: Any) -> Any:
    """The tensor with at least one dimension; of several, or of a sequence, a tuple.

    >>> td.atleast_1d(td.tensor(1.0))
    tensor([1.])
    """
    return each_of(tensors, lambda tensor: _at_least(1, tensor))


@composition
def atleast_2d(*tensors: Any) -> Any:
    """The tensor with at least two dimensions, the new ones in front; of several, or of a sequence, a tuple.

    >>> td.atleast_2d(td.tensor([1.0, 2.0]))
    tensor([[1., 2.]])
    """
    return each_of(tensors, lambda tensor: _at_least(2, tensor))


@composition
def atleast_3d(*tensors: Any) -> Any:
    """The tensor with at least three dimensions: a vector in the middle one, a matrix in the first two.

    Of several tensors, or of a sequence, a tuple.

    >>> td.atleast_3d(td.tensor([1.0, 2.0])).shape
    (1, 2, 1)
    """
    return each_of(
        tensors, lambda tensor: tensor if tensor.ndim >= 3 else tensor.reshape((*_at_least(2, tensor).shape, 1))
    )


NUMPY[np.atleast_1d], NUMPY[np.atleast_2d] = atleast_1d, atleast_2d


@method
def flatten(input: Array, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions `start_dim` to `end_dim`, both included, as one. A view if that can be.

    Raises:
        RuntimeError: `start_dim` comes after `end_dim`.

    >>> td.zeros(2, 3, 4).flatten(1).shape
    (2, 12)
    """
    shape = input.shape
    start, end = normal_dim(start_dim, len(shape)), normal_dim(end_dim, len(shape))
    if start > end:
        raise RuntimeError(
            f"flatten: got start_dim={start_dim} and end_dim={end_dim} for shape {shape}, expected a start before the "
            "end"
        )
    if start == end and shape and isinstance(input, Tensor):
        return input
    count = math.prod(shape[start : end + 1])
    return reshape(input, (*shape[:start], count, *shape[end + 1 :]))


@method
def ravel(input: Array) -> Tensor:
    """All elements in one dimension, in row-major order without gaps: a view of a contiguous tensor, else a copy.

    >>> td.zeros(2, 3).ravel().shape
    (6,)
    >>> td.arange(6)[::2].ravel().stride()
    (1,)
    """
    return reshape(contiguous(input), -1)


@method
def unflatten(input: Array, dim: int, sizes: Any) -> Tensor:
    """Dimension `dim` as several, of the given sizes, one of which may be -1.

    Raises:
        ValueError: the sizes' product is not the dimension's size.

    >>> td.zeros(2, 12).unflatten(1, (3, -1)).shape
    (2, 3, 4)
    """
    shape = input.shape
    place = normal_dim(dim, len(shape))
    sizes = [operator.index(n) for n in sizes]
    if -1 in sizes:
        known = math.prod(n for n in sizes if n != -1)
        sizes[sizes.index(-1)] = shape[place] // known if known else 0
    if math.prod(sizes) != shape[place]:
        raise ValueError(
            f"unflatten: got sizes {tuple(sizes)}, expected sizes whose product is {shape[place]}, that of dim {dim}"
        )
    return reshape(input, (*shape[:place], *sizes, *shape[place + 1 :]))


@method
def view_as(input: Array, other: Array) -> Tensor:
    """`view` in the shape of `other`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.view_as.html
    """
    return view(input, other.shape)


@method
def reshape_as(input: Array, other: Array) -> Tensor:
    """`reshape` to the shape of `other`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.reshape_as.html
    """
    return reshape(input, other.shape)
