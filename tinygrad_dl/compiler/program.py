"""What a recorded step is: calls of NumPy's functions, in order, on views of buffers.

A recorder makes a `Program`; passes change its list of calls; the writer turns it into the source of a Python
function. Between them there is nothing but the classes of this file.

Memory is described, not held by arrays: a `Buffer` is one piece of it, a `View` some elements of a buffer. So two
arrays that show the same memory are views of one buffer, and reshaping, slicing or transposing needs no call at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


@dataclass(slots=True, eq=False)
class Buffer:
    """A piece of memory that views show.

    Its kind is one of
    "argument": the memory of a tensor or array given to the step, filled anew for each run;
    "outside": memory that lives on and was there before, such as a parameter, the state of an optimiser or a constant;
    "scratch": memory of the library's own to be written over: nobody looks at it after a run;
    "inside": memory that the step makes, which the program lays out as it likes.
    """

    number: int
    kind: str
    nbytes: int
    address: int
    owner: Any  # what keeps the memory alive while the program is made; for memory that lives on, afterwards too
    name: str = ""  # what the source calls it: "weight of 0", "exp_avg", "x"
    kept: bool = False  # whether somebody may look at it after the run, such as a gradient or a result
    fixed: bool = False  # whether its content is the same in all runs, as nobody writes there


class View(NamedTuple):
    """Elements of a buffer: the first one's distance from its beginning, in bytes, and those between them."""

    buffer: Buffer
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]


class Scalar(NamedTuple):
    """A number that differs from run to run: what a call returns, or one of the program's `numbers`."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """Anything that is the same in every run: a number, a dtype, an axis, a function."""

    value: Any


class Items(NamedTuple):
    """A tuple, list or slice of operands."""

    kind: type
    items: tuple[Operand, ...]


Operand = View | Scalar | Constant | Items


@dataclass(slots=True, eq=False)
class Call:
    """One line of the program.

    Its form is one of
    "ufunc": function(*arguments, out=out, **options), of a NumPy ufunc; out: a View, a Scalar, or Items of Views;
    "reduce": function.reduce(arguments[0], out=out, **options), of a NumPy ufunc;
    "product": numpy.matmul or numpy.dot of two arguments into `out`;
    "function": a function that returns what `out` then holds (Items: several), or, with "out" in `takes`, writes it
        there itself;
    "write": a function that changes its first argument, such as numpy.copyto, and gives nothing back;
    "scalar": Python's arithmetic; `function` is from the module `operator`, `out` a Scalar;
    "guard": the run goes on only if function(*arguments) is truly `expected`, else the step is done over, eagerly;
    "lanes": the lists of calls in `lanes` may run at the same time.

    A call that draws random numbers has `effect`, and its generator as first argument: one of the program's `numbers`,
    so that another generator may draw in the next run, and so that a failed guard can set it back.
    """

    form: str
    function: Any
    arguments: list[Operand] = field(default_factory=list)
    options: dict[str, Operand] = field(default_factory=dict)
    out: Operand | None = None
    expected: bool = True
    takes: tuple[str, ...] = ()
    effect: bool = False  # whether it must stay though nobody reads its result: it advances a random generator
    lanes: list[list[Call]] = field(default_factory=list)
    place: str = ""  # where the library makes the call: "linear, backward"
    line: str = ""  # the line of the user's program that it belongs to: "/home/ann/model.py:12"

    def reads(self) -> list[View]:
        """The views whose elements it reads."""
        if self.form == "lanes":
            return [view for lane in self.lanes for call in lane for view in call.reads()]
        operands = [*self.arguments, *self.options.values()]
        if self.form == "write" and self.function is np.copyto and "where" not in self.options:
            operands = operands[1:]
        return [view for operand in operands for view in views_in(operand)]

    def writes(self) -> list[View]:
        """The views whose elements it changes."""
        if self.form == "lanes":
            return [view for lane in self.lanes for call in lane for view in call.writes()]
        if self.form == "write":
            return list(views_in(self.arguments[0]))
        return [] if self.out is None else list(views_in(self.out))


def views_in(operand: Operand) -> Iterator[View]:
    """The views of an operand, those inside tuples, lists and slices too."""
    if type(operand) is View:
        yield operand
    elif type(operand) is Items:
        for item in operand.items:
            yield from views_in(item)


@dataclass(slots=True, eq=False)
class Number:
    """What is read before each run: a learning rate, say, a number given to the step, or a `numpy.random.Generator`."""

    scalar: Scalar
    read: Callable[[], Any]
    name: str  # "lr of group 0", "generator"


@dataclass(slots=True, eq=False)
class Program:
    """A recorded step."""

    name: str
    calls: list[Call] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    numbers: list[Number] = field(default_factory=list)
    arguments: list[View] = field(default_factory=list)  # the arrays given to the step, in order
    results: list[View | Scalar | Constant] = field(default_factory=list)  # the arrays that it returns, in order
    titles: list[tuple[View, str]] = field(default_factory=list)  # names of views, such as parameters in one memory
    places: dict[Buffer, View] = field(default_factory=dict)  # where passes have moved buffers that are `kept`
    errstate: bool = False  # whether parts of it belong under numpy.errstate(all="ignore"): then all of it is
    # Of a function whose backward pass is run on its own: how many of the calls are the forward pass, how many of the
    # arguments, the last ones, are given to the backward pass, and how many of the results, the last ones, it returns.
    boundary: int | None = None
    seeds: int = 0
    gradients: int = 0
