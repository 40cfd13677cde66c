"""Distances and similarities: compositions of other operations."""

from __future__ import annotations

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.pointwise.extremes import clamp_min
from tinygrad_dl.ops.reduction.norm import norm
from tinygrad_dl.ops.reduction.sum import sum
from tinygrad_dl.ops.shape.expand import broadcast_tensors


@composition
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """sum(x1 * x2) / (max(norm(x1), eps) * max(norm(x2), eps)) along a dimension.

    >>> td.nn.functional.cosine_similarity(td.tensor([1.0, 0.0]), td.tensor([1.0, 1.0]), dim=0)
    tensor(0.7071)
    """
    if x1.dtype.kind == "c" or x2.dtype.kind == "c":
        raise TypeError("cosine_similarity: expected real tensors, got complex ones; compare td.view_as_real of them")
    if x1.shape != x2.shape:
        x1, x2 = broadcast_tensors(x1, x2)
    # Each is scaled before the product, so that squares of small or large numbers don't get lost.
    first = x1 / clamp_min(norm(x1, 2, dim, True), eps)
    second = x2 / clamp_min(norm(x2, 2, dim, True), eps)
    return sum(first * second, dim)


@composition
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension.

    >>> td.nn.functional.pairwise_distance(td.tensor([[3.0, 4.0]]), td.zeros(1, 2))
    tensor([5.0000])
    """
    return norm(x1 - x2 + eps, p, -1, keepdim)
