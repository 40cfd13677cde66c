"""Powers and roots."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.errors import ArgumentTypeError
from tinygrad_dl.core.methods import inplace_form, turned
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.inputs import array, broadcasting, error, real
from tinygrad_dl.ops._overload import alias, overload
from tinygrad_dl.ops._rows import unary
from tinygrad_dl.ops.pointwise._selection import keep

# fmt: off
reciprocal = unary(np.reciprocal, "1 / input.", "[2.0, -4.0] -> [ 0.5000, -0.2500]",
    lambda g, out: np.negative(g * np.square(out)), real(0.3, 3.0), floating=True)
squared = unary(np.square, "input * input.", "", lambda g, input: g * (input + input), name="square", inplace=False)
# fmt: on


@overload(squared, inplace=True)
@composition
def square(input: Any) -> Any:
    """input * input; of bools int64.

    >>> td.square(td.tensor([2.0, -3.0]))
    tensor([4., 9.])
    """
    return pow(input, 2) if isinstance(input, Tensor) and input.dtype.kind == "b" else squared(input)


sqrt = unary(np.sqrt, "The square root.", "[4.0, 9.0] -> [2., 3.]", lambda g, out: g / (out + out), real(0.2, 3.0))
cbrt = unary(
    np.cbrt,
    "The cube root, of negative numbers too.",
    "np.cbrt(td.tensor([2.0, -27.0])) -> [ 1.2599, -3.0000]",
    lambda g, out: g / (3 * np.square(out)),
    real(avoid=(0.0,)),
    inplace=False,
    method=False,
    namespace="rules",
    floating=True,
)


@op(
    kind="elementwise",
    floating=True,
    inplace=True,
    inputs={"input": real(0.2, 3.0)},
    reference=lambda input: input**-0.5,
)
def rsqrt(input: Array) -> Array:
    """1 / sqrt(input).

    >>> td.rsqrt(td.tensor([4.0, 16.0]))
    tensor([0.5000, 0.2500])
    """
    return np.reciprocal(np.sqrt(input))


rsqrt.vjp(input=lambda g, out: g * (out * out * out) * -0.5)


def power(base: Any, exponent: float) -> Any:
    """base ** exponent for one number as exponent, in multiplications and roots where that is exact."""
    if exponent == 1:
        return base * 1
    if exponent == 2:
        return base * base
    if exponent == 3:
        return base * base * base
    if base.dtype.kind == "f":
        if exponent == 0.5:
            return np.sqrt(base)
        if exponent == -1:
            return np.reciprocal(base)
        if exponent == -0.5:
            return np.reciprocal(np.sqrt(base))
        if exponent == -2:
            return np.reciprocal(base * base)
    return np.power(base, exponent)


@op(
    np.power,
    kind="elementwise",
    inplace=True,
    scalars="some",
    inputs=[broadcasting(real(0.3, 3.0), real()), broadcasting(real(0.3, 3.0), real(shape=""))],
    errors=[error(ValueError, "negative integer powers", array(2, dtype="int64"), -1)],
)
def pow(input: Array, exponent: Array) -> Array:
    """input ** exponent, elementwise; either may be a number.

    Raises:
        ValueError: an integer to a negative integer power.

    >>> td.pow(td.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    >>> 2 ** td.tensor([1.0, 2.0, 3.0])
    tensor([2., 4., 8.])
    """
    if input.dtype.kind == "b":
        return input | ~exponent
    if exponent.ndim == 0 and at_hand(exponent):
        return power(input, exponent.item())
    return np.power(input, exponent)


def pow_slope(g: Any, input: Any, exponent: Any) -> Any:
    """g * (exponent * input ** (exponent - 1)); 0 where the exponent is 0, at the base 0 too."""
    if exponent.ndim == 0 and type(exponent) is np.ndarray:
        number = exponent.item()
        if number == 0:
            return np.zeros_like(g)
        if number == 1:
            return g
        return g * (power(input, number - 1) * number)
    if exponent.ndim == 0 and is_known(exponent) and at_hand(exponent) and exponent.item() != 0:
        return g * (exponent * np.power(input, exponent - 1))
    flat = exponent == 0
    # Where input ** -1 is a number it stays: it is the second derivative at the exponent 0.
    safe = np.where(flat & ~(np.absolute(input) >= np.finfo(input.dtype).tiny), 1.0, input)
    if not isinstance(g, Tensor) and not isinstance(exponent, Tensor):
        g = keep(g, ~flat)
    return g * (exponent * np.power(safe, exponent - 1))


def pow_exponent_slope(g: Any, out: Any, input: Any, exponent: Any) -> Any:
    """out * log(input): at the base 0 it is 0, or -inf; nan at negative bases, where the power is not real."""
    whole = input.dtype.kind == "c"
    flat = (input == 0) & ((exponent.real if whole else exponent) >= 0)
    base = input if whole else np.where(input < 0, np.nan, input)
    return keep(g, ~flat) * (out * np.log(np.where(flat, 1.0, base)))


pow.vjp(input=pow_slope, exponent=pow_exponent_slope)


@composition
def float_power(input: Any, exponent: Any) -> Tensor:
    """input ** exponent in float64, or complex128; either may be a number.

    >>> td.float_power(td.tensor([2, 3]), -1)
    tensor([0.5000, 0.3333], dtype=float64)
    """
    return pow(_double(input), _double(exponent))


def _double(value: Any) -> Any:
    """A tensor in float64 or complex128; a number as it is, which is no integer."""
    if isinstance(value, Tensor):
        return value.to(np.complex128 if value.is_complex() else np.float64)
    return value * 1.0


def _float_power_(self: Tensor, exponent: Any) -> Tensor:
    """The in-place form of `float_power`.

    Raises:
        RuntimeError: the tensor is not float64, or complex128 for a complex power.
    """
    result = float_power(self, exponent)
    if result.dtype != self.dtype:
        raise ArgumentTypeError(
            f"float_power_: got a tensor of {self.dtype}, expected {result.dtype}, that of the power"
        )
    return self._assign(result, "float_power_")


_float_power_.__name__ = _float_power_.__qualname__ = "float_power_"
alias("float_power", float_power)
alias("float_power_", _float_power_)
NUMPY[np.float_power] = float_power


def pow_operator(self: Any, exponent: Any) -> Any:
    """`x ** n`: the usual numbers by an op that needs no power."""
    # What requires a gradient is floating, or complex; the powers below are exact for both.
    if (type(exponent) is int or type(exponent) is float) and (self._edge is not None or self.dtype.kind == "f"):
        if exponent == 2:
            return squared(self)
        if exponent == 0.5:
            return sqrt(self)
        if exponent == -1:
            return reciprocal(self)
    return general_power(self, exponent)


general_power = pow.op.as_operator()
alias("__pow__", pow_operator)
alias("__rpow__", turned(general_power))
alias("__ipow__", inplace_form(pow_operator, "__ipow__"))
