"""Arithmetic between tensors, with broadcasting and PyTorch's promotion."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.methods import inplace_form, turned
from tinygrad_dl.core.promotion import category, factor, result_dtype, scalar_category
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.inputs import array, broadcasting, error, one_of, real
from tinygrad_dl.ops._overload import alias, method, overload
from tinygrad_dl.ops._rows import ANY, binary, unary
from tinygrad_dl.ops.pointwise.rounding import trunc

NONZERO = real(0.31, 3.0)  # 3 / 0.3 is a whole number in one precision and not in another


plus = binary(np.add, "input + other, elementwise.", "", lambda g: g, lambda g: g, name="add", operator="add")


@overload(plus, inplace=True)
@composition
def add(input: Array, other: Array, *, alpha: Any = 1) -> Tensor:
    """input + alpha * other, elementwise, with broadcasting.

    >>> td.add(td.tensor([1.0, 2.0]), 10)
    tensor([11., 12.])

    Raises:
        TypeError: alpha is a float among integers, or complex among real numbers.
    """
    return plus(input, other) if alpha == 1 else plus(input, times_alpha(input, other, alpha))


# fmt: off
minus = binary(np.subtract, "input - other, elementwise.", "", lambda g: g, lambda g: np.negative(g), name="sub",
    operator="sub")
# fmt: on


def times_alpha(input: Any, other: Any, alpha: Any) -> Any:
    """alpha * other, in the dtype of the sum; a number of numbers, which then decides no dtype."""
    dtype = result_dtype(tuple([each._data if isinstance(each, Tensor) else each for each in (input, other)]))
    if (scalar_category(alpha) or 0) > max(category(dtype), 1):
        raise TypeError(f"got alpha={alpha} for tensors that make {dtype}, expected a number of that kind")
    if dtype.kind == "b":
        alpha = bool(alpha)
    if not isinstance(other, Tensor):
        return bool(other and alpha) if dtype.kind == "b" else other * alpha
    return mul(other.to(dtype), alpha)


@overload(minus, inplace=True)
@composition
def sub(input: Array, other: Array, *, alpha: Any = 1) -> Tensor:
    """input - alpha * other, elementwise, with broadcasting.

    >>> td.sub(td.tensor([1.0, 2.0]), td.tensor([1.0, 1.0]), alpha=2)
    tensor([-1.,  0.])
    """
    return minus(input, other) if alpha == 1 else minus(input, times_alpha(input, other, alpha))


@composition
def rsub(input: Array, other: Array, *, alpha: Any = 1) -> Tensor:
    """other - alpha * input: `sub` with its arguments the other way round.

    >>> td.rsub(td.tensor([1.0, 2.0]), 10)
    tensor([9., 8.])
    """
    if not isinstance(input, Tensor | np.ndarray):
        raise TypeError(f"rsub: got input={input!r}, expected a tensor")
    return sub(other, input, alpha=alpha)


# fmt: off
mul = binary(np.multiply, "input * other, elementwise, with broadcasting.", "td.tensor([1.0, 2.0]) * 3 -> [3., 6.]",
    lambda g, other: g * other, lambda g, input: g * input, name="mul", operator="mul")
quotient = binary(np.divide, "input / other, elementwise; integers are divided as floats.",
    "td.true_divide(td.tensor([7, -7]), 2) -> [ 3.5000, -3.5000]", lambda g, other: g / other,
    lambda g, out, other: np.negative(g * out / other), (ANY, NONZERO), name="div", operator="truediv",
    changeable=True)
# fmt: on


@overload(quotient, inplace=True)
@composition
def div(input: Array, other: Array, *, rounding_mode: str | None = None) -> Tensor:
    """input / other, elementwise, with broadcasting; integers are divided as floats.

    Args:
        rounding_mode: None for the true quotient, "trunc" to round it towards zero, "floor" to round it
            down. Rounded quotients of integers are integers, and have a gradient of zero.

    >>> td.div(td.tensor([7, -7]), 2)
    tensor([ 3.5000, -3.5000])
    >>> td.div(td.tensor([7, -7]), 2, rounding_mode="floor")
    tensor([ 3, -4])
    """
    if rounding_mode is None:
        return quotient(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode == "trunc":
        return truncated_quotient(input, other)
    raise ValueError(f"div: got rounding_mode={rounding_mode!r}, expected None, 'trunc' or 'floor'")


def truncated_quotient(input: Any, other: Any) -> Tensor:
    """The quotient rounded towards zero; of integers an integer."""
    if isinstance(input, int | float):
        like = np.empty((1,) * other.ndim, other.dtype) if isinstance(other, Tensor) else other
        input = wrap(np.asarray(input, result_dtype((input, like))))
    result = minus(input, fmod(input, other))
    if result.is_floating_point():
        return trunc(quotient(input, other))
    return floor_divide(result, other)  # exact, so there is nothing to round


@op(
    np.floor_divide,
    kind="elementwise",
    operator="floordiv",
    inplace=True,
    inputs=broadcasting(real(), NONZERO),
    errors=[error(ZeroDivisionError, "divide integers by zero", array(2, dtype="int64"), 0)],
)
def floor_divide(input: Array, other: Array) -> Array:
    """The quotient rounded down, elementwise; its gradient is zero.

    Raises:
        ZeroDivisionError: an integer is divided by zero.

    >>> td.tensor([7, -7]) // 2
    tensor([ 3, -4])
    """
    refuse_zero("floor_divide", input, other)
    return np.floor_divide(input, other)


floor_divide.vjp(input=lambda g: np.zeros_like(g), other=lambda g: np.zeros_like(g))


def refuse_zero(name: str, input: Any, other: Any) -> None:
    """Integers have no infinity to divide to, and bools no quotient."""
    if other.dtype.kind == "b":
        raise TypeError(f"{name}: expected numbers, got bools; convert one of the two first, for example with .int()")
    if other.dtype.kind != "f" and not other.all() and input.size:
        raise ZeroDivisionError(
            f"{name}: can't divide integers by zero: got a 0 in other, expected other numbers; make them floats "
            f"first, or mask the zeros"
        )


@op(
    np.remainder,
    kind="elementwise",
    operator="mod",
    inplace=True,
    scalars="some",
    inputs=broadcasting(real(), NONZERO),
    errors=[error(ZeroDivisionError, "divide integers by zero", array(2, dtype="int64"), 0)],
)
def remainder(input: Array, other: Array) -> Array:
    """input - other * floor(input / other): the remainder with the sign of `other`, as in Python.

    >>> td.tensor([-3.0, 5.0]) % 2
    tensor([1., 1.])
    """
    refuse_zero("remainder", input, other)
    return np.remainder(input, other)


remainder.vjp(input=lambda g: g, other=lambda g, input, other: np.negative(g * np.floor_divide(input, other)))


@op(
    np.fmod,
    kind="elementwise",
    inplace=True,
    scalars="other",
    inputs=broadcasting(real(), NONZERO),
    errors=[error(ZeroDivisionError, "divide integers by zero", array(2, dtype="int64"), 0)],
)
def fmod(input: Array, other: Array) -> Array:
    """The remainder with the sign of `input`, as in C.

    >>> td.fmod(td.tensor([-3.0, 5.0]), 2)
    tensor([-1.,  1.])
    """
    refuse_zero("fmod", input, other)
    return np.fmod(input, other)


fmod.vjp(input=lambda g: g, other=lambda g, input, other: np.negative(g * np.trunc(input / other)))


# fmt: off
neg = unary(np.negative, "-input.", "-td.tensor([1.0, -2.0]) -> [-1.,  2.]", lambda g: np.negative(g), name="neg",
    operator="neg", linear=("input",))
# fmt: on


@method
def positive(input: Tensor) -> Tensor:
    """The tensor itself.

    Raises:
        TypeError: the tensor holds bools.

    >>> +td.tensor([1.0, -2.0])
    tensor([ 1., -2.])
    """
    if input.dtype.kind == "b":
        raise TypeError(
            "positive: got a bool tensor, expected numbers: bools have no sign; convert the tensor first, for example "
            "with .int()"
        )
    return input


alias("__pos__", positive)


def abs_slope(g: Any, input: Any) -> Any:
    """g * sign(input) if input.dtype.kind != "c" else None; of complex numbers, times the conjugate direction."""
    return g * direction(input)


def direction(input: Any) -> Any:
    """The slope of |input|: its sign; of complex numbers conj(input) / |input|, and 0 at 0."""
    if input.dtype.kind != "c":
        return np.sign(input)
    size = np.absolute(input)
    return np.where(size == 0, 0.0, np.conjugate(input) / np.where(size == 0, 1.0, size))


# fmt: off
abs = unary(np.absolute, "The absolute value; its gradient at 0 is 0.", "abs(td.tensor([1.0, -2.0])) -> [1., 2.]",
    abs_slope, name="abs", operator="abs")
# fmt: on


@op(np.sign, kind="elementwise", real=True, inplace=True)
def sign(input: Array) -> Array:
    """-1, 0 or 1, by the sign; its gradient is zero.

    >>> td.sign(td.tensor([3.0, 0.0, -2.0]))
    tensor([ 1.,  0., -1.])
    """
    return np.sign(input) if input.dtype.kind != "b" else input.copy()


sign.vjp(input=lambda g: np.zeros_like(g))

multiply = alias("multiply", mul, inplace=True)
subtract = alias("subtract", sub, inplace=True)
divide = alias("divide", div, inplace=True)
true_divide = alias("true_divide", quotient, inplace=True)
alias("__div__", div)
alias("__rdiv__", turned(div))
alias("__idiv__", inplace_form(div, "__idiv__"))
negative = alias("negative", neg, inplace=True)
absolute = alias("absolute", abs, inplace=True)


def straight_way(start: np.ndarray, end: np.ndarray, weight: np.ndarray) -> Any:
    """start + weight * (end - start), from the nearer end.

    So all the way there is `end` itself, and an infinity at the other does not spread.
    """
    way = end - start
    if weight.size != 1 or not at_hand(weight):
        return np.where(np.absolute(weight) < 0.5, start + weight * way, end - way * (1 - weight))
    return start + weight * way if np.absolute(weight.reshape(())) < 0.5 else end - way * (1 - weight)


@op(
    kind="elementwise",
    inplace=True,
    inputs=broadcasting(real(), real(), real(0.0, 1.0)),
    reference=lambda input, end, weight: (1 - weight) * input + weight * end,
)
def lerp(input: Array, end: Array, weight: Array) -> Array:
    """input + weight * (end - input): the straight way from `input` to `end`; `weight` a tensor or number.

    >>> td.lerp(td.tensor([0.0, 10.0]), td.tensor([10.0, 20.0]), 0.5)
    tensor([ 5., 15.])
    """
    return straight_way(input, end, weight)


lerp.vjp(
    input=lambda g, weight: g * (1 - weight),
    end=lambda g, weight: g * weight,
    weight=lambda g, input, end: g * (end - input),
)


@op(
    kind="elementwise",
    inplace=True,
    inputs=broadcasting(real(), real(), real(), value=one_of(1, 0.5, -2.0)),
    reference=lambda input, tensor1, tensor2, value=1: input + value * tensor1 * tensor2,
)
def addcmul(input: Array, tensor1: Array, tensor2: Array, *, value: complex = 1) -> Array:
    """input + value * tensor1 * tensor2, elementwise; among integers `value` is cut to one too.

    >>> td.addcmul(td.ones(2), td.tensor([1.0, 2.0]), td.tensor([3.0, 4.0]), value=0.5)
    tensor([2.5000, 5.0000])
    """
    if input.dtype.kind in "iub":
        value = factor(int(value.real), input.dtype)
    return input + value * (tensor1 * tensor2)


addcmul.vjp(
    input=lambda g: g,
    tensor1=lambda g, tensor2, value: g * (tensor2 * value),
    tensor2=lambda g, tensor1, value: g * (tensor1 * value),
)


@op(
    kind="elementwise",
    floating=True,
    inplace=True,
    inputs=broadcasting(real(), real(), NONZERO, value=one_of(1, 0.5, -2.0)),
    reference=lambda input, tensor1, tensor2, value=1: input + value * tensor1 / tensor2,
)
def addcdiv(input: Array, tensor1: Array, tensor2: Array, *, value: complex = 1) -> Array:
    """input + value * tensor1 / tensor2, elementwise.

    >>> td.addcdiv(td.ones(2), td.tensor([1.0, 2.0]), td.tensor([4.0, 4.0]), value=2)
    tensor([1.5000, 2.0000])
    """
    return input + value * (tensor1 / tensor2)


addcdiv.vjp(
    input=lambda g: g,
    tensor1=lambda g, tensor2, value: g * value / tensor2,
    tensor2=lambda g, tensor1, tensor2, value: np.negative(g * value * tensor1 / (tensor2 * tensor2)),
)
