"""Exponentials and logarithms, elementwise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import broadcasting, one_of, real
from tinygrad_dl.ops._rows import binary, unary
from tinygrad_dl.ops.pointwise._selection import keep

POSITIVE, LARGER = real(0.2, 3.0), real(-30.0, 30.0)


# fmt: off
exp = unary(np.exp, "e ** input.", "[0.0, 1.0] -> [1.0000, 2.7183]", lambda g, out: g * out)
exp2 = unary(np.exp2, "2 ** input.", "[0.0, 3.0] -> [1., 8.]", lambda g, out: g * (out * math.log(2)))
expm1 = unary(np.expm1, "e ** input - 1, exact near 0 too.", "[0.0, 1e-10] -> [0.0000e+00, 1.0000e-10]",
    lambda g, out: g * (out + 1))
log = unary(np.log, "The natural logarithm.", "[1.0, 2.0] -> [0.0000, 0.6931]", lambda g, input: g / input, POSITIVE)
log2 = unary(np.log2, "The logarithm to base 2.", "[1.0, 8.0] -> [0., 3.]", lambda g, input: g / (input * math.log(2)),
    POSITIVE)
log10 = unary(np.log10, "The logarithm to base 10.", "[1.0, 50.0] -> [0.0000, 1.6990]",
    lambda g, input: g / (input * math.log(10)), POSITIVE)
log1p = unary(np.log1p, "log(1 + input), exact near 0 too.", "[0.0, 1e-10] -> [0.0000e+00, 1.0000e-10]",
    lambda g, input: g / (input + 1), real(-0.7, 3.0))
# fmt: on


def part(g: Any, term: Any, other: Any) -> Any:
    """The term's part of the sum: exp(term) / (exp(term) + exp(other)); of two equal infinities it is nan."""
    from tinygrad_dl.ops.activation.sigmoid import sigmoid  # loaded when first needed

    return g * sigmoid.generic(term - other)


@op(
    np.logaddexp,
    kind="elementwise",
    floating=True,
    scalars="none",
    inputs=broadcasting(LARGER, LARGER),
    reference=lambda input, other: np.log(np.exp(input) + np.exp(other)),
)
def logaddexp(input: Array, other: Array) -> Array:
    """log(exp(input) + exp(other)), elementwise, without overflow; of complex numbers too.

    >>> td.logaddexp(td.tensor([0.0, -1000.0]), td.tensor([0.0, -1000.0]))
    tensor([ 6.9315e-01, -9.9931e+02])
    """
    if input.dtype.kind != "c":
        return np.logaddexp(input, other)
    first = input.real >= other.real
    top: Any = np.where(first, input, other)
    low: Any = np.where(first, other, input)
    return np.where(np.isneginf(top.real), top, top + np.log1p(np.exp(low - top)))


logaddexp.vjp(
    input=lambda g, input, other: part(g, input, other),
    other=lambda g, input, other: part(g, other, input),
)


def part_of_2(g: Any, term: Any, other: Any) -> Any:
    """The same of powers of 2."""
    return part(g, term * math.log(2), other * math.log(2))


# fmt: off
logaddexp2 = binary(np.logaddexp2, "log2(2 ** input + 2 ** other), elementwise, without overflow.",
    "[0.0, -1000.0] [0.0, -1000.0] -> [   1., -999.]", lambda g, input, other: part_of_2(g, input, other),
    lambda g, input, other: part_of_2(g, other, input), (LARGER, LARGER), inplace=False, scalars="none")
# fmt: on


@op(
    kind="elementwise",
    floating=True,
    inplace=True,
    real=True,
    scalars="some",
    inputs=broadcasting(real(), real(0.3, 3.0)),
    reference=lambda input, other: input * np.log(other),
)
def xlogy(input: Array, other: Array) -> Array:
    """input * log(other), and 0 where `input` is 0.

    >>> td.xlogy(td.tensor([0.0, 2.0]), td.tensor([0.0, 1.0]))
    tensor([0., 0.])
    """
    return input * np.log(np.where((input == 0) & (other == other), 1.0, other))  # nan goes on


def xlogy_slope(g: Any, input: Any, other: Any) -> Any:
    """g * log(other), and 0 where it has no value and counts for nothing; a g of 0 stays 0, as in `xlogy` itself."""
    flat = (input == 0) & (other <= 0)
    return keep(xlogy.generic(g, np.where(flat, 1.0, other)), ~flat)


xlogy.vjp(input=xlogy_slope, other=lambda g, input, other: g * (input / other))


@op(
    kind="elementwise",
    floating=True,
    method=False,
    real=True,
    scalars="some",
    inputs=broadcasting(real(), real(-0.7, 3.0)),
    reference=lambda input, other: input * np.log(1 + other),
)
def xlog1py(input: Array, other: Array) -> Array:
    """input * log1p(other), and 0 where `input` is 0.

    >>> td.special.xlog1py(td.tensor([0.0, 2.0]), td.tensor([-1.0, 1.0]))
    tensor([0.0000, 1.3863])
    """
    return input * np.log1p(np.where((input == 0) & (other == other), 0.0, other))  # nan goes on


def xlog1py_slope(g: Any, input: Any, other: Any) -> Any:
    """g * log1p(other), and 0 where it has no value and counts for nothing: see `xlogy_slope`."""
    flat = (input == 0) & (other <= -1)
    return keep(xlog1py.generic(g, np.where(flat, 0.0, other)), ~flat)


xlog1py.vjp(input=xlog1py_slope, other=lambda g, input, other: g * (input / (other + 1)))


@op(
    kind="elementwise",
    floating=True,
    method=False,
    real=True,
    inputs={"input": POSITIVE},
    reference=lambda input: input * np.log(1 / input),
)
def entr(input: Array) -> Array:
    """The entropy's term -input * log(input): 0 at 0, -inf below.

    >>> td.special.entr(td.tensor([0.0, 0.5, -1.0]))
    tensor([0.0000, 0.3466,   -inf])
    """
    inside = np.where(input <= 0, 1.0, input)  # and nan goes on
    return np.where(input < 0, -np.inf, np.negative(inside * np.log(inside)) + 0.0)


entr.vjp(input=lambda g, input: np.negative(g * (np.log(input) + 1)))


@op(
    kind="elementwise",
    floating=True,
    inplace=True,
    real=True,
    inputs={"input": real(0.1, 0.9), "eps": one_of(None, 0.05)},
    reference=lambda input, eps=None: np.log(input) - np.log1p(-input),
)
def logit(input: Array, eps: float | None = None) -> Array:
    """log(input / (1 - input)), the inverse of `sigmoid`; `eps` cuts the input off at eps and 1 - eps first.

    >>> td.logit(td.tensor([0.5, 0.8808]))
    tensor([0.0000, 2.0000])
    """
    x = input if eps is None else input.clip(eps, 1 - eps)
    return np.log(x / (1 - x))


def logit_slope(g: Any, input: Any, eps: float | None) -> Any:
    """g / (input * (1 - input)): nan outside of [0, 1], or 0 where `eps` cut the input off."""
    slope = g / (input * (1 - input))
    if eps is None:
        return np.where((input < 0) | (input > 1), np.nan, slope)
    return keep(slope, (input >= eps) & (input <= 1 - eps))


logit.vjp(input=logit_slope)
