"""Checks of an op's gradient rules: against differences, recorded, linear, saved, not shared."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.graph import saved_arrays
from tinygrad_dl.testing import numeric
from tinygrad_dl.testing.call import Call, label
from tinygrad_dl.testing.expect import STRICT, as_list, expect_close, expect_equal, expect_unchanged
from tinygrad_dl.testing.report import CheckError, worst_lines
from tinygrad_dl.testing.running import Run, Tally, coarseness, has_gradient, weighted_result

RTOL = 1e-7  # "right" by the verdicts, beyond rounding


def check_gradient(call: Call, tally: Tally) -> None:
    """The gradient equals central differences of a randomly weighted sum of the result's entries."""
    if not has_gradient(call):
        return
    places, before = call.differentiable(), call.copy()
    with np.errstate(**STRICT):
        run = Run(call, tally)
        kept = [w.copy() for w in run.weights]
        found = run.gradients()
    expect_unchanged(before, call, "backward")
    for place, array, g in zip(places, call.arrays(places), found, strict=True):
        if g.shape != array.shape or g.dtype != array.dtype or type(g) is not np.ndarray:
            raise CheckError(
                f"the gradient for {label(place)!r} is {type(g).__name__} {g.dtype}{g.shape}, expected an ndarray "
                f"{array.dtype}{array.shape}"
            )
    for a, b in zip(run.weights, kept, strict=True):
        expect_equal(a, b, "backward changed the gradient that it started from")
    expect_derivative(run, found, tally)


def check_against_differences(call: Call, tally: Tally) -> None:
    """The gradient equals central differences, and nothing else."""
    run = Run(call, tally)
    expect_derivative(run, run.gradients(), tally)


def expect_derivative(run: Run, found: list[np.ndarray], tally: Tally) -> None:
    """Raises unless these gradients equal central differences; counts what was compared."""
    call = run.call
    places = call.differentiable()
    step, precision = coarseness(run.results)
    entries = numeric.compare(
        lambda: weighted_result(call, tally, run.weights),
        call.arrays(places),
        found,
        [label(p) for p in places],
        eps=step,
        rtol=RTOL,
        precision=precision,
    )
    failed = [e for e in entries if not e.kink and not e.agrees(RTOL)]
    if failed:
        raise CheckError(
            f"the gradient differs from central differences in {len(failed)} of {len(entries)} entries; the worst:\n"
            f"{worst_lines(failed)}"
        )
    tally.count(entries, call)


def check_passes(call: Call, tally: Tally) -> None:
    """Recorded and bare passes agree, rules are linear in g, a second pass gives the same, nothing is shared."""
    if not has_gradient(call):
        return
    run = Run(call, tally)
    names = [label(p) for p in call.differentiable()]
    bare = run.gradients()
    for name, a, b in zip(names, bare, run.gradients(), strict=True):
        expect_equal(a, b, f"a second pass over the same graph gives another gradient for {name!r}")
    for name, a, b in zip(names, bare, run.gradients(create_graph=True), strict=True):
        # Up to rounding: auxiliary values are computed again, and arrays are summed by BLAS where that is faster.
        expect_close(b, a, f"the gradient for {name!r} of a pass with create_graph=True", "that of a bare one", 1e-12)
    second = run.new_weights(1)
    mixed = [np.asarray(2 * a - b) if a.dtype.kind in "fc" else a for a, b in zip(run.weights, second, strict=True)]
    tolerance = 1e-9 + 16 * coarseness(run.results)[1]
    for name, a, b, c in zip(names, bare, run.gradients(second), run.gradients(mixed), strict=True):
        text = f"the rule for {name!r} is not linear in g: at 2a - b its gradient"
        expect_close(c, 2 * a - b, text, "2 ga - gb", tolerance)
    check_not_shared(run, names, bare)


def check_not_shared(run: Run, names: list[str], found: list[np.ndarray]) -> None:
    """No gradient shows the memory of another, of an argument, of a saved value or of the starting gradient."""
    call = run.call
    others = [("an argument", a) for a in call.arrays(call.places())]
    others += [("a saved value", a) for a in saved_arrays(run.node.saved)]
    others += [("the starting gradient", w) for w in run.weights]
    for name, g in zip(names, found, strict=True):
        for what, array in others:
            if np.may_share_memory(g, array) and np.shares_memory(g, array):
                raise CheckError(f"the gradient for {name!r} shares memory with {what}")
        others.append((f"the gradient for {name!r}", g))


def check_saved(call: Call, tally: Tally) -> None:
    """For each argument alone: the same gradient, and kept alive is exactly what its rule names."""
    if not has_gradient(call):
        return
    op, everywhere = call.op, call.differentiable()
    together = Run(call, tally)
    expected = dict(zip(everywhere, together.gradients(), strict=True))
    groups = [everywhere] if op.sequence else [[place] for place in everywhere]
    for places in groups:
        run = Run(call, tally, together.weights, places)
        check_kept(run)
        for place, g in zip(places, run.gradients(), strict=True):
            expect_close(g, expected[place], f"the gradient for {label(place)!r} alone", "that with the others", 1e-12)
        note_reads(run, tally)


def check_kept(run: Run) -> None:
    """What the node keeps are the arrays that the rules name, not copies of them, and shapes for shapes."""
    node, op, values = run.node, run.call.op, run.call.values
    plan = node.plan
    if len(node.saved) != len(plan.saves):
        raise CheckError(f"the node keeps {len(node.saved)} values, the rules name {plan.saves}")
    for name, kept in zip(plan.saves, node.saved, strict=True):
        if name not in op.tensors:
            continue
        for given, array in zip(as_list(values.get(name)), as_list(kept), strict=True):
            same = isinstance(given, np.ndarray) and isinstance(array, np.ndarray) and given.dtype == array.dtype
            if same and array.size and not np.shares_memory(given, array):
                raise CheckError(f"{name!r} is kept as a copy of the argument")


def note_reads(run: Run, tally: Tally) -> None:
    """Notes of each saved floating array whether the gradient depends on its values: NaN in its place shows."""
    node = run.node
    plan = node.plan
    if not any(w.size > 1 for w in run.weights):
        return
    usual: list[Any] | None = None
    for position, (name, value) in enumerate(zip(plan.saves, node.saved, strict=True)):
        floating = isinstance(value, np.ndarray) and value.dtype.kind in "fc" and value.size
        if not floating or name not in (*tally.op.tensors, "out") or tally.read.get(name) or name not in plan.reads:
            continue
        with np.errstate(all="ignore"):
            usual = run.rule_results() if usual is None else usual
            if not any(gx is not None and np.any(gx) for gx in usual):
                return
            saved = [np.full_like(value, np.nan) if i == position else v for i, v in enumerate(node.saved)]
            try:
                spoilt = run.rule_results(tuple(saved))
            except Exception:  # what fails on NaN has read it
                spoilt = []
        tally.read[name] = len(spoilt) != len(usual) or any(
            not np.array_equal(a, b) for a, b in zip(usual, spoilt, strict=True) if a is not None
        )


def check_unused_outputs(call: Call, tally: Tally) -> None:
    """With several outputs, each of them alone gives its share of the gradient, however many are dropped."""
    if not has_gradient(call) or call.op.outputs is None:
        return
    together = Run(call, tally)
    total = together.gradients()
    summed = [np.zeros_like(g) for g in total]
    for i, result in enumerate(together.results):
        if result.requires_grad:
            alone = Run(call, tally, together.weights)
            alone.results, alone.weights = alone.results[i : i + 1], alone.weights[i : i + 1]
            alone.gradients(create_graph=True)
            for into, g in zip(summed, alone.gradients(), strict=True):
                into += g
    for place, a, b in zip(call.differentiable(), summed, total, strict=True):
        text = f"the sum of the gradients for {label(place)!r} of each output alone"
        expect_close(a, b, text, "that of all together", 1e-9)
