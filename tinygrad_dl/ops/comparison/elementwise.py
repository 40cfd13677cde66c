"""Elementwise comparisons: results that never have a gradient."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import Case, array, broadcasting, error, real
from tinygrad_dl.ops._overload import alias

MISFIT = [error(ValueError, "broadcast", array(2), array(3))]


def pairs() -> Case:
    """Two tensors that broadcast."""
    return broadcasting(real(), real())


@op(np.equal, kind="elementwise", operator="eq", inplace=True, differentiable=False, inputs=pairs(), errors=MISFIT)
def eq(input: Array, other: Array) -> Array:
    """input == other, elementwise.

    >>> td.tensor([1, 2]) == 2
    tensor([False,  True])
    """


@op(np.not_equal, kind="elementwise", operator="ne", inplace=True, differentiable=False, inputs=pairs(), errors=MISFIT)
def ne(input: Array, other: Array) -> Array:
    """input != other, elementwise.

    >>> td.tensor([1, 2]) != 2
    tensor([ True, False])
    """


@op(
    np.less,
    kind="elementwise",
    operator="lt",
    inplace=True,
    differentiable=False,
    real=True,
    inputs=pairs(),
    errors=MISFIT,
)
def lt(input: Array, other: Array) -> Array:
    """input < other, elementwise.

    >>> td.tensor([1, 2]) < 2
    tensor([ True, False])
    """


@op(
    np.less_equal,
    kind="elementwise",
    operator="le",
    inplace=True,
    differentiable=False,
    real=True,
    inputs=pairs(),
    errors=MISFIT,
)
def le(input: Array, other: Array) -> Array:
    """input <= other, elementwise.

    >>> td.tensor([1, 2, 3]) <= 2
    tensor([ True,  True, False])
    """


@op(
    np.greater,
    kind="elementwise",
    operator="gt",
    inplace=True,
    differentiable=False,
    real=True,
    inputs=pairs(),
    errors=MISFIT,
)
def gt(input: Array, other: Array) -> Array:
    """input > other, elementwise.

    >>> td.tensor([1, 2, 3]) > 2
    tensor([False, False,  True])
    """


@op(
    np.greater_equal,
    kind="elementwise",
    operator="ge",
    inplace=True,
    differentiable=False,
    real=True,
    inputs=pairs(),
    errors=MISFIT,
)
def ge(input: Array, other: Array) -> Array:
    """input >= other, elementwise.

    >>> td.tensor([1, 2, 3]) >= 2
    tensor([False,  True,  True])
    """


@op(np.isnan, kind="elementwise", differentiable=False, inputs={"input": real()})
def isnan(input: Array) -> Array:
    """Which elements are not a number.

    >>> td.isnan(td.tensor([1.0, float("nan")]))
    tensor([False,  True])
    """


@op(np.isinf, kind="elementwise", differentiable=False, inputs={"input": real()})
def isinf(input: Array) -> Array:
    """Which elements are infinite, of either sign.

    >>> td.isinf(td.tensor([1.0, float("-inf")]))
    tensor([False,  True])
    """


@op(np.isfinite, kind="elementwise", differentiable=False, inputs={"input": real()})
def isfinite(input: Array) -> Array:
    """Which elements are neither infinite nor not a number.

    >>> td.isfinite(td.tensor([1.0, float("inf")]))
    tensor([ True, False])
    """


@op(np.isclose, kind="elementwise", differentiable=False, inputs=pairs(), errors=MISFIT)
def isclose(input: Array, other: Array, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Array:
    """Where |input - other| <= atol + rtol * |other|.

    >>> td.isclose(td.tensor([1.0, 2.0]), td.tensor([1.0 + 1e-7, 2.1]))
    tensor([ True, False])
    """
    return np.isclose(input, other, rtol, atol, equal_nan)


not_equal = alias("not_equal", ne, inplace=True)
less = alias("less", lt, inplace=True)
less_equal = alias("less_equal", le, inplace=True)
greater = alias("greater", gt, inplace=True)
greater_equal = alias("greater_equal", ge, inplace=True)
