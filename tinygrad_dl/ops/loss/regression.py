"""Losses that compare each element with its target: one node each, the reduction included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, broadcasting, drawn, error, one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops.loss._reduction import (
    REDUCTIONS,
    extent,
    former_reduction,
    naive,
    pairs,
    reduced,
    reduction_vjp,
    require_floats,
    warn_of_broadcasting,
)
from tinygrad_dl.ops.pointwise.arithmetic import direction

INTEGERS = error(TypeError, "got numbers of int64", array(2, dtype="int64"), array(2, dtype="int64"))


@op(
    kind="loss",
    name="mse_loss",
    namespace="functional",
    real=True,
    inputs=pairs(),
    errors=[error(ValueError, "reduction", array(2), array(2), reduction="average"), INTEGERS],
    reference=naive(lambda input, target: (input - target) ** 2),
)
def squared_error(input: Array, target: Array, reduction: str = "mean") -> Any:
    """The op of `mse_loss`."""
    difference = input - target
    require_floats("mse_loss", difference)
    if reduction == "mean" and difference.ndim and difference.size:
        flat = difference.ravel("K")
        return flat.dot(flat) / flat.size
    return reduced(difference * difference, reduction)


@squared_error.joint_vjp("input", "target")
def _squared_error_rule(g: Any, input: Any, target: Any, reduction: str, needs: Any) -> Any:
    """(g * 2 * (input - target) / input.size, -g * 2 * (input - target) / input.size) if reduction == "mean" and
    input.shape == target.shape else
    (g * 2 * (input - target), -g * 2 * (input - target)) if reduction != "mean" else None.
    """
    difference = input - target
    gx = difference * reduction_vjp(g * 2.0, extent(input.shape, target.shape), reduction)
    return gx, -gx if needs[1] else None


def _distance_rule(slope: Callable[..., Any]) -> Callable[..., Any]:
    """The rule of a loss of the difference alone, from its slope."""

    def rule(g: Any, input: Any, target: Any, beta: Any, reduction: str, needs: Any) -> Any:
        gx = slope(input - target, beta) * reduction_vjp(g, extent(input.shape, target.shape), reduction)
        return gx, -gx if needs[1] else None

    return rule


def _apart(low: float, high: float) -> Any:
    """A target whose distance from the input is between low and high: away from the kinks of a loss."""

    def make(rng: Any, input: Any) -> Any:
        sign = np.where(rng.random(input.shape) < 0.5, -1.0, 1.0)
        return np.asarray(input + sign * rng.uniform(low, high, input.shape), input.dtype)

    return drawn(make)


@op(
    kind="loss",
    name="l1_loss",
    namespace="functional",
    inputs=[
        {"input": real(), "target": _apart(0.1, 2.0), "reduction": one_of("none", "sum")},
        broadcasting(real(-3, -1, min_side=1), real(1, 3, min_side=1), reduction=one_of("mean")),
    ],
    errors=[INTEGERS],
    reference=naive(lambda input, target: np.where(input > target, input - target, target - input)),
)
def absolute_error(input: Array, target: Array, reduction: str = "mean") -> Any:
    """The op of `l1_loss`."""
    if reduction == "mean":
        require_floats("l1_loss", input)
    return reduced(np.absolute(input - target), reduction)


@absolute_error.joint_vjp("input", "target")
def _absolute_error_rule(g: Any, input: Any, target: Any, reduction: str, needs: Any) -> Any:
    """(g * sign(input - target) / input.size, -g * sign(input - target) / input.size) if reduction == "mean" and
    input.shape == target.shape else
    (g * sign(input - target), -g * sign(input - target)) if reduction != "mean" else None.
    """
    gx = direction(input - target) * reduction_vjp(g, extent(input.shape, target.shape), reduction)
    return gx, -gx if needs[1] else None


def _naive_huber(input: Any, target: Any, delta: float = 1.0) -> Any:
    d = np.abs(input - target)
    return np.where(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta))


@op(
    kind="loss",
    name="huber_loss",
    namespace="functional",
    real=True,
    inputs=[
        {"input": real(), "target": _apart(0.0, 0.9), "delta": one_of(1.0), "reduction": one_of("none", "sum")},
        {"input": real(), "target": _apart(0.6, 2.0), "delta": one_of(0.5), "reduction": one_of("none", "sum")},
        broadcasting(real(-3, -1, min_side=1), real(1, 3, min_side=1), delta=one_of(1.0), reduction=one_of("mean")),
    ],
    errors=[error(ValueError, "delta", array(2), array(2), delta=0.0), INTEGERS],
    reference=lambda input, target, reduction="mean", delta=1.0: naive(_naive_huber)(
        input, target, delta=delta, reduction=reduction
    ),
)
def huber_error(input: Array, target: Array, reduction: str = "mean", delta: float = 1.0) -> Any:
    """The op of `huber_loss`."""
    if not delta > 0:
        raise ValueError(f"huber_loss: expected delta > 0, got {delta}")
    require_floats("huber_loss", input)
    distance = np.absolute(input - target)
    inner = np.minimum(distance, delta)
    return reduced(inner * (distance - 0.5 * inner), reduction)


@huber_error.joint_vjp("input", "target")
def _huber_rule(g: Any, input: Any, target: Any, reduction: str, delta: float, needs: Any) -> Any:
    distance = input - target
    slope = np.where(np.absolute(distance) < delta, distance, np.sign(distance) * delta)
    gx = slope * reduction_vjp(g, extent(input.shape, target.shape), reduction)
    return gx, -gx if needs[1] else None


@overload(squared_error)
@composition
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The mean (or sum, or each) of (input - target) ** 2.

    Args:
        reduction: "mean", "sum" or "none".
        weight: factors of the squares, of the input's shape; the mean is then divided by their sum.

    Raises:
        ValueError: the weights have another shape.

    Warns:
        UserWarning: the shapes differ.

    >>> td.nn.functional.mse_loss(td.tensor([1.0, 2.0]), td.tensor([1.0, 4.0]))
    tensor(2.)
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("mse_loss", size_average, reduce)
    if input.shape != target.shape:
        warn_of_broadcasting("mse_loss", input, target)
    if weight is not None:
        return _weighted("mse_loss", squared_error(input, target, "none"), input, weight, reduction)
    return squared_error(input, target, reduction)


@overload(absolute_error)
@composition
def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The mean (or sum, or each) of |input - target|.

    Args:
        reduction: "mean", "sum" or "none".
        weight: factors of the distances, of the input's shape; the mean is then divided by their sum.

    Raises:
        ValueError: the weights have another shape.

    Warns:
        UserWarning: the shapes differ.

    >>> td.nn.functional.l1_loss(td.tensor([1.0, 2.0]), td.tensor([1.0, 4.0]))
    tensor(1.)
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("l1_loss", size_average, reduce)
    warn_of_broadcasting("l1_loss", input, target)
    if weight is not None:
        return _weighted("l1_loss", absolute_error(input, target, "none"), input, weight, reduction)
    return absolute_error(input, target, reduction)


@overload(huber_error)
@composition
def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Half the square of d = |input - target| where d < delta, else delta * (d - delta / 2).

    Args:
        reduction: "mean", "sum" or "none".
        weight: factors of the losses, of the input's shape; the mean is divided by the number of losses all the same.

    Raises:
        ValueError: delta is not positive, or the weights have another shape.

    >>> td.nn.functional.huber_loss(td.tensor([1.0, 2.0]), td.tensor([1.0, 4.0]), reduction="none")
    tensor([0.0000, 1.5000])
    """
    warn_of_broadcasting("huber_loss", input, target)
    if weight is not None:
        return _weighted("huber_loss", huber_error(input, target, "none", delta), input, weight, reduction)
    return huber_error(input, target, reduction, delta)


@composition
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """`huber_loss` with delta = beta, divided by beta; with beta = 0 it is `l1_loss`.

    >>> td.nn.functional.smooth_l1_loss(td.tensor([1.0, 2.0]), td.tensor([1.5, 4.0]), reduction="none")
    tensor([0.1250, 1.5000])
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("smooth_l1_loss", size_average, reduce)
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: expected beta >= 0, got {beta}")
    warn_of_broadcasting("smooth_l1_loss", input, target)
    result: Tensor
    if beta == 0:
        result = absolute_error(input, target, reduction)
        return result
    result = huber_error(input, target, reduction, beta)
    return result if beta == 1 else result / beta


def _weighted(name: str, losses: Tensor, input: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """Losses times their weights, reduced; the mean is divided by the sum of the weights, but not PyTorch's Huber's."""
    if tuple(weight.shape) != input.shape:
        raise ValueError(f"{name}: got weights of shape {tuple(weight.shape)}, expected the input's {input.shape}")
    weighted: Tensor = losses * weight
    if reduction == "mean":
        return weighted.mean() if name == "huber_loss" else weighted.sum() / weight.sum()
    if reduction not in REDUCTIONS:
        raise ValueError(f"expected a reduction among 'none', 'mean' and 'sum', got {reduction!r}")
    return weighted.sum() if reduction == "sum" else weighted
