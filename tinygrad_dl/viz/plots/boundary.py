"""Which class a model gives to each point of the plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.viz.plots import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@composition
def plot_decision_boundary(
    predict: Callable[[np.ndarray[Any, Any]], Any],
    points: Any,
    labels: Any,
    *,
    names: Sequence[str] | Mapping[int, str] | None = None,
    resolution: int = 200,
    ax: Axes | None = None,
) -> Axes:
    """Draws the region of each class, and points of the classes on top.

    Args:
        predict: takes an array of shape (n, 2) with the dtype of `points` and returns n classes; it is called once.
        points: shape (n, 2).
        labels: the n classes of the points, whole numbers.
        names: what the classes are called.
        resolution: how many points the grid has in each direction.
        ax: the axes to draw on; by default new ones.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError, TypeError: shapes other than those above, or `predict` returned something else than classes.

    >>> import numpy as np
    >>> from tinygrad_dl import viz
    >>> points = np.array([[0.0, 0.0], [1.0, 1.0]])
    >>> ax = viz.plot_decision_boundary(lambda x: x[:, 0] > 0.5, points, [0, 1])
    >>> ax.get_legend_handles_labels()[1]
    ['0', '1']
    """
    points, labels = look.numbers(points, "points"), look.integers(labels, "labels")
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"points: expected shape (n, 2), got {points.shape}")
    if len(labels) != len(points):
        raise ValueError(f"labels: expected one for each of the {len(points)} points, got {len(labels)}")
    if resolution < 2:
        raise ValueError(f"resolution: expected 2 or more, got {resolution}")
    if points.dtype.kind != "f":
        points = points.astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.where(high > low, 0.08 * (high - low), 0.5)
    across, up = (np.linspace(low[i] - margin[i], high[i] + margin[i], resolution) for i in (0, 1))
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2).astype(points.dtype)
    regions = look.numbers(predict(grid), "what predict returned")
    if regions.shape != (len(grid),):
        raise ValueError(
            f"predict: expected {len(grid)} classes for {len(grid)} points, got shape {regions.shape}; if these are "
            f"scores, return scores.argmax(1)"
        )
    regions = look.integers(regions, "what predict returned").reshape(resolution, resolution)

    classes = np.union1d(labels, regions).tolist()
    look.check_names(names, classes)
    ax = look.axes_for(ax)
    for index, each in enumerate(classes):
        inside = regions == each
        colour = look.colour_of(index)
        if inside.any():
            area = ax.contourf(
                across,
                up,
                inside,
                levels=[0.5, 1.5],
                colors=[look.mixed(colour, "white", 0.78)],
                hatches=[look.hatch_of(index)],
                zorder=0.5,
            )
            area.set(edgecolor=look.mixed(colour, "white", 0.6), linewidth=0.0)
        if inside.any() and not inside.all():
            ax.contour(across, up, inside, levels=[0.5], colors=[look.TEXT], linewidths=0.9, zorder=0.6)
        chosen = points[labels == each]
        ax.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=30,
            color=colour,
            marker=look.marker_of(index),
            edgecolor="white",
            linewidth=0.7,
            label=look.label_of(names, each),
            zorder=2,
        )
    ax.grid(False)
    ax.set(xlim=(across[0], across[-1]), ylim=(up[0], up[-1]))
    look.legend(ax, handlelength=1.0)
    return ax
