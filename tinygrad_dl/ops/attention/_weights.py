"""The weights of attention on arrays: for the sequences of a block, on a thread, and causal ones tile by tile.

A causal query sees the keys up to its own place. So a tile of queries multiplies by the keys up to its last one, which
leaves out nearly half of the work on long sequences; behind them e is 0.

Of long sequences e is not kept: the backward pass makes each tile again, by the same steps (Dao et al., 2022,
FlashAttention). Memory then grows with the length, not with its square.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, module_of
from tinygrad_dl.backends.blocks import fixed_blocks
from tinygrad_dl.backends.gemm import product
from tinygrad_dl.core.transforms import is_known, values_of
from tinygrad_dl.ops._owned import add_
from tinygrad_dl.ops.pointwise._selection import finite
from tinygrad_dl.ops.reduction._sums import ADD, ROW, largest, ones

KEPT = 2**22  # scores, up to which e is kept for the backward pass; of more it is made again there, tile by tile
SCORES = 2**17  # of a block of sequences: some hundred us for each call
TILE = 256  # queries: of fewer, calls are so short that threads wait for each other
SAFE = 40.0  # exp of it, summed over as many keys as there can be, is far from float32's limits, and so is its inverse


def blocks_of_sequences(shape: tuple[int, ...]) -> list[Any]:
    """Indices of blocks of the sequences whose scores have this shape, (..., queries, keys)."""
    lead = shape[:-2]
    if not lead or math.prod(shape) <= SCORES:
        return [(...,)]
    axis = max(range(len(lead)), key=lead.__getitem__)
    size = math.prod(shape) // max(1, lead[axis])
    return [(*(slice(None),) * axis, block) for block in fixed_blocks(lead[axis], size, SCORES, 1)]


def tiles(queries: int, keys: int, is_causal: bool, keeps: bool) -> list[tuple[slice, slice]]:
    """Tiles of queries, each with the keys that its last one may see; one tile where that spares nothing."""
    if queries < 2 * TILE or (keeps and not is_causal):
        return [(slice(0, queries), slice(0, keys))]
    rows = [slice(start, min(start + TILE, queries)) for start in range(0, queries, TILE)]
    return [(each, slice(0, min(each.stop, keys) if is_causal else keys)) for each in rows]


def hiding(rows: slice, keys: slice, dtype: Any) -> np.ndarray:
    """Of a tile of causal queries: 1 where they see one of the last keys, else 0; all see the keys before."""
    return triangle(rows.stop - rows.start, max(0, keys.stop - rows.start), dtype)


@functools.lru_cache(maxsize=64)
def triangle(rows: int, columns: int, dtype: Any) -> np.ndarray:
    """Ones for the keys up to each query's own place, zeros for later ones; nothing may write to it."""
    made = np.tri(rows, columns, 0, dtype)
    made.flags.writeable = False
    return made


def in_layout(shape: tuple[int, ...], like: Any) -> Any:
    """An empty array of this shape, whose dimensions lie in memory in the order of another's.

    Heads that were cut from one projection are then joined again without a copy.
    """
    if like.flags.c_contiguous or not like.size:
        return module_of(like).empty(shape, like.dtype)
    order = sorted(range(like.ndim), key=lambda i: -like.strides[i])
    return module_of(like).empty([shape[i] for i in order], like.dtype).transpose(np.argsort(order))


def matmul(a: Any, b: Any, out: Any = None) -> Any:
    """a @ b of stacks of matrices."""
    return product(a, b, out) if type(a) is type(b) is np.ndarray else np.matmul(a, b)


def seen_product(weights: Any, rows: Any, masked: bool, out: Any = None) -> Any:
    """weights @ rows, where no nan or infinity comes from a row that a mask gave the weight 0.

    In a plain product it would: 0 times nan is nan. So rows that are not finite are left out of the product, and added
    one by one. Inside of a transform nobody can look, and the plain product it is.
    """
    out = matmul(weights, rows, out)
    if not masked or not is_known(out) or not at_hand(out) or finite(out):
        return out
    bad = np.logical_not(np.isfinite(values_of(rows))).any(-1, keepdims=True)
    out = matmul(
        weights, np.where(bad, module_of(rows).zeros((), rows.dtype), rows), out if type(out) is np.ndarray else None
    )
    for i in np.flatnonzero(bad.any((*range(bad.ndim - 2), -1))):
        here = (..., slice(i, i + 1), slice(None))
        weight = weights[..., i : i + 1]
        row = np.where(bad[here], rows[here], 0.0)
        out = add_(out, weight * np.where(np.not_equal(values_of(weight), 0), row, 0.0))
    return out


def attend_tile(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    factors: Any,
    e: np.ndarray | None,
    inverse: np.ndarray,
    out: np.ndarray,
    seen: Any,
    added: Any,
) -> None:
    """Writes e, if it is kept, 1 / sum(e) and the result of some queries, which are scaled; see `weigh`."""
    e = found_weights(query, key, e, inverse, seen, added)
    weights = e if factors is None else e * factors.astype(e.dtype, copy=False)
    seen_product(weights, value, seen is not None or added is not None, out)
    out *= inverse


def found_weights(
    query: np.ndarray, key: np.ndarray, e: np.ndarray | None, inverse: np.ndarray, seen: Any, added: Any = None
) -> np.ndarray:
    """e of some queries, which are scaled, in `e` if there is one; writes 1 / sum(e)."""
    e = module_of(query).empty((*query.shape[:-1], key.shape[-2]), query.dtype) if e is None else e
    matmul(query, np.swapaxes(key, -1, -2), e)
    weigh(e, inverse, seen, added)
    return e


def weigh(e: np.ndarray, inverse: np.ndarray, seen: Any, added: Any) -> None:
    """Turns scores into e, in place, and writes 1 / sum(e), a column for each row, 0 where there is nothing to see.

    Args:
        seen: 1 where a query sees a key, else 0: for the last columns, the others are seen; or None.
        added: what is added to the scores, or None.
    """
    veiled = e if seen is None else e[..., e.shape[-1] - seen.shape[-1] :]
    if added is None:
        exponentiate_visible(e, veiled, seen)
    else:
        e += added
        if not finite(e):  # a key that is not finite is hidden all the same
            np.copyto(e, -np.inf, where=np.isneginf(added))
        exponentiate(e)
    total = row_sums(e)
    if not finite(total):  # a row that is nan is so where it may see, and there alone
        bad = ~np.isfinite(total)
        np.copyto(e, np.nan, where=bad)
        if seen is not None or added is not None:
            np.copyto(veiled, 0, where=bad & (np.isneginf(added) if seen is None else np.equal(seen, 0)))
    inverse[...] = 0
    np.divide(1, total, out=inverse, where=total != 0)


def row_sums(e: np.ndarray) -> Any:
    """The sum of each row, as a column."""
    columns = e.shape[-1]
    return np.vecdot(e, ones(columns, e.dtype))[..., None] if columns <= 4 * ROW else ADD(e, -1, keepdims=True)


def exponentiate_visible(e: np.ndarray, veiled: np.ndarray, seen: Any) -> None:
    """Turns scores into e, in place: 0 where the veiled columns are not seen."""
    if not e.size:
        return
    if max(np.maximum.reduce(e, None), -np.minimum.reduce(e, None)) <= SAFE:
        np.exp(e, out=e)
        if seen is not None:
            veiled *= seen
        return
    if seen is not None:
        np.copyto(veiled, -np.inf, where=np.equal(seen, 0))
    exponentiate(e)


def exponentiate(e: np.ndarray) -> None:
    """Turns scores into e, in place: 1 for the largest of each row, 0 for -inf."""
    if not e.size:
        return
    top = np.asarray(largest(e, -1, True))
    np.copyto(top, 0, where=np.isneginf(top))  # nothing to see there: all are 0
    e -= top
    np.exp(e, out=e)
