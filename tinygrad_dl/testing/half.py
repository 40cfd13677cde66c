"""The check of half precision: what an op gives is what it gives in float32, rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.engine import match_input
from tinygrad_dl.core.promotion import FLOAT16, FLOAT32, in_single
from tinygrad_dl.testing.call import Call, label
from tinygrad_dl.testing.report import CheckError
from tinygrad_dl.testing.running import Run, Tally, has_gradient

# The drawn arguments as they are, as large as half precision holds them, and so small that squares vanish.
SCALES = (1.0, 2.0**14, 2.0**-11)


def check_half(call: Call, tally: Tally) -> None:
    """Results and gradients in float16 equal those in float32 of the same numbers, rounded; no step overflows."""
    places = call.places()
    if not places or any(array.dtype.kind == "c" for array in call.arrays(places)):
        return  # NumPy has no complex numbers of half precision
    with np.errstate(all="ignore"):
        for scale in SCALES:
            half = call.map(lambda a, scale=scale: np.asarray(a * scale, FLOAT16))  # type: ignore[misc]
            check_against_single(half, half.map(in_single), tally)


def check_against_single(half: Call, single: Call, tally: Tally) -> None:
    """Compares a call in half precision with the same call in float32."""
    try:
        expected = single.run(seeded=tally.random)
    except (ValueError, ZeroDivisionError, RuntimeError):
        return  # the scaled arguments are not legal
    if any(result.dtype.kind == "c" for result in expected):
        return
    results = half.run(seeded=tally.random)
    chosen = half.values.get("dtype") is not None  # the caller chose the result's dtype
    for i, (result, wide) in enumerate(zip(results, expected, strict=True)):
        array = wide._data if chosen or wide.dtype != FLOAT32 else wide._data.astype(FLOAT16)
        if result.dtype != array.dtype:
            raise CheckError(f"arguments of float16 give a result of {result.dtype}, expected {array.dtype}")
        expect_rounded(result._data, array, f"result {i}")
    if has_gradient(half):
        check_half_gradients(half, single, tally)


def check_half_gradients(half: Call, single: Call, tally: Tally) -> None:
    """The gradients in half precision, of a bare and of a recorded pass, are those in float32."""
    run = Run(half, tally)
    wide = Run(single, tally, [in_single(weight) for weight in run.weights])
    plan = run.node.plan
    for recorded in (False, True):
        if plan.op.rounds_once and "out" in plan.reads:  # the rule knows the result only as it was rounded
            slopes = plan.run(in_single(run.weights[0]), in_single(run.node.saved))
            pairs = zip(run.node.edges, slopes, strict=True)
            expected = [match_input(np.asarray(g), e, run.node) for e, g in pairs if e is not None and g is not None]
        else:
            expected = [g.astype(FLOAT16) for g in wide.gradients(create_graph=recorded)]
        for place, g, rounded in zip(
            half.differentiable(), run.gradients(create_graph=recorded), expected, strict=True
        ):
            expect_rounded(g, rounded, f"the gradient for {label(place)!r}{' of a recorded pass' * recorded}")


def expect_rounded(got: np.ndarray, expected: np.ndarray, which: str) -> None:
    """Raises unless two arrays are equal, floating ones but for one unit in the last place of float16."""
    if got.shape != expected.shape or got.dtype != expected.dtype:
        raise CheckError(f"{which} is {got.dtype}{got.shape}, in float32 and rounded {expected.dtype}{expected.shape}")
    close: Any = (got == expected) | ((got != got) & (expected != expected))
    if got.dtype == FLOAT16:
        # Where terms cancel, float32's own rounding shows, and one sum is not the other in another order.
        largest = np.abs(expected[np.isfinite(expected)]).max(initial=0)
        close |= np.abs(ordered(got) - ordered(expected)) <= 1
        close |= np.abs(got.astype(FLOAT32) - expected) <= 1e-6 * float(largest)
    elif got.dtype.kind == "f":
        close |= np.abs(got - expected) <= 1e-6 * np.abs(expected)
    if not close.all():
        index = tuple(int(i) for i in np.argwhere(~close)[0])
        raise CheckError(
            f"{which} in float16 is not that in float32 rounded once, at {index}: got {got[index]!s}, expected "
            f"{expected[index]!s}"
        )


def ordered(array: np.ndarray) -> np.ndarray:
    """Each float16 as an integer, neighbours next to each other; both zeros are 0."""
    bits = array.view(np.int16).astype(np.int32)
    return np.where(bits < 0, -(bits & 0x7FFF), bits)
