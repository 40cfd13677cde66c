"""Hyperbolic functions and their inverses, elementwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import real
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops.pointwise.exponential import ANY


@op(np.sinh, kind="elementwise", floating=True, inplace=True, inputs=ANY)
def sinh(input: Array) -> Array:
    """The hyperbolic sine.

    >>> td.sinh(td.tensor([0.0, 1.0]))
    tensor([0.0000, 1.1752])
    """


sinh.vjp(input=lambda g, input: g * np.cosh(input))


@op(np.cosh, kind="elementwise", floating=True, inplace=True, inputs=ANY)
def cosh(input: Array) -> Array:
    """The hyperbolic cosine.

    >>> td.cosh(td.tensor([0.0, 1.0]))
    tensor([1.0000, 1.5431])
    """


cosh.vjp(input=lambda g, input: g * np.sinh(input))


@op(np.tanh, kind="elementwise", floating=True, inplace=True, inputs=ANY)
def tanh(input: Array) -> Array:
    """The hyperbolic tangent, between -1 and 1.

    >>> td.tanh(td.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """


tanh.vjp(input=lambda g, out: g * (1 - out * out))


@op(np.arcsinh, kind="elementwise", floating=True, inplace=True, inputs=ANY)
def asinh(input: Array) -> Array:
    """The inverse of sinh.

    >>> td.asinh(td.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8814])
    """


asinh.vjp(input=lambda g, input: g / np.sqrt(input * input + 1))


@op(np.arccosh, kind="elementwise", floating=True, inplace=True, inputs={"input": real(1.3, 4.0)})
def acosh(input: Array) -> Array:
    """The inverse of cosh.

    >>> td.acosh(td.tensor([1.0, 2.0]))
    tensor([0.0000, 1.3170])
    """


def acosh_slope(g: Any, input: Any) -> Any:
    """g / sqrt(input**2 - 1), in two factors where the root of a product has another sign than the product of roots."""
    below, above = input - 1, input + 1
    return g / (
        np.sqrt(below) * np.sqrt(above) if input.dtype.kind == "c" else np.sqrt(below * above + 0.0)
    )  # of a zero without a sign


acosh.vjp(input=acosh_slope)


@op(np.arctanh, kind="elementwise", floating=True, inplace=True, inputs={"input": real(-0.8, 0.8)})
def atanh(input: Array) -> Array:
    """The inverse of tanh.

    >>> td.atanh(td.tensor([0.0, 0.5]))
    tensor([0.0000, 0.5493])
    """


atanh.vjp(input=lambda g, input: g / (1 - input * input))

arcsinh = alias("arcsinh", asinh, inplace=True)
arccosh = alias("arccosh", acosh, inplace=True)
arctanh = alias("arctanh", atanh, inplace=True)
