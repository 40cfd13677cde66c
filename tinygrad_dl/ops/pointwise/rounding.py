"""Rounding: steps, whose gradient is zero wherever they have one."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.errors import ArgumentTypeError
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import broadcasting, one_of, real
from tinygrad_dl.ops._overload import alias, overload
from tinygrad_dl.ops._rows import unary
from tinygrad_dl.ops.pointwise._selection import keep


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


@op(
    np.heaviside,
    name="heaviside",
    kind="elementwise",
    floating=False,
    exact=True,
    real=True,
    scalars="none",
    inputs=broadcasting(real(avoid=(0.0,)), real()),
)
def step(input: Array, values: Array) -> Array:
    """The op of `heaviside`."""
    return np.where(input == 0, values, (input > 0).astype(values.dtype))


step.vjp(input=no_slope, values=lambda g, input: keep(g, input == 0))


@overload(step, inplace=True)
@composition
def heaviside(input: Any, values: Any) -> Tensor:
    """The step from 0 to 1: 0 where `input` is negative or nan, 1 where it is positive, `values` where it is 0.

    The gradient of `input` is zero, that of `values` goes where `input` is 0.

    Raises:
        TypeError: they are tensors of different dtypes.

    >>> td.heaviside(td.tensor([-1.5, 0.0, 2.0]), td.tensor([0.5]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    if isinstance(input, Tensor) and isinstance(values, Tensor) and input.dtype != values.dtype:
        raise ArgumentTypeError(f"heaviside: got values of {values.dtype} for {input.dtype}, expected the same dtype")
    return step(input, values)
