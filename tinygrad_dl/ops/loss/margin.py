"""Losses that want scores or distances apart by a margin: compositions of other operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.messages import require_constants
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.ops.activation.relu import relu
from tinygrad_dl.ops.activation.sigmoid import logsigmoid
from tinygrad_dl.ops.activation.softplus import softplus
from tinygrad_dl.ops.distance.distance import pairwise_distance
from tinygrad_dl.ops.embedding.embedding import check_rows
from tinygrad_dl.ops.indexing.gather import gather
from tinygrad_dl.ops.loss._reduction import REDUCTIONS, former_reduction, reduce_losses, require_floats
from tinygrad_dl.ops.pointwise.extremes import clamp_min, minimum
from tinygrad_dl.ops.pointwise.powers import sqrt
from tinygrad_dl.ops.pointwise.where import where
from tinygrad_dl.ops.reduction.statistics import mean
from tinygrad_dl.ops.reduction.sum import sum


def indices(input: Tensor, target: Any, shape: tuple[int, ...], name: str) -> Any:
    """The target as an array of integers of the expected shape; inside of vmap a tensor."""
    array: Any = as_array(target) if is_known(target) else target
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
    input: Tensor,
    target: Array,
    p: int = 1,
    margin: float = 1.0,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """sum(max(0, margin - input[target] + input[i])**p) / C over all other classes i.

    Args:
        input: scores, (N, C) or (C,). target: class indices, (N,) or ().
        p: 1 or 2.
        weight: a factor for each class, (C,), by the target.

    Raises:
        IndexError: a class index out of range. TypeError: no integers. ValueError: the shapes do not fit, or p.

    >>> td.nn.functional.multi_margin_loss(td.tensor([[0.5, 0.0, 1.0]]), td.tensor([2]))
    tensor(0.1667)
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("multi_margin_loss", size_average, reduce)
    name = "multi_margin_loss"
    require_floats(name, input)
    if p not in (1, 2):
        raise ValueError(f"{name}: expected p = 1 or 2, got {p}")
    if not input.ndim:
        input = input.unsqueeze(0)  # one class
    if input.ndim == 1 and getattr(target, "shape", ()) == (1,):
        input = input.unsqueeze(0)  # a batch of one
    count = input.shape[-1]
    if reduction not in REDUCTIONS:
        raise ValueError(f"{name}: got reduction={reduction!r}, expected one of {REDUCTIONS}")
    if weight is not None and tuple(weight.shape) != (count,):
        raise ValueError(f"{name}: expected a weight for each class, of shape {(count,)}, got {weight.shape}")
    classes = indices(input, target, input.shape[:-1], name)
    if is_known(classes):
        check_rows(classes, count, name, "classes")
        classes = wrap(classes)
    places = classes.unsqueeze(-1)
    short = relu(margin - gather(input, -1, places) + input)
    others = wrap(np.arange(count)) != places
    losses = sum(where(others, short if p == 1 else short * short, 0.0), -1) / count
    if weight is not None:
        require_constants(name, weight=weight)
        losses = losses * (weight if isinstance(weight, Tensor) else wrap(as_array(weight)))[classes]
    return reduce_losses(losses, reduction)


@composition
def multilabel_margin_loss(
    input: Tensor, target: Array, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
) -> Tensor:
    """sum(max(0, 1 - input[j] + input[i])) / C over all classes j that an example has and all i that it has not.

    Args:
        input: scores, (N, C) or (C,).
        target: of the same shape, the indices of an example's classes, up to the first -1.

    Raises:
        IndexError: a class index out of range. TypeError: no integers. ValueError: the shapes do not fit.

    >>> x, classes = td.tensor([[0.1, 0.2, 0.4, 0.8]]), td.tensor([[3, 0, -1, 1]])
    >>> td.nn.functional.multilabel_margin_loss(x, classes)
    tensor(0.8500)
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("multilabel_margin_loss", size_average, reduce)
    name = "multilabel_margin_loss"
    if reduction not in REDUCTIONS:
        raise ValueError(f"{name}: got reduction={reduction!r}, expected one of {REDUCTIONS}")
    require_floats(name, input)
    if not is_known(target):
        raise RuntimeError(
            f"{name}: got a target inside of {target.level.name}, expected the same for all examples: which "
            "classes it lists depends on its values; give the whole batch to the loss, with reduction='none'"
        )
    if not input.ndim:
        input, target = input.reshape(1), target.reshape(-1)  # the score of one class
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
    return reduce_losses(sum(where(wrap(pairs), short, 0.0), (-2, -1)) / count, reduction)


@composition
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Array,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-mean(target * logsigmoid(input) + (1 - target) * logsigmoid(-input)) over the classes, the last dimension.

    Args:
        input: scores, (N, C). target: 0 or 1, of the same shape. weight: a factor for each class, (C,).

    >>> td.nn.functional.multilabel_soft_margin_loss(td.zeros(1, 2), td.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("multilabel_soft_margin_loss", size_average, reduce)
    require_floats("multilabel_soft_margin_loss", input)
    if hasattr(target, "shape") and tuple(target.shape) != tuple(input.shape):
        raise ValueError(
            f"multilabel_soft_margin_loss: got a target of shape {tuple(target.shape)}, expected the input's "
            f"{tuple(input.shape)}"
        )
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    return reduce_losses(mean(losses if weight is None else losses * weight, -1), reduction)


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

    >>> a = td.tensor([[0.0]])
    >>> td.nn.functional.triplet_margin_with_distance_loss(a, a + 1, a + 3, margin=4.0)
    tensor(2.)
    """
    if margin <= 0:
        raise ValueError(f"triplet_margin_with_distance_loss: expected margin > 0, got {margin}")
    require_alike("triplet_margin_with_distance_loss", anchor, positive, negative)
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduce_losses(clamp_min(near - far + margin, 0.0), reduction)


@composition
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Array,
    margin: float = 0.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1.

    Args:
        input1, input2: (N, D) or (D,). target: 1 or -1 for each pair.

    >>> same = td.tensor([[1.0, 0.0]])
    >>> td.nn.functional.cosine_embedding_loss(same, same, td.tensor([1]))
    tensor(0.)
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("cosine_embedding_loss", size_average, reduce)
    shape = tuple(getattr(target, "shape", ()))
    if len(shape) > 1 or not input1.ndim == input2.ndim == len(shape) + 1:
        raise ValueError(
            f"cosine_embedding_loss: got inputs of shapes {tuple(input1.shape)} and {tuple(input2.shape)} and a target "
            f"of shape {shape}, expected (N, D), (N, D) and (N,), or (D,), (D,) and ()"
        )
    # As in PyTorch, 1e-12 beside the squares, which bounds the gradient at a zero vector, and no `eps`.
    lengths = sqrt((sum(input1 * input1, -1) + 1e-12) * (sum(input2 * input2, -1) + 1e-12))
    cos = sum(input1 * input2, -1) / lengths
    apart = where(target == -1, clamp_min(cos - margin, 0.0), 0.0)
    return reduce_losses(where(target == 1, 1 - cos, apart), reduction)


@composition
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Array,
    margin: float = 0.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -target * (input1 - input2) + margin): target 1 wants input1 higher, -1 input2.

    >>> td.nn.functional.margin_ranking_loss(td.tensor([1.0]), td.tensor([3.0]), td.tensor([1.0]))
    tensor(2.)
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("margin_ranking_loss", size_average, reduce)
    require_alike("margin_ranking_loss", input1, input2, target)
    return reduce_losses(clamp_min(target * (input2 - input1) + margin, 0.0), reduction)


@composition
def hinge_embedding_loss(
    input: Tensor,
    target: Array,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """input where the target is 1, max(0, margin - input) where it is -1.

    >>> td.nn.functional.hinge_embedding_loss(td.tensor([0.5, 0.25]), td.tensor([1, -1]), reduction="none")
    tensor([0.5000, 0.7500])
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("hinge_embedding_loss", size_average, reduce)
    if reduction == "mean":
        require_floats("hinge_embedding_loss", input)
    hinge = clamp_min(margin - input, 0.0)
    return reduce_losses(where(target != -1, input, 0.0) + where(target != 1, hinge, 0.0), reduction)


@composition
def soft_margin_loss(
    input: Tensor, target: Array, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
) -> Tensor:
    """log(1 + exp(-target * input)), targets 1 and -1.

    >>> td.nn.functional.soft_margin_loss(td.tensor([0.0]), td.tensor([1.0]))
    tensor(0.6931)
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("soft_margin_loss", size_average, reduce)
    require_floats("soft_margin_loss", input)
    if hasattr(target, "shape") and tuple(input.shape) != tuple(target.shape):
        raise ValueError(
            f"soft_margin_loss: got a target of shape {tuple(target.shape)}, expected the input's {tuple(input.shape)}"
        )
    return reduce_losses(softplus(target * -input), reduction)


@composition
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, distance(anchor, positive) - distance(anchor, negative) + margin).

    Args:
        swap: take the distance between positive and negative if that is smaller than the anchor's.

    >>> a = td.tensor([[0.0]])
    >>> td.nn.functional.triplet_margin_loss(a, a + 1, a + 3, margin=4.0)
    tensor(2.)
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("triplet_margin_loss", size_average, reduce)
    if margin <= 0:
        raise ValueError(f"triplet_margin_loss: expected margin > 0, got {margin}")
    require_alike("triplet_margin_loss", anchor, positive, negative)
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduce_losses(clamp_min(near - far + margin, 0.0), reduction)


def require_alike(name: str, *tensors: Any) -> None:
    """Refuses tensors of different numbers of dimensions: of (N,) beside (N, 1) broadcasting would make (N, N)."""
    shaped = [tuple(each.shape) for each in tensors if hasattr(each, "shape")]  # a number goes with all
    if len({len(shape) for shape in shaped}) > 1:
        shapes = ", ".join(map(str, shaped))
        raise ValueError(f"{name}: got tensors of shapes {shapes}, expected as many dimensions of each")
