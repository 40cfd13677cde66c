"""Softmax as modules."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.nn import functional
from tinygrad_dl.nn.layers._families import WithOptions
from tinygrad_dl.nn.module import Module

__all__ = ["LogSoftmax", "Softmax", "Softmax2d", "Softmin"]


class Softmax(WithOptions):
    """exp(input) / sum(exp(input)) along dim.

    >>> td.nn.Softmax(dim=0)(td.tensor([-2.0, 1.0]))
    tensor([0.0474, 0.9526])
    """

    def __init__(self, dim: int | None = None):
        super().__init__(dim=dim)

    def forward(self, input: Any) -> Any:
        return functional.softmax(input, self.dim)


class Softmax2d(Module):
    """`Softmax` over the channels at each place of images: (N, C, H, W) or (C, H, W).

    Raises:
        ValueError: the input has other dimensions.

    >>> td.nn.Softmax2d()(td.zeros(1, 4, 1, 1)).flatten()
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    def forward(self, input: Any) -> Any:
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected an input of shape (N, C, H, W) or (C, H, W), got {input.shape}")
        return functional.softmax(input, -3)


class Softmin(WithOptions):
    """`Softmax` of -input.

    >>> td.nn.Softmin(dim=0)(td.tensor([-2.0, 1.0]))
    tensor([0.9526, 0.0474])
    """

    def __init__(self, dim: int | None = None):
        super().__init__(dim=dim)

    def forward(self, input: Any) -> Any:
        return functional.softmin(input, self.dim)


class LogSoftmax(WithOptions):
    """The logarithm of `Softmax`, finite where that rounds to 0.

    >>> td.nn.LogSoftmax(dim=0)(td.tensor([-2.0, 1.0]))
    tensor([-3.0486, -0.0486])
    """

    def __init__(self, dim: int | None = None):
        super().__init__(dim=dim)

    def forward(self, input: Any) -> Any:
        return functional.log_softmax(input, self.dim)
