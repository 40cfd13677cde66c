"""Stochastic gradient descent, and with an average of the parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_dl.backends.axpby import axpby
from tinygrad_dl.optim.flat import Array, FlatOptimizer
from tinygrad_dl.optim.options import Group, at_least_0, options, require


class SGD(FlatOptimizer):
    """Stochastic gradient descent, with momentum if asked for.

    With b the momentum buffer, which starts as the first gradient:
    `b = momentum * b + (1 - dampening) * g`, then `p = p - lr * b`; with Nesterov's momentum
    `p = p - lr * (g + momentum * b)`.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        lr: the learning rate.
        momentum: how much of the buffer is kept at each step.
        dampening: how much of the gradient does not enter the buffer.
        weight_decay: adds `weight_decay * p` to the gradient.
        nesterov: use Nesterov's momentum; needs `momentum > 0` and `dampening == 0`.
        maximize: climb instead of descend.
        foreach, fused: accepted, and change nothing: there is one way to the step here.
        differentiable: record the step, so that gradients flow through it to the old parameters, gradients and rates.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.SGD([w], lr=0.1, momentum=0.9)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist() == td.tensor([0.8, -1.6]).tolist()
    True
    """

    state_names = ("momentum_buffer",)
    counts = False
    ranges = at_least_0("lr", "momentum", "weight_decay")

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        super().__init__(params, options(locals()))

    def _check_options(self, group: Group) -> None:
        super()._check_options(group)
        if group["nesterov"]:
            require(group, "momentum", lambda value: value > 0, "more than 0 with nesterov=True")
            require(group, "dampening", lambda value: value == 0, "0 with nesterov=True")

    def names(self, group: Group) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def update(self, o: Group, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        momentum = o["momentum"]
        if momentum:
            (buffer,) = states
            if o["step"] == 1:
                buffer[...] = g
            else:
                axpby(1 - o["dampening"], g, momentum, buffer, work)
            g = np.add(g, np.multiply(buffer, momentum, out=work), out=work) if o["nesterov"] else buffer
        axpby(-o["lr"], g, 1, p, work)


class ASGD(FlatOptimizer):
    """Averaged stochastic gradient descent: plain steps, and beside them the mean of the parameters from step t0 on.

    In step t `p = p * (1 - lambd * eta) - eta * g`, `ax = ax + mu * (p - ax)`, then
    `eta = lr / (1 + lambd * lr * t)**alpha` and `mu = 1 / max(1, t - t0)`. The state `ax` is the mean.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        lr: the learning rate.
        lambd: how fast the parameters decay.
        alpha: the power with which eta falls.
        t0: the step from which on parameters are averaged.
        weight_decay: adds `weight_decay * p` to the gradient.
        maximize: climb instead of descend.
        foreach, capturable: accepted, and change nothing: there is one way to the step here.
        differentiable: record the step, so that gradients flow through it to the old parameters, gradients and rates.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.ASGD([w], lr=0.25, lambd=0.0, t0=1)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> w.tolist(), optimizer.state[w]["ax"].tolist()
    ([0.125, -0.25], [0.125, -0.25])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.ASGD.html (Polyak and Juditsky, 1992)
    """

    state_names = ("step", "eta", "mu", "ax")
    scalars = ("eta", "mu")
    ranges = at_least_0("lr", "weight_decay")

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        super().__init__(params, options(locals()))

    def initial(self, name: str, group: Group) -> float:
        return {"eta": float(group["lr"]), "mu": 1.0}.get(name, 0.0)

    def advance(self, o: Group) -> tuple[float, ...]:
        lr, step = o["lr"], o["step"]
        eta, mu = lr / (1 + o["lambd"] * lr * step) ** o["alpha"], 1 / max(1, step - o["t0"])
        return float(np.float32(eta)), float(np.float32(mu))  # in float64 too, as in PyTorch

    def update(self, o: Group, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        (mean,) = states
        axpby(-o["eta"], g, 1 - o["lambd"] * o["eta"], p, work)
        if o["mu"] == 1:
            mean[...] = p
        else:
            np.subtract(p, mean, out=work)
            mean += np.multiply(work, o["mu"], out=work)
