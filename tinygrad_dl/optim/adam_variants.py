"""Adamax, RAdam and NAdam: Adam with another measure of size, a careful start, or Nesterov's momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_dl.backends.axpby import axpby
from tinygrad_dl.optim.adam import Adam, average, average_square, kept
from tinygrad_dl.optim.flat import Array, FlatOptimizer
from tinygrad_dl.optim.options import Group, at_least_0, exact, options


class Adamax(FlatOptimizer):
    """Adam by the largest gradient instead of the mean square.

    `m = b1 * m + (1 - b1) * g`, `u = max(b2 * u, |g| + eps)`, `p = p - lr / (1 - b1**t) * m / u` in step t.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        lr: the learning rate.
        betas: b1 and b2, in [0, 1).
        eps: keeps the divisor from zero.
        weight_decay: adds `weight_decay * p` to the gradient.
        maximize: climb instead of descend.
        foreach, capturable: accepted, and change nothing: there is one way to the step here.
        differentiable: record the step, so that gradients flow through it to the old parameters, gradients and rates.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.Adamax([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in w.tolist()]
    [0.5, -1.5]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adamax.html (Kingma and Ba, 2015)
    """

    state_names = ("step", "exp_avg", "exp_inf")
    ranges = Adam.ranges

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 2e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        super().__init__(params, options(locals()))

    def update(self, o: Group, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        beta1, beta2 = o["betas"]
        mean, largest = states
        average(mean, g, beta1, work)
        largest *= beta2
        np.absolute(g, out=work)
        work += o["eps"]
        np.maximum(largest, work, out=largest)
        np.divide(mean, largest, out=work)
        axpby(-o["lr"] / (1 - beta1 ** o["step"]), work, 1, p, work)


class RAdam(FlatOptimizer):
    """Adam that does not divide by the mean square until enough gradients went into it.

    With `r = 2 / (1 - b2) - 1` and `s = r - 2 t b2**t / (1 - b2**t)`: while s <= 5, `p = p - lr * m'`; later
    Adam's step times `sqrt((s - 4)(s - 2) r / ((r - 4)(r - 2) s))`.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        lr: the learning rate.
        betas: b1 and b2, in [0, 1).
        eps: keeps the divisor from zero.
        weight_decay: adds `weight_decay * p` to the gradient.
        decoupled_weight_decay: shrink the parameters instead, as `AdamW` does.
        maximize: climb instead of descend.
        foreach, capturable: accepted, and change nothing: there is one way to the step here.
        differentiable: record the step, so that gradients flow through it to the old parameters, gradients and rates.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.RAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in w.tolist()]
    [0.8, -1.6]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.RAdam.html (Liu et al., 2020)
    """

    state_names = ("step", "exp_avg", "exp_avg_sq")
    ranges = Adam.ranges

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(params, options(locals()))

    def update(self, o: Group, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        (beta1, beta2), step = o["betas"], o["step"]
        mean, square = states
        average(mean, g, beta1, work)
        average_square(square, g, beta2, work)
        rate = exact(o["lr"]) / (1 - beta1**step)
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * step * beta2**step / (1 - beta2**step)
        if length <= 5:
            axpby(-rate, mean, kept(o), p, work)
            return
        np.sqrt(square, out=work)
        work += o["eps"]
        np.divide(mean, work, out=work)
        rise = ((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)) ** 0.5
        axpby(-rate * (1 - beta2**step) ** 0.5 * rise, work, kept(o), p, work)


class NAdam(FlatOptimizer):
    """Adam that looks ahead by its momentum, as Nesterov's does.

    `mu(t) = b1 * (1 - 0.96**(t * momentum_decay) / 2)`, M(t) their product so far, and in step t
    `p = p - lr * ((1 - mu(t)) / (1 - M(t)) * g + mu(t + 1) / (1 - M(t + 1)) * m) / (sqrt(v / (1 - b2**t)) + eps)`.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        lr: the learning rate.
        betas: b1 and b2, in [0, 1).
        eps: keeps the divisor from zero.
        weight_decay: adds `weight_decay * p` to the gradient.
        momentum_decay: how fast mu rises to b1.
        decoupled_weight_decay: shrink the parameters instead, as `AdamW` does.
        maximize: climb instead of descend.
        foreach, capturable: accepted, and change nothing: there is one way to the step here.
        differentiable: record the step, so that gradients flow through it to the old parameters, gradients and rates.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.NAdam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in w.tolist()]
    [0.4718, -1.4718]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.NAdam.html (Dozat, 2016)
    """

    state_names = ("step", "mu_product", "exp_avg", "exp_avg_sq")
    scalars = ("mu_product",)
    ranges = Adam.ranges | at_least_0("momentum_decay")

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 2e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(params, options(locals()))

    def initial(self, name: str, group: Group) -> float:
        return 1.0 if name == "mu_product" else 0.0

    def momentum(self, o: Group, step: float) -> Any:
        """mu(step)."""
        return o["betas"][0] * (1 - 0.5 * 0.96 ** (step * o["momentum_decay"]))

    def advance(self, o: Group) -> tuple[float, ...]:
        return (float(np.float32(o["mu_product"]) * np.float32(float(self.momentum(o, o["step"])))),)

    def update(self, o: Group, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        (beta1, beta2), step, lr = o["betas"], o["step"], o["lr"]
        mean, square = states
        average(mean, g, beta1, work)
        average_square(square, g, beta2, work)
        now, following = self.momentum(o, step), self.momentum(o, step + 1)
        (reached,) = self.advance(o)
        np.sqrt(np.multiply(square, 1 / (1 - beta2**step), out=work), out=work)
        work += o["eps"]
        np.divide(mean, work, out=more)
        axpby(-lr * following / (1 - reached * following), more, kept(o), p, more)
        np.divide(g, work, out=work)
        axpby(-lr * (1 - now) / (1 - reached), work, 1, p, work)
