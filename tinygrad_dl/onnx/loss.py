"""Losses, in other operations."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.onnx.table import rewriting
from tinygrad_dl.ops.activation.softmax import log_softmax
from tinygrad_dl.ops.pointwise.exponential import xlogy
from tinygrad_dl.ops.pointwise.where import where


def reduced(losses: Any, reduction: str) -> Any:
    """The losses, their mean or their sum."""
    if reduction == "batchmean":
        return losses.sum() / losses.shape[0]
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


@rewriting("mse_loss")
def mse_loss(input: Any, target: Any, reduction: str) -> Any:
    return reduced((input - target).square(), reduction)


@rewriting("l1_loss")
def l1_loss(input: Any, target: Any, reduction: str) -> Any:
    return reduced((input - target).abs(), reduction)


@rewriting("huber_loss")
def huber_loss(input: Any, target: Any, reduction: str, delta: float) -> Any:
    size = (input - target).abs()
    return reduced(where(size <= delta, 0.5 * size * size, delta * (size - 0.5 * delta)), reduction)


@rewriting("kl_div")
def kl_div(input: Any, target: Any, reduction: str, log_target: bool) -> Any:
    losses = target.exp() * (target - input) if log_target else xlogy(target, target) - target * input
    return reduced(losses, reduction)


@rewriting("binary_cross_entropy")
def binary_cross_entropy(input: Any, target: Any, weight: Any, reduction: str) -> Any:
    """No logarithm is below -100, as in PyTorch."""
    losses = -(target * input.log().clamp(min=-100) + (1 - target) * (1 - input).log().clamp(min=-100))
    return reduced(losses if weight is None else losses * weight, reduction)


@rewriting("binary_cross_entropy_with_logits")
def binary_cross_entropy_with_logits(input: Any, target: Any, weight: Any, pos_weight: Any, reduction: str) -> Any:
    soft = (-input.abs()).exp().log1p() + (-input).clamp(min=0)  # softplus(-input)
    positive = 1.0 if pos_weight is None else 1 + (pos_weight - 1) * target
    losses = (1 - target) * input + positive * soft
    return reduced(losses if weight is None else losses * weight, reduction)


@rewriting("nll_loss")
def nll_loss(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str) -> Any:
    return likelihood(input, target, weight, ignore_index, reduction, 0.0)


@rewriting("cross_entropy")
def cross_entropy(
    input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, label_smoothing: float
) -> Any:
    axis = 1 if input.ndim > 1 else 0
    return likelihood(log_softmax(input, axis), target, weight, ignore_index, reduction, label_smoothing)


def likelihood(logs: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float) -> Any:
    """The negative logarithms at the target classes, times the weights of these, of those that count."""
    axis = 1 if logs.ndim > 1 else 0
    counts = target != ignore_index
    safe = where(counts, target, 0).long()
    factors = counts.to(logs.dtype) if weight is None else where(counts, weight[safe], 0.0).to(logs.dtype)
    picked = logs.gather(axis, safe.unsqueeze(axis)).squeeze(axis)
    losses = where(counts, -picked * factors, 0.0)
    if smoothing:
        shape = [1] * logs.ndim
        shape[axis] = -1
        each = logs if weight is None else logs * weight.reshape(shape)
        smooth = where(counts, -each.sum(axis), 0.0)
        losses = (1 - smoothing) * losses + smoothing / logs.shape[axis] * smooth
    return losses.sum() / factors.sum() if reduction == "mean" else reduced(losses, reduction)


@rewriting("cross_entropy_of_probabilities")
def cross_entropy_of_probabilities(input: Any, target: Any, weight: Any, reduction: str, label_smoothing: float) -> Any:
    axis = 1 if input.ndim > 1 else 0
    q = target * (1 - label_smoothing) + label_smoothing / input.shape[axis] if label_smoothing else target
    if weight is not None:
        shape = [1] * input.ndim
        shape[axis] = -1
        q = q * weight.reshape(shape)
    losses = -(q * log_softmax(input, axis)).sum(axis)
    if reduction != "mean":
        return reduced(losses, reduction)
    return losses.mean()
