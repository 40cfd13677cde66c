"""Logical operations: nonzero is true."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import boolean, broadcasting
from tinygrad_dl.ops.comparison.elementwise import MISFIT

TRUTHS = broadcasting(boolean(), boolean())


@op(np.logical_and, kind="elementwise", inplace=True, differentiable=False, promote=False, inputs=TRUTHS, errors=MISFIT)
def logical_and(input: Array, other: Array) -> Array:
    """Whether both are nonzero, elementwise.

    >>> td.logical_and(td.tensor([0, 1, 2]), td.tensor([1, 0, 1]))
    tensor([False, False,  True])
    """


@op(np.logical_or, kind="elementwise", inplace=True, differentiable=False, promote=False, inputs=TRUTHS, errors=MISFIT)
def logical_or(input: Array, other: Array) -> Array:
    """Whether either is nonzero, elementwise.

    >>> td.logical_or(td.tensor([0, 1, 0]), td.tensor([1, 0, 0]))
    tensor([ True,  True, False])
    """


@op(np.logical_xor, kind="elementwise", inplace=True, differentiable=False, promote=False, inputs=TRUTHS, errors=MISFIT)
def logical_xor(input: Array, other: Array) -> Array:
    """Whether exactly one is nonzero, elementwise.

    >>> td.logical_xor(td.tensor([0, 1, 1]), td.tensor([1, 0, 1]))
    tensor([ True,  True, False])
    """


@op(np.logical_not, kind="elementwise", inplace=True, differentiable=False, inputs={"input": boolean()})
def logical_not(input: Array) -> Array:
    """Whether it is zero, elementwise.

    >>> td.logical_not(td.tensor([0, 1, 2]))
    tensor([ True, False, False])
    """
