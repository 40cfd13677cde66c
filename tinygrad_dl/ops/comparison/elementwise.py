"""Elementwise comparisons: results that never have a gradient."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, error
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops._rows import binary, unary

# fmt: off
eq = binary(np.equal, "input == other, elementwise.", "td.tensor([1, 2]) == 2 -> [False,  True]", name="eq",
    operator="eq", scalars="other")
ne = binary(np.not_equal, "input != other, elementwise.", "td.tensor([1, 2]) != 2 -> [ True, False]", name="ne",
    operator="ne", scalars="other")
lt = binary(np.less, "input < other, elementwise.", "td.tensor([1, 2]) < 2 -> [ True, False]", name="lt", operator="lt",
    scalars="other", real=True)
le = binary(np.less_equal, "input <= other, elementwise.", "td.tensor([1, 2, 3]) <= 2 -> [ True,  True, False]",
    name="le", operator="le", scalars="other", real=True)
gt = binary(np.greater, "input > other, elementwise.", "td.tensor([1, 2, 3]) > 2 -> [False, False,  True]", name="gt",
    operator="gt", scalars="other", real=True)
ge = binary(np.greater_equal, "input >= other, elementwise.", "td.tensor([1, 2, 3]) >= 2 -> [False,  True,  True]",
    name="ge", operator="ge", scalars="other", real=True)
# fmt: on
NAN, INFINITE = '[1.0, float("nan")] -> [False,  True]', '[1.0, float("-inf")] -> [False,  True]'
# fmt: off
isnan = unary(np.isnan, "Which elements are not a number.", NAN, inplace=False)
isinf = unary(np.isinf, "Which elements are infinite, of either sign.", INFINITE, inplace=False)
signbit = unary(np.signbit, "Which elements have a minus, -0.0 too.", '[1.0, -0.0] -> [False,  True]', inplace=False,
    real=True)
isfinite = unary(np.isfinite, "Which elements are neither infinite nor not a number.",
    '[1.0, float("inf")] -> [ True, False]', inplace=False)
# fmt: on


@op(np.isneginf, kind="elementwise", differentiable=False, real=True)
def isneginf(input: Array) -> Array:
    """Which elements are minus infinity.

    >>> td.isneginf(td.tensor([1.0, float("inf"), -float("inf")]))
    tensor([False, False,  True])
    """
    return input == -np.inf


@op(np.isposinf, kind="elementwise", differentiable=False, real=True)
def isposinf(input: Array) -> Array:
    """Which elements are plus infinity.

    >>> td.isposinf(td.tensor([1.0, float("inf"), -float("inf")]))
    tensor([False,  True, False])
    """
    return input == np.inf


@op(
    np.isclose,
    kind="elementwise",
    differentiable=False,
    scalars="none",
    errors=[error(ValueError, "0 or more", array(2), array(2), -0.5)],
)
def isclose(input: Array, other: Array, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Array:
    """Where |input - other| <= atol + rtol * |other|.

    Raises:
        ValueError: a tolerance is negative.

    >>> td.isclose(td.tensor([1.0, 2.0]), td.tensor([1.0 + 1e-7, 2.1]))
    tensor([ True, False])
    """
    if not (rtol >= 0 and atol >= 0):
        raise ValueError(f"isclose: got rtol={rtol} and atol={atol}, expected numbers of 0 or more")
    return np.isclose(input, other, rtol, atol, equal_nan)


not_equal = alias("not_equal", ne, inplace=True)
less = alias("less", lt, inplace=True)
less_equal = alias("less_equal", le, inplace=True)
greater = alias("greater", gt, inplace=True)
greater_equal = alias("greater_equal", ge, inplace=True)
