"""Bitwise operations: on integers bit by bit, on bools logical."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.inputs import array, boolean, error, integers
from tinygrad_dl.ops._rows import binary, unary

BITS = [(boolean(), boolean()), (integers(), integers())]
FLOATS = [error(TypeError, "not supported", array(2), array(2))]
# fmt: off
bitwise_and = binary(np.bitwise_and, 'input & other: of integers bit by bit, of bools their "and".',
    "td.tensor([True, True]) & td.tensor([True, False]) -> [ True, False]", inputs=BITS, errors=FLOATS, operator="and",
    scalars="some")
bitwise_or = binary(np.bitwise_or, 'input | other: of integers bit by bit, of bools their "or".',
    "td.tensor([6, 8]) | 1 -> [7, 9]", inputs=BITS, errors=FLOATS, operator="or",
    scalars="some")
bitwise_xor = binary(np.bitwise_xor, "input ^ other: of integers bit by bit, of bools whether they differ.",
    "td.tensor([6, 7]) ^ 1 -> [7, 6]", inputs=BITS, errors=FLOATS, operator="xor",
    scalars="some")
bitwise_not = unary(np.invert, '~input: of integers every bit, of bools "not".',
    "~td.tensor([True, False]) -> [False,  True]", inputs=[boolean(), integers()],
    errors=[error(TypeError, "not supported", array(2))], name="bitwise_not", operator="invert")
# fmt: on
