"""Dead code: calls whose results nobody reads."""

from __future__ import annotations

from tinygrad_dl.compiler.passes.uses import overwritten, scalars_made, scalars_read, visible, whole, with_calls
from tinygrad_dl.compiler.program import Call, Program, Scalar


def without_dead_code(program: Program) -> Program:
    """The program without the calls whose results nobody reads.

    Going backwards, memory is live where a later call may read it, or somebody after the run; a call stays if it
    writes to live memory, makes a number that is read, is a guard, or has an effect. A call that overwrites all of a
    buffer ends the life of what was in it before.
    """
    looked_at = visible(program)
    live = set(looked_at)
    numbers = {result.name for result in program.results if type(result) is Scalar}
    kept: list[Call] = []
    boundary = program.boundary
    behind = 0
    for i in range(len(program.calls) - 1, -1, -1):
        if i + 1 == program.boundary:  # somebody may look here, too
            live |= looked_at
            behind = len(kept)
        call = program.calls[i]
        needed = call.form == "guard" or call.effect or any(inner.effect for lane in call.lanes for inner in lane)
        needed = needed or any(view.buffer in live for view in call.writes())
        if not needed and numbers.isdisjoint(scalars_made(call)):
            continue
        kept.append(call)
        for view in overwritten(call):
            if whole(view):
                live.discard(view.buffer)
        for view in call.reads():
            live.add(view.buffer)
        numbers.update(scalars_read(call))
    if boundary is not None:
        boundary = len(kept) - (behind if boundary else len(kept))
    kept.reverse()
    return with_calls(program, kept, boundary)
