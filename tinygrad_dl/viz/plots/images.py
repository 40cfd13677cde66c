"""What a convolution has learned, and what it makes of an image."""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.viz.plots import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@composition
def plot_filters(weights: Any, *, columns: int | None = None, ax: Axes | None = None) -> Axes:
    """Draws the kernels of a convolution: black is negative, white positive, on one scale for all.

    Kernels of three channels are shown in colour, each on its own scale, from its lowest weight to its highest. Of
    any other number of channels, a row is a kernel, and its columns are the channels.

    Args:
        weights: shape (n, h, w) or (n, c, h, w), such as `conv.weight`.
        columns: how many stand side by side, by default as many as make it about square; not for several channels.
        ax: the axes to draw on; by default new ones.

    Returns:
        The axes; the labels at the left are the numbers of the first kernel in each row.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError, TypeError: another shape, or nothing in it.

    >>> import numpy as np
    >>> from tinygrad_dl import viz
    >>> ax = viz.plot_filters(np.random.randn(8, 1, 3, 3))
    >>> ax.images[0].get_array().shape  # three rows of three, with a gap of one pixel around each
    (13, 13)

    Source: https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks
    """
    weights = look.numbers(weights, "weights")
    if weights.ndim not in (3, 4) or not weights.size:
        raise ValueError(f"weights: expected shape (n, h, w) or (n, channels, h, w), got {weights.shape}")
    if weights.ndim == 4:
        channels = weights.shape[1]
        if channels == 3:
            low, high = (f(weights, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
            coloured = (weights - low) / np.where(high > low, high - low, 1)
            return show(tiles(np.moveaxis(coloured, 1, -1), columns, 1.0), columns, len(weights), ax)
        if channels > 1:
            columns = channels
        weights = weights.reshape(-1, *weights.shape[2:])
        if channels > 1:
            return show(tiles(weights, columns), columns, len(weights), ax, signed(weights), per_row=1)
    return show(tiles(weights, columns), columns, len(weights), ax, signed(weights))


@composition
def plot_feature_maps(maps: Any, *, columns: int | None = None, ax: Axes | None = None) -> Axes:
    """Draws the channels of one image inside a network, on one scale for all: the brighter, the larger.

    Args:
        maps: shape (channels, h, w), such as `conv(x)[0]`.
        columns: how many stand side by side, by default as many as make it about square.
        ax: the axes to draw on; by default new ones.

    Returns:
        The axes; the labels at the left are the numbers of the first channel in each row.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError, TypeError: another shape, or nothing in it.

    >>> import numpy as np
    >>> from tinygrad_dl import viz
    >>> ax = viz.plot_feature_maps(np.random.rand(6, 5, 5), columns=3)
    >>> ax.images[0].get_array().shape
    (13, 19)

    Source: https://arxiv.org/abs/1311.2901
    """
    maps = look.numbers(maps, "maps")
    if maps.ndim != 3 or not maps.size:
        raise ValueError(f"maps: expected shape (channels, h, w), got {maps.shape}; of a batch, take one: maps[0]")
    return show(tiles(maps, columns), columns, len(maps), ax, {"cmap": "viridis"})


def signed(weights: np.ndarray[Any, Any]) -> dict[str, Any]:
    """A scale on which 0 is in the middle."""
    largest = float(np.max(np.abs(weights))) or 1.0
    return {"cmap": "gray", "vmin": -largest, "vmax": largest}


def tiles(images: np.ndarray[Any, Any], columns: int | None, gap: float = np.nan) -> np.ndarray[Any, Any]:
    """Images of shape (n, h, w) or (n, h, w, 3) as one, with a gap of one pixel around each."""
    count, height, width, *rest = images.shape
    columns = columns_of(count, columns)
    rows = ceil(count / columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, *rest), gap)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + 1) + 1, (i % columns) * (width + 1) + 1
        sheet[top : top + height, left : left + width] = image
    return sheet


def columns_of(count: int, columns: int | None) -> int:
    """How many images stand in a row: as many as were asked for, or about as many as there are rows."""
    if columns is None:
        return ceil(sqrt(count))
    if columns < 1:
        raise ValueError(f"columns: expected 1 or more, got {columns}")
    return min(columns, count)


def show(
    sheet: np.ndarray[Any, Any],
    columns: int | None,
    count: int,
    ax: Axes | None,
    scale: dict[str, Any] | None = None,
    per_row: int | None = None,
) -> Axes:
    """The sheet on axes, with the number of the first image at the left of each row."""
    columns = columns_of(count, columns)
    rows = ceil(count / columns)
    side = 5.0 / max(sheet.shape[:2])
    ax = look.axes_for(ax, size=(max(2.4, side * sheet.shape[1] + 1.2), max(1.6, side * sheet.shape[0] + 0.3)))
    image = ax.imshow(np.ma.masked_invalid(sheet) if scale else sheet, interpolation="nearest", **(scale or {}))
    look.bare(ax)
    height = (sheet.shape[0] - 1) / rows
    every = ceil(rows / 16)
    numbers = range(0, rows, every)
    ax.set_yticks([(row + 0.5) * height for row in numbers], [str(row * (per_row or columns)) for row in numbers])
    ax.tick_params(length=0)
    if scale:
        bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, aspect=25, pad=0.02)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=look.SMALL, labelcolor=look.TEXT, color=look.FAINT)
    return ax
