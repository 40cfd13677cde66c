"""Activation functions made of pieces: leaky relu, elu and its kin, the hard and the shrinking ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.methods import inplace_form
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._overload import alias, overload
from tinygrad_dl.ops.activation.smooth import ZERO, finish, sigmoid
from tinygrad_dl.ops.pointwise.extremes import keep, select, straight

KINK = real(avoid=(0.0,))


def passed(g: Any, condition: Any, otherwise: Any) -> Any:
    """`g` where the condition holds, `otherwise` elsewhere."""
    both = type(g) is np.ndarray and type(condition) is np.ndarray and type(otherwise) is np.ndarray
    return select(condition, g, otherwise) if both else np.where(condition, g, otherwise)


# -- leaky relu --------------------------------------------------------------------------------------


@op(
    name="leaky_relu",
    method=False,
    floating=True,
    namespace="functional",
    real=True,
    inputs={"input": KINK, "negative_slope": one_of(0.01, 0.2, 1.5)},
    reference=lambda input, negative_slope=0.01: np.where(input > 0, input, negative_slope * input),
)
def leaky(input: Array, negative_slope: float = 0.01) -> Array:
    """`input` where it is positive, negative_slope * input elsewhere."""
    if negative_slope == 0:  # an infinity times 0 is nan
        return select(input > 0, input, np.minimum(input, ZERO[input.dtype]) * negative_slope)
    return (np.maximum if negative_slope <= 1 else np.minimum)(input, input * negative_slope)


leaky.vjp(input=lambda g, input, negative_slope: straight(passed(g, input > 0, g * negative_slope), input))


@overload(leaky, method=False)
@composition
def leaky_relu(input: Array, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """`input` where it is positive, negative_slope * input elsewhere.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.leaky_relu(td.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1000,  2.0000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.leaky_relu.html
    """
    return finish(input, leaky(input, negative_slope), inplace, "leaky_relu")


def by_channel(weight: Any, shape: tuple[int, ...]) -> Any:
    """A weight in the shape that broadcasts over the channels, which are dimension 1, of a tensor of this shape."""
    count, channels = math.prod(weight.shape), shape[1] if len(shape) > 1 else 1
    if weight.ndim > 1 or count not in (1, channels):
        raise ValueError(
            f"expected a weight of 1 element or one for each of {channels} channels (dimension 1), got shape "
            f"{weight.shape}"
        )
    return weight.reshape(() if count == 1 else (count,) + (1,) * (len(shape) - 2))


@op(
    floating=True,
    promote=True,
    real=True,
    inputs=[
        {"input": real(shape="n c", avoid=(0.0,)), "weight": real(shape="c")},
        {"input": real(shape="n c m", avoid=(0.0,)), "weight": real(shape="c")},
        {"input": KINK, "weight": real(shape="1")},
    ],
    errors=[error(ValueError, "one for each of 3 channels", array(2, 3), array(2))],
    reference=lambda input, weight: np.where(
        input > 0, input, input * weight.reshape((-1,) + (1,) * max(0, input.ndim - 2))
    ).reshape(input.shape),
)
def prelu(input: Array, weight: Array) -> Array:
    """`input` where it is positive, weight * input elsewhere; `weight` has one element, or one a channel (dim 1).

    Raises:
        ValueError: `weight` has neither.

    >>> import tinygrad_dl as td
    >>> td.prelu(td.tensor([-1.0, 2.0]), td.tensor([0.25]))
    tensor([-0.2500,  2.0000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.prelu.html
    """
    return np.where(input > 0, input, input * by_channel(weight, input.shape))


def prelu_slope(g: Any, input: Any, weight: Any) -> Any:
    """g above 0, g * weight elsewhere; at 0, where two pieces meet, the slope does not change with the weight."""
    slope = by_channel(weight, input.shape)
    if type(slope) is not np.ndarray:
        slope = np.where(input == 0, slope.detach(), slope)
    return passed(g, input > 0, g * slope)


def prelu_weight_slope(g: Any, input: Any, weight_shape: tuple[int, ...]) -> Any:
    """g * input where the input is negative, summed to the weight's shape."""
    part = keep(g * input, ~(input >= 0))
    if math.prod(weight_shape) == 1:
        return np.sum(part).reshape(weight_shape)
    return np.sum(part, axis=(0, *range(2, part.ndim)))


prelu.vjp(
    input=lambda g, input, weight: straight(prelu_slope(g, input, weight), input),
    weight=prelu_weight_slope,
)


# -- elu and its kin ---------------------------------------------------------------------------------


def exponential_below(x: np.ndarray, alpha: float, width: float = 1.0) -> Any:
    """x above 0, alpha * (exp(x / width) - 1) below."""
    below = np.minimum(x, ZERO[x.dtype])
    curve = np.expm1(below if width == 1 else below / width)
    if alpha != 1:
        curve = curve * alpha
    return curve + np.maximum(x, ZERO[x.dtype])


def exponential_slope(g: Any, x: Any, factor: float, width: float = 1.0) -> Any:
    """g above 0, g * factor * exp(x / width) below: from x, since the result there has lost the digits."""
    # Whose own slope at 0 is 0 and not that of a tie.
    below = np.minimum(x, 0) if type(x) is np.ndarray else np.where(x >= 0, np.zeros((), x.dtype), x)
    curve = np.exp(below if width == 1 else below / width)
    return passed(g, x > 0, g * (curve if factor == 1 else curve * factor))


@op(
    name="elu",
    method=False,
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


@overload(exponential_linear, method=False)
@composition
def elu(input: Array, alpha: float = 1.0, inplace: bool = False) -> Any:
    """`input` above 0, alpha * (exp(input) - 1) below.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.elu(td.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.elu.html
    """
    return finish(input, exponential_linear(input, alpha), inplace, "elu")


# From G. Klambauer et al., "Self-Normalizing Neural Networks", https://arxiv.org/abs/1706.02515
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@op(
    name="selu",
    method=False,
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
def selu(input: Array, inplace: bool = False) -> Any:
    """scale * (`input` above 0, alpha * (exp(input) - 1) below), with the paper's two constants.

    >>> import tinygrad_dl as td
    >>> td.selu(td.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.selu.html
    """
    return finish(input, scaled_elu(input), inplace, "selu")


@op(
    name="celu",
    method=False,
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
def celu(input: Array, alpha: float = 1.0, inplace: bool = False) -> Any:
    """`input` above 0, alpha * (exp(input / alpha) - 1) below.

    >>> import tinygrad_dl as td
    >>> td.celu(td.tensor([-1.0, 2.0]), alpha=2.0)
    tensor([-0.7869,  2.0000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.celu.html
    """
    return finish(input, smooth_elu(input, alpha), inplace, "celu")


alias("selu_", inplace_form(selu, "selu_"))
alias("celu_", inplace_form(celu, "celu_"))


@composition
def glu(input: Array, dim: int = -1) -> Any:
    """The first half along a dimension, times the sigmoid of the second.

    Raises:
        ValueError: the dimension's size is odd.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.glu(td.tensor([2.0, 0.0]))
    tensor([1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.glu.html
    """
    size = input.shape[dim]
    if size % 2:
        raise ValueError(f"glu: expected an even size to halve, got {size} in dimension {dim} of {input.shape}")
    front = (slice(None),) * (dim % input.ndim)
    return input[(*front, slice(size // 2))] * sigmoid(input[(*front, slice(size // 2, None))])
