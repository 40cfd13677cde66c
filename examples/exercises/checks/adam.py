"""Checks of Adam, step by step beside td.optim.Adam."""

from __future__ import annotations

from typing import Any

import numpy as np
from checker import Probe
from compare import Array, Difference, Factor

import tinygrad_dl as td
from checks.forward import Found

RATE, BETA1, BETA2, EPSILON = 0.05, 0.9, 0.99, 0.1  # an epsilon so large that its place matters
OPTIONS = (RATE, BETA1, BETA2, EPSILON)
TIMES = (5, 3, 1)  # 1 - beta, 1 - beta^2 and powers of t - 1 are told apart in the first


class Step:
    """The arguments of step t, and what td.optim.Adam makes of them."""

    def __init__(self, t: int):
        rng = np.random.default_rng(t)
        gradients = rng.standard_normal((t, 2, 3))
        tensor = td.tensor(rng.standard_normal((2, 3)), requires_grad=True)
        optimizer = td.optim.Adam([tensor], lr=RATE, betas=(BETA1, BETA2), eps=EPSILON)
        zeros = np.zeros((2, 3))
        before = after = (tensor.detach().numpy().copy(), zeros, zeros)
        for gradient in gradients:
            before = after
            tensor.grad = td.tensor(gradient)
            optimizer.step()
            state = optimizer.state[tensor]
            after = tuple(np.array(x.detach().numpy()) for x in (tensor, state["exp_avg"], state["exp_avg_sq"]))
        self.t, self.dW = t, gradients[-1]
        self.W, self.v, self.s = before
        self.new_W, self.new_v, self.new_s = after
        self.v_corrected = self.new_v / (1 - BETA1**t)
        self.s_corrected = self.new_s / (1 - BETA2**t)

    def judge(self, probe: Probe, name: str, want: Array, **hints: Any) -> Difference | None:
        right = {
            "v": self.new_v,
            "v_corrected": self.v_corrected,
            "s": self.new_s,
            "s_corrected": self.s_corrected,
            "W": self.new_W,
        }
        del right[name]
        result = probe.run("adam_step", self.W, self.dW, self.v, self.s, self.t, *OPTIONS, **right)
        found = probe.judge(name, result, want, **hints)
        return found and Difference(found.rank, f"{found.text} (in step t = {self.t})")


def average(step: Step, old: Array, new: Array, beta: float, other: float, name: str, of: str) -> dict[str, Any]:
    """Slips of an exponentially weighted average."""
    return {
        f"has no factor 1 - {name} at {of}": lambda: beta * old + new,
        f"has the weights exchanged: {name} belongs to the old average, 1 - {name} to {of}": lambda: (
            (1 - beta) * old + beta * new
        ),
        f"has no factor {name} at the old average": lambda: old + (1 - beta) * new,
        f"is the sum of the old average and {of}: weight them with {name} and 1 - {name}": lambda: old + new,
        f"has the other beta: here it is {name}": lambda: other * old + (1 - other) * new,
        f"subtracts {of}: add it": lambda: beta * old - (1 - beta) * new,
        f"forgets the old average: {name} times it is missing": lambda: (1 - beta) * new,
        "is what it was before the step": lambda: old,
        "is divided by 1 - beta^t already: the correction does not belong into the average": lambda: (
            (beta * old + (1 - beta) * new) / (1 - beta**step.t)
        ),
    }


def check_v(probe: Probe) -> Found:
    for t in TIMES:
        step = Step(t)
        slips = average(step, step.v, step.dW, BETA1, BETA2, "beta1", "dW")
        slips["is an average of squares: v is the average of dW, s that of its square"] = lambda step=step: (
            BETA1 * step.v + (1 - BETA1) * step.dW**2
        )
        yield step.judge(probe, "v", step.new_v, slips=slips)


def check_s(probe: Probe) -> Found:
    for t in TIMES:
        step = Step(t)
        slips = average(step, step.s, step.dW**2, BETA2, BETA1, "beta2", "dW^2")
        slips["is an average of dW: s is the average of its square"] = lambda step=step: (
            BETA2 * step.s + (1 - BETA2) * step.dW
        )
        slips["squares the factor too: ((1 - beta2) dW)^2 in place of (1 - beta2) dW^2"] = lambda step=step: (
            BETA2 * step.s + ((1 - BETA2) * step.dW) ** 2
        )
        slips["is an average of v^2: take the square of dW"] = lambda step=step: (
            BETA2 * step.s + (1 - BETA2) * step.new_v**2
        )
        yield step.judge(probe, "s", step.new_s, slips=slips)


def correction(t: int, value: Array, beta: float, other: float, name: str, of: str) -> dict[str, Any]:
    """Slips of the bias correction of `of`."""
    return {
        f"is not corrected: divide {of} by 1 - {name}^t": lambda: value,
        f"is divided by 1 - {name}, without the power: the correction is 1 - {name}^t": lambda: value / (1 - beta),
        f"is divided by 1 - {name}^2, a fixed power: the correction fades with t, 1 - {name}^t": lambda: (
            value / (1 - beta**2)
        ),
        f"has the other beta in its correction: here it is {name}": lambda: value / (1 - other**t),
        "is multiplied by the correction: divide by it": lambda: value * (1 - beta**t),
        f"is divided by 1 - {name} t: t is a power, {name}**t": lambda: value / (1 - beta * t),
        "has the power t - 1: t counts from 1 already": lambda: value / (1 - beta ** (t - 1)),
        "has the power t + 1: t counts from 1 already": lambda: value / (1 - beta ** (t + 1)),
        f"is divided by {name}^t: divide by 1 - {name}^t": lambda: value / beta**t,
        f"is divided by 1 + {name}^t: the correction has a minus": lambda: value / (1 + beta**t),
    }


def check_v_corrected(probe: Probe) -> Found:
    for t in TIMES:
        step = Step(t)
        slips = correction(t, step.new_v, BETA1, BETA2, "beta1", "v")
        yield step.judge(probe, "v_corrected", step.v_corrected, slips=slips)


def check_s_corrected(probe: Probe) -> Found:
    for t in TIMES:
        step = Step(t)
        slips = correction(t, step.new_s, BETA2, BETA1, "beta2", "s")
        yield step.judge(probe, "s_corrected", step.s_corrected, slips=slips)


def check_W(probe: Probe) -> Found:
    def trial(t: int) -> Difference | None:
        step = Step(t)
        W, v, s = step.W, step.v_corrected, step.s_corrected
        root = np.sqrt(s)
        return step.judge(
            probe,
            "W",
            step.new_W,
            slips={
                "goes up: the step is subtracted": lambda: W + RATE * v / (root + EPSILON),
                "has epsilon inside the root: it is added to the root, sqrt(s_corrected) + epsilon": lambda: (
                    W - RATE * v / np.sqrt(s + EPSILON)
                ),
                "lacks epsilon: it keeps the division finite where s_corrected is 0": lambda: W - RATE * v / root,
                "adds epsilon to the quotient, not to the root: write / (np.sqrt(s_corrected) + epsilon)": lambda: (
                    W - (RATE * v / root + EPSILON)
                ),
                "adds epsilon after the step: write / (np.sqrt(s_corrected) + epsilon)": lambda: (
                    W - RATE * v / root + EPSILON
                ),
                "lacks the root: divide by sqrt(s_corrected) + epsilon": lambda: W - RATE * v / (s + EPSILON),
                "lacks the learning rate": lambda: W - v / (root + EPSILON),
                "is made with v in place of v_corrected": lambda: W - RATE * step.new_v / (root + EPSILON),
                "is made with s in place of s_corrected": lambda: W - RATE * v / (np.sqrt(step.new_s) + EPSILON),
                "is made with v and s: take v_corrected and s_corrected": lambda: (
                    W - RATE * step.new_v / (np.sqrt(step.new_s) + EPSILON)
                ),
                "is made with dW in place of v_corrected": lambda: W - RATE * step.dW / (root + EPSILON),
                "is the step alone: subtract it from W": lambda: RATE * v / (root + EPSILON),
                "is multiplied by the root: divide by it": lambda: W - RATE * v * (root + EPSILON),
                "is gradient descent with momentum: the division by sqrt(s_corrected) + epsilon is missing": lambda: (
                    W - RATE * v
                ),
                "is plain gradient descent": lambda: W - RATE * step.dW,
            },
            factors={"2": Factor(2.0, "", "")},
        )

    for t in TIMES[:2]:
        yield trial(t)


CHECKS = {1: check_v, 2: check_v_corrected, 3: check_s, 4: check_s_corrected, 5: check_W}


def altogether(student: dict[str, Any]) -> str:
    """50 steps beside td.optim.Adam, on a cost whose gradient autograd finds."""
    rng = np.random.default_rng(0)
    parameters = {"W1": rng.standard_normal((3, 2)), "b1": rng.standard_normal((3, 1))}
    tensors = {name: td.tensor(value, requires_grad=True) for name, value in parameters.items()}
    optimizer = td.optim.Adam(tensors.values(), lr=0.01)
    v, s = student["initialize_adam"](parameters)

    def gradients(values: dict[str, Any]) -> tuple[td.Tensor, ...]:
        cost = (values["W1"] @ td.ones(2, 4, dtype=td.float64) + values["b1"]).tanh().square().sum()
        return td.autograd.grad(cost, list(values.values()))

    for t in range(1, 51):
        found = gradients({name: td.tensor(value, requires_grad=True) for name, value in parameters.items()})
        grads = {"d" + name: g.numpy() for name, g in zip(parameters, found, strict=True)}
        parameters, v, s = student["update_parameters_with_adam"](parameters, grads, v, s, t)
        for tensor, g in zip(tensors.values(), gradients(tensors), strict=True):
            tensor.grad = g
        optimizer.step()
    far = max(np.abs(parameters[name] - tensors[name].detach().numpy()).max() for name in parameters)
    return f"after 50 steps, td.optim.Adam is at most {far:.0e} away"
