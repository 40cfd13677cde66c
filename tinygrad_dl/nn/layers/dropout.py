"""Dropout."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.nn.checks import probability
from tinygrad_dl.nn.module import Module
from tinygrad_dl.ops.dropout import dropout

__all__ = ["Dropout"]


class Dropout(Module):
    """In training, zeroes each element with probability `p` and scales the others by 1 / (1 - p).

    Raises:
        ValueError: `p` is not between 0 and 1.

    >>> import tinygrad_dl as td
    >>> td.nn.Dropout(0.5).eval()(td.ones(3))
    tensor([1., 1., 1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        self.p, self.inplace = probability(self, "p", p), inplace

    def forward(self, input: Any) -> Any:
        """The input, with elements dropped in training."""
        return dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
