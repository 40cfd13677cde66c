"""Bitwise operations: on integers bit by bit, on bools logical."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, boolean, broadcasting, error, integers

BITS = [broadcasting(boolean(), boolean()), broadcasting(integers(), integers())]
FLOATS = [error(TypeError, "not supported", array(2), array(2))]


@op(np.bitwise_and, kind="elementwise", operator="and", inplace=True, differentiable=False, inputs=BITS, errors=FLOATS)
def bitwise_and(input: Array, other: Array) -> Array:
    """input & other: of integers bit by bit, of bools their "and".

    >>> td.tensor([True, True]) & td.tensor([True, False])
    tensor([ True, False])
    """


@op(np.bitwise_or, kind="elementwise", operator="or", inplace=True, differentiable=False, inputs=BITS, errors=FLOATS)
def bitwise_or(input: Array, other: Array) -> Array:
    """input | other: of integers bit by bit, of bools their "or".

    >>> td.tensor([6, 8]) | 1
    tensor([7, 9])
    """


@op(np.bitwise_xor, kind="elementwise", operator="xor", inplace=True, differentiable=False, inputs=BITS, errors=FLOATS)
def bitwise_xor(input: Array, other: Array) -> Array:
    """input ^ other: of integers bit by bit, of bools whether they differ.

    >>> td.tensor([6, 7]) ^ 1
    tensor([7, 6])
    """


@op(
    np.invert,
    kind="elementwise",
    operator="invert",
    inplace=True,
    differentiable=False,
    inputs=[{"input": boolean()}, {"input": integers()}],
    errors=[error(TypeError, "not supported", array(2))],
)
def bitwise_not(input: Array) -> Array:
    """~input: of integers every bit, of bools "not".

    >>> ~td.tensor([True, False])
    tensor([False,  True])
    """
