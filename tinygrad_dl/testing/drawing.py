"""How many inputs of an op are drawn, and what they must have met."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

from tinygrad_dl.op import Op
from tinygrad_dl.samples import BroadcastingCase, Real
from tinygrad_dl.testing.call import Call
from tinygrad_dl.testing.strategies import arguments

MORE = 4  # how often to draw again while a tensor was never repeated


def default_examples(op: Op) -> int:
    """Enough inputs to meet every case."""
    return 30 + 10 * (len(op.cases) - 1)


def for_examples(
    op: Op, use: Callable[[Call], object], max_examples: int | None = None, derandomize: bool | None = None
) -> None:
    """Calls `use` with drawn arguments, and with the simplest ones that make it fail.

    For ops that broadcast it goes on, within limits, until each tensor was repeated once.
    """
    never_repeated = tensors_to_repeat(op)

    def one(call: Call) -> None:
        never_repeated.difference_update(repeated(call))
        use(call)

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
    chosen(given(arguments(op))(one))()
    again = settings(chosen, derandomize=False)
    for turn in range(MORE if max_examples is None else 0):
        if never_repeated:
            seed(turn)(again(given(arguments(op))(one)))()


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
