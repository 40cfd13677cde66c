"""From the record of the runs to a graph: the calls that outputs depend on, each by its converter."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core import promotion
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.transforms import may_hold
from tinygrad_dl.onnx import (
    activation,
    attention,
    comparison,
    convolution,
    embedding,
    indexing,
    linalg,
    loss,
    normalization,
    pointwise,
    pooling,
    recurrent,
    reduction,
    shape,
    sorting,
    vision,
)
from tinygrad_dl.onnx.graph import SMALL, Graph
from tinygrad_dl.onnx.runs import Call, Entry, Merged
from tinygrad_dl.onnx.table import CONVERTERS, REASONS, Unsupported, UnsupportedOperators, wanted
from tinygrad_dl.onnx.values import Dim, Value, Varying, example

# The modules with converters: importing them fills the table.
CHAPTERS = (
    *(activation, attention, comparison, convolution, embedding, indexing, linalg, loss, normalization, pointwise),
    *(pooling, recurrent, reduction, shape, sorting, vision),
)


class Follows(Unsupported):
    """It takes the result of an operation that can't be exported."""


class Lowering:
    """One conversion."""

    def __init__(self, merged: Merged, opset: int, folding: bool):
        self.merged, self.folding = merged, folding
        self.graph = Graph(opset)
        self.values: dict[int, Value] = {}  # by the number of an entry
        self.made_by = {entry.number: call for call in merged.calls for entry in call.out}
        self.failed: dict[str, int] = {}  # lines for users, and how often each

    def run(self) -> list[Value]:
        """Converts all that outputs depend on; returns the values of the outputs.

        Raises:
            UnsupportedOperators: some operations can't be exported.
        """
        graph = self.graph
        for entry in self.merged.inputs:
            graph.taken.add(entry.name)
            self.values[entry.number] = Value(entry.name, entry.dtype, entry.shape)
            graph.note(self.values[entry.number])
        for call in self.live():
            graph.path, graph.line = call.path, call.line
            self.convert(call)
        graph.path = graph.line = ""
        outputs = []
        for name, entry in self.merged.outputs:
            try:
                outputs.append(self.value(entry))
            except Unsupported as reason:
                self.fail(f"the output {name!r}", reason)
        if self.failed:
            raise refused(self.failed)
        return outputs

    def fail(self, where: str, reason: Unsupported) -> None:
        """Notes what can't be exported; what only follows from another is left out."""
        if not isinstance(reason, Follows):
            line = f"{where}: {reason}"
            self.failed[line] = self.failed.get(line, 0) + 1

    def live(self) -> list[Call]:
        """The calls that outputs depend on and that are not constants, in order."""
        wanted = [entry for _, entry in self.merged.outputs]
        live: set[int] = set()
        while wanted:
            entry = wanted.pop()
            call = self.made_by.get(entry.number)
            if call is None or id(call) in live or self.is_folded(entry):
                continue
            live.add(id(call))
            wanted += entries_in(call.given.values())
        return [call for call in self.merged.calls if id(call) in live]

    def is_folded(self, entry: Entry) -> bool:
        """Whether a result is a constant of the graph: it depends on no input and is the same in all runs."""
        return entry.kind == "step" and self.folding and entry.array is not None

    def value(self, entry: Entry) -> Value:
        """The value of an entry; constants are put into the graph when first asked for."""
        found = self.values.get(entry.number)
        if found is None:
            if entry.array is not None:
                call = self.made_by.get(entry.number)
                name = entry.name or (f"{call.path}/{call.op.name}" if call and entry.array.size > SMALL else "")
                found = self.graph.const(entry.array, name=name)
            elif entry.kind == "random":
                found = self.graph.random(entry.name, entry.shape, entry.dtype)
            elif entry.varying is not None:
                found = self.graph.filled(entry.varying, entry.dtype)._replace(shape=entry.shape)
            else:
                raise Follows
            self.values[entry.number] = found
        return found

    def convert(self, call: Call) -> None:
        op = call.op
        function = CONVERTERS.get(op.key)
        try:
            if function is None:
                raise Unsupported(REASONS.get(op.key, OWN if "::" in op.key else "ONNX has no operator for it"))
            names = wanted(function)
            given = self.arguments(op, {name: call.given[name] for name in op.parameters})
            out = [(entry.dtype, entry.shape) for entry in call.out]
            for dtype, _ in out:
                if dtype.kind == "c":
                    raise Unsupported("ONNX has no complex numbers")
            more = {"g": self.graph, "out": out}
            results = function(*[more[name] if name in more else given[name] for name in names])
        except Unsupported as reason:
            self.fail(f"{call.path or 'the model itself'}: {op.name} ({call.line})", reason)
            return
        found = [results] if op.outputs is None else results  # a value is a tuple too
        for value, entry in zip(found, call.out, strict=True):
            if value is not None:
                made = self.graph.cast(value, entry.dtype)._replace(shape=entry.shape)
                self.values[entry.number] = made
                self.graph.note(made)

    def arguments(self, op: Record, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments with values in the place of entries, tensors that are promoted in one dtype."""
        found = dict(given)
        if op.sequence:
            found[op.sequence] = [self.value(each) if isinstance(each, Entry) else each for each in given[op.sequence]]
            names, tensors = [], list(found[op.sequence])
        else:
            names = [name for name in op.tensors if given[name] is not None]
            for name in names:
                if isinstance(given[name], Entry):
                    found[name] = self.value(given[name])
            tensors = [found[name] for name in names]
        promoted = [n for n in names if op.promotes is True or n in (op.promotes or ())] if op.promotes else []
        joint = [found[name] for name in promoted] if not op.sequence else tensors
        dtype = common(op, joint) if op.promotes and joint else None
        if op.sequence:
            found[op.sequence] = [self.typed(each, dtype) for each in tensors]
        for name in names:
            found[name] = self.typed(found[name], dtype if name in promoted else None)
        if op.floating and not op.promotes:
            for name in names:
                if found[name].dtype.kind in "biu":
                    found[name] = self.graph.cast(found[name], promotion.default.dtype)
        for name, value in given.items():
            if name not in op.tensors and (isinstance(value, Entry) or may_hold(value)):
                found[name] = self.within(value)
        return found

    def typed(self, given: Any, dtype: Any) -> Value:
        """A tensor argument as a value, of this dtype if there is one."""
        if isinstance(given, Value):
            return given if dtype is None else self.graph.cast(given, dtype)
        if dtype is None:
            dtype = promotion.INT64 if isinstance(given, Dim) else number_dtype(given)
        return self.graph.tensor(given, dtype)

    def within(self, value: Any) -> Any:
        """An option with values in the place of entries."""
        if isinstance(value, Entry):
            return self.value(value)
        if type(value) in (tuple, list):
            return type(value)([self.within(each) for each in value])
        if type(value) is slice:
            return slice(*[self.within(each) for each in (value.start, value.stop, value.step)])
        return value


OWN = "it has no converter; declare one with @td.onnx.converter(op.key)"


def number_dtype(given: Any) -> Any:
    """The dtype of a number or array that stands for a tensor by itself."""
    if isinstance(given, Varying):
        given = given.values[0]
    return np.asarray(given).dtype if isinstance(given, np.ndarray) else promotion.result_dtype((given,))


def common(op: Record, given: list[Any]) -> Any:
    """The dtype in which an op is computed on these."""
    shown = []
    for each in given:
        if isinstance(each, Value):
            shown.append(example(each))
        else:
            shown.append(each.values[0] if isinstance(each, Dim | Varying) else each)
    dtype = promotion.result_dtype(tuple(shown))
    return promotion.default.dtype if op.floating and dtype.kind in "biu" else dtype


def entries_in(values: Any) -> list[Entry]:
    """The entries among arguments."""
    found: list[Entry] = []
    for value in values:
        if isinstance(value, Entry):
            found.append(value)
        elif type(value) in (tuple, list):
            found += entries_in(value)
        elif type(value) is slice:
            found += entries_in((value.start, value.stop, value.step))
    return found


def refused(failed: dict[str, int]) -> UnsupportedOperators:
    """The error for operations that can't be exported, which lists them."""
    lines = [f"{line}{f' ({count} times)' if count > 1 else ''}" for line, count in failed.items()]
    count = sum(failed.values())
    several = f"{count} operations" if count > 1 else "an operation"
    return UnsupportedOperators(
        f"onnx.export: got {several} that can't be exported, expected ones that ONNX has; nothing was written\n  "
        + "\n  ".join(lines),
        lines,
    )
