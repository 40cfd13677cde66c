"""`trace`: the backward pass of a loss as a list of steps, each with its formula and its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.graph import Leaf, Node
from tinygrad_dl.core.table import or_text, page
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.transforms import Lifted
from tinygrad_dl.utils.checkpoint import Reentrant
from tinygrad_dl.viz.backward.chain import Chain
from tinygrad_dl.viz.backward.formulas import Numbered
from tinygrad_dl.viz.backward.steps import LeafGradient, Operation, Pass, Step, Sum, steps_of
from tinygrad_dl.viz.backward.telling import in_a_row, leaf_lines, step_lines
from tinygrad_dl.viz.known.names import kind_of
from tinygrad_dl.viz.known.naming import variables_around
from tinygrad_dl.viz.known.recording import run_of
from tinygrad_dl.viz.known.subject import no_tensor
from tinygrad_dl.viz.known.values import values_of
from tinygrad_dl.viz.texts import plural

HEAD = ("step", "operation", "line", "incoming", "handed on", "rule", "values")


@composition
def trace(loss: Tensor, gradient: Tensor | None = None, params: Any = None) -> Trace:
    """The backward pass of a loss as a list of steps, each with its formula and its numbers.

    It is the engine's own pass, so its gradients are those of `loss.backward()`, bit for bit. The graph and every
    `.grad` stay as they are, and a backward pass can follow. Hooks that may change gradients run; hooks after
    accumulation do not.

    Computed inside `viz.recording()`, a graph also tells the values of all results, the lines of the program, the
    modules and all constants. Without, there are gradients and what the operations keep for their rules.

    Args:
        loss: a tensor of any shape with a graph that was not freed.
        gradient: the gradient to start from, of the loss's shape; may be left out for one element.
        params: names of tensors, as in `graph`. Other parameters have the names that modules have for them: those that
            were called inside `viz.recording()`, or are variables where `trace` is called. All other tensors have the
            names of variables, there or where operations were given them inside `viz.recording()`; a variable that
            stood for several tensors names none.

    Returns:
        A `Trace`, which prints as a text.

    Raises:
        RuntimeError: the loss has no graph, or one that was freed; it has several elements and no gradient was given; a
            part of the graph was checkpointed with `use_reentrant=True`.
        TypeError: an argument is not one of those above.

    >>> w, x = td.tensor([1.0, -2.0], requires_grad=True), td.tensor([3.0, 1.0])
    >>> with td.viz.recording():
    ...     h = w * x
    ...     loss = (h**3).sum()
    >>> steps = td.viz.trace(loss)
    >>> steps["h"].rules
    {'input': 'h.grad * x'}
    >>> steps["w"].gradient.array
    array([81., 12.], dtype=float32)
    >>> print(steps.path("w"))
    ∂loss/∂w = ∂loss/∂%2 · ∂%2/∂h · ∂h/∂w
    <BLANKLINE>
    1. loss = sum(%2)
       loss.grad = 1.0
       %2.grad = expand(loss.grad, (2,))
               = [1., 1.]
    <BLANKLINE>
    2. %2 = h ** 3
       %2.grad = [1., 1.]
       h.grad = %2.grad * (3 * h ** 2)
              = [27., 12.]
    <BLANKLINE>
    3. h = w * x
       h.grad = [27., 12.]
       w.grad = h.grad * x
              = [81., 12.]
    """
    if not isinstance(loss, Tensor):
        raise TypeError(f"trace: {no_tensor(loss)}")
    if isinstance(loss, Lifted):
        raise RuntimeError("trace: got a tensor inside of a transform such as vmap, expected one outside of it")
    run = run_of(loss)
    for node in run.nodes:
        if getattr(node.plan, "function", None) is Reentrant:
            raise RuntimeError(
                "trace: got a graph with a part that was checkpointed with use_reentrant=True, expected none, as its "
                "backward pass adds to .grad; pass use_reentrant=False to checkpoint"
            )
    numbered = Numbered([loss], params, variables_around())
    if numbered.nodes and loss._edge is not None and numbered.names.find(loss._edge) is None:
        numbered.of[loss._edge.node] = "loss"
    done = Pass(numbered)
    done.run(loss, gradient)
    steps, forward = steps_of(done, loss)
    leaves = [leaf_of(leaf, done) for leaf in numbered.leaves]
    return Trace("" if loss._edge is None else numbered.value(loss._edge), steps, forward, leaves)


def leaf_of(leaf: Leaf, done: Pass) -> LeafGradient:
    """What is said of a leaf at the end of a pass."""
    found, variable = done.found.get(leaf), leaf.variable
    gradient = None if found is None else values_of(np.asarray(found))
    parts = done.parts.get((leaf, 0), [])
    return LeafGradient(
        name=done.numbered.of[leaf],
        edge=leaf,
        kind=kind_of(leaf, done.numbered.names),
        value=None if variable is None else values_of(variable._data),
        gradient=gradient,
        sum=Sum(0, tuple(parts), gradient) if len(parts) > 1 and gradient is not None else None,
        grad=None if found is None else wrap(np.array(found)),
    )


class Trace:
    """What `trace` returns: a backward pass, step by step. It prints as a text; notebooks show it as a table.

    `trace[3]` is the step with the number 3, `trace["w"]` a leaf or the step of a result by its name. `trace[y]` and
    `trace[y.grad_fn]` are those of a tensor.

    Attributes:
        loss: the name of the loss.
        steps: a `Step` for each operation through which gradients went, in the order of the pass.
        forward: an `Operation` for each operation, in the order of the program.
        leaves: a `LeafGradient` for each leaf, in the order of their first use.
        shared: the names of what was used several times, so that its gradient is a sum.
    """

    def __init__(self, loss: str, steps: list[Step], forward: list[Operation], leaves: list[LeafGradient]) -> None:
        self.loss, self.steps, self.forward, self.leaves = loss, steps, forward, leaves
        self._named: dict[Any, Any] = {}
        for step in steps:
            self._named.setdefault(step.name, step)
            self._named[step.node] = step
        for leaf in leaves:
            self._named[leaf.name] = self._named[leaf.edge] = leaf
        uses = Counter(each.name for step in steps for each in step.inputs if each.argument in step.outgoing)
        self.shared = {name for name, count in uses.items() if count > 1}

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __getitem__(self, key: int | str | Tensor | Node | Leaf) -> Any:
        if isinstance(key, Tensor):
            key = getattr(key._edge, "node", key)
        if isinstance(key, int):
            if not (1 <= key <= len(self.steps) or -len(self.steps) <= key < 0):
                raise IndexError(f"Trace: got step {key}, expected a number from 1 to {len(self.steps)}")
            return self.steps[key - 1 if key > 0 else key]
        if key not in self._named:
            names = ", ".join(name for name in self._named if isinstance(name, str))
            raise KeyError(
                f"Trace: got {key!r}, expected a step's number, a tensor of the graph, its node, or a name: {names}"
            )
        return self._named[key]

    def path(self, name: str | Tensor | Node | Leaf) -> Chain:
        """How a tensor gets its gradient: the steps that lead from it to the loss, and the chain rule written out.

        Args:
            name: of a leaf or of a result; or the tensor itself, or its place in the graph.

        Raises:
            KeyError: there is no such tensor. ValueError: no gradient arrives there.
        """
        place = self[name]
        target = place.name
        if isinstance(place, LeafGradient) and place.gradient is None:
            raise ValueError(f"path: got {target!r}, at which no gradient arrives, expected another tensor")
        wanted: set[Any] = {target} if isinstance(place, LeafGradient) else {place.number}
        found: list[Step] = []
        for step in reversed(self.steps):  # from the leaves to the loss: what reads a tensor comes after it
            if any(each.origin in wanted and each.origin is not None for each in step.inputs):
                found.append(step)
                wanted.add(step.number)
        return Chain(self.loss, place, found, self.shared)

    def rows(self) -> list[list[str]]:
        """As a table with a row for each gradient that a step hands on, in the columns of `HEAD`."""
        rows = []
        for step in self.steps:
            line = "" if step.line is None else str(step.line)
            incoming = "; ".join(in_a_row(each) for each in step.incoming if each is not None)
            first = [str(step.number), f"{step.name} = {step.formula}", line, incoming]
            for each in step.inputs:
                if each.argument in step.rules:
                    rule, values = step.rules[each.argument], in_a_row(step.outgoing[each.argument])
                    rows.append([*first, f"{each.name}.grad", rule, values])
        return rows

    def data(self) -> dict[str, Any]:
        """All of it as dicts, lists, texts and numbers, as JSON has them; nan and infinities as texts."""
        return {
            "loss": self.loss,
            "steps": [{n: plain(v) for n, v in step._asdict().items() if n != "node"} for step in self.steps],
            "forward": [plain(each) for each in self.forward],
            "leaves": [
                {n: plain(v) for n, v in leaf._asdict().items() if n not in ("edge", "grad")} for leaf in self.leaves
            ],
        }

    def __str__(self) -> str:
        lines = [f"backward pass of {self.loss}: {plural(len(self.steps), 'step')}"]
        for step in self.steps:
            lines += ["", *step_lines(step, self.shared)]
        return "\n".join([*lines, "", "leaves", *(line for leaf in self.leaves for line in leaf_lines(leaf))])

    def __repr__(self) -> str:
        return f"<Trace of {self.loss}: {plural(len(self.steps), 'step')}, {len(self.leaves):,} leaves>"

    @or_text
    def _repr_html_(self) -> str:
        rows = [
            ["", "", "", "", *row[4:]] if row[0] == before[0] else row for before, row in pairwise([[""], *self.rows()])
        ]
        return page(HEAD, rows, f"backward pass of {self.loss}: {plural(len(self.steps), 'step')}")


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if hasattr(value, "_asdict"):
        return {name: plain(each) for name, each in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)


__all__ = ["Chain", "Trace", "trace"]
