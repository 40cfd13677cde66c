"""Cross-entropy of two classes: one node each, the reduction included."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, reduce, truth
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import values_of
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops.loss._reduction import extent, former_reduction, naive, reduced, reduction_vjp, require_floats

LOWEST = -100.0


def _naive_bce(input: Any, target: Any, weight: Any = None) -> Any:
    losses = -(target * np.log(input) + (1 - target) * np.log1p(-input))
    return losses if weight is None else losses * weight


@op(
    kind="loss",
    name="binary_cross_entropy",
    promote=("input", "target"),
    namespace="functional",
    real=True,
    constants=("weight",),
    inputs=[
        {
            "input": real(0.05, 0.95, shape="m n", min_side=1),
            "target": real(0.05, 0.95, shape="m n", min_side=1),
            "weight": real(0.5, 2.0, shape="n", min_side=1),
            "reduction": one_of("none", "mean", "sum"),
        },
        {
            "input": real(0.05, 0.95, shape="... n"),
            "target": real(0.05, 0.95, shape="... n"),
            "reduction": one_of("none", "sum"),
        },
    ],
    errors=[
        error(ValueError, "same shape", array(2), array(3)),
        error(RuntimeError, "between 0 and 1", 2.0, 1.0),
        error(TypeError, "got numbers of int64", array(2, dtype="int64"), array(2, dtype="int64")),
    ],
    reference=lambda input, target, weight=None, reduction="mean": naive(_naive_bce)(
        input, target, weight, reduction=reduction
    ),
)
def binary_entropy(input: Array, target: Array, weight: Array | None = None, reduction: str = "mean") -> Any:
    """The op of `binary_cross_entropy`."""
    require_floats("binary_cross_entropy", input)
    if input.shape != target.shape:
        raise ValueError(
            f"binary_cross_entropy: expected input and target of the same shape, got {input.shape} and "
            f"{target.shape}; reshape one of them"
        )
    if input.size and not truth((reduce(np.minimum, input) >= 0) & (reduce(np.maximum, input) <= 1)):
        raise RuntimeError(
            "binary_cross_entropy: expected probabilities between 0 and 1 as the input, got numbers from "
            f"{input.min()} to {input.max()}; apply sigmoid() first, or use binary_cross_entropy_with_logits"
        )
    if target.size and not truth((reduce(np.minimum, target) >= 0) & (reduce(np.maximum, target) <= 1)):
        raise ValueError(
            f"binary_cross_entropy: expected targets between 0 and 1, got numbers from {target.min()} to {target.max()}"
        )
    with np.errstate(divide="ignore"):
        # As in PyTorch, logarithms end at LOWEST, so that a certain prediction costs 100 and not infinity.
        positive = np.maximum(np.log(input), LOWEST)
        negative = np.maximum(np.log1p(-input), LOWEST)
    losses = target * (negative - positive) - negative
    return reduced(losses if weight is None else losses * weight, reduction)


@binary_entropy.joint_vjp("input", "target")
def _binary_entropy_rule(g: Any, input: Any, target: Any, weight: Any, reduction: str, needs: Any) -> Any:
    g = reduction_vjp(g, extent(input.shape, target.shape), reduction)
    if weight is not None:
        g = g * weight
    gx = gt = None
    if needs[0]:
        gx = g * (input - target) / np.maximum(input * (1 - input), 1e-12)
    if needs[1]:
        gt = g * (_bounded_log(np.log1p, -input, -1.0) - _bounded_log(np.log, input, 0.0))
    return gx, gt


def _bounded_log(function: Any, x: Any, pole: float) -> Any:
    """The logarithm, no lower than LOWEST; at its pole it is that, and its own slope 0."""
    outside = np.greater(values_of(x), pole)
    return np.where(outside, np.maximum(function(np.where(outside, x, pole + 1)), LOWEST), LOWEST)


def _naive_logits(input: Any, target: Any, weight: Any = None, pos_weight: Any = None) -> Any:
    p = 1 / (1 + np.exp(-input))
    losses = -((1 if pos_weight is None else pos_weight) * target * np.log(p) + (1 - target) * np.log(1 - p))
    return losses if weight is None else losses * weight


@op(
    kind="loss",
    name="binary_cross_entropy_with_logits",
    promote=("input", "target"),
    namespace="functional",
    real=True,
    constants=("weight", "pos_weight"),
    inputs=[
        {
            "input": real(-8, 8, shape="m n", min_side=1),
            "target": real(0.0, 1.0, shape="m n", min_side=1),
            "weight": real(0.5, 2.0, shape="n", min_side=1),
            "pos_weight": real(0.5, 2.0, shape="n", min_side=1),
            "reduction": one_of("none", "mean", "sum"),
        },
        {
            "input": real(-8, 8, shape="... n"),
            "target": real(0.0, 1.0, shape="... n"),
            "reduction": one_of("none", "sum"),
        },
    ],
    errors=[
        error(ValueError, "same shape", array(2), array(2, 1)),
        error(TypeError, "got numbers of int64", array(2, dtype="int64"), array(2, dtype="int64")),
    ],
    reference=lambda input, target, weight=None, reduction="mean", pos_weight=None: naive(_naive_logits)(
        input, target, weight, pos_weight, reduction=reduction
    ),
)
def logits_entropy(
    input: Array, target: Array, weight: Array | None = None, reduction: str = "mean", pos_weight: Array | None = None
) -> Any:
    """The op of `binary_cross_entropy_with_logits`."""
    require_floats("binary_cross_entropy_with_logits", input)
    if input.shape != target.shape:
        raise ValueError(
            f"binary_cross_entropy_with_logits: expected input and target of the same shape, got {input.shape} and "
            f"{target.shape}; reshape one of them, for example with squeeze() or unsqueeze()"
        )
    tail = np.log1p(np.exp(-np.absolute(input)))  # log(1 + exp(-|x|)), which can't overflow
    if pos_weight is None:
        losses = np.maximum(input, 0) - input * target + tail
    else:
        losses = (1 - target) * input + (1 + (pos_weight - 1) * target) * (tail + np.maximum(-input, 0))
    if not at_hand(losses) or not np.isfinite(
        np.add.reduce(losses, None)
    ):  # at infinite inputs: nothing, if that is the target, or infinity
        wrong = np.where(input > 0, 1 - target, target if pos_weight is None else target * pos_weight)
        with np.errstate(invalid="ignore"):  # 0 times infinity, which is left out
            infinite = np.where(wrong != 0, wrong * np.inf, 0.0).astype(losses.dtype)
        losses = np.where(np.isinf(input), infinite, losses)
    return reduced(losses if weight is None else losses * weight, reduction)


@logits_entropy.joint_vjp("input", "target")
def _logits_entropy_rule(
    g: Any, input: Any, target: Any, weight: Any, reduction: str, pos_weight: Any, needs: Any
) -> Any:
    """None if weight is not None or pos_weight is not None or input.shape != target.shape else
    (g * (sigmoid(input) - target) / input.size, -g * input / input.size) if reduction == "mean" else
    (g * (sigmoid(input) - target), -g * input).
    """
    g = reduction_vjp(g, extent(input.shape, target.shape), reduction)
    if weight is not None:
        g = g * weight
    p = 0.5 * np.tanh(0.5 * input) + 0.5
    gx = gt = None
    if pos_weight is None:
        gx = g * (p - target)
        if needs[1]:
            gt = g * -input
    else:
        gx = g * ((1 - target) * p - pos_weight * target * (1 - p))
        if needs[1]:
            softplus = np.log1p(np.exp(-np.absolute(input))) + np.maximum(-input, 0)  # log(1 + exp(-x))
            gt = g * ((pos_weight - 1) * softplus - input)
    return gx, gt


# -- the functions that users call -------------------------------------------------------------------


@overload(binary_entropy)
@composition
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(target * log(input) + (1 - target) * log(1 - input)), with logarithms no lower than -100.

    Args:
        input: probabilities. Prefer `binary_cross_entropy_with_logits`, which takes what sigmoid is given.
        target: of the same shape, between 0 and 1.
        weight: factors of the losses, broadcast to them.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: the shapes differ, or targets outside [0, 1]. RuntimeError: input outside [0, 1].

    >>> td.nn.functional.binary_cross_entropy(td.tensor([0.5, 1.0]), td.tensor([1.0, 1.0]), reduction="none")
    tensor([0.6931, 0.0000])
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("binary_cross_entropy", size_average, reduce)
    return binary_entropy(input, target, weight, reduction)


@overload(logits_entropy)
@composition
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """`binary_cross_entropy` of sigmoid(input), exact and finite for large inputs.

    Args:
        input: logits: what sigmoid turns into probabilities.
        target: of the same shape, usually between 0 and 1.
        weight: factors of the losses, broadcast to them.
        reduction: "mean", "sum" or "none".
        pos_weight: factors of the positive part, target * log(p), broadcast to it.

    Raises:
        ValueError: the shapes differ.

    >>> td.nn.functional.binary_cross_entropy_with_logits(td.tensor([0.0, 1e4]), td.ones(2), reduction="none")
    tensor([0.6931, 0.0000])
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("binary_cross_entropy_with_logits", size_average, reduce)
    return logits_entropy(input, target, weight, reduction, pos_weight)
