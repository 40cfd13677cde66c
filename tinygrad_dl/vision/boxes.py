"""Boxes one by one: their area, their other forms, those that lie inside an image or are too small."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core import promotion
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import as_tensor
from tinygrad_dl.ops.indexing.nonzero import nonzero
from tinygrad_dl.ops.shape.joining import stack

FORMS = ("xyxy", "xywh", "cxcywh")


def checked(boxes: Any, name: str = "boxes", dims: int | None = None) -> Tensor:
    """The boxes as a tensor of shape (..., 4), or (n, 4) if `dims` is 2.

    Raises:
        ValueError: another shape. TypeError: not numbers on a line.
    """
    tensor: Tensor = as_tensor(boxes)
    if tensor.ndim == 0 or tensor.shape[-1] != 4 or dims not in (None, tensor.ndim):
        expected = "(n, 4)" if dims == 2 else "(..., 4)"
        raise ValueError(f"{name}: expected shape {expected}, got {tuple(tensor.shape)}")
    if tensor.dtype.kind in "bc":
        raise TypeError(f"{name}: expected real numbers, got {tensor.dtype}")
    return tensor


def widened(boxes: Tensor) -> Tensor:
    """The boxes in a dtype in which their areas do not overflow: float32 or int32 at least."""
    if boxes.dtype.itemsize >= 4:
        return boxes
    return boxes.to(promotion.FLOAT32 if promotion.is_floating(boxes.dtype) else promotion.INT32)


@composition
def box_area(boxes: Array) -> Tensor:
    """The areas of boxes: (x2 - x1) (y2 - y1).

    Args:
        boxes: shape (..., 4), each x1, y1, x2, y2.

    Returns:
        Shape (...); float16 becomes float32, and int8 and int16 int32, so that nothing overflows.

    Raises:
        ValueError: another shape.

    >>> td.vision.box_area(td.tensor([[0.0, 0.0, 2.0, 3.0]]))
    tensor([6.])
    """
    boxes = widened(checked(boxes))
    area: Tensor = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    return area


@composition
def box_convert(boxes: Array, in_fmt: str, out_fmt: str) -> Tensor:
    """Boxes in another form.

    Args:
        boxes: shape (..., 4).
        in_fmt, out_fmt: "xyxy" (two corners), "xywh" (upper left corner, width, height) or "cxcywh" (centre, width,
            height).

    Raises:
        ValueError: another shape or form.

    >>> td.vision.box_convert(td.tensor([[1.0, 2.0, 5.0, 10.0]]), "xyxy", "cxcywh")
    tensor([[3., 6., 4., 8.]])
    """
    for form in (in_fmt, out_fmt):
        if form not in FORMS:
            raise ValueError(f"box_convert: expected a form out of {', '.join(FORMS)}, got {form!r}")
    boxes = checked(boxes)
    if in_fmt == out_fmt:
        same: Tensor = boxes.clone()
        return same
    a, b, c, d = boxes.unbind(-1)
    if in_fmt == "xywh":
        a, b, c, d = a, b, a + c, b + d
    elif in_fmt == "cxcywh":
        a, b, c, d = a - 0.5 * c, b - 0.5 * d, a + 0.5 * c, b + 0.5 * d
    if out_fmt == "xywh":
        a, b, c, d = a, b, c - a, d - b
    elif out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    return stack([a, b, c, d], -1)


@composition
def clip_boxes_to_image(boxes: Array, size: tuple[int, int]) -> Tensor:
    """The parts of boxes that lie inside an image; those outside get no area.

    Args:
        boxes: shape (..., 4), each x1, y1, x2, y2.
        size: the image's height and width.

    Raises:
        ValueError: another shape or size.

    >>> td.vision.clip_boxes_to_image(td.tensor([[-5.0, 2.0, 50.0, 30.0]]), (20, 40))
    tensor([[ 0.,  2., 40., 20.]])
    """
    boxes = checked(boxes)
    if len(size) != 2:
        raise ValueError(f"size: expected the image's height and width, got {size!r}")
    height, width = size
    x1, y1, x2, y2 = boxes.unbind(-1)
    return stack([x1.clamp(0, width), y1.clamp(0, height), x2.clamp(0, width), y2.clamp(0, height)], -1)


@composition
def remove_small_boxes(boxes: Array, min_size: float) -> Tensor:
    """The positions of boxes whose sides are both `min_size` or longer.

    Args:
        boxes: shape (n, 4), each x1, y1, x2, y2.
        min_size: the shortest side that is kept.

    Raises:
        ValueError: another shape.

    >>> td.vision.remove_small_boxes(td.tensor([[0.0, 0.0, 9.0, 1.0], [0.0, 0.0, 9.0, 9.0]]), 2)
    tensor([1])
    """
    boxes = checked(boxes, dims=2).detach()
    large = (boxes[:, 2] - boxes[:, 0] >= min_size) & (boxes[:, 3] - boxes[:, 1] >= min_size)
    positions: Tensor = nonzero(large)[:, 0]
    return positions
