"""From a program to a Python function over NumPy arrays, whose source can be read and saved."""

from __future__ import annotations

import itertools
import linecache
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.compiler.program import Buffer, Program
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

    def __init__(self, program: Program, text: Text, memory: np.ndarray):
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
        self.function: Callable[..., tuple[Any, ...] | None] = scope[text.functions[0]]
        self.backward: Callable[..., tuple[Any, ...] | None] | None = None
        if len(text.functions) > 1:
            self.backward = scope[text.functions[1]]
        lines = self.source.splitlines(keepends=True)
        linecache.cache[self.filename] = len(self.source), None, lines, self.filename  # tracebacks show it
        weakref.finalize(self, linecache.cache.pop, self.filename, None)

    def save(self, path: Any) -> None:
        """Writes the program as a file that runs with NumPy alone."""
        from tinygrad_dl.compiler.writing.saving import save

        save(self, path)

    def array(self, buffer: Buffer) -> np.ndarray:
        """The array by which the text introduces a buffer."""
        array: np.ndarray = self.function.__globals__[self.names[buffer]]
        return array


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
    return Written(program, Module(program, layout, memory).text(), memory)
