"""Where the elements of given ranks stand in rows, without a sort of all positions.

NumPy sorts values by vector instructions, positions one by one: so a value is found first, then where it is. Of equal
elements it is the one that a stable sort would put there; nan counts as larger than every number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, contiguous
from tinygrad_dl.ops.reduction._sums import LARGEST

SMALL, SHORT = 512, 16  # elements of all rows, and of one, up to which a stable sort of positions takes less time


def behind(input: Any, dim: int) -> Any:
    """An array with a dimension in the place of the last one, in one piece."""
    return contiguous(input.swapaxes(dim, -1)) if (dim + 1) % input.ndim else input


def back(found: np.ndarray, dim: int) -> np.ndarray:
    """What was found for rows, with the dimensions exchanged again."""
    return found.swapaxes(dim, -1) if (dim + 1) % found.ndim else found


def has_nan(rows: Any) -> bool:
    """Whether an element is nan, or may be, where looking would be waiting."""
    if not at_hand(rows):
        return bool(rows.dtype.kind == "f")
    return bool(rows.dtype.kind == "f" and rows.size > 0 and np.isnan(LARGEST(rows, None)))


def places(rows: Any, ranks: Any) -> Any:
    """Where the elements of some ranks, counted from 0, stand in each row.

    Args:
        rows: (..., n).
        ranks: a list of k integers for all rows, or an array (..., k).

    Returns:
        (..., k), int64.
    """
    if rows.size <= SMALL or rows.shape[-1] <= SHORT or not at_hand(rows):
        order = rows.argsort(-1, kind="stable")
        if isinstance(ranks, list):
            return order.take(ranks, -1) if len(ranks) > 1 else order[..., ranks[0] : ranks[0] + 1]
        return np.take_along_axis(order, ranks, -1)
    if not isinstance(ranks, list):
        order = np.sort(rows, -1)
        found = [_of_each(rows, order, ranks[..., i : i + 1]) for i in range(ranks.shape[-1])]
    else:
        known = {rank: _of_all(rows, rank) for rank in {*ranks}}
        found = [known[rank] for rank in ranks]
    return np.concatenate(found, -1) if len(found) > 1 else found[0]


def _of_all(rows: np.ndarray, rank: int) -> np.ndarray:
    """Of one rank for all rows, (..., 1)."""
    apart = np.partition(rows, rank, -1)
    nearest = LARGEST(apart[..., :rank], -1, None, None, True) if rank else None
    return _standing(rows, apart[..., rank : rank + 1], rank, nearest)


def _of_each(rows: np.ndarray, order: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Of one rank for each row, (..., 1), of rows that are sorted."""
    nearest = np.take_along_axis(order, np.maximum(ranks - 1, 0), -1)
    return _standing(rows, np.take_along_axis(order, ranks, -1), ranks, nearest)


def _standing(rows: np.ndarray, values: np.ndarray, ranks: Any, nearest: np.ndarray | None) -> np.ndarray:
    """Where values of known ranks stand; `nearest`: those of the ranks before."""
    equal = rows == values
    absent = values != values
    if absent.any():
        equal = np.where(absent, rows != rows, equal)
    elif nearest is None or not (nearest == values).any():
        found: np.ndarray = equal.argmax(-1, keepdims=True)
        return found
    smaller = np.where(absent, rows == rows, rows < values).sum(-1, keepdims=True)
    found = (equal.cumsum(-1) > ranks - smaller).argmax(-1, keepdims=True)
    return found
