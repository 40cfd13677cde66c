"""Checks of second derivatives: the rules, run on tensors, against differences of the gradient."""

from __future__ import annotations

import numpy as np

from tinygrad_dl import autograd
from tinygrad_dl.core.tensor import wrap
from tinygrad_dl.testing import numeric
from tinygrad_dl.testing.call import Call, label
from tinygrad_dl.testing.report import CheckError, worst_lines
from tinygrad_dl.testing.running import Run, Tally, coarseness, has_gradient, random_like

RTOL = 1e-6
LARGEST = 64  # entries of all arguments together


def check_second_order(call: Call, tally: Tally) -> None:
    """The derivative of a weighted sum of the gradients, at the arguments and at g, equals its differences."""
    places = call.differentiable()
    if not has_gradient(call) or sum(a.size for a in call.arrays(places)) > LARGEST:
        return
    run = Run(call, tally)
    starts = [(r, wrap(w).requires_grad_()) for r, w in zip(run.results, run.weights, strict=True) if r.requires_grad]
    roots, seeds = [r for r, _ in starts], [w for _, w in starts]
    first = autograd.grad(roots, run.leaves, seeds, create_graph=True, materialize_grads=True)
    rng = np.random.default_rng(2)
    outer = [random_like(g._data, rng) for g in first]
    again = [(g, u) for g, u in zip(first, outer, strict=True) if g.requires_grad]
    targets = [*run.leaves, *seeds]
    if again:
        found = autograd.grad([g for g, _ in again], targets, [wrap(u) for _, u in again], materialize_grads=True)
        second = [h._data for h in found]
    else:
        second = [np.zeros(t.shape, t.dtype) for t in targets]

    def weighted() -> tuple[float, float]:
        with np.errstate(all="ignore"):
            return numeric.weighted_sum(Run(call, tally, run.weights).gradients(), outer)

    step, precision = coarseness(run.results)
    entries = numeric.compare(
        weighted,
        [*call.arrays(places), *(s._data for s in seeds)],
        second,
        [*(label(p) for p in places), *["g"] * len(seeds)],
        eps=step,
        rtol=RTOL,
        atol=1e-8,
        entrywise=0,
        precision=precision,
    )
    failed = [e for e in entries if not e.kink and not e.agrees(RTOL)]
    if failed:
        raise CheckError(
            f"the second derivative (through create_graph=True) differs from differences of the gradient in "
            f"{len(failed)} entries; the worst:\n{worst_lines(failed)}"
        )
