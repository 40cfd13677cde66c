"""How much each of n boxes overlaps with each of m: intersection over union, and its three refinements.

Where torchvision divides zero by zero, for two boxes without area, the overlap is 0 here, and so is its gradient.
"""

from __future__ import annotations

import math
from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.modes import no_grad
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.comparison.elementwise import eq
from tinygrad_dl.ops.pointwise.extremes import maximum, minimum
from tinygrad_dl.ops.pointwise.trigonometric import atan2
from tinygrad_dl.ops.pointwise.where import where
from tinygrad_dl.vision.boxes import box_area, checked, widened


def ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, and 0 where the whole is 0, for part and gradient alike."""
    nothing = eq(whole, 0)
    quotient: Tensor = where(nothing, 0, part / where(nothing, 1, whole))
    return quotient


def pairs(boxes1: Any, boxes2: Any) -> tuple[Tensor, Tensor]:
    """Boxes of shapes (n, 4) and (m, 4) as (n, 1, 4) and (1, m, 4), which broadcast to all pairs."""
    boxes1, boxes2 = (widened(checked(b, f"boxes{i}", dims=2)) for i, b in ((1, boxes1), (2, boxes2)))
    return boxes1[:, None], boxes2[None]


def intersection_and_union(one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
    """The areas that boxes have in common, and those they cover together."""
    width = minimum(one[..., 2], two[..., 2]) - maximum(one[..., 0], two[..., 0])
    height = minimum(one[..., 3], two[..., 3]) - maximum(one[..., 1], two[..., 1])
    inter: Tensor = width.clamp(min=0) * height.clamp(min=0)
    return inter, box_area(one) + box_area(two) - inter


def hull(one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height of the smallest box around both."""
    width: Tensor = maximum(one[..., 2], two[..., 2]) - minimum(one[..., 0], two[..., 0])
    height: Tensor = maximum(one[..., 3], two[..., 3]) - minimum(one[..., 1], two[..., 1])
    return width, height


def centre_distance(one: Tensor, two: Tensor) -> Tensor:
    """The squared distance between the centres."""
    x: Tensor = (one[..., 0] + one[..., 2] - two[..., 0] - two[..., 2]) / 2
    y: Tensor = (one[..., 1] + one[..., 3] - two[..., 1] - two[..., 3]) / 2
    return x * x + y * y


def shape_difference(one: Tensor, two: Tensor) -> Tensor:
    """4 / pi^2 (angle of one's diagonal - angle of two's)^2: from 0 for equal proportions to 1."""
    difference: Tensor = atan2(one[..., 2] - one[..., 0], one[..., 3] - one[..., 1]) - atan2(
        two[..., 2] - two[..., 0], two[..., 3] - two[..., 1]
    )
    return 4 / math.pi**2 * difference * difference


def distance_overlap(one: Tensor, two: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """The distance IoU, and the IoU."""
    width, height = hull(one, two)
    diagonal: Tensor = width.clamp(min=0) ** 2 + height.clamp(min=0) ** 2 + eps
    iou = ratio(*intersection_and_union(one, two))
    return iou - centre_distance(one, two) / diagonal, iou


@composition
def box_iou(boxes1: Array, boxes2: Array) -> Tensor:
    """Intersection over union of all pairs: |A and B| / |A or B|, from 0 (apart) to 1 (equal).

    Args:
        boxes1, boxes2: shapes (n, 4) and (m, 4), each x1, y1, x2, y2.

    Returns:
        Shape (n, m). Two boxes without area have 0.

    Raises:
        ValueError: another shape.

    >>> boxes = td.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0]])
    >>> td.vision.box_iou(boxes[:1], boxes)
    tensor([[1.0000, 0.3333]])
    """
    return ratio(*intersection_and_union(*pairs(boxes1, boxes2)))


@composition
def generalized_box_iou(boxes1: Array, boxes2: Array) -> Tensor:
    """IoU - (|C| - |A or B|) / |C| of all pairs, C being the smallest box around both: from -1 to 1.

    Unlike the IoU it has a gradient for boxes that are apart.

    Args:
        boxes1, boxes2: shapes (n, 4) and (m, 4), each x1, y1, x2, y2.

    Raises:
        ValueError: another shape.

    >>> td.vision.generalized_box_iou(td.tensor([[0.0, 0.0, 1.0, 1.0]]), td.tensor([[3.0, 0.0, 4.0, 1.0]]))
    tensor([[-0.5000]])
    """
    one, two = pairs(boxes1, boxes2)
    inter, union = intersection_and_union(one, two)
    width, height = hull(one, two)
    area: Tensor = width.clamp(min=0) * height.clamp(min=0)
    return ratio(inter, union) - ratio(area - union, area)


@composition
def distance_box_iou(boxes1: Array, boxes2: Array, eps: float = 1e-7) -> Tensor:
    """IoU - d^2 / c^2 of all pairs: d is the distance of the centres, c the diagonal of the smallest box around both.

    Args:
        boxes1, boxes2: shapes (n, 4) and (m, 4), each x1, y1, x2, y2.
        eps: added to c^2.

    Raises:
        ValueError: another shape.

    >>> td.vision.distance_box_iou(td.tensor([[0.0, 0.0, 1.0, 1.0]]), td.tensor([[2.0, 0.0, 3.0, 1.0]]))
    tensor([[-0.4000]])
    """
    return distance_overlap(*pairs(boxes1, boxes2), eps)[0]


@composition
def complete_box_iou(boxes1: Array, boxes2: Array, eps: float = 1e-7) -> Tensor:
    """The distance IoU - a v of all pairs, v being how much the proportions differ, and a = v / (1 - IoU + v).

    The weight a is taken as a constant: no gradient goes through it.

    Args:
        boxes1, boxes2: shapes (n, 4) and (m, 4), each x1, y1, x2, y2.
        eps: added to the divisors.

    Raises:
        ValueError: another shape.

    >>> box = td.tensor([[0.0, 0.0, 2.0, 2.0]])
    >>> td.vision.complete_box_iou(box, td.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 4.0, 2.0]]))
    tensor([[1.0000, 0.4468]])
    """
    one, two = pairs(boxes1, boxes2)
    overlap, iou = distance_overlap(one, two, eps)
    difference = shape_difference(one, two)
    with no_grad():
        weight = difference / (1 - iou + difference + eps)
    return overlap - weight * difference
