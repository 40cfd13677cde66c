"""How elements lie in memory, by PyTorch's names: memory formats, and the one layout that there is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from tinygrad_dl.backends.transposing import copy_transposed


class Named:
    """A constant that is known by its name, of which there is one object."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"tinygrad_dl.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class memory_format(Named):
    """The order of the dimensions of a tensor in memory: `td.contiguous_format`, `td.channels_last` and so on.

    Shapes do not depend on it: pictures are (N, C, H, W) in each. Copies, casts, elementwise operations, convolutions,
    pooling, normalisations, padding and interpolation return pictures with channels last of those that have them so,
    and a leaf's `.grad` lies as the leaf does.

    >>> x = td.ones(2, 3, 4, 5).contiguous(memory_format=td.channels_last)
    >>> x.shape, x.stride()
    ((2, 3, 4, 5), (60, 1, 15, 3))

    Source: https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.memory_format
    """

    __slots__ = ()


class layout(Named):
    """How a tensor keeps its elements: `td.strided`, in an array. There is no other here; programs compare with it.

    >>> td.ones(2).layout == td.strided
    True

    Source: https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.layout
    """

    __slots__ = ()


contiguous_format: Final = memory_format("contiguous_format")
preserve_format: Final = memory_format("preserve_format")
channels_last: Final = memory_format("channels_last")
channels_last_3d: Final = memory_format("channels_last_3d")
strided: Final = layout("strided")
sparse_coo: Final = layout("sparse_coo")
sparse_csr: Final = layout("sparse_csr")

# With channels last: the number of dimensions, and their order in memory.
ORDERS: Final = {channels_last: (0, 2, 3, 1), channels_last_3d: (0, 2, 3, 4, 1)}
ORDERS_BY_NDIM: Final = {len(order): order for order in ORDERS.values()}
LEAST = 4096  # elements of a sample, below which one copy of all samples is the faster way


def order_of(format: Any, ndim: int, what: str) -> tuple[int, ...] | None:
    """The order of the dimensions in memory that a format asks for; None for row-major order.

    Raises:
        TypeError: it is no memory format. ValueError: the format is of another number of dimensions.
    """
    if format is None or format is contiguous_format:
        return None
    if not isinstance(format, memory_format):
        raise not_a_format(format, what)
    order = ORDERS.get(format)
    if order is None:
        raise ValueError(f"{what}: got {format}, expected td.contiguous_format or one with channels last")
    if len(order) != ndim:
        raise ValueError(f"{what}: got a tensor of {ndim} dimensions, expected {len(order)} for {format}")
    return order


def laid(array: np.ndarray, format: Any, what: str, like: np.ndarray | None = None) -> np.ndarray:
    """A copy of an array whose elements lie in the order of a format; raises as `order_of`.

    With `like` the format may be `td.preserve_format`: the order of that array, if it has no gaps.
    """
    if format is preserve_format and like is not None:
        return in_order(array, dense_order(like))
    return in_order(array, order_of(format, array.ndim, what))


def in_order(array: np.ndarray, order: Sequence[int] | None) -> np.ndarray:
    """A copy of an array with its dimensions in this order in memory, None for row-major order."""
    last = ORDERS_BY_NDIM.get(array.ndim)
    if type(array) is not np.ndarray:
        if order is None:
            return array.copy("C")
        return array.transpose(order).copy("C").transpose(np.argsort(order).tolist())
    if order is None:
        if array.size >= LEAST and array.ndim > 1 and not array.flags.c_contiguous:
            turned = array.swapaxes(-1, -2)
            if turned.flags.c_contiguous:
                return exchanged(turned.reshape(-1, *turned.shape[-2:])).reshape(array.shape)
        if last is None or array.flags.c_contiguous or not array.transpose(last).flags.c_contiguous:
            return array.copy("C")
        n, c, *size = array.shape
        return exchanged(array.transpose(last).reshape(n, math.prod(size), c)).reshape(array.shape)
    if tuple(order) != last or not array.flags.c_contiguous:
        return array.transpose(order).copy("C").transpose(np.argsort(order))
    n, c, *size = array.shape
    return exchanged(array.reshape(n, c, math.prod(size))).reshape(n, *size, c).transpose(np.argsort(order))


def exchanged(array: np.ndarray) -> np.ndarray:
    """A copy of (N, A, B), whose rows are pieces of memory, as (N, B, A)."""
    n, a, b = array.shape
    out = np.empty((n, b, a), array.dtype)
    if a * b < LEAST:
        out[...] = array.swapaxes(1, 2)
    else:
        for i in range(n):
            copy_transposed(array[i], out[i])
    return out


def dense_order(array: np.ndarray) -> Sequence[int] | None:
    """The order of an array's dimensions in memory; None if there are gaps, or elements lie in the same place."""
    order = sorted(range(array.ndim), key=array.strides.__getitem__, reverse=True)
    return order if array.transpose(order).flags.c_contiguous else None


def lies_so(array: np.ndarray, format: Any) -> bool:
    """Whether the elements of an array lie in the order of a format, without gaps."""
    if format is contiguous_format:
        return array.flags.c_contiguous
    if not isinstance(format, memory_format):
        raise not_a_format(format, "is_contiguous")
    order = ORDERS.get(format, ())
    return array.ndim == len(order) and array.transpose(order).flags.c_contiguous


def kept_order(array: np.ndarray) -> tuple[int, ...] | None:
    """The order of dimensions with channels last if the elements of an array lie so, maybe with gaps, else None.

    Strides tell it, as PyTorch reads them: where sizes of 1 leave it open, it is row-major order.
    """
    order = ORDERS_BY_NDIM.get(array.ndim)
    if order is None or array.flags.c_contiguous or not array.size:
        return None
    strides, shape, least = array.strides, array.shape, 0
    if strides[1] == 0:
        return None
    for dim in order[:0:-1]:
        if strides[dim] < least:
            return None
        least = strides[dim] * max(1, shape[dim])
    return None if strides[0] < least or least == strides[1] else order


def laid_like(array: np.ndarray, like: np.ndarray | None) -> np.ndarray:
    """An array with its channels last if those of another one lie so: the same one if they do already, or need not."""
    order = None if like is None or array.ndim != like.ndim else kept_order(like)
    if order is None or (array.transpose(order).flags.c_contiguous and not array.flags.c_contiguous):
        return array  # where sizes of 1 leave it open, the strides shall say it
    return in_order(array, order)


def not_a_format(value: Any, what: str) -> TypeError:
    """The error for anything else in the place of a memory format."""
    return TypeError(f"{what}: got memory_format={value!r}, expected a format such as td.channels_last")
