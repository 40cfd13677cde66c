"""Arithmetic, powers, exponentials, trigonometry, rounding, extremes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.onnx.graph import BOOL, Graph
from tinygrad_dl.onnx.table import Unsupported, converter, rewriting, without
from tinygrad_dl.onnx.values import Value
from tinygrad_dl.ops.comparison.elementwise import isnan
from tinygrad_dl.ops.pointwise.arithmetic import abs as absolute
from tinygrad_dl.ops.pointwise.trigonometric import atan
from tinygrad_dl.ops.pointwise.where import where

# Ops of one tensor that ONNX has too. Those in WHOLE change no integers, which ONNX's operator does not take.
ONE = {
    "abs": "Abs",
    "acos": "Acos",
    "acosh": "Acosh",
    "asin": "Asin",
    "asinh": "Asinh",
    "atan": "Atan",
    "atanh": "Atanh",
    "ceil": "Ceil",
    "cos": "Cos",
    "cosh": "Cosh",
    "erf": "Erf",
    "exp": "Exp",
    "floor": "Floor",
    "log": "Log",
    "neg": "Neg",
    "reciprocal": "Reciprocal",
    "sign": "Sign",
    "sin": "Sin",
    "sinh": "Sinh",
    "sqrt": "Sqrt",
    "tan": "Tan",
    "tanh": "Tanh",
}
WHOLE = frozenset(("floor", "ceil", "trunc", "round"))
TWO = {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div"}


def _same(key: str, type: str) -> None:
    @converter(key)
    def convert(g: Graph, input: Value) -> Value:
        if key in WHOLE and input.dtype.kind in "biu":
            return input
        return g.op(type, g.cast(input, np.int64) if input.dtype == BOOL else input)


def _pair(key: str, type: str) -> None:
    @converter(key)
    def convert(g: Graph, input: Value, other: Value) -> Value:
        if input.dtype != BOOL:
            return g.op(type, input, other)
        return g.op({"Add": "Or", "Mul": "And", "Sub": "Xor"}[type], input, other)


for _key, _type in ONE.items():
    _same(_key, _type)
for _key, _type in TWO.items():
    _pair(_key, _type)


@converter("trunc")
def trunc(g: Graph, input: Value) -> Value:
    if input.dtype.kind in "biu":
        return input
    return g.op("Mul", g.op("Sign", input), g.op("Floor", g.op("Abs", input)))


@converter("frac")
def frac(g: Graph, input: Value) -> Value:
    return g.op("Sub", input, trunc(g, input))


@converter("round")
def round_(g: Graph, input: Value, decimals: int) -> Value:
    if input.dtype.kind in "biu":
        return input
    if not decimals:
        return g.op("Round", input)
    scale = g.like(10.0 ** abs(decimals), input)
    there, back = ("Mul", "Div") if decimals > 0 else ("Div", "Mul")
    return g.op(back, g.op("Round", g.op(there, input, scale)), scale)


@converter("floor_divide")
def floor_divide(g: Graph, input: Value, other: Value) -> Value:
    if input.dtype.kind == "f":
        return g.op("Floor", g.op("Div", input, other))
    return g.op("Div", g.op("Sub", input, g.op("Mod", input, other)), other)


@converter("remainder")
def remainder(g: Graph, input: Value, other: Value) -> Value:
    if input.dtype.kind != "f":
        return g.op("Mod", input, other)
    rest, zero = g.op("Mod", input, other, fmod=1), g.like(0, input)
    turned = g.op("Less", g.op("Mul", rest, other), zero, dtype=BOOL)  # of the other sign than the divisor
    return g.where(turned, g.op("Add", rest, other), rest)


@converter("fmod")
def fmod(g: Graph, input: Value, other: Value) -> Value:
    return g.op("Mod", input, other, fmod=1)


@converter("lerp")
def lerp(g: Graph, input: Value, end: Value, weight: Value) -> Value:
    return g.op("Add", input, g.op("Mul", weight, g.op("Sub", end, input)))


@converter("addcmul")
def addcmul(g: Graph, input: Value, tensor1: Value, tensor2: Value, value: Any) -> Value:
    return g.op("Add", input, scaled(g, g.op("Mul", tensor1, tensor2), value))


@converter("addcdiv")
def addcdiv(g: Graph, input: Value, tensor1: Value, tensor2: Value, value: Any) -> Value:
    return g.op("Add", input, scaled(g, g.op("Div", tensor1, tensor2), value))


def scaled(g: Graph, value: Value, factor: Any) -> Value:
    """The value times a number."""
    return value if factor == 1 else g.op("Mul", value, g.like(factor, value))


def plus(g: Graph, value: Value, number: Any) -> Value:
    """The value plus a number."""
    return value if number == 0 else g.op("Add", value, g.like(number, value))


@converter("where")
def select(g: Graph, condition: Value, input: Value, other: Value) -> Value:
    return g.where(g.cast(condition, BOOL), input, other)


@converter("masked_fill")
def masked_fill(g: Graph, input: Value, mask: Value, value: Value) -> Value:
    return g.where(g.cast(mask, BOOL), g.cast(value, input.dtype), input)


@converter("clone", "contiguous", "conj")
def itself(g: Graph, input: Value) -> Value:
    return input


@converter("dropout")
def dropout(g: Graph, input: Value, factors: Value) -> Value:
    """In evaluation layers do not call it; a function that is told to drop does so with the factors of the run."""
    return g.op("Mul", input, factors)


@converter("cast")
def cast(g: Graph, input: Value, out: Any) -> Value:
    return g.cast(input, out[0][0])


@converter("real")
def real(g: Graph, input: Value) -> Value:
    return input


# -- powers and exponentials -----------------------------------------------------------------------


@converter("square")
def square(g: Graph, input: Value) -> Value:
    return g.op("Mul", input, input)


@converter("rsqrt")
def rsqrt(g: Graph, input: Value) -> Value:
    return g.op("Reciprocal", g.op("Sqrt", input))


@converter("pow")
def power(g: Graph, input: Value, exponent: Value) -> Value:
    return g.op("Pow", input, exponent)


@converter("exp2")
def exp2(g: Graph, input: Value) -> Value:
    return g.op("Pow", g.like(2, input), input)


@converter("expm1")
def expm1(g: Graph, input: Value) -> Value:
    return plus(g, g.op("Exp", input), -1)


@converter("log1p")
def log1p(g: Graph, input: Value) -> Value:
    return g.op("Log", plus(g, input, 1))


@converter("log2")
def log2(g: Graph, input: Value) -> Value:
    return scaled(g, g.op("Log", input), 1 / math.log(2))


@converter("log10")
def log10(g: Graph, input: Value) -> Value:
    return scaled(g, g.op("Log", input), 1 / math.log(10))


@rewriting("logaddexp")
def logaddexp(input: Any, other: Any) -> Any:
    """Of equal infinities there is no difference."""
    gap = -absolute(input - other)
    gap = where(isnan(gap), 0.0, gap) if gap.dtype.kind == "f" else gap
    return (input + other - gap) / 2 + gap.exp().log1p()


@rewriting("xlogy")
def xlogy(input: Any, other: Any) -> Any:
    return where(input == 0, where(isnan(other), other, 0.0), input * other.log())


@rewriting("logit")
def logit(input: Any, eps: Any) -> Any:
    input = input if eps is None else input.clamp(eps, 1 - eps)
    return (input / (1 - input)).log()


@rewriting("logaddexp2")
def logaddexp2(input: Any, other: Any) -> Any:
    """By powers of e."""
    return (input * math.log(2)).logaddexp(other * math.log(2)) / math.log(2)


@rewriting("xlog1py")
def xlog1py(input: Any, other: Any) -> Any:
    return where(input == 0, where(isnan(other), other, 0.0), input * other.log1p())


@rewriting("entr")
def entr(input: Any) -> Any:
    inside = where(input == 0, 0.0, -input * where(input == 0, 1.0, input).log())
    return where(input < 0, -math.inf, inside)


@rewriting("ldexp")
def ldexp(input: Any, other: Any) -> Any:
    return input * other.exp2()


@rewriting("copysign")
def copysign(input: Any, other: Any) -> Any:
    """The sign of a zero is that of its reciprocal."""
    size = absolute(input)
    return where((other < 0) | ((other == 0) & (1 / other < 0)), -size, size)


@rewriting("heaviside")
def heaviside(input: Any, values: Any) -> Any:
    return where(input == 0, values, (input > 0).to(values.dtype))


@rewriting("isposinf")
def isposinf(input: Any) -> Any:
    return input.eq(math.inf)


@rewriting("isneginf")
def isneginf(input: Any) -> Any:
    return input.eq(-math.inf)


@rewriting("deg2rad")
def deg2rad(input: Any) -> Any:
    return input * (math.pi / 180)


@rewriting("rad2deg")
def rad2deg(input: Any) -> Any:
    return input * (180 / math.pi)


@rewriting("sinc")
def sinc(input: Any) -> Any:
    angle = where(input == 0, 1.0, input) * math.pi
    return where(input == 0, 1.0, angle.sin() / angle)


@rewriting("spherical_bessel_j0")
def spherical_bessel_j0(x: Any) -> Any:
    inside = where(x == 0, 1.0, x)
    return where(absolute(x).eq(math.inf), 0.0, where(x == 0, 1.0, inside.sin() / inside))


# -- trigonometry ------------------------------------------------------------------------------------


@rewriting("atan2")
def atan2(input: Any, other: Any) -> Any:
    """The angle by quadrants; that of (0, 0) is 0 or pi."""
    base = where((input == 0) & (other == 0), 0.0, atan(input / other))
    return where(
        (other < 0) | ((other == 0) & (input == 0) & (1 / other < 0)), base + where(input < 0, -math.pi, math.pi), base
    )


@rewriting("hypot")
def hypot(input: Any, other: Any) -> Any:
    """By the larger of the two, so that no square overflows."""
    a, b = absolute(input), absolute(other)
    most = a.maximum(b)
    ratio = where(most.eq(0), 0.0, a.minimum(b) / most)
    return most * (1 + ratio * ratio).sqrt()


@converter("erfc")
def erfc(g: Graph, input: Value) -> Value:
    return g.op("Sub", g.like(1, input), g.op("Erf", input))


# -- extremes ------------------------------------------------------------------------------------------


@converter("maximum", "fmax")
def maximum(g: Graph, input: Value, other: Value) -> Value:
    return g.op("Or" if input.dtype == BOOL else "Max", input, other)


@converter("minimum", "fmin")
def minimum(g: Graph, input: Value, other: Value) -> Value:
    return g.op("And" if input.dtype == BOOL else "Min", input, other)


@converter("clamp")
def clamp(g: Graph, input: Value, min: Any, max: Any) -> Value:
    if all(each is None or each.shape == () for each in (min, max)):
        return g.op("Clip", input, min, max)
    input = input if min is None else g.op("Max", input, min)
    return input if max is None else g.op("Min", input, max)


@converter("nan_to_num")
def nan_to_num(g: Graph, input: Value, nan: float, posinf: float | None, neginf: float | None) -> Value:
    if input.dtype.kind != "f":
        return input
    most = np.finfo(input.dtype).max
    out = g.where(g.op("IsNaN", input, dtype=BOOL), g.like(nan or 0.0, input), input)
    for number, above in ((posinf, True), (neginf, False)):
        found = g.op("IsInf", input, dtype=BOOL, detect_positive=int(above), detect_negative=int(not above))
        limit = most if above else -most
        out = g.where(found, g.like(limit if number is None else number, input), out)
    return out


# -- bits ------------------------------------------------------------------------------------------------


def _bits(key: str, logical: str, bitwise: str) -> None:
    @converter(key)
    def convert(g: Graph, input: Value, other: Value) -> Value:
        if input.dtype == BOOL:
            return g.op(logical, input, other)
        return g.op(since(g, bitwise), input, other)


for _key, _logical, _bitwise in (
    ("bitwise_and", "And", "BitwiseAnd"),
    ("bitwise_or", "Or", "BitwiseOr"),
    ("bitwise_xor", "Xor", "BitwiseXor"),
):
    _bits(_key, _logical, _bitwise)


@converter("bitwise_not")
def bitwise_not(g: Graph, input: Value) -> Value:
    return g.op("Not", input) if input.dtype == BOOL else g.op(since(g, "BitwiseNot"), input)


def since(g: Graph, type: str, opset: int = 18) -> str:
    """The operator, if the operator set has it."""
    if g.opset < opset:
        raise Unsupported(f"ONNX has {type} from operator set {opset} on, got opset_version={g.opset}")
    return type


# fmt: off
without(
    "ONNX has no such special function",
    "airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "chebyshev_polynomial_t",
    "chebyshev_polynomial_u", "chebyshev_polynomial_v", "chebyshev_polynomial_w", "digamma", "erfcx", "erfinv",
    "exponent", "hermite_polynomial_h", "hermite_polynomial_he", "i0", "i0e", "i1", "i1e", "igamma", "igammac",
    "laguerre_polynomial_l", "legendre_polynomial_p", "lgamma", "log_ndtr", "mantissa", "modified_bessel_i0",
    "modified_bessel_i1", "modified_bessel_k0", "modified_bessel_k1", "ndtri", "polygamma",
    "scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v", "shifted_chebyshev_polynomial_w",
    "zeta",
)
# fmt: on
without("ONNX has no such function of integers", "gcd", "lcm")
without("ONNX shifts unsigned integers alone", "bitwise_left_shift", "bitwise_right_shift")
without("ONNX has no neighbours of numbers", "nextafter")
without("ONNX has no cube root", "cbrt")
without(
    "operators of ONNX take no complex numbers",
    *("angle", "complex", "fft_c2c", "fft_c2r", "fft_r2c", "imag", "view_as_complex", "view_as_real"),
)
