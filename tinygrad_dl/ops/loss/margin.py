"""Losses that want scores apart by a margin: compositions of other operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.ops.activation.smooth import logsigmoid, relu
from tinygrad_dl.ops.distance.distance import pairwise_distance, reduced
from tinygrad_dl.ops.indexing.gather import gather
from tinygrad_dl.ops.linear.linear import check_rows
from tinygrad_dl.ops.pointwise.extremes import clamp_min, minimum, where
from tinygrad_dl.ops.reduction.sum import mean, sum

__all__ = [
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "triplet_margin_with_distance_loss",
]


def indices(input: Tensor, target: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """The target as an array of integers of the expected shape."""
    array = as_array(target)
    if input.ndim not in (1, 2):
        raise ValueError(f"{name}: expected an input of shape (N, C) or (C,), got {input.shape}")
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"{name}: expected class indices, which are integers, got a target of {array.dtype}; use .long()"
        )
    if array.shape != shape:
        raise ValueError(f"{name}: expected a target of shape {shape} for an input of {input.shape}, got {array.shape}")
    return array


@composition
def multi_margin_loss(
    input: Tensor, target: Array, p: int = 1, margin: float = 1.0, weight: Array | None = None, reduction: str = "mean"
) -> Tensor:
    """sum(max(0, margin - input[target] + input[i])**p) / C over all other classes i.

    Args:
        input: scores, (N, C) or (C,). target: class indices, (N,) or ().
        p: 1 or 2.
        weight: a factor for each class, (C,), by the target.

    Raises:
        IndexError: a class index out of range. TypeError: no integers. ValueError: the shapes do not fit, or p.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.multi_margin_loss(td.tensor([[0.5, 0.0, 1.0]]), td.tensor([2]))
    tensor(0.1667)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.multi_margin_loss.html
    """
    name = "multi_margin_loss"
    if p not in (1, 2):
        raise ValueError(f"{name}: expected p = 1 or 2, got {p}")
    classes = indices(input, target, input.shape[:-1], name)
    count = input.shape[-1]
    check_rows(classes, count, name, "classes")
    places = classes[..., None]
    short = relu(margin - gather(input, -1, wrap(places)) + input)
    others = wrap(np.arange(count) != places)
    losses = sum(where(others, short if p == 1 else short * short, 0.0), -1) / count
    if weight is not None:
        if tuple(weight.shape) != (count,):
            raise ValueError(f"{name}: expected a weight for each class, of shape {(count,)}, got {weight.shape}")
        losses = losses * wrap(np.asarray(as_array(weight)[classes]))
    return reduced(losses, reduction)


@composition
def multilabel_margin_loss(input: Tensor, target: Array, reduction: str = "mean") -> Tensor:
    """sum(max(0, 1 - input[j] + input[i])) / C over all classes j that an example has and all i that it has not.

    Args:
        input: scores, (N, C) or (C,).
        target: of the same shape, the indices of an example's classes, up to the first -1.

    Raises:
        IndexError: a class index out of range. TypeError: no integers. ValueError: the shapes do not fit.

    >>> import tinygrad_dl as td
    >>> x, classes = td.tensor([[0.1, 0.2, 0.4, 0.8]]), td.tensor([[3, 0, -1, 1]])
    >>> td.nn.functional.multilabel_margin_loss(x, classes)
    tensor(0.8500)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.multilabel_margin_loss.html
    """
    name = "multilabel_margin_loss"
    array = indices(input, target, input.shape, name)
    if not input.shape[-1]:
        raise ValueError(f"{name}: expected scores of at least one class, got shape {input.shape}")
    listed = np.logical_and.accumulate(array != -1, axis=-1)
    classes = np.where(listed, array, 0)
    count = input.shape[-1]
    check_rows(classes, count, name, "classes")
    has = np.zeros(input.shape, bool)
    np.logical_or.at(has, (*np.indices(array.shape)[:-1], classes), listed)
    short = relu(1.0 - gather(input, -1, wrap(classes)).unsqueeze(-1) + input.unsqueeze(-2))
    pairs = listed[..., None] & ~has[..., None, :]
    return reduced(sum(where(wrap(pairs), short, 0.0), (-2, -1)) / count, reduction)


@composition
def multilabel_soft_margin_loss(
    input: Tensor, target: Array, weight: Array | None = None, reduction: str = "mean"
) -> Tensor:
    """-mean(target * logsigmoid(input) + (1 - target) * logsigmoid(-input)) over the classes, the last dimension.

    Args:
        input: scores, (N, C). target: 0 or 1, of the same shape. weight: a factor for each class, (C,).

    >>> import tinygrad_dl as td
    >>> td.nn.functional.multilabel_soft_margin_loss(td.zeros(1, 2), td.tensor([[1.0, 0.0]]))
    tensor(0.6931)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.multilabel_soft_margin_loss.html
    """
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    return reduced(mean(losses if weight is None else losses * weight, -1), reduction)


@composition
def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, distance(anchor, positive) - distance(anchor, negative) + margin), by any distance.

    Args:
        distance_function: of two tensors; `pairwise_distance` unless given.
        swap: take the distance between positive and negative if that is smaller than the anchor's.

    >>> import tinygrad_dl as td
    >>> a = td.tensor([[0.0]])
    >>> td.nn.functional.triplet_margin_with_distance_loss(a, a + 1, a + 3, margin=4.0)
    tensor(2.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.triplet_margin_with_distance_loss.html
    """
    if margin <= 0:
        raise ValueError(f"triplet_margin_with_distance_loss: expected margin > 0, got {margin}")
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(clamp_min(near - far + margin, 0.0), reduction)
