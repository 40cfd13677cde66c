"""Arrays that show given memory: what a `View` stands for."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.compiler.program import Buffer, View


class Memory:
    """Memory at an address, told to NumPy by its array interface; arrays made of it keep it alive.

    Source: https://numpy.org/doc/stable/reference/arrays.interface.html
    """

    __slots__ = ("__array_interface__", "owner")

    def __init__(self, address: int, nbytes: int, owner: Any):
        self.owner = owner
        self.__array_interface__ = {"version": 3, "data": (address, False), "shape": (nbytes,), "typestr": "|u1"}


def memory_of(buffer: Buffer) -> np.ndarray:
    """The bytes of a buffer that lives on."""
    return np.asarray(Memory(buffer.address, buffer.nbytes, buffer.owner))


def shown(view: View, memory: np.ndarray) -> np.ndarray:
    """The array of a view, whose buffer is this memory: bytes, contiguous."""
    if not memory.nbytes or 0 in view.shape:
        return np.empty(view.shape, view.dtype)
    return np.ndarray(view.shape, view.dtype, memory, view.offset, view.strides)
