"""Logical operations: nonzero is true."""

from __future__ import annotations

import functools

import numpy as np

from tinygrad_dl.inputs import boolean
from tinygrad_dl.ops._rows import binary, unary

TRUTH = boolean()
of_two = functools.partial(binary, inputs=(TRUTH, TRUTH), promote=False, scalars="none")
# fmt: off
logical_and = of_two(np.logical_and, "Whether both are nonzero, elementwise.",
    "[0, 1, 2] [1, 0, 1] -> [False, False,  True]")
logical_or = of_two(np.logical_or, "Whether either is nonzero, elementwise.",
    "[0, 1, 0] [1, 0, 0] -> [ True,  True, False]")
logical_xor = of_two(np.logical_xor, "Whether exactly one is nonzero, elementwise.",
    "[0, 1, 1] [1, 0, 1] -> [ True,  True, False]")
logical_not = unary(np.logical_not, "Whether it is zero, elementwise.", "[0, 1, 2] -> [ True, False, False]",
    inputs=TRUTH)
# fmt: on
