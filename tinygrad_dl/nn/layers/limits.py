"""Activations as modules: those with straight pieces, and softmax."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.nn import functional
from tinygrad_dl.nn.module import Module

__all__ = [
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LogSoftmax",
    "ReLU6",
    "Softmax",
    "Softmin",
    "Softshrink",
    "Threshold",
]


class ReLU6(Module):
    """min(max(input, 0), 6).

    >>> import tinygrad_dl as td
    >>> td.nn.ReLU6()(td.tensor([-2.0, 1.0]))
    tensor([0., 1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ReLU6.html
    """

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        return functional.relu6(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Softshrink(Module):
    """input moved towards 0 by lambd, 0 within it.

    >>> import tinygrad_dl as td
    >>> td.nn.Softshrink()(td.tensor([-2.0, 1.0]))
    tensor([-1.5000,  0.5000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Softshrink.html
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

    >>> import tinygrad_dl as td
    >>> td.nn.Hardshrink()(td.tensor([-2.0, 1.0]))
    tensor([-2.,  1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardshrink.html
    """

    def __init__(self, lambd: float = 0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Any) -> Any:
        return functional.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardtanh(Module):
    """input, limited to between min_val and max_val.

    >>> import tinygrad_dl as td
    >>> td.nn.Hardtanh()(td.tensor([-2.0, 1.0]))
    tensor([-1.,  1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardtanh.html
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False):
        super().__init__()
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace

    def forward(self, input: Any) -> Any:
        return functional.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}" + (", inplace=True" if self.inplace else "")


class Hardsigmoid(Module):
    """min(max(input / 6 + 1 / 2, 0), 1).

    >>> import tinygrad_dl as td
    >>> td.nn.Hardsigmoid()(td.tensor([-2.0, 1.0]))
    tensor([0.1667, 0.6667])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardsigmoid.html
    """

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        return functional.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Hardswish(Module):
    """input * hardsigmoid(input).

    >>> import tinygrad_dl as td
    >>> td.nn.Hardswish()(td.tensor([-2.0, 1.0]))
    tensor([-0.3333,  0.6667])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardswish.html
    """

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        return functional.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Threshold(Module):
    """input where it is above threshold, else value.

    >>> import tinygrad_dl as td
    >>> td.nn.Threshold(0.0, 5.0)(td.tensor([-2.0, 1.0]))
    tensor([5., 1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Threshold.html
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def forward(self, input: Any) -> Any:
        return functional.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}" + (", inplace=True" if self.inplace else "")


class Softmax(Module):
    """exp(input) / sum(exp(input)) along dim.

    >>> import tinygrad_dl as td
    >>> td.nn.Softmax(dim=0)(td.tensor([-2.0, 1.0]))
    tensor([0.0474, 0.9526])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmax.html
    """

    def __init__(self, dim: int | None = None):
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        return functional.softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmin(Module):
    """`Softmax` of -input.

    >>> import tinygrad_dl as td
    >>> td.nn.Softmin(dim=0)(td.tensor([-2.0, 1.0]))
    tensor([0.9526, 0.0474])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmin.html
    """

    def __init__(self, dim: int | None = None):
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        return functional.softmin(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of `Softmax`, finite where that rounds to 0.

    >>> import tinygrad_dl as td
    >>> td.nn.LogSoftmax(dim=0)(td.tensor([-2.0, 1.0]))
    tensor([-3.0486, -0.0486])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LogSoftmax.html
    """

    def __init__(self, dim: int | None = None):
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        return functional.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
