"""Picking and placing elements by tensors of indices: gather, scatter, take and their like.

Indices that are out of range, negative ones included where PyTorch refuses them, raise IndexError.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import add_at, module_of, reduce, truth
from tinygrad_dl.core.batching import Batch, every, inner
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.promotion import INT64, require_same
from tinygrad_dl.core.tensor import Tensor, as_array
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.inputs import array, error, integers, one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops._owned import no_view
from tinygrad_dl.ops.indexing._index import positions
from tinygrad_dl.ops.indexing.getitem import accumulate, index_, place
from tinygrad_dl.ops.indexing.setitem import survivors
from tinygrad_dl.ops.pointwise._selection import keep
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.shape.expand import expand
from tinygrad_dl.ops.shape.reshape import reshape
from tinygrad_dl.ops.tensor.conversion import clone

ROWS = real(shape="n m", min_side=1)
LONG = 2048  # elements, from which one index into the flattened array is faster than one for each dimension


def require_in_range(index: np.ndarray, size: int, dim: int, what: str) -> None:
    """Raises IndexError unless all indices are integers from 0 to size - 1."""
    if index.dtype.kind not in "iu":
        raise IndexError(f"{what}: expected an index of integers, got dtype {index.dtype}; use t[mask] for masks")
    # Seen as unsigned, negative ones are very large: one look at the array is enough.
    if index.size and truth(reduce(np.maximum, index.view(f"u{index.itemsize}")) >= size):
        wrong = index[(index < 0) | (index >= size)].reshape(-1)[0].item()
        raise IndexError(
            f"{what}: index {wrong} is out of range for dim {dim} of size {size}: got {wrong}, expected 0 to "
            f"{size - 1}; indices start at 0"
        )


def grid(index: Any, dim: int) -> tuple[Any, ...]:
    """The NumPy index that picks element `index[i, j, k]` along `dim`, and i, j, k along the others."""
    ndim = index.ndim
    if isinstance(index, Tensor) and is_known(index):
        index = index._data  # arrays take a tensor of one element for an integer
    index = index.astype(np.intp, copy=False)  # uint8 would be a mask
    shape, parts = [1] * ndim, []
    for i, size in enumerate(index.shape):
        if i == dim % ndim:
            parts.append(index)
        else:
            shape[i] = size
            parts.append(module_of(index).arange(size).reshape(shape))
            shape[i] = 1
    return tuple(parts)


def spots(index: Any, dim: int, shape: tuple[int, ...]) -> Any:
    """Where in the flattened array of that shape the elements of `grid` stand, in one dimension."""
    index = index.astype(np.intp, copy=False)
    if index.ndim == 1:
        return index
    found: Any = 0
    for i, size in enumerate(index.shape):
        stride = math.prod(shape[i + 1 :])
        if i == dim:
            part = index if stride == 1 else index * stride
        else:
            part = (module_of(index).arange(size) * stride).reshape((-1, *(1,) * (index.ndim - i - 1)))
        found = part if i == 0 else found + part
    return found.reshape(-1)


def require_long(index: Any, what: str) -> Any:
    """An index of int64, of which alone PyTorch knows some operations, and no elements of any dtype."""
    if index.dtype != INT64 and index.size:
        raise IndexError(f"{what}: got an index of dtype {index.dtype}, expected int64; use index.long(), or t[mask]")
    return index.astype(np.intp, copy=False)


def at(dim: int, index: Any) -> tuple[Any, ...]:
    """The NumPy index that applies `index`, positions, to dimension `dim`."""
    return (*(slice(None),) * dim, index.astype(np.intp, copy=False))


def _checked(shape: tuple[int, ...], dim: int, index: np.ndarray, what: str, src: np.ndarray | None = None) -> int:
    """The dimension counted from the front, after a look at whether the index fits."""
    dim = normal_dim(dim, len(shape))
    if index.ndim != len(shape):
        raise IndexError(
            f"{what}: expected an index with as many dimensions as the tensor, {len(shape)}, got {index.ndim}"
        )
    if src is not None and src.ndim not in (0, index.ndim):
        raise IndexError(f"{what}: expected a src with as many dimensions as the index, {index.ndim}, got {src.ndim}")
    require_in_range(index, shape[dim], dim, what)
    for i, size in enumerate(index.shape):
        if i != dim and size > shape[i]:
            raise IndexError(
                f"{what}: got an index of shape {index.shape}, which is larger than the tensor, {shape}, in dim {i}, "
                "expected at most its size"
            )
        if src is not None and src.ndim and size > src.shape[i]:
            raise IndexError(
                f"{what}: expected an index no larger than src, {src.shape}, got shape {index.shape}, larger in dim {i}"
            )
    return dim


def as_line(tensor: Any) -> Any:
    """A 0-d tensor as one of one element, as which PyTorch takes it beside an index."""
    return tensor if tensor.ndim else reshape(tensor, (1,))


@op(
    linear=("input",),
    name="gather",
    exact=True,
    inputs=[
        dict(input=ROWS, dim=one_of(0, -2), index=integers(0, "n", shape="k m")),
        dict(input=real(shape="b n m", min_side=1), dim=one_of(1), index=integers(0, "n", shape="b 2 m")),
        dict(input=real(shape="n", min_side=1), dim=one_of(0, -1), index=integers(0, "n", shape="k")),
    ],
    errors=[
        error(IndexError, "index 1 is out of range for dim 0 of size 1", array(1), 0, array(2, dtype="int64")),
        error(IndexError, "as many dimensions", array(2, 3), 0, array(2, dtype="int64")),
        error(IndexError, "expected an index of integers", array(2), 0, array(2)),
    ],
    reference=lambda input, dim, index: np.take_along_axis(input, index, dim),
)
def gathered(input: Array, dim: int, index: Array) -> Array:
    """`gather` of tensors that are not 0-d.

    >>> import tinygrad_dl as td
    >>> td.gather(td.tensor([1, 2]), 0, td.tensor([1, 1]))
    tensor([2, 2])
    """
    dim = _checked(input.shape, dim, index, "gather")
    if index.size >= LONG and input.flags.c_contiguous:
        return input.reshape(-1).take(spots(index, dim, input.shape)).reshape(index.shape)
    return input[grid(index, dim)]


gathered.vjp(input=lambda g, dim, index, input_shape: accumulate.generic(g, grid(index, dim), input_shape), index=None)


@gathered.vmap
def _gathered_batch(input: Any, index: Any, dim: int, batch: Batch) -> Any:
    return _along_batch(gathered, dim, every(input, "input", batch), every(index, "index", batch))


def _along_batch(function: Any, dim: int, *tensors: Any) -> Any:
    """gather and scatter on batches; a 0-d example counts as one of one dimension."""
    flat = [each.reshape(each.shape[0], 1) if each.ndim == 1 else each for each in tensors]
    out = function(flat[0], inner(dim, flat[0].ndim - 1), *flat[1:])
    return out.reshape(out.shape[0]) if tensors[0 if function is not gathered else 1].ndim == 1 else out


@overload(gathered)
@composition
def gather(input: Array, dim: int, index: Array, *, sparse_grad: bool = False) -> Tensor:
    """out[i, j, k] = input[i, index[i, j, k], k] for dim 1, and so on: the shape is that of `index`.

    Args:
        input: any shape.
        index: integers, with as many dimensions as `input`, elsewhere than in `dim` no larger. A 0-d tensor counts
            as one of one element; an index without elements may have any shape.
        sparse_grad: accepted: all tensors are dense, gradients too.

    Raises:
        IndexError: an index is out of range, or the shapes do not fit.

    >>> td.tensor([[1, 2], [3, 4]]).gather(1, td.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    result: Tensor
    if input.ndim == index.ndim != 0:
        result = gathered(input, dim, index)
        return result
    wide = as_line(input)
    line = reshape(index, (0,) * wide.ndim) if 0 in index.shape else as_line(index)
    result = no_view(reshape(gathered(wide, dim, line), index.shape))
    return result


@op(
    name="scatter",
    method=False,
    exact=True,
    inputs=[
        dict(input=ROWS, dim=one_of(0), index=integers(0, "n", shape="2 m"), src=real(shape="2 m")),
        dict(input=ROWS, dim=one_of(-2), index=integers(0, "n", shape="2 m"), src=real(shape="3 m")),
        dict(input=real(shape="n", min_side=1), dim=one_of(0), index=integers(0, "n", shape="3"), src=real(shape="")),
    ],
    errors=[
        error(IndexError, "out of range", array(1), 0, array(2, dtype="int64"), array(2)),
        error(IndexError, "larger than src", array(2), 0, array(2, dtype="int64"), array(1)),
    ],
    reference=lambda input, dim, index, src: _naive_scatter(input, dim, index, src, add=False),
)
def scattered(input: Array, dim: int, index: Array, src: Array) -> Array:
    """`scatter` of a tensor, or of a 0-d tensor or number everywhere.

    >>> import tinygrad_dl as td
    >>> td.zeros(3).scatter(0, td.tensor([2]), 5.0)
    tensor([0., 0., 5.])
    """
    dim = _checked(input.shape, dim, index, "scatter", src)
    out = input.copy("C")
    if src.ndim:  # in one dimension the order, and so which value stays, is certain
        out.reshape(-1)[spots(index, dim, out.shape)] = src[_within(index.shape)].reshape(-1)
    else:
        out[grid(index, dim)] = src
    return out


def _within(shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple([slice(n) for n in shape])


def _naive_scatter(input: np.ndarray, dim: int, index: np.ndarray, src: np.ndarray, add: bool) -> np.ndarray:
    """`scatter` and `scatter_add` element by element, to test against."""
    out = input.copy()
    for spot in np.ndindex(index.shape):
        target = list(spot)
        target[dim] = index[spot]
        value = src[spot] if src.ndim else src
        out[tuple(target)] = out[tuple(target)] + value if add else value
    return out


def _scattered_src(g: Any, dim: int, index: Any, input_shape: tuple[int, ...], src_shape: tuple[int, ...]) -> Any:
    spots = grid(index, normal_dim(dim, len(input_shape)))
    kept = survivors(positions(spots, input_shape).reshape(index.shape), math.prod(input_shape))
    picked = keep(g[spots], kept)
    if not src_shape:
        return np.add.reduce(picked, axis=None)
    return picked if picked.shape == src_shape else place.generic(picked, _within(index.shape), src_shape)


scattered.vjp(
    input=lambda g, dim, index: scattered.generic(g, dim, index, module_of(g).zeros((), g.dtype)),
    index=None,
    src=_scattered_src,
)

scattered.jvp(
    input=lambda t, dim, index: scattered.generic(t, dim, index, module_of(t).zeros((), t.dtype)),
    src=lambda t, dim, index, input_shape: scattered.generic(module_of(t).zeros(input_shape, t.dtype), dim, index, t),
)


@scattered.vmap
def _scattered_batch(input: Any, index: Any, src: Any, dim: int, batch: Batch) -> Any:
    tensors = [every(value, name, batch) for name, value in (("input", input), ("index", index), ("src", src))]
    if tensors[2].ndim == 1 < tensors[1].ndim:  # one value for all places
        tensors[2] = np.broadcast_to(tensors[2].reshape((batch.size, *(1,) * (tensors[1].ndim - 1))), tensors[1].shape)
    return _along_batch(scattered, dim, *tensors)


@op(
    name="scatter_add",
    inputs=[
        dict(input=ROWS, dim=one_of(0), index=integers(0, "n", shape="3 m"), src=real(shape="3 m")),
        dict(input=ROWS, dim=one_of(-2), index=integers(0, "n", shape="2 m"), src=real(shape="3 m")),
    ],
    errors=[
        error(IndexError, "out of range", array(1), 0, array(2, dtype="int64"), array(2)),
        error(IndexError, "larger than src", array(2), 0, array(2, dtype="int64"), array(1)),
    ],
    reference=lambda input, dim, index, src: _naive_scatter(input, dim, index, src, add=True),
)
def scatter_added(input: Array, dim: int, index: Array, src: Array) -> Array:
    """`scatter_add` of tensors that are not 0-d.

    >>> import tinygrad_dl as td
    >>> td.scatter_add(td.zeros(2), 0, td.tensor([1, 1]), td.ones(2))
    tensor([0., 2.])
    """
    dim = _checked(input.shape, dim, index, "scatter_add", src)
    require_same(src.dtype, input.dtype)
    out = module_of(input).zeros(input.shape, input.dtype)
    add_at(out.reshape(-1), spots(index, dim, out.shape), src[_within(index.shape)].reshape(-1))
    out += input
    return out


def _scatter_add_src(g: Any, dim: int, index: Any, src_shape: tuple[int, ...]) -> Any:
    picked = gathered.generic(g, dim, index)
    return picked if picked.shape == src_shape else place.generic(picked, _within(index.shape), src_shape)


scatter_added.vjp(input=lambda g: g, index=None, src=_scatter_add_src)

scatter_added.jvp(
    input=lambda t: t,
    src=lambda t, dim, index, input_shape: scatter_added.generic(
        module_of(t).zeros(input_shape, t.dtype), dim, index, t
    ),
)


@scatter_added.vmap
def _scatter_added_batch(input: Any, index: Any, src: Any, dim: int, batch: Batch) -> Any:
    tensors = [every(value, name, batch) for name, value in (("input", input), ("index", index), ("src", src))]
    return _along_batch(scatter_added, dim, *tensors)


@overload(scatter_added, inplace=True)
@composition
def scatter_add(input: Array, dim: int, index: Array, src: Array) -> Tensor:
    """A copy of `input` with src[i, j, k] added to out[i, index[i, j, k], k] for dim 1, and so on.

    A 0-d tensor counts as one of one element.

    >>> td.zeros(3).scatter_add(0, td.tensor([2, 2, 0]), td.ones(3))
    tensor([1., 0., 2.])
    """
    result: Tensor
    if 0 in index.shape and index.ndim != input.ndim:
        result = clone(input)
    elif input.ndim and index.ndim and src.ndim:
        result = scatter_added(input, dim, index, src)
    else:
        result = no_view(reshape(scatter_added(as_line(input), dim, as_line(index), as_line(src)), input.shape))
    return result


@composition
def take(input: Array, index: Any) -> Tensor:
    """The elements of the flattened tensor at `index`, in the shape of `index`. Negative indices count from the end.

    >>> td.tensor([[1, 2], [3, 4]]).take(td.tensor([0, -1]))
    tensor([1, 4])
    """
    return index_(reshape(input, -1), require_long(as_array(index), "take"))


def _wide(index: Any) -> Any:
    """NumPy's indices, which are integers of any dtype."""
    index = as_array(index)
    return index.astype(np.int64) if index.dtype.kind in "iu" else index


def _np_take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Tensor:
    index = as_array(indices)
    if mode != "raise":
        size = a.numel() if axis is None else a.shape[axis]
        index = np.clip(index, 0, size - 1) if mode == "clip" else np.remainder(index, size)
    return take(a, _wide(index)) if axis is None else a[at(normal_dim(axis, a.ndim), index)]


@composition
def take_along_dim(input: Array, indices: Any, dim: int | None = None) -> Tensor:
    """`gather` that broadcasts the other dimensions and lets negative indices count from the end.

    >>> x = td.tensor([[3, 1, 2], [4, 6, 5]])
    >>> td.take_along_dim(x, x.argsort(dim=1), dim=1)
    tensor([[1, 2, 3],
            [4, 5, 6]])
    """
    index = as_array(indices)
    if dim is None:
        return take(input, index.reshape(-1))
    ndim = input.ndim
    dim = normal_dim(dim, ndim)
    if index.ndim != ndim:
        raise ValueError(f"take_along_dim: expected indices with {ndim} dimensions as the tensor has, got {index.ndim}")
    index = require_long(index, "take_along_dim")
    others = [n for i, n in enumerate(index.shape) if i != dim], [n for i, n in enumerate(input.shape) if i != dim]
    rest = list(np.broadcast_shapes(*map(tuple, others)))
    rest.insert(dim, -1)
    wide = expand(input, rest) if any(a not in (-1, b) for a, b in zip(rest, input.shape, strict=True)) else input
    rest[dim] = index.shape[dim]
    return index_(wide, grid(np.broadcast_to(index, rest), dim))


for _function in (take, take_along_dim):
    attach(_function.__name__, _function)
NUMPY[np.take] = _np_take
NUMPY[np.take_along_axis] = lambda arr, indices, axis=-1: take_along_dim(arr, _wide(indices), axis)
