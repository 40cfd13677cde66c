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
    "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "conj",
    "copysign", "cos", "cosh", "divide", "equal", "exp", "expm1", "floor", "floor_divide", "greater",
    "greater_equal", "hypot", "imag", "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log10",
    "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor", "maximum",
    "minimum", "multiply", "negative", "nextafter", "not_equal", "positive", "pow", "real", "reciprocal",
    "remainder", "round", "sign", "signbit", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh",
    "trunc",
]
# fmt: on


def unary(op: Callable[[Tensor], Tensor], name: str, text: str) -> Callable[[Tensor], Tensor]:
    """A function of one tensor."""

    def function(x: Tensor, /) -> Tensor:
        return op(x)

    return named(function, name, text)


def binary(op: Callable[[Tensor, Tensor], Tensor], name: str, text: str) -> Callable[[Any, Any], Tensor]:
    """A function of two tensors, or a tensor and a number, which promote as the standard says."""

    def function(x1: Any, x2: Any, /) -> Tensor:
        first, second = together(x1, x2)
        return op(first, second)

    return named(function, name, text)


def late(name: str) -> Any:
    """An operation that is looked up at each call."""

    def function(x1: Tensor, x2: Tensor) -> Any:
        return getattr(td, name)(x1, x2)

    return function


abs = unary(td.abs, "abs", "The absolute value.")
acos = unary(td.acos, "acos", "The angle whose cosine x is, in radians.")
acosh = unary(td.acosh, "acosh", "The inverse hyperbolic cosine.")
asin = unary(td.asin, "asin", "The angle whose sine x is, in radians.")
asinh = unary(td.asinh, "asinh", "The inverse hyperbolic sine.")
atan = unary(td.atan, "atan", "The angle whose tangent x is, in radians.")
atanh = unary(td.atanh, "atanh", "The inverse hyperbolic tangent.")
bitwise_invert = unary(td.bitwise_not, "bitwise_invert", "Each bit inverted.")
ceil = unary(td.ceil, "ceil", "The smallest integer that is not below x.")
conj = unary(td.conj, "conj", "The complex conjugate.")
cos = unary(td.cos, "cos", "The cosine of x in radians.")
cosh = unary(td.cosh, "cosh", "The hyperbolic cosine.")
exp = unary(td.exp, "exp", "The exponential, e to the power x.")
expm1 = unary(td.expm1, "expm1", "exp(x) - 1, accurate near 0.")
floor = unary(td.floor, "floor", "The largest integer that is not above x.")
imag = unary(td.imag, "imag", "The imaginary part.")
isfinite = unary(td.isfinite, "isfinite", "Whether x is neither infinite nor NaN.")
isinf = unary(td.isinf, "isinf", "Whether x is infinite.")
isnan = unary(td.isnan, "isnan", "Whether x is NaN.")
log = unary(td.log, "log", "The natural logarithm.")
log10 = unary(td.log10, "log10", "The logarithm to base 10.")
log1p = unary(td.log1p, "log1p", "log(1 + x), accurate near 0.")
log2 = unary(td.log2, "log2", "The logarithm to base 2.")
logical_not = unary(td.logical_not, "logical_not", "Whether x is zero, or False.")
negative = unary(td.negative, "negative", "-x.")
positive = unary(td.positive, "positive", "x itself.")
real = unary(td.real, "real", "The real part.")
reciprocal = unary(td.reciprocal, "reciprocal", "1 / x.")
round = unary(td.round, "round", "The nearest integer; the even one of two at the same distance.")
sign = unary(td.sgn, "sign", "-1, 0 or 1 by the sign of x; x / abs(x) for complex numbers.")
signbit = unary(td.signbit, "signbit", "Whether the sign bit is set: x is negative, or -0.0.")
sin = unary(td.sin, "sin", "The sine of x in radians.")
sinh = unary(td.sinh, "sinh", "The hyperbolic sine.")
sqrt = unary(td.sqrt, "sqrt", "The square root.")
square = unary(td.square, "square", "x times x.")
tan = unary(td.tan, "tan", "The tangent of x in radians.")
tanh = unary(td.tanh, "tanh", "The hyperbolic tangent.")
trunc = unary(td.trunc, "trunc", "The integer part, rounded toward zero.")

add = binary(td.add, "add", "x1 + x2.")
atan2 = binary(td.atan2, "atan2", "The angle of the point (x2, x1), in radians from -pi to pi.")
bitwise_and = binary(td.bitwise_and, "bitwise_and", "The bits that both have.")
bitwise_left_shift = binary(late("bitwise_left_shift"), "bitwise_left_shift", "The bits of x1 moved up by x2 places.")
bitwise_or = binary(td.bitwise_or, "bitwise_or", "The bits that one of them has.")
bitwise_right_shift = binary(late("bitwise_right_shift"), "bitwise_right_shift", "The bits of x1 moved down by x2 places.")
bitwise_xor = binary(td.bitwise_xor, "bitwise_xor", "The bits that only one of them has.")
copysign = binary(late("copysign"), "copysign", "The magnitude of x1 with the sign of x2.")
divide = binary(td.divide, "divide", "x1 / x2.")
equal = binary(td.eq, "equal", "Whether x1 equals x2.")
floor_divide = binary(td.floor_divide, "floor_divide", "x1 / x2 rounded down.")
greater = binary(td.gt, "greater", "Whether x1 > x2.")
greater_equal = binary(td.ge, "greater_equal", "Whether x1 >= x2.")
hypot = binary(td.hypot, "hypot", "sqrt(x1² + x2²), without overflow.")
less = binary(td.lt, "less", "Whether x1 < x2.")
less_equal = binary(td.le, "less_equal", "Whether x1 <= x2.")
logaddexp = binary(td.logaddexp, "logaddexp", "log(exp(x1) + exp(x2)), without overflow.")
logical_and = binary(td.logical_and, "logical_and", "Whether both are true, or not zero.")
logical_or = binary(td.logical_or, "logical_or", "Whether one of them is true, or not zero.")
logical_xor = binary(td.logical_xor, "logical_xor", "Whether exactly one of them is true, or not zero.")
maximum = binary(td.maximum, "maximum", "The larger one; NaN if one is NaN.")
minimum = binary(td.minimum, "minimum", "The smaller one; NaN if one is NaN.")
multiply = binary(td.multiply, "multiply", "x1 times x2.")
nextafter = binary(late("nextafter"), "nextafter", "The next number of the dtype after x1 in the direction of x2.")
not_equal = binary(td.ne, "not_equal", "Whether x1 differs from x2.")
pow = binary(td.pow, "pow", "x1 to the power x2.")
remainder = binary(td.remainder, "remainder", "What is left of x1 after division by x2, with the sign of x2.")
subtract = binary(td.subtract, "subtract", "x1 - x2.")


def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """x within bounds, numbers or tensors; in the dtype of x.

    >>> td.array_api.clip(td.tensor([1, 5]), max=3)
    tensor([1, 3])
    """
    bounds = [None if each is None else converted(each, x.dtype.dtype) for each in (min, max)]
    return td.clamp(x, *bounds) if bounds != [None, None] else x.clone()
