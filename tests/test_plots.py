"""Plots: what is drawn (lines, labels, limits, cells), without warnings, and what is refused."""

from __future__ import annotations

import builtins
import io
import itertools
import re
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import viz

pytest.importorskip("matplotlib")
from matplotlib.collections import PathCollection
from matplotlib.text import Text

from tinygrad_dl.viz.plots import curves, look

EVERY_PLOT = {
    "plot_curves": ({"train": [3.0, 2.0, 1.0], "dev": [3.0, 2.5]},),
    "plot_schedule": ({"step": [0.1, 0.1, 0.01]},),
    "plot_decision_boundary": (lambda x: x[:, 0] > 0, np.array([[-1.0, 0.0], [1.0, 1.0]]), [0, 1]),
    "plot_confusion_matrix": ([0, 1, 2, 2], [0, 1, 1, 2]),
    "plot_histograms": ({"a": [np.arange(5.0), np.arange(7.0)], "b": [np.ones(3), np.ones(3)]},),
    "plot_filters": (np.arange(72.0).reshape(8, 1, 3, 3),),
    "plot_feature_maps": (np.arange(96.0).reshape(6, 4, 4),),
    "plot_paths": (lambda x, y: x**2 + y**2, {"SGD": np.array([[-3.0, 2.0], [-1.0, 0.5]])}),
    "plot_boxes": (np.zeros((20, 30)), [[2, 3, 10, 12]], ["cat"]),
    "plot_segmentation": (np.zeros((20, 30)), np.arange(600).reshape(20, 30) // 200),
}


def draw(ax, dpi=40):
    """Draws the whole figure, as saving it does; returns its axes."""
    ax.figure.savefig(io.BytesIO(), format="png", dpi=dpi)
    return ax


def words(ax):
    return [text.get_text() for text in ax.texts]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def tensors(value):
    """The same arguments with every array as a tensor that requires a gradient, or else as a tensor."""
    if isinstance(value, dict):
        return {name: tensors(v) for name, v in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
        return [tensors(v) for v in value]
    if isinstance(value, np.ndarray) or (isinstance(value, list) and not isinstance(value[0], str)):
        tensor = td.tensor(value)
        return tensor.requires_grad_() if tensor.dtype.kind == "f" else tensor
    return value


# -- all of them --------------------------------------------------------------------------------------


def test_every_plot_is_here():
    assert set(EVERY_PLOT) == {name for name in viz.__all__ if name.startswith("plot_")}


@pytest.mark.parametrize("name", EVERY_PLOT)
def test_draws_without_warnings_on_new_and_on_given_axes(name):
    plot, arguments = getattr(viz, name), EVERY_PLOT[name]
    draw(plot(*arguments))
    figure, axes = viz.figure(1, 2, title="Two")
    assert plot(*arguments, ax=axes[1]) is axes[1]
    draw(axes[1])
    assert figure.axes[:2] == list(axes)


@pytest.mark.parametrize("name", EVERY_PLOT)
def test_takes_tensors(name):
    draw(getattr(viz, name)(*map(tensors, EVERY_PLOT[name])))


@pytest.mark.parametrize("name", EVERY_PLOT)
def test_refuses_what_are_no_axes(name):
    _, axes = viz.figure(1, 2)
    with pytest.raises(TypeError, match=r"ax: expected matplotlib Axes, got ndarray; take one of them"):
        getattr(viz, name)(*EVERY_PLOT[name], ax=axes)


@pytest.mark.parametrize("name", [*EVERY_PLOT, "figure"])
def test_without_matplotlib_one_line_says_what_to_install(name, monkeypatch):
    real = builtins.__import__

    def absent(module, *args, **kwargs):
        if module.split(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"No module named {module!r}", name="matplotlib")
        return real(module, *args, **kwargs)

    monkeypatch.setattr(look.importlib, "import_module", lambda module: absent(module))
    with pytest.raises(
        ImportError, match=r"^plots need matplotlib; install it with: pip install 'tinygrad_dl\[plots\]'$"
    ):
        getattr(viz, name)(*EVERY_PLOT.get(name, ()))


def test_a_broken_matplotlib_is_not_called_a_missing_one(monkeypatch):
    def broken(module):
        raise ModuleNotFoundError("No module named 'kiwisolver'", name="kiwisolver")

    monkeypatch.setattr(look.importlib, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="kiwisolver"):
        viz.figure()


def test_matplotlib_is_imported_by_the_first_plot_and_pyplot_by_none():
    code = (
        "import sys, tinygrad_dl as td; td.viz.plot_curves; assert 'matplotlib' not in sys.modules\n"
        "td.viz.plot_curves({'a': [1.0, 2.0]}).figure.savefig(sys.stderr.buffer, format='png')\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize(("rows", "columns", "shape"), [(1, 1, (1,)), (1, 3, (3,)), (2, 1, (2,)), (2, 3, (2, 3))])
def test_figure_returns_its_axes_as_an_array(rows, columns, shape):
    figure, axes = viz.figure(rows, columns, title="Title", size=(5, 4))
    assert axes.shape == shape
    assert figure.get_suptitle() == "Title"
    assert figure.get_size_inches().tolist() == [5, 4]


def test_plain_lines_differ_by_style_too():
    _, (ax,) = viz.figure()
    lines = [ax.plot([0, 1], [i, i])[0] for i in range(5)]
    assert len({line.get_linestyle() for line in lines[:4]}) == 4
    assert len({line.get_color() for line in lines}) == 5


def test_figure_refuses_an_empty_grid():
    with pytest.raises(ValueError, match="figure: expected 1 row and 1 column or more, got 0 and 2"):
        viz.figure(0, 2)
    with pytest.raises(TypeError, match="figure: expected whole numbers of rows and columns, got 'a' and 1"):
        viz.figure("a")
    assert viz.figure(np.int64(2))[1].shape == (2,)


def test_legend_and_log_scale_refuse_what_are_no_axes():
    with pytest.raises(TypeError, match="legend: ax: expected matplotlib Axes, got NoneType; take one of them"):
        viz.legend(None)
    with pytest.raises(TypeError, match="log_scale: ax: expected matplotlib Axes, got ndarray; take one of them"):
        viz.log_scale(viz.figure(1, 2)[1], y=True)


def test_a_module_in_the_place_of_its_weights_is_named():
    with pytest.raises(TypeError, match="plot_filters: weights: expected real numbers, got Conv2d"):
        viz.plot_filters(td.nn.Conv2d(1, 2, 3))


# -- curves -------------------------------------------------------------------------------------------


def test_curves_have_their_names_at_their_ends():
    ax = viz.plot_curves({"train": [3.0, 2.0, 1.0], "dev": [3.0, 2.5]}, ylabel="error")
    assert words(ax) == ["train", "dev"]
    assert [text.xy for text in ax.texts] == [(3.0, 1.0), (2.0, 2.5)]
    assert [line.get_xdata().tolist() for line in ax.lines] == [[1, 2, 3], [1, 2]]
    assert len({line.get_linestyle() for line in ax.lines}) == len({line.get_marker() for line in ax.lines}) == 2
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "error")


def test_what_is_not_finite_leaves_a_gap():
    ax = viz.plot_curves({"a": [1.0, np.nan, 2.0, np.inf, 3.0, 3.5, np.nan], "b": [np.nan, -np.inf]})
    assert ax.lines[0].get_ydata().tolist()[::2][:3] == [1.0, 2.0, 3.0]
    assert np.isnan(ax.lines[0].get_ydata()[[1, 3, 6]]).all()
    assert {0, 2, 5} <= set(ax.lines[0].get_markevery())  # points without neighbours and the end can be seen
    assert ax.texts[0].xy == (6.0, 3.5)
    assert words(ax) == ["a", "b: no finite value"]
    draw(ax)


def test_a_logarithmic_axis_leaves_out_zeros():
    ax = draw(viz.plot_curves({"a": [1.0, 0.0, 1e-3]}, log=True))
    assert ax.get_yscale() == "log"
    assert np.isnan(ax.lines[0].get_ydata()[1])
    assert ax.get_ylim()[0] > 0


def test_the_kept_epoch_is_marked():
    ax = viz.plot_curves({"train": [3.0, 2.0, 1.0]}, kept=1, x=[10, 20, 30])
    assert "kept: epoch 20" in words(ax)
    assert ax.lines[1].get_xdata() == [20, 20]


def test_a_single_point_is_seen():
    ax = draw(viz.plot_curves({"a": [2.0]}))
    assert ax.lines[0].get_marker() not in (None, "None")


def test_labels_at_one_height_are_spread():
    ax = draw(viz.plot_curves({f"run {i}": [1.0, 0.5 + i * 1e-4] for i in range(5)}), dpi="figure")
    # Of the text alone: an annotation's own extent holds its arrow too.
    rows = sorted((box.y0, box.y1) for box in (Text.get_window_extent(text) for text in ax.texts))
    assert all(below[1] <= above[0] + 1 for below, above in itertools.pairwise(rows))


@pytest.mark.parametrize("ends", [[1.0] * 6, [1.0, 1.0, 0.99, 0.98], [1.0, 0.2]])
def test_no_leader_crosses_a_name(ends):
    ax = viz.plot_curves({f"run {i}": [0.0, end] for i, end in enumerate(ends)})
    left, middle = zip(*(text.get_position() for text in ax.texts), strict=True)
    apart = ends == [1.0, 0.2]  # nothing to make room for: names beside their ends, without leaders
    assert set(left) == ({7.0} if apart else {18.0}) and (max(map(abs, middle)) < 1e-9) == apart
    assert {text.arrow_patch is None for text in ax.texts} == {apart}


def test_names_of_lines_that_end_near_each_other_stand_in_line():
    ax = viz.plot_curves({"a": [1.0] * 50, "b": [1.0] * 49})
    starts = [ax.transData.transform(text.xy)[0] * 72 / ax.figure.dpi + text.get_position()[0] for text in ax.texts]
    assert np.ptp(starts) < 1e-9


@pytest.mark.parametrize("heights", [[0.0, 0.0, 0.0], [5.0, 1.0, 30.0, 6.0, 2.0], [1.0], []])
def test_separated_names_keep_order_and_gap(heights):
    moved = np.array(curves.separated(heights, 10.0))
    assert moved.size == len(heights)
    assert np.all(np.diff(np.sort(moved)) >= 10.0 - 1e-9)
    assert np.array_equal(np.argsort(moved, kind="stable"), np.argsort(heights, kind="stable"))
    assert moved.size == 0 or np.isclose(moved.mean(), np.mean(heights))


def test_schedules_begin_at_step_0():
    ax = viz.plot_schedule({"a": [0.1, 0.05], "b": [0.1, 0.01, 0.001]}, log=True)
    assert ax.lines[1].get_xdata().tolist() == [0, 1, 2]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("step", "learning rate", "log")


@pytest.mark.parametrize(
    ("curves", "options", "error", "message"),
    [
        ({}, {}, ValueError, r"curves: expected at least one, got an empty dict"),
        ([1.0, 2.0], {}, TypeError, r"curves: expected a dict of name -> values, got list; pass {\"train\": losses}"),
        ({"a": []}, {}, ValueError, r"the curve 'a': expected one or more numbers in a row, got shape \(0,\)"),
        ({"a": 1.0}, {}, ValueError, r"the curve 'a': expected one or more numbers in a row, got shape \(\)"),
        ({"a": ["x"]}, {}, TypeError, r"the curve 'a': expected real numbers, got <U1"),
        ({"a": [[1.0], [1.0, 2.0]]}, {}, ValueError, r"the curve 'a': expected numbers, got a list whose parts differ"),
        ({"a": [1.0, 2.0]}, {"kept": 2}, ValueError, r"kept: got 2, expected a position in the curves: 0 to 1"),
        ({"a": [1.0, 2.0]}, {"kept": -1}, ValueError, r"kept: got -1"),
        ({"a": [1.0, 2.0]}, {"x": [1]}, ValueError, r"x: expected 2 positions, .* got shape \(1,\)"),
    ],
)
def test_curves_refuse(curves, options, error, message):
    with pytest.raises(error, match=message):
        viz.plot_curves(curves, **options)


# -- boundaries and matrices --------------------------------------------------------------------------


def test_a_boundary_asks_once_for_a_grid_around_the_points():
    asked = []

    def predict(x):
        asked.append(x)
        return (x[:, 0] > 0).astype(int) + 2 * (x[:, 1] > 5)

    points = np.array([[-1.0, 0.0], [1.0, 10.0]], np.float32)
    ax = draw(viz.plot_decision_boundary(predict, points, [0, 3], names=["a", "b", "c", "d"], resolution=50))
    (grid,) = asked
    assert grid.shape == (2500, 2) and grid.dtype == np.float32
    assert (grid.min(axis=0) < points.min(axis=0)).all() and (grid.max(axis=0) > points.max(axis=0)).all()
    assert legend(ax) == ["a", "b", "c", "d"]


def test_classes_differ_by_marker_and_hatch():
    ax = viz.plot_decision_boundary(lambda x: x[:, 0] > 0, [[-1, 0], [1, 1], [2, 1]], [0, 1, 1])
    points = [c for c in ax.collections if isinstance(c, PathCollection)]
    assert [len(p.get_offsets()) for p in points] == [1, 2]
    shapes = [len(p.get_paths()[0].vertices) for p in points]
    assert shapes[0] != shapes[1]
    assert [c.hatches for c in ax.collections if any(getattr(c, "hatches", [None])) or getattr(c, "filled", False)] == [
        [""],
        ["///"],
    ]


@pytest.mark.parametrize(
    ("predict", "points", "labels", "message"),
    [
        (lambda x: x[:, 0] > 0, np.ones((3, 3)), [0, 1, 1], r"points: expected shape \(n, 2\), got \(3, 3\)"),
        (lambda x: x[:, 0] > 0, np.ones((3, 2)), [0, 1], r"labels: expected one for each of the 3 points, got 2"),
        (
            lambda x: x,
            np.ones((3, 2)),
            [0, 1, 1],
            r"predict: expected 40000 classes .* got shape \(40000, 2\); if these",
        ),
        (lambda x: x[:, 0] > 0, np.ones((1, 2)), [[1]], r"labels: expected one class for each, of shape \(n,\)"),
    ],
)
def test_boundaries_refuse(predict, points, labels, message):
    with pytest.raises(ValueError, match=message):
        viz.plot_decision_boundary(predict, points, labels)


def test_boundaries_refuse_scores():
    with pytest.raises(TypeError, match=r"what predict returned: expected whole numbers, .* take scores.argmax"):
        viz.plot_decision_boundary(lambda x: x[:, 0] * 0.37, np.ones((3, 2)), [0, 1, 1])
    with pytest.raises(ValueError, match="names: got 1, which leaves class 1 without one"):
        viz.plot_decision_boundary(lambda x: x[:, 0] > 1, np.ones((3, 2)), [0, 1, 1], names=["a"])
    with pytest.raises(ValueError, match="resolution: expected 2 or more, got 1"):
        viz.plot_decision_boundary(lambda x: x[:, 0] > 1, np.ones((3, 2)), [0, 1, 1], resolution=1)


def test_a_confusion_matrix_has_each_count_in_its_cell():
    truth, predicted = [0, 0, 1, 4, 4, 4], [0, 1, 1, 4, 4, 0]
    ax = draw(viz.plot_confusion_matrix(truth, predicted))
    assert words(ax) == ["1", "1", "0", "0", "1", "0", "1", "0", "2"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "4"]
    assert np.allclose(ax.images[0].get_array()[2], [1 / 3, 0, 2 / 3])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "truth")


def test_a_named_class_that_never_occurs_has_a_row():
    ax = draw(viz.plot_confusion_matrix([0, 2], [0, 2], names=["setosa", "versicolor", "virginica"]))
    assert words(ax) == ["1", "0", "0", "0", "0", "0", "0", "0", "1"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["setosa", "versicolor", "virginica"]


@pytest.mark.parametrize(
    ("truth", "predicted", "names", "error", "message"),
    [
        ([0, 1], [0], None, ValueError, "expected as many of one as of the other, at least 1, got 2 and 1"),
        ([], [], None, ValueError, "at least 1, got 0 and 0"),
        ([0, 2], [0, 1], ["a", "b"], ValueError, "names: got 2, which leaves class 2 without one"),
        ([0, 1], [0, 1], "ab", TypeError, "names: expected a list of names, got the string 'ab'"),
        ([0, 1], [0.5, 1], None, TypeError, "predicted: expected whole numbers"),
        (["a"], ["b"], None, TypeError, "truth: expected real numbers"),
    ],
)
def test_confusion_matrices_refuse(truth, predicted, names, error, message):
    with pytest.raises(error, match=message):
        viz.plot_confusion_matrix(truth, predicted, names=names)


# -- paths --------------------------------------------------------------------------------------------


def test_paths_mark_start_end_and_minimum():
    path = np.array([[-7.0, 2.0], [-3.0, 1.0], [-1.0, 0.2]])
    ax = draw(viz.plot_paths(lambda x, y: (x - 0.3) ** 2 + 20 * (y + 0.1) ** 2, {"a": path, "b": path / 2}))
    marks = {line.get_label(): line for line in ax.lines}
    assert legend(ax) == ["a", "b", "start", "end", "minimum"]
    assert np.allclose(marks["minimum"].get_xydata(), [[0.3, -0.1]], atol=1e-3)
    assert sorted(marks["start"].get_xdata()) == [-7.0, -3.5]
    assert [line.get_xydata()[0].tolist() for line in ax.lines if line.get_label() == "_end"] == [
        [-1, 0.2],
        [-0.5, 0.1],
    ]
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert left < -7 and right > 0.3 and bottom < -0.1 and top > 2


def test_paths_stop_where_they_diverge():
    path = np.array([[1.0, 1.0], [2.0, 3.0], [np.inf, 0.0], [0.0, 0.0]])
    ax = draw(viz.plot_paths(lambda x, y: x * y, {"a": path}, minimum=(0, 0), limits=((-1, 4), (-2, 4))))
    assert ax.lines[0].get_xydata().tolist() == [[1, 1], [2, 3]]
    assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 4), (-2, 4))


def test_a_function_without_a_minimum_has_none_marked():
    ax = draw(viz.plot_paths(lambda x, y: x + y, {"a": [[0, 0], [1, 0]]}))
    assert legend(ax) == ["a", "start", "end"]
    draw(viz.plot_paths(lambda x, y: 0 * x, {"a": [[0, 0]]}))


@pytest.mark.parametrize(
    ("function", "paths", "options", "message"),
    [
        (lambda x, y: x, {}, {}, "paths: expected at least one"),
        (lambda x, y: x, {"a": [1.0, 2.0]}, {}, r"the path 'a': expected shape \(steps, 2\), got \(2,\)"),
        (lambda x, y: x, {"a": [[np.nan, 2.0]]}, {}, r"the path 'a': expected a finite start"),
        (
            lambda x, y: 1.0,
            {"a": [[1.0, 2.0]]},
            {},
            r"function: expected an array of the shape of x and y, .* got \(\)",
        ),
        (lambda x, y: x, {"a": [[1.0, 2.0]]}, {"limits": ((1, 0), (0, 1))}, r"limits: expected \(\(x from, x to\)"),
        (lambda x, y: x, {"a": [[1.0, 2.0]]}, {"levels": 0}, r"levels: expected 1 or more, got 0"),
    ],
)
def test_paths_refuse(function, paths, options, message):
    with pytest.raises(ValueError, match=message):
        viz.plot_paths(function, paths, **options)


def ticks(ax, axis="y"):
    """What is written at the ticks within the limits of an axis."""
    ax.figure.draw_without_rendering()
    low, high = sorted(getattr(ax, f"get_{axis}lim")())
    labels = getattr(ax, f"get_{axis}ticklabels")
    found = [*labels(), *labels(minor=True)]
    inside = [t for t in found if low <= t.get_position()["xy".index(axis)] <= high and t.get_text()]
    return [t.get_text() for t in sorted(inside, key=lambda t: t.get_position()["xy".index(axis)])]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((0.5, 20), ["0.5", "1", "2", "5", "10", "20"]),
        ((0.004, 3), ["0.01", "0.1", "1"]),
        ((2, 8), ["2", "3", "4", "5", "6", "7", "8"]),
        ((1e-8, 1e-5), ["$10^{-8}$", "$10^{-7}$", "$10^{-6}$", "$10^{-5}$"]),
        ((2000, 30000), ["2000", "3000", "5000", "10000", "20000", "30000"]),
    ],
)
def test_log_ticks_are_plain_numbers_unless_long(limits, expected):
    for axis in "xy":
        _, (ax,) = viz.figure()
        ax.set(**{f"{axis}lim": limits})
        viz.log_scale(ax, **{axis: True})
        assert ticks(ax, axis) == expected


def test_a_log_axis_of_a_narrow_range_has_several_plain_ticks():
    found = ticks(viz.plot_curves({"a": [2.25, 1.95]}, log=True))
    assert len(found) >= 3
    assert all(re.fullmatch(r"\d\.?\d*", text) for text in found)


def test_log_scale_wants_an_axis():
    _, (ax,) = viz.figure()
    with pytest.raises(ValueError, match="x=True, y=True or both, got neither"):
        viz.log_scale(ax)


def test_names_at_the_top_stay_below_the_title():
    figure, (ax,) = viz.figure()
    ax.set_ylim(0, 1)
    viz.plot_curves({name: [0.0, 1.0] for name in "abcdef"}, ax=ax)
    figure.draw_without_rendering()
    middles = [(box.y0 + box.y1) / 2 for box in map(Text.get_window_extent, ax.texts)]  # without arrows
    assert max(middles) <= ax.bbox.y1 + 1
    assert min(np.diff(sorted(middles))) > 10


def test_what_was_kept_is_written_where_no_curve_is():
    low = viz.plot_curves({"a": [99.0, 50.0, 1.0]}, kept=2)
    high = viz.plot_curves({"a": [1.0, 50.0, 99.0]}, kept=2)
    assert [ax.texts[0].xy[1] for ax in (low, high)] == [1.0, 0.0]


def test_one_epoch_has_one_whole_tick():
    assert ticks(viz.plot_curves({"a": [1.0]}), "x") == ["1"]
