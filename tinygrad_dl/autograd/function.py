"""`torch.autograd.function`: the class of hand-written operations and what belongs to it, under PyTorch's names."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.function import Context as FunctionCtx
from tinygrad_dl.core.function import Function, once_differentiable

__all__ = ["Function", "FunctionCtx", "InplaceFunction", "once_differentiable"]


class InplaceFunction(Function):
    """A `Function` that older code derives from if its forward changes an argument in place; adds nothing to it.

    Args:
        inplace: kept as an attribute.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.function.InplaceFunction.html
    """

    def __init__(self, inplace: bool = False):
        self.inplace: Any = inplace
