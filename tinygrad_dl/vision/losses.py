"""Losses of detection: of predicted boxes, each against its own true one, and of classes that are rarely there."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.modes import no_grad
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import as_tensor
from tinygrad_dl.ops.loss.binary_cross_entropy import binary_cross_entropy_with_logits
from tinygrad_dl.vision.boxes import checked, widened
from tinygrad_dl.vision.overlap import centre_distance, hull, intersection_and_union, shape_difference


def matched(boxes1: Any, boxes2: Any) -> tuple[Tensor, Tensor]:
    """Boxes of one shape (..., 4)."""
    one, two = widened(checked(boxes1, "boxes1")), widened(checked(boxes2, "boxes2"))
    if one.shape != two.shape:
        raise ValueError(
            f"expected as many boxes of one as of the other, got shapes {tuple(one.shape)} and {tuple(two.shape)}"
        )
    return one, two


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The loss of each, their mean (0 if there is none) or their sum."""
    if reduction == "none":
        return loss
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction: expected 'none', 'mean' or 'sum', got {reduction!r}")
    return loss.mean() if reduction == "mean" and loss.numel() else loss.sum()


@composition
def generalized_box_iou_loss(boxes1: Array, boxes2: Array, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 - generalized IoU of each box with its own partner.

    Args:
        boxes1, boxes2: one shape (..., 4), each x1, y1, x2, y2.
        reduction: "none", "mean" or "sum".
        eps: added to the divisors.

    Raises:
        ValueError: shapes or a reduction other than these.

    >>> apart = td.tensor([[3.0, 0.0, 4.0, 1.0]], requires_grad=True)
    >>> loss = td.vision.generalized_box_iou_loss(td.tensor([[0.0, 0.0, 1.0, 1.0]]), apart, reduction="sum")
    >>> loss.item()
    1.5
    """
    one, two = matched(boxes1, boxes2)
    inter, union = intersection_and_union(one, two)
    width, height = hull(one, two)
    area: Tensor = width * height
    return reduced(1 - inter / (union + eps) + (area - union) / (area + eps), reduction)


def distance_and_iou(one: Tensor, two: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """1 - IoU + d^2 / c^2, and the IoU."""
    inter, union = intersection_and_union(one, two)
    width, height = hull(one, two)
    iou: Tensor = inter / (union + eps)
    return 1 - iou + centre_distance(one, two) / (width * width + height * height + eps), iou


@composition
def distance_box_iou_loss(boxes1: Array, boxes2: Array, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 - distance IoU of each box with its own partner.

    Args:
        boxes1, boxes2: one shape (..., 4), each x1, y1, x2, y2.
        reduction: "none", "mean" or "sum".
        eps: added to the divisors.

    Raises:
        ValueError: shapes or a reduction other than these.

    >>> td.vision.distance_box_iou_loss(td.tensor([[0.0, 0.0, 1.0, 1.0]]), td.tensor([[2.0, 0.0, 3.0, 1.0]]))
    tensor([1.4000])
    """
    return reduced(distance_and_iou(*matched(boxes1, boxes2), eps)[0], reduction)


@composition
def complete_box_iou_loss(boxes1: Array, boxes2: Array, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 - complete IoU of each box with its own partner; the weight of the proportions has no gradient.

    Args:
        boxes1, boxes2: one shape (..., 4), each x1, y1, x2, y2.
        reduction: "none", "mean" or "sum".
        eps: added to the divisors.

    Raises:
        ValueError: shapes or a reduction other than these.

    >>> td.vision.complete_box_iou_loss(td.tensor([[0.0, 0.0, 2.0, 2.0]]), td.tensor([[0.0, 0.0, 4.0, 2.0]]))
    tensor([0.5532])
    """
    one, two = matched(boxes1, boxes2)
    loss, iou = distance_and_iou(one, two, eps)
    difference = shape_difference(one, two)
    with no_grad():
        weight = difference / (1 - iou + difference + eps)
    return reduced(loss + weight * difference, reduction)


@composition
def sigmoid_focal_loss(
    inputs: Array, targets: Array, alpha: float = 0.25, gamma: float = 2, reduction: str = "none"
) -> Tensor:
    """-a (1 - p)^gamma log p, p being the probability given to what is true: easy examples hardly count.

    Args:
        inputs: scores of any shape, before the sigmoid.
        targets: the same shape, 0 or 1.
        alpha: the weight of targets that are 1, those that are 0 having 1 - alpha; -1 for no weights.
        gamma: how much easy examples are played down; with 0 it is binary cross-entropy.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: different shapes, another reduction, or alpha neither -1 nor between 0 and 1.

    >>> td.vision.sigmoid_focal_loss(td.tensor([0.0, 4.0]), td.tensor([1.0, 1.0]))
    tensor([4.3322e-02, 1.4679e-06])
    """
    scores, truth = as_tensor(inputs), as_tensor(targets)
    if not (alpha == -1 or 0 <= alpha <= 1):
        raise ValueError(f"alpha: expected a weight from 0 to 1, or -1 for none, got {alpha}")
    if scores.shape != truth.shape:
        raise ValueError(f"inputs and targets: expected one shape, got {tuple(scores.shape)} and {tuple(truth.shape)}")
    truth = truth.to(scores.dtype)
    p = scores.sigmoid()
    entropy = binary_cross_entropy_with_logits(scores, truth, reduction="none")
    missed: Tensor = p * (1 - truth) + (1 - p) * truth
    loss: Tensor = entropy * missed**gamma
    if alpha >= 0:
        loss = (alpha * truth + (1 - alpha) * (1 - truth)) * loss
    return reduced(loss, reduction)
