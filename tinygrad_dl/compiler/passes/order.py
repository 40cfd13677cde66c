"""Guards before writes: a run that a guard ends has changed nothing that lives on."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from tinygrad_dl.compiler.passes.uses import may_stop, on_other_views, scalars_made, scalars_read, with_calls
from tinygrad_dl.compiler.program import Buffer, Call, Constant, Program, Scalar, View

BYTE = np.dtype(np.uint8)


def guards_before_lanes(program: Program) -> Program:
    """The program with what lanes ask of numbers asked once, before the lanes.

    Each chunk of an optimiser's step asks whether it is the first step, say. Amid writes to lasting memory such a
    guard would have all of it copied, see `writes_after_guards`.
    """
    calls: list[Call] = []
    boundary = program.boundary
    known: set[Hashable] = set()
    for i, call in enumerate(program.calls):
        if i == program.boundary:
            boundary = len(calls)
            known.clear()
        for each in _guards_first(call) if call.form == "lanes" else (call,):
            key = _asked(each)
            if key is None or key not in known:
                known.add(key)
                calls.append(each)
    return with_calls(program, calls, boundary)


def _guards_first(call: Call) -> Iterator[Call]:
    """The guards in lanes that ask of numbers known before, with the arithmetic for them, then the lanes without."""
    inside = {name for lane in call.lanes for inner in lane for name in scalars_made(inner)}
    lanes = []
    for lane in call.lanes:
        kept = []
        for inner in lane:
            plain = inner.form in ("scalar", "guard") and not inner.effect and not inner.reads()
            if plain and inside.isdisjoint(scalars_read(inner)):
                inside.difference_update(scalars_made(inner))
                yield inner
            else:
                kept.append(inner)
        if kept:
            lanes.append(kept)
    if lanes:
        yield replace(call, lanes=lanes)


def _asked(call: Call) -> Hashable:
    """What a guard asks, if that is something of numbers alone, which stay as they are; else None."""
    if call.form != "guard" or call.options or call.reads():
        return None
    operands = []
    for each in call.arguments:
        if type(each) is Constant and type(each.value) in (bool, int, float, str, type(None)):
            operands.append((type(each.value), repr(each.value)))
        elif type(each) is Scalar:
            operands.append((Scalar, each.name))
        else:
            return None
    return call.function, call.expected, tuple(operands)


def writes_after_guards(program: Program) -> Program:
    """The program with all writes to memory that lives on behind the last guard.

    A call that writes there waits until the last guard has held, and with it each later call that depends on it: that
    reads what it writes, writes what it reads or writes, or needs a number that it makes. If a guard itself depends on
    such a call, the memory in question is copied at the beginning, the step works on the copy, and copies it back at
    the end. Memory of arguments needs none of this: a program works on copies of them.

    The forward and the backward pass of a function that is differentiated later are put in order each on its own.
    """
    middle = len(program.calls) if program.boundary is None else program.boundary
    numbers = itertools.count(1 + max((buffer.number for buffer in program.buffers), default=0))
    first, second = _ordered(program.calls[:middle], numbers), _ordered(program.calls[middle:], numbers)
    return with_calls(program, first + second, None if program.boundary is None else len(first))


def _ordered(calls: list[Call], numbers: Iterator[int]) -> list[Call]:
    guards = [i for i, call in enumerate(calls) if may_stop(call)]
    if not guards:
        return calls
    last = guards[-1]
    shadows: dict[Buffer, Buffer] = {}
    before, after = calls[: last + 1], calls[last + 1 :]
    while True:
        found, reasons = _delayed(before)
        if not reasons:
            break
        for buffer in reasons:
            shadows[buffer] = Buffer(next(numbers), "inside", buffer.nbytes, 0, None, f"{buffer.name} next")

        def move(view: View) -> View:
            return view._replace(buffer=shadows.get(view.buffer, view.buffer))

        before = [on_other_views(call, move) for call in before]
        after = [on_other_views(call, move) for call in after]
    start = [_copy(shadow, buffer) for buffer, shadow in shadows.items()]
    end = [_copy(buffer, shadow) for buffer, shadow in shadows.items()]
    return start + found + after + end


@dataclass(slots=True)
class _Waiting:
    """The calls that wait, what they read, write and make, and which memory is the reason."""

    calls: list[Call] = field(default_factory=list)
    reads: set[Buffer] = field(default_factory=set)
    writes: set[Buffer] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)
    reasons: set[Buffer] = field(default_factory=set)

    def concerns(self, call: Call, reads: set[Buffer], writes: set[Buffer]) -> bool:
        return not (
            self.writes.isdisjoint(reads)
            and self.writes.isdisjoint(writes)
            and self.reads.isdisjoint(writes)
            and self.numbers.isdisjoint(scalars_read(call))
        )


def _delayed(calls: list[Call]) -> tuple[list[Call], set[Buffer]]:
    """The calls in an order that has no write to lasting memory before a guard, and the memory for which there is none.

    A random draw that waits would come after later draws, so it counts as a guard.
    """
    waiting, at_once = _Waiting(), list[Call]()
    for call in calls:
        reads = {view.buffer for view in call.reads()}
        writes = {view.buffer for view in call.writes()}
        lasting = {buffer for buffer in writes if buffer.kind == "outside"}
        if not lasting and not waiting.concerns(call, reads, writes):
            at_once.append(call)
            continue
        fixed = may_stop(call) or call.effect or any(inner.effect for lane in call.lanes for inner in lane)
        if fixed:
            return [], waiting.reasons | lasting
        waiting.calls.append(call)
        waiting.reads |= reads
        waiting.writes |= writes
        waiting.numbers.update(scalars_made(call))
        waiting.reasons |= lasting
    return at_once + waiting.calls, set()


def _copy(target: Buffer, source: Buffer) -> Call:
    def bytes_of(buffer: Buffer) -> View:
        return View(buffer, 0, (buffer.nbytes,), (1,), BYTE)

    return Call("write", np.copyto, [bytes_of(target), bytes_of(source)])
