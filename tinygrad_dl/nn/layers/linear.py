"""Linear layers."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_dl.core import dtypes, promotion
from tinygrad_dl.core.device import check_device, module_for, on
from tinygrad_dl.nn import init
from tinygrad_dl.nn.checks import whole
from tinygrad_dl.nn.module import Module
from tinygrad_dl.nn.parameter import Parameter
from tinygrad_dl.ops.linear.bilinear import bilinear
from tinygrad_dl.ops.linear.linear import linear

__all__ = ["Bilinear", "Identity", "Linear"]


def empty_parameter(shape: tuple[int, ...], dtype: Any = None, device: Any = None) -> Parameter:
    """A parameter that is yet to be initialised."""
    found = promotion.default.dtype if dtype is None else dtypes.as_dtype(dtype)
    with on(device):
        return Parameter(module_for(device).empty(shape, found))


class Linear(Module):
    """input @ weight.T + bias: (..., in_features) gives (..., out_features).

    The weight, (out_features, in_features), and the bias, (out_features,), start uniform in
    +-1 / sqrt(in_features).

    Raises:
        ValueError, TypeError: a size is negative or no integer; the input has another width.

    >>> layer = td.nn.Linear(3, 2)
    >>> layer(td.ones(5, 3)).shape
    (5, 2)
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__()
        check_device(device)
        self.in_features = whole(self, "in_features", in_features)
        self.out_features = whole(self, "out_features", out_features)
        self.weight = empty_parameter((self.out_features, self.in_features), dtype, device)
        self.register_parameter("bias", empty_parameter((self.out_features,), dtype, device) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the weight and bias anew."""
        if self.weight.numel():
            init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None and self.in_features:
            bound = 1 / math.sqrt(self.in_features)
            init.uniform_(self.bias, -bound, bound)
        elif self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Any) -> Any:
        """input @ weight.T + bias."""
        own = self._parameters
        try:  # faster than self.weight
            weight, bias = own["weight"], own["bias"]
        except KeyError:  # something else stands under the name: a computed weight, a property
            weight, bias = self.weight, self.bias
        return linear(input, weight, bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """input1 @ weight[k] @ input2 + bias[k] for each output k.

    The weight is (out_features, in1_features, in2_features).

    >>> td.nn.Bilinear(2, 3, 4)(td.ones(5, 2), td.ones(5, 3)).shape
    (5, 4)
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        check_device(device)
        self.in1_features = whole(self, "in1_features", in1_features, 1)
        self.in2_features = whole(self, "in2_features", in2_features, 1)
        self.out_features = whole(self, "out_features", out_features)
        self.weight = empty_parameter((self.out_features, self.in1_features, self.in2_features), dtype, device)
        self.register_parameter("bias", empty_parameter((self.out_features,), dtype, device) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the weight and bias anew, uniform in +-1 / sqrt(in1_features)."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Any, input2: Any) -> Any:
        """The bilinear form of each pair of rows."""
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class NonDynamicallyQuantizableLinear(Linear):
    """The `Linear` that `MultiheadAttention` projects by, under the name that PyTorch's printed models show."""


class Identity(Module):
    """Returns its input; takes any arguments, so that it can stand for any layer.

    >>> td.nn.Identity()(td.ones(1))
    tensor([1.])
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, input: Any) -> Any:
        """The input."""
        return input
