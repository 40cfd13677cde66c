"""Lines over time: losses, accuracies, learning rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.viz.plots import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP, WIDTH = 12.0, 50.0  # from one label to that above it, and of a label, in points


@composition
def plot_curves(
    curves: Mapping[str, Sequence[float]],
    *,
    kept: int | None = None,
    x: Sequence[float] | None = None,
    xlabel: str = "epoch",
    ylabel: str = "loss",
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draws each curve as a line, with its name at its end.

    Curves may differ in length. Values that are not finite leave a gap, and so do values of 0 or below if `log`.

    Args:
        curves: name -> values.
        kept: the position of the values that were kept, such as the epoch with the lowest loss; it gets a mark.
        x: where the values stand; by default 1, 2, 3, ...
        xlabel, ylabel: what the axes show.
        log: whether the vertical axis is logarithmic.
        ax: the axes to draw on; by default new ones.

    Returns:
        The axes; `ax.figure.savefig(path)` writes the picture.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError, TypeError: no curves, an empty one, `x` too short, or `kept` outside of them.

    >>> from tinygrad_dl import viz
    >>> ax = viz.plot_curves({"train": [2.0, 1.0, 0.5], "dev": [2.1, 1.4, 1.5]}, kept=1)
    >>> len(ax.lines)  # two curves, and the mark
    3
    """
    given = look.mapping(curves, "curves", '{"train": losses}')
    lines = {name: checked(values, f"the curve {name!r}") for name, values in given.items()}
    longest = max(map(len, lines.values()))
    places = np.arange(1, longest + 1) if x is None else look.numbers(x, "x")
    if places.ndim != 1 or len(places) < longest:
        raise ValueError(f"x: expected {longest} positions, as many as the longest curve has, got shape {places.shape}")
    if kept is not None and not 0 <= kept < longest:
        raise ValueError(f"kept: got {kept}, expected a position in the curves: 0 to {longest - 1}")
    ax = look.axes_for(ax)
    if log:
        look.log_scale(ax, y=True)
        lines = {name: np.where(values > 0, values, np.nan) for name, values in lines.items()}
    ends = [draw_line(ax, i, places[: len(values)], values) for i, values in enumerate(lines.values())]
    if kept is not None:
        there = [values[kept] for values in lines.values() if kept < len(values) and np.isfinite(values[kept])]
        mark(ax, places[kept], f"kept: {xlabel} {places[kept]:g}", there)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if places.dtype.kind in "iu":
        look.whole_ticks(ax)
    name_ends(ax, list(lines), ends)
    return ax


@composition
def plot_schedule(
    rates: Mapping[str, Sequence[float]],
    *,
    x: Sequence[float] | None = None,
    xlabel: str = "step",
    ylabel: str = "learning rate",
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draws learning rates over the steps of a schedule, the first step being 0.

    Arguments, result and errors are those of `plot_curves`.

    >>> from tinygrad_dl import viz
    >>> ax = viz.plot_schedule({"halved": [0.1, 0.05, 0.025]})
    >>> ax.get_ylabel()
    'learning rate'
    """
    if x is None:
        curves = look.mapping(rates, "rates", '{"cosine": rates}')
        x = range(max(np.size(look.array_of(values)) for values in curves.values()))
    return plot_curves(rates, x=x, xlabel=xlabel, ylabel=ylabel, log=log, ax=ax)


def checked(values: Any, name: str) -> np.ndarray[Any, Any]:
    """A curve as an array of floats, with nan for what cannot be drawn."""
    array = look.numbers(values, name)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name}: expected one or more numbers in a row, got shape {array.shape}")
    return np.where(np.isfinite(array), array, np.nan).astype(np.float64)


def draw_line(ax: Axes, index: int, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> tuple[float, float] | None:
    """Draws one curve; returns its last finite point."""
    finite = np.flatnonzero(np.isfinite(y))
    # Each line has its markers at other places, so that they are seen where lines run together.
    step = max(1, len(y) // 8)
    gaps = np.concatenate([[True], ~np.isfinite(y), [True]])
    alone = np.flatnonzero(gaps[:-2] & gaps[2:] & ~gaps[1:-1])
    last = finite[-1:].tolist()
    regular = [i for i in range(index % step, len(y), step) if not last or last[0] - i >= step // 2]
    ax.plot(
        x,
        y,
        color=look.colour_of(index),
        linestyle=look.line_of(index),
        linewidth=1.8,
        marker=look.marker_of(index),
        markersize=5.5,
        markevery=sorted({*regular, *alone.tolist(), *last}),
    )
    return (float(x[finite[-1]]), float(y[finite[-1]])) if finite.size else None


def mark(ax: Axes, x: float, text: str, crossed: Sequence[float]) -> None:
    """A line down the axes, and what it says at its end, on the side that has more room.

    That is its upper end, unless the curves that it has `crossed` are there, and none is at the lower one.
    """
    ax.axvline(x, color=look.FAINT, linewidth=1.2, linestyle=(0, (1, 2)), zorder=1.5)
    low, high = ax.get_xlim()
    right = x < (low + high) / 2
    heights = [ax.transAxes.inverted().transform(ax.transData.transform((x, y)))[1] for y in crossed]
    below = max(heights, default=0.0) > 0.85 and min(heights, default=0.0) > 0.15
    ax.annotate(
        text,
        (x, 0.0 if below else 1.0),
        (4 if right else -4, 2 if below else -2),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="left" if right else "right",
        va="bottom" if below else "top",
        size=look.SMALL,
        color=look.TEXT,
        path_effects=look.halo(),
    )


def name_ends(ax: Axes, names: Sequence[str], ends: Sequence[tuple[float, float] | None]) -> None:
    """Writes each name right of its line's end, moved up or down where two would overlap.

    If one has moved, the whole column stands in line, a little further to the right, so that no leader crosses a name.
    """
    ax.get_xlim(), ax.get_ylim()  # brings the limits up to date, and with them the transformation
    to_points = 72.0 / ax.figure.dpi
    corner = ax.bbox.x1, ax.bbox.y0  # for a line that has no end
    places = np.array([ax.transData.transform(end) if end else corner for end in ends]) * to_points
    offsets = np.full_like(places, 7.0)
    led = np.zeros(len(names), bool)
    for column in columns_of(places[:, 0]):
        heights = separated(places[column, 1].tolist(), GAP, top=ax.bbox.y1 * to_points)
        offsets[column, 1] = heights - places[column, 1]
        if np.any(np.abs(offsets[column, 1]) > 3):
            led[column] = True
            offsets[column, 0] = places[column, 0].max() + 18 - places[column, 0]
    right = places[:, 0].max()
    for index, (name, end, x, offset) in enumerate(zip(names, ends, places[:, 0], offsets.tolist(), strict=True)):
        ax.annotate(
            name if end else f"{name}: no finite value",
            end or (1.0, 0.0),
            offset,
            xycoords="data" if end else "axes fraction",
            textcoords="offset points",
            va="center",
            size=look.NORMAL,
            color=look.mixed(look.colour_of(index), "black", 0.35),
            path_effects=look.halo() if x < right - 3 else [],
            arrowprops={
                "arrowstyle": "-",
                "color": look.FAINT,
                "linewidth": 0.7,
                "shrinkA": 0,
                "shrinkB": 4,
                "relpos": (0, 0.5),
            }
            if led[index] and end
            else None,
            annotation_clip=False,
        )


def columns_of(x: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """The labels by columns: those that begin within a label's width of each other, and so could overlap."""
    order = np.argsort(x, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(x[order]) > WIDTH) + 1)


def separated(heights: Sequence[float], gap: float, top: float = np.inf) -> list[float]:
    """The heights moved as little as possible so that no two are nearer than `gap`, and none above `top` (a title).

    With `gap` times its rank taken off, each must be no less than the one below it: isotonic regression, which
    puts neighbours in the wrong order at their common mean.
    """
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    blocks: list[tuple[float, int]] = []  # mean and number
    for rank, i in enumerate(order):
        mean, count = heights[i] - gap * rank, 1
        while blocks and blocks[-1][0] > mean:
            below, number = blocks.pop()
            mean, count = (mean * count + below * number) / (count + number), count + number
        blocks.append((mean, count))
    level = [mean for mean, count in blocks for _ in range(count)]
    result = [0.0] * len(heights)
    for rank, i in enumerate(order):
        result[i] = min(level[rank] + gap * rank, top - gap * (len(order) - 1 - rank))
    return result
