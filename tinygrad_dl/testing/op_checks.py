"""check_op: what an op's declaration promises, checked on drawn inputs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_dl.op import REGISTRY, Op
from tinygrad_dl.random import get_rng_state, set_rng_state
from tinygrad_dl.samples import BroadcastingCase, Complexes, Real, Reals
from tinygrad_dl.testing import first_order, forward, refusals, second_order
from tinygrad_dl.testing.call import Call, record_of
from tinygrad_dl.testing.drawing import for_examples
from tinygrad_dl.testing.report import CheckError, pasteable
from tinygrad_dl.testing.running import Tally

Check = Callable[[Call, Tally], None]


class OpError(CheckError):
    """An op does not do what its declaration says."""


def all_ops() -> list[Op]:
    """The declarations of all ops, by name.

    >>> from tinygrad_dl.testing import all_ops
    >>> "mul" in [op.name for op in all_ops()]
    True
    """
    importlib.import_module("tinygrad_dl.nn")  # which declares those of nn.functional
    return [REGISTRY[name] for name in sorted(REGISTRY)]


def check_op(op: Any, max_examples: int | None = None) -> None:
    """Checks an op against its declaration, on inputs that hypothesis draws from `inputs=`.

    On each example: the result against the reference; dtypes; nothing mutated; memory layouts; the gradient
    against central differences; the second derivative; recorded and bare passes; linearity; what is saved;
    aliasing. Then the declared errors.

    Args:
        op: a function declared with `@td.op`, its `.op`, or its name.
        max_examples: how many inputs to draw; 30 if not given, more for ops with several cases.

    Raises:
        OpError: the first thing that is wrong, with arguments and a line that shows it again.

    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.testing import check_op
    >>> check_op(td.exp)
    """
    record = record_of(op)
    check_declaration(record)
    tally = Tally(record)
    for_examples(record, lambda call: examine(call, tally), max_examples)
    check_tally(tally)
    for case in record.errors:
        with failing_as_op_error(f"op {record.name}, errors="):
            refusals.check_refusal(record, case)


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
    found: dict[str, None] = {}
    for case in op.cases:
        samples = dict(case)
        if isinstance(case, BroadcastingCase):
            samples |= dict(zip(op.tensors, case.tensors, strict=False))
        found |= {n: None for n in op.tensors if isinstance(samples.get(n), Real | Complexes | Reals)}
    return list(found)


def examine(call: Call, tally: Tally, checks: Sequence[Check] | None = None) -> None:
    """Makes the checks on one call; a failure gets the arguments and a line to see it again."""
    call = call.copy()
    for check in CHECKS if checks is None else checks:
        with failing_as_op_error(call):
            check(call.copy(), tally)


def note_random(call: Call, tally: Tally) -> None:
    """Finds out whether the op draws from the default generator, which then is seeded before each run."""
    before = get_rng_state()
    with np.errstate(all="ignore"):
        call.run()
    tally.random = tally.random or repr(get_rng_state()) != repr(before)
    set_rng_state(before)


@contextmanager
def failing_as_op_error(where: Call | str) -> Iterator[None]:
    """What is raised inside becomes an OpError that says where."""
    try:
        yield
    except Exception as error:
        kind = "" if isinstance(error, CheckError) else f"{type(error).__name__}: "
        text = "\n".join([f"{kind}{error}", *getattr(error, "__notes__", ())])
        if isinstance(where, Call):
            name, source = where.op.name, where.source()
            listed = "".join(f"\n  {key} = {pasteable(value)}" for key, value in where.values.items())
            text = (
                f"op {name}: {text}\narguments:{listed}\n"
                f"to see it again: from tinygrad_dl.testing import check_call; check_call({where.op.key!r}, {source})"
            )
        else:
            text = f"{where}: {text}"
        raise OpError(text) from (None if isinstance(error, CheckError) else error)


CHECKS: tuple[Check, ...] = (
    note_random,
    forward.check_values,
    first_order.check_gradient,
    first_order.check_passes,
    first_order.check_saved,
    second_order.check_second_order,
    forward.check_dtypes,
    forward.check_layouts,
    first_order.check_unused_outputs,
)
GRADIENT_ONLY = (note_random, first_order.check_gradient)


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
