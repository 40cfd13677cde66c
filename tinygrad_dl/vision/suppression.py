"""Non-maximum suppression: of boxes around the same thing, the one with the highest score."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.creation import as_tensor
from tinygrad_dl.ops.sorting.sort import argsort
from tinygrad_dl.vision.boxes import checked, widened

Numbers = np.ndarray[Any, Any]


@composition
def nms(boxes: Array, scores: Array, iou_threshold: float) -> Tensor:
    """The positions of the boxes that stay, by falling score: each discards those that overlap it too much.

    A box is discarded if its IoU with one that stays is greater than the threshold. Of equal scores the first counts
    as the higher.

    Args:
        boxes: shape (n, 4), each x1, y1, x2, y2.
        scores: shape (n,).
        iou_threshold: the largest overlap that is allowed.

    Returns:
        The positions, int64.

    Raises:
        ValueError: other shapes.

    >>> boxes = td.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 1.0, 11.0, 11.0], [20.0, 20.0, 30.0, 30.0]])
    >>> td.vision.nms(boxes, td.tensor([0.8, 0.9, 0.7]), 0.5)
    tensor([1, 2])
    """
    return wrap(greedy(*arrays(boxes, scores), None, iou_threshold))


@composition
def batched_nms(boxes: Array, scores: Array, idxs: Any, iou_threshold: float) -> Tensor:
    """`nms` for each class on its own: boxes of different classes do not discard each other.

    Args:
        boxes: shape (n, 4), each x1, y1, x2, y2.
        scores: shape (n,).
        idxs: shape (n,), the class of each box, or the image that it is in.
        iou_threshold: the largest overlap that is allowed.

    Returns:
        The positions of the boxes that stay, of all classes, by falling score.

    Raises:
        ValueError: other shapes.

    >>> boxes = td.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 1.0, 11.0, 11.0]])
    >>> td.vision.batched_nms(boxes, td.tensor([0.8, 0.9]), td.tensor([0, 1]), 0.5)
    tensor([1, 0])
    """
    corners, order = arrays(boxes, scores)
    classes = as_tensor(idxs).detach().numpy()
    if classes.shape != order.shape:
        raise ValueError(
            f"idxs: expected one for each of the {len(order)} boxes, shape {order.shape}, got {classes.shape}"
        )
    return wrap(greedy(corners, order, classes, iou_threshold))


def arrays(boxes: Any, scores: Any) -> tuple[Numbers, Numbers]:
    """The boxes, and their positions by falling score."""
    corners = widened(checked(boxes, dims=2).detach())
    values = as_tensor(scores).detach()
    if values.shape != corners.shape[:1]:
        raise ValueError(
            f"scores: expected one for each of the {len(corners)} boxes, shape {tuple(corners.shape[:1])}, got "
            f"{tuple(values.shape)}"
        )
    return corners.numpy(), argsort(values, descending=True, stable=True).numpy()


def greedy(boxes: Numbers, order: Numbers, classes: Numbers | None, threshold: float) -> Numbers:
    """Takes the best box left and drops those that overlap it, until none is left.

    One round for each box that stays; within it all the others at once.
    """
    # In double precision, as torchvision compares: rounded to single, 0.1 is a little more.
    limit = np.float64(threshold)
    x1, y1, x2, y2 = boxes[order].T
    areas = (x2 - x1) * (y2 - y1)
    left = np.arange(len(order))  # places in the order
    stay: list[int] = []
    while left.size:
        best, left = left[0], left[1:]
        stay.append(int(best))
        width = np.minimum(x2[best], x2[left]) - np.maximum(x1[best], x1[left])
        height = np.minimum(y2[best], y2[left]) - np.maximum(y1[best], y1[left])
        inter = np.maximum(width, 0) * np.maximum(height, 0)
        with np.errstate(divide="ignore", invalid="ignore"):  # of boxes without area: no number is above the limit
            far = ~(inter / (areas[best] + areas[left] - inter) > limit)
        if classes is not None:
            far |= classes[order[left]] != classes[order[best]]
        left = left[far]
    return order[np.array(stay, np.intp)].astype(np.int64)
