"""Distances, similarities and the losses made of them: compositions of other operations."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.activation.smooth import softplus
from tinygrad_dl.ops.pointwise.exponential import exp, log
from tinygrad_dl.ops.pointwise.extremes import clamp_min, minimum, where
from tinygrad_dl.ops.pointwise.powers import sqrt
from tinygrad_dl.ops.reduction.norm import norm
from tinygrad_dl.ops.reduction.sum import mean, sum
from tinygrad_dl.ops.shape.permute import broadcast_tensors

__all__ = [
    "cosine_embedding_loss",
    "cosine_similarity",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "normalize",
    "pairwise_distance",
    "poisson_nll_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
]


def reduced(losses: Any, reduction: str) -> Tensor:
    """The mean of the losses, their sum, or themselves."""
    if reduction == "mean":
        return mean(losses)  # type: ignore[no-any-return]
    if reduction == "sum":
        return sum(losses)  # type: ignore[no-any-return]
    if reduction != "none":
        raise ValueError(f"expected a reduction among 'none', 'mean' and 'sum', got {reduction!r}")
    return losses  # type: ignore[no-any-return]


@composition
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """input / max(norm, eps), with the p-norm along a dimension.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.normalize(td.tensor([3.0, 4.0]), dim=0)
    tensor([0.6000, 0.8000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.normalize.html
    """
    result: Tensor = input / clamp_min(norm(input, p, dim, True), eps)
    return result


@composition
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """sum(x1 * x2) / (max(norm(x1), eps) * max(norm(x2), eps)) along a dimension.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.cosine_similarity(td.tensor([1.0, 0.0]), td.tensor([1.0, 1.0]), dim=0)
    tensor(0.7071)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cosine_similarity.html
    """
    if x1.dtype.kind == "c" or x2.dtype.kind == "c":
        raise TypeError("cosine_similarity: expected real tensors, got complex ones; compare td.view_as_real of them")
    if x1.shape != x2.shape:
        x1, x2 = broadcast_tensors(x1, x2)
    # Each is scaled before the product, so that squares of small or large numbers don't get lost.
    first = x1 / clamp_min(norm(x1, 2, dim, True), eps)
    second = x2 / clamp_min(norm(x2, 2, dim, True), eps)
    result: Tensor = sum(first * second, dim)
    return result


@composition
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.pairwise_distance(td.tensor([[3.0, 4.0]]), td.zeros(1, 2))
    tensor([5.0000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pairwise_distance.html
    """
    result: Tensor = norm(x1 - x2 + eps, p, -1, keepdim)
    return result


@composition
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Array, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1.

    Args:
        input1, input2: (N, D) or (D,). target: 1 or -1 for each pair.

    >>> import tinygrad_dl as td
    >>> same = td.tensor([[1.0, 0.0]])
    >>> td.nn.functional.cosine_embedding_loss(same, same, td.tensor([1]))
    tensor(0.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cosine_embedding_loss.html
    """
    # As in PyTorch, 1e-12 beside the squares, which bounds the gradient at a zero vector, and no `eps`.
    lengths = sqrt((sum(input1 * input1, -1) + 1e-12) * (sum(input2 * input2, -1) + 1e-12))
    cos = sum(input1 * input2, -1) / lengths
    apart = where(target == -1, clamp_min(cos - margin, 0.0), 0.0)
    return reduced(where(target == 1, 1 - cos, apart), reduction)


@composition
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Array, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """max(0, -target * (input1 - input2) + margin): target 1 wants input1 higher, -1 input2.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.margin_ranking_loss(td.tensor([1.0]), td.tensor([3.0]), td.tensor([1.0]))
    tensor(2.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.margin_ranking_loss.html
    """
    return reduced(clamp_min(-target * (input1 - input2) + margin, 0.0), reduction)


@composition
def hinge_embedding_loss(input: Tensor, target: Array, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """input where the target is 1, max(0, margin - input) where it is -1.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.hinge_embedding_loss(td.tensor([0.5, 0.25]), td.tensor([1, -1]), reduction="none")
    tensor([0.5000, 0.7500])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.hinge_embedding_loss.html
    """
    hinge = clamp_min(margin - input, 0.0)
    return reduced(where(target != -1, input, 0.0) + where(target != 1, hinge, 0.0), reduction)


@composition
def soft_margin_loss(input: Tensor, target: Array, reduction: str = "mean") -> Tensor:
    """log(1 + exp(-target * input)), targets 1 and -1.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.soft_margin_loss(td.tensor([0.0]), td.tensor([1.0]))
    tensor(0.6931)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.soft_margin_loss.html
    """
    return reduced(softplus(-target * input), reduction)


@composition
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, distance(anchor, positive) - distance(anchor, negative) + margin).

    Args:
        swap: take the distance between positive and negative if that is smaller than the anchor's.

    >>> import tinygrad_dl as td
    >>> a = td.tensor([[0.0]])
    >>> td.nn.functional.triplet_margin_loss(a, a + 1, a + 3, margin=4.0)
    tensor(2.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.triplet_margin_loss.html
    """
    if margin <= 0:
        raise ValueError(f"triplet_margin_loss: expected margin > 0, got {margin}")
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduced(clamp_min(near - far + margin, 0.0), reduction)


@composition
def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """0.5 * (log(var) + (input - target)**2 / var), with var no smaller than `eps`.

    Args:
        input: the means. var: the variances, of the input's shape or with a last dimension of 1; or a number.
        full: add the constant 0.5 * log(2 pi).

    Raises:
        ValueError: a variance is negative.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.gaussian_nll_loss(td.tensor([1.0]), td.tensor([3.0]), td.tensor([1.0]))
    tensor(2.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.gaussian_nll_loss.html
    """
    if not isinstance(var, Tensor):
        var = Tensor(var, input.dtype)
    if var._data.size and var._data.min() < 0:
        raise ValueError(f"gaussian_nll_loss: expected variances >= 0, got one of {var._data.min()}")
    if var.shape == input.shape[:-1] and var.shape != input.shape:
        var = var.unsqueeze(-1)
    # The bound acts on the value alone: the gradient passes, as in PyTorch.
    bounded = where(var < eps, var + (eps - var.detach()), var)
    losses = 0.5 * (log(bounded) + (input - target) ** 2 / bounded)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


@composition
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """exp(input) - target * input; without `log_input`: input - target * log(input + eps).

    Args:
        full: add Stirling's approximation of log(target!) where the target is above 1.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.poisson_nll_loss(td.tensor([0.0]), td.tensor([2.0]))
    tensor(1.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.poisson_nll_loss.html
    """
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        above = where(target <= 1, 1.0, target)
        stirling = above * log(above) - above + 0.5 * log(2 * math.pi * above)
        losses = losses + where(target <= 1, 0.0, stirling)
    return reduced(losses, reduction)
