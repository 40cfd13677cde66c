"""What the page of `explain` shows, as compact lists: the nodes with their values, gradients and rules.

`page/data.js` reads them. Each text, shape and array stands once in a table and is a number elsewhere; numbers have six
digits that count.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from tinygrad_dl.core.graph import Leaf, Node
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.viz.backward.steps import Local, Operation, Step
from tinygrad_dl.viz.backward.trace import Trace
from tinygrad_dl.viz.known.arguments import constants, held, kept
from tinygrad_dl.viz.known.recording import Line, place_of, run_of
from tinygrad_dl.viz.known.values import WHOLE, Values, values_of
from tinygrad_dl.viz.pictures.structure import Group, tree

OP, PARAMETER, INPUT, CONSTANT = range(4)  # the kinds of nodes
LARGE = 2000  # operations, from which on only arrays of a few elements are kept whole
FEW = 16
HINT = (
    "To see all values, the modules and the lines of the program as well, compute the loss inside "
    "`with td.viz.recording():`."
)


class Table:
    """Things that stand once, known by their numbers."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def __call__(self, item: Any) -> int:
        return self.numbers.setdefault(item, len(self.numbers))

    @property
    def items(self) -> list[Any]:
        return list(self.numbers)


class Story:
    """All that the page shows, from a graph and its trace."""

    def __init__(self, loss: Tensor, trace: Trace):
        run = run_of(loss)
        self.trace = trace
        self.strings, self.shapes, self.lines, self.values = Table(), Table(), Table(), Table()
        self.whole = WHOLE if len(run.nodes) <= LARGE else FEW
        self.recorded = any(place_of(node) is not None for node in run.nodes)
        self.leaves = {leaf.edge: leaf for leaf in trace.leaves}
        # Without modules and names, what needs a gradient is what the program wants to change.
        self.parameters = any(leaf.kind == "parameter" for leaf in trace.leaves)
        self.uses = Counter(edge for node in run.nodes for edge in node.edges)
        self.numbers: dict[Any, int] = {}  # of nodes, leaves and constants: their rows
        self.rows: list[list[Any]] = []
        self.groups: list[list[int]] = []
        self.group_of: dict[Node, int] = {}
        self.note_groups(tree(run.nodes, run.calls))
        steps = {step.node: step for step in trace.steps}
        for node, operation in zip(run.nodes, trace.forward, strict=True):
            self.operation(node, operation, steps.get(node))
        self.backward = [self.numbers[step.node] for step in trace.steps]

    def note_groups(self, whole: Group) -> None:
        """The tree of modules, each after the one that called it."""
        todo = [(whole, -1)]
        while todo:
            group, parent = todo.pop()
            number = len(self.groups)
            self.groups.append([parent, self.strings(group.path), self.strings(group.title)])
            self.group_of |= {member: number for member in group.members if isinstance(member, Node)}
            todo += [(inner, number) for inner in reversed(group.groups)]

    def operation(self, node: Node, said: Operation, step: Step | None) -> None:
        """A row for a node, after rows for the leaves and constants that it reads first."""
        edges = self.edges(node, step)
        several = type(node.dtype) is tuple
        self.numbers[node] = len(self.rows)
        self.rows.append(
            [
                OP,
                self.strings(said.name),
                self.strings(getattr(getattr(node.plan, "op", None), "name", said.title)),
                self.strings(said.formula),
                self.group_of[node],
                self.line(said.line),
                [self.shapes(tuple(shape)) for shape in (node.shape if several else [node.shape])],
                [self.array(each) for each in said.values],
                [self.array(each) for each in (step.incoming if step is not None else [None] * len(said.values))],
                edges,
            ]
        )

    def edges(self, node: Node, step: Step | None) -> list[list[Any]]:
        """What a node reads: where each comes from, and what goes back there. Numbers stand in the formula instead."""
        found = []
        fixed = constants(node)
        for position, edge in enumerate(node.edges):
            argument = node.plan.argument(position)
            if edge is not None:
                source = (
                    self.numbers[edge.node] if type(edge) is not Leaf else self.leaf(edge, kept(node).get(argument))
                )
            elif position in fixed and fixed[position][1].shape:
                source = self.constant(node, argument, fixed[position][1], step)
            else:
                continue
            rule = step.rules.get(argument) if step is not None else None
            back: list[Any] = [-1, -1, None]
            if step is not None and rule is not None:
                # What only one operation sends is the whole gradient, which stands where it arrives.
                sent = step.outgoing[argument] if self.uses[edge] > 1 else None
                back = [self.strings(rule), self.array(sent), self.local(step.local[argument])]
            found.append([source, 0 if edge is None else edge.index, self.strings(argument), *back])
        return found

    def leaf(self, edge: Leaf, array: Any) -> int:
        """The row of a leaf, which is made when it is read first; `array`: what the operation kept of it."""
        if edge not in self.numbers:
            leaf = self.leaves[edge]
            kind = INPUT if leaf.kind == "input" and self.parameters else PARAMETER
            gone = leaf.value is None and isinstance(array, np.ndarray)
            self.source(edge, kind, leaf.name, edge.shape, values_of(array) if gone else leaf.value, leaf.gradient)
        return self.numbers[edge]

    def constant(self, node: Node, argument: str, constant: Any, step: Step | None) -> int:
        """The row of a constant; two uses of one array are one constant."""
        array = held(node, argument)
        key: Any = id(array) if isinstance(array, np.ndarray) else (node, argument)
        if key not in self.numbers:
            names = {each.argument: each.name for each in step.inputs} if step is not None else {}
            values = constant if isinstance(constant, Values) else values_of(constant)
            name = names.get(argument, argument)
            self.source(key, CONSTANT, name if name.isidentifier() else argument, values.shape, values, None)
        return self.numbers[key]

    def source(self, key: Any, kind: int, name: str, shape: Any, value: Values | None, gradient: Values | None) -> None:
        """A row for what reads nothing."""
        self.numbers[key] = len(self.rows)
        shapes = [self.shapes(tuple(shape))]
        row = [kind, self.strings(name), -1, -1, 0, -1, shapes, [self.array(value)], [self.array(gradient)], []]
        self.rows.append(row)

    def line(self, line: Line | None) -> int:
        if line is None:
            return -1
        function = "" if line.function == "<module>" else line.function
        return self.lines((line.place, line.number, function, line.text))

    def array(self, values: Values | None) -> int:
        """The number of an array: whole if it is small, else its range, mean and histogram."""
        if values is None:
            return -1
        shape, dtype = self.shapes(values.shape), self.strings(str(values.dtype))
        if values.array is not None and values.array.size <= self.whole:
            return self.values((shape, dtype, tuple(map(plain, values.array.ravel().tolist()))))
        low, high, mean = map(plain, (values.low, values.high, values.mean))
        return self.values((shape, dtype, low, high, mean, values.histogram, values.not_finite))

    def local(self, derivative: Local | None) -> list[Any] | None:
        """The derivative of a result by an argument: its elements as far as there are few, and its shape."""
        if derivative is None:
            return None
        return [int(derivative.kind == "diagonal"), self.array(derivative.values), list(derivative.shape)]

    @property
    def data(self) -> dict[str, Any]:
        """What goes into the page."""
        return {
            "title": self.trace.loss,
            "note": "" if self.recorded else HINT,
            "strings": self.strings.items,
            "shapes": self.shapes.items,
            "lines": self.lines.items,
            "values": self.values.items,
            "groups": self.groups,
            "nodes": self.rows,
            "backward": self.backward,
            "loss": self.backward[0],
        }


def plain(number: Any) -> Any:
    """A number as JSON has it, with six digits that count; what JSON has no number for as text."""
    if isinstance(number, bool | int):
        return int(number)
    if isinstance(number, float):
        return float(f"{number:.6g}") if math.isfinite(number) else str(number)
    return None if number is None else str(number)


__all__ = ["Story"]
