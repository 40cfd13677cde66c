"""Checks of dropout: shares, scaling, and the gradient against autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
from checker import Probe
from compare import Difference

import tinygrad_dl as td
from checks.forward import Found

KEEP = 0.3  # far from one half: keeping and dropping, and other mistakes, give shares that are far apart
A = np.random.default_rng(0).uniform(0.5, 2.0, (40, 250))
D = (np.random.default_rng(1).random(A.shape) < KEEP).astype(float)


def check_mask(probe: Probe) -> Found:
    def draw(seed: int) -> Any:
        result = probe.run("forward_with_dropout", A, KEEP, np.random.default_rng(seed), A_dropped=A, A_scaled=A)
        failed = probe.judge("D", result, result["D"]) if result.passages else result.failure
        if failed:
            raise Unusable(failed)
        return np.asarray(result["D"], dtype=float)

    try:
        mask, again, other = draw(1), draw(1), draw(2)
    except Unusable as unusable:
        yield unusable.difference
        return
    if mask.shape != A.shape:
        yield Difference(
            5,
            f"D has the shape {mask.shape}, expected {A.shape}, that of A: each unit is kept or dropped for each "
            "example by itself",
        )
        return
    if not np.isin(mask, (0, 1)).all():
        yield Difference(5, "D holds other numbers than 0 and 1: compare the random numbers with keep_prob")
        return
    if not np.array_equal(mask, again):
        yield Difference(6, "D is another one with the same rng: take the random numbers from rng, not from np.random")
        return
    if np.array_equal(mask, other):
        yield Difference(6, "D is the same with another rng: it is to be drawn anew, with the argument rng")
        return
    if np.ptp(mask, axis=1).max() == 0 or np.ptp(mask, axis=0).max() == 0:
        yield Difference(5, "D is the same in whole rows or columns: draw a number for each entry, rng.random(A.shape)")
        return
    share = float(mask.mean())
    if abs(share - KEEP) > 0.025:
        reasons = {
            1 - KEEP: "it is the other way round: keep where the random number is below keep_prob",
            0.618: "normal numbers are not uniform between 0 and 1: rng.random(shape)",
            0.5: "compare with keep_prob, not with 0.5",
        }
        near = [text for value, text in reasons.items() if abs(share - value) < 0.025]
        yield Difference(
            5, f"D keeps the share {share:.2f}, expected keep_prob = {KEEP}{''.join(': ' + t for t in near)}"
        )


class Unusable(Exception):
    """What was drawn is not an array of numbers."""

    def __init__(self, difference: Difference):
        self.difference = difference


def check_dropped(probe: Probe) -> Found:
    yield probe.judge(
        "A_dropped",
        probe.run("forward_with_dropout", A, KEEP, np.random.default_rng(1), D=D.astype(bool), A_scaled=A),
        A * D,
        slips={
            "keeps what D drops: D is 1 where a unit is kept": lambda: A * (1 - D),
            "is A itself: nothing was dropped": lambda: A,
            "is the mask: multiply it by A": lambda: D,
            "holds only the entries that are kept, in one row: A * D keeps the shape": lambda: A[D > 0],
            "is scaled already: the scaling is blank 3": lambda: A * D / KEEP,
        },
    )


def check_scaled(probe: Probe) -> Found:
    yield probe.judge(
        "A_scaled",
        probe.run("forward_with_dropout", A, KEEP, np.random.default_rng(1), D=D.astype(bool), A_dropped=A * D),
        A * D / KEEP,
        slips={
            "is not scaled: divide by keep_prob, so that the mean of the activations stays what it was": lambda: A * D,
            "is multiplied by keep_prob: divide by it": lambda: A * D * KEEP,
            "is divided by 1 - keep_prob: divide by keep_prob": lambda: A * D / (1 - KEEP),
            "is made of A, with nothing dropped: scale A_dropped": lambda: A / KEEP,
            "is divided by the number of units that are kept: divide by keep_prob": lambda: A * D / D.sum(),
        },
    )


def check_backward(probe: Probe) -> Found:
    dA = np.random.default_rng(2).standard_normal(A.shape)
    a = td.tensor(A, requires_grad=True)
    (want,) = td.autograd.grad(a * td.tensor(D) / KEEP, a, td.tensor(dA))
    yield probe.judge(
        "dA_prev",
        probe.run("backward_with_dropout", dA, D.astype(bool), KEEP),
        want.numpy(),
        slips={
            "has no mask: what was dropped going forward gets no gradient; multiply by D": lambda: dA / KEEP,
            "is not scaled: the forward pass divided by keep_prob, so the gradient is divided too": lambda: dA * D,
            "is multiplied by keep_prob: divide by it": lambda: dA * D * KEEP,
            "is divided by 1 - keep_prob: divide by keep_prob": lambda: dA * D / (1 - KEEP),
            "has the mask the wrong way round: D is 1 where a unit is kept": lambda: dA * (1 - D) / KEEP,
            "is dA itself: multiply by D and divide by keep_prob": lambda: dA,
        },
    )


def check_test_time(probe: Probe) -> Found:
    result = probe.run("forward_at_test_time", A, KEEP)
    if not result.failure and np.shape(got := result["A_test"]) == A.shape and np.mean(np.asarray(got) == 0) > 0.05:
        yield Difference(6, "A_test has entries at 0: nothing is dropped at test time")
        return
    yield probe.judge(
        "A_test",
        result,
        A,
        slips={
            "is multiplied by keep_prob: training has divided already, so nothing is left to scale": lambda: A * KEEP,
            "is divided by keep_prob: that belongs to training, where units are dropped": lambda: A / KEEP,
        },
    )


CHECKS = {1: check_mask, 2: check_dropped, 3: check_scaled, 4: check_backward, 5: check_test_time}


def altogether(student: dict[str, Any]) -> str:
    """The mean over many passes, by the student's functions and by the library's module."""
    rng = np.random.default_rng(0)
    td.manual_seed(0)
    module = td.nn.Dropout(1 - KEEP)
    ours = np.mean([(student["forward_with_dropout"](A, KEEP, rng)[0] / A).mean() for _ in range(50)])
    theirs = np.mean([(module(td.tensor(A)) / td.tensor(A)).mean().item() for _ in range(50)])
    return f"the mean of 50 passes is {ours:.2f} times A; by td.nn.Dropout: {theirs:.2f}"
