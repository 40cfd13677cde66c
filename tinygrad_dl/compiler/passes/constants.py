"""What is the same in every run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_dl.compiler.arrays import memory_of, shown
from tinygrad_dl.compiler.passes.uses import flat, moved_scalars, on_other_views, visible, whole, with_calls
from tinygrad_dl.compiler.program import Buffer, Call, Constant, Items, Operand, Program, Scalar, View


def with_constants(program: Program) -> Program:
    """The program without the calls whose results are the same in every run: they are made now.

    A call is of this kind if all that it reads is constant: numbers in the source, memory that is `fixed`, and what
    calls of this kind make. What it makes becomes memory that lives on, if no other call writes there.
    """
    folding = _Folding(program)
    kept: list[Call] = []
    boundary = program.boundary
    for i, call in enumerate(program.calls):
        if i == program.boundary:
            boundary = len(kept)
        if not folding.made(call):
            kept.append(call)
    if len(kept) == len(program.calls):
        return program
    calls = [moved_scalars(on_other_views(call, folding.move), folding.numbers) for call in kept]
    return with_calls(replace(program, results=[folding.result(r) for r in program.results]), calls, boundary)


class _Folding:
    """The constants found so far."""

    def __init__(self, program: Program):
        self.writers = Counter(view.buffer for call in flat(program.calls) for view in call.writes())
        self.visible = visible(program)
        self.fixed = {buffer for buffer in program.buffers if buffer.fixed and not self.writers[buffer]}
        self.places: dict[Buffer, Buffer] = {}
        self.numbers: dict[str, Any] = {}

    def move(self, view: View) -> View:
        return view._replace(buffer=self.places.get(view.buffer, view.buffer))

    def result(self, result: Any) -> Any:
        found = self.numbers.get(result.name) if type(result) is Scalar else None
        return result if found is None else Constant(found)

    def made(self, call: Call) -> bool:
        """Whether a call is made now, once and for all."""
        if call.form not in ("ufunc", "reduce", "function", "scalar") or call.effect or call.out is None:
            return False
        if not all(map(self.constant, (*call.arguments, *call.options.values()))):
            return False
        call = on_other_views(call, self.move)
        out = call.out
        if type(out) is View:
            buffer = out.buffer
            if buffer.kind != "inside" or self.writers[buffer] != 1 or buffer in self.visible or not whole(out):
                return False
        elif type(out) is not Scalar:
            return False
        arguments = [self.value(operand) for operand in call.arguments]
        options = {name: self.value(option) for name, option in call.options.items()}
        with np.errstate(all="ignore"):
            value = (call.function.reduce if call.form == "reduce" else call.function)(*arguments, **options)
        if type(out) is Scalar:
            self.numbers[out.name] = value
            return True
        assert type(out) is View
        memory = np.empty(out.buffer.nbytes, np.uint8)
        shown(out, memory)[...] = value
        address = memory.__array_interface__["data"][0]
        made = Buffer(out.buffer.number, "outside", memory.nbytes, address, memory, "constant", fixed=True)
        self.places[out.buffer] = made
        self.fixed.add(made)
        return True

    def constant(self, operand: Operand) -> bool:
        if type(operand) is View:
            return self.places.get(operand.buffer, operand.buffer) in self.fixed
        if type(operand) is Scalar:
            return operand.name in self.numbers
        if type(operand) is Items:
            return all(map(self.constant, operand.items))
        return True

    def value(self, operand: Operand) -> Any:
        if type(operand) is View:
            return shown(operand, memory_of(operand.buffer))
        if type(operand) is Scalar:
            return self.numbers[operand.name]
        if type(operand) is Items:
            items = [self.value(item) for item in operand.items]
            return slice(*items) if operand.kind is slice else operand.kind(items)
        assert type(operand) is Constant
        return operand.value
