"""Elementwise operations with what is repeated along rows, such as the mean of each of them.

NumPy's iterator holds 8,192 elements: of rows of half as many and less it copies such an operand into its buffer, for
each row again, and takes twice as long. With a smaller buffer it goes row by row, at a price of some 50 ns a row.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

__all__ = ["along_rows"]

SHORT, LONG = 512, 4096  # elements of the rows between which a smaller buffer is the faster way
BUFFER = 512  # elements


class SmallBuffer:
    """While a call is inside, NumPy's iterators in this thread have a small buffer."""

    __slots__ = ("before",)

    def __enter__(self) -> None:
        self.before = np.setbufsize(BUFFER)

    def __exit__(self, *_: object) -> None:
        np.setbufsize(self.before)


def along_rows(length: int) -> contextlib.AbstractContextManager[Any]:
    """What operations between rows of so many elements and one element for each are to be done in."""
    return SmallBuffer() if SHORT <= length <= LONG else contextlib.nullcontext()
