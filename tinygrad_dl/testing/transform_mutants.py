"""Wrong rules of forward mode and of batches, made from right ones: proof that the checks of transforms can fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.batching import Batch
from tinygrad_dl.core.op import Op
from tinygrad_dl.core.plan import reads
from tinygrad_dl.core.tensor import Tensor, as_array
from tinygrad_dl.core.transforms import Lifted
from tinygrad_dl.testing.call import Call, record_of
from tinygrad_dl.testing.op_checks import Check, OpError, examine, note_random
from tinygrad_dl.testing.running import Tally
from tinygrad_dl.testing.transforms import check_batches, check_tangents

ENOUGH = 12  # calls on which a mutant is looked at


class Mutant:
    """A wrong rule in the place of a right one; in force inside a `with` block.

    Attributes:
        effective: whether it ever gave something else than the right rule. What never does is no mutant: a dimension
            more does not matter where there is one.
    """

    check: Check

    def __init__(self, op: Op, what: str, kind: str):
        self.op, self.what, self.kind, self.effective = op, what, kind, False

    def __repr__(self) -> str:
        return f"{self.op.name}, {self.what}: {self.kind}"

    def __enter__(self) -> Mutant:
        op = self.op
        self.before = dict(op.tangents), op.joint_tangents, op.value_with_tangent, op.batching
        self.spoil()
        op.carriers.clear()
        op.together = None
        return self

    def __exit__(self, *_: object) -> None:
        op = self.op
        op.tangents, op.joint_tangents, op.value_with_tangent, op.batching = self.before
        op.carriers.clear()
        op.together = None

    def spoil(self) -> None:
        """Puts the wrong rule in the right one's place."""
        raise NotImplementedError

    def caught(self, calls: Sequence[Call]) -> OpError | None:
        """The error with which the check meets this mutant on these calls, or None."""
        tally = Tally(self.op)
        for call in calls[:ENOUGH]:
            try:
                examine(call, tally, (note_random, type(self).check))
            except OpError as error:
                return error
        return None


def with_names(names: tuple[str, ...], body: Callable[..., Any]) -> Any:
    """A function with these parameters that calls another with their values."""
    scope: dict[str, Any] = {"body": body}
    listed = ", ".join(names)
    exec(f"def rule({listed}):\n    return body({listed})", scope)
    return scope["rule"]


# -- tangents -----------------------------------------------------------------------------------------

TANGENTS: dict[str, Callable[[Any], Any]] = {
    "the sign flipped": lambda t: -t,
    "a factor of 2 too much": lambda t: t * 2,
    "nothing": lambda t: t * 0,
}


class TangentMutant(Mutant):
    """A wrong rule for the tangent of one argument, or of several together."""

    check = staticmethod(check_tangents)

    def spoil(self) -> None:
        op = self.op
        together = op.joint_tangents
        if together is not None and self.what in together[0]:
            position = together[0].index(self.what)
            names = reads(together[1])
            op.joint_tangents = together[0], with_names(names, self.wrong_place(together[1], position))
        else:
            rule: Any = op.tangents[self.what]
            op.tangents = {**op.tangents, self.what: with_names(reads(rule), self.wrong_result(rule))}

    def wrong_result(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """A rule whose result is changed."""

        def wrong(t: Any, *values: Any) -> Any:
            right = rule(t, *values)
            parts = right if isinstance(right, tuple) else (right,)  # of several outputs, or of one
            self.effective |= any(bool(np.any(as_array(part))) for part in parts)
            changed = tuple(TANGENTS[self.kind](part) for part in parts)
            return changed if isinstance(right, tuple) else changed[0]

        return wrong

    def wrong_place(self, rule: Callable[..., Any], position: int) -> Callable[..., Any]:
        """A rule of several tangents, one of which is changed before the rule sees it."""

        def wrong(t: Any, *values: Any) -> Any:
            mine = t[position]
            if mine is None:
                return rule(t, *values)
            self.effective |= bool(np.any(as_array(mine)))
            return rule((*t[:position], TANGENTS[self.kind](mine), *t[position + 1 :]), *values)

        return wrong


class TogetherMutant(TangentMutant):
    """A wrong rule for result and tangent together."""

    def spoil(self) -> None:
        op = self.op
        rule: Any = op.value_with_tangent
        spoilt = self.wrong_place(rule, op.tensors.index(self.what))

        def wrong(t: Any, *values: Any) -> Any:
            # Where there is no rule for these arguments none is spoilt.
            return NotImplemented if rule(t, *values) is NotImplemented else spoilt(t, *values)

        op.value_with_tangent = with_names(reads(rule), wrong)


def tangent_mutants(op: Any) -> Iterator[TangentMutant]:
    """Each declared rule for tangents, spoilt in each way."""
    record = record_of(op)
    if record.value_with_tangent is not None:
        for name in record.differentiable:
            for kind in TANGENTS:
                yield TogetherMutant(record, name, kind)
    together = record.joint_tangents[0] if record.joint_tangents else ()
    for name in (*[n for n, rule in record.tangents.items() if rule is not None], *together):
        for kind in TANGENTS:
            yield TangentMutant(record, name, kind)


# -- batches ------------------------------------------------------------------------------------------

MISPLACED = "the next dimension"
FORGOTTEN = "taken for the same in all examples"
RESULTS: dict[str, Callable[[Any], Any]] = {
    "the first example for all": lambda out: out[:1].expand(out.shape),
    "another example's result": lambda out: out.roll(1, 0),
    "the batch at the end": lambda out: out.movedim(0, -1),
    "the examples joined": lambda out: out.flatten(0, 1) if out.ndim > 1 else out.sum(),
}


class BatchMutant(Mutant):
    """A wrong rule for batches: wrong arguments for the rule, or its result changed."""

    check = staticmethod(check_batches)

    def spoil(self) -> None:
        rule: Any = self.op.batching
        names = reads(rule)
        place = names.index("batch" if self.kind == FORGOTTEN else self.what) if self.kind not in RESULTS else None

        def wrong(*values: Any) -> Any:
            right = rule(*values)
            if right is NotImplemented:
                return right
            if place is None:
                found = self.changed(right)
            else:
                try:
                    found = rule(*values[:place], self.other(values[place]), *values[place + 1 :])
                except Exception:
                    self.effective = True
                    raise
                if found is NotImplemented:
                    return right
            self.effective |= differ(found, right)
            return found

        self.op.batching = with_names(names, wrong)

    def other(self, value: Any) -> Any:
        """The argument that the rule gets instead."""
        if isinstance(value, Batch):
            return value._replace(of=value.of - {self.what})
        if type(value) is tuple or type(value) is list:
            return type(value)([each + 1 if type(each) is int else each for each in value])
        return value + 1 if type(value) is int else value

    def changed(self, right: Any) -> Any:
        change = RESULTS[self.kind]
        if isinstance(right, Tensor):
            return change(right)
        made = [change(each) for each in right]
        return type(right)(*made) if hasattr(right, "_fields") else type(right)(made)


def differ(found: Any, right: Any) -> bool:
    """Whether two results are not the same."""
    pairs = [(found, right)] if isinstance(right, Tensor) else list(zip(found, right, strict=True))
    for a, b in pairs:
        if isinstance(a, Lifted) or isinstance(b, Lifted):
            return False  # nobody can look
        x, y = as_array(a), as_array(b)
        if x.shape != y.shape or not np.array_equal(x, y, equal_nan=x.dtype.kind in "fc"):
            return True
    return False


def batch_mutants(op: Any) -> Iterator[BatchMutant]:
    """The rule for batches, spoilt in each way that applies to what it reads."""
    record = record_of(op)
    if record.batching is None:
        return
    names = reads(record.batching)
    for name in names:
        if "dim" in name and name not in record.tensors:
            yield BatchMutant(record, name, MISPLACED)
        if "batch" in names and name in record.tensors and name != record.sequence:
            yield BatchMutant(record, name, FORGOTTEN)
    for kind in RESULTS:
        yield BatchMutant(record, "batch", kind)
