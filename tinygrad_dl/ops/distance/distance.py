"""Distances and similarities: compositions of other operations."""

from __future__ import annotations

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.distance._pairs import all_distances
from tinygrad_dl.ops.linalg._matrices import above_diagonal
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


@composition
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norms of the differences of all pairs of rows of (N, M): the upper triangle of their matrix, row by row.

    Args:
        p: 0 or more; 0 counts the elements that differ, inf takes the largest difference.

    Returns:
        (N (N - 1) / 2,).

    Raises:
        ValueError: not 2 dimensions, or a negative p. TypeError: the input is not floating.

    >>> td.pdist(td.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    tensor([5.0000, 1.0000, 4.2426])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pdist.html
    """
    if input.ndim != 2:
        raise ValueError(f"pdist: expected an input of shape (N, M), got {input.shape}")
    if input.dtype.kind not in "fV":
        raise TypeError(f"pdist: expected a floating tensor, got {input.dtype}; convert it first with .float()")
    if not p >= 0:
        raise ValueError(f"pdist: expected p of 0 or more, got {p}")
    found: Tensor = all_distances(input[None], input[None], float(p), False)
    return found[0][above_diagonal(input.shape[0])]
