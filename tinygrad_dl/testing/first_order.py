"""Checks of an op's gradient rules: against differences, recorded, linear, saved, not shared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_dl import autograd
from tinygrad_dl.engine import saved_arrays
from tinygrad_dl.tensor import Tensor
from tinygrad_dl.testing import numeric
from tinygrad_dl.testing.call import Call
from tinygrad_dl.testing.forward import (
    RAISE,
    expect_close,
    expect_same_bytes,
    expect_unchanged,
    gradients,
)
from tinygrad_dl.testing.gradcheck import random_like, weighted_sum
from tinygrad_dl.testing.report import CheckError, Entry, worst_lines

if TYPE_CHECKING:
    from tinygrad_dl.testing.op_checks import Tally


def label(place: tuple[str, int | None]) -> str:
    """How a place is named in reports."""
    name, i = place
    return name if i is None else f"{name}[{i}]"


def has_gradient(call: Call) -> bool:
    """Whether there is anything to differentiate in this call."""
    return call.op.records and bool(call.differentiable())


def check_gradient(call: Call, tally: Tally) -> None:
    """The gradient equals central differences of a randomly weighted sum of the result's entries."""
    if not has_gradient(call):
        return
    places = call.differentiable()
    before = call.copy()
    rng = np.random.default_rng(0)
    weights = [random_like(r._data, rng) for r in call.run(seeded=bool(tally.random))]
    kept = [w.copy() for w in weights]
    with np.errstate(**RAISE):
        results, found, _ = gradients(call, tally, weights)
    expect_unchanged(before, call, "backward")
    for place, array, g in zip(places, call.arrays(places), found, strict=True):
        if g.shape != array.shape or g.dtype != array.dtype or type(g._data) is not np.ndarray:
            raise CheckError(
                f"the gradient for {label(place)!r} is {type(g._data).__name__} {g.dtype}{g.shape}, expected an "
                f"ndarray {array.dtype}{array.shape}"
            )
    for a, b in zip(weights, kept, strict=True):
        expect_same_bytes(a, b, "backward changed the gradient that it started from")

    def weighted() -> tuple[float, float]:
        with np.errstate(all="ignore"):
            return weighted_sum([r._data for r in call.run(seeded=bool(tally.random))], weights)

    entries = numeric.compare(
        weighted,
        call.arrays(places),
        [g._data for g in found],
        [label(p) for p in places],
        rtol=1e-5,
        **coarseness([r._data for r in results]),
    )
    failed = [e for e in entries if not e.kink and not e.agrees(1e-5)]
    if failed:
        raise CheckError(
            f"the gradient differs from central differences in {len(failed)} of {len(entries)} entries; the worst:\n"
            f"{worst_lines(failed)}"
        )
    count(entries, call, tally)


def coarseness(results: list[np.ndarray]) -> dict[str, float]:
    """Step and precision for differences of an op that rounds its result to a lower precision, as a cast does."""
    found = max((float(np.finfo(r.dtype).eps) for r in results if r.dtype.kind in "fc"), default=0.0)
    return {"eps": 0.25, "precision": found} if found > 1e-12 else {}


def count(entries: list[Entry], call: Call, tally: Tally) -> None:
    """Counts what was compared and what was set aside, for each argument."""
    places = call.differentiable()
    for place, array in zip(places, call.arrays(places), strict=True):
        mine = [e for e in entries if e.name == label(place)]
        kinks = sum(e.kink for e in mine)
        compared = len(mine) - kinks if mine else array.size  # without entries: all at once, along a direction
        tally.kinks[place[0]] = tally.kinks.get(place[0], 0) + kinks
        tally.compared[place[0]] = tally.compared.get(place[0], 0) + compared


def check_passes(call: Call, tally: Tally) -> None:
    """Recorded and bare passes agree, rules are linear in g, a second pass gives the same, nothing is shared."""
    if not has_gradient(call):
        return
    places = call.differentiable()
    values, leaves = call.wrapped(places)
    results = call.run(values, seeded=bool(tally.random))
    rng = np.random.default_rng(0)
    first = [random_like(r._data, rng) for r in results]
    second = [random_like(r._data, rng) for r in results]

    def run(weights: list[np.ndarray], **options: Any) -> list[np.ndarray]:
        roots = [(r, w) for r, w in zip(results, weights, strict=True) if r.requires_grad]
        found = autograd.grad(
            [r for r, _ in roots], leaves, [w for _, w in roots], materialize_grads=True, retain_graph=True, **options
        )
        return [g._data for g in found]

    bare = run(first)
    names = [label(p) for p in places]
    for name, a, b in zip(names, bare, run(first), strict=True):
        expect_same_bytes(a, b, f"a second pass over the same graph gives another gradient for {name!r}")
    recorded = run(first, create_graph=True)
    for name, a, b in zip(names, bare, recorded, strict=True):
        text = f"the gradient for {name!r} of a bare pass and of one with create_graph=True"
        if call.op.aux:
            expect_close(b, a, text, "the bare one", 1e-12)
        else:
            expect_same_bytes(a, b, text)
    tolerance = 1e-9 + 16 * coarseness([r._data for r in results]).get("precision", 0.0)
    other = run(second)
    both = run([np.asarray(2 * a - b) if a.dtype.kind in "fc" else a for a, b in zip(first, second, strict=True)])
    for name, a, b, c in zip(names, bare, other, both, strict=True):
        text = f"the rule for {name!r} is not linear in g: at 2a - b its gradient"
        expect_close(c, 2 * a - b, text, "2 ga - gb", tolerance)
    check_not_shared(names, bare, call, results, first)


def check_not_shared(
    names: list[str], found: list[np.ndarray], call: Call, results: list[Tensor], weights: list[np.ndarray]
) -> None:
    """No gradient shows the memory of another, of an argument, of a saved value or of the starting gradient."""
    node = next(r._edge.node for r in results if r._edge is not None)
    others = [("an argument", a) for a in call.arrays(call.places())]
    others += [("a saved value", a) for a in saved_arrays(node.saved)]
    others += [("the starting gradient", w) for w in weights]
    for i, (name, g) in enumerate(zip(names, found, strict=True)):
        for what, array in [*others, *((f"the gradient for {names[j]!r}", found[j]) for j in range(i))]:
            if np.may_share_memory(g, array) and np.shares_memory(g, array):
                raise CheckError(f"the gradient for {name!r} shares memory with {what}")


def check_saved(call: Call, tally: Tally) -> None:
    """For each argument alone: the same gradient, and kept alive is exactly what its rule names."""
    if not has_gradient(call):
        return
    op = call.op
    results, expected, weights = gradients(call, tally)
    if op.sequence:
        masks = [(op.sequence, call.differentiable())]
    else:
        masks = [(name, [(name, None)]) for name, _ in call.differentiable()]
    for name, places in masks:
        values, leaves = call.wrapped(places)
        alone = call.run(values, seeded=bool(tally.random))
        node = next(r._edge.node for r in alone if r._edge is not None)
        plan = node.plan
        if len(node.saved) != len(plan.saves):
            raise CheckError(f"the node keeps {len(node.saved)} values, the rules name {plan.saves}")
        for what, value in zip(plan.saves, node.saved, strict=True):
            if what in op.tensors and what != op.sequence and isinstance(value, np.ndarray):
                given = np.asarray(call.values[what])
                if value.shape != given.shape and value.size != given.size:
                    raise CheckError(f"what is kept as {what!r} has shape {value.shape}, the argument {given.shape}")
            if what.endswith("_shape") and isinstance(value, np.ndarray):
                raise CheckError(f"{what!r} is kept as an array")
        roots = [(r, w) for r, w in zip(alone, weights, strict=True) if r.requires_grad]
        found = autograd.grad(
            [r for r, _ in roots], leaves, [w for _, w in roots], materialize_grads=True, retain_graph=True
        )
        everywhere = call.differentiable()
        for place, g in zip(places, found, strict=True):
            usual = expected[everywhere.index(place)]
            expect_close(g._data, usual._data, f"the gradient for {label(place)!r} alone", "that with the others", 1e-12)
        note_reads(node, weights, tally)


def note_reads(node: Any, weights: list[np.ndarray], tally: Tally) -> None:
    """Notes of each saved floating array whether the gradient depends on its values."""
    plan = node.plan
    g = [w if w.dtype.kind in "fc" else None for w in weights] if plan.multiple else weights[0]
    if not any(w.size > 1 for w in weights):
        return
    usual = None
    for position, (name, value) in enumerate(zip(plan.saves, node.saved, strict=True)):
        is_array = isinstance(value, np.ndarray) and value.dtype.kind in "fc" and value.size
        if not is_array or name not in (*tally.op.tensors, "out") or tally.read.get(name) or name not in plan.reads:
            continue
        with np.errstate(all="ignore"):
            if usual is None:
                usual = plan.run(g, node.saved)
            if not any(gx is not None and np.any(gx) for gx in usual):
                return
            saved = [np.full_like(value, np.nan) if i == position else v for i, v in enumerate(node.saved)]
            try:
                spoiled = plan.run(g, tuple(saved))
                same = all(
                    a is b or (a is not None and b is not None and np.array_equal(a, b))
                    for a, b in zip(usual, spoiled, strict=True)
                )
            except Exception:
                same = False
        tally.read[name] = not same


def check_unused_outputs(call: Call, tally: Tally) -> None:
    """With several outputs, each of them alone gives its share of the gradient, however many are dropped."""
    if not has_gradient(call) or call.op.outputs is None:
        return
    results, total, weights = gradients(call, tally)
    summed = [np.zeros_like(g._data) for g in total]
    for i, result in enumerate(results):
        if not result.requires_grad:
            continue
        values, leaves = call.wrapped(call.differentiable())
        alone = call.run(values, seeded=bool(tally.random))[i]
        for recorded in (True, False):
            found = autograd.grad(alone, leaves, weights[i], materialize_grads=True, create_graph=recorded)
        for into, g in zip(summed, found, strict=True):
            into += g._data
    for place, got, g in zip(call.differentiable(), summed, total, strict=True):
        expect_close(
            got, g._data, f"the gradients for {label(place)!r} of the outputs one by one", "that of all together", 1e-9
        )
