"""Checks of second derivatives: the rules, run on tensors, against differences of the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tinygrad_dl import autograd
from tinygrad_dl.tensor import wrap
from tinygrad_dl.testing import numeric
from tinygrad_dl.testing.call import Call
from tinygrad_dl.testing.first_order import coarseness, has_gradient, label
from tinygrad_dl.testing.forward import gradients
from tinygrad_dl.testing.gradcheck import random_like, weighted_sum
from tinygrad_dl.testing.report import CheckError, worst_lines

if TYPE_CHECKING:
    from tinygrad_dl.testing.op_checks import Tally

LARGEST = 64


def check_second_order(call: Call, tally: Tally) -> None:
    """The derivative of a weighted sum of the gradients, at the arguments and at g, equals its differences."""
    places = call.differentiable()
    if not has_gradient(call) or sum(a.size for a in call.arrays(places)) > LARGEST:
        return
    values, leaves = call.wrapped(places)
    results = call.run(values, seeded=bool(tally.random))
    coarse = coarseness([r._data for r in results])
    rng = np.random.default_rng(1)
    weights = [random_like(r._data, rng) for r in results]
    roots = [(r, wrap(w).requires_grad_()) for r, w in zip(results, weights, strict=True) if r.requires_grad]
    seeds = [w for _, w in roots]
    first = autograd.grad([r for r, _ in roots], leaves, seeds, create_graph=True, materialize_grads=True)
    outer = [random_like(g._data, rng) for g in first]
    again = [(g, u) for g, u in zip(first, outer, strict=True) if g.requires_grad]
    targets = [*leaves, *seeds]
    if again:
        second = autograd.grad([g for g, _ in again], targets, [u for _, u in again], materialize_grads=True)
    else:
        second = tuple(wrap(np.zeros(t.shape, t.dtype)) for t in targets)

    def weighted() -> tuple[float, float]:
        with np.errstate(all="ignore"):
            return weighted_sum([g._data for g in gradients(call, tally, weights)[1]], outer)

    names = [label(p) for p in places] + ["g"] * len(seeds)
    arrays = [*call.arrays(places), *(s._data for s in seeds)]
    entries = numeric.compare(
        weighted, arrays, [h._data for h in second], names, rtol=1e-5, atol=1e-8, entrywise=0, **coarse
    )
    failed = [e for e in entries if not e.kink and not e.agrees(1e-5)]
    if failed:
        raise CheckError(
            f"the second derivative (through create_graph=True) differs from differences of the gradient in "
            f"{len(failed)} entries; the worst:\n{worst_lines(failed)}"
        )
