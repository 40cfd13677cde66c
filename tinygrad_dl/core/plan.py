"""What one call of an op keeps for its backward pass, and how its rules are run."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_dl.core import promotion
from tinygrad_dl.core.generate import compiled, run_source, save_source
from tinygrad_dl.core.graph import Gradient, Node
from tinygrad_dl.core.messages import no_gradient_of
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.runtime import output_edge
from tinygrad_dl.core.tensor import wrap


def passes_on(rule: Callable[..., Any]) -> bool:
    """Whether a rule is `lambda g: g`."""
    return reads(rule) == ("g",) and rule.__code__.co_code == _identity.__code__.co_code


def _identity(g: Any) -> Any:
    return g


def reads(rule: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a rule's parameters."""
    code = rule.__code__
    return code.co_varnames[: code.co_argcount]


class Plan:
    """What one op saves and runs when a given set of its arguments requires a gradient."""

    materializes = single = True
    suffix = "Backward0"

    def __init__(self, op: Record, mask: int):
        self.op, self.name, self.broadcasts, self.multiple = op, op.node_name, op.broadcasts, op.outputs is not None
        # A sequence is one argument, with one rule that returns a gradient for each of its tensors.
        asked = [t for i, t in enumerate(op.tensors) if mask >> i & 1]
        self.wanted = tuple(t for t in asked if t in op.differentiable)
        for tensor in asked:
            if tensor not in self.wanted and tensor not in op.rules:
                if tensor in op.constants:
                    raise no_gradient_of(op.name, tensor)
                raise NotImplementedError(
                    f"op {op.name}: got {tensor!r} that requires a gradient, expected a gradient rule for it: "
                    f"there is none; declare one with {op.name}.vjp({tensor}=...), or None if it has no gradient"
                )
        self.joint = op.joint if op.joint and set(op.joint[0]) & set(self.wanted) else None
        self.rules = {t: op.rules[t] for t in self.wanted if op.rules.get(t)}
        self.saves = self._read()
        self._prepare(self.saves)
        self.keeps_arrays = any(name in (*op.tensors, "out", *op.aux, *op.output_names) for name in self.saves)
        self.changeable = op.changeable and any(name in ("out", *op.output_names) for name in self.saves)
        self.items = tuple(self._item(name) for name in self.saves)  # their source text
        self.save: Callable[..., Any] | None = self._make_save() if self.saves else None
        self.run: Callable[..., Sequence[Gradient]] = self._make_run()
        self.aimed: dict[tuple[bool, ...], Plan] = {}

    def _read(self) -> tuple[str, ...]:
        """The names that the rules read, and those from which auxiliary values are derived again."""
        op, used = self.op, dict[str, None]()
        for rule in [*self.rules.values(), *([self.joint[1]] if self.joint else [])]:
            used.update(dict.fromkeys(reads(rule)[1:]))  # type: ignore[arg-type]
        used.pop("needs", None)
        self.reads = tuple(used)  # the names that rules read
        derived = {name: op.aux[name] for name in used if op.aux.get(name)}
        for function in derived.values():
            used.update(dict.fromkeys(reads(function)))  # type: ignore[arg-type]
        return tuple(used)

    def _prepare(self, names: tuple[str, ...]) -> None:
        """Finds the places, among the saved values, of what `reconnected` is to give its edge or to derive again."""
        op, at = self.op, {name: place for place, name in enumerate(self.saves)}
        outputs = ("out", op.sequence, *op.output_names)
        self.places = [(at[n], op.tensors.index(n)) for n in names if n in op.tensors and n not in outputs]
        self.shown = [(at[n], n) for n in names if n in outputs]
        derived = [(at[name], derive) for name in self.reads if (derive := op.aux.get(name)) is not None]
        self.derived = [(place, derive, [at[each] for each in reads(derive)]) for place, derive in derived]

    def toward(self, edges: Sequence[Any], useful: Any) -> Plan:
        """The plan, with what a node has saved for it, that finds the gradients at useful edges alone."""
        needed = tuple([edge in useful for edge in edges])
        found = self.aimed.get(needed)
        if found is None:
            found = self.aimed[needed] = self._aimed(needed)
        return found

    def _aimed(self, needed: tuple[bool, ...]) -> Plan:
        wanted = tuple(t for t, asked in zip(self.op.tensors, needed, strict=False) if asked and t in self.wanted)
        if self.op.sequence or wanted == self.wanted:
            return self
        from copy import copy  # few passes go towards given inputs

        plan = copy(self)
        plan.wanted, plan.rules = wanted, {t: rule for t, rule in self.rules.items() if t in wanted}
        plan.joint = self.joint if self.joint and set(self.joint[0]) & set(wanted) else None
        plan._prepare(plan._read())
        plan.run = plan._make_run()
        return plan

    def _item(self, name: str) -> str:
        """The expression, in the generated function's names, of a value to save."""
        op = self.op
        if name in (*op.parameters, "out", *op.aux, *op.output_names):
            return name
        argument = name.removesuffix("_shape")
        return f"[each.shape for each in {argument}]" if argument == op.sequence else f"{argument}.shape"

    def _make_save(self) -> Callable[..., Any]:
        parameters = (*self.op.parameters, "out", *self.op.aux, *self.op.output_names)
        return types.FunctionType(compiled(save_source, parameters, self.items), {})

    def _make_run(self) -> Callable[..., Sequence[Gradient]]:
        op = self.op
        scope: dict[str, Any] = {f"rule_{t}": rule for t, rule in self.rules.items()}
        # A rule that hands the gradient on as it is (`lambda g: g`) needs no call.
        calls = tuple((t, () if passes_on(rule) else reads(rule)) for t, rule in self.rules.items() if rule)
        joint: tuple[Any, ...] = ()
        if self.joint:
            scope["rule_joint"] = self.joint[1]
            scope["needs"] = tuple(t in self.wanted for t in self.joint[0])
            joint = (self.joint[0], reads(self.joint[1]))
        code = compiled(run_source, self.saves, calls, joint, op.tensors, op.sequence)
        return types.FunctionType(code, scope)

    def argument(self, position: int) -> str:
        """The name of the input that edge number `position` leads to."""
        return f"{self.op.sequence}[{position}]" if self.op.sequence else self.op.tensors[position]

    def reconnected(self, node: Node, saved: Any) -> Any:
        """The saved values as tensors, each on its own edge again; constants stay arrays."""
        values, edges = list(saved), node.edges
        for place, tensor in self.places:
            values[place] = connected(values[place], edges[tensor])
        if self.shown:
            self._reconnect_shown(node, values)
        if node.dtype is not promotion.FLOAT32 and node.dtype is not promotion.FLOAT64:
            values = [promotion.in_single(value) for value in values]
        for place, derive, arguments in self.derived:
            values[place] = derive(*[values[each] for each in arguments])
        return values

    def _reconnect_shown(self, node: Node, values: list[Any]) -> None:
        """Reconnects what is no single argument: a sequence of them, and outputs."""
        op = self.op
        for place, name in self.shown:
            if name == op.sequence:
                values[place] = [connected(a, e) for a, e in zip(values[place], node.edges, strict=True)]
            elif name == "out" and self.multiple:
                values[place] = tuple(connected(a, output_edge(node, i)) for i, a in enumerate(values[place]))
            elif name == "out":
                values[place] = connected(values[place], node)
            else:
                values[place] = connected(values[place], output_edge(node, op.output_names.index(name)))


def connected(array: Any, edge: Any) -> Any:
    """A saved array as a tensor on its edge; without an edge it was a constant and stays an array."""
    if edge is None or array is None or not promotion.is_differentiable(array.dtype):
        return array
    new = wrap(array)
    new._edge = edge
    return new
