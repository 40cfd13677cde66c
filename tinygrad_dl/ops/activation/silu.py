"""silu and mish: the input times a smooth gate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.blocks import blockwise, is_large
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops._owned import add_, mul_
from tinygrad_dl.ops.activation._common import finish
from tinygrad_dl.ops.activation.sigmoid import logistic, logistic_into, sigmoid
from tinygrad_dl.ops.activation.softplus import softplus
from tinygrad_dl.ops.pointwise._selection import LARGE

# Beyond it the factors of x in silu, mish and their slopes are exactly 0 or 1: cutting x off here changes no
# result, and keeps inf * 0 out of them.
FAR = 1e4


def near(x: Any) -> Any:
    """The values cut off where nothing changes any more."""
    if type(x) is np.ndarray and x.size >= LARGE:
        return x.clip(-FAR, FAR)  # on large arrays clip is three times as fast as maximum
    return np.minimum(np.maximum(x, -FAR), FAR)


def gated(input: np.ndarray, gate: np.ndarray) -> Any:
    """input * gate, where gate is 0 far below zero."""
    out = input.clip(-FAR, math.inf) if input.size >= LARGE else np.maximum(input, -FAR)
    return mul_(out, gate)


@op(
    kind="elementwise",
    name="silu",
    floating=True,
    changeable=True,
    namespace="functional",
    aux={"gate": lambda input: sigmoid(input)},
    reference=lambda input: input / (1 + np.exp(-input)),
)
def swish(input: Array) -> Array:
    """input * sigmoid(input)."""
    if input.size >= LARGE and is_large(input):
        with np.errstate(over="ignore"):
            return blockwise(_swish_into, input, results=2)
    gate = logistic(input)
    return gated(input, gate), gate


def _swish_into(out: np.ndarray, gate: np.ndarray, x: np.ndarray) -> None:
    logistic_into(gate, x)
    x.clip(-FAR, math.inf, out=out)
    out *= gate


def swish_slope(g: Any, out: Any, gate: Any) -> Any:
    """g * (gate + out * (1 - gate)); gate = sigmoid(input)."""
    if type(g) is np.ndarray and g.size >= LARGE and all(is_large(x) and x.dtype == g.dtype for x in (g, out, gate)):
        return blockwise(_swish_slope_into, g, out, gate)[0]
    return mul_(add_(mul_(1 - gate, near(out)), gate), g)


def _swish_slope_into(slope: np.ndarray, g: np.ndarray, out: np.ndarray, gate: np.ndarray) -> None:
    out.clip(-FAR, FAR, out=slope)
    slope *= 1 - gate
    slope += gate
    slope *= g


swish.vjp(input=swish_slope)


@overload(swish)
@composition
def silu(input: Array, inplace: bool = False) -> Tensor:
    """input * sigmoid(input), also called swish.

    >>> td.nn.functional.silu(td.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.2689,  0.0000,  0.7311])
    """
    return finish(input, swish(input), inplace, "silu")


def tanh_softplus(x: np.ndarray) -> Any:
    """tanh(log(1 + e)) with e = exp(x), which is n / (n + 2) with n = e * (e + 2). From 20 on it is 1."""
    e = np.exp(np.minimum(x, 20))
    n = e * (e + 2)
    return n / (n + 2)


@op(
    kind="elementwise",
    name="mish",
    floating=True,
    namespace="functional",
    aux={"gate": lambda input: np.tanh(softplus(input))},
    real=True,
    reference=lambda input: input * np.tanh(np.log1p(np.exp(input))),
)
def smooth_mish(input: Array) -> Array:
    """input * tanh(softplus(input))."""
    gate = tanh_softplus(input)
    return gated(input, gate), gate


def mish_slope(g: Any, input: Any, gate: Any) -> Any:
    """g * (t + input * (1 - t**2) * sigmoid(input)) with t = tanh(softplus(input))."""
    input = near(input)
    return g * (gate + input * (1 - gate * gate) * sigmoid.generic(input))


smooth_mish.vjp(input=mish_slope)


@overload(smooth_mish)
@composition
def mish(input: Array, inplace: bool = False) -> Tensor:
    """input * tanh(softplus(input)).

    >>> td.nn.functional.mish(td.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.3034,  0.0000,  0.8651])
    """
    return finish(input, smooth_mish(input), inplace, "mish")
