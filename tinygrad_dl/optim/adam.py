"""Adam, and Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_dl.backends.axpby import axpby
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.optim.flat import Array, FlatOptimizer
from tinygrad_dl.optim.options import FRACTIONS, Group, at_least_0, exact, options


def average(mean: Array, x: Array, beta: Any, work: Array) -> None:
    """Takes x into a running mean: `mean = beta * mean + (1 - beta) * x`."""
    axpby(1 - beta, x, beta, mean, work)


def average_square(square: Array, x: Array, beta: Any, work: Array) -> None:
    """Takes x**2 into a running mean."""
    axpby(1 - beta, np.multiply(x, x, out=work), beta, square, work)


def kept(o: Group) -> Any:
    """What decoupled weight decay leaves of the parameters in a step: `1 - lr * weight_decay`."""
    return 1 - o["lr"] * o["weight_decay"] if o["decoupled_weight_decay"] and o["weight_decay"] else 1


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
        foreach, fused, capturable: accepted, and change nothing: there is one way to the step here.
        differentiable: record the step, so that gradients flow through it to the old parameters, gradients and rates.
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
    ranges = at_least_0("lr", "eps", "weight_decay") | {"betas": FRACTIONS}

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ):
        super().__init__(params, options(locals()))

    def _check_options(self, group: Group) -> None:
        super()._check_options(group)
        lr, betas = group["lr"], group["betas"]
        tensors = [isinstance(each, Tensor) for each in (lr, *betas)]
        if tensors[1] != tensors[2]:
            raise ValueError(f"{type(self).__name__}: got betas={betas}, expected two numbers or two tensors")
        if any(tensors) and group["foreach"] and not group["capturable"]:
            raise ValueError(
                f"{type(self).__name__}: got foreach=True with lr={lr}, betas={betas}, expected numbers; leave foreach "
                "out, it changes nothing"
            )

    def names(self, group: Group) -> tuple[str, ...]:
        return self.state_names[1:] if group["amsgrad"] else self.state_names[1:3]

    def update(self, o: Group, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        (beta1, beta2), step = o["betas"], o["step"]
        mean, square = states[:2]
        average(mean, g, beta1, work)
        average_square(square, g, beta2, work)
        if o["amsgrad"]:
            square = np.maximum(states[2], square, out=states[2])
        np.sqrt(square, out=work)
        root = (1 - beta2**step) ** 0.5  # above and below, rather than under sqrt(v): one pass less
        work += o["eps"] * root
        np.divide(mean, work, out=work)
        axpby(-exact(o["lr"] / (1 - beta1**step)) * root, work, kept(o), p, work)


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
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        FlatOptimizer.__init__(self, params, {**options(locals()), "decoupled_weight_decay": True})
