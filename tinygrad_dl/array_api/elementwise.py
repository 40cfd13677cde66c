"""Functions of each element. A row each: the operation, the name, what it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tinygrad_dl as td
from tinygrad_dl import Tensor
from tinygrad_dl.array_api._operands import converted, named, together

# fmt: off
__all__ = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_invert",
    "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "conj", "copysign",
    "cos", "cosh", "divide", "equal", "exp", "expm1", "floor", "floor_divide", "greater", "greater_equal", "hypot",
    "imag", "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp",
    "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative",
    "nextafter", "not_equal", "positive", "pow", "real", "reciprocal", "remainder", "round", "sign", "signbit", "sin",
    "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc",
]
# fmt: on


def unary(op: Any, text: str, name: str = "") -> Callable[[Tensor], Tensor]:
    """A function of one tensor."""

    def function(x: Tensor, /) -> Tensor:
        found: Tensor = op(x)
        return found

    return named(function, name or op.__name__, text)


def binary(op: Any, text: str, name: str = "") -> Callable[[Any, Any], Tensor]:
    """A function of two tensors, or a tensor and a number, which promote as the standard says."""

    def function(x1: Any, x2: Any, /) -> Tensor:
        first, second = together(x1, x2)
        found: Tensor = op(first, second)
        return found

    return named(function, name or op.__name__, text)


def _round(x: Tensor) -> Tensor:
    return td.complex(td.round(x.real), td.round(x.imag)) if x.is_complex() else td.round(x)


def _sign(x: Tensor) -> Tensor:
    return td.sgn(x) + 0  # which makes 0 of -0


abs = unary(td.abs, "The absolute value.")
acos = unary(td.acos, "The angle whose cosine x is, in radians.")
acosh = unary(td.acosh, "The inverse hyperbolic cosine.")
asin = unary(td.asin, "The angle whose sine x is, in radians.")
asinh = unary(td.asinh, "The inverse hyperbolic sine.")
atan = unary(td.atan, "The angle whose tangent x is, in radians.")
atanh = unary(td.atanh, "The inverse hyperbolic tangent.")
bitwise_invert = unary(td.bitwise_not, "Each bit inverted.", "bitwise_invert")
ceil = unary(td.ceil, "The smallest integer that is not below x.")
conj = unary(td.conj, "The complex conjugate.")
cos = unary(td.cos, "The cosine of x in radians.")
cosh = unary(td.cosh, "The hyperbolic cosine.")
exp = unary(td.exp, "The exponential, e to the power x.")
expm1 = unary(td.expm1, "exp(x) - 1, accurate near 0.")
floor = unary(td.floor, "The largest integer that is not above x.")
imag = unary(td.imag, "The imaginary part.")
isfinite = unary(td.isfinite, "Whether x is neither infinite nor NaN.")
isinf = unary(td.isinf, "Whether x is infinite.")
isnan = unary(td.isnan, "Whether x is NaN.")
log = unary(td.log, "The natural logarithm.")
log10 = unary(td.log10, "The logarithm to base 10.")
log1p = unary(td.log1p, "log(1 + x), accurate near 0.")
log2 = unary(td.log2, "The logarithm to base 2.")
logical_not = unary(td.logical_not, "Whether x is zero, or False.")
negative = unary(td.negative, "-x.", "negative")
positive = unary(td.positive, "x itself.")
real = unary(td.real, "The real part.")
reciprocal = unary(td.reciprocal, "1 / x.")
round = unary(_round, "The nearest integer; the even one of two at the same distance.", "round")
sign = unary(_sign, "-1, 0 or 1 by the sign of x; x / abs(x) for complex numbers.", "sign")
signbit = unary(td.signbit, "Whether the sign bit is set: x is negative, or -0.0.")
sin = unary(td.sin, "The sine of x in radians.")
sinh = unary(td.sinh, "The hyperbolic sine.")
sqrt = unary(td.sqrt, "The square root.")
square = unary(td.square, "x times x.")
tan = unary(td.tan, "The tangent of x in radians.")
tanh = unary(td.tanh, "The hyperbolic tangent.")
trunc = unary(td.trunc, "The integer part, rounded toward zero.")

add = binary(td.add, "x1 + x2.")
atan2 = binary(td.atan2, "The angle of the point (x2, x1), in radians from -pi to pi.")
bitwise_and = binary(td.bitwise_and, "The bits that both have.")
bitwise_left_shift = binary(td.bitwise_left_shift, "The bits of x1 moved up by x2 places.")
bitwise_or = binary(td.bitwise_or, "The bits that one of them has.")
bitwise_right_shift = binary(td.bitwise_right_shift, "The bits of x1 moved down by x2 places.")
bitwise_xor = binary(td.bitwise_xor, "The bits that only one of them has.")
copysign = binary(td.copysign, "The magnitude of x1 with the sign of x2.")
divide = binary(td.divide, "x1 / x2.", "divide")
equal = binary(td.eq, "Whether x1 equals x2.", "equal")
floor_divide = binary(td.floor_divide, "x1 / x2 rounded down.")
greater = binary(td.gt, "Whether x1 > x2.", "greater")
greater_equal = binary(td.ge, "Whether x1 >= x2.", "greater_equal")
hypot = binary(td.hypot, "sqrt(x1² + x2²), without overflow.")
less = binary(td.lt, "Whether x1 < x2.", "less")
less_equal = binary(td.le, "Whether x1 <= x2.", "less_equal")
logaddexp = binary(td.logaddexp, "log(exp(x1) + exp(x2)), without overflow.")
logical_and = binary(td.logical_and, "Whether both are true, or not zero.")
logical_or = binary(td.logical_or, "Whether one of them is true, or not zero.")
logical_xor = binary(td.logical_xor, "Whether exactly one of them is true, or not zero.")
maximum = binary(td.maximum, "The larger one; NaN if one is NaN.")
minimum = binary(td.minimum, "The smaller one; NaN if one is NaN.")
multiply = binary(td.multiply, "x1 times x2.", "multiply")
nextafter = binary(td.nextafter, "The next number of the dtype after x1 in the direction of x2.")
not_equal = binary(td.ne, "Whether x1 differs from x2.", "not_equal")
pow = binary(td.pow, "x1 to the power x2.")
remainder = binary(td.remainder, "What is left of x1 after division by x2, with the sign of x2.")
subtract = binary(td.subtract, "x1 - x2.", "subtract")


def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """x within bounds, numbers or tensors; in the dtype of x.

    >>> td.array_api.clip(td.tensor([1, 5]), max=3)
    tensor([1, 3])
    """
    bounds = [None if each is None else converted(each, x.dtype.dtype) for each in (min, max)]
    return x.clone() if min is None and max is None else td.clamp(x, *bounds)
