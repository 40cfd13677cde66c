"""Which elements each result of an interpolation is made of along one dimension, and with which weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.ops.vision._resample import Choice, Product, Repeats


def triangle(distance: Any) -> Any:
    """The weight of an element at a distance in linear interpolation."""
    return np.maximum(1 - distance, 0)


def near(distance: Any, a: float) -> Any:
    """The weight in cubic convolution at a distance of at most 1; `a` is its slope there."""
    return ((a + 2) * distance - (a + 3)) * distance * distance + 1


def far(distance: Any, a: float) -> Any:
    """The same from 1 to 2."""
    return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a


def cubic(distance: Any, a: float) -> Any:
    """The weight in cubic convolution."""
    return np.where(distance <= 1, near(distance, a), np.where(distance < 2, far(distance, a), 0))


def lanczos(distance: Any) -> Any:
    """The weight in Lanczos' interpolation of three lobes."""
    return np.where(distance < 3, np.sinc(distance) * np.sinc(distance / 3), 0)


# Of antialiased modes the filter, and how far it reaches; PyTorch, as Pillow, takes another slope of the cubic there.
FILTERS = {"bilinear": (triangle, 1), "bicubic": (lambda distance: cubic(distance, -0.5), 2), "lanczos": (lanczos, 3)}


def nearest(size: int, count: int, scale: float | None, exact: bool) -> Choice | Repeats:
    """One element for each result: the one before its place or, `exact`, the one in whose range its middle lies."""
    # In float32, as PyTorch computes it: a place on an edge falls on the same side.
    step = np.float32(size / count if scale is None else 1 / scale)
    places = np.arange(count, dtype=np.float32)
    index = np.floor((places + np.float32(0.5)) * step if exact else places * step)
    index = np.minimum(index.astype(np.int64), size - 1)
    if count % size == 0 and (index == np.arange(count) // (count // size)).all():
        return Repeats(size, count // size)
    return Choice(size, index)


def weighted(size: int, count: int, scale: float | None, mode: str, align_corners: bool, antialias: bool) -> Product:
    """The map of any other mode. `scale`: the factor that was asked for; None: that of the sizes."""
    if align_corners:
        step = (size - 1) / (count - 1) if count > 1 else 0.0
    else:
        step = size / count if scale is None else 1 / scale
    if antialias:
        return _filtered(size, count, 1.0 if count == size else step, mode)
    places = np.arange(count) * step if align_corners else (np.arange(count) + 0.5) * step - 0.5
    if mode == "bicubic":
        low = np.floor(places).astype(np.int64)
        index = low[:, None] + np.arange(-1, 3)
        return Product.of(size, np.clip(index, 0, size - 1), cubic(np.abs(places[:, None] - index), -0.75))
    if count == size:  # whatever the scale was that led to it
        places = np.arange(count, dtype=np.float64)
    low = np.minimum(np.maximum(places, 0).astype(np.int64), size - 1)
    share = np.clip(places - low, 0, 1)
    return Product.of(size, np.stack([low, np.minimum(low + 1, size - 1)], 1), np.stack([1 - share, share], 1))


def _filtered(size: int, count: int, step: float, mode: str) -> Product:
    """Means by the mode's filter, stretched over all elements that a result stands for where there are several."""
    weight, reach = FILTERS[mode]
    stretch = max(step, 1.0)
    middle = (np.arange(count) + 0.5) * step
    first = np.maximum((middle - reach * stretch + 0.5).astype(np.int64), 0)
    last = np.minimum((middle + reach * stretch + 0.5).astype(np.int64), size)
    index = first[:, None] + np.arange(max(1, int((last - first).max())))
    shares = np.where(index < last[:, None], weight(np.abs(index + 0.5 - middle[:, None]) / stretch), 0)
    return Product.of(size, np.minimum(index, size - 1), shares / shares.sum(1, keepdims=True))
