"""Runs a recorded program call after call, as naively as can be: what optimised and written programs must equal.

>>> results = interpret(program, [x, y])
"""

from __future__ import annotations

import numpy as np

from tinygrad_dl.compiler.arrays import memory_of, shown
from tinygrad_dl.compiler.program import Call, Constant, Items, Program, Scalar, View


class Stopped(Exception):
    """A guard did not hold; all memory that lives on is as it was before the run, and so are the generators."""


def interpret(program: Program, arguments=(), numbers=None, *, fill=0):
    """The results of one run, new arrays, in order; the memory of "outside" buffers is changed in place.

    Arguments that the program writes to are changed too.

    Args:
        program: what to run. arguments: an array for each of `program.arguments`, of its shape and dtype.
        numbers: a value for each of `program.numbers`; None: what their `read` returns.
        fill: the byte that memory made by the step is filled with before.

    Raises:
        Stopped: a guard did not hold.
    """
    run = Run(program, fill)
    values = [number.read() for number in program.numbers] if numbers is None else numbers
    run.scalars = {number.scalar.name: value for number, value in zip(program.numbers, values, strict=True)}
    generators = [value for value in values if isinstance(value, np.random.Generator)]
    states = [generator.bit_generator.state for generator in generators]
    before = [(memory, memory.copy()) for memory in run.lasting]
    for view, array in zip(program.arguments, arguments, strict=True):
        run.array(view)[...] = array
    try:
        run.all(program.calls)
    except Stopped:
        for memory, copy in before:
            if memory.tobytes() != copy.tobytes():
                memory[:] = copy
        for generator, state in zip(generators, states, strict=True):
            generator.bit_generator.state = state
        raise
    written = {view.buffer for call in program.calls for view in call.writes()}
    for view, array in zip(program.arguments, arguments, strict=True):
        if view.buffer in written:
            array[...] = run.array(view)
    return [result.copy() if isinstance(result, np.ndarray) else result for result in map(run.value, program.results)]


class Run:
    """The memory and the numbers of one run."""

    def __init__(self, program: Program, fill: int):
        self.scalars, self.memory, self.lasting = {}, {}, []
        for buffer in program.buffers:
            if buffer.kind == "outside":
                self.memory[buffer] = memory_of(buffer)
                self.lasting.append(self.memory[buffer])
            else:
                self.memory[buffer] = np.full(buffer.nbytes, fill, np.uint8)

    def array(self, view: View) -> np.ndarray:
        return shown(view, self.memory[view.buffer])

    def value(self, operand):
        if isinstance(operand, View):
            return self.array(operand)
        if isinstance(operand, Scalar):
            return self.scalars[operand.name]
        if isinstance(operand, Items):
            items = [self.value(item) for item in operand.items]
            return slice(*items) if operand.kind is slice else operand.kind(items)
        assert isinstance(operand, Constant), operand
        return operand.value

    def all(self, calls: list[Call]) -> None:
        for call in calls:
            self.one(call)

    def one(self, call: Call) -> None:
        if call.form == "lanes":
            for lane in call.lanes:
                self.all(lane)
            return
        arguments = [self.value(argument) for argument in call.arguments]
        options = {name: self.value(option) for name, option in call.options.items()}
        if call.form == "guard":
            if bool(call.function(*arguments, **options)) is not call.expected:
                raise Stopped(call.place)
        elif call.form == "write":
            call.function(*arguments, **options)
        elif call.form in ("ufunc", "reduce"):
            function = call.function.reduce if call.form == "reduce" else call.function
            if isinstance(call.out, Scalar):
                self.store(call.out, function(*arguments, **options))
            else:
                function(*arguments, out=self.value(call.out), **options)
        else:
            assert call.form in ("product", "function", "scalar"), call.form
            result = call.function(*arguments, **options)
            if call.out is not None:
                self.store(call.out, result)

    def store(self, out, result) -> None:
        if isinstance(out, Scalar):
            self.scalars[out.name] = result
        elif isinstance(out, Items):
            for place, part in zip(out.items, result, strict=True):
                self.store(place, part)
        else:
            array = self.array(out)
            assert array.shape == np.shape(result) and array.dtype == result.dtype, (array, result)
            array[...] = result
