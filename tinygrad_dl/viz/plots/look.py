"""The one look of all plots, and what they share: figures, styles that do not rest on colour, arrays from tensors.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart; beside its colour every line has a
style, every class a marker and every area a hatch, so that a plot reads as well in grey.

Source: https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b8508c", "#333333", "#e69f00", "#56b4e9")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 2, 1, 2, 1, 2)), (0, (9, 2)), (0, (3, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "///", "...", "\\\\\\", "xx", "--", "oo", "||", "++")
TEXT, FAINT = "#1f2430", "#66707f"
SMALL, NORMAL, LARGE = 9.0, 10.0, 12.5


def matplotlib_part(name: str) -> Any:
    """A module of matplotlib, which is imported when the first plot is made and not before."""
    try:
        return importlib.import_module(f"matplotlib.{name}")
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ImportError("plots need matplotlib; install it with: pip install 'tinygrad_dl[plots]'") from None


def figure(
    rows: int = 1,
    columns: int = 1,
    *,
    title: str | None = None,
    size: tuple[float, float] | None = None,
    sharex: bool | Literal["none", "all", "row", "col"] = False,
    sharey: bool | Literal["none", "all", "row", "col"] = False,
) -> tuple[Figure, Any]:
    """A new figure with a grid of axes in the look of all plots.

    The figure is unknown to pyplot, so nothing has to be closed; `figure.savefig(path)` writes it. Notebooks show it
    where it, or one of its axes, is the last value of a cell.

    Args:
        rows, columns: of the grid.
        title: a line above all axes.
        size: width and height in inches; by default it grows with the grid.
        sharex, sharey: as in matplotlib's `subplots`.

    Returns:
        The figure and an array of its axes: of shape (rows, columns), or one-dimensional if either is 1.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: rows or columns below 1.

    >>> from tinygrad_dl import viz
    >>> figure, (left, right) = viz.figure(1, 2, title="Two of them")
    >>> figure, (ax,) = viz.figure()

    Source: https://matplotlib.org/stable/api/figure_api.html
    """
    if not (hasattr(rows, "__index__") and hasattr(columns, "__index__")):
        raise TypeError(f"figure: expected whole numbers of rows and columns, got {rows!r} and {columns!r}")
    if rows < 1 or columns < 1:
        raise ValueError(f"figure: expected 1 row and 1 column or more, got {rows} and {columns}")
    width, height = (6.4, 4.0) if rows * columns == 1 else (min(4.6 * columns, 16.0), 3.5 * rows)
    layout = matplotlib_part("layout_engine").ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    kinds = shown()
    made: Figure = kinds.Figure(figsize=size or (width, height), layout=layout)
    kind = {"axes_class": kinds.Axes}
    axes = made.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey, subplot_kw=kind)
    for ax in axes.flat:
        style(ax)
    if title:
        made.suptitle(title, fontsize=LARGE, color=TEXT)
    return made, axes if rows > 1 and columns > 1 else axes.reshape(-1)


def shown() -> Any:
    """The module of the classes of figures and axes, which needs matplotlib."""
    matplotlib_part("figure")
    from tinygrad_dl.viz.plots import shown

    return shown


def axes_for(ax: Axes | None, size: tuple[float, float] | None = None) -> Axes:
    """The axes to draw on: those given, in the look of all plots, or new ones."""
    if ax is None:
        new: Axes = figure(size=size)[1][0]
        return new
    check_axes(ax, ", or leave it out")
    style(ax)
    return ax


def check_axes(ax: Any, otherwise: str = "") -> None:
    """Refuses what are no axes, such as an array of them."""
    if not hasattr(ax, "add_artist"):
        got = type(ax).__name__
        raise TypeError(f"ax: expected matplotlib Axes, got {got}; take one of them (axes[0]){otherwise}")


def style(ax: Axes) -> None:
    """Gives axes the look: no box around them, faint lines across, and line styles that change with the colour."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(FAINT)
    ax.grid(True, color=FAINT, alpha=0.2, linewidth=0.6)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_zorder(-1)  # below images too, which `set_axisbelow` leaves under the grid
    ax.tick_params(labelsize=SMALL, color=FAINT, labelcolor=TEXT)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set(size=NORMAL, color=TEXT)
    ax.set_prop_cycle(color=list(COLOURS), linestyle=list(LINES))
    locator: Any = ax.xaxis.get_major_locator()
    if isinstance(locator, matplotlib_part("ticker").MaxNLocator):
        inches = ax.bbox.width / ax.figure.dpi
        locator.set_params(nbins=max(3, int(1.7 * inches)))  # long numbers must not run into each other


def bare(ax: Axes) -> None:
    """Takes everything off axes that show an image."""
    ax.grid(False)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def whole_ticks(ax: Axes) -> None:
    """Ticks along the horizontal axis at whole numbers only."""
    locator: Any = ax.xaxis.get_major_locator()
    locator.set_params(integer=True, min_n_ticks=1)


@composition
def log_scale(ax: Axes, *, x: bool = False, y: bool = False) -> None:
    """Makes axes logarithmic, with ticks that read as plain numbers: 0.5, 2, 10, and powers of ten where they are long.

    A range of less than two decades has ticks between the powers of ten, so that there is always more than one.

    Args:
        ax: the axes.
        x, y: which of the two axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: neither axis is named.

    >>> from tinygrad_dl import viz
    >>> ax = viz.plot_curves({"loss": [2.5, 1.0, 0.3]})
    >>> viz.log_scale(ax, y=True)
    >>> ax.yaxis.get_major_formatter()(1.0), ax.yaxis.get_minor_formatter()(0.5)
    ('1', '0.5')

    Source: https://matplotlib.org/stable/api/scale_api.html#matplotlib.scale.LogScale
    """
    if not (x or y):
        raise ValueError("log_scale: expected x=True, y=True or both, got neither")
    check_axes(ax)
    ticker = matplotlib_part("ticker")
    for name in [name for name, wanted in (("x", x), ("y", y)) if wanted]:
        ax.set(**{f"{name}scale": "log"})
        axis = getattr(ax, f"{name}axis")
        axis.set_major_formatter(ticker.FuncFormatter(lambda value, _, axis=axis: written(value, axis)))
        axis.set_minor_formatter(ticker.FuncFormatter(lambda value, _, axis=axis: between(value, axis)))
        axis.set_tick_params(which="minor", labelsize=SMALL, color=FAINT, labelcolor=TEXT)


def written(value: float, axis: Any) -> str:
    """A tick of a logarithmic axis: a plain number, or a power of ten where some of the axis would be long numbers."""
    low, high = sorted(axis.get_view_interval())
    if (low >= 5e-5 and high <= 2e5) or value <= 0:
        return np.format_float_positional(value, 4, unique=True, fractional=False, trim="-")
    exponent = int(np.floor(np.log10(value) + 1e-9))
    factor = value / 10.0**exponent
    power = f"10^{{{exponent}}}"
    return f"${power}$" if abs(factor - 1) < 1e-6 else rf"${factor:.4g} \times {power}$"


def between(value: float, axis: Any) -> str:
    """What stands at a tick between two powers of ten: the fewer of those are seen, the more of these have a number."""
    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low)
    first = value / 10.0 ** np.floor(np.log10(value) + 1e-9)
    whole = abs(first - round(first)) < 1e-6  # others are matplotlib's own choice, for less than half a decade
    shown = decades < 0.7 or (decades < 2 and round(first) in (2, 5)) or (decades < 1.2 and round(first) == 3)
    return written(value, axis) if shown or not whole else ""


@composition
def legend(ax: Axes, **options: Any) -> None:
    """A legend that stands beside the axes, where it hides nothing; samples long enough to tell line styles apart.

    Args:
        ax: the axes; what was drawn with a `label` is in the legend.
        options: of matplotlib's `Axes.legend`, instead of those of the look.

    >>> from tinygrad_dl import viz
    >>> _, (ax,) = viz.figure()
    >>> lines = ax.plot([1, 2], label="a")
    >>> viz.legend(ax)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['a']

    Source: https://matplotlib.org/stable/api/_as_gen/matplotlib.axes.Axes.legend.html
    """
    check_axes(ax)
    beside = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0, "handlelength": 2.8}
    ax.legend(**{"frameon": False, "fontsize": SMALL, "labelcolor": TEXT, **beside, **options})


def colour_of(index: int) -> str:
    """The colour of the line or class with this number."""
    return COLOURS[index % len(COLOURS)]


def line_of(index: int) -> Any:
    """The line style of this number; once the colours have been used up, they come back with other styles."""
    return LINES[(index + index // len(COLOURS)) % len(LINES)]


def marker_of(index: int) -> str:
    """The marker of this number."""
    return MARKERS[index % len(MARKERS)]


def hatch_of(index: int) -> str:
    """The hatch of this number; the first is none."""
    return HATCHES[index % len(HATCHES)]


def mixed(colour: str, other: str, share: float) -> tuple[float, float, float]:
    """The colour with a share of another: with white to fill areas, with black to write."""
    to_rgb = matplotlib_part("colors").to_rgb
    one, two = np.array(to_rgb(colour)), np.array(to_rgb(other))
    red, green, blue = one * (1 - share) + two * share
    return float(red), float(green), float(blue)


def halo() -> list[Any]:
    """A white rim, so that text can be read on anything."""
    effects = matplotlib_part("patheffects")
    return [effects.withStroke(linewidth=2.5, foreground="white")]


def array_of(value: Any) -> np.ndarray[Any, Any]:
    """A tensor, an array, numbers, or a list of any of them, as an array; no graph is kept or needed."""
    if isinstance(value, Tensor):
        return np.asarray(value.detach().numpy())
    if isinstance(value, list | tuple):
        return np.asarray([array_of(each) for each in value])
    return np.asarray(value)


def numbers(value: Any, name: str) -> np.ndarray[Any, Any]:
    """The same, refusing what has no order on a line: text, objects, complex numbers."""
    try:
        array = array_of(value)
    except ValueError:
        raise ValueError(f"{name}: expected numbers, got a list whose parts differ in shape") from None
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        got = type(value).__name__ if array.dtype.kind == "O" else array.dtype
        raise TypeError(f"{name}: expected real numbers, got {got}")
    return array.astype(np.float32) if array.dtype.itemsize < 4 and array.dtype.kind not in "biu" else array


def integers(value: Any, name: str) -> np.ndarray[Any, Any]:
    """A one-dimensional array of whole numbers, such as classes."""
    array = numbers(value, name)
    if array.ndim != 1:
        raise ValueError(f"{name}: expected one class for each, of shape (n,), got shape {array.shape}")
    if array.dtype.kind == "f" and not np.all(array == np.floor(array)):
        raise TypeError(f"{name}: expected whole numbers, got {array.dtype} with fractions; take scores.argmax(1)")
    return array.astype(np.int64)


def mapping(value: Any, name: str, example: str) -> Mapping[str, Any]:
    """The value, if it is a dict with something in it."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: expected a dict of name -> values, got {type(value).__name__}; pass {example}")
    if not value:
        raise ValueError(f"{name}: expected at least one, got an empty dict; pass {example}")
    return value


def label_of(names: Sequence[str] | Mapping[int, str] | None, index: int) -> str:
    """What class number `index` is called."""
    return str(index) if names is None else str(names[index])


def check_names(names: Any, classes: Sequence[int]) -> None:
    """Refuses names that do not cover the classes."""
    if names is None:
        return
    if isinstance(names, str):
        raise TypeError(f"names: expected a list of names, got the string {names!r}")
    missing = [c for c in classes if (c not in names if isinstance(names, Mapping) else not 0 <= c < len(names))]
    if missing:
        raise ValueError(
            f"names: got {len(names)}, which leaves class {missing[0]} without one, expected one for each class"
        )
