"""What passes ask of calls and views: which bytes, which numbers, and the same call on other memory."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_dl.compiler.program import Buffer, Call, Constant, Items, Operand, Program, Scalar, View, views_in

# Functions that refuse indices out of range.
LOOKING_UP = (
    operator.getitem,
    operator.setitem,
    np.take,
    np.ndarray.take,
    np.take_along_axis,
    np.put_along_axis,
)


def span(view: View) -> tuple[int, int]:
    """Its first byte and the one past its last, counted from the beginning of the buffer."""
    first = last = view.offset
    for size, stride in zip(view.shape, view.strides, strict=True):
        if stride < 0:
            first += (size - 1) * stride
        else:
            last += (size - 1) * stride
    return first, last + view.dtype.itemsize


def overlap(one: View, other: View) -> bool:
    """Whether they may have elements in common: their spans do."""
    if one.buffer is not other.buffer or 0 in one.shape or 0 in other.shape:
        return False
    first, last = span(one)
    start, stop = span(other)
    return first < stop and start < last


def nbytes(view: View) -> int:
    """The bytes of its elements, those shown several times counted each time."""
    return math.prod(view.shape) * view.dtype.itemsize


def contiguous(view: View) -> bool:
    """Whether its elements lie in rows, one behind the other."""
    step = view.dtype.itemsize
    for size, stride in zip(reversed(view.shape), reversed(view.strides), strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return True


def dense(view: View) -> bool:
    """Whether its elements fill a range of bytes, in any order, each shown once."""
    first, last = span(view)
    if last - first != nbytes(view) or 0 in view.shape:
        return False
    step = view.dtype.itemsize
    for stride, size in sorted((abs(t), n) for n, t in zip(view.shape, view.strides, strict=True) if n != 1):
        if stride != step:
            return False
        step *= size
    return True


def whole(view: View) -> bool:
    """Whether it shows each byte of its buffer once."""
    return nbytes(view) == view.buffer.nbytes and dense(view)


def is_copy(call: Call) -> bool:
    """Whether it does nothing but copy the elements of a view to another of the same shape and dtype."""
    if call.form != "write" or call.function is not np.copyto or "where" in call.options:
        return False
    target, source = call.arguments
    return (
        type(target) is View and type(source) is View and target.shape == source.shape and target.dtype == source.dtype
    )


def overwritten(call: Call) -> list[View]:
    """The views of which the call writes each element, whatever was there before."""
    if call.form == "lanes" or "where" in call.options:
        return []
    if call.form == "write" and call.function is not np.copyto:
        return []
    return call.writes()


def scalars_in(operand: Operand | None) -> Iterator[str]:
    """The names of the numbers of an operand."""
    if type(operand) is Scalar:
        yield operand.name
    elif type(operand) is Items:
        for item in operand.items:
            yield from scalars_in(item)


def scalars_read(call: Call) -> Iterator[str]:
    """The names of the numbers that a call reads."""
    for lane in call.lanes:
        for inner in lane:
            yield from scalars_read(inner)
    for operand in (*call.arguments, *call.options.values()):
        yield from scalars_in(operand)


def scalars_made(call: Call) -> Iterator[str]:
    """The names of the numbers that a call makes."""
    for lane in call.lanes:
        for inner in lane:
            yield from scalars_made(inner)
    yield from scalars_in(call.out)


def visible(program: Program) -> set[Buffer]:
    """The buffers at which somebody may look after the run."""
    written = {view.buffer for call in program.calls for view in call.writes()}
    looked_at = {b for b in written if b.kind == "outside" or b.kept or b.kind == "argument"}
    return looked_at | {result.buffer for result in program.results if type(result) is View}


def flat(calls: list[Call]) -> Iterator[Call]:
    """Calls, those in lanes in place of the lanes."""
    for call in calls:
        if call.form == "lanes":
            for lane in call.lanes:
                yield from flat(lane)
        else:
            yield call


Move = Callable[[View], View]


def moved(operand: Operand, move: Move) -> Operand:
    """The operand with other views."""
    if type(operand) is View:
        return move(operand)
    if type(operand) is Items:
        return Items(operand.kind, tuple([moved(item, move) for item in operand.items]))
    return operand


def on_other_views(call: Call, move: Move) -> Call:
    """The same call on other views."""
    return replace(
        call,
        arguments=[moved(operand, move) for operand in call.arguments],
        options={name: moved(operand, move) for name, operand in call.options.items()},
        out=None if call.out is None else moved(call.out, move),
        lanes=[[on_other_views(inner, move) for inner in lane] for lane in call.lanes],
    )


def moved_scalars(call: Call, numbers: dict[str, Any]) -> Call:
    """The same call with some numbers as constants."""
    if numbers.keys().isdisjoint(scalars_read(call)):
        return call
    return replace(
        call,
        arguments=[_fixed(operand, numbers) for operand in call.arguments],
        options={name: _fixed(operand, numbers) for name, operand in call.options.items()},
        lanes=[[moved_scalars(inner, numbers) for inner in lane] for lane in call.lanes],
    )


def _fixed(operand: Operand, numbers: dict[str, Any]) -> Operand:
    if type(operand) is Scalar and operand.name in numbers:
        return Constant(numbers[operand.name])
    if type(operand) is Items:
        return Items(operand.kind, tuple([_fixed(item, numbers) for item in operand.items]))
    return operand


def with_calls(program: Program, calls: list[Call], boundary: int | None) -> Program:
    """The program with other calls, and the buffers that these need."""
    used = {view.buffer for call in calls for view in (*call.reads(), *call.writes())}
    used.update(view.buffer for view in program.arguments)
    used.update(result.buffer for result in program.results if type(result) is View)
    known = [buffer for buffer in program.buffers if buffer in used]
    new = sorted(used.difference(known), key=lambda buffer: buffer.number)
    return replace(program, calls=calls, buffers=known + new, boundary=boundary)


def may_stop(call: Call) -> bool:
    """Whether a run may end at a call: a guard, or a function of NumPy's that refuses some values."""
    if call.form == "guard" or call.form == "lanes":
        return call.form == "guard" or any(may_stop(inner) for lane in call.lanes for inner in lane)
    function = call.function
    if call.form == "product" or call.form == "ufunc" or call.form == "reduce":
        return False
    if (getattr(function, "__module__", None) or "").startswith("numpy.linalg"):
        return True
    found = function in LOOKING_UP or getattr(function, "__name__", "") == "at"
    return (
        found
        and "mode" not in call.options
        and any(view.dtype.kind == "i" for operand in call.arguments[1:] for view in views_in(operand))
    )
