"""Patches of images as columns, and back."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.nn.module import Module
from tinygrad_dl.ops.convolution.fold import fold, unfold

__all__ = ["Fold", "Unfold"]


class Unfold(Module):
    """The patches of images as columns: (N, C, H, W) gives (N, C * kernel elements, patches); see `functional.unfold`.

    >>> import tinygrad_dl as td
    >>> td.nn.Unfold(kernel_size=(2, 3))(td.ones(1, 3, 4, 5)).shape
    (1, 18, 9)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Unfold.html
    """

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1):
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Any) -> Any:
        """The patches as columns."""
        return unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """Columns added up into images: (N, C * kernel elements, patches) gives (N, C, *output_size).

    >>> import tinygrad_dl as td
    >>> td.nn.Fold(output_size=(4, 5), kernel_size=(2, 2))(td.ones(1, 12, 12)).shape
    (1, 3, 4, 5)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Fold.html
    """

    def __init__(self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1):
        super().__init__()
        self.output_size = output_size
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Any) -> Any:
        """The columns added up."""
        return fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )
