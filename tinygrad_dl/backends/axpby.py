"""Weighted sums of two arrays, in one pass over the memory where NumPy's BLAS has a function for it.

NumPy needs three calls and an array for one of the products. BLAS's `axpby` does the same in one call. It is looked for
in the OpenBLAS that NumPy's wheels bring along (see `blas.py`), and taken only if its sums are those of NumPy to the
last bit: so no result depends on which of them worked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.blas import functions

__all__ = ["axpby", "weighted_sum"]

LEAST = 2048  # elements: in fewer, NumPy's calls cost no more than one by ctypes

_functions: dict[Any, Callable[..., Any]] | None = None  # by dtype; None: not looked for yet
_place: Callable[[Any], Any]  # of an array's memory, as a C function takes it


def axpby(a: Any, x: Any, b: Any, y: Any, work: Any) -> None:
    """`y = a * x + b * y`, in place.

    Args:
        a, b: numbers.
        x, y: 1-d arrays of one size and dtype, in one piece, and writable.
        work: an array like them to be written over; may be x. None: one is made where it is needed.
    """
    if type(y) is np.ndarray and y.size >= LEAST and a and b:  # BLAS takes 0 times nan for 0
        function = (find() if _functions is None else _functions).get(y.dtype)
        if function is not None:
            function(y.size, a, _place(x), 1, b, _place(y), 1)
            return
    product = x if a == 1 else np.multiply(x, a, out=work)
    if b != 1:
        y *= b
    y += product


def weighted_sum(y: Any, b: Any, x: Any, a: Any) -> None:
    """`y = b * y + a * x`, in place: `axpby` as compiled programs call it, what is changed first."""
    axpby(a, x, b, y, None)


def by_blas(y: Any) -> bool:
    """Whether the BLAS adds to such an array."""
    return type(y) is np.ndarray and y.size >= LEAST and y.dtype in find()


def find() -> dict[Any, Callable[..., Any]]:
    """The BLAS's functions, by dtype; empty if there are none, or if they round in another way than NumPy."""
    global _functions, _place
    if _functions is None:
        import ctypes

        _place = (ctypes.c_char * 0).from_buffer
        found = functions("axpby", lambda integer, real, array: [integer, real, array, integer, real, array, integer])
        _functions = {dtype: each for dtype, each in found.items() if rounds_like_numpy(each, dtype.type)}
    return _functions


def rounds_like_numpy(function: Callable[..., Any], kind: Any) -> bool:
    """Whether the BLAS rounds both products and their sum, wherever in its vectors an element is.

    One that has the second rounded with the first product (FMA) would make an element's last bit depend on who adds.
    """
    x = np.arange(1, 151, dtype=kind) / 7
    y = x[::-1] / 3
    expected = kind(0.1) * x + kind(0.9) * y
    for start in range(4):
        for stop in range(start, 150, 29):
            part, found = x[start:stop].copy(), y[start:stop].copy()
            function(found.size, 0.1, _place(part), 1, 0.9, _place(found), 1)
            if not np.array_equal(found, expected[start:stop]):
                return False
    return True
