"""Boxes: against naive loops over single boxes, in value and gradient; edges, ties and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import vision
from tinygrad_dl.testing import gradcheck

EPS = 1e-7


def random_boxes(rng, n, dtype=np.float64):
    corner, size = rng.uniform(0, 10, (n, 2)), rng.uniform(0.5, 6, (n, 2))
    return np.concatenate([corner, corner + size], axis=1).astype(dtype)


# -- one box and another: the definitions, number by number ---------------------------------------------


def area(a):
    return (a[2] - a[0]) * (a[3] - a[1])


def intersection(a, b):
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def iou(a, b, eps=0.0):
    union = area(a) + area(b) - intersection(a, b)
    return intersection(a, b) / (union + eps) if union + eps else 0.0


def around(a, b):
    return [min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])]


def generalized(a, b, eps=0.0):
    hull = area(around(a, b))
    return iou(a, b, eps) - (hull - (area(a) + area(b) - intersection(a, b))) / (hull + eps)


def distance(a, b, eps=0.0):
    d = ((a[0] + a[2]) / 2 - (b[0] + b[2]) / 2) ** 2 + ((a[1] + a[3]) / 2 - (b[1] + b[3]) / 2) ** 2
    c = around(a, b)
    return iou(a, b, eps) - d / ((c[2] - c[0]) ** 2 + (c[3] - c[1]) ** 2 + EPS)


def proportions(a, b):
    return 4 / math.pi**2 * (math.atan((a[2] - a[0]) / (a[3] - a[1])) - math.atan((b[2] - b[0]) / (b[3] - b[1]))) ** 2


def weight(a, b, eps=0.0):
    return proportions(a, b) / (1 - iou(a, b, eps) + proportions(a, b) + EPS)


def complete(a, b, eps=0.0):
    return distance(a, b, eps) - weight(a, b, eps) * proportions(a, b)


OVERLAPS = {
    vision.box_iou: iou,
    vision.generalized_box_iou: generalized,
    vision.distance_box_iou: distance,
    vision.complete_box_iou: complete,
}
LOSSES = {
    vision.generalized_box_iou_loss: generalized,
    vision.distance_box_iou_loss: distance,
    vision.complete_box_iou_loss: complete,
}


def name(f):
    return getattr(f, "__name__", "")


@pytest.mark.parametrize(("function", "reference"), OVERLAPS.items(), ids=name)
@pytest.mark.parametrize(("n", "m"), [(6, 9), (0, 3), (3, 0), (1, 1)])
def test_overlaps_of_all_pairs(function, reference, n, m):
    rng = np.random.default_rng(0)
    a, b = random_boxes(rng, n), random_boxes(rng, m)
    got = function(td.tensor(a), td.tensor(b))
    expected = np.array([[reference(x, y) for y in b] for x in a]).reshape(n, m)
    assert got.shape == (n, m)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("function", "reference"), LOSSES.items(), ids=name)
def test_losses_of_partners(function, reference):
    rng = np.random.default_rng(1)
    a, b = random_boxes(rng, 12), random_boxes(rng, 12)
    expected = np.array([1 - reference(x, y, EPS) for x, y in zip(a, b, strict=True)])
    x, y = td.tensor(a), td.tensor(b)
    np.testing.assert_allclose(function(x, y).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(function(x, y, reduction="sum").item(), expected.sum())
    np.testing.assert_allclose(function(x, y, reduction="mean").item(), expected.mean())
    assert function(x.reshape(3, 4, 4), y.reshape(3, 4, 4)).shape == (3, 4)
    assert function(x[:0], y[:0], reduction="mean").item() == 0.0


@pytest.mark.parametrize("function", [f for f in OVERLAPS if f is not vision.complete_box_iou], ids=name)
def test_gradients_of_overlaps(function):
    rng = np.random.default_rng(2)
    a, b = (td.tensor(random_boxes(rng, 4), requires_grad=True) for _ in range(2))
    assert gradcheck(function, (a, b))


@pytest.mark.parametrize("function", [f for f in LOSSES if f is not vision.complete_box_iou_loss], ids=name)
def test_gradients_of_losses(function):
    rng = np.random.default_rng(3)
    a, b = (td.tensor(random_boxes(rng, 6), requires_grad=True) for _ in range(2))
    assert gradcheck(function, (a, b))


def test_the_weight_of_proportions_has_no_gradient():
    rng = np.random.default_rng(4)
    a, b = random_boxes(rng, 1), random_boxes(rng, 1)
    alpha = weight(a[0], b[0], EPS)

    def numeric(i, h=1e-6):
        def value(step):
            moved = a[0].copy()
            moved[i] += step
            return 1 - distance(moved, b[0], EPS) + alpha * proportions(moved, b[0])

        return (value(h) - value(-h)) / (2 * h)

    x = td.tensor(a, requires_grad=True)
    vision.complete_box_iou_loss(x, td.tensor(b), reduction="sum").backward()
    np.testing.assert_allclose(x.grad.numpy()[0], [numeric(i) for i in range(4)], rtol=1e-5)
    loss_gradient, x.grad = x.grad.numpy(), None
    vision.complete_box_iou(x, td.tensor(b)).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), -loss_gradient, rtol=1e-5)


@pytest.mark.parametrize("function", [*OVERLAPS, *LOSSES], ids=name)
def test_boxes_without_area_give_numbers_and_gradients(function):
    point = td.tensor([[1.0, 1.0, 1.0, 1.0]], requires_grad=True)
    other = td.tensor([[2.0, 2.0, 2.0, 2.0]], requires_grad=True)
    for second in (other, point):
        value = function(point, second)
        assert np.isfinite(value.detach().numpy()).all()
        value.sum().backward()
        assert np.isfinite(point.grad.numpy()).all()


def test_apart_boxes_are_drawn_together_by_all_but_the_iou():
    for function, moves in [
        (vision.box_iou, False),
        (vision.generalized_box_iou, True),
        (vision.distance_box_iou, True),
    ]:
        a = td.tensor([[0.0, 0.0, 1.0, 1.0]], requires_grad=True)
        function(a, td.tensor([[5.0, 0.0, 6.0, 1.0]])).sum().backward()
        assert (a.grad[0, 2].item() > 0) == moves


def test_integers_and_float16_do_not_overflow():
    box = [[0, 0, 300, 300]]
    assert vision.box_area(td.tensor(box, dtype=td.int16)).tolist() == [90000]
    half = vision.box_area(td.tensor(box, dtype=td.float16))
    assert half.dtype == td.float32 and half.tolist() == [90000.0]
    assert vision.box_iou(td.tensor(box), td.tensor([[0, 0, 150, 300]])).tolist() == [[0.5]]
    assert vision.box_iou(td.tensor(box).float(), td.tensor(box).float()).dtype == td.float32


# -- boxes one by one ------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["xyxy", "xywh", "cxcywh"])
@pytest.mark.parametrize("target", ["xyxy", "xywh", "cxcywh"])
def test_converting_there_and_back(source, target):
    boxes = {"xyxy": [1.0, 2.0, 5.0, 10.0], "xywh": [1.0, 2.0, 4.0, 8.0], "cxcywh": [3.0, 6.0, 4.0, 8.0]}
    given = td.tensor([[boxes[source]]] * 2, dtype=td.float64, requires_grad=True)
    converted = vision.box_convert(given, source, target)
    assert converted.tolist() == [[boxes[target]]] * 2
    assert converted is not given
    assert gradcheck(lambda b: vision.box_convert(b, source, target), (given,))


def test_clipping():
    boxes = td.tensor([[-5.0, 2.0, 50.0, 30.0], [60.0, 3.0, 70.0, 5.0]], requires_grad=True)
    clipped = vision.clip_boxes_to_image(boxes, (20, 40))
    assert clipped.tolist() == [[0, 2, 40, 20], [40, 3, 40, 5]]
    clipped.sum().backward()
    assert boxes.grad.tolist() == [[0, 1, 0, 0], [0, 1, 0, 1]]


def test_small_boxes():
    boxes = td.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 9.0, 1.9], [0.0, 0.0, 1.9, 9.0], [1.0, 1.0, 4.0, 4.0]])
    assert vision.remove_small_boxes(boxes, 2).tolist() == [0, 3]
    assert vision.remove_small_boxes(boxes[:0], 2).shape == (0,)


# -- suppression -----------------------------------------------------------------------------------------


def naive_nms(boxes, scores, threshold, classes=None):
    """Two loops, in the arithmetic of the boxes' dtype, compared in double precision."""
    order = sorted(range(len(scores)), key=lambda i: -float(scores[i]))  # stable
    gone, stay = set(), []
    for place, i in enumerate(order):
        if i in gone:
            continue
        stay.append(i)
        for j in order[place + 1 :]:
            if classes is not None and classes[i] != classes[j]:
                continue
            w = max(boxes.dtype.type(0), min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0]))
            h = max(boxes.dtype.type(0), min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1]))
            inter = w * h
            if float(inter / (area(boxes[i]) + area(boxes[j]) - inter)) > threshold:
                gone.add(j)
    return stay


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_nms_is_the_two_loops(dtype, threshold):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        boxes = random_boxes(rng, 80, dtype)
        scores = rng.integers(0, 10, 80).astype(dtype)  # many ties
        classes = rng.integers(0, 3, 80)
        kept = vision.nms(td.tensor(boxes), td.tensor(scores), threshold)
        assert kept.dtype == td.int64
        assert kept.tolist() == naive_nms(boxes, scores, threshold)
        kept = vision.batched_nms(td.tensor(boxes), td.tensor(scores), td.tensor(classes), threshold)
        assert kept.tolist() == naive_nms(boxes, scores, threshold, classes)


def test_an_overlap_equal_to_the_threshold_stays():
    boxes = td.tensor([[0.0, 0.0, 2.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    assert vision.nms(boxes, td.tensor([1.0, 0.5]), 0.5).tolist() == [0, 1]
    assert vision.nms(boxes, td.tensor([1.0, 0.5]), 0.4999).tolist() == [0]
    # In float32 a tenth is a little more than 0.1.
    tenth = td.tensor([[0.0, 0.0, 10.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    assert vision.nms(tenth, td.tensor([1.0, 0.5]), 0.1).tolist() == [0]
    assert vision.nms(tenth.double(), td.tensor([1.0, 0.5]), 0.1).tolist() == [0, 1]


def test_the_first_of_equal_scores_wins():
    boxes = td.tensor([[0.0, 0.0, 1.0, 1.0]] * 3 + [[5.0, 5.0, 6.0, 6.0]])
    assert vision.nms(boxes, td.ones(4), 0.5).tolist() == [0, 3]
    assert vision.batched_nms(boxes, td.ones(4), td.tensor([0, 1, 1, 0]), 0.5).tolist() == [0, 1, 3]


def test_nothing_to_suppress():
    assert vision.nms(td.zeros(0, 4), td.zeros(0), 0.5).shape == (0,)
    assert vision.batched_nms(td.zeros(0, 4), td.zeros(0), td.zeros(0), 0.5).shape == (0,)
    assert vision.nms(td.zeros(2, 4), td.tensor([0.0, 1.0]), 0.5).tolist() == [1, 0]  # without area: no overlap


def test_boxes_and_scores_with_a_graph():
    boxes = td.tensor([[0.0, 0.0, 1.0, 1.0]], requires_grad=True)
    assert vision.nms(boxes, td.ones(1, requires_grad=True), 0.5).tolist() == [0]


# -- anchors ---------------------------------------------------------------------------------------------


def test_anchors_stand_around_their_cells():
    anchors = vision.grid_anchors((2, 3), (10, 20), sizes=[8.0, 16.0], aspect_ratios=[0.25, 1.0])
    assert anchors.shape == (2 * 3 * 4, 4)
    middle = vision.box_convert(anchors, "xyxy", "cxcywh").reshape(2, 3, 2, 2, 4)
    for row in range(2):
        for column in range(3):
            for r, proportion in enumerate([0.25, 1.0]):
                for s, size in enumerate([8.0, 16.0]):
                    x, y, w, h = middle[row, column, r, s].tolist()
                    assert (x, y) == (20 * column + 10, 10 * row + 5)
                    assert h / w == proportion and w * h == size**2


def test_anchors_at_the_corners_of_cells():
    anchors = vision.grid_anchors((1, 2), 16, sizes=[32.0], offset=0, dtype=td.float64)
    assert anchors.dtype == td.float64
    assert anchors.tolist() == [[-16, -16, 16, 16], [0, -16, 32, 16]]


# -- focal loss ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2), (-1, 0), (0.5, 1.5)])
def test_focal_loss(alpha, gamma):
    rng = np.random.default_rng(5)
    x, t = rng.normal(size=7) * 3, rng.integers(0, 2, 7)
    p = np.where(t == 1, 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x)))
    expected = -((1 - p) ** gamma) * np.log(p) * (1 if alpha < 0 else np.where(t == 1, alpha, 1 - alpha))
    scores = td.tensor(x, requires_grad=True)
    got = vision.sigmoid_focal_loss(scores, td.tensor(t), alpha, gamma)
    np.testing.assert_allclose(got.detach().numpy(), expected)
    assert gradcheck(lambda s: vision.sigmoid_focal_loss(s, td.tensor(t), alpha, gamma, "mean"), (scores,))


def test_focal_loss_of_extreme_scores():
    scores = td.tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True)
    loss = vision.sigmoid_focal_loss(scores, td.tensor([1, 0, 0, 1]), reduction="sum")
    assert loss.item() == 1e4
    loss.backward()
    assert np.isfinite(scores.grad.numpy()).all()


# -- refusals --------------------------------------------------------------------------------------------

BOX = td.tensor([[0.0, 0.0, 1.0, 1.0]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: vision.box_area(td.ones(3)), ValueError, r"boxes: expected shape \(..., 4\), got \(3,\)"),
        (lambda: vision.box_area(td.tensor(1.0)), ValueError, r"got \(\)"),
        (lambda: vision.box_area(td.ones(1, 4) > 0), TypeError, r"boxes: expected real numbers, got bool"),
        (lambda: vision.box_iou(BOX[0], BOX), ValueError, r"boxes1: expected shape \(n, 4\), got \(4,\)"),
        (lambda: vision.box_iou(BOX, BOX[0]), ValueError, r"boxes2: expected shape \(n, 4\), got \(4,\)"),
        (lambda: vision.box_convert(BOX, "xyxy", "xyah"), ValueError, r"expected a form out of xyxy, .*, got 'xyah'"),
        (
            lambda: vision.clip_boxes_to_image(BOX, (1, 2, 3)),
            ValueError,
            r"size: expected the image's height and width",
        ),
        (lambda: vision.remove_small_boxes(BOX[0], 1), ValueError, r"boxes: expected shape \(n, 4\), got \(4,\)"),
        (lambda: vision.nms(BOX, td.ones(2), 0.5), ValueError, r"scores: expected one for each of the 1 boxes"),
        (lambda: vision.batched_nms(BOX, td.ones(1), td.ones(2), 0.5), ValueError, r"idxs: expected one for each"),
        (
            lambda: vision.generalized_box_iou_loss(BOX, td.ones(2, 4)),
            ValueError,
            r"expected as many boxes of one as of the other, got shapes \(1, 4\) and \(2, 4\)",
        ),
        (
            lambda: vision.distance_box_iou_loss(BOX, BOX, reduction="average"),
            ValueError,
            r"reduction: expected 'none', 'mean' or 'sum', got 'average'",
        ),
        (
            lambda: vision.sigmoid_focal_loss(td.ones(2), td.ones(3)),
            ValueError,
            r"inputs and targets: expected one shape",
        ),
        (lambda: vision.sigmoid_focal_loss(td.ones(2), td.ones(2), alpha=2), ValueError, r"alpha: expected a weight"),
        (lambda: vision.grid_anchors((2, 2), 8, []), ValueError, r"sizes: expected numbers above 0, got \(\)"),
        (lambda: vision.grid_anchors((0, 2), 8, [1]), ValueError, r"grid: expected numbers above 0, got \(0, 2\)"),
        (lambda: vision.grid_anchors((2, 2), -1, [1]), ValueError, r"stride: expected numbers above 0, got \(-1, -1\)"),
        (lambda: vision.grid_anchors((2, 2), 1, [1], [0.0]), ValueError, r"aspect_ratios: expected numbers above 0"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()
