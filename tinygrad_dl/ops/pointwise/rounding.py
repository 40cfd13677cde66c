"""Rounding: steps, whose gradient is zero wherever they have one."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.inputs import one_of, real
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops._rows import unary


def no_slope(g: Any) -> Any:
    """zeros_like(g)."""
    return np.zeros_like(g)


# fmt: off
floor = unary(np.floor, "The largest integer not above; the gradient is zero.", "[1.7, -1.2] -> [ 1., -2.]", no_slope,
    floating=False)
ceil = unary(np.ceil, "The smallest integer not below; the gradient is zero.", "[1.2, -1.7] -> [ 2., -1.]", no_slope,
    floating=False)
trunc = unary([np.trunc, np.fix], "The integer part, rounded towards zero; the gradient is zero.",
    "[1.7, -1.7] -> [ 1., -1.]", no_slope, floating=False)
# fmt: on


@op(np.round, kind="elementwise", inplace=True, real=True, inputs={"input": real(-3.0, 3.0), "decimals": one_of(0, 3)})
def round(input: Array, decimals: int = 0) -> Array:
    """The nearest number with so many decimals, halves to the even one; the gradient is zero.

    >>> td.round(td.tensor([0.5, 1.5, 2.6]))
    tensor([0., 2., 3.])
    """
    return np.rint(input) if decimals == 0 and input.dtype.kind == "f" else np.round(input, decimals)


NUMPY[np.rint] = round
NUMPY[np.around] = round


round.vjp(input=no_slope)


@op(kind="elementwise", inplace=True, reference=lambda input: np.modf(input)[0])
def frac(input: Array) -> Array:
    """The part after the decimal point, with the number's sign: input - trunc(input).

    >>> td.frac(td.tensor([1.5, -2.25]))
    tensor([ 0.5000, -0.2500])
    """
    return input - np.trunc(input)


frac.vjp(input=lambda g: g)
fix = alias("fix", trunc, inplace=True)
