"""The p-norms of the differences of all rows of one matrix and all rows of another, and their gradients.

No array holds the differences of all pairs: of a block of rows, one column after the other is subtracted and added up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import array_from, at_hand, contiguous, module_of
from tinygrad_dl.backends.gemm import product
from tinygrad_dl.backends.threads import parallel_for
from tinygrad_dl.core.batching import Batch, every, folded, unfolded
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import one_of, real
from tinygrad_dl.ops.linalg._matrices import transposed
from tinygrad_dl.ops.reduction.norm import norm_slope, p_norm

FEW = 2**12  # elements of all differences that are made at once
BLOCK = 2**16  # pairs: their distances, and the differences of a column, are in a core's cache
LEAST = 2**20  # differences that are worth a thread


def distances(a: Any, b: Any, p: float, by_product: bool) -> Any:
    """Of (B, P, M) and (B, R, M): (B, P, R)."""
    batch, rows, size = a.shape
    if not a.size * b.size:
        return module_of(a).zeros((batch, rows, b.shape[1]), a.dtype)
    if by_product and at_hand(a):
        return by_products(a, b)
    if a.size * b.shape[1] <= FEW or not at_hand(a):
        return array_from(p_norm(a[:, :, None] - b[:, None], p, -1, False))
    out = module_of(a).zeros((batch, rows, b.shape[1]), a.dtype)
    left, right = columns(a), columns(b)

    def some(start: int, stop: int) -> None:
        for each, here in blocks(out, start, stop):
            gather(out[each, here], left[:, each, here, None], right[:, each, None], p)

    parallel_for(some, batch * rows, max(1, LEAST // max(1, b.shape[1] * size)))
    return out


def columns(a: Any) -> Any:
    """The columns of matrices (B, P, M) in one piece each: (M, B, P)."""
    return contiguous(np.moveaxis(a, -1, 0))


def blocks(out: np.ndarray, start: int, stop: int) -> Iterator[tuple[slice, slice]]:
    """Matrices, and rows of theirs, that together are the rows from `start` to `stop` of all matrices (B, P, R)."""
    _, rows, width = out.shape
    most = max(1, BLOCK // max(1, width))
    while start < stop:
        matrix, row = divmod(start, rows)
        whole = min(most // rows, (stop - start) // rows) if not row else 0
        count = whole * rows or min(most, rows - row, stop - start)
        yield slice(matrix, matrix + max(1, whole)), slice(row, row + count) if not whole else slice(rows)
        start += count


def gather(out: np.ndarray, left: np.ndarray, right: np.ndarray, p: float) -> None:
    """Adds up the powers of differences, column by column, and takes the root of the sum."""
    work = np.empty_like(out)
    for a, b in zip(left, right, strict=True):
        np.subtract(a, b, out=work)
        if p == 2:
            np.multiply(work, work, out=work)
        elif p == 0:
            np.not_equal(work, 0, out=work, casting="unsafe")
        else:
            np.absolute(work, out=work)
            if p not in (1, math.inf):
                np.power(work, p, out=work)
        (np.maximum if p == math.inf else np.add)(out, work, out=out)
    if p == 2:
        np.sqrt(out, out=out)
    elif p not in (0, 1, math.inf):
        np.power(out, 1 / p, out=out)


def by_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """sqrt(|a|^2 + |b|^2 - 2 a b), as one product of rows (-2 a, |a|^2, 1) and (b, 1, |b|^2)."""
    first, second = (np.einsum("bij,bij->bi", each, each)[..., None] for each in (a, b))
    left = np.concatenate([-2 * a, first, np.ones_like(first)], -1)
    right = np.concatenate([b, np.ones_like(second), second], -1)
    out: np.ndarray = product(left, transposed(right)) if len(a) > 1 else product(left[0], right[0].T)[None]
    np.maximum(out, 0, out=out)
    np.sqrt(out, out=out)
    return out


def slopes(g: np.ndarray, a: np.ndarray, b: np.ndarray, out: np.ndarray, p: float) -> tuple[Any, Any]:
    """The gradients of both matrices: those of (|d| / out) ** (p - 1) * sign(d), and 0 where the distance is 0."""
    nothing = out == 0
    safe = np.where(nothing, 1, out)
    if p == 2:
        return euclidean_slopes(np.where(nothing, 0, g / safe), a, b)
    scale = np.where(nothing, 0, g if p in (1, math.inf) else g / power_of(safe, p - 1))
    left, right = columns(a), columns(b)
    of_a, of_b = np.zeros_like(left), np.zeros_like(right)

    def some(start: int, stop: int) -> None:
        for each, here in blocks(out, 0, out.shape[0] * out.shape[1]):
            part, longest = scale[each, here], out[each, here]
            for k in range(start, stop):
                change = one_slope(left[k, each, here, None] - right[k, each, None], longest, p)
                change *= part
                of_a[k, each, here] += change.sum(-1)
                of_b[k, each] -= change.sum(-2)

    parallel_for(some, len(left), max(1, LEAST // max(1, out.size)))
    return np.moveaxis(of_a, 0, -1), np.moveaxis(of_b, 0, -1)


def one_slope(difference: np.ndarray, out: np.ndarray, p: float) -> np.ndarray:
    """sign(d) * |d| ** (p - 1), with the limits at 1 and at infinity."""
    sign: np.ndarray = np.sign(difference)
    if p == math.inf:
        sign *= np.absolute(difference) == out
    elif p != 1:
        sign *= power_of(np.where(sign == 0, 1, np.absolute(difference)), p - 1)
    return sign


def power_of(x: np.ndarray, p: float) -> np.ndarray:
    """x**p, of which NumPy takes whole ones for products only where they are 2."""
    return x if p == 1 else x * x if p == 2 else x**p


def euclidean_slopes(w: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[Any, Any]:
    """sum of w (a - b) over the pairs of each row, by products, around the middle of all rows, so that less is lost."""
    middle = a.mean(-2, keepdims=True)
    a, b = a - middle, b - middle
    of_a = w.sum(-1)[..., None] * a - product(w, b)
    of_b = w.sum(-2)[..., None] * b - product(transposed(w), a)
    return of_a, of_b


WAYS = {"p": one_of(2.0, 1.0, 3.0, 1.5, math.inf), "by_product": one_of(False)}


@op(
    namespace="rules",
    name="cdist",
    promote=True,
    inputs=[
        dict(x1=real(shape="b n 3", distinct=True), x2=real(shape="b m 3", distinct=True), **WAYS),
        dict(x1=real(shape="2 3 2"), x2=real(5.0, 8.0, shape="2 4 2"), p=one_of(2.0), by_product=one_of(True)),
    ],
    reference=lambda x1, x2, p, by_product: np.linalg.norm(x1[:, :, None] - x2[:, None], p, -1),
)
def all_distances(x1: Array, x2: Array, p: float, by_product: bool) -> Array:
    """The p-norms of the differences of rows, (B, P, R), of matrices (B, P, M) and (B, R, M)."""
    return distances(x1, x2, p, by_product)


@all_distances.joint_vjp("x1", "x2")
def all_slopes(g: Any, x1: Any, x2: Any, out: Any, p: float) -> tuple[Any, Any]:
    """Of the first the sums over the second's rows, of the second minus those over the first's."""
    if not p or not x1.shape[2]:
        return np.zeros_like(x1), np.zeros_like(x2)
    if all(type(each) is np.ndarray for each in (g, x1, x2, out)) and x1.size * x2.shape[1] > FEW:
        return slopes(g, x1, x2, out, p)
    slope = norm_slope(g, x1[:, :, None] - x2[:, None], out, p, -1, False)
    return slope.sum(-2), -slope.sum(-3)


def all_tangent(t: Any, x1: Any, x2: Any, out: Any, p: float) -> Any:
    """The sum of the slope of each pair's norm times the tangent of its row."""
    if not x1.shape[2]:
        return np.zeros_like(out)
    ones = module_of(out).ones(out.shape, out.dtype)
    return (norm_slope(ones, x1[:, :, None] - x2[:, None], out, p, -1, False) * t).sum(-1)


all_distances.jvp(
    x1=lambda t, x1, x2, out, p: all_tangent(t[:, :, None], x1, x2, out, p),
    x2=lambda t, x1, x2, out, p: all_tangent(-t[:, None], x1, x2, out, p),
)


@all_distances.vmap
def _all_batch(x1: Any, x2: Any, p: float, by_product: bool, batch: Batch) -> Any:
    """Matrices of all examples one after the other."""
    a, b = (every(each, name, batch) for name, each in (("x1", x1), ("x2", x2)))
    return unfolded(all_distances(folded(a), folded(b), p, by_product), batch.size)
