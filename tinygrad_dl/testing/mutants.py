"""Wrong gradient rules, made from right ones: proof that the checks can fail.

for mutant in mutants(op):
    with mutant:
        assert mutant.caught(examples(op))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from tinygrad_dl.core.op import Op
from tinygrad_dl.core.plan import reads
from tinygrad_dl.testing.call import Call, record_of
from tinygrad_dl.testing.drawing import for_examples
from tinygrad_dl.testing.op_checks import GRADIENT_ONLY, OpError, examine
from tinygrad_dl.testing.running import Tally

Change = Callable[[Any, Any, "tuple[int, ...] | None"], Any]
"""(the gradient, the rule called again with another g, the argument's shape) -> the wrong gradient."""


def flipped(gradient: Any, again: Any, shape: Any) -> Any:
    """The other sign; where the gradient is zero anyway, one too much."""
    return -gradient if np.any(gradient) else gradient + 1


def doubled(gradient: Any, again: Any, shape: Any) -> Any:
    """A factor of two too much; where the gradient is zero anyway, one too much."""
    return gradient * 2 if np.any(gradient) else gradient + 1


def without_g(gradient: Any, again: Any, shape: Any) -> Any:
    """The factor g dropped: the derivative, but not the chain rule."""
    return again() if np.any(gradient) else gradient + 1


def not_summed(gradient: Any, again: Any, shape: Any) -> Any:
    """Broadcasting undone wrongly: the first of the repeated parts instead of their sum."""
    extra = gradient.ndim - len(shape)
    first = gradient[(0,) * extra] if 0 not in gradient.shape[:extra] else np.zeros(shape, gradient.dtype)
    for axis, size in enumerate(shape):
        if size == 1 and first.shape[axis] > 1:
            first = np.take(first, [0], axis=axis)
    return first if np.any(gradient) else first + 1


CHANGES: dict[str, Change] = {
    "the sign flipped": flipped,
    "a factor of 2 too much": doubled,
    "the factor g dropped": without_g,
    "broadcasting not summed": not_summed,
}

NOT_UNDONE = "broadcasting not undone"  # the engine is told that the op does not broadcast


class Mutant:
    """One wrong rule for one argument; in force inside a `with` block."""

    def __init__(self, op: Op, argument: str, kind: str):
        self.op, self.argument, self.kind = op, argument, kind

    def __repr__(self) -> str:
        return f"{self.op.name}, {self.argument}: {self.kind}"

    def __enter__(self) -> Mutant:
        op = self.op
        self.before = dict(op.rules), op.joint, op.broadcasts
        rule = op.rules.get(self.argument)
        if self.kind == NOT_UNDONE:
            op.broadcasts = False
            op.vjp()  # forgets the plans
        elif rule is not None:
            op.vjp(**{self.argument: self.spoilt(rule, None)})
        else:
            assert op.joint is not None
            names, joint = op.joint
            op.joint_vjp(*names)(self.spoilt(joint, names.index(self.argument)))
        return self

    def __exit__(self, *_: object) -> None:
        op = self.op
        op.rules, op.joint, op.broadcasts = self.before
        op.vjp()

    def spoilt(self, rule: Any, position: int | None) -> Any:
        """A function with the rule's parameters (so that the same is saved) and a wrong result."""
        change, op = CHANGES[self.kind], self.op
        names = reads(rule)
        shape_name = f"{self.argument}_shape"
        taken = names if shape_name in names or self.argument == op.sequence else (*names, shape_name)

        def spoil(*values: Any) -> Any:
            g = values[0]
            known = dict(zip(taken, values, strict=True))
            count = len(names)

            def compute(start: Any) -> Any:
                result = rule(start, *values[1:count])
                return result if position is None else list(result)

            def wrong(part: Any, again: Callable[[], Any], shape: Any) -> Any:
                return None if part is None else change(part, again, shape)

            found, ones = compute(g), ones_like(g)
            if position is not None:
                found[position] = wrong(found[position], lambda: compute(ones)[position], known.get(shape_name))
            elif isinstance(found, list | tuple):
                again = compute(ones)
                found = [wrong(part, partial(again.__getitem__, i), None) for i, part in enumerate(found)]
            else:
                found = wrong(found, lambda: compute(ones), known.get(shape_name))
            return found

        listed = ", ".join(taken)
        scope: dict[str, Any] = {"spoil": spoil}
        exec(f"def rule({listed}):\n    return spoil({listed})", scope)
        return scope["rule"]

    def caught(self, calls: Sequence[Call]) -> OpError | None:
        """The error with which the checks meet this mutant on these calls, or None."""
        tally = Tally(self.op)
        for call in calls:
            try:
                examine(call, tally, GRADIENT_ONLY)
            except OpError as error:
                return error
        return None


def ones_like(g: Any) -> Any:
    """Ones in the shape of g, a list for several outputs."""
    if isinstance(g, list):
        return [None if each is None else ones_like(each) for each in g]
    return g * 0 + 1


def mutants(op: Any) -> Iterator[Mutant]:
    """All mutants of an op: each argument's rule, spoilt in each way that applies to it."""
    record = record_of(op)
    # An op of a kind that broadcasts may refuse it all the same, as losses of two classes do.
    broadcasts = record.broadcasts and any(case.broadcasts for case in record.cases)
    for argument in record.differentiable if record.records else ():
        for kind in CHANGES:
            if kind != "broadcasting not summed" or broadcasts:
                yield Mutant(record, argument, kind)
    if broadcasts and record.records and len(record.tensors) > 1 and record.differentiable:
        yield Mutant(record, record.differentiable[0], NOT_UNDONE)


def examples(op: Any) -> list[Call]:
    """Calls of an op as `check_op` draws them, the same each time."""
    calls: list[Call] = []
    for_examples(record_of(op), calls.append, derandomize=True)
    return calls
