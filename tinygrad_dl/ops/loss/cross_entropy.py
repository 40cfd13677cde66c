"""Cross-entropy between logits and classes.

With q the weight that an example gives each class (one at its class; spread by label smoothing and
class weights), its loss is Q logsumexp(x) - sum(q x), where Q = sum(q), and the gradient is
Q softmax(x) - q.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import array_from, at_hand, contiguous, module_of
from tinygrad_dl.backends.blocks import in_blocks, is_large
from tinygrad_dl.core.batching import Batch, every, folded, unfolded
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import values_of
from tinygrad_dl.inputs import array, error, integers, one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops.activation.softmax import log_softmax, softmax
from tinygrad_dl.ops.indexing.gather import gathered
from tinygrad_dl.ops.loss._classes import check_targets, class_axis, class_weights, places, spread_targets, weights_of
from tinygrad_dl.ops.loss._classes_of_batches import batch_axis, losses_of_classes, weights_of_examples
from tinygrad_dl.ops.loss._reduction import former_reduction, reduced, reduction_vjp
from tinygrad_dl.ops.pointwise._selection import keep, unspoilt
from tinygrad_dl.ops.reduction._sums import add_up, largest


def _top_and_total(input: Any) -> tuple[Any, Any]:
    """The largest of each row over the classes, and log(sum(exp(input - top))); their dimension is kept as 1.

    Rules need exp(input - top - level). With the two in one number, which may be 10000.69, it would have that number's
    rounding. Tensors, for higher orders, go by softmax and log_softmax, which do the same.
    """
    axis = class_axis(input)
    if not input.size:
        blank = module_of(input).zeros((*input.shape[:axis], 1, *input.shape[axis + 1 :]), input.dtype)
        return blank, blank
    top = largest(input, axis, True)
    e = input - top
    return top, np.log(add_up(np.exp(e, out=e), axis, True))


def _naive_classes(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """A loop over examples."""
    x = np.moveaxis(input[None] if input.ndim == 1 else input, 1, -1)
    t = target[None] if input.ndim == 1 else target
    w = np.ones(x.shape[-1]) if weight is None else weight
    losses, total = np.zeros(t.shape), 0.0
    for place in np.ndindex(t.shape):
        if t[place] != ignore_index:
            minus = np.log(np.exp(x[place]).sum()) - x[place]
            losses[place] = (1 - label_smoothing) * w[t[place]] * minus[t[place]]
            losses[place] += label_smoothing / w.size * (w * minus).sum()
            total += w[t[place]]
    if reduction == "mean":
        return losses.sum() / total if total else np.nan
    return losses.sum() if reduction == "sum" else losses.reshape(target.shape)


@op(
    name="cross_entropy",
    namespace="functional",
    aux={"top": None, "level": None, "counts": None, "total": None},
    real=True,
    constants=("weight",),
    inputs=[
        {"input": real(shape="n 4", min_side=1), "target": integers(0, 3, shape="n", min_side=1)},
        {
            "input": real(shape="n 3", min_side=1),
            "target": integers(0, 2, shape="n", min_side=1),
            "weight": real(0.5, 2.0, shape="3"),
            "ignore_index": one_of(-100),
            "reduction": one_of("none", "mean", "sum"),
            "label_smoothing": one_of(0.0, 0.2),
        },
        {
            "input": real(shape="2 3 k"),
            "target": integers(0, 2, shape="2 k"),
            "ignore_index": one_of(-100, 1),
            "reduction": one_of("none", "sum"),
            "label_smoothing": one_of(0.0, 0.5),
        },
        {"input": real(shape="5"), "target": integers(0, 4, shape="")},
    ],
    errors=[
        error(IndexError, "got class 1 at position \\(0,\\)", array(2, 1), array(2, dtype="int64")),
        error(TypeError, "\\.long\\(\\)", array(2, 3), array(2)),
        error(ValueError, "expected a target of shape \\(2,\\)", array(2, 3), array(3, dtype="int64")),
    ],
    reference=_naive_classes,
)
def class_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """`cross_entropy` with class indices as the target."""
    counts = check_targets(input, target, ignore_index, "cross_entropy")
    if weight is None and counts is None and not label_smoothing and target.ndim == 1 and target.size:
        if reduction == "mean" and type(input) is np.ndarray:
            return (_few_classes if input.shape[1] <= FEW else _many_classes)(input, target)
        top, level = _top_and_total(input)
        losses = level[:, 0] - (input.ravel()[places(target, input.shape)] - top[:, 0])
        return reduced(losses, reduction), top, level, None, target.size
    top, level = _top_and_total(input)
    shifted = contiguous(input - top)
    axis = class_axis(input)
    weights, safe = weights_of(target, counts, weight, input.dtype)
    zero = module_of(input).zeros((), input.dtype)
    losses = level.reshape(target.shape) - shifted.reshape(-1)[places(safe, input.shape)]
    if counts is not None or weight is not None:
        losses = np.where(weights != 0, losses * weights, zero)  # 0 times an infinity would be nan
    if label_smoothing:
        minus = level - shifted
        if weight is not None:
            each = class_weights(weight, input, "cross_entropy")
            minus = np.where(each != 0, minus * each, zero)
        smooth = np.add.reduce(minus, axis)
        smooth = smooth if counts is None else np.where(counts, smooth, zero)
        losses = (1 - label_smoothing) * losses + label_smoothing / max(1, input.shape[axis]) * smooth
    elif weight is not None:
        class_weights(weight, input, "cross_entropy")
    losses = array_from(losses).astype(input.dtype, copy=False)
    if reduction != "mean":
        return reduced(losses, reduction), top, level, counts, 1
    total = weights.sum(dtype=np.float64).item()
    mean = losses.sum(dtype=np.float64) / total if total else losses.sum() * np.nan
    mean = array_from(mean).astype(input.dtype)
    return mean, top, level, counts, total


FEW = 40  # classes, up to which it pays to put them first


def _many_classes(input: Any, target: Any) -> Any:
    """The mean loss, when every example counts the same."""
    if is_large(input):
        count, dtype = len(input), input.dtype
        top, level, losses = np.empty((count, 1), dtype), np.empty((count, 1), dtype), np.empty(count, dtype)

        def work(start: int, stop: int) -> None:
            here = slice(start, stop)
            top[here], level[here], losses[here] = _each_loss(input[here], target[here])

        in_blocks(work, count, input.shape[1])
    else:
        top, level, losses = _each_loss(input, target)
    return np.add.reduce(losses) / losses.size, top, level, None, losses.size


def _each_loss(input: Any, target: Any) -> tuple[Any, Any, Any]:
    """The largest of each row, the logarithm of the sum over it, and the loss of each example."""
    top = largest(input, 1, True)
    e = input - top
    losses = e.reshape(-1).take(places(target, e.shape))
    level = np.log(add_up(np.exp(e, out=e), 1, True))
    return top, level, np.subtract(level[:, 0], losses, out=losses)


def _few_classes(input: Any, target: Any) -> Any:
    """The mean loss of few classes: classes first, so that NumPy's inner loops are over the examples."""
    count = input.shape[0]
    x = input.T.copy()
    top = np.maximum.reduce(x, 0)
    x -= top
    places = np.multiply(target, count, dtype=np.int64)
    places += np.arange(count)
    losses = x.reshape(-1)[places]
    level = np.log(np.add.reduce(np.exp(x, out=x), 0))
    np.subtract(level, losses, out=losses)
    return np.add.reduce(losses) / count, top.reshape(count, 1), level.reshape(count, 1), None, count


class_entropy.vjp(target=None)


@class_entropy.joint_vjp("input")
def _class_entropy_rule(
    g: Any,
    input: Any,
    target: Any,
    weight: Any,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    top: Any,
    level: Any,
    counts: Any,
    total: Any,
) -> Any:
    """None if weight is not None or counts is not None or label_smoothing or input.ndim != 2 or reduction == "none"
    else
    ((softmax(input, 1) - one_hot(target, input.shape[1])) * g / target.size,) if reduction == "mean" else
    ((softmax(input, 1) - one_hot(target, input.shape[1])) * g,).
    """
    axis = class_axis(input)
    if reduction == "mean":
        g = g * (1 / total if total else 0.0)
    elif reduction == "none":
        g = np.expand_dims(g, axis)
    if weight is None and counts is None and not label_smoothing:
        if input.ndim == 2 and is_large(input) and isinstance(g, np.ndarray | np.generic):
            return (_large_slope(g, input, target, top, level),)
        p = _probabilities(input, top, level)
        if not isinstance(p, Tensor) and not isinstance(g, Tensor) and p.flags.c_contiguous:
            p.reshape(-1)[places(target, p.shape)] -= 1
            p *= g
            return (p,)
        hot = module_of(p).zeros(p.shape, p.dtype)
        hot.reshape(-1)[places(target, p.shape)] = 1
        return ((p - hot) * g,)
    weights, safe = weights_of(target, counts, weight, input.dtype)
    q = spread_targets(input.shape, safe, weights, weight, label_smoothing, input)
    if counts is not None:
        q *= np.expand_dims(counts, axis)
    return (_slope(g, input, q, top, level),)


def _large_slope(g: Any, input: np.ndarray, target: Any, top: Any, level: Any) -> Any:
    """(softmax(input) - one at the target) * g, of a block of examples after the other, on several threads."""
    slope = np.empty_like(input)

    def work(start: int, stop: int) -> None:
        here = slice(start, stop)
        p = np.subtract(input[here], top[here], out=slope[here])
        p -= level[here]
        np.exp(p, out=p)
        p.reshape(-1)[places(target[here], p.shape)] -= 1
        p *= g[here] if g.ndim else g

    in_blocks(work, len(input), input.shape[1])
    return slope


def _class_entropy_tangent(
    t: Any, input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, label_smoothing: float
) -> Any:
    """The losses are linear in log_softmax(input), which changes by t - sum(softmax(input) * t)."""
    axis = class_axis(input)
    change = t - np.add.reduce(softmax.generic(input, axis) * t, axis=axis, keepdims=True)
    counts = np.not_equal(target, ignore_index)
    safe = np.where(counts, target, 0)
    picked = gathered.generic(change, axis, np.expand_dims(safe, axis)).squeeze(axis)
    found = 1.0 if weight is None else gathered.generic(weight, 0, safe.reshape(-1)).reshape(safe.shape)
    weights = np.where(counts, found, 0.0).astype(change.dtype)
    losses = picked * (weights * -(1 - label_smoothing))
    if label_smoothing:
        each = change if weight is None else change * class_weights(weight, input, "cross_entropy")
        smooth = keep(np.add.reduce(each, axis), counts)
        losses = losses - smooth * (label_smoothing / max(1, input.shape[axis]))
    if reduction == "none":
        return losses
    return np.sum(losses) / np.sum(weights) if reduction == "mean" else np.sum(losses)


class_entropy.jvp(input=_class_entropy_tangent)


@class_entropy.vmap
def _class_entropy_batch(
    input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, label_smoothing: float, batch: Batch
) -> Any:
    apart = "weight" in batch.of

    def losses(x: Any, t: Any) -> Any:
        options = (None, ignore_index, "none", 0.0) if apart else (weight, ignore_index, "none", label_smoothing)
        return class_entropy(x, t, *options)

    def smooth(x: Any) -> Any:
        minus, each = -log_softmax(x, batch_axis(x)), weights_of_examples(weight, x)
        return np.add.reduce(keep(minus * each, np.not_equal(values_of(each), 0)), batch_axis(x))

    share = label_smoothing if apart else 0.0
    return losses_of_classes(losses, input, target, weight, ignore_index, reduction, batch, share, smooth)


def _probabilities(input: Any, top: Any, level: Any) -> Any:
    """softmax(input) over the classes: of arrays from what the loss has found already."""
    if isinstance(input, Tensor):
        return softmax(input, class_axis(input))
    p = input - top
    p -= level
    return np.exp(p, out=p)


def _slope(g: Any, input: Any, q: Any, top: Any, level: Any) -> Any:
    """(Q softmax(x) - q) g; 0 for an example that gives no class any weight, whatever its logits and g are."""
    axis = class_axis(input)
    counted = np.any(np.not_equal(values_of(q), 0), axis=axis, keepdims=True)
    if not isinstance(q, Tensor) and (not at_hand(counted) or not counted.all()):
        g = keep(g, counted)
        if isinstance(input, Tensor):  # whose own gradient is to be 0 too
            input = keep(input, counted)
    p = _probabilities(input, top, level)
    return unspoilt((p * np.add.reduce(q, axis, keepdims=True) - q) * g, counted)


# -- class probabilities -----------------------------------------------------------------------------


def _naive_probabilities(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", label_smoothing: float = 0.0
) -> Any:
    axis = 0 if input.ndim == 1 else 1
    logp = input - np.log(np.exp(input).sum(axis, keepdims=True))
    q = target * (1 - label_smoothing) + label_smoothing / max(1, input.shape[axis])
    if weight is not None:
        q = q * weight.reshape((-1,) + (1,) * (input.ndim - axis - 1))
    losses = -(q * logp).sum(axis)
    return {"none": lambda: losses, "mean": lambda: losses.mean(), "sum": lambda: losses.sum()}[reduction]()


@op(
    name="cross_entropy_of_probabilities",
    namespace="functional",
    promote=("input", "target"),
    aux={"top": None, "level": None},
    real=True,
    inputs=[
        {
            "input": real(shape="n 3 k", min_side=1),
            "target": real(0.0, 1.0, shape="n 3 k", min_side=1),
            "weight": real(0.5, 2.0, shape="3"),
            "reduction": one_of("none", "mean", "sum"),
            "label_smoothing": one_of(0.0, 0.2),
        },
        {"input": real(shape="n 4", min_side=1), "target": real(0.0, 1.0, shape="n 4", min_side=1)},
        {"input": real(shape="4"), "target": real(0.0, 1.0, shape="4")},
    ],
    errors=[error(ValueError, "probabilities of the input's shape", array(2, 3), array(3, 2))],
    reference=_naive_probabilities,
)
def probability_entropy(
    input: Array, target: Array, weight: Array | None = None, reduction: str = "mean", label_smoothing: float = 0.0
) -> Any:
    """`cross_entropy` with class probabilities as the target."""
    if input.shape != target.shape or not input.ndim:
        raise ValueError(
            f"cross_entropy: expected class probabilities of the input's shape, {input.shape}, got a target of shape "
            f"{target.shape}; class indices are integers"
        )
    top, level = _top_and_total(input)
    q = _smoothed(target, weight, label_smoothing, input)
    minus = level - (input - top)
    if input.size and (
        not at_hand(input) or np.minimum.reduce(input, None) == -np.inf
    ):  # an impossible class without weight costs nothing
        minus[(q == 0) & (input == -np.inf)] = 0
    losses = np.add.reduce(q * minus, class_axis(input))
    return array_from(reduced(array_from(losses), reduction)), top, level


def _smoothed(target: Any, weight: Any, smoothing: float, input: Any) -> Any:
    q = target
    if smoothing:
        q = q * (1 - smoothing) + smoothing / max(1, input.shape[class_axis(input)])
    return q if weight is None else q * class_weights(weight, input, "cross_entropy")


@probability_entropy.joint_vjp("input", "target", "weight")
def _probability_entropy_rule(
    g: Any,
    input: Any,
    target: Any,
    weight: Any,
    reduction: str,
    label_smoothing: float,
    top: Any,
    level: Any,
    needs: Any,
) -> Any:
    axis = class_axis(input)
    g = reduction_vjp(g, math.prod(input.shape) // input.shape[axis] if input.shape[axis] else 0, reduction)
    if reduction == "none":
        g = np.expand_dims(g, axis)
    gx = gt = gw = None
    if needs[0]:
        gx = _slope(g, input, _smoothed(target, weight, label_smoothing, input), top, level)
    if needs[1] or needs[2]:
        minus = -log_softmax(input, axis) if isinstance(input, Tensor) else level - (input - top)
    if needs[1]:
        gt = minus * (g * (1 - label_smoothing))
        if weight is not None:
            each = class_weights(weight, input, "cross_entropy")
            gt = unspoilt(gt * each, each)
    if needs[2]:
        q = _smoothed(target, None, label_smoothing, input)
        gw = unspoilt(minus * (q * g), q)
        gw = np.sum(gw, axis=tuple(i for i in range(input.ndim) if i != axis))
    return gx, gt, gw


@probability_entropy.joint_jvp("input", "target", "weight")
def _probability_entropy_tangent(
    t: Any, input: Any, target: Any, weight: Any, reduction: str, label_smoothing: float
) -> Any:
    axis = class_axis(input)
    terms: list[Any] = []
    if t[0] is not None:
        p, q = softmax.generic(input, axis), _smoothed(target, weight, label_smoothing, input)
        terms.append(q * (np.add.reduce(p * t[0], axis=axis, keepdims=True) - t[0]))
    minus = -log_softmax.generic(input, axis)
    if t[1] is not None:
        change = t[1] * (1 - label_smoothing)
        each = change if weight is None else change * class_weights(weight, input, "cross_entropy")
        terms.append(unspoilt(minus * each, each))
    if t[2] is not None:
        each = _smoothed(target, None, label_smoothing, input) * class_weights(t[2], input, "cross_entropy")
        terms.append(unspoilt(minus * each, each))
    losses = np.add.reduce(sum(terms[1:], terms[0]), axis)
    if reduction == "none":
        return losses
    return np.sum(losses) * (1 / (math.prod(losses.shape) or math.nan) if reduction == "mean" else 1.0)


@probability_entropy.vmap
def _probability_entropy_batch(
    input: Any, target: Any, weight: Any, reduction: str, label_smoothing: float, batch: Batch
) -> Any:
    x, t = every(input, "input", batch), every(target, "target", batch)
    if "weight" in batch.of:  # it is a factor of the target
        if label_smoothing:
            t = t * (1 - label_smoothing) + label_smoothing / max(1, x.shape[batch_axis(x)])
        t, weight, label_smoothing = t * weights_of_examples(weight, x), None, 0.0
    one = x.ndim == 2  # an example is itself one example
    if not one:
        x, t = folded(x), folded(t)
    found = probability_entropy(x, t, weight, "none", label_smoothing)
    if one or reduction == "none":
        return found if one else unfolded(found, batch.size)
    total = unfolded(found, batch.size).flatten(1).sum(1)
    return total / max(1, found.numel() // max(batch.size, 1)) if reduction == "mean" else total


# -- the functions that users call -------------------------------------------------------------------


@overload(class_entropy)
@composition
def cross_entropy(
    input: Tensor,
    target: Array,
    weight: Array | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log(softmax(input)) at the target class, averaged over the examples.

    Args:
        input: logits, (N, C), (N, C, d1, ...) or (C,).
        target: class indices, integers of shape (N,), (N, d1, ...) or (); or class probabilities, floats of
            the input's shape.
        weight: a factor for each class, (C,); the mean is then divided by the sum of the factors used.
        ignore_index: a class index whose examples do not count.
        reduction: "mean", "sum" or "none".
        label_smoothing: the share of each target, between 0 and 1, that is spread evenly over all classes.

    Returns:
        A scalar, or the shape of the class indices if `reduction` is "none".

    Raises:
        IndexError: a class index out of range. TypeError: float targets that are no probabilities.
        ValueError: the shapes do not fit.

    >>> td.nn.functional.cross_entropy(td.tensor([[0.0, 0.0], [1e4, 0.0]]), td.tensor([1, 0]), reduction="none")
    tensor([0.6931, 0.0000])
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("cross_entropy", size_average, reduce)
    if label_smoothing and not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"cross_entropy: expected label_smoothing between 0 and 1, got {label_smoothing}")
    result: Tensor
    if target.is_floating_point() and target.shape == input.shape:
        result = probability_entropy(input, target, weight, reduction, label_smoothing)
    else:
        result = class_entropy(input, target, weight, ignore_index, reduction, label_smoothing)
    return result
