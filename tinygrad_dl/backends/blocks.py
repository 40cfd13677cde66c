"""Elementwise work and work on rows, on large arrays: in few long NumPy calls, on all cores.

A NumPy call of some hundred thousand elements lets the other threads run for long enough that they seldom wait for the
interpreter; calls of 16 thousand, which would find their data nearer to the core, take twice as long on two threads.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.threads import Work, parallel_for

__all__ = ["blockwise", "fixed_blocks", "in_blocks", "is_large"]

BLOCK = 2**18  # elements: three float32 arrays of them are in the last cache
FIXED = 2**18
LEAST = 2**16  # elements that are worth a thread, of work that makes a dozen passes over them
LARGE = 2**18  # elements of an array that are worth several threads, of work that makes a few passes
ROWS = 16  # blocks begin at multiples, where kernels work on whole tiles


def in_blocks(work: Work, count: int, size: int = 1, least: int = LEAST) -> None:
    """Calls `work(start, stop)` on blocks that together cover `count` items of `size` elements, on several threads.

    Where blocks begin depends on the number of threads, so an item's result must not depend on its block.

    Args:
        work: what to do with one block; see `parallel_for`.
        least: elements that are worth a thread.
    """
    most = max(1, BLOCK // max(1, size * ROWS))

    def share(first: int, last: int) -> None:
        parts = -(-(last - first) // most)
        for part in range(parts):
            start, stop = (first + (last - first) * end // parts for end in (part, part + 1))
            work(start * ROWS, min(stop * ROWS, count))

    parallel_for(share, -(-count // ROWS), -(-least // max(1, size * ROWS)))


def is_large(x: Any) -> bool:
    """Whether `blockwise` is worth it: many numbers in one piece."""
    return type(x) is np.ndarray and x.size >= LARGE and x.dtype.char in "fd" and x.flags.c_contiguous


def blockwise(function: Callable[..., object], *arrays: np.ndarray, results: int = 1) -> list[np.ndarray]:
    """Calls function(*results, *blocks) on block after block of flat arrays of one shape, on several threads.

    Returns:
        The results, new arrays of the shape and dtype of the first one.
    """
    first = arrays[0]
    made = [np.empty(first.shape, first.dtype) for _ in range(results)]
    flat = [each.reshape(-1) for each in (*made, *map(np.ascontiguousarray, arrays))]
    in_blocks(lambda start, stop: function(*[a[start:stop] for a in flat]), first.size)
    return made


def fixed_blocks(count: int, size: int, most: int = FIXED, tile: int = ROWS) -> list[slice]:
    """Blocks of `count` rows of `size` elements, for results that depend on where blocks begin.

    They do not depend on the number of threads. Their number is even, so that two threads have the same work.

    Args:
        most: elements of a block, about.
        tile: blocks begin at multiples of so many rows, where these are not too long.
    """
    if count * size <= most:
        return [slice(0, count)]
    tile = tile if tile * size <= most else 1
    tiles = -(-count // tile)
    blocks = min(tiles, -(-count * size // most))
    blocks += blocks % 2 if blocks < tiles else 0
    bounds = [min(count, tiles * block // blocks * tile) for block in range(blocks + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(bounds)]
