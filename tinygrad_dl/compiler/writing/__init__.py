"""From a program to a Python function over NumPy arrays, whose source can be read and saved."""

from __future__ import annotations

import itertools
import linecache
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.blas import single
from tinygrad_dl.backends.gemm import SHORT, SMALL
from tinygrad_dl.compiler.passes.uses import flat
from tinygrad_dl.compiler.program import Buffer, Call, Program, View
from tinygrad_dl.compiler.writing.helpers import Stopped, aligned, array_in, at_once, number, strided
from tinygrad_dl.compiler.writing.layout import laid_out
from tinygrad_dl.compiler.writing.module import Module, Text

__all__ = ["Stopped", "Written", "write"]

_count = itertools.count(1)


class Written:
    """A program that can be run, read and saved.

    Attributes:
        function: takes the arguments and the numbers of the program, returns its results as a tuple; raises `Stopped`
            where a guard does not hold, with all memory that lives on as it was. Arrays that it returns are new, but
            for arguments and memory that lives on.
        backward: the function of the backward pass, of a program with a boundary; else None.
        source: its text.
        arena: the bytes of memory for what is made on the way.
        names: how the text calls the array of each buffer.
    """

    def __init__(self, program: Program, text: Text, memory: np.ndarray, offsets: dict[Buffer, int]):
        self.memory, self.offsets = memory, offsets
        self.program, self.text, self.source, self.arena, self.names = (
            program,
            text,
            text.source,
            memory.nbytes,
            text.arrays,
        )
        self.filename = f"<tinygrad_dl {program.name or 'step'} {next(_count)}>"
        scope: dict[str, Any] = {
            "__name__": self.filename,
            "array": array_in(memory),
            "at_once": at_once,
            "number": number,
            "outside": text.outside,
            "Stopped": Stopped,
            "strided": strided,
            **text.things,
        }
        exec(compile(self.source, self.filename, "exec"), scope)
        functions = [surrounded(scope[name], program) for name in text.functions]
        self.function: Callable[..., tuple[Any, ...] | None] = functions[0]
        self.backward: Callable[..., tuple[Any, ...] | None] | None = functions[1] if len(functions) > 1 else None
        lines = self.source.splitlines(keepends=True)
        linecache.cache[self.filename] = len(self.source), None, lines, self.filename  # tracebacks show it
        weakref.finalize(self, linecache.cache.pop, self.filename, None)

    def save(self, path: Any) -> None:
        """Writes the program as a file that runs with NumPy alone."""
        from tinygrad_dl.compiler.writing.saving import save

        save(self, path)

    def array(self, buffer: Buffer) -> np.ndarray:
        """The bytes of a `kept` buffer, wherever passes have moved it, or of another one of the program's own."""
        place = self.program.places.get(buffer)
        offset = self.offsets[buffer] if place is None else self.offsets[place.buffer] + place.offset
        return self.memory[offset : offset + buffer.nbytes]


def surrounded(function: Callable[..., Any], program: Program) -> Callable[..., Any]:
    """The function, within what the library computes in: products on one thread each, where NumPy warns of nothing."""
    products = [call for call in flat(program.calls) if call.form == "product"]
    alone = all(small(call) for call in products)
    if alone and not program.errstate:
        return function

    def run(*arguments: Any) -> Any:
        with single:
            if not program.errstate:
                return function(*arguments)
            with np.errstate(all="ignore"):
                return function(*arguments)

    return run


def small(product: Call) -> bool:
    """Whether the BLAS computes a product on one thread anyway."""
    a, b = (view for view in product.arguments if type(view) is View)
    if len(a.shape) != 2 or len(b.shape) != 2:
        return math.prod(a.shape) + math.prod(b.shape) <= SHORT
    return math.prod(a.shape) * b.shape[1] <= (SMALL if 1 not in (a.shape[0], b.shape[1]) else SHORT)


def write(program: Program) -> Written:
    """The program, after all passes, as a function with a source.

    >>> from tinygrad_dl.compiler.program import Program
    >>> from tinygrad_dl.compiler.writing import write
    >>> print(write(Program("step")).source)
    def step():
        \"\"\"Changes the memory that lives on.\"\"\"
    <BLANKLINE>
    """
    layout = laid_out(program)
    memory = aligned(layout.nbytes)
    return Written(program, Module(program, layout, memory).text(), memory, layout.offsets)
