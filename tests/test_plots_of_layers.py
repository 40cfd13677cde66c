"""Plots of what layers hold, as distributions and as images, and of boxes and masks on images."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn, viz

pytest.importorskip("matplotlib")
from matplotlib.text import Text


def draw(ax, dpi=40):
    """Draws the whole figure, as saving it does; returns its axes."""
    ax.figure.savefig(io.BytesIO(), format="png", dpi=dpi)
    return ax


def words(ax):
    return [text.get_text() for text in ax.texts]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# -- distributions ------------------------------------------------------------------------------------


def test_layers_over_time_are_bands():
    values = {"a": [np.arange(101.0), np.arange(101.0) * 2], "b": [np.zeros(3)] * 3}
    ax = draw(viz.plot_histograms(values, xlabel="epoch"))
    first, second = ax.child_axes
    assert first.get_ylabel() == "a" and second.get_ylabel() == "b"
    assert list(first.lines[0].get_ydata()) == [50, 100]
    assert second.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert legend(first) == ["all", "90 %", "50 %", "median"]
    assert second.get_xlabel() == "epoch"


def test_layers_recorded_once_are_histograms_on_one_scale():
    ax = draw(viz.plot_histograms({"a": np.arange(10.0), "b": [np.full(5, 3.0)]}, bins=5, xlabel="weight"))
    first, second = ax.child_axes
    assert first.get_xlim() == second.get_xlim() == (0, 9)
    assert first.patches[0].get_data().values.tolist() == [0.2] * 5
    assert second.patches[0].get_data().values.tolist() == [0, 1, 0, 0, 0]
    assert words(second) == ["mean 3\nstd 0"]


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ({}, {}, "values: expected at least one"),
        ({"a": []}, {}, "the layer 'a': expected at least one array, got an empty list; record something first"),
        ({"a": [np.zeros(0)]}, {}, "got no finite value in array 0 of the layer 'a'"),
        ({"a": np.zeros(3)}, {"bins": 0}, "bins: expected 1 or more, got 0"),
        ({"a": [np.zeros(3)] * 2}, {"x": [1]}, "x: expected 2 positions"),
    ],
)
def test_histograms_refuse(values, options, message):
    with pytest.raises(ValueError, match=message):
        viz.plot_histograms(values, **options)


def test_watch_records_layers_by_name():
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Tanh(), nn.Linear(4, 1)))
    x = td.randn(5, 3)
    with viz.Watch(model) as watch:
        out = model(x)
        out.sum().backward()
        watch.record()
        assert list(watch.weights) == list(watch.gradients) == ["0", "1.1"]
        assert list(watch.activations) == list(watch.output_gradients) == ["0", "1.0", "1.1"]
        assert np.array_equal(watch.activations["1.1"][0], out.detach().numpy().reshape(-1))
        assert np.array_equal(watch.gradients["0"][0], model[0].weight.grad.numpy().reshape(-1))
        assert np.array_equal(watch.output_gradients["1.1"][0], np.ones(5))
        before = watch.weights["0"][0].copy()
        with td.no_grad():
            model[0].weight.add_(1.0)
        watch.record()
        assert np.array_equal(watch.weights["0"][0], before)
        assert np.allclose(watch.weights["0"][1], before + 1)
    model(x + 100)
    watch.record()
    assert np.array_equal(watch.activations["0"][2], watch.activations["0"][1])  # no longer watched
    draw(viz.plot_histograms(watch.weights))


def test_watch_keeps_samples_of_what_is_large():
    layer = nn.Linear(100, 100)
    watch = viz.Watch(layer, size=50)
    layer(td.randn(7, 100))
    watch.record()
    assert watch.weights["model"][0].shape == watch.activations["model"][0].shape == (50,)
    assert not watch.gradients
    watch.remove()


def test_watch_records_each_epoch_of_fit():
    model = nn.Linear(3, 1)
    data = [(td.randn(4, 3), td.randn(4, 1))] * 2
    watch = viz.Watch(model)
    td.train.fit(model, nn.MSELoss(), td.optim.SGD(model.parameters(), lr=0.1), data, epochs=3, callbacks=[watch])
    assert [len(kept["model"]) for kept in (watch.weights, watch.activations, watch.gradients)] == [3, 3, 3]


def test_the_figure_of_a_watch_has_what_was_recorded():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    watch = viz.Watch(model)
    with pytest.raises(RuntimeError, match="got a watch without a record, expected one"):
        watch.figure()
    model(td.randn(4, 3))
    watch.record()
    assert [ax.get_title() for ax in watch.figure().axes] == ["activations"]
    data = [(td.randn(4, 3), td.randn(4, 1))] * 2
    optimizer = td.optim.SGD(model.parameters(), lr=0.1)
    td.train.fit(model, nn.MSELoss(), optimizer, data, dev=data, epochs=3, callbacks=[watch])
    losses, activations, gradients = watch.figure().axes
    assert [ax.get_title() for ax in (losses, activations, gradients)] == ["losses", "activations", "gradients"]
    assert [text.get_text() for text in losses.texts] == ["train_loss", "dev_loss"]
    assert [row.get_ylabel() for row in activations.child_axes] == ["0 Linear", "1 Tanh", "2 Linear"]
    assert [row.get_ylabel() for row in gradients.child_axes] == ["0 Linear", "2 Linear"]


def test_the_figure_of_a_watch_names_layers_without_finite_values():
    model = nn.Sequential(*[nn.Linear(1, 1) for _ in range(30)])
    watch = viz.Watch(model)
    with td.no_grad():
        model[29].bias.fill_(float("nan"))
    model(td.ones(1, 1))
    watch.record()
    (ax,) = watch.figure().axes
    assert ax.get_title() == "activations\nnothing finite: 29"
    assert len(ax.child_axes) == 12
    assert [ax.child_axes[0].get_ylabel(), ax.child_axes[-1].get_ylabel()] == ["0 Linear", "28 Linear"]
    only = viz.Watch(model[29])
    model[29](td.ones(1, 1))
    only.record()
    assert only.figure().axes[0].get_title() == "activations\nnothing finite: model"


def test_the_figure_of_a_watch_shows_complex_numbers_by_their_absolute_values():
    model = nn.Linear(1, 1, bias=False).to(td.complex64)
    with td.no_grad():
        model.weight.fill_(3 + 4j)
    watch = viz.Watch(model)
    model(td.ones(2, 1, dtype=td.complex64))
    watch.record()
    (row,) = watch.figure().axes[0].child_axes
    assert [text.get_text() for text in row.texts] == ["mean 5\nstd 0"]


def test_a_live_watch_writes_its_last_figure(tmp_path):
    model = nn.Linear(3, 1)
    data = [(td.randn(4, 3), td.randn(4, 1))]
    path = tmp_path / "watch.svg"
    watch = viz.Watch(model, live=path)
    td.train.fit(model, nn.MSELoss(), td.optim.SGD(model.parameters(), lr=0.1), data, epochs=3, callbacks=[watch])
    assert path.read_text().count("<svg") == 1
    path.unlink()
    watch.remove()
    assert not path.exists()  # it was drawn already
    with viz.Watch(model, live=str(path)) as watch:
        model(td.ones(1, 3))
        watch.record()
        path.unlink()
        watch.record()
    assert path.exists()
    with viz.Watch(model, live=True) as watch:  # no notebook, no file
        watch.record()


def test_figures_are_pictures_in_notebooks():
    figure, (ax,) = viz.figure(size=(3.0, 2.0))
    picture, shown_at = figure._repr_png_()
    assert ax._repr_png_() == (picture, shown_at)  # as at the end of a cell that draws on it
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert shown_at == {"width": 300, "height": 200}
    figure.savefig = None
    assert figure._repr_png_() is None


def test_watch_refuses():
    with pytest.raises(ValueError, match=r"got live='watch.txt', expected True or a path that ends in .png, .svg"):
        viz.Watch(nn.Linear(1, 1), live="watch.txt")
    with pytest.raises(FileNotFoundError, match=r"Watch: got the folder .*nowhere, expected one that is there"):
        viz.Watch(nn.Linear(1, 1), live="nowhere/watch.png")
    with pytest.raises(TypeError, match=r"Watch: expected an nn.Module, got list"):
        viz.Watch([])
    with pytest.raises(ValueError, match="got size=0, expected 1 or more"):
        viz.Watch(nn.Linear(1, 1), size=0)


# -- images -------------------------------------------------------------------------------------------


def test_filters_share_a_scale_with_zero_in_the_middle():
    ax = viz.plot_filters(np.linspace(-1, 3, 4 * 9).reshape(4, 3, 3), columns=2)
    image = ax.images[0]
    assert image.get_clim() == (-3, 3)
    sheet = image.get_array()
    assert sheet.shape == (9, 9)
    assert sheet.mask[0].all() and sheet.mask[:, 4].all()
    assert np.allclose(sheet[5:8, 1:4], np.linspace(-1, 3, 36).reshape(4, 3, 3)[2])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "2"]


def test_filters_of_three_channels_are_colours_and_of_others_rows():
    rng = np.random.default_rng(0)
    assert viz.plot_filters(rng.normal(size=(4, 3, 5, 5))).images[0].get_array().shape == (13, 13, 3)
    ax = draw(viz.plot_filters(rng.normal(size=(4, 6, 5, 5))))
    assert ax.images[0].get_array().shape == (25, 37)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "1", "2", "3"]
    draw(viz.plot_filters(np.zeros((1, 1, 1))))
    draw(viz.plot_filters(np.ones((2, 3, 1, 1))))


def test_feature_maps_share_a_scale():
    ax = viz.plot_feature_maps(np.arange(12.0).reshape(3, 2, 2), columns=5)
    assert ax.images[0].get_clim() == (0, 11)
    assert ax.images[0].get_array().shape == (4, 10)


def test_images_refuse():
    with pytest.raises(ValueError, match=r"weights: expected shape \(n, h, w\) or .*, got \(3, 3\)"):
        viz.plot_filters(np.ones((3, 3)))
    with pytest.raises(
        ValueError, match=r"maps: expected shape .* got \(1, 2, 3, 3\); of a batch, take one: maps\[0\]"
    ):
        viz.plot_feature_maps(np.ones((1, 2, 3, 3)))
    with pytest.raises(ValueError, match="columns: expected 1 or more, got 0"):
        viz.plot_feature_maps(np.ones((2, 3, 3)), columns=0)


# -- boxes and masks ----------------------------------------------------------------------------------


def test_boxes_have_their_labels_as_text():
    boxes = [[2, 3, 10, 12], [5, 15, 25, 18], [27, 1, 30, 9]]
    ax = draw(viz.plot_boxes(np.zeros((3, 20, 30)), td.tensor(boxes), ["cat 0.93", "dog 0.5", "cat 0.1"]))
    assert words(ax) == ["cat 0.93", "dog 0.5", "cat 0.1"]
    assert [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in ax.patches] == [
        (2, 3, 8, 9),
        (5, 15, 20, 3),
        (27, 1, 3, 8),
    ]
    styles = [p.get_linestyle() for p in ax.patches]
    assert styles[0] == styles[2] != styles[1]


def test_coordinates_count_from_the_corner_of_the_first_pixel():
    assert viz.plot_boxes(np.zeros((20, 30)), []).images[0].get_extent() == [0, 30, 20, 0]
    mask = np.zeros((20, 30), int)
    mask[5:9, 10:15] = 1
    ax = viz.plot_segmentation(np.zeros((20, 30)), mask)
    (left, top), (right, bottom) = (f(ax.collections[0].get_paths()[0].vertices, axis=0) for f in (np.min, np.max))
    assert (left, top, right, bottom) == (10, 5, 15, 9)


def test_labels_of_boxes_on_each_other_are_written_at_different_corners():
    boxes = [[5, 30, 40, 60], [6, 31, 41, 61], [7, 32, 42, 62]]
    ax = draw(viz.plot_boxes(np.zeros((80, 120)), boxes, ["cat 0.93", "cat 0.92", "dog 0.91"]), dpi="figure")
    places = [Text.get_window_extent(text) for text in ax.texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(places, 2))
    draw(viz.plot_boxes(np.zeros((4, 4)), [[0, 0, 4, 4]] * 9, ["a very long label indeed"] * 9))


def test_labels_at_the_upper_edge_go_beside_their_boxes_before_they_cover_each_other():
    boxes = [[50, 0, 80, 20]] * 9
    ax = draw(viz.plot_boxes(np.zeros((80, 120)), boxes, [f"{i} 0.5" for i in range(9)]), dpi="figure")
    places = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(places, 2))


def test_no_boxes_and_no_labels():
    assert not draw(viz.plot_boxes(np.zeros((4, 4)), [], [])).patches
    assert not draw(viz.plot_boxes(np.zeros((4, 4)), np.zeros((0, 4)))).patches
    ax = draw(viz.plot_boxes(np.zeros((4, 4, 3), np.uint8), [[0, 0, 2, 2]]))
    assert len(ax.patches) == 1 and not ax.texts
    assert words(viz.plot_boxes(np.zeros((4, 4)), [[0, 0, 2, 2]], td.tensor([7]))) == ["7"]


def test_images_in_either_order_and_range():
    image = np.arange(36, dtype=np.uint8).reshape(3, 3, 4)
    shown = viz.plot_boxes(image, []).images[0].get_array()
    assert np.allclose(shown, np.moveaxis(image, 0, -1) / 255)
    assert viz.plot_boxes(np.ones((1, 5, 4)), []).images[0].get_array().shape == (5, 4)
    assert viz.plot_boxes(np.full((5, 4, 3), 1.2), []).images[0].get_array().max() == 1


@pytest.mark.parametrize(
    ("image", "boxes", "labels", "error", "message"),
    [
        (np.zeros((2, 20, 30)), [], None, ValueError, r"image: expected shape \(h, w\), .* got \(2, 20, 30\)"),
        (np.zeros((20, 30)), [[1, 2, 3]], None, ValueError, r"boxes: expected shape \(n, 4\), .* got \(1, 3\)"),
        (np.zeros((20, 30)), [[1, 2, 3, 4]], [], ValueError, r"labels: expected one for each of the 1 boxes, got 0"),
        (np.zeros((20, 30)), [[1, 2, 3, 4]], "a", TypeError, r"labels: expected a list .* got the string 'a'"),
    ],
)
def test_boxes_refuse(image, boxes, labels, error, message):
    with pytest.raises(error, match=message):
        viz.plot_boxes(image, boxes, labels)


def test_a_mask_is_hatched_and_has_a_legend():
    mask = np.zeros((20, 30), int)
    mask[2:8, 2:8], mask[10:15, 10:15] = 1, 3
    ax = draw(viz.plot_segmentation(np.zeros((20, 30)), mask, {0: "sky", 1: "cat", 3: "dog"}))
    assert legend(ax) == ["cat", "dog"]
    assert len({patch.get_hatch() for patch in ax.get_legend().get_patches()}) == 2
    assert ax.get_ylim() == (20, 0)
    assert legend(viz.plot_segmentation(np.zeros((20, 30)), mask, background=None)) == ["0", "1", "3"]
    assert draw(viz.plot_segmentation(np.zeros((20, 30)), mask * 0)).get_legend() is None


def test_masks_refuse():
    with pytest.raises(ValueError, match=r"mask: expected a class for each pixel, shape \(4, 5\), got \(5, 4\)"):
        viz.plot_segmentation(np.zeros((4, 5)), np.zeros((5, 4), int))
    with pytest.raises(ValueError, match="names: got 1, which leaves class 2 without one"):
        viz.plot_segmentation(np.zeros((4, 5)), np.full((4, 5), 2), ["a"])


def pixels(figure):
    canvas = pytest.importorskip("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3]


def test_the_grid_is_below_an_image():
    def drawn(grid):
        figure, (ax,) = viz.figure()
        ax.imshow(np.zeros((8, 8)), cmap="gray")
        ax.grid(grid)
        inside = ax.get_window_extent
        figure.draw_without_rendering()
        box = inside()
        shown = pixels(figure)
        return shown[len(shown) - int(box.y1) + 3 : len(shown) - int(box.y0) - 3, int(box.x0) + 3 : int(box.x1) - 3]

    assert (drawn(True) == 0).all()
    assert (drawn(True) == drawn(False)).all()
