"""`torch.ao.quantization` where tensors have no few bits: models that are prepared for it run in their own dtype.

Source: https://docs.pytorch.org/docs/stable/quantization-support.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_dl import cat, matmul, relu
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn import Identity, Module

__all__ = ["DeQuantStub", "FloatFunctional", "QuantStub"]


class QuantStub(Module):
    """Where a quantised model would quantise: here its argument itself.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.ao.quantization.QuantStub.html
    """

    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()
        if qconfig:
            self.qconfig = qconfig

    def forward(self, x: Any) -> Any:
        """The argument."""
        return x


class DeQuantStub(QuantStub):
    """Where a quantised model would return to floating point: here its argument itself.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.ao.quantization.DeQuantStub.html
    """


class FloatFunctional(Module):
    """Operations of two tensors as methods of a module, which a quantised model would exchange.

    >>> from tinygrad_dl.torch.quantization import FloatFunctional
    >>> FloatFunctional().add_relu(td.tensor([1.0, -3.0]), td.tensor([1.0, 1.0]))
    tensor([2., 0.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.ao.nn.quantized.FloatFunctional.html
    """

    def __init__(self) -> None:
        super().__init__()
        self.activation_post_process = Identity()

    def forward(self, x: Any) -> Any:
        """Raises a RuntimeError: call one of the operations."""
        raise RuntimeError("FloatFunctional: got a call, expected one of its operations: add, mul, cat, ...")

    def add(self, x: Tensor, y: Tensor | float) -> Tensor:
        """x + y."""
        result: Tensor = self.activation_post_process(x + y)
        return result

    def mul(self, x: Tensor, y: Tensor | float) -> Tensor:
        """x * y."""
        result: Tensor = self.activation_post_process(x * y)
        return result

    add_scalar, mul_scalar = add, mul

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        """x @ y."""
        result: Tensor = self.activation_post_process(matmul(x, y))
        return result

    def cat(self, x: Sequence[Tensor], dim: int = 0) -> Tensor:
        """The tensors one after the other."""
        result: Tensor = self.activation_post_process(cat(x, dim))
        return result

    def add_relu(self, x: Tensor, y: Tensor) -> Tensor:
        """relu(x + y)."""
        result: Tensor = self.activation_post_process(relu(x + y))
        return result
