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

    >>> import tinygrad_dl as td
    >>> td.logical_and(td.tensor([0, 1, 2]), td.tensor([1, 0, 1]))
    tensor([False, False,  True])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.logical_and.html
    """


@op(np.logical_or, kind="elementwise", inplace=True, differentiable=False, promote=False, inputs=TRUTHS, errors=MISFIT)
def logical_or(input: Array, other: Array) -> Array:
    """Whether either is nonzero, elementwise.

    >>> import tinygrad_dl as td
    >>> td.logical_or(td.tensor([0, 1, 0]), td.tensor([1, 0, 0]))
    tensor([ True,  True, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.logical_or.html
    """


@op(np.logical_xor, kind="elementwise", inplace=True, differentiable=False, promote=False, inputs=TRUTHS, errors=MISFIT)
def logical_xor(input: Array, other: Array) -> Array:
    """Whether exactly one is nonzero, elementwise.

    >>> import tinygrad_dl as td
    >>> td.logical_xor(td.tensor([0, 1, 1]), td.tensor([1, 0, 1]))
    tensor([ True,  True, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.logical_xor.html
    """


@op(np.logical_not, kind="elementwise", inplace=True, differentiable=False, inputs={"input": boolean()})
def logical_not(input: Array) -> Array:
    """Whether it is zero, elementwise.

    >>> import tinygrad_dl as td
    >>> td.logical_not(td.tensor([0, 1, 2]))
    tensor([ True, False, False])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.logical_not.html
    """
