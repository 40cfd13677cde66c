"""Activation functions as modules."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.device import check_device
from tinygrad_dl.nn import functional, init
from tinygrad_dl.nn.checks import whole
from tinygrad_dl.nn.layers._families import WithOptions
from tinygrad_dl.nn.layers.linear import empty_parameter
from tinygrad_dl.nn.module import Module, member
from tinygrad_dl.nn.parameter import Parameter

# fmt: off
__all__ = [
    "CELU", "ELU", "GELU", "GLU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU",
    "LogSigmoid", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softplus", "Softshrink", "Softsign",
    "Tanh", "Tanhshrink", "Threshold",
]
# fmt: on


class ReLU(WithOptions):
    """max(input, 0).

    >>> td.nn.ReLU()(td.tensor([-2.0, 1.0]))
    tensor([0., 1.])
    """

    def __init__(self, inplace: bool = False):
        super().__init__(inplace=inplace)

    def forward(self, input: Any) -> Any:
        return functional.relu(input, self.inplace)


class LeakyReLU(WithOptions):
    """input where it is positive, else negative_slope * input.

    >>> td.nn.LeakyReLU()(td.tensor([-2.0, 1.0]))
    tensor([-0.0200,  1.0000])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        super().__init__(negative_slope=negative_slope, inplace=inplace)

    def forward(self, input: Any) -> Any:
        return functional.leaky_relu(input, self.negative_slope, self.inplace)


class ELU(WithOptions):
    """input where it is positive, else alpha * (exp(input) - 1).

    >>> td.nn.ELU()(td.tensor([-2.0, 1.0]))
    tensor([-0.8647,  1.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__(alpha=alpha, inplace=inplace)

    def forward(self, input: Any) -> Any:
        return functional.elu(input, self.alpha, self.inplace)


class SELU(WithOptions):
    """`ELU` scaled so that normal inputs stay normal (Klambauer et al., 2017).

    >>> td.nn.SELU()(td.tensor([-2.0, 1.0]))
    tensor([-1.5202,  1.0507])
    """

    def __init__(self, inplace: bool = False):
        super().__init__(inplace=inplace)

    def forward(self, input: Any) -> Any:
        return functional.selu(input, self.inplace)


class CELU(WithOptions):
    """max(input, 0) + min(alpha * (exp(input / alpha) - 1), 0).

    >>> td.nn.CELU()(td.tensor([-2.0, 1.0]))
    tensor([-0.8647,  1.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__(alpha=alpha, inplace=inplace)

    def forward(self, input: Any) -> Any:
        return functional.celu(input, self.alpha, self.inplace)


class GELU(WithOptions):
    """input times the normal distribution function; approximate="tanh" for the formula with tanh.

    >>> td.nn.GELU()(td.tensor([-2.0, 1.0]))
    tensor([-0.0455,  0.8413])
    """

    def __init__(self, approximate: str = "none"):
        super().__init__(approximate=approximate)

    def forward(self, input: Any) -> Any:
        return functional.gelu(input, self.approximate)


class SiLU(WithOptions):
    """input * sigmoid(input).

    >>> td.nn.SiLU()(td.tensor([-2.0, 1.0]))
    tensor([-0.2384,  0.7311])
    """

    def __init__(self, inplace: bool = False):
        super().__init__(inplace=inplace)

    def forward(self, input: Any) -> Any:
        return functional.silu(input, self.inplace)


class Mish(WithOptions):
    """input * tanh(softplus(input)).

    >>> td.nn.Mish()(td.tensor([-2.0, 1.0]))
    tensor([-0.2525,  0.8651])
    """

    def __init__(self, inplace: bool = False):
        super().__init__(inplace=inplace)

    def forward(self, input: Any) -> Any:
        return functional.mish(input, self.inplace)


class Sigmoid(Module):
    """1 / (1 + exp(-input)).

    >>> td.nn.Sigmoid()(td.tensor([-2.0, 1.0]))
    tensor([0.1192, 0.7311])
    """

    def forward(self, input: Any) -> Any:
        return functional.sigmoid(input)


class LogSigmoid(Module):
    """log(sigmoid(input)).

    >>> td.nn.LogSigmoid()(td.tensor([-2.0, 1.0]))
    tensor([-2.1269, -0.3133])
    """

    def forward(self, input: Any) -> Any:
        return functional.logsigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent.

    >>> td.nn.Tanh()(td.tensor([-2.0, 1.0]))
    tensor([-0.9640,  0.7616])
    """

    def forward(self, input: Any) -> Any:
        return functional.tanh(input)


class Tanhshrink(Module):
    """input - tanh(input).

    >>> td.nn.Tanhshrink()(td.tensor([-2.0, 1.0]))
    tensor([-1.0360,  0.2384])
    """

    def forward(self, input: Any) -> Any:
        return functional.tanhshrink(input)


class Softplus(WithOptions):
    """log(1 + exp(beta * input)) / beta; the input itself where beta * input is above threshold.

    >>> td.nn.Softplus()(td.tensor([-2.0, 1.0]))
    tensor([0.1269, 1.3133])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__(beta=beta, threshold=threshold)

    def forward(self, input: Any) -> Any:
        return functional.softplus(input, self.beta, self.threshold)


class Softsign(Module):
    """input / (1 + |input|).

    >>> td.nn.Softsign()(td.tensor([-2.0, 1.0]))
    tensor([-0.6667,  0.5000])
    """

    def forward(self, input: Any) -> Any:
        return functional.softsign(input)


class GLU(WithOptions):
    """The first half along dim times the sigmoid of the second half.

    >>> td.nn.GLU()(td.tensor([-2.0, 1.0]))
    tensor([-1.4621])
    """

    def __init__(self, dim: int = -1):
        super().__init__(dim=dim)

    def forward(self, input: Any) -> Any:
        return functional.glu(input, self.dim)


class PReLU(Module):
    """input where it is positive, else weight * input, with a learned weight for all or for each channel.

    Args:
        num_parameters: 1, or the number of channels (dimension 1).
        init: the weight to start from.

    >>> td.nn.PReLU()(td.tensor([-2.0, 1.0])).detach()
    tensor([-0.5000,  1.0000])
    """

    weight: Parameter

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None):
        super().__init__()
        check_device(device)
        self.num_parameters, self.init = whole(self, "num_parameters", num_parameters), init
        self.weight = empty_parameter((self.num_parameters,), dtype, device)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The start value everywhere."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Any) -> Any:
        return functional.prelu(input, member(self, "weight"))

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class RReLU(WithOptions):
    """input where it is positive, else slope * input; in training with random slopes between lower and upper.

    >>> td.nn.RReLU(0.1, 0.3).eval()(td.tensor([-2.0, 1.0]))
    tensor([-0.4000,  1.0000])
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False):
        super().__init__(lower=lower, upper=upper, inplace=inplace)

    def forward(self, input: Any) -> Any:
        return functional.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class Softshrink(Module):
    """input moved towards 0 by lambd, 0 within it.

    >>> td.nn.Softshrink()(td.tensor([-2.0, 1.0]))
    tensor([-1.5000,  0.5000])
    """

    def __init__(self, lambd: float = 0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Any) -> Any:
        return functional.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(Module):
    """input, 0 where it is within lambd of 0.

    >>> td.nn.Hardshrink()(td.tensor([-2.0, 1.0]))
    tensor([-2.,  1.])
    """

    def __init__(self, lambd: float = 0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Any) -> Any:
        return functional.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardtanh(WithOptions):
    """input, limited to between min_val and max_val.

    >>> td.nn.Hardtanh()(td.tensor([-2.0, 1.0]))
    tensor([-1.,  1.])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False):
        super().__init__(min_val=min_val, max_val=max_val, inplace=inplace)

    def forward(self, input: Any) -> Any:
        return functional.hardtanh(input, self.min_val, self.max_val, self.inplace)


class ReLU6(Hardtanh):
    """min(max(input, 0), 6).

    >>> td.nn.ReLU6()(td.tensor([-2.0, 1.0]))
    tensor([0., 1.])
    """

    def __init__(self, inplace: bool = False):
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Hardsigmoid(WithOptions):
    """min(max(input / 6 + 1 / 2, 0), 1).

    >>> td.nn.Hardsigmoid()(td.tensor([-2.0, 1.0]))
    tensor([0.1667, 0.6667])
    """

    def __init__(self, inplace: bool = False):
        super().__init__(inplace=inplace)

    def extra_repr(self) -> str:
        return ""

    def forward(self, input: Any) -> Any:
        return functional.hardsigmoid(input, self.inplace)


class Hardswish(WithOptions):
    """input * hardsigmoid(input).

    >>> td.nn.Hardswish()(td.tensor([-2.0, 1.0]))
    tensor([-0.3333,  0.6667])
    """

    def __init__(self, inplace: bool = False):
        super().__init__(inplace=inplace)

    def extra_repr(self) -> str:
        return ""

    def forward(self, input: Any) -> Any:
        return functional.hardswish(input, self.inplace)


class Threshold(WithOptions):
    """input where it is above threshold, else value.

    >>> td.nn.Threshold(0.0, 5.0)(td.tensor([-2.0, 1.0]))
    tensor([5., 1.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        super().__init__(threshold=threshold, value=value, inplace=inplace)

    def forward(self, input: Any) -> Any:
        return functional.threshold(input, self.threshold, self.value, self.inplace)
