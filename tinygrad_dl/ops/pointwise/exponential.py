"""Exponentials, logarithms, trigonometry and the error function: functions of one number, elementwise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import broadcasting, real
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops.comparison.elementwise import MISFIT
from tinygrad_dl.ops.pointwise._error_function import erf_of, erfc_of

ANY = {"input": real()}
POSITIVE = {"input": real(0.2, 3.0)}


@op(np.exp, floating=True, inplace=True, inputs=ANY)
def exp(input: Array) -> Array:
    """e ** input.

    >>> import tinygrad_dl as td
    >>> td.exp(td.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.exp.html
    """


exp.vjp(input=lambda g, out: g * out)


@op(np.exp2, floating=True, inplace=True, inputs=ANY)
def exp2(input: Array) -> Array:
    """2 ** input.

    >>> import tinygrad_dl as td
    >>> td.exp2(td.tensor([0.0, 3.0]))
    tensor([1., 8.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.exp2.html
    """


exp2.vjp(input=lambda g, out: g * (out * math.log(2)))


@op(np.expm1, floating=True, inplace=True, inputs=ANY)
def expm1(input: Array) -> Array:
    """e ** input - 1, exact near 0 too.

    >>> import tinygrad_dl as td
    >>> td.expm1(td.tensor([0.0, 1e-10]))
    tensor([0.0000e+00, 1.0000e-10])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.expm1.html
    """


expm1.vjp(input=lambda g, out: g * (out + 1))


@op(np.log, floating=True, inplace=True, inputs=POSITIVE)
def log(input: Array) -> Array:
    """The natural logarithm.

    >>> import tinygrad_dl as td
    >>> td.log(td.tensor([1.0, 2.0]))
    tensor([0.0000, 0.6931])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.log.html
    """


log.vjp(input=lambda g, input: g / input)


@op(np.log2, floating=True, inplace=True, inputs=POSITIVE)
def log2(input: Array) -> Array:
    """The logarithm to base 2.

    >>> import tinygrad_dl as td
    >>> td.log2(td.tensor([1.0, 8.0]))
    tensor([0., 3.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.log2.html
    """


log2.vjp(input=lambda g, input: g / (input * math.log(2)))


@op(np.log10, floating=True, inplace=True, inputs=POSITIVE)
def log10(input: Array) -> Array:
    """The logarithm to base 10.

    >>> import tinygrad_dl as td
    >>> td.log10(td.tensor([1.0, 50.0]))
    tensor([0.0000, 1.6990])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.log10.html
    """


log10.vjp(input=lambda g, input: g / (input * math.log(10)))


@op(np.log1p, floating=True, inplace=True, inputs={"input": real(-0.7, 3.0)})
def log1p(input: Array) -> Array:
    """log(1 + input), exact near 0 too.

    >>> import tinygrad_dl as td
    >>> td.log1p(td.tensor([0.0, 1e-10]))
    tensor([0.0000e+00, 1.0000e-10])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.log1p.html
    """


log1p.vjp(input=lambda g, input: g / (input + 1))


@op(np.sin, floating=True, inplace=True, inputs=ANY)
def sin(input: Array) -> Array:
    """The sine.

    >>> import tinygrad_dl as td
    >>> td.sin(td.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8415])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.sin.html
    """


sin.vjp(input=lambda g, input: g * np.cos(input))


@op(np.cos, floating=True, inplace=True, inputs=ANY)
def cos(input: Array) -> Array:
    """The cosine.

    >>> import tinygrad_dl as td
    >>> td.cos(td.tensor([0.0, 1.0]))
    tensor([1.0000, 0.5403])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.cos.html
    """


cos.vjp(input=lambda g, input: np.negative(g * np.sin(input)))


@op(np.tan, floating=True, inplace=True, inputs={"input": real(-1.2, 1.2)})
def tan(input: Array) -> Array:
    """The tangent.

    >>> import tinygrad_dl as td
    >>> td.tan(td.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5574])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.tan.html
    """


tan.vjp(input=lambda g, out: g * (out * out + 1))


@op(np.arcsin, floating=True, inplace=True, inputs={"input": real(-0.9, 0.9)})
def asin(input: Array) -> Array:
    """The angle with this sine, between -pi/2 and pi/2.

    >>> import tinygrad_dl as td
    >>> td.asin(td.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5708])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.asin.html
    """


asin.vjp(input=lambda g, input: g / np.sqrt(1 - input * input))


@op(np.arccos, floating=True, inplace=True, inputs={"input": real(-0.9, 0.9)})
def acos(input: Array) -> Array:
    """The angle with this cosine, between 0 and pi.

    >>> import tinygrad_dl as td
    >>> td.acos(td.tensor([0.0, 1.0]))
    tensor([1.5708, 0.0000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.acos.html
    """


acos.vjp(input=lambda g, input: np.negative(g / np.sqrt(1 - input * input)))


@op(np.arctan, floating=True, inplace=True, inputs=ANY)
def atan(input: Array) -> Array:
    """The angle with this tangent, between -pi/2 and pi/2.

    >>> import tinygrad_dl as td
    >>> td.atan(td.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7854])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.atan.html
    """


atan.vjp(input=lambda g, input: g / (input * input + 1))


@op(np.sinh, floating=True, inplace=True, inputs=ANY)
def sinh(input: Array) -> Array:
    """The hyperbolic sine.

    >>> import tinygrad_dl as td
    >>> td.sinh(td.tensor([0.0, 1.0]))
    tensor([0.0000, 1.1752])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.sinh.html
    """


sinh.vjp(input=lambda g, input: g * np.cosh(input))


@op(np.cosh, floating=True, inplace=True, inputs=ANY)
def cosh(input: Array) -> Array:
    """The hyperbolic cosine.

    >>> import tinygrad_dl as td
    >>> td.cosh(td.tensor([0.0, 1.0]))
    tensor([1.0000, 1.5431])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.cosh.html
    """


cosh.vjp(input=lambda g, input: g * np.sinh(input))


@op(np.tanh, floating=True, inplace=True, inputs=ANY)
def tanh(input: Array) -> Array:
    """The hyperbolic tangent, between -1 and 1.

    >>> import tinygrad_dl as td
    >>> td.tanh(td.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.tanh.html
    """


tanh.vjp(input=lambda g, out: g * (1 - out * out))


@op(np.arcsinh, floating=True, inplace=True, inputs=ANY)
def asinh(input: Array) -> Array:
    """The inverse of sinh.

    >>> import tinygrad_dl as td
    >>> td.asinh(td.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8814])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.asinh.html
    """


asinh.vjp(input=lambda g, input: g / np.sqrt(input * input + 1))


@op(np.arccosh, floating=True, inplace=True, inputs={"input": real(1.3, 4.0)})
def acosh(input: Array) -> Array:
    """The inverse of cosh.

    >>> import tinygrad_dl as td
    >>> td.acosh(td.tensor([1.0, 2.0]))
    tensor([0.0000, 1.3170])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.acosh.html
    """


def acosh_slope(g: Any, input: Any) -> Any:
    """g / sqrt(input**2 - 1), in two factors where the root of a product has another sign than the product of roots."""
    below, above = input - 1, input + 1
    return g / (
        np.sqrt(below) * np.sqrt(above) if input.dtype.kind == "c" else np.sqrt(below * above + 0.0)
    )  # of a zero without a sign


acosh.vjp(input=acosh_slope)


@op(np.arctanh, floating=True, inplace=True, inputs={"input": real(-0.8, 0.8)})
def atanh(input: Array) -> Array:
    """The inverse of tanh.

    >>> import tinygrad_dl as td
    >>> td.atanh(td.tensor([0.0, 0.5]))
    tensor([0.0000, 0.5493])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.atanh.html
    """


atanh.vjp(input=lambda g, input: g / (1 - input * input))


@op(np.arctan2, floating=True, inplace=True, inputs=broadcasting(real(0.3, 3.0), real()), errors=MISFIT)
def atan2(input: Array, other: Array) -> Array:
    """The angle of the point (x=other, y=input), between -pi and pi; its gradient at the origin is 0.

    >>> import tinygrad_dl as td
    >>> td.atan2(td.tensor([1.0, 0.0]), td.tensor([0.0, -1.0]))
    tensor([1.5708, 3.1416])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.atan2.html
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


@op(np.hypot, floating=True, inplace=True, inputs=broadcasting(real(0.3, 3.0), real()), errors=MISFIT)
def hypot(input: Array, other: Array) -> Array:
    """sqrt(input**2 + other**2), without overflow; its gradient at the origin is 0.

    >>> import tinygrad_dl as td
    >>> td.hypot(td.tensor([3.0]), td.tensor([4.0]))
    tensor([5.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.hypot.html
    """


hypot.vjp(
    input=lambda g, out, input: g * (input / np.where(out == 0, 1.0, out)),
    other=lambda g, out, other: g * (other / np.where(out == 0, 1.0, out)),
)


# -- the error function ------------------------------------------------------------------------------


@op(
    floating=True,
    inplace=True,
    real=True,
    inputs=ANY,
    reference=lambda input: np.vectorize(math.erf, otypes=[float])(input),
)
def erf(input: Array) -> Array:
    """The error function 2/sqrt(pi) * integral of exp(-t*t) from 0 to input, to the last digits of the dtype.

    >>> import tinygrad_dl as td
    >>> td.erf(td.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8427])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.erf.html and W. J. Cody (1969), see
    `error_function`.
    """
    return erf_of(input)


erf.vjp(input=lambda g, input: g * (np.exp(np.negative(input * input)) * (2 / math.sqrt(math.pi))))


@op(
    floating=True,
    inplace=True,
    real=True,
    inputs=ANY,
    reference=lambda input: np.vectorize(math.erfc, otypes=[float])(input),
)
def erfc(input: Array) -> Array:
    """1 - erf(input), exact where that difference is tiny too.

    >>> import tinygrad_dl as td
    >>> td.erfc(td.tensor([0.0, 5.0]))
    tensor([1.0000e+00, 1.5375e-12])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.erfc.html and W. J. Cody (1969), see
    `error_function`.
    """
    return erfc_of(input)


erfc.vjp(input=lambda g, input: g * (np.exp(np.negative(input * input)) * (-2 / math.sqrt(math.pi))))

arcsin = alias("arcsin", asin, inplace=True)
arccos = alias("arccos", acos, inplace=True)
arctan = alias("arctan", atan, inplace=True)
arctan2 = alias("arctan2", atan2, inplace=True)
arcsinh = alias("arcsinh", asinh, inplace=True)
arccosh = alias("arccosh", acosh, inplace=True)
arctanh = alias("arctanh", atanh, inplace=True)
