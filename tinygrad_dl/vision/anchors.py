"""Anchors: boxes of a few sizes and proportions around each cell of a grid, from which detectors start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core import dtypes, promotion
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor, wrap


@composition
def grid_anchors(
    grid: tuple[int, int],
    stride: float | tuple[float, float],
    sizes: Sequence[float],
    aspect_ratios: Sequence[float] = (1.0,),
    *,
    offset: float = 0.5,
    dtype: Any = None,
) -> Tensor:
    """Boxes around each cell of a grid: one for each pair of a proportion r and a size s.

    Their width is s / sqrt(r), their height s sqrt(r); so all boxes of a size have the same area.

    Args:
        grid: rows and columns of the grid, such as the last two dimensions of a feature map.
        stride: how many pixels a cell has in height and width.
        sizes: the sides that boxes have if they are squares, in pixels.
        aspect_ratios: height / width.
        offset: where in its cell the centre is: 0.5 in the middle; 0 at the upper left corner, as in torchvision
            (which rounds the corners of the box around 0 as well).
        dtype: of the result, by default the default dtype.

    Returns:
        Shape (rows * columns * len(aspect_ratios) * len(sizes), 4), each x1, y1, x2, y2, in this order: row, column,
        proportion, size.

    Raises:
        ValueError: a grid, stride, size or proportion that is not above 0, or no sizes.

    >>> td.vision.grid_anchors((1, 2), stride=8, sizes=[4.0])
    tensor([[ 2.,  2.,  6.,  6.],
            [10.,  2., 14.,  6.]])

    Source: https://arxiv.org/abs/1506.01497
    """
    rows, columns = grid
    down, across = (stride, stride) if isinstance(stride, int | float) else stride
    for name, values in (
        ("grid", grid), ("stride", (down, across)), ("sizes", sizes), ("aspect_ratios", aspect_ratios)
    ):  # fmt: skip
        if not len(values) or not all(value > 0 for value in values):
            raise ValueError(f"{name}: expected numbers above 0, got {tuple(values)}")
    root = np.sqrt(np.asarray(aspect_ratios, np.float64))[:, None]
    side = np.asarray(sizes, np.float64)
    half = np.stack([side / root, side * root], axis=-1).reshape(-1, 2) / 2
    y, x = np.meshgrid((np.arange(rows) + offset) * down, (np.arange(columns) + offset) * across, indexing="ij")
    centre = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
    boxes = np.concatenate([centre - half, centre + half], axis=-1).reshape(-1, 4)
    return wrap(boxes.astype(promotion.default.dtype if dtype is None else dtypes.as_dtype(dtype)))
