"""A backward pass as a list of steps: what `trace` notes while the engine goes through a graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.autograd import starts
from tinygrad_dl.autograd.saved import PackedNode
from tinygrad_dl.core.engine import conjugate, gradients, match_input, propagate
from tinygrad_dl.core.graph import Gradient, Leaf, Node, Useful, observers, topological
from tinygrad_dl.core.hooks import RemovableHandle
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.viz.backward.formulas import Numbered, expression, rule_formula
from tinygrad_dl.viz.known.arguments import kept
from tinygrad_dl.viz.known.numbers import retaining_nothing, values_at
from tinygrad_dl.viz.known.recording import Line, place_of
from tinygrad_dl.viz.known.values import WHOLE, Values, values_of


class Input(NamedTuple):
    """An argument of an operation: its name, that of the tensor given for it, and where that comes from.

    `origin` is the number of the step of the operation that made it, or the name of a leaf, or None for a constant.
    """

    argument: str
    name: str
    origin: int | str | None


class Local(NamedTuple):
    """The derivative of an operation's result by one argument.

    Attributes:
        kind: "diagonal", if each element of the result depends on the element at its place alone: `values` are then
            the derivatives at these places, in the shape of the result. "matrix": `values` has a row for each element
            of the result, or of all results, and a column for each of the argument. "shape": it is too large to be
            written out.
        shape: that of the whole derivative: the shape of the result and that of the argument.
    """

    kind: str
    shape: tuple[int, ...]
    values: Values | None


class Part(NamedTuple):
    """What one use of a tensor brings to its gradient: the number of the step, and the argument that it was there.

    The gradient that the pass starts with has no step.
    """

    step: int | None
    argument: str
    values: Values


class Sum(NamedTuple):
    """A gradient that is a sum, of a tensor that was used several times: its parts in the order in which they came.

    `total` is what goes on: of a tensor with hooks, what they made of the sum. `output` is the number of the result.
    """

    output: int
    parts: tuple[Part, ...]
    total: Values


class Step(NamedTuple):
    """One step of a backward pass: an operation, of whose result the gradient has arrived.

    Attributes:
        number: counted from 1, in the order of the pass.
        node: the operation in the graph.
        name: what texts call it, which is its result: the variable's name, or %1, %2, ...
        outputs: the names of its results: of several, each has one of its own.
        title: the operation's name. formula: the operation as one would write it.
        path: the path of the innermost module that it was made in; "" if there was none, or without `recording`.
        line: the line of the program that made it; None without `recording`.
        inputs: its arguments, those without a gradient too.
        rules: the formula of the gradient of each argument that has one; `x.grad` is the gradient of `x`.
        incoming: the gradient of each of its results; None for one that was not used.
        outgoing: what it brings to the gradient of each argument.
        local: the derivative of its result by each of these arguments; None for operations that are not linear in the
            complex sense, and for a `Function` of the user's.
        sums: of which parts the incoming gradients were added up, where there are several.
        values: its results, if known: inside of `recording` all are, otherwise those that were kept for a rule.
    """

    number: int
    node: Node
    name: str
    title: str
    formula: str
    path: str
    line: Line | None
    outputs: tuple[str, ...]
    inputs: tuple[Input, ...]
    rules: dict[str, str]
    incoming: tuple[Values | None, ...]
    outgoing: dict[str, Values]
    local: dict[str, Local | None]
    sums: tuple[Sum, ...]
    values: tuple[Values | None, ...]


class LeafGradient(NamedTuple):
    """A leaf of the graph: a tensor of the user's, and the gradient that it would get.

    Attributes:
        name: as given or, of unnamed ones, "input 1" or "parameter 1".
        edge: its place in the graph. kind: "parameter" or "input".
        value: the tensor's; None if it is gone. gradient: what arrived; None if nothing did.
        sum: the parts that were added up, if there are several. grad: the gradient itself, a tensor.
    """

    name: str
    edge: Leaf
    kind: str
    value: Values | None
    gradient: Values | None
    sum: Sum | None
    grad: Tensor | None


class Operation(NamedTuple):
    """An operation in the order of the program: its result's name, what it is, and what came out.

    `step` is the number of its step of the backward pass; None if no gradient arrives there.
    """

    name: str
    title: str
    formula: str
    path: str
    line: Line | None
    values: tuple[Values | None, ...]
    step: int | None


class Noted(NamedTuple):
    """What was noted of a step while the pass was running."""

    node: Node
    rules: dict[str, str]
    incoming: tuple[Values | None, ...]
    outgoing: dict[str, Values]
    local: dict[str, Local | None]
    sums: tuple[Sum, ...]


Place = tuple[Any, int]  # a leaf or a node, and the number of its output


class Pass:
    """A backward pass that notes its steps. It keeps no gradients, so the engine adds them up as always."""

    def __init__(self, numbered: Numbered):
        self.numbered = numbered
        self.noted: list[Noted] = []
        self.parts: dict[Place, list[Part]] = {}
        self.found: dict[Any, Gradient] = {}
        self.handles: list[RemovableHandle] = []

    def run(self, loss: Tensor, gradient: Any) -> None:
        """Goes through the graph. What hooks make of gradients counts; `.grad`, that of computed tensors too, stays."""
        roots, seeds = starts((loss,), gradient, False, "trace")
        for root, seed in zip(roots, seeds, strict=True):
            self.parts[root.node, root.index] = [Part(None, "", values_of(np.asarray(seed)))]
        try:
            with retaining_nothing(topological(roots)):
                self.found = propagate(roots, seeds, retain=True, arrive=self.arrive, step=self.step)
        finally:
            for handle in self.handles:
                handle.remove()

    def arrive(self, found: dict[Any, Gradient], leaf: Leaf) -> None:
        """The hooks of a leaf that may change its gradient. Those that come after it was accumulated do not run."""
        if leaf.hooks is not None:
            (found[leaf],) = leaf.hooks.run_before([found[leaf]], False)

    def step(self, node: Node, g: Gradient, retain: bool, recorded: bool, useful: Useful) -> Sequence[Gradient]:
        """One step, noted."""
        run = observers.step or gradients
        hooks = node.hooks
        if hooks is None or not hooks.around:
            results = run(node, g, retain, recorded, useful)
            self.note(node, g, results, [None if r is None else r.shape for r in results])
            return results
        results = run(node, g, retain, recorded, useful)
        shapes = [None if r is None else r.shape for r in results]

        def see(inputs: Any, outputs: Any) -> None:  # the last of its hooks, so it sees what the others made of it
            handle.remove()
            self.note(node, g, [None if each is None else conjugate(each._data) for each in inputs], shapes)

        handle = node.register_hook(see)
        self.handles.append(handle)  # to be removed too if one of the others raises
        return results

    def note(self, node: Node, g: Gradient, results: Sequence[Gradient], shapes: Sequence[Any]) -> None:
        """Notes a step: the gradient of its result, and those of its arguments."""
        several = node.plan.multiple
        incoming = tuple(None if each is None else values_of(conjugate(each)) for each in (g if several else [g]))
        number = len(self.noted) + 1
        rules, outgoing = {}, {}
        values = {} if type(node) is PackedNode else {**kept(node), "g": g}
        for position, (edge, result) in enumerate(zip(node.edges, results, strict=False)):
            if edge is None or result is None:
                continue
            argument = node.plan.argument(position)
            formula = rule_formula(node, position, self.numbered, values)
            shape = shapes[position]
            rules[argument] = formula if shape == edge.shape else f"{formula}, summed to shape {tuple(edge.shape)}"
            outgoing[argument] = values_of(conjugate(match_input(result, edge, node)))
            part = Part(number, argument, outgoing[argument])
            self.parts.setdefault((edge.node, edge.index), []).append(part)
        local = locals_of(node, list(outgoing))
        sums = []
        for index, total in enumerate(incoming):
            parts = self.parts.get((node, index), [])
            if len(parts) > 1 and total is not None:
                sums.append(Sum(index, tuple(parts), total))
        self.noted.append(Noted(node, rules, incoming, outgoing, local, tuple(sums)))


def locals_of(node: Node, arguments: Sequence[str]) -> dict[str, Local | None]:
    """The derivatives of a node's result, by running its rules on gradients of ones, or on the basis vectors."""
    several = node.plan.multiple
    shapes = [tuple(each) for each in (node.shape if several else [node.shape])]
    dtypes = list(node.dtype) if several else [node.dtype]
    op = getattr(node.plan, "op", None)
    edges = {node.plan.argument(i): (i, edge) for i, edge in enumerate(node.edges) if edge is not None}
    edges = {name: edges[name] for name in arguments}
    if op is None or any(each.kind == "c" for each in (*dtypes, *(edge.dtype for _, edge in edges.values()))):
        return dict.fromkeys(edges)
    count = sum(math.prod(shape) for shape in shapes)
    whole = {name: (*(shapes[0] if not several else (count,)), *edge.shape) for name, (_, edge) in edges.items()}
    if op.kind == "elementwise" and not several:
        results = quietly(node, np.ones(shapes[0], dtypes[0]))
        return {
            name: Local("diagonal", whole[name], values_of(np.broadcast_to(results[position], shapes[0])))
            for name, (position, _) in edges.items()
        }
    small = {name: place for name, place in edges.items() if count * math.prod(place[1].shape) <= WHOLE}
    rows: dict[str, list[np.ndarray]] = {name: [] for name in small}
    for i in range(count if small else 0):
        flat = np.zeros(count)
        flat[i] = 1
        ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
        basis = [
            part.reshape(shape).astype(dtype)
            for part, shape, dtype in zip(np.split(flat, ends), shapes, dtypes, strict=True)
        ]
        results = quietly(node, basis if several else basis[0])
        for name, (position, edge) in small.items():
            result = results[position]
            rows[name].append(np.zeros(edge.shape) if result is None else match_input(result, edge, node))
    return {
        name: Local("matrix", whole[name], values_of(np.stack([np.ravel(row) for row in rows[name]])))
        if name in small and count
        else Local("shape", whole[name], None)
        for name in edges
    }


def quietly(node: Node, g: Gradient) -> Sequence[Gradient]:
    """The rules of a node, applied to a gradient of one's own."""
    with np.errstate(all="ignore"):
        return gradients(node, g, True, False)


def results_of(node: Node, values: Mapping[Place, Values]) -> tuple[Values | None, ...]:
    """The values of each of a node's results, as far as they are known."""
    return tuple(values.get((node, i)) for i in range(len(node.shape) if node.plan.multiple else 1))


def steps_of(done: Pass, loss: Tensor) -> tuple[list[Step], list[Operation]]:
    """The steps of a pass, and all operations in the order of the program."""
    numbered = done.numbered
    values = values_at(numbered.nodes, [*numbered.names.tensors, loss])
    number = {noted.node: i for i, noted in enumerate(done.noted, 1)}
    operations = {
        node: operation(node, numbered, results_of(node, values), number.get(node)) for node in numbered.nodes
    }
    steps = [
        Step(
            number[noted.node],
            noted.node,
            *operations[noted.node][:5],
            tuple(numbered.output(noted.node, i) for i in range(len(noted.incoming))),
            inputs_of(noted.node, numbered, number),
            *noted[1:],
            operations[noted.node].values,
        )
        for noted in done.noted
    ]
    return steps, list(operations.values())


def operation(node: Node, numbered: Numbered, values: tuple[Values | None, ...], step: int | None) -> Operation:
    """What is said of a node."""
    place = place_of(node)
    path = place.calls[-1].path if place is not None and place.calls else ""
    line = None if place is None else place.line
    formula = expression(node, numbered)
    return Operation(numbered.of[node], node.title, formula, path, line, values, step)


def inputs_of(node: Node, numbered: Numbered, number: Mapping[Any, int]) -> tuple[Input, ...]:
    """The arguments of a node that were given."""
    found = []
    for position, edge in enumerate(node.edges):
        name = numbered.argument(node, position)
        origin = None if edge is None else numbered.of[edge] if type(edge) is Leaf else number.get(edge.node)
        if name is not None:
            found.append(Input(node.plan.argument(position), name, origin))
    return tuple(found)
