"""Where the memory that a step makes lies: one block for all of it, parts of it used again."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from typing import NamedTuple

from tinygrad_dl.compiler.passes.uses import visible, whole
from tinygrad_dl.compiler.program import Buffer, Call, Program, View

ALIGNMENT = 64  # bytes: a cache line, and the longest vector that a processor loads


class Layout(NamedTuple):
    """The place of each buffer that a program makes or fills itself."""

    offsets: dict[Buffer, int]
    nbytes: int
    unshared: int  # how many bytes it would be if no part were used again


def laid_out(program: Program) -> Layout:
    """A place for each buffer but those outside.

    A buffer is alive from the first call that uses it to the last; one at which somebody may look after the run, to
    the end; arguments from the beginning, or from that of the backward pass. So what is `kept` is there until the next
    run begins. Each buffer gets the first gap that is long enough. Where a ufunc reads a buffer for the last time and
    writes one of the same layout for the first time, the second takes the place of the first.
    """
    end = len(program.calls)
    first, last, heirs = _lives(program, end)
    born, dying = defaultdict[int, list[Buffer]](list), defaultdict[int, list[Buffer]](list)
    for buffer, i in first.items():
        born[i].append(buffer)
        dying[last[buffer]].append(buffer)
    offsets: dict[Buffer, int] = {}
    gaps: list[tuple[int, int]] = []
    top = unshared = 0
    for i in range(-1, end + 1):
        for buffer in born[i]:
            size = rounded(buffer.nbytes)
            unshared += size
            if buffer in heirs:
                offsets[buffer] = offsets[heirs[buffer]]
                continue
            for k, (start, stop) in enumerate(gaps):
                if stop - start >= size:
                    gaps[k : k + 1] = [(start + size, stop)] if stop - start > size else []
                    break
            else:
                start, top = _grown(gaps, top, size)
            offsets[buffer] = start
        inherited = {heirs[buffer] for buffer in born[i] if buffer in heirs}
        for buffer in dying[i]:
            if buffer not in inherited:
                _free(gaps, offsets[buffer], rounded(buffer.nbytes))
    return Layout(offsets, top, unshared)


def rounded(nbytes: int) -> int:
    """The next multiple of the alignment."""
    return -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT


def _lives(program: Program, end: int) -> tuple[dict[Buffer, int], dict[Buffer, int], dict[Buffer, Buffer]]:
    """The first and the last call that uses a buffer, and which buffer takes the place of which other one."""
    lasting = visible(program)
    first: dict[Buffer, int] = {view.buffer: -1 for view in program.arguments}
    last = dict(first)
    for view in program.arguments[len(program.arguments) - program.seeds :]:  # which come in with the backward pass
        first[view.buffer], last[view.buffer] = (program.boundary or 0) - 1, program.boundary or 0
    heirs: dict[Buffer, Buffer] = {}
    taken: set[Buffer] = set()
    candidates = []
    for i, call in enumerate(program.calls):
        for view in (*call.reads(), *call.writes()):
            buffer = view.buffer
            if buffer.kind != "outside":
                first.setdefault(buffer, i)
                last[buffer] = max(i, last.get(buffer, i))
        candidates.append(_in_place(call))
    for result in program.results:
        if type(result) is View and result.buffer.kind != "outside":
            first.setdefault(result.buffer, -1)
    for buffer in first:
        if buffer in lasting:
            last[buffer] = end
    for i, pair in enumerate(candidates):
        if pair is None:
            continue
        source, target = pair
        if first.get(target) == i and last.get(source) == i and source not in taken:
            heirs[target] = source
            taken.add(source)
    return first, last, heirs


def _in_place(call: Call) -> tuple[Buffer, Buffer] | None:
    """A buffer that the call reads and one that it writes, if these may be the same."""
    target = call.out
    if call.form != "ufunc" or type(target) is not View or call.options or not whole(target):
        return None
    for source in call.arguments:
        if type(source) is View and _alike(source, target) and source.buffer is not target.buffer:
            others = [view for view in call.reads() if view.buffer is source.buffer and view != source]
            return None if others else (source.buffer, target.buffer)
    return None


def _alike(source: View, target: View) -> bool:
    same = source.strides == target.strides and source.shape == target.shape and source.offset == target.offset
    return same and source.dtype == target.dtype and source.buffer.nbytes == target.buffer.nbytes


def _grown(gaps: list[tuple[int, int]], top: int, size: int) -> tuple[int, int]:
    """A place at the end of the block, from the last gap on if that ends there, and the block's new length."""
    start = gaps.pop()[0] if gaps and gaps[-1][1] == top else top
    return start, start + size


def _free(gaps: list[tuple[int, int]], start: int, size: int) -> None:
    """Adds a gap, and joins it with those beside it."""
    insort(gaps, (start, start + size))
    k = gaps.index((start, start + size))
    for j in (k + 1, k):
        if 0 < j < len(gaps) and gaps[j - 1][1] == gaps[j][0]:
            gaps[j - 1 : j + 1] = [(gaps[j - 1][0], gaps[j][1])]
