"""What a reduction computes, and in which numbers."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.core.errors import ArgumentError, ArgumentTypeError
from tinygrad_dl.core.promotion import BOOL, FLOAT32, category, is_half
from tinygrad_dl.distributed.mpi import library


class ReduceOp(enum.Enum):
    """How a reduction puts the elements of all ranks together.

    SUM, AVG (the sum divided by the number of ranks: floating and complex numbers), PRODUCT, MIN, MAX (real numbers),
    BAND, BOR, BXOR (bit by bit: integers and bools). Bools are reduced by their truth: SUM and MAX are "any", PRODUCT
    and MIN "all". float16 and bfloat16 are reduced in float32, and rounded once.

    >>> td.distributed.ReduceOp.SUM
    <ReduceOp.SUM: 'SUM'>
    """

    SUM = "SUM"
    AVG = "AVG"
    PRODUCT = "PROD"
    MIN = "MIN"
    MAX = "MAX"
    BAND = "BAND"
    BOR = "BOR"
    BXOR = "BXOR"


BITWISE = (ReduceOp.BAND, ReduceOp.BOR, ReduceOp.BXOR)
OF_BOOLS = {ReduceOp.SUM: ReduceOp.MAX, ReduceOp.PRODUCT: ReduceOp.MIN}  # of their bytes, which are 0 and 1


class Reduction(NamedTuple):
    """A reduction of elements of one dtype.

    Attributes:
        op: MPI's operation.
        carrier: the dtype that is computed in.
        divides: whether the result is divided by the number of ranks.
    """

    op: Any
    carrier: np.dtype[Any]
    divides: bool

    def numbers(self, array: np.ndarray) -> np.ndarray:
        """An array of the carrier's dtype as MPI is given it."""
        return array.view(np.uint8) if array.dtype == BOOL else array

    def finish(self, array: np.ndarray, size: int) -> None:
        """Divides the sums over `size` ranks, if that is asked for."""
        if self.divides:
            array /= size


def reduction(op: Any, dtype: np.dtype[Any], name: str) -> Reduction:
    """How elements of a dtype are reduced.

    Raises:
        TypeError: `op` is none of ReduceOp. ValueError: it is not defined for these numbers.
    """
    if not isinstance(op, ReduceOp):
        raise ArgumentTypeError(f"{name}: got op={op!r}, expected one of ReduceOp, such as td.distributed.ReduceOp.SUM")
    kind = category(dtype)
    if op in BITWISE and kind > 1:
        raise ArgumentError(f"{name}: got ReduceOp.{op.name} of dtype {dtype}, expected integers or bools")
    if op in (ReduceOp.MIN, ReduceOp.MAX) and kind == 3:
        raise ArgumentError(f"{name}: got ReduceOp.{op.name} of dtype {dtype}, expected real numbers")
    if op is ReduceOp.AVG and kind < 2:
        raise ArgumentError(
            f"{name}: got ReduceOp.AVG of dtype {dtype}, expected floating or complex numbers; use SUM, and divide"
        )
    divides = op is ReduceOp.AVG
    op = ReduceOp.SUM if divides else OF_BOOLS.get(op, op) if kind == 0 else op
    return Reduction(getattr(library(), op.value), FLOAT32 if is_half(dtype) else dtype, divides)
