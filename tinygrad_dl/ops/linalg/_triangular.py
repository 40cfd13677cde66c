"""Systems of equations with triangular matrices: by the BLAS that NumPy brings along, or by halves.

NumPy has no function for them: its `solve` factors each matrix first, which takes n times as long for one right side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import contiguous, module_of, truth
from tinygrad_dl.backends.blas import library
from tinygrad_dl.backends.threads import parallel_for_products

__all__ = ["solution", "solve_in_place"]

ROWS, LEFT, RIGHT, UPPER, LOWER, PLAIN, TURNED, DIAGONAL, ONES = 101, 141, 142, 121, 122, 111, 112, 131, 132  # CBLAS's
BLOCK = 16  # rows up to which `numpy.linalg.solve` is as fast as halves
LARGE = 2**23  # multiplications that are worth a thread
STACK = 64  # matrices that are

_functions: dict[Any, Callable[..., Any]] | None = None  # by dtype; None: not looked for yet


def solution(a: Any, b: Any, upper: bool, left: bool = True, ones: bool = False) -> Any:
    """The X with a X = b, or X a = b; dimensions in front broadcast. See `solve_in_place`.

    Raises:
        ZeroDivisionError: a 0 is on the diagonal, and is read.
    """
    if not ones and not truth(a.diagonal(0, -2, -1).all()):
        raise ZeroDivisionError("a 0 is on the diagonal")
    if type(a) is not np.ndarray:
        return plain_solution(a, b, upper, left, ones)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) if a.ndim > 2 or b.ndim > 2 else ()
    x = np.empty((*batch, *b.shape[-2:]), a.dtype if a.dtype is b.dtype else np.result_type(a, b))
    x[...] = b
    solve_in_place(x, a.astype(x.dtype, copy=False), upper, left, ones)
    return x


def plain_solution(a: Any, b: Any, upper: bool, left: bool, ones: bool) -> Any:
    """The same by `solve`, for arrays of other modules."""
    a = np.triu(a, int(ones)) if upper else np.tril(a, -int(ones))
    a = a + module_of(a).eye(a.shape[-1], dtype=a.dtype) if ones else a
    if left:
        return np.linalg.solve(a, b)
    return np.linalg.solve(a.swapaxes(-1, -2), b.swapaxes(-1, -2)).swapaxes(-1, -2)


def solve_in_place(x: np.ndarray, a: np.ndarray, upper: bool, left: bool, ones: bool) -> None:
    """Puts the solutions of a X = x, or X a = x, in the place of x.

    Args:
        x: (..., n, k), or (..., k, n) if not `left`, in one piece.
        a: (..., n, n), whose dimensions in front broadcast to those of x; one triangle is read.
        upper: which one.
        ones: whether its diagonal is taken as 1 and not read.
    """
    if not x.size:
        return
    function = find().get(x.dtype)
    if function is None:
        by_halves(x, a, upper, left, ones)
    else:
        by_blas(function, x, a, upper, left, ones)


def by_halves(x: np.ndarray, a: np.ndarray, upper: bool, left: bool, ones: bool) -> None:
    """Of one half of the unknowns first, which are then put into the equations of the other half."""
    if not left:
        x, a, upper = x.swapaxes(-1, -2), a.swapaxes(-1, -2), not upper
    n = a.shape[-1]
    if n <= BLOCK:
        a = np.triu(a, int(ones)) if upper else np.tril(a, -int(ones))
        x[...] = np.linalg.solve(a + module_of(a).eye(n, dtype=a.dtype) if ones else a, x)
        return
    half = n // 2 // BLOCK * BLOCK if n >= 2 * BLOCK else n // 2
    first, second = slice(half), slice(half, None)
    if upper:
        first, second = second, first
    by_halves(x[..., first, :], a[..., first, first], upper, True, ones)
    x[..., second, :] -= np.matmul(a[..., second, first], x[..., first, :])
    by_halves(x[..., second, :], a[..., second, second], upper, True, ones)


def by_blas(function: Callable[..., Any], x: np.ndarray, a: np.ndarray, upper: bool, left: bool, ones: bool) -> None:
    """One call for each matrix; several threads have some of the matrices each, or some of the right sides."""
    turned, step = laid(a)
    if turned is None:
        a = contiguous(a)
        turned, step = False, a.shape[-1]
    head = (
        *(ROWS, LEFT if left else RIGHT, UPPER if upper != turned else LOWER),
        *(TURNED if turned else PLAIN, ONES if ones else DIAGONAL),
    )
    rows, columns = x.shape[-2:]
    work = a.shape[-1] * x.size // 2
    if x.ndim == 2 and work < 2 * LARGE:
        function(*head, rows, columns, address(a), step, address(x), columns)
        return
    systems = starts(np.broadcast_to(a, (*x.shape[:-2], *a.shape[-2:]))), starts(x)
    each = x.itemsize

    def some(start: int, stop: int) -> None:
        for matrix, right in zip(systems[0][start:stop], systems[1][start:stop], strict=True):
            function(*head, rows, columns, matrix, step, right, columns)

    def part(start: int, stop: int) -> None:
        count, skipped = stop - start, start * each * (1 if left else columns)
        sizes = (rows, count) if left else (count, columns)
        for matrix, right in zip(*systems, strict=True):
            function(*head, *sizes, matrix, step, right + skipped, columns)

    count, sides = len(systems[0]), columns if left else rows
    if count >= 2 * STACK:
        parallel_for_products(some, count, STACK)
    else:
        parallel_for_products(part, sides, max(1, LARGE * sides // max(1, work)))


def laid(a: np.ndarray) -> tuple[Any, int]:
    """Whether matrices lie in memory by columns, None if not by rows either; and the elements from one to the next."""
    each, n = a.itemsize, a.shape[-1]
    for turned, (far, near) in ((False, a.strides[-2:]), (True, a.strides[:-3:-1])):
        if (near == each or n == 1) and far % each == 0 and (far >= n * each or n == 1):
            return turned, max(far // each, n)
    return None, 0


def address(a: np.ndarray) -> int:
    """Where an array begins in memory."""
    found: int = a.__array_interface__["data"][0]
    return found


def starts(a: np.ndarray) -> list[int]:
    """The addresses of all matrices."""
    found = np.array([address(a)])
    for size, stride in zip(a.shape[:-2], a.strides[:-2], strict=True):
        found = np.add.outer(found, np.arange(size) * stride).reshape(-1)
    return found.tolist()  # type: ignore[no-any-return]


def find() -> dict[Any, Callable[..., Any]]:
    """The BLAS's functions, by dtype; empty if there are none."""
    global _functions
    if _functions is None:
        core = library("CDLL")
        kinds = zip("sdcz", (np.float32, np.float64, np.complex64, np.complex128), strict=True)
        found = {np.dtype(kind): _function(core, letter, np.dtype(kind)) for letter, kind in kinds}
        _functions = {dtype: function for dtype, function in found.items() if function is not None}
    return _functions


def _function(core: Any, letter: str, dtype: Any) -> Callable[..., Any] | None:
    """`trsm` of one dtype, without its factor, which is 1."""
    import ctypes

    integer: Any = ctypes.c_int64
    function = getattr(core, f"scipy_cblas_{letter}trsm64_", None)
    if function is None:
        integer, function = ctypes.c_int32, getattr(core, f"scipy_cblas_{letter}trsm", None)
    if function is None:
        return None
    one = np.ones(1, dtype)
    real = {"s": ctypes.c_float, "d": ctypes.c_double}.get(letter, ctypes.c_void_p)
    factor = 1.0 if letter in "sd" else one.ctypes.data
    pointer = ctypes.c_void_p
    function.argtypes = [*[ctypes.c_int] * 5, integer, integer, real, pointer, integer, pointer, integer]
    function.restype = None

    def call(*arguments: int, one: np.ndarray = one) -> None:  # `one` has to live
        function(*arguments[:7], factor, *arguments[7:])

    return call
