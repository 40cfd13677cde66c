"""Trigonometric functions and their inverses, elementwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import broadcasting, real
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops.comparison.elementwise import MISFIT
from tinygrad_dl.ops.pointwise.exponential import ANY


@op(np.sin, kind="elementwise", floating=True, inplace=True, inputs=ANY)
def sin(input: Array) -> Array:
    """The sine.

    >>> td.sin(td.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8415])
    """


sin.vjp(input=lambda g, input: g * np.cos(input))


@op(np.cos, kind="elementwise", floating=True, inplace=True, inputs=ANY)
def cos(input: Array) -> Array:
    """The cosine.

    >>> td.cos(td.tensor([0.0, 1.0]))
    tensor([1.0000, 0.5403])
    """


cos.vjp(input=lambda g, input: np.negative(g * np.sin(input)))


@op(np.tan, kind="elementwise", floating=True, inplace=True, inputs={"input": real(-1.2, 1.2)})
def tan(input: Array) -> Array:
    """The tangent.

    >>> td.tan(td.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5574])
    """


tan.vjp(input=lambda g, out: g * (out * out + 1))


@op(np.arcsin, kind="elementwise", floating=True, inplace=True, inputs={"input": real(-0.9, 0.9)})
def asin(input: Array) -> Array:
    """The angle with this sine, between -pi/2 and pi/2.

    >>> td.asin(td.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5708])
    """


asin.vjp(input=lambda g, input: g / np.sqrt(1 - input * input))


@op(np.arccos, kind="elementwise", floating=True, inplace=True, inputs={"input": real(-0.9, 0.9)})
def acos(input: Array) -> Array:
    """The angle with this cosine, between 0 and pi.

    >>> td.acos(td.tensor([0.0, 1.0]))
    tensor([1.5708, 0.0000])
    """


acos.vjp(input=lambda g, input: np.negative(g / np.sqrt(1 - input * input)))


@op(np.arctan, kind="elementwise", floating=True, inplace=True, inputs=ANY)
def atan(input: Array) -> Array:
    """The angle with this tangent, between -pi/2 and pi/2.

    >>> td.atan(td.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7854])
    """


atan.vjp(input=lambda g, input: g / (input * input + 1))


@op(
    np.arctan2,
    kind="elementwise",
    floating=True,
    inplace=True,
    inputs=broadcasting(real(0.3, 3.0), real()),
    errors=MISFIT,
)
def atan2(input: Array, other: Array) -> Array:
    """The angle of the point (x=other, y=input), between -pi and pi; its gradient at the origin is 0.

    >>> td.atan2(td.tensor([1.0, 0.0]), td.tensor([0.0, -1.0]))
    tensor([1.5708, 3.1416])
    """


def turn(g: Any, along: Any, across: Any) -> Any:
    """along / (along**2 + across**2), whose squares would overflow; 0 at the origin."""
    radius = np.hypot(along, across)
    radius = np.where(radius == 0, 1.0, radius)
    return g * (along / radius / radius)


atan2.vjp(
    input=lambda g, input, other: turn(g, other, input),
    other=lambda g, input, other: np.negative(turn(g, input, other)),
)


@op(
    np.hypot,
    kind="elementwise",
    floating=True,
    inplace=True,
    inputs=broadcasting(real(0.3, 3.0), real()),
    errors=MISFIT,
)
def hypot(input: Array, other: Array) -> Array:
    """sqrt(input**2 + other**2), without overflow; its gradient at the origin is 0.

    >>> td.hypot(td.tensor([3.0]), td.tensor([4.0]))
    tensor([5.])
    """


hypot.vjp(
    input=lambda g, out, input: g * (input / np.where(out == 0, 1.0, out)),
    other=lambda g, out, other: g * (other / np.where(out == 0, 1.0, out)),
)

arcsin = alias("arcsin", asin, inplace=True)
arccos = alias("arccos", acos, inplace=True)
arctan = alias("arctan", atan, inplace=True)
arctan2 = alias("arctan2", atan2, inplace=True)
