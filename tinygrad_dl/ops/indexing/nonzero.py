"""Indices: of elements that are not zero, and of numbered elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.ops._overload import method


@method
def nonzero(input: Array, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not zero: a tensor (count, ndim), or a tuple of one tensor a dimension.

    >>> td.tensor([[0, 7], [8, 0]]).nonzero()
    tensor([[0, 1],
            [1, 0]])
    """
    data = as_array(input)
    if as_tuple:
        return tuple([wrap(each) for each in np.atleast_1d(data).nonzero()])
    return wrap(np.argwhere(data))


@method
def argwhere(input: Array) -> Tensor:
    """`nonzero`: the indices of the elements that are not zero, (count, ndim).

    >>> td.argwhere(td.tensor([0.0, 2.0, 3.0]))
    tensor([[1],
            [2]])
    """
    result: Tensor = nonzero(input)
    return result


@composition
def unravel_index(indices: Array, shape: Any) -> tuple[Tensor, ...]:
    """Where the elements with these numbers stand in a tensor of that shape: one tensor of indices a dimension.

    Args:
        indices: numbers of elements in row-major order, from 0.
        shape: a size, or several.

    Raises:
        TypeError: the indices, or the sizes, are no integers.
        ValueError: a number is out of range, or a size negative.

    >>> td.unravel_index(td.tensor([4, 1]), (2, 3))
    (tensor([1, 0]), tensor([1, 1]))
    """
    found = as_array(indices)
    if found.dtype.kind not in "iu":
        raise TypeError(f"unravel_index: got indices of dtype {found.dtype}, expected integers")
    sizes = (shape,) if isinstance(shape, int) else shape
    if not isinstance(sizes, tuple | list) or not all(isinstance(size, int) for size in sizes):
        raise TypeError(f"unravel_index: got shape={shape!r}, expected an integer or a tuple of integers")
    if min(sizes, default=0) < 0:
        raise ValueError(f"unravel_index: got shape={shape!r}, expected sizes that are not negative")
    return tuple([wrap(np.array(each, np.int64)) for each in np.unravel_index(found, tuple(sizes))])


@method
def nonzero_static(input: Array, *, size: int, fill_value: int = -1) -> Tensor:
    """`nonzero` with a given number of rows: the first `size` indices, and rows of `fill_value` if there are fewer.

    Args:
        size: the number of rows.
        fill_value: what stands in rows without an index.

    Returns:
        (size, ndim), int64.

    Raises:
        RuntimeError: a negative size.

    >>> td.nonzero_static(td.tensor([1, 0, 2]), size=3)
    tensor([[ 0],
            [ 2],
            [-1]])
    """
    if size < 0:
        raise RuntimeError(f"nonzero_static: expected a size of 0 or more, got {size}")
    found = np.argwhere(as_array(input))[:size]
    out = np.full((size, found.shape[1]), fill_value, np.int64)
    out[: len(found)] = found
    return wrap(out)
