"""What the text of a program refers to: in the library as functions, in a file of its own as source."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np


class Stopped(Exception):
    """A guard did not hold. What lives on is as it was before the run."""


def aligned(nbytes: int) -> np.ndarray:
    """A block of bytes that begins at a multiple of 64, a line of the processor's cache."""
    block = np.empty(nbytes + 64, np.uint8)
    start = -block.__array_interface__["data"][0] % 64
    return block[start : start + nbytes]


def array_in(memory: np.ndarray) -> Callable[..., np.ndarray]:
    """The function that makes arrays which are parts of a block of memory: one object for those that are alike."""

    @cache
    def array(offset: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        return np.ndarray(shape, dtype, memory, offset) if 0 not in shape else np.empty(shape, dtype)

    return array


def number(value: float, dtype: Any) -> np.ndarray:
    """A number as an array without dimensions."""
    return np.array(value, dtype)


def strided(base: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of the elements that lie so many bytes apart in the memory of another one."""
    return np.ndarray(shape, dtype, base, offset, strides)


def at_once(*lanes: Callable[[], None]) -> None:
    """Runs functions at the same time, on the library's threads."""
    from tinygrad_dl.backends.threads import parallel_for_products

    def work(start: int, stop: int) -> None:
        for lane in lanes[start:stop]:
            lane()

    parallel_for_products(work, len(lanes))


def in_turn(*lanes: Callable[[], None]) -> None:
    """Runs functions one after the other; the library runs them at the same time."""
    for lane in lanes:
        lane()


def in_numpy(y: np.ndarray, b: Any, x: np.ndarray, a: Any) -> None:
    """`y = b * y + a * x`, in place; the library has the BLAS do it at once, with the same result."""
    product = x if a == 1 else x * a
    if b != 1:
        y *= b
    y += product


def sources(*functions: Any) -> str:
    """The source of functions and classes of this file."""
    return "\n\n".join(inspect.getsource(function) for function in functions).replace("-> np.ndarray", "-> ndarray")
