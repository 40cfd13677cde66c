"""Checks of gradient checking: quotients of functions whose gradient autograd knows exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
from checker import Probe
from compare import Array, Difference, Factor

import tinygrad_dl as td
from checks.forward import Found

STEP = 0.01
THETA = 1.5


def J(theta: float) -> float:
    """A parabola: its two-sided quotient is its derivative, whatever the step."""
    return 3 * theta**2 - 2 * theta + 0.5


def check_plus(probe: Probe) -> Found:
    yield probe.judge(
        "J_plus",
        probe.run("gradient_1d", J, THETA, STEP, J_minus=0.0, gradapprox=0.0),
        J(THETA + STEP),
        slips={
            "is the place, theta + epsilon: take the cost there": lambda: THETA + STEP,
            "is the cost on the left": lambda: J(THETA - STEP),
            "is the cost at theta itself: move theta by epsilon": lambda: J(THETA),
            "is J(theta) + epsilon: move theta, not the cost": lambda: J(THETA) + STEP,
            "is two steps away: move theta by epsilon once": lambda: J(THETA + 2 * STEP),
        },
    )


def check_minus(probe: Probe) -> Found:
    yield probe.judge(
        "J_minus",
        probe.run("gradient_1d", J, THETA, STEP, J_plus=0.0, gradapprox=0.0),
        J(THETA - STEP),
        slips={
            "is the place, theta - epsilon: take the cost there": lambda: THETA - STEP,
            "is the cost on the right, the same side as J_plus: the quotient would be 0": lambda: J(THETA + STEP),
            "is the cost at theta itself: that makes a one-sided quotient, whose error is much larger": lambda: J(
                THETA
            ),
            "is J(theta) - epsilon: move theta, not the cost": lambda: J(THETA) - STEP,
        },
    )


def check_quotient(probe: Probe) -> Found:
    theta = td.tensor(THETA, dtype=td.float64, requires_grad=True)
    (want,) = td.autograd.grad(J(theta), theta)
    right, left = J(THETA + STEP), J(THETA - STEP)
    yield probe.judge(
        "gradapprox",
        probe.run("gradient_1d", J, THETA, STEP, J_plus=right, J_minus=left),
        want.numpy(),
        slips={
            "is one-sided: the quotient is (J_plus - J_minus) / (2 epsilon)": lambda: (right - J(THETA)) / STEP,
            "is one-sided, on the left: the quotient is (J_plus - J_minus) / (2 epsilon)": lambda: (
                (J(THETA) - left) / STEP
            ),
            "is multiplied by epsilon: / 2 * epsilon divides by 2 and then multiplies; write / (2 * epsilon)": lambda: (
                (right - left) / 2 * STEP
            ),
            "divides J_minus alone: put parentheses around J_plus - J_minus": lambda: right - left / (2 * STEP),
            "adds the two costs: the quotient has their difference": lambda: (right + left) / (2 * STEP),
            "is the difference of the costs: divide by 2 epsilon, how far the two places are apart": lambda: (
                right - left
            ),
            "is not divided by epsilon: the places are 2 epsilon apart": lambda: (right - left) / 2,
        },
        factors={"2": Factor(2.0, "the places are 2 epsilon apart, not epsilon", "divide by 2 epsilon once")},
    )


def check_difference(probe: Probe) -> Found:
    rng = np.random.default_rng(0)
    norm = np.linalg.norm

    def trial(grad: Array, other: Array) -> Difference | None:
        far = norm(grad - other)
        return probe.judge(
            "difference",
            probe.run("relative_difference", grad, other),
            np.float64(far / (norm(grad) + norm(other))),
            slips={
                "is the norm of grad - gradapprox: divide by the sum of the two norms": lambda: far,
                "is divided by the norm of grad alone: divide by |grad| + |gradapprox|": lambda: far / norm(grad),
                "is divided by the norm of gradapprox alone: divide by |grad| + |gradapprox|": lambda: (
                    far / norm(other)
                ),
                "is divided by the norm of the sum: divide by the sum of the norms, which is never small by chance": (
                    lambda: far / norm(grad + other)
                ),
                "is divided by the product of the norms: divide by their sum": lambda: far / (norm(grad) * norm(other)),
                "has the difference of the norms above: two vectors of equal length may lie far apart": lambda: (
                    abs(norm(grad) - norm(other)) / (norm(grad) + norm(other))
                ),
                "has the difference of the norms above (without an absolute value too): take |grad - gradapprox|": (
                    lambda: (norm(grad) - norm(other)) / (norm(grad) + norm(other))
                ),
                "is made of squared norms: the norm is the root of the sum of squares": lambda: (
                    far**2 / (norm(grad) ** 2 + norm(other) ** 2)
                ),
                "is made of sums of absolute values: take Euclidean norms, np.linalg.norm": lambda: (
                    np.abs(grad - other).sum() / (np.abs(grad).sum() + np.abs(other).sum())
                ),
                "is an entry by entry quotient: take the norms of the whole vectors": lambda: (
                    np.abs(grad - other) / (np.abs(grad) + np.abs(other))
                ),
                "has |grad + gradapprox| above: the difference is wanted": lambda: (
                    norm(grad + other) / (norm(grad) + norm(other))
                ),
                "is grad - gradapprox divided by the norms: take its norm": lambda: (
                    (grad - other) / (norm(grad) + norm(other))
                ),
            },
            factors={
                "2": Factor(
                    2.0, "divide by the sum of the norms, not by their mean", "the sum of the norms is not doubled"
                )
            },
        )

    yield trial(rng.standard_normal((5, 1)), rng.standard_normal((5, 1)))
    yield trial(np.ones((4, 1)), np.ones((4, 1)))


def moved(probe: Probe, name: str, sign: int, slips: dict[str, Any]) -> Found:
    theta = np.array([[0.5], [-1.0], [2.0]])

    def other(names: dict[str, Any]) -> Array:
        out = np.array(theta)
        out[names["i"]] -= sign * STEP
        return out

    result = probe.run(
        "gradient_n", lambda column: float(np.sum(column**2)), theta, STEP, thetaplus=other, thetaminus=other
    )
    yield result.failure
    for i, passage in enumerate(result.passages):
        want = np.array(theta)
        want[i] += sign * STEP
        yield probe.compare(
            f"{name} at i = {i}", passage[name], want, slips={text: make(theta, i) for text, make in slips.items()}
        )


def one(change: Any) -> Any:
    """A slip that changes entry i of theta to change(entry)."""

    def make(theta: Array, i: int) -> Any:
        def value() -> Array:
            out = np.array(theta)
            out[i] = change(out[i])
            return out

        return value

    return make


SLIPS: dict[str, Any] = {
    "is theta itself: move entry i": one(lambda x: x),
    "has epsilon in place of theta[i]: add to the entry, do not replace it": one(lambda x: STEP),
    "is moved by 2 epsilon: once is enough": one(lambda x: x + 2 * STEP),
}


def check_thetaplus(probe: Probe) -> Found:
    slips = {
        "is moved in all entries: move entry i alone": lambda theta, i: lambda: theta + STEP,
        "is moved to the left: add epsilon": one(lambda x: x - STEP),
        "holds entry i alone: copy all of theta, then move entry i": lambda theta, i: lambda: theta[i] + STEP,
    }
    yield from moved(probe, "thetaplus", 1, slips | SLIPS)


def check_thetaminus(probe: Probe) -> Found:
    slips = {
        "is moved in all entries: move entry i alone": lambda theta, i: lambda: theta - STEP,
        "is moved to the right, as thetaplus is: the quotient would be 0 everywhere": one(lambda x: x + STEP),
        "holds entry i alone: copy all of theta, then move entry i": lambda theta, i: lambda: theta[i] - STEP,
    }
    yield from moved(probe, "thetaminus", -1, slips | SLIPS)


CHECKS = {
    1: check_plus,
    2: check_minus,
    3: check_quotient,
    4: check_difference,
    5: check_thetaplus,
    6: check_thetaminus,
}


def altogether(student: dict[str, Any]) -> str:
    """The student's check of autograd, and of a gradient that is wrong in one entry."""
    theta = td.tensor(np.linspace(-1, 1, 6)[:, None], requires_grad=True)
    (grad,) = td.autograd.grad((theta.sin() * theta.exp()).sum(), theta)
    quotients = student["gradient_n"](lambda x: float(np.sum(np.sin(x) * np.exp(x))), theta.detach().numpy())
    wrong = grad.numpy().copy()
    wrong[2] *= 1.01
    found = [student["relative_difference"](g, quotients) for g in (grad.numpy(), wrong)]
    return f"your check of autograd gives {found[0]:.0e}; of a gradient with one entry 1 % off, {found[1]:.0e}"
