"""check_op: what an op's declaration promises, checked on drawn inputs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import REGISTRY
from tinygrad_dl.core.op import Op
from tinygrad_dl.inputs import AxesOf, AxisOf, BroadcastingCase, Case, Complexes, Drawn, Real, Reals, ShapeOf
from tinygrad_dl.random import get_rng_state, set_rng_state
from tinygrad_dl.testing import compiled, first_order, forward, refusals, rules, second_order, transforms
from tinygrad_dl.testing.call import Call, default_values, record_of
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


class OpReport:
    """What `check_op` went through: prints as one line.

    Attributes:
        inputs: how many drawn inputs were checked.
        compared: how many entries of the gradient were compared with differences, for each argument.
        skipped: how many were left aside, because the function has no derivative there.
        refused: how many inputs were refused, as declared.
        not_compiled: why `td.compile` refuses a step with it; "" if it does not.
    """

    def __init__(self, tally: Tally):
        self.op, self.inputs, self.refused = tally.op, tally.inputs, len(refusals.refused(tally.op))
        self.compared = {name: tally.compared.get(name, 0) for name in tally.op.differentiable}
        self.skipped = sum(tally.kinks.values())
        self.not_compiled = tally.not_compiled

    def __str__(self) -> str:
        counts = ", ".join(f"{count} of {name!r}" for name, count in self.compared.items())
        entries = f"entries of the gradient compared: {counts}" if counts else "no gradient"
        skipped = f", {self.skipped} left aside at kinks" if self.skipped else ""
        eager = f"; not compiled, for {self.not_compiled}" if self.not_compiled else ""
        return f"op {self.op.name}: right at {self.inputs} inputs; {entries}{skipped}; {self.refused} refused{eager}"

    __repr__ = __str__


def check_op(op: Any, max_examples: int | None = None) -> OpReport:
    """Checks an op against its declaration, on inputs that hypothesis draws from `inputs=`.

    On each example: the result against the reference; dtypes; nothing mutated; memory layouts, of arguments and of
    g; each rule by itself; the gradient against central differences; the second derivative; recorded and bare
    passes; linearity; what is saved; aliasing; forward mode against reverse mode, and batches against their
    examples, in every order of the two; a compiled step against an eager one. Some examples have long dimensions, and
    some, where no limit is declared, elements of large magnitude. Then the declared errors.

    Args:
        op: a function declared with `@td.op`, its `.op`, or its name.
        max_examples: how many inputs to draw; 30 if not given, more for ops with several cases.

    Returns:
        A report that prints how many inputs and entries of the gradient were compared.

    Raises:
        OpError: the first thing that is wrong, with arguments and a line that shows it again.

    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.testing import check_op
    >>> report = check_op(td.exp)
    >>> report.inputs > 30, report.compared["input"] > 100
    (True, True)
    """
    record = record_of(op)
    check_declaration(record)
    tally = Tally(record)
    for_examples(
        record, lambda call: examine(call, tally), max_examples, use_large=lambda call: examine(call, tally, LARGE_ONLY)
    )
    check_tally(tally)
    for case in refusals.refused(record):
        with failing_as_op_error(f"op {record.name}, errors="):
            refusals.check_refusal(record, case)
    return OpReport(tally)


def check_call(op: Any, **arguments: Any) -> None:
    """Makes the checks of `check_op` on these arguments alone: the line that a failure prints.

    >>> import numpy as np
    >>> from tinygrad_dl.testing import check_call
    >>> check_call("mul", input=np.array([1.0, 2.0]), other=np.array(3.0))
    """
    record = record_of(op)
    check_declaration(record)
    examine(Call(record, arguments), Tally(record), (*LARGE_ONLY, *CHECKS[1:]))


def check_declaration(op: Op) -> None:
    """An op enters with its legal inputs, a reference, and a rule for every floating tensor, or not at all."""
    missing = [line for case in op.cases for line in misnamed(op, case)]
    if not any(case or getattr(case, "tensors", ()) for case in op.cases):
        missing.append("its legal inputs: inputs=dict(x=real()) or broadcasting(...), see tinygrad_dl.inputs")
    if op.reference is None:
        missing.append("the same function written differently: reference=...")
    if op.records:
        ruled = {*op.rules, *op.constants, *(op.joint[0] if op.joint else ())}
        missing += [
            f"a gradient rule for {name!r}: {op.name}.vjp({name}=lambda g, ...: ...), or {name}=None if it has none"
            for name in floating_tensors(op)
            if name not in ruled
        ]
    if missing:
        lines = missing[0] if len(missing) == 1 else "".join(f"\n  - {line}" for line in missing)
        raise OpError(f"op {op.name} can't be checked; its declaration needs {lines}")


def misnamed(op: Op, case: Case) -> Iterator[str]:
    """What one case of the legal inputs gets wrong: names that are no parameters, or not drawn yet, or missing."""
    given = list(case)
    if isinstance(case, BroadcastingCase):
        if len(case.tensors) > len(op.tensors):
            yield f"as many samples in broadcasting(...) as there are tensors: {op.tensors}, got {len(case.tensors)}"
        given = [*op.tensors[: len(case.tensors)], *given]
    for position, name in enumerate(given):
        if name not in op.parameters:
            yield f"inputs= that name parameters: {', '.join(op.parameters)}; got {name!r}"
        for other in refers_to(case.get(name)):
            if other not in given[:position]:
                yield f"inputs= in which {name!r} stands after what it is drawn from; {other!r} is not before it"
    defaults = default_values(op)
    for name in op.parameters:
        if given and name not in given and name not in defaults:
            yield f"a sample for {name!r} in inputs=, which has no default"


def refers_to(sample: Any) -> tuple[str, ...]:
    """The arguments from which a sample is drawn."""
    if isinstance(sample, Drawn):
        code = sample.make.__code__
        return code.co_varnames[1 : code.co_argcount]
    return (sample.argument,) if isinstance(sample, AxisOf | AxesOf | ShapeOf) else ()


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
    tally.inputs += 1
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
    rules.check_rules,
    first_order.check_gradient,
    first_order.check_passes,
    first_order.check_saved,
    second_order.check_second_order,
    forward.check_dtypes,
    forward.check_layouts,
    first_order.check_unused_outputs,
    transforms.check_transforms,
    compiled.check_compiled,
)
LARGE_ONLY = (note_random, forward.check_large)
GRADIENT_ONLY = (note_random, first_order.check_gradient)


def check_tally(tally: Tally) -> None:
    """Over all examples, each argument's gradient was compared somewhere and each saved array was needed."""
    op = tally.op
    for name in op.differentiable if op.records else ():
        kinks = tally.kinks.get(name, 0)
        if tally.compared.get(name):
            continue
        if kinks:
            raise OpError(
                f"op {op.name}: all {kinks} entries of the gradient for {name!r} were kinks, none could be compared; "
                f"draw inputs where it is smooth: real(..., avoid=(...)) or distinct=True"
            )
        raise OpError(
            f"op {op.name}: no entry of the gradient for {name!r} was compared at {tally.inputs} inputs, expected one "
            f"at least; let inputs= draw floating numbers for it, not empty, or draw more examples"
        )
    for name, needed in tally.read.items():
        if not needed:
            raise OpError(
                f"op {op.name}: the rules keep {name!r} alive, but its values never change the gradient; read "
                f"{name}_shape instead, or leave it out"
            )
