"""Matrix products: kernels of one thread on ranges that our own threads share.

A result's bits depend on its operands and on `threads.get_num_threads()` alone: neither on what the BLAS was told by
others nor on what ran before. Products so small that the BLAS leaves them to one thread anyway go straight to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.blas import single
from tinygrad_dl.backends.threads import get_num_threads, parallel_for, parallel_for_products

SMALL = 2**18  # multiplications of two matrices, up to which OpenBLAS uses one thread
SHORT = 9000  # the same of a matrix and a vector, or a row, or a column
LARGE = 2**23  # multiplications that a range has at least: some 90 to 190 us
OUTER = 2**18  # elements of columns times rows that are worth a thread: one writes 64 of 64 x 64 as fast as two
NARROW = 8  # columns, up to which matrices of a stack are turned for one product whatever the other one's size
STEP = 16  # rows or columns: ranges begin at multiples, where kernels work on whole tiles


def product(a: Any, b: Any, out: np.ndarray | None = None) -> Any:
    """a @ b, of arrays or tensors, with the shapes that `numpy.matmul` takes.

    Args:
        a: (..., n, k) or (k,).
        b: (..., k, m) or (k,).
        out: where to put the result of arrays.
    """
    if type(a) is not np.ndarray or type(b) is not np.ndarray:
        return np.matmul(a, b)
    if a.ndim == 2 and b.ndim == 2:
        if a.shape[1] != b.shape[0]:
            return np.matmul(a, b)  # which refuses it
        work = a.size * b.shape[1]
        if work >= 2 * LARGE and get_num_threads() > 1:
            return _by_ranges(a, b, work, out)
        if work <= (SMALL if 1 not in (a.shape[0], b.shape[1]) else SHORT):
            return multiply_alone(a, b, out)
        with single:
            return multiply_alone(a, b, out)
    if not a.ndim or not b.ndim:
        return np.matmul(a, b)  # the same
    if a.ndim == 1 or b.ndim == 1:
        if a.size + b.size <= SHORT:
            return multiply_alone(a, b, out)
        with single:
            return multiply_alone(a, b, out)
    return _stacks(a, b, out)


def shifted_product(a: np.ndarray, b: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """a @ b + shift of two matrices and a row, which each thread adds to its own rows while it has them."""
    work = a.size * b.shape[1]
    if work >= 2 * LARGE and get_num_threads() > 1:
        return _by_ranges(a, b, work, None, shift)
    out: np.ndarray = product(a, b)
    out += shift
    return out


def multiply_alone(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> Any:
    """The product in this thread, where the BLAS is held to it: by dot, which is faster, where it means the same.

    By a single number dot scales, and BLAS takes 0 times an infinity for 0 there.
    """
    plain = out is None and a.ndim < 3 > b.ndim and a.size != 1 != b.size
    return a.dot(b) if plain else np.matmul(a, b, out)


def product_and_tangent(
    a: np.ndarray, b: np.ndarray, ta: Any, tb: Any, shifts: tuple[Any, Any] = (None, None)
) -> tuple[np.ndarray, np.ndarray]:
    """a @ b of two matrices, and ta @ b + a @ tb, where one of the tangents may be None: as one job for the threads.

    `shifts`: a row to be added to each row of either result, or None.
    """
    terms = [pair for pair in ((ta, b), (a, tb)) if pair[0] is not None is not pair[1]]
    shape = a.shape[0], b.shape[1]
    out, tangent = np.empty(shape, np.result_type(a, b)), np.empty(shape, np.result_type(*terms[0], *terms[-1]))

    def multiply(rows: slice, columns: slice) -> None:
        np.matmul(a[rows], b[:, columns], out=out[rows, columns])
        np.matmul(terms[0][0][rows], terms[0][1][:, columns], out=tangent[rows, columns])
        for left, right in terms[1:]:
            tangent[rows, columns] += np.matmul(left[rows], right[:, columns])
        for result, shift in zip((out, tangent), shifts, strict=True):
            if shift is not None:
                result[rows, columns] += shift[columns]

    work = (1 + len(terms)) * a.size * shape[1]
    if work >= 2 * LARGE:
        _over_ranges(multiply, shape, work)
    elif work > SHORT:
        with single:
            multiply(slice(None), slice(None))
    else:
        multiply(slice(None), slice(None))
    return out, tangent


def _by_ranges(
    a: np.ndarray, b: np.ndarray, work: int, out: np.ndarray | None, shift: np.ndarray | None = None
) -> np.ndarray:
    """The product of two matrices, plus a row, ranges of the longer dimension of the result at once."""
    shape = a.shape[0], b.shape[1]
    result = np.empty(shape, np.result_type(a, b)) if out is None else out

    def multiply(rows: slice, columns: slice) -> None:
        part = np.matmul(a[rows], b[:, columns], out=result[rows, columns])
        if shift is not None:
            part += shift[columns]

    _over_ranges(multiply, shape, work)
    return result


def _over_ranges(multiply: Callable[[slice, slice], None], shape: tuple[int, int], work: int) -> None:
    """Calls multiply(rows, columns) for ranges of the longer dimension of a result; `work`: multiplications in all."""
    longer, whole = max(shape), slice(None)
    steps = -(-longer // STEP)

    def part(start: int, stop: int) -> None:
        here = slice(start * STEP, min(stop * STEP, longer))
        multiply(*((here, whole) if shape[0] >= shape[1] else (whole, here)))

    least = -(-steps * LARGE // work)
    parallel_for_products(part, steps, least, least // 2)


def _stacks(a: np.ndarray, b: np.ndarray, out: np.ndarray | None) -> np.ndarray:
    """The products of two stacks of matrices, ranges of their longest dimension at once."""
    if out is None and a.ndim == b.ndim == 3 and a.shape[2] == b.shape[1] and a.size and b.size:
        found: np.ndarray | None = _of_simple_stacks(a, b)
        if found is not None:
            return found
    try:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        return np.matmul(a, b, out)  # which refuses them as a product of matrices
    each = a.shape[-2] * a.shape[-1] * b.shape[-1]
    work = math.prod(lead) * each
    alone = SMALL if 1 not in (a.shape[-2], b.shape[-1]) else SHORT
    if (each <= alone and work < 2 * LARGE) or a.shape[-1] != b.shape[-2]:
        return np.matmul(a, b, out)
    result = np.empty((*lead, a.shape[-2], b.shape[-1]), np.result_type(a, b)) if out is None else out
    axis = max(range(len(lead)), key=lead.__getitem__)
    here: list[Any] = [slice(None)] * axis
    left, right = np.broadcast_to(a, (*lead, *a.shape[-2:])), np.broadcast_to(b, (*lead, *b.shape[-2:]))

    def multiply(start: int, stop: int) -> None:
        own = (*here, slice(start, stop))
        np.matmul(left[own], right[own], out=result[own])

    parallel_for_products(multiply, lead[axis], -(-LARGE * lead[axis] // (work + 1)))
    return result


def _of_simple_stacks(a: np.ndarray, b: np.ndarray) -> Any:
    """The products of stacks of which one repeats a matrix, or those of columns and rows; None of others.

    vmap makes both: a weight that all examples share is one product for all, and the gradient of each example's own
    is its column times its row.
    """
    count, n, m = max(len(a), len(b)), a.shape[1], b.shape[2]
    if len(a) == len(b) > 1 and a.strides[0] == b.strides[0] == 0:
        out = np.empty((count, n, m), np.result_type(a, b))
        out[...] = product(a[0], b[0])
        return out
    if len(a) == count > 1 and (len(b) == 1 or not b.strides[0]):
        return product(a.reshape(count * n, -1), b[0]).reshape(count, n, m)
    if len(b) == count > 1 and (m <= NARROW or m < n) and (len(a) == 1 or not a.strides[0]):
        rows = b.swapaxes(1, 2).reshape(count * m, -1)
        return product(rows, a[0].T).reshape(count, m, n).swapaxes(1, 2)
    if a.shape[2] > 1 or len(a) != len(b):
        return None
    out = np.empty((count, n, m), np.result_type(a, b))

    def multiply(start: int, stop: int) -> None:
        # In rows of some hundred elements twice as fast as np.multiply.
        np.einsum("bi,bj->bij", a[start:stop, :, 0], b[start:stop, 0], out=out[start:stop])

    parallel_for(multiply, count, max(1, OUTER // max(1, n * m)))
    return out
