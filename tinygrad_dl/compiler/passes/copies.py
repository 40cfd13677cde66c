"""Copies that need not be made: one memory in place of two."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import replace

import numpy as np

from tinygrad_dl.compiler.passes.uses import (
    is_copy,
    may_stop,
    on_other_views,
    overlap,
    visible,
    whole,
    with_calls,
)
from tinygrad_dl.compiler.program import Buffer, Call, Program, View

BYTE = np.dtype(np.uint8)


def without_copies(program: Program) -> Program:
    """The program without the copies whose source and target can be the same memory.

    Either the source moves into the target's place: gradients are then made where the optimiser reads them. This is
    right if nobody touches that place from the first call that uses the source to the copy, and if afterwards, as long
    as the source is still read, neither is written to. Memory that lives on must not be written before a guard, so
    there must be none in between.

    Or the target moves into the source's place: this is right if the copy is the first to use the target, and if
    afterwards, as long as the target is used, neither is written to; or if the source is not used any more.

    A source that is `kept` may move, too, if nobody writes there after the copy, to a place that is then kept as well;
    `Program.places` tells where it went.

    Both ask for a buffer of the step's own, nothing else in it, that no one looks at afterwards, and for elements that
    lie in the same order in both. A copy that repeats elements, as in `wide[...] = row`, is none of this kind.
    """
    return _Forwarding(program).result()


class _Forwarding:
    """One pass over the copies. Moves that were decided are seen by the decisions that follow: views are looked up."""

    def __init__(self, program: Program):
        self.program, self.calls = program, program.calls
        self.visible = visible(program)
        self.results = {result.buffer for result in program.results if type(result) is View}
        self.places: dict[Buffer, tuple[Buffer, int]] = {}
        self.mentions: dict[Buffer, list[int]] = defaultdict(list)
        for i, call in enumerate(self.calls):
            for buffer in {view.buffer for view in (*call.reads(), *call.writes())}:
                self.mentions[buffer].append(i)
        stops = [i for i, call in enumerate(self.calls) if may_stop(call)]
        self.guards = stops
        self.boundary = program.boundary

    def place(self, view: View) -> View:
        """Where a view is now."""
        while view.buffer in self.places:
            buffer, offset = self.places[view.buffer]
            view = view._replace(buffer=buffer, offset=view.offset + offset)
        return view

    def result(self) -> Program:
        dropped = set()
        for i, call in enumerate(self.calls):
            if is_copy(call) and self.forward(i, *map(self.place, call.arguments)):  # type: ignore[arg-type]
                dropped.add(i)
        calls = [
            on_other_views(call, self.place) if self.places else call
            for i, call in enumerate(self.calls)
            if i not in dropped
        ]
        boundary = self.boundary
        if boundary is not None:
            boundary -= sum(i < boundary for i in dropped)
        program = with_calls(self.program, calls, boundary)
        moved = {buffer: self.place(View(buffer, 0, (), (), BYTE)) for buffer in self.places if buffer.kept}
        earlier = {buffer: self.place(view) for buffer, view in program.places.items()}
        return replace(program, places={**earlier, **moved})

    def forward(self, i: int, target: View, source: View) -> bool:
        """Makes one memory of the two of a copy, call number i, if that changes nothing."""
        if target.buffer is source.buffer:
            return target == source
        if not _same_order(target, source):
            return False
        if self.may_move(source) and self.source_fits(i, target, source):
            self.move(source.buffer, target)
        elif self.may_move_kept(source, target) and self.source_fits(i, target, source, kept=True):
            self.keep(target.buffer)
            self.move(source.buffer, self.place(target))
        elif self.may_move(target) and self.target_fits(i, target, source):
            self.move(target.buffer, source)
        else:
            return False
        return True

    def lasts(self, buffer: Buffer) -> bool:
        """Whether a guard has to find a buffer as it was."""
        return buffer in self.visible and buffer.kind == "outside"

    def may_move(self, view: View) -> bool:
        buffer = view.buffer
        return buffer.kind == "inside" and buffer not in self.visible and not view.offset and whole(view)

    def may_move_kept(self, source: View, target: View) -> bool:
        """Whether the source, at which somebody looks until the next run, may lie in a part of the target's buffer."""
        buffer, place = source.buffer, target.buffer
        movable = buffer.kind == "inside" and buffer.kept and buffer not in self.results
        unseen = place.kind in ("inside", "scratch") and (place not in self.visible or place.kept)
        return movable and unseen and place not in self.results and not source.offset and whole(source)

    def source_fits(self, i: int, target: View, source: View, kept: bool = False) -> bool:
        uses = self.mentions[source.buffer]
        first, last = uses[0], len(self.calls) if kept else uses[-1]
        if self.crosses_boundary(first, last) or (self.lasts(target.buffer) and self.has_guard(first, i)):
            return False
        return not self.touched(target, first, i - 1) and not self.written((target, source), i + 1, last)

    def target_fits(self, i: int, target: View, source: View) -> bool:
        uses = self.mentions[target.buffer]
        last = uses[-1]
        if uses[0] != i or (source.buffer in self.visible and self.crosses_boundary(i, last)):
            return False
        if not self.written((target, source), i + 1, last):
            return True
        return (
            source.buffer.kind == "inside"
            and source.buffer not in self.visible
            and self.mentions[source.buffer][-1] == i
        )

    def crosses_boundary(self, first: int, last: int) -> bool:
        return self.boundary is not None and first < self.boundary <= last

    def has_guard(self, first: int, last: int) -> bool:
        return bisect_left(self.guards, first) < bisect_right(self.guards, last)

    def between(self, buffer: Buffer, first: int, last: int) -> list[Call]:
        """The calls from number `first` to `last` that use a buffer."""
        uses = self.mentions[buffer]
        return [self.calls[j] for j in uses[bisect_left(uses, first) : bisect_right(uses, last)]]

    def touched(self, view: View, first: int, last: int) -> bool:
        """Whether one of these calls reads or writes what the view shows."""
        return any(
            overlap(view, self.place(other))
            for call in self.between(view.buffer, first, last)
            for other in (*call.reads(), *call.writes())
        )

    def written(self, views: tuple[View, ...], first: int, last: int) -> bool:
        """Whether one of these calls writes what a view shows."""
        return any(
            overlap(view, self.place(other))
            for view in views
            for call in self.between(view.buffer, first, last)
            for other in call.writes()
        )

    def keep(self, buffer: Buffer) -> None:
        """Makes a buffer one at which somebody looks until the next run."""
        if not buffer.kept:
            kept = replace(buffer, kind="inside", kept=True)
            self.visible.add(kept)
            self.move(buffer, View(kept, 0, (), (), BYTE))

    def move(self, buffer: Buffer, to: View) -> None:
        self.places[buffer] = to.buffer, to.offset
        self.mentions[to.buffer] = sorted({*self.mentions[to.buffer], *self.mentions[buffer]})


def _same_order(one: View, other: View) -> bool:
    """Whether their elements, of the same shape, lie in the same order in memory."""
    return all(a == b or n == 1 for n, a, b in zip(one.shape, one.strides, other.strides, strict=True))
