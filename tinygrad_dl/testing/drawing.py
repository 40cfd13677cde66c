"""How many inputs of an op are drawn, and what they must have met."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Flaky

from tinygrad_dl.core.op import Op
from tinygrad_dl.inputs import BroadcastingCase, Real, Reals
from tinygrad_dl.testing.call import Call
from tinygrad_dl.testing.strategies import arguments

LONG = 6  # inputs with long dimensions of an op with one case
LARGE = {30.0: 2, 300.0: 2, 1000.0: 5}  # magnitudes, and inputs of each; exp of the last overflows in float64
MORE = 4  # how often to draw again while a tensor was never repeated, or no dimension was longer than
USUAL = 16  # what code for short dimensions is made for


def default_examples(op: Op) -> int:
    """Enough inputs to meet every case."""
    return for_cases(30, op)


def for_cases(count: int, op: Op) -> int:
    """So many inputs of an op with one case, and a third as many for each further one."""
    return count + count // 3 * (len(op.cases) - 1)


def for_examples(
    op: Op,
    use: Callable[[Call], object],
    max_examples: int | None = None,
    derandomize: bool | None = None,
    use_large: Callable[[Call], object] | None = None,
) -> None:
    """Calls `use` with drawn arguments, and with the simplest ones that make it fail.

    Some have long dimensions. For ops that broadcast it goes on, within limits, until each tensor was repeated once.
    `use_large` is called with arguments of large magnitude, if the declaration sets no limits.
    """
    never_repeated = tensors_to_repeat(op)
    usual = settings.default
    chosen = settings(
        max_examples=max_examples or default_examples(op),
        derandomize=bool(usual and usual.derandomize) if derandomize is None else derandomize,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )

    longest = 0

    def use_and_note(call: Call) -> None:
        nonlocal longest
        longest = max([longest, *[n for array in call.arrays(call.places()) for n in array.shape]])
        never_repeated.difference_update(repeated(call))
        use(call)

    draw(chosen, arguments(op), use_and_note)
    few = settings(chosen, max_examples=min(chosen.max_examples, for_cases(LONG, op)))
    draw(few, arguments(op, long=True), use_and_note)
    for turn in range(MORE if max_examples is None else 0):
        if longest > USUAL or (longest <= 4 and turn):  # with no more than 4 in two turns, its dimensions can't be long
            break
        draw(settings(few, derandomize=False), arguments(op, long=True), use_and_note, turn)
    if use_large is not None and has_no_limits(op):
        for scale, count in LARGE.items():
            some = settings(chosen, max_examples=min(chosen.max_examples, for_cases(count, op)))
            draw(some, arguments(op, scale=scale), use_large)
    again = settings(chosen, derandomize=False)
    for turn in range(MORE if max_examples is None else 0):
        if never_repeated:
            draw(again, arguments(op), use_and_note, turn)


def draw(chosen: Any, strategy: Any, use: Callable[[Call], object], turn: int | None = None) -> None:
    """Calls `use` with drawn arguments; `turn` seeds the choice."""
    failures: list[Exception] = []

    def one(call: Call) -> None:
        try:
            use(call)
        except Exception as error:
            failures.append(error)
            raise

    given_strategy: Any = given(strategy)  # typed as Any, since hypothesis leaves what it decorates untyped
    seeded: Any = seed
    test = chosen(given_strategy(one))
    try:
        (test if turn is None else seeded(turn)(test))()
    except Flaky:  # with the same arguments it did not fail again
        if not failures:
            raise
        failures[0].add_note("with the same arguments it did not fail again: the op or a rule is not deterministic")
        raise failures[0] from None


def has_no_limits(op: Op) -> bool:
    """Whether some floating tensor of the op may hold numbers as large as one likes."""
    samples = [sample for case in op.cases for sample in (*case.values(), *getattr(case, "tensors", ()))]
    elements = [sample.element if isinstance(sample, Reals) else sample for sample in samples]
    return any(isinstance(sample, Real) and any(sample.unlimited) for sample in elements)


def tensors_to_repeat(op: Op) -> set[str]:
    """The floating tensors that some case gives a free shape among others that broadcast."""
    found = set()
    for case in op.cases:
        if isinstance(case, BroadcastingCase) and len(case.tensors) > 1:
            named = zip(op.tensors, case.tensors, strict=False)
            found |= {name for name, sample in named if isinstance(sample, Real) and sample.shape is None}
    return found


def repeated(call: Call) -> set[str]:
    """The tensors that are repeated along a dimension to fit the others, in a result that is not empty."""
    arrays = {name: call.values[name] for name in call.op.tensors if isinstance(call.values.get(name), np.ndarray)}
    try:
        size = np.broadcast(*arrays.values()).size
    except ValueError:
        return set()
    return {name for name, array in arrays.items() if 0 < array.size < size}
