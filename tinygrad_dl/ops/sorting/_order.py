"""The order of elements along a dimension, equal ones as they stood.

NumPy sorts integers by vector instructions, and indices, by what they point at, one comparison at a time. So what is
long is sorted as words of 64 bits, each of which holds an element's rank among the numbers of its type above its place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, contiguous, module_of
from tinygrad_dl.backends.blocks import in_blocks
from tinygrad_dl.backends.transposing import along_rows

LONG = 2048  # elements of an array, from which words pay
WORD = 63  # bits below the sign's


def order(input: Any, dim: int, descending: bool) -> Any:
    """The indices that sort along `dim`; equal elements stay in the order they had."""
    if not input.ndim:
        return module_of(input).zeros((), np.int64)
    found: np.ndarray
    if input.size >= LONG and at_hand(input) and fits_words(input, dim):
        rows = along_rows(input, dim)
        found = by_words(rows.reshape(-1, rows.shape[-1]), descending).reshape(rows.shape)
        return contiguous(np.moveaxis(found, -1, dim))
    if not descending:
        found = input.argsort(dim, kind="stable")
        return found
    # Sorting the reversed elements and reversing the result puts the large ones first, equal ones in order.
    back = (*(slice(None),) * dim, slice(None, None, -1))
    found = input[back].argsort(dim, kind="stable")[back]
    found = input.shape[dim] - 1 - found
    return found


def place_bits(size: int) -> int:
    """How many bits of a word an element's place takes."""
    return max(1, (size - 1).bit_length())


def fits_words(input: np.ndarray, dim: int) -> bool:
    """Whether the rank of each element fits into a word beside its place along `dim`."""
    left = WORD - place_bits(input.shape[dim])
    if input.dtype.kind == "f":
        return input.itemsize <= 4 and left >= 32
    if input.dtype.kind not in "iu" or input.itemsize <= 2 or input.dtype == np.uint64:
        return False  # short integers NumPy sorts by their digits
    return bool(int(input.max()) - int(input.min()) < 1 << left)


def by_words(rows: np.ndarray, descending: bool) -> np.ndarray:
    """The order of each row."""
    words = np.empty(rows.shape, np.int64)
    floating = rows.dtype.kind == "f"
    edge = 0 if floating else rows.max() if descending else rows.min()
    places, bits = np.arange(rows.shape[-1]), place_bits(rows.shape[-1])

    def some(start: int, stop: int) -> None:
        here, part = words[start:stop], rows[start:stop]
        if floating:
            np.copyto(here, ranks_of(part))
            if descending:
                np.invert(here, here)
        else:
            larger, smaller = (edge, part) if descending else (part, edge)
            np.subtract(larger, smaller, out=here, dtype=np.int64)
        np.left_shift(here, bits, here)
        np.bitwise_or(here, places, here)
        here.sort(-1)
        np.bitwise_and(here, (1 << bits) - 1, here)

    in_blocks(some, *rows.shape)
    return words


def ranks_of(x: np.ndarray) -> np.ndarray:
    """Integers of 32 bits in the order of floating numbers: both zeros are one, and every nan the largest."""
    x = x.astype(np.float32) + np.float32(0)
    bits: np.ndarray = x.view(np.int32)
    most = np.int32(np.iinfo(np.int32).max)
    ranks: np.ndarray = bits ^ ((bits >> 31) & most)  # of negative numbers the farthest from zero comes first
    np.copyto(ranks, most, where=np.isnan(x))
    return ranks
