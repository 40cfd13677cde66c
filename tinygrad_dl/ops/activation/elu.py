"""elu, selu and celu: exponentials below zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.methods import inplace_form
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import one_of
from tinygrad_dl.ops._overload import alias, overload
from tinygrad_dl.ops.activation._common import finish
from tinygrad_dl.ops.activation.relu import KINK, ZERO, passed


def exponential_below(x: np.ndarray, alpha: float, width: float = 1.0) -> Any:
    """x above 0, alpha * (exp(x / width) - 1) below."""
    zero = ZERO[x.dtype] if type(x) is np.ndarray else 0
    below = np.minimum(x, zero)
    curve = np.expm1(below if width == 1 else below / width)
    if alpha != 1:
        curve = curve * alpha
    return curve + np.maximum(x, zero)


def exponential_slope(g: Any, x: Any, factor: float, width: float = 1.0) -> Any:
    """where(x > 0, g, g * factor * exp(x / width)); from x, since the result below 0 has lost the digits."""
    # Whose own slope at 0 is 0 and not that of a tie.
    below = np.minimum(x, 0) if type(x) is np.ndarray else np.where(x >= 0, x.dtype.type(0), x)
    curve = np.exp(below if width == 1 else below / width)
    return passed(g, x > 0, g * (curve if factor == 1 else curve * factor))


@op(
    kind="elementwise",
    name="elu",
    floating=True,
    namespace="functional",
    real=True,
    inputs={"input": KINK, "alpha": one_of(1.0, 0.5)},
    reference=lambda input, alpha=1.0: np.where(input > 0, input, alpha * (np.exp(np.minimum(input, 0)) - 1)),
)
def exponential_linear(input: Array, alpha: float = 1.0) -> Array:
    """`input` above 0, alpha * (exp(input) - 1) below."""
    return exponential_below(input, alpha)


exponential_linear.vjp(input=lambda g, input, alpha: exponential_slope(g, input, alpha))


@overload(exponential_linear)
@composition
def elu(input: Array, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`input` above 0, alpha * (exp(input) - 1) below.

    >>> td.nn.functional.elu(td.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return finish(input, exponential_linear(input, alpha), inplace, "elu")


# From G. Klambauer et al., "Self-Normalizing Neural Networks", https://arxiv.org/abs/1706.02515
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@op(
    kind="elementwise",
    name="selu",
    floating=True,
    real=True,
    inputs={"input": KINK},
    reference=lambda input: SELU_SCALE * np.where(input > 0, input, SELU_ALPHA * (np.exp(np.minimum(input, 0)) - 1)),
)
def scaled_elu(input: Array) -> Array:
    """scale * elu(input, alpha)."""
    return exponential_below(input, SELU_ALPHA) * SELU_SCALE


scaled_elu.vjp(input=lambda g, input: exponential_slope(g * SELU_SCALE, input, SELU_ALPHA))


@overload(scaled_elu)
@composition
def selu(input: Array, inplace: bool = False) -> Tensor:
    """scale * (`input` above 0, alpha * (exp(input) - 1) below), with the paper's two constants.

    >>> td.selu(td.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.selu.html
    """
    return finish(input, scaled_elu(input), inplace, "selu")


@op(
    kind="elementwise",
    name="celu",
    floating=True,
    real=True,
    inputs={"input": KINK, "alpha": one_of(1.0, 0.5)},
    reference=lambda input, alpha=1.0: np.where(input > 0, input, alpha * (np.exp(np.minimum(input, 0) / alpha) - 1)),
)
def smooth_elu(input: Array, alpha: float = 1.0) -> Array:
    """`input` above 0, alpha * (exp(input / alpha) - 1) below."""
    return exponential_below(input, alpha, alpha)


smooth_elu.vjp(input=lambda g, input, alpha: exponential_slope(g, input, 1.0, alpha))


@overload(smooth_elu)
@composition
def celu(input: Array, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`input` above 0, alpha * (exp(input / alpha) - 1) below.

    >>> td.celu(td.tensor([-1.0, 2.0]), alpha=2.0)
    tensor([-0.7869,  2.0000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.celu.html
    """
    return finish(input, smooth_elu(input, alpha), inplace, "celu")


alias("selu_", inplace_form(selu, "selu_"))
alias("celu_", inplace_form(celu, "celu_"))
