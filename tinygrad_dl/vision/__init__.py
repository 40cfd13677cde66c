"""Boxes in images, with torchvision's names: overlaps, losses, non-maximum suppression, anchors.

>>> import tinygrad_dl as td
>>> boxes = td.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 1.0, 11.0, 11.0], [20.0, 20.0, 30.0, 30.0]])
>>> td.vision.nms(boxes, td.tensor([0.9, 0.8, 0.7]), iou_threshold=0.5)
tensor([0, 2])
"""

from __future__ import annotations

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.vision.anchors import grid_anchors
from tinygrad_dl.vision.boxes import box_area, box_convert, clip_boxes_to_image, remove_small_boxes
from tinygrad_dl.vision.losses import (
    complete_box_iou_loss,
    distance_box_iou_loss,
    generalized_box_iou_loss,
    sigmoid_focal_loss,
)
from tinygrad_dl.vision.overlap import box_iou, complete_box_iou, distance_box_iou, generalized_box_iou
from tinygrad_dl.vision.suppression import batched_nms, nms

# fmt: off
__all__ = [
    "batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image", "complete_box_iou",
    "complete_box_iou_loss", "distance_box_iou", "distance_box_iou_loss", "generalized_box_iou",
    "generalized_box_iou_loss", "grid_anchors", "nms", "remove_small_boxes", "sigmoid_focal_loss",
]
# fmt: on


public(globals(), "vision/stable/generated/torchvision.ops.{}.html")
