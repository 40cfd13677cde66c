"""In which row of a picture each box stands, as far as it can be told before it is laid out."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def rows_of(count: int, arrows: Iterable[tuple[int, int]], leaves: Collection[int]) -> list[int]:
    """The row of each box, from 0.

    Args:
        count: how many boxes there are.
        arrows: from a number to a larger one, those to smaller numbers first.
        leaves: boxes that stand right above their first use, however deep that is.

    >>> rows_of(5, [(0, 1), (1, 3), (2, 3), (3, 4)], {0, 2})
    [0, 1, 1, 2, 3]
    """
    row = [0] * count
    arrows = list(arrows)
    for tail, head in arrows:
        row[head] = max(row[head], row[tail] + 1)
    for tail, head in reversed(arrows):
        if tail in leaves:
            row[tail] = row[head] - 1
    return row
