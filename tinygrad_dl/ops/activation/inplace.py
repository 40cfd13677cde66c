"""Activation functions that store their result in their input, by the names with `_` at the end."""

from __future__ import annotations

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.activation._common import finish
from tinygrad_dl.ops.activation.elu import celu, elu, selu
from tinygrad_dl.ops.activation.hard import hardtanh
from tinygrad_dl.ops.activation.relu import above, leaky_relu, relu
from tinygrad_dl.ops.activation.rrelu import rrelu


@composition
def relu_(input: Array) -> Tensor:
    """`relu`, stored in the tensor itself.

    >>> td.nn.functional.relu_(td.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return finish(input, relu(input), True, "relu_")


@composition
def elu_(input: Array, alpha: float = 1.0) -> Tensor:
    """`elu`, stored in the tensor itself.

    >>> td.nn.functional.elu_(td.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return finish(input, elu(input, alpha), True, "elu_")


@composition
def celu_(input: Array, alpha: float = 1.0) -> Tensor:
    """`celu`, stored in the tensor itself.

    >>> td.nn.functional.celu_(td.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return finish(input, celu(input, alpha), True, "celu_")


@composition
def selu_(input: Array) -> Tensor:
    """`selu`, stored in the tensor itself.

    >>> td.nn.functional.selu_(td.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    return finish(input, selu(input), True, "selu_")


@composition
def leaky_relu_(input: Array, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu`, stored in the tensor itself.

    >>> td.nn.functional.leaky_relu_(td.tensor([-1.0, 2.0]))
    tensor([-0.0100,  2.0000])
    """
    return finish(input, leaky_relu(input, negative_slope), True, "leaky_relu_")


@composition
def hardtanh_(input: Array, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh`, stored in the tensor itself.

    >>> td.nn.functional.hardtanh_(td.tensor([-1.0, 2.0]))
    tensor([-1.,  1.])
    """
    return finish(input, hardtanh(input, min_val, max_val), True, "hardtanh_")


@composition
def threshold_(input: Array, threshold: float, value: float) -> Tensor:
    """`threshold`, stored in the tensor itself.

    >>> td.nn.functional.threshold_(td.tensor([-1.0, 2.0]), 1.0, -5.0)
    tensor([-5.,  2.])
    """
    return finish(input, above(input, threshold, value), True, "threshold_")


@composition
def rrelu_(input: Array, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Tensor:
    """`rrelu`, stored in the tensor itself.

    >>> td.nn.functional.rrelu_(td.tensor([-1.0, 2.0]), 0.1, 0.3)
    tensor([-0.2000,  2.0000])
    """
    return finish(input, rrelu(input, lower, upper, training), True, "rrelu_")
