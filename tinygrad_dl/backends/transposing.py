"""Transposed copies of matrices, by the BLAS where it has a function for it.

NumPy copies element by element in the order of one of the two matrices, and jumps through memory in the other: 0.4 to 3
ns an element, the more where the rows lie powers of 2 apart. OpenBLAS's `omatcopy` goes through both by tiles: 0.2 to
0.4 ns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends import blas

__all__ = ["along_rows", "copy_transposed"]

LEAST = 1024  # elements: in fewer, NumPy's copy costs no more than a call by ctypes
LARGE = 2**14  # elements: from here on NumPy's copy of some rows at a time is faster
TILE = 16
ROWS, TRANSPOSED = 101, 112  # CBLAS's names for the order of a matrix in memory, and for what becomes of it

_functions: dict[Any, Callable[..., Any]] | None = None  # by dtype; None: not looked for yet


def copy_transposed(x: np.ndarray, out: np.ndarray) -> None:
    """`out[...] = x.T`, of matrices that share no memory."""
    if x.size >= LEAST and x.dtype is out.dtype and x.shape == out.shape[::-1]:
        each = x.itemsize
        rows = x.strides[1] == out.strides[1] == each and not (x.strides[0] % each or out.strides[0] % each)
        if rows and x.strides[0] >= x.shape[1] * each and out.strides[0] >= x.shape[0] * each:
            function = (_find() if _functions is None else _functions).get(x.dtype)
            if function is not None:
                _call(function, x, out)
                return
    if x.size < LARGE:
        out[...] = x.T
        return
    for start in range(0, len(x), TILE):
        out[:, start : start + TILE] = x[start : start + TILE].T


def _call(function: Callable[..., Any], x: np.ndarray, out: np.ndarray) -> None:
    each = x.itemsize
    function(
        ROWS, TRANSPOSED, *x.shape, 1, x.ctypes.data, x.strides[0] // each, out.ctypes.data, out.strides[0] // each
    )


def _find() -> dict[Any, Callable[..., Any]]:
    """The BLAS's functions, by dtype; empty if there are none, or if they do not copy every number as it is."""
    global _functions
    if _functions is None:
        found = blas.functions("omatcopy", _signature)
        _functions = {dtype: function for dtype, function in found.items() if copies(function, dtype)}
    return _functions


def _signature(integer: Any, real: Any, array: Any) -> list[Any]:
    from ctypes import c_int

    return [c_int, c_int, integer, integer, real, array, integer, array, integer]


def copies(function: Callable[..., Any], dtype: Any) -> bool:
    """Whether the BLAS copies what is special, too, and nothing outside of the matrix."""
    x = np.arange(7.0 * 90, dtype=dtype).reshape(7, 90) / 7
    x[:6, 3] = [np.nan, np.inf, -np.inf, -0.0, np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max]
    out = np.full((83, 9), -1, dtype)
    _call(function, x[:, :83], out[:, :7])
    inside = np.array_equal(out[:, :7], x[:, :83].T, equal_nan=True)
    return inside and bool((out[:, 7:] == -1).all()) and bool(np.signbit(out[3, 3]))


def along_rows(x: np.ndarray, dim: int) -> np.ndarray:
    """The array with dimension `dim` as its last one, row-major: a view, or a copy by the fastest way."""
    moved = np.moveaxis(x, dim, -1)
    if moved.flags.c_contiguous:
        return moved
    if not x.flags.c_contiguous or x.size < LEAST:
        return np.ascontiguousarray(moved)
    before, after = math.prod(x.shape[:dim]), math.prod(x.shape[dim + 1 :])
    if before > after or not after:  # many small matrices: a call for each would cost more than the jumps
        return np.ascontiguousarray(moved)
    out = np.empty(moved.shape, x.dtype)
    for matrix, rows in zip(
        x.reshape(before, x.shape[dim], after), out.reshape(before, after, x.shape[dim]), strict=True
    ):
        copy_transposed(matrix, rows)
    return out
