"""How optimisers walk down a function of two variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.viz.plots import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Range = tuple[float, float]
GRID = 200


@composition
def plot_paths(
    function: Callable[[np.ndarray[Any, Any], np.ndarray[Any, Any]], Any],
    paths: Mapping[str, Any],
    *,
    minimum: tuple[float, float] | None = None,
    limits: tuple[Range, Range] | None = None,
    levels: int = 16,
    ax: Axes | None = None,
) -> Axes:
    """Draws paths over the contour lines of a function, from their starts (rings) to their ends; a star is the minimum.

    Args:
        function: f(x, y) of two arrays of one shape, returning an array of that shape.
        paths: name -> points of shape (steps, 2). A path is drawn up to its first value that is not finite.
        minimum: the point to mark; by default the lowest one inside the limits, or near the paths, if there is one.
        limits: ((x from, x to), (y from, y to)); by default all of the paths and the minimum, if it is given.
        levels: how many contour lines; the areas between them are about equal.
        ax: the axes to draw on; by default new ones.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError, TypeError: no paths, other shapes, or a function that returns another shape.

    >>> import numpy as np
    >>> from tinygrad_dl import viz
    >>> ax = viz.plot_paths(lambda x, y: x**2 + 20 * y**2, {"SGD": np.array([[-7.0, 2.0], [-3.0, 0.5], [-1.0, 0.1]])})
    >>> [line.get_label() for line in ax.lines if not line.get_label().startswith("_")]
    ['SGD', 'start', 'end', 'minimum']
    """
    found = {name: checked(path, name) for name, path in look.mapping(paths, "paths", '{"SGD": points}').items()}
    if levels < 1:
        raise ValueError(f"levels: expected 1 or more, got {levels}")
    lowest = minimum or lowest_point(function, *(limits or limits_of([*found.values()], margin=0.6)))
    points = [*found.values(), *([np.array([lowest])] if lowest else [])]
    (left, right), (bottom, top) = limits or limits_of(points, margin=0.12)
    if not (left < right and bottom < top):
        raise ValueError(f"limits: expected ((x from, x to), (y from, y to)), got {limits}")
    heights = evaluate(function, (left, right), (bottom, top))
    finite = heights[np.isfinite(heights)]
    ax = look.axes_for(ax)
    if finite.size and finite.min() < finite.max():
        cuts = np.unique(np.quantile(finite, np.linspace(0, 1, levels + 2)[1:-1]))
        x, y = np.linspace(left, right, GRID), np.linspace(bottom, top, GRID)
        ax.contour(x, y, heights, levels=cuts, cmap="Greys_r", linewidths=0.8, alpha=0.7, zorder=1)
    for index, (name, path) in enumerate(found.items()):
        draw_path(ax, index, name, path)
    starts = np.unique(np.array([path[0] for path in found.values()]), axis=0)
    ax.plot(
        starts[:, 0], starts[:, 1], "o", markersize=10, markerfacecolor="none", markeredgewidth=1.8, color=look.TEXT,
        label="start", zorder=4,
    )  # fmt: skip
    ax.plot([], [], "o", markersize=9, color=look.FAINT, markeredgecolor="white", label="end")
    if lowest is not None:
        ax.plot(*lowest, "*", markersize=15, color="white", markeredgecolor=look.TEXT, label="minimum", zorder=5)
    ax.set(xlim=(left, right), ylim=(bottom, top))
    ax.grid(False)
    look.legend(ax)
    return ax


def checked(path: Any, name: str) -> np.ndarray[Any, Any]:
    """A path as an array, up to where it stops being finite."""
    points = look.numbers(path, f"the path {name!r}")
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"the path {name!r}: expected shape (steps, 2), got {points.shape}")
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if bad.size and bad[0] == 0:
        raise ValueError(f"the path {name!r}: expected a finite start, got {points[0].tolist()}")
    return points[: bad[0]] if bad.size else points


def limits_of(paths: list[np.ndarray[Any, Any]], margin: float) -> tuple[Range, Range]:
    """What holds all points, with a margin in parts of their extent."""
    points = np.concatenate(paths).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    widest = float((high - low).max()) or 1.0
    size = np.maximum(high - low, 0.2 * widest)  # a path straight along an axis still needs some height
    middle = (low + high) / 2
    low, high = middle - (0.5 + margin) * size, middle + (0.5 + margin) * size
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


def evaluate(function: Callable[..., Any], across: Range, up: Range, points: int = GRID) -> np.ndarray[Any, Any]:
    """The function on a grid."""
    x, y = np.meshgrid(np.linspace(*across, points), np.linspace(*up, points))
    values = look.numbers(function(x, y), "what the function returned")
    if values.shape != x.shape:
        raise ValueError(
            f"function: expected an array of the shape of x and y, {x.shape}, got {values.shape}; compute it "
            f"elementwise"
        )
    return values.astype(np.float64)


def lowest_point(function: Callable[..., Any], across: Range, up: Range) -> tuple[float, float] | None:
    """Where the function is lowest, or None if that is at the edge: then the minimum is somewhere else."""
    for zoom in range(6):
        heights = evaluate(function, across, up, GRID if not zoom else 21)
        heights = np.where(np.isfinite(heights), heights, np.inf)
        row, column = divmod(int(np.argmin(heights)), len(heights))
        last = len(heights) - 1
        if not zoom and (row in (0, last) or column in (0, last) or not np.isfinite(heights[row, column])):
            return None
        x, y = np.linspace(*across, last + 1), np.linspace(*up, last + 1)
        across = float(x[max(column - 1, 0)]), float(x[min(column + 1, last)])
        up = float(y[max(row - 1, 0)]), float(y[min(row + 1, last)])
    return float(x[column]), float(y[row])


def draw_path(ax: Axes, index: int, name: str, path: np.ndarray[Any, Any]) -> None:
    """One path with a marker at each of its steps, or at some if there are many, and a large one at its end."""
    colour, marker = look.colour_of(index), look.marker_of(index)
    ax.plot(
        path[:, 0],
        path[:, 1],
        color=colour,
        linestyle=look.line_of(index),
        linewidth=1.6,
        marker=marker,
        markersize=4.5,
        markevery=max(1, len(path) // 12),
        label=name,
        zorder=3,
    )
    ax.plot(*path[-1], marker, color=colour, markersize=9, markeredgecolor="white", label="_end", zorder=4)
