"""How the values in each layer are distributed, and how that changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.viz.plots import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BANDS = ((0, 100, 0.85, "all"), (5, 95, 0.65, "90 %"), (25, 75, 0.35, "50 %"))


@composition
def plot_histograms(
    values: Mapping[str, Any],
    *,
    x: Sequence[float] | None = None,
    xlabel: str | None = None,
    bins: int = 40,
    ax: Axes | None = None,
) -> Axes:
    """Draws the distribution of values in each layer, a layer in a row.

    Of a layer recorded several times, bands over time hold half of the values, 90 % and all of them, with a line at
    the median; each row has its own scale. Of layers recorded once, histograms over a scale that all share.

    Args:
        values: layer -> arrays in the order of recording (a list), or one array; for example `Watch(...).activations`.
        x: when they were recorded; by default 1, 2, 3, ...
        xlabel: what `x` is, by default "record"; or what the values are, for histograms.
        bins: of histograms.
        ax: the axes whose place the rows take; by default new ones.

    Returns:
        The axes; the rows are its `child_axes`.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError, TypeError: no layers, one with nothing recorded, or `x` too short.

    >>> import numpy as np
    >>> from tinygrad_dl import viz
    >>> ax = viz.plot_histograms({"first": np.random.randn(100), "second": np.random.randn(100) * 0.1})
    >>> len(ax.child_axes)
    2

    Source: https://proceedings.mlr.press/v9/glorot10a.html
    """
    layers = {name: checked(v, name) for name, v in look.mapping(values, "values", "watch.activations").items()}
    if bins < 1:
        raise ValueError(f"bins: expected 1 or more, got {bins}")
    most = max(map(len, layers.values()))
    times = np.arange(1, most + 1) if x is None else look.numbers(x, "x")
    if times.ndim != 1 or len(times) < most:
        raise ValueError(f"x: expected {most} positions, as many as were recorded, got shape {times.shape}")
    ax = look.axes_for(ax, size=(6.4, max(2.2, 0.95 * len(layers) + 0.8)))
    ax.axis("off")
    rows = rows_of(ax, len(layers))
    for row, name in zip(rows, layers, strict=True):
        row.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=6)
    if most > 1:
        for row, arrays in zip(rows, layers.values(), strict=True):
            draw_bands(row, times, arrays)
        bottom = rows[-1]
        handles, labels = rows[0].get_legend_handles_labels()
        look.legend(rows[0], handles=handles, labels=labels)
        xlabel = xlabel or "record"
    else:
        draw_histograms(rows, [arrays[0] for arrays in layers.values()], bins)
        bottom = rows[-1]
    for row in rows[:-1]:
        row.tick_params(labelbottom=False)
    bottom.set_xlabel(xlabel or "")
    return ax


def checked(values: Any, name: str) -> list[np.ndarray[Any, Any]]:
    """What was recorded of a layer: flat arrays of finite values, each with something in it."""
    several = list(values) if isinstance(values, list | tuple) else [values]
    arrays = [look.numbers(each, f"the layer {name!r}").reshape(-1).astype(np.float64) for each in several]
    if not arrays:
        raise ValueError(f"the layer {name!r}: expected at least one array, got an empty list; record something first")
    arrays = [each[np.isfinite(each)] for each in arrays]
    for i, each in enumerate(arrays):
        if not each.size:
            raise ValueError(f"got no finite value in array {i} of the layer {name!r}, expected some")
    return arrays


def rows_of(ax: Axes, count: int) -> list[Axes]:
    """Axes below each other in the place of one."""
    height = 1.0 / (count + 0.3 * (count - 1))
    rows: list[Axes] = []
    for i in range(count):
        row = ax.inset_axes((0, 1 - height - i * 1.3 * height, 1, height), sharex=rows[0] if rows else None)
        look.style(row)
        row.grid(False)
        row.locator_params(axis="y", nbins=3)
        row.locator_params(axis="x", nbins=6)
        rows.append(row)
    return rows


def draw_bands(row: Axes, times: np.ndarray[Any, Any], arrays: list[np.ndarray[Any, Any]]) -> None:
    """Shares of the values over time, the inner ones darker, and their median."""
    times = times[: len(arrays)]
    for low, high, white, label in BANDS:
        edges = np.array([np.percentile(each, (low, high)) for each in arrays]).T
        row.fill_between(times, *edges, color=look.mixed(look.COLOURS[0], "white", white), linewidth=0, label=label)
    medians = [np.median(each) for each in arrays]
    row.plot(times, medians, color=look.TEXT, linestyle="-", linewidth=1.5, label="median")
    if times.dtype.kind in "iu":
        look.whole_ticks(row)


def draw_histograms(rows: list[Axes], arrays: list[np.ndarray[Any, Any]], bins: int) -> None:
    """A histogram in each row, with the mean and the standard deviation beside it."""
    low, high = min(each.min() for each in arrays), max(each.max() for each in arrays)
    low, high = (low, high) if low < high else (low - 0.5, high + 0.5)
    edges = np.linspace(low, high, bins + 1)
    for row, each in zip(rows, arrays, strict=True):
        shares = np.histogram(each, edges)[0] / len(each)
        row.stairs(shares, edges, fill=True, facecolor=look.mixed(look.COLOURS[0], "white", 0.35), edgecolor=look.TEXT)
        row.set(yticks=[], ylim=(0, 1.15 * shares.max()), xlim=(low, high))
        row.spines["left"].set_visible(False)
        row.text(
            1.01, 0.5, f"mean {each.mean():.2g}\nstd {each.std():.2g}", transform=row.transAxes, va="center",
            size=look.SMALL, color=look.TEXT,
        )  # fmt: skip
