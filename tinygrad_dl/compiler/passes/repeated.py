"""What is computed twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable

import numpy as np

from tinygrad_dl.compiler.passes.uses import flat, on_other_views, visible, whole, with_calls
from tinygrad_dl.compiler.program import Buffer, Call, Constant, Items, Operand, Program, Scalar, View

LARGE = 2**18  # bytes: a larger array is computed again rather than kept until it is needed again
PURE = ("ufunc", "reduce", "product", "function")


def without_repetitions(program: Program) -> Program:
    """The program without the calls that compute what an earlier one has computed.

    Two calls of the same function with the same operands give the same if nothing has written to the memory that they
    read in between. The second one's result is then the first one's, if nobody else writes to either. Derivatives
    are full of such calls: the one of tanh computes 1 - tanh(x)**2 in the first backward pass and in the second.
    """
    writers = Counter(view.buffer for call in flat(program.calls) for view in call.writes())
    looked_at = visible(program)
    versions: dict[Buffer, int] = defaultdict(int)
    known: dict[Hashable, View] = {}
    places: dict[Buffer, Buffer] = {}

    def move(view: View) -> View:
        return view._replace(buffer=places.get(view.buffer, view.buffer))

    kept: list[Call] = []
    boundary = program.boundary
    for i, old in enumerate(program.calls):
        if i == program.boundary:
            known.clear()
            boundary = len(kept)
        call = on_other_views(old, move) if places else old
        out = call.out
        key = None
        if type(out) is View and call.form in PURE and not call.effect and _single(out, writers, looked_at):
            key = _key(call, versions)
        if key is not None:
            assert type(out) is View
            first = known.get(key)
            if first is not None:
                places[out.buffer] = first.buffer
                continue
        for view in call.writes():
            versions[view.buffer] += 1
        if key is not None:
            assert type(out) is View
            known[key] = out
        kept.append(call)
    return with_calls(program, kept, boundary)


def _single(out: View, writers: Counter[Buffer], looked_at: set[Buffer]) -> bool:
    """Whether a call's result is a whole buffer of the step's own that nobody else writes to."""
    buffer = out.buffer
    return buffer.kind == "inside" and writers[buffer] == 1 and buffer not in looked_at and whole(out)


def _key(call: Call, versions: dict[Buffer, int]) -> Hashable:
    """What a call computes; None if that is more than its operands say, or large."""
    assert type(call.out) is View
    if call.out.buffer.nbytes > LARGE:
        return None
    operands = [_of(operand, versions) for operand in (*call.arguments, *call.options.values())]
    if None in operands or any(view.buffer is call.out.buffer for view in call.reads()):
        return None
    layout = call.out.offset, call.out.shape, call.out.strides, call.out.dtype
    return call.form, id(call.function), tuple(operands), tuple(call.options), layout


def _of(operand: Operand, versions: dict[Buffer, int]) -> Hashable:
    """An operand as part of a key."""
    if type(operand) is View:
        return operand, versions[operand.buffer]
    if type(operand) is Scalar:
        return operand
    if type(operand) is Items:
        items = tuple(_of(item, versions) for item in operand.items)
        return None if None in items else (operand.kind, items)
    assert type(operand) is Constant
    value = operand.value
    if isinstance(value, np.ndarray):
        return id(value), "array"
    return type(value), repr(value)
