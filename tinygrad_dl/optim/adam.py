"""Adam, and Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_dl.optim.flat import Array, FlatOptimizer
from tinygrad_dl.optim.optimizer import Group, require, two_fractions


class Adam(FlatOptimizer):
    """Adam: steps of a size that the gradient's running mean and mean square say.

    `m = b1 * m + (1 - b1) * g`, `v = b2 * v + (1 - b2) * g**2`,
    `p = p - lr * m / (1 - b1**t) / (sqrt(v / (1 - b2**t)) + eps)` in step t.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        lr: the learning rate.
        betas: b1 and b2, in [0, 1).
        eps: keeps the divisor from zero.
        weight_decay: adds `weight_decay * p` to the gradient.
        amsgrad: divide by the largest v so far.
        maximize: climb instead of descend.
        decoupled_weight_decay: shrink the parameters instead, as `AdamW` does.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.Adam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in w.tolist()]
    [0.5, -1.5]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html (Kingma and Ba, 2015)
    """

    state_names = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        **switches: Any,
    ):
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **switches)

    def _check_options(self, group: Group) -> None:
        for option in ("lr", "eps", "weight_decay"):
            require(group, option, lambda value: value >= 0, "a number of 0 or more")
        require(group, "betas", two_fractions, "two numbers in [0, 1)")

    def names(self, group: Group) -> tuple[str, ...]:
        return self.state_names[1:] if group["amsgrad"] else self.state_names[1:3]

    def update(self, group: Group, step: float, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        beta1, beta2 = group["betas"]
        lr = float(group["lr"])
        mean, square = states[:2]
        if group["decoupled_weight_decay"]:
            p *= 1 - lr * group["weight_decay"]
        np.subtract(g, mean, out=work)
        mean += np.multiply(work, 1 - beta1, out=work)
        np.multiply(g, g, out=work)
        square *= beta2
        square += np.multiply(work, 1 - beta2, out=work)
        if group["amsgrad"]:
            square = np.maximum(states[2], square, out=states[2])
        np.sqrt(square, out=work)
        root = (1 - beta2**step) ** 0.5  # above and below, rather than under sqrt(v): one pass less
        work += group["eps"] * root
        np.divide(mean, work, out=work)
        p -= np.multiply(work, lr * root / (1 - beta1**step), out=work)


class AdamW(Adam):
    """Adam with decoupled weight decay: `p = p * (1 - lr * weight_decay)` before each step of Adam.

    The arguments are those of `Adam`; `weight_decay` is 0.01 unless given.

    >>> w = td.tensor([1.0], requires_grad=True)
    >>> optimizer = td.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> w.grad = td.zeros(1)
    >>> optimizer.step()
    >>> w
    tensor([0.9500], requires_grad=True)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html (Loshchilov and Hutter, 2019)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        **switches: Any,
    ):
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True, **switches
        )
