"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_dl.optim.flat import Array, FlatOptimizer
from tinygrad_dl.optim.optimizer import Group, require


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

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.SGD([w], lr=0.1, momentum=0.9)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist() == td.tensor([0.8, -1.6]).tolist()
    True
    """

    state_names = ("momentum_buffer",)
    counts = False

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
        **switches: Any,
    ):
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **switches)

    def _check_options(self, group: Group) -> None:
        for option in ("lr", "momentum", "weight_decay"):
            require(group, option, lambda value: value >= 0, "a number of 0 or more")
        if group["nesterov"]:
            require(group, "momentum", lambda value: value > 0, "more than 0 with nesterov=True")
            require(group, "dampening", lambda value: value == 0, "0 with nesterov=True")

    def names(self, group: Group) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def update(self, group: Group, step: float, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        momentum = group["momentum"]
        if momentum:
            (buffer,) = states
            if step == 1:
                buffer[...] = g
            else:
                buffer *= momentum
                buffer += np.multiply(g, 1 - group["dampening"], out=work) if group["dampening"] else g
            g = np.add(g, np.multiply(buffer, momentum, out=work), out=work) if group["nesterov"] else buffer
        p -= np.multiply(g, float(group["lr"]), out=work)
