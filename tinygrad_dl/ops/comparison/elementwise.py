"""Comparisons and logic: results that never have a gradient."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor, as_array
from tinygrad_dl.inputs import Case, array, boolean, broadcasting, error, integers, real
from tinygrad_dl.ops._overload import alias

MISFIT = [error(ValueError, "broadcast", array(2), array(3))]


def pairs() -> Case:
    """Two tensors that broadcast."""
    return broadcasting(real(), real())


@op(np.equal, operator="eq", inplace=True, differentiable=False, inputs=pairs(), errors=MISFIT)
def eq(input: Array, other: Array) -> Array:
    """input == other, elementwise.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2]) == 2
    tensor([False,  True])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.eq.html
    """


@op(np.not_equal, operator="ne", inplace=True, differentiable=False, inputs=pairs(), errors=MISFIT)
def ne(input: Array, other: Array) -> Array:
    """input != other, elementwise.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2]) != 2
    tensor([ True, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.ne.html
    """


@op(np.less, operator="lt", inplace=True, differentiable=False, real=True, inputs=pairs(), errors=MISFIT)
def lt(input: Array, other: Array) -> Array:
    """input < other, elementwise.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2]) < 2
    tensor([ True, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.lt.html
    """


@op(np.less_equal, operator="le", inplace=True, differentiable=False, real=True, inputs=pairs(), errors=MISFIT)
def le(input: Array, other: Array) -> Array:
    """input <= other, elementwise.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2, 3]) <= 2
    tensor([ True,  True, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.le.html
    """


@op(np.greater, operator="gt", inplace=True, differentiable=False, real=True, inputs=pairs(), errors=MISFIT)
def gt(input: Array, other: Array) -> Array:
    """input > other, elementwise.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2, 3]) > 2
    tensor([False, False,  True])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.gt.html
    """


@op(np.greater_equal, operator="ge", inplace=True, differentiable=False, real=True, inputs=pairs(), errors=MISFIT)
def ge(input: Array, other: Array) -> Array:
    """input >= other, elementwise.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2, 3]) >= 2
    tensor([False,  True,  True])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.ge.html
    """


# -- logic: any dtype, nonzero is true --------------------------------------------------------------

TRUTHS = broadcasting(boolean(), boolean())


@op(np.logical_and, inplace=True, differentiable=False, promote=False, inputs=TRUTHS, errors=MISFIT)
def logical_and(input: Array, other: Array) -> Array:
    """Whether both are nonzero, elementwise.

    >>> import tinygrad_dl as td
    >>> td.logical_and(td.tensor([0, 1, 2]), td.tensor([1, 0, 1]))
    tensor([False, False,  True])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.logical_and.html
    """


@op(np.logical_or, inplace=True, differentiable=False, promote=False, inputs=TRUTHS, errors=MISFIT)
def logical_or(input: Array, other: Array) -> Array:
    """Whether either is nonzero, elementwise.

    >>> import tinygrad_dl as td
    >>> td.logical_or(td.tensor([0, 1, 0]), td.tensor([1, 0, 0]))
    tensor([ True,  True, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.logical_or.html
    """


@op(np.logical_xor, inplace=True, differentiable=False, promote=False, inputs=TRUTHS, errors=MISFIT)
def logical_xor(input: Array, other: Array) -> Array:
    """Whether exactly one is nonzero, elementwise.

    >>> import tinygrad_dl as td
    >>> td.logical_xor(td.tensor([0, 1, 1]), td.tensor([1, 0, 1]))
    tensor([ True,  True, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.logical_xor.html
    """


@op(np.logical_not, inplace=True, differentiable=False, inputs={"input": boolean()})
def logical_not(input: Array) -> Array:
    """Whether it is zero, elementwise.

    >>> import tinygrad_dl as td
    >>> td.logical_not(td.tensor([0, 1, 2]))
    tensor([ True, False, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.logical_not.html
    """


# -- bits: integers and bools ------------------------------------------------------------------------

BITS = [broadcasting(boolean(), boolean()), broadcasting(integers(), integers())]
FLOATS = [error(TypeError, "not supported", array(2), array(2))]


@op(np.bitwise_and, operator="and", inplace=True, differentiable=False, inputs=BITS, errors=FLOATS)
def bitwise_and(input: Array, other: Array) -> Array:
    """input & other: of integers bit by bit, of bools their "and".

    >>> import tinygrad_dl as td
    >>> td.tensor([True, True]) & td.tensor([True, False])
    tensor([ True, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.bitwise_and.html
    """


@op(np.bitwise_or, operator="or", inplace=True, differentiable=False, inputs=BITS, errors=FLOATS)
def bitwise_or(input: Array, other: Array) -> Array:
    """input | other: of integers bit by bit, of bools their "or".

    >>> import tinygrad_dl as td
    >>> td.tensor([6, 8]) | 1
    tensor([7, 9])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.bitwise_or.html
    """


@op(np.bitwise_xor, operator="xor", inplace=True, differentiable=False, inputs=BITS, errors=FLOATS)
def bitwise_xor(input: Array, other: Array) -> Array:
    """input ^ other: of integers bit by bit, of bools whether they differ.

    >>> import tinygrad_dl as td
    >>> td.tensor([6, 7]) ^ 1
    tensor([7, 6])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.bitwise_xor.html
    """


@op(
    np.invert,
    operator="invert",
    inplace=True,
    differentiable=False,
    inputs=[{"input": boolean()}, {"input": integers()}],
    errors=[error(TypeError, "not supported", array(2))],
)
def bitwise_not(input: Array) -> Array:
    """~input: of integers every bit, of bools "not".

    >>> import tinygrad_dl as td
    >>> ~td.tensor([True, False])
    tensor([False,  True])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.bitwise_not.html
    """


# -- special values ----------------------------------------------------------------------------------


@op(np.isnan, differentiable=False, inputs={"input": real()})
def isnan(input: Array) -> Array:
    """Which elements are not a number.

    >>> import tinygrad_dl as td
    >>> td.isnan(td.tensor([1.0, float("nan")]))
    tensor([False,  True])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.isnan.html
    """


@op(np.isinf, differentiable=False, inputs={"input": real()})
def isinf(input: Array) -> Array:
    """Which elements are infinite, of either sign.

    >>> import tinygrad_dl as td
    >>> td.isinf(td.tensor([1.0, float("-inf")]))
    tensor([False,  True])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.isinf.html
    """


@op(np.isfinite, differentiable=False, inputs={"input": real()})
def isfinite(input: Array) -> Array:
    """Which elements are neither infinite nor not a number.

    >>> import tinygrad_dl as td
    >>> td.isfinite(td.tensor([1.0, float("inf")]))
    tensor([ True, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.isfinite.html
    """


@op(np.isclose, differentiable=False, inputs=pairs(), errors=MISFIT)
def isclose(input: Array, other: Array, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Array:
    """Where |input - other| <= atol + rtol * |other|.

    >>> import tinygrad_dl as td
    >>> td.isclose(td.tensor([1.0, 2.0]), td.tensor([1.0 + 1e-7, 2.1]))
    tensor([ True, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.isclose.html
    """
    return np.isclose(input, other, rtol, atol, equal_nan)


@composition
def allclose(input: Array, other: Array, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether `isclose` holds for all elements; a Python bool.

    >>> import tinygrad_dl as td
    >>> td.allclose(td.tensor([1.0]), td.tensor([1.0 + 1e-7]))
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.allclose.html
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._data.all())


@composition
def equal(input: Array, other: Array) -> bool:
    """Whether two tensors have the same shape and elements; a Python bool.

    >>> import tinygrad_dl as td
    >>> td.equal(td.tensor([1, 2]), td.tensor([1, 2]))
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.equal.html
    """
    return bool(np.array_equal(as_array(input), as_array(other)))


@composition
def is_nonzero(input: Tensor) -> bool:
    """Whether the one element of a tensor is not zero.

    >>> import tinygrad_dl as td
    >>> td.is_nonzero(td.tensor([0.0]))
    False

    Source: https://docs.pytorch.org/docs/stable/generated/torch.is_nonzero.html
    """
    return bool(input)


alias("allclose", allclose)
alias("equal", equal)
alias("is_nonzero", is_nonzero)
not_equal = alias("not_equal", ne, inplace=True)
less = alias("less", lt, inplace=True)
less_equal = alias("less_equal", le, inplace=True)
greater = alias("greater", gt, inplace=True)
greater_equal = alias("greater_equal", ge, inplace=True)
