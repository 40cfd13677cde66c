"""Where numbers lie in a sorted sequence, many of them at once."""

from __future__ import annotations

from typing import Any

import numpy as np

MANY = 2**13  # numbers, from which a table pays
EACH = 16  # numbers for each of its cells


def places_in(edges: np.ndarray, values: np.ndarray, side: Any) -> Any:
    """np.searchsorted(edges, values, side).

    A binary search jumps through memory. So a grid of equal cells is laid over the edges, and a table tells how many
    edges lie before each cell; only what lies in a cell with an edge in it is searched for. A number's cell is a
    rounded difference times a factor, rounded down, which never falls while the number grows: edges in lower cells are
    smaller, and those in higher cells larger.
    """
    if values.size < MANY or edges.size < 2 or edges.dtype != values.dtype or edges.dtype.char not in "fd":
        return np.searchsorted(edges, values, side)
    cells = 1 << (values.size // EACH).bit_length()
    low, high = edges[0], edges[-1]
    with np.errstate(all="ignore"):
        scale = (cells - 2) / (high - low)
    if not (np.isfinite(scale) and scale > 0):  # no extent, or edges that are not finite
        return np.searchsorted(edges, values, side)
    bounds = np.arange(cells)
    own = cells_of(edges, low, scale, cells)
    before = np.searchsorted(own, bounds)
    table = np.where(before == np.searchsorted(own, bounds, "right"), before, -1)
    table[-1] = -1  # where nan goes, too
    found = table.take(cells_of(values, low, scale, cells))
    rest = np.flatnonzero(found < 0)
    found.reshape(-1)[rest] = np.searchsorted(edges, values.reshape(-1)[rest], side)
    return found


def cells_of(x: np.ndarray, low: Any, scale: Any, cells: int) -> np.ndarray:
    """The cell of each number: the first one of all below, the last one of all above and of nan."""
    with np.errstate(all="ignore"):
        place = x - low
        place *= scale
        np.fmin(place, cells - 2, out=place)
        np.fmax(place, -1, out=place)
    place += 1
    cell: np.ndarray = place.astype(np.int32)
    return cell
