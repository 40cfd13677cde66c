"""What is written down of one run: its calls, with the buffers and numbers that they read and make."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_dl.compiler.program import (
    Buffer,
    Call,
    Constant,
    Items,
    Number,
    Operand,
    Program,
    Scalar,
    View,
)
from tinygrad_dl.compiler.recording import policy
from tinygrad_dl.compiler.recording.errors import Refused
from tinygrad_dl.compiler.recording.memory import Memories, owner_of, view_of
from tinygrad_dl.compiler.recording.numbers import (
    NUMBERS,
    TracedComplex,
    TracedFloat,
    TracedInt,
    TracedList,
    plain,
)

Place = tuple[str, int]  # a file and a line

TRACED = {float: TracedFloat, int: TracedInt, complex: TracedComplex}


class Record:
    """The calls of one run, in order."""

    def __init__(self, name: str) -> None:
        self.program = Program(name)
        self.calls = self.program.calls
        self.memories = Memories()
        self.numbers: dict[int, tuple[Any, Scalar]] = {}  # NumPy's numbers that a call made, by id
        self.count = 0
        self.place = ""  # which part of the library computes
        self.where: Place = ("", 0)  # which line of the user's
        self.generators: dict[int, Any] = {}  # those of NumPy, by id -> the library's
        self.drawn: dict[int, Scalar] = {}  # and what they are in the program
        self.in_lane = False
        # The ids of lists, dicts, sets and objects that the step has made: those that were there before have others.
        self.owned: set[int] = set()
        self.keepers: list[tuple[Any, Any, Any, Place]] = []  # what got a tensor, under which name, and in which line
        # Weak references to tensors of which the step sets whether they require gradients, and whether they did before.
        self.required: dict[int, tuple[Any, bool]] = {}
        self.held: set[int] | None = None  # the arrays that modules of the library hold, once looked for
        self.seen: dict[int, Any] = {}  # objects whose arrays are known
        # Calls that make an array of things that are the same in every run, with that array made anew.
        self.constants: list[tuple[Call, Callable[[], np.ndarray]]] = []
        self.errstate = False

    # -- errors ----------------------------------------------------------------------------------

    @property
    def line(self) -> str:
        """The line of the user's that is run: "/home/ann/model.py:12"; "" if it is not known."""
        file, line = self.where
        return f"{file}:{line}" if file else ""

    @contextmanager
    def within(self, place: str) -> Iterator[None]:
        """Inside, calls belong to this part of the library."""
        before, self.place = self.place, place
        try:
            yield
        finally:
            self.place = before

    def refuse(self, reason: str) -> Refused:
        """What is to be raised where a step can't be a program, with the line of the user's that is run."""
        return Refused(reason, os.path.basename(self.line))

    # -- operands --------------------------------------------------------------------------------

    def scalar(self) -> Scalar:
        """A new name for a number."""
        self.count += 1
        return Scalar(f"s{self.count}")

    def is_number(self, value: Any) -> bool:
        """Whether it is a number that differs from run to run."""
        return type(value) in NUMBERS or (isinstance(value, np.generic) and id(value) in self.numbers)

    def depends(self, value: Any) -> bool:
        """Whether a value is or holds arrays, or numbers that differ from run to run."""
        if isinstance(value, np.ndarray):
            return True
        kind = type(value)
        if kind is tuple or kind is list:
            return any(map(self.depends, value))
        if kind is slice:
            return self.depends(value.start) or self.depends(value.stop) or self.depends(value.step)
        return self.is_number(value) or kind is TracedList

    def operand(self, value: Any, read: bool = True) -> Operand:
        """What a value is in the program."""
        if isinstance(value, np.ndarray):
            return self.view(value, read)
        kind = type(value)
        if kind in NUMBERS or kind is TracedList:
            scalar: Scalar = value.scalar
            return scalar
        if isinstance(value, np.generic):
            found = self.numbers.get(id(value))
            return Constant(value) if found is None else found[1]
        if (kind is tuple or kind is list) and self.depends(value):
            return Items(kind, tuple([self.operand(each) for each in value]))
        if kind is slice and self.depends(value):
            return Items(slice, tuple([self.operand(each) for each in (value.start, value.stop, value.step)]))
        return Constant(value)

    def view(self, array: np.ndarray, read: bool = True) -> View:
        """The view that an array is in the program."""
        if array.dtype.hasobject:
            raise self.refuse("got an array of Python objects, expected one of numbers")
        buffer = self.memories.find(array)
        if buffer is None:
            buffer = self.classified(array, read)
        return view_of(array, buffer)

    def classified(self, array: np.ndarray, read: bool) -> Buffer:
        """The buffer of memory that was not met before."""
        owner = owner_of(array)
        if not read:  # the library's own, to be written over; it lives on
            return self.memories.whole(array, "outside", "work array", keep=True)
        if not array.size:
            return self.memories.whole(array, "outside", "", keep=True)
        if self.held_by_library(owner):
            return self.memories.whole(array, "outside", "constant", keep=True)
        raise self.refuse(
            f"{self.place or 'the step'} reads an array of shape {array.shape} that was made outside of the step and "
            "is not known; pass it as an argument, or register it as a parameter or buffer,"
        )

    def held_by_library(self, owner: Any) -> bool:
        """Whether an array is a constant of the library: held by a module, or by a table that a module holds."""
        if self.held is None:
            self.held = {id(owner_of(array)) for module in library_modules() for array in arrays_in(vars(module), 3)}
        return id(owner) in self.held

    def library_constants(self, value: Any) -> None:
        """Notes the arrays in what a cached function of the library has returned, in attributes of objects too."""
        if isinstance(value, np.ndarray):
            if self.memories.find(value) is None:
                self.memories.whole(value, "outside", "constant", keep=True)
        elif isinstance(value, tuple | list | dict):
            for each in value.values() if isinstance(value, dict) else value:
                self.library_constants(each)
        elif policy.of_library(type(value)) and id(value) not in self.seen:
            self.seen[id(value)] = value
            slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
            for each in (*vars(value).values(),) if hasattr(value, "__dict__") else ():
                self.library_constants(each)
            for name in slots:
                self.library_constants(getattr(value, name, None))

    def made(self, array: np.ndarray) -> View:
        """The view of an array that the step has just made."""
        return view_of(array, self.memories.whole(array, "inside"))

    # -- calls -----------------------------------------------------------------------------------

    def add(
        self,
        form: str,
        function: Any,
        arguments: Iterable[Operand] = (),
        options: dict[str, Operand] | None = None,
        out: Operand | None = None,
        **more: Any,
    ) -> None:
        """Writes down a call, under the part of the library and the line of the user's that are known."""
        call = Call(form, function, list(arguments), options or {}, out, place=self.place, line=self.line, **more)
        self.calls.append(call)

    def result(self, value: Any) -> Operand:
        """What a call has returned, as its `out`."""
        if isinstance(value, np.ndarray):
            return self.made(value) if self.memories.find(value) is None else self.view(value, read=False)
        if isinstance(value, tuple | list):
            return Items(tuple, tuple([self.result(each) for each in value]))
        if isinstance(value, np.generic):
            return self.named(value)
        return Constant(value)

    def named(self, value: np.generic) -> Scalar:
        """The name of a number of NumPy's that a call has made."""
        scalar = self.scalar()
        self.numbers[id(value)] = value, scalar
        return scalar

    def computed(self, function: Callable[..., Any], operands: tuple[Any, ...], result: Any) -> Any:
        """Writes down arithmetic of numbers; returns the result as one that is traced."""
        arguments = [self.operand(each) for each in operands]
        if isinstance(result, bool):
            self.add("guard", function, arguments, expected=result)
            return result
        return self.traced("scalar", function, arguments, result)

    def traced(self, form: str, function: Any, arguments: list[Operand], result: Any, **more: Any) -> Any:
        """Writes down a call that returns a number; returns it as one that is traced."""
        if isinstance(result, np.generic):
            self.add(form, function, arguments, out=self.named(result), **more)
            return result
        kind = TRACED.get(type(result))
        if kind is None:
            raise self.refuse(f"{self.place or 'the step'} computes {result!r:.40} of numbers, expected a number")
        value = kind(result)
        value.scalar = self.scalar()
        self.add(form, function, arguments, out=value.scalar, **more)
        return value

    def listed(self, array: np.ndarray, values: list[Any]) -> Any:
        """The numbers of an array of one dimension, as `tolist` gives them, traced."""
        if array.ndim != 1 or not values or type(values[0]) not in TRACED:
            raise self.refuse("tolist asks an array for its numbers")
        if len(values) == 1:
            return [self.traced("function", np.ndarray.item, [self.view(array)], values[0])]
        scalar = self.scalar()
        self.add("function", np.ndarray.tolist, [self.view(array)], out=scalar)
        found = TracedList(
            [self.traced("scalar", operator.getitem, [scalar, Constant(i)], each) for i, each in enumerate(values)]
        )
        found.scalar = scalar
        return found

    def constant(self, view: View, make: Callable[[], np.ndarray], source: Any) -> None:
        """Writes down the making of an array that is the same in every run: `make` gives another one."""
        self.add("write", np.copyto, [view, Constant(source)], {"casting": Constant("unsafe")})
        self.constants.append((self.calls[-1], make))

    def guard(self, function: Any, arguments: list[Operand], expected: bool = True) -> None:
        """Writes down a condition: where it does not hold, the run ends and the step is done again eagerly."""
        self.add("guard", function, arguments, expected=expected)

    def truth(self, value: Any) -> bool:
        """The truth of a number that differs from run to run, which is then the same in every run of the program."""
        found = bool(plain(value))
        self.guard(operator.truth, [self.operand(value)], found)
        return found

    def fixed(self, value: Any) -> Any:
        """A number where an ordinary one is needed; a guard sees to it that it is the same in every run."""
        if self.is_number(value):
            self.guard(operator.eq, [self.operand(value), Constant(plain(value))])
        return plain(value)

    def number(self, value: Any, read: Callable[[], Any], name: str) -> Any:
        """A number that is read before each run."""
        kind = TRACED.get(type(value))
        if kind is None:
            return value
        made = kind(value)
        made.scalar = Scalar(f"n{len(self.program.numbers)}")
        self.program.numbers.append(Number(made.scalar, read, name))
        return made

    def generator(self, rng: np.random.Generator) -> Scalar:
        """A generator of random numbers, which is read before each run."""
        if id(rng) not in self.drawn:
            ours = self.generators.get(id(rng))
            if ours is None:
                raise self.refuse("random numbers are drawn from a generator that is not one of td.Generator")
            scalar = Scalar(f"n{len(self.program.numbers)}")
            self.program.numbers.append(Number(scalar, lambda: ours.rng, "generator"))
            self.drawn[id(rng)] = scalar
        return self.drawn[id(rng)]


def library_modules() -> list[Any]:
    return [module for name, module in tuple(sys.modules.items()) if name.partition(".")[0] == "tinygrad_dl"]


TABLES = (dict, tuple, list, np.ndarray)


def arrays_in(value: Any, depth: int) -> Iterator[np.ndarray]:
    """The arrays in a table, and in tables in it."""
    if isinstance(value, np.ndarray):
        yield value
    elif depth and len(value) < 1000:
        for each in tuple(value.values()) if isinstance(value, dict) else value:
            if isinstance(each, TABLES):
                yield from arrays_in(each, depth - 1)
