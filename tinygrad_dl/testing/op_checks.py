"""check_op: what an op's declaration promises, checked on drawn inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.op import REGISTRY, Op
from tinygrad_dl.random import get_rng_state, set_rng_state
from tinygrad_dl.testing import first_order, forward, refusals, second_order
from tinygrad_dl.testing.call import Call, record_of
from tinygrad_dl.testing.report import CheckError, pasteable



class OpError(CheckError):
    """An op does not do what its declaration says."""


def all_ops() -> list[Op]:
    """The declarations of all ops, by name.

    >>> from tinygrad_dl.testing import all_ops
    >>> "mul" in [op.name for op in all_ops()]
    True
    """
    return [REGISTRY[name] for name in sorted(REGISTRY)]


class Tally:
    """What was seen over all examples of an op: a check that never applied is no check."""

    def __init__(self, op: Op):
        self.op = op
        self.random: bool | None = None
        self.compared: dict[str, int] = {}  # entries of the gradient that were compared, for each argument
        self.kinks: dict[str, int] = {}
        self.read: dict[str, bool] = {}  # whether a saved array's values mattered to the rules


def check_op(op: Any, max_examples: int | None = None) -> None:
    """Checks an op against its declaration, on inputs that hypothesis draws from `inputs=`.

    On each example: the result against the reference; dtypes; nothing mutated; memory layouts; the gradient
    against central differences; the second derivative; recorded and bare passes; linearity; what is saved;
    aliasing. Then the declared errors.

    Args:
        op: a function declared with `@td.op`, its `.op`, or its name.
        max_examples: how many inputs to draw; 12 if not given, more for ops with several cases or many tensors.

    Raises:
        OpError: the first thing that is wrong, with arguments and a line that shows it again.

    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.testing import check_op
    >>> check_op(td.exp)
    """
    from tinygrad_dl.testing.drawing import for_examples

    record = record_of(op)
    check_declaration(record)
    tally = Tally(record)
    for_examples(record, lambda call: examine(call, tally), max_examples)
    check_tally(tally)
    for case in record.errors:
        guarded(lambda case=case: refusals.check_refusal(record, case), f"op {record.name}, errors=")


def check_call(op: Any, **arguments: Any) -> None:
    """Makes the checks of `check_op` on these arguments alone: the line that a failure prints.

    >>> import numpy as np
    >>> from tinygrad_dl.testing import check_call
    >>> check_call("mul", input=np.array([1.0, 2.0]), other=np.array(3.0))
    """
    record = record_of(op)
    check_declaration(record)
    examine(Call(record, arguments), Tally(record))


def check_declaration(op: Op) -> None:
    """An op enters with its legal inputs, a reference, and a rule for every floating tensor, or not at all."""
    missing = []
    if not any(case or getattr(case, "tensors", ()) for case in op.cases):
        missing.append("its legal inputs: inputs=dict(x=real()) or broadcasting(...), see tinygrad_dl.samples")
    if op.reference is None:
        missing.append("the same function written differently: reference=...")
    if op.records:
        ruled = {*op.rules, *(op.joint[0] if op.joint else ())}
        missing += [
            f"a gradient rule for {name!r}: {op.name}.vjp({name}=lambda g, ...: ...), or {name}=None if it has none"
            for name in floating_tensors(op)
            if name not in ruled
        ]
    if missing:
        lines = "\n".join(f"  - {line}" for line in missing)
        raise OpError(f"op {op.name} can't be checked; its declaration needs\n{lines}")


def floating_tensors(op: Op) -> list[str]:
    """The tensor parameters that the declared inputs give floating numbers."""
    from tinygrad_dl.samples import Drawn, Real, Reals

    found = []
    for name in op.tensors:
        samples = [case[name] for case in op.cases if name in case]
        position = op.tensors.index(name)
        samples += [case.tensors[position] for case in op.cases if case.broadcasts and position < len(case.tensors)]
        if any(isinstance(sample, Real | Reals) for sample in samples) and not any(
            isinstance(sample, Drawn) for sample in samples
        ):
            found.append(name)
    return found


CHECKS: tuple[Callable[[Call, Tally], None], ...] = (
    forward.check_values,
    first_order.check_gradient,
    first_order.check_passes,
    first_order.check_saved,
    second_order.check_second_order,
    forward.check_dtypes,
    forward.check_layouts,
    first_order.check_unused_outputs,
)


def examine(call: Call, tally: Tally) -> None:
    """Makes all checks on one call; every failure gets the arguments and a line to see it again."""
    call = call.copy()
    if tally.random is None:
        guarded(lambda: note_random(call, tally), call)
    for check in CHECKS:
        guarded(lambda check=check: check(call.copy(), tally), call)


def examine_gradient(call: Call, tally: Tally) -> None:
    """Only the comparison with central differences."""
    call = call.copy()
    if tally.random is None:
        note_random(call, tally)
    guarded(lambda: first_order.check_gradient(call, tally), call)


def guarded(check: Callable[[], None], where: Call | str) -> None:
    """Runs a check; what it raises is an OpError that says where."""
    try:
        check()
    except Exception as error:
        kind = "" if isinstance(error, CheckError) else f"{type(error).__name__}: "
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        text = f"{kind}{error}{notes}"
        if isinstance(where, Call):
            name, source = where.op.name, where.source()
            listed = "".join(f"\n  {key} = {pasteable(value)}" for key, value in where.values.items())
            text = (
                f"op {name}: {text}\narguments:{listed}\n"
                f"to see it again: from tinygrad_dl.testing import check_call; check_call({name!r}, {source})"
            )
        else:
            text = f"{where}: {text}"
        raise OpError(text) from (None if isinstance(error, CheckError) else error)


def note_random(call: Call, tally: Tally) -> None:
    """Finds out whether the op is random."""
    with np.errstate(all="ignore"):
        tally.random = uses_random_numbers(call.copy())


def uses_random_numbers(call: Call) -> bool:
    """Whether the op draws from the default generator."""
    before = get_rng_state()
    call.run()
    after = get_rng_state()
    set_rng_state(before)
    return bool(repr(before) != repr(after))


def check_tally(tally: Tally) -> None:
    """Over all examples, each argument's gradient was compared somewhere and each saved array was needed."""
    op = tally.op
    for name, kinks in tally.kinks.items():
        if kinks and not tally.compared.get(name):
            raise OpError(
                f"op {op.name}: all {kinks} entries of the gradient for {name!r} were kinks, none could be compared; "
                f"draw inputs where it is smooth: real(..., avoid=(...)) or distinct=True"
            )
    for name, needed in tally.read.items():
        if not needed:
            raise OpError(
                f"op {op.name}: the rules keep {name!r} alive, but its values never change the gradient; read "
                f"{name}_shape instead, or leave it out"
            )
