"""Which memory an array shows: the buffers of a program, found by the address of an array's elements.

Arrays are known by their owner, the object whose memory they show, and by what they show of it. Owners are referred to
weakly, so the run that is recorded frees memory as it does otherwise.
"""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np

from tinygrad_dl.compiler.program import Buffer, View

__all__ = ["Memories", "owner_of"]


def owner_of(array: Any) -> Any:
    """The object whose memory an array shows: an array, or what lends its memory to arrays."""
    base = array.base
    while base is not None:
        if type(base) is memoryview:
            base = base.obj
            continue
        array, base = base, getattr(base, "base", None)
    return array


def address_of(array: np.ndarray) -> int:
    """Where an array's first element lies."""
    return int(array.__array_interface__["data"][0])


def extent_of(owner: Any, array: np.ndarray) -> tuple[int, int]:
    """Where the memory of an owner begins, and how many bytes it has."""
    if not isinstance(owner, np.ndarray):
        try:
            bytes_ = np.frombuffer(owner, np.uint8)
            return address_of(bytes_), bytes_.nbytes
        except (TypeError, ValueError, BufferError):
            owner = array
    low, high = bounds_of(owner)
    return low, high - low


def bounds_of(array: np.ndarray) -> tuple[int, int]:
    """Where the elements of an array begin and end."""
    if not array.size:
        return (address_of(array),) * 2
    return np.lib.array_utils.byte_bounds(array)


class Memories:
    """The buffers met so far."""

    def __init__(self) -> None:
        self.buffers: list[Buffer] = []
        self.parts: dict[int, list[Buffer]] = {}  # of each owner, by its id
        self.partial: set[Buffer] = set()  # those that are not all of their owner's memory
        self.owners: dict[int, Any] = {}  # weak references, or the owner where there can be none

    def buffer(self, kind: str, name: str, address: int, nbytes: int, owner: Any) -> Buffer:
        made = Buffer(len(self.buffers), kind, nbytes, address, owner, name)
        self.buffers.append(made)
        return made

    def add(self, owner: Any, buffer: Buffer) -> Buffer:
        """Notes that a buffer lies in the memory of an owner."""
        key = id(owner)
        if key not in self.owners:
            parts, owners = self.parts, self.owners

            def forget(_: Any) -> None:
                parts.pop(key, None)
                owners.pop(key, None)

            try:
                owners[key] = weakref.ref(owner, forget)
            except TypeError:
                owners[key] = owner
        self.parts.setdefault(key, []).append(buffer)
        return buffer

    def find(self, array: np.ndarray) -> Buffer | None:
        """The buffer that an array shows, if it is known."""
        parts = self.parts.get(id(owner_of(array)))
        if parts is None:
            return None
        if parts[0] in self.partial:
            low, high = bounds_of(array)
            return next((each for each in parts if each.address <= low and high <= each.address + each.nbytes), None)
        return parts[0]

    def whole(self, array: np.ndarray, kind: str, name: str = "", keep: bool = False) -> Buffer:
        """The buffer of all memory that an array's owner has; made if it is not known."""
        owner = owner_of(array)
        parts = self.parts.get(id(owner))
        if parts is not None and parts[-1] not in self.partial:
            return parts[-1]
        address, nbytes = extent_of(owner, array)
        return self.add(owner, self.buffer(kind, name, address, nbytes, owner if keep else None))

    def own(self, array: np.ndarray, kind: str, name: str) -> Buffer:
        """A buffer of the elements of an array alone, whoever owns them."""
        low, high = bounds_of(array)
        buffer = self.buffer(kind, name, low, high - low, array)
        self.partial.add(buffer)
        owner = owner_of(array)
        self.add(owner, buffer)
        self.parts[id(owner)].sort(key=lambda part: part not in self.partial)  # they are found first
        return buffer

    def living(self) -> set[Buffer]:
        """The buffers whose owners are still there."""
        return {buffer for parts in self.parts.values() for buffer in parts}


def view_of(array: np.ndarray, buffer: Buffer) -> View:
    """The view of a buffer that an array is."""
    offset = address_of(array) - buffer.address if array.size else 0
    return View(buffer, offset, array.shape, array.strides, array.dtype)


def contiguous(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The strides of a row-major array."""
    return tuple([itemsize * math.prod(shape[i + 1 :]) for i in range(len(shape))])
