"""Shapes and places: joining and moving, indexing, searching, sorting, sets."""

from typing import Any, NamedTuple

import numpy as np

import tinygrad_dl as td
from tinygrad_dl import Tensor
from tinygrad_dl.array_api._operands import reduced, together

# fmt: off
__all__ = [
    "argmax", "argmin", "argsort", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "concat", "count_nonzero",
    "expand_dims", "flip", "isin", "moveaxis", "nonzero", "permute_dims", "repeat", "reshape", "roll", "searchsorted",
    "sort", "squeeze", "stack", "take", "take_along_axis", "tile", "unique_all", "unique_counts", "unique_inverse",
    "unique_values", "unstack", "where",
]
# fmt: on


def _several(axis: Any) -> tuple[int, ...]:
    return tuple(axis) if isinstance(axis, tuple | list) else (axis,)


def broadcast_arrays(*arrays: Tensor) -> tuple[Tensor, ...]:
    """The tensors expanded to their common shape."""
    return tuple(td.broadcast_tensors(*arrays)) if arrays else ()


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape that shapes broadcast to.

    >>> td.array_api.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    return np.broadcast_shapes(*shapes)


def broadcast_to(x: Tensor, /, shape: Any) -> Tensor:
    """The tensor expanded to a shape."""
    return td.broadcast_to(x, shape)


def concat(arrays: Any, /, *, axis: int | None = 0) -> Tensor:
    """The tensors joined along a dimension; None flattens them first. Dtypes promote."""
    parts = together(*arrays)
    return td.cat([each.flatten() for each in parts]) if axis is None else td.cat(parts, axis)


def stack(arrays: Any, /, *, axis: int = 0) -> Tensor:
    """The tensors joined along a new dimension. Dtypes promote."""
    return td.stack(together(*arrays), axis)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The parts of a tensor along a dimension, without it."""
    return td.unbind(x, axis)


def expand_dims(x: Tensor, /, axis: Any = 0) -> Tensor:
    """The tensor with new dimensions of size 1, which are at `axis` in the result.

    Raises:
        IndexError: the result has no such dimension. ValueError: one is named twice.
    """
    axes, ndim = _several(axis), x.ndim + len(_several(axis))
    if any(not -ndim <= each < ndim for each in axes):
        raise IndexError(f"expand_dims: got axis={axis!r}, expected dimensions of a result of {ndim}")
    places = {each % ndim for each in axes}
    if len(places) < len(axes):
        raise ValueError(f"expand_dims: got axis={axis!r}, expected each dimension once")
    sizes = iter(x.shape)
    return td.reshape(x, [1 if dim in places else next(sizes) for dim in range(ndim)])


def squeeze(x: Tensor, /, axis: Any) -> Tensor:
    """The tensor without the dimensions at `axis`.

    Raises:
        ValueError: one of them has not the size 1.
    """
    axes = _several(axis)
    for each in axes:
        if -x.ndim <= each < x.ndim and x.shape[each] != 1:
            raise ValueError(f"squeeze: got axis={axis!r} for shape {x.shape}, expected dimensions of size 1")
    return td.squeeze(x, axes)


def flip(x: Tensor, /, *, axis: Any = None) -> Tensor:
    """The elements in reverse order along dimensions; along all by default."""
    return td.flip(x, tuple(range(x.ndim)) if axis is None else _several(axis))


def moveaxis(x: Tensor, source: Any, destination: Any, /) -> Tensor:
    """The tensor with dimensions moved to other places; the others keep their order."""
    return td.movedim(x, source, destination)


def permute_dims(x: Tensor, /, axes: Any) -> Tensor:
    """The tensor with its dimensions in another order."""
    return td.permute(x, axes)


def repeat(x: Tensor, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Each element, or slice along a dimension, several times; None flattens the tensor first."""
    counts = repeats.to(td.int64) if isinstance(repeats, Tensor) else repeats
    return td.repeat_interleave(x.flatten() if axis is None else x, counts, dim=0 if axis is None else axis)


def reshape(x: Tensor, /, shape: Any, *, copy: bool | None = None) -> Tensor:
    """The elements in another shape, in which one size may be -1.

    Args:
        copy: True copies, False shares memory or raises, None shares it where it can.

    Raises:
        ValueError: `copy=False`, and memory can't be shared.
    """
    if copy is False:
        try:
            found: Tensor = x.view(shape)
            return found
        except RuntimeError as error:
            raise ValueError(f"reshape: got copy=False, expected strides that allow a view: {error}") from None
    return td.reshape(x.clone() if copy else x, shape)


def roll(x: Tensor, /, shift: Any, *, axis: Any = None) -> Tensor:
    """The elements shifted along dimensions; those that leave at the end come in at the start. None flattens."""
    if axis is None:
        return td.roll(x, sum(_several(shift)))
    axes, steps = _several(axis), _several(shift)
    return td.roll(x, steps if len(steps) == len(axes) else steps * len(axes), axes)


def tile(x: Tensor, repetitions: Any, /) -> Tensor:
    """The tensor several times along each dimension."""
    return td.tile(x, tuple(repetitions))


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """The slices at the indices along a dimension, which may be left out if there is only one.

    Raises:
        ValueError: `axis` is left out for more dimensions than one.
    """
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take: got axis=None for shape {x.shape}, expected a dimension")
        axis = 0
    found: Tensor = x[(slice(None),) * (axis % x.ndim) + (indices,)]
    return found


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """The elements at the indices along a dimension; the other dimensions of both broadcast."""
    places = indices.to(td.int64)
    return td.take_along_dim(x, td.where(places < 0, places + x.shape[axis], places), axis)


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest element lies along a dimension, or in the flattened tensor: the first one."""
    return td.argmax(x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest element lies along a dimension, or in the flattened tensor: the first one."""
    return td.argmin(x, axis, keepdims)


def count_nonzero(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """How many elements are not zero, over all dimensions or those given."""
    found: Tensor = reduced(td.sum, td.ne(x, 0), axis, keepdims)
    return found


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """The indices of the elements that are not zero, a tensor for each dimension.

    Raises:
        ValueError: the tensor has no dimensions.
    """
    if not x.ndim:
        raise ValueError("nonzero: got a tensor without dimensions, expected one or more; use reshape(x, (1,))")
    return tuple(td.nonzero(x, as_tuple=True))


def searchsorted(x1: Tensor, x2: Any, /, *, side: str = "left", sorter: Tensor | None = None) -> Tensor:
    """Where each element of x2 belongs in the sorted x1: before equal elements ("left") or behind them ("right").

    Args:
        sorter: the indices that sort x1, if it isn't.
    """
    where, values = together(x1, x2)
    order = None if sorter is None else sorter.to(td.int64)
    return td.searchsorted(where, values, side=side, sorter=order)


def where(condition: Tensor, x1: Any, x2: Any, /) -> Tensor:
    """The elements of x1 where the condition holds, of x2 elsewhere. Dtypes promote."""
    found: Tensor = td.where(condition, *together(x1, x2))
    return found


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements in order along a dimension."""
    found: Tensor = td.sort(x, axis, descending, stable).values
    return found


def argsort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The indices that put the elements in order along a dimension."""
    return td.argsort(x, axis, descending, stable)


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Tensor:
    """Whether each element of x1 is among those of x2; with `invert`, whether it isn't."""
    return td.isin(*together(x1, x2), invert=invert)


class unique_all_result(NamedTuple):
    """The results of `unique_all`."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class unique_counts_result(NamedTuple):
    """The results of `unique_counts`."""

    values: Tensor
    counts: Tensor


class unique_inverse_result(NamedTuple):
    """The results of `unique_inverse`."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x: Tensor, /) -> unique_all_result:
    """The different elements in order, where each is first, which of them each element is, and how often each occurs.

    Each NaN differs from all others.

    >>> td.array_api.unique_all(td.tensor([2, 1, 2])).counts
    tensor([1, 2])
    """
    _, indices, inverse, counts = np.unique(
        x.numpy(force=True), return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    places, whole = td.asarray(indices), td.asarray(inverse.reshape(x.shape))
    return unique_all_result(x.reshape(-1)[places], places, whole, td.asarray(counts))


def unique_counts(x: Tensor, /) -> unique_counts_result:
    """The different elements in order, and how often each occurs."""
    found = unique_all(x)
    return unique_counts_result(found.values, found.counts)


def unique_inverse(x: Tensor, /) -> unique_inverse_result:
    """The different elements in order, and which of them each element is."""
    found = unique_all(x)
    return unique_inverse_result(found.values, found.inverse_indices)


def unique_values(x: Tensor, /) -> Tensor:
    """The different elements in order."""
    return unique_all(x).values
