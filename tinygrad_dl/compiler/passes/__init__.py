"""What is made of a recorded step before it is written: passes, each from a program to a program that does the same.

"The same" means bit for bit: the same results, and the same content of all memory that lives on, after each run.
"""

from __future__ import annotations

from tinygrad_dl.compiler.passes.constants import with_constants
from tinygrad_dl.compiler.passes.copies import without_copies
from tinygrad_dl.compiler.passes.dead import without_dead_code
from tinygrad_dl.compiler.passes.order import guards_before_lanes, writes_after_guards
from tinygrad_dl.compiler.passes.repeated import without_repetitions
from tinygrad_dl.compiler.program import Program

__all__ = ["optimized"]

PASSES = (
    without_dead_code,
    with_constants,
    without_repetitions,
    guards_before_lanes,
    writes_after_guards,
    without_copies,
    without_dead_code,
)


def optimized(program: Program) -> Program:
    """The program after all passes; the one given stays as it is."""
    for improve in PASSES:
        program = improve(program)
    return program
