"""Vectors divided by their norms."""

from __future__ import annotations

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.pointwise.extremes import clamp_min
from tinygrad_dl.ops.reduction.norm import norm


@composition
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """input / max(norm, eps), with the p-norm along a dimension.

    >>> td.nn.functional.normalize(td.tensor([3.0, 4.0]), dim=0)
    tensor([0.6000, 0.8000])
    """
    return input / clamp_min(norm(input, p, dim, True), eps)
