"""Adamax, RAdam and NAdam: Adam with another measure of size, a careful start, or Nesterov's momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_dl.optim.flat import Array, FlatOptimizer
from tinygrad_dl.optim.optimizer import Group, require, two_fractions


class AdamVariant(FlatOptimizer):
    """What the three share: their options' ranges."""

    def _check_options(self, group: Group) -> None:
        for option in ("lr", "eps", "weight_decay", *["momentum_decay"] * ("momentum_decay" in group)):
            require(group, option, lambda value: value >= 0, "a number of 0 or more")
        require(group, "betas", two_fractions, "two numbers in [0, 1)")

    def names(self, group: Group) -> tuple[str, ...]:
        return self.state_names[-2:] if self.state_names else ()

    def averaged(self, group: Group, g: Array, work: Array, p: Array, mean: Array, square: Array) -> None:
        """Takes the gradient into the running mean and mean square; shrinks the parameters if decoupled."""
        beta1, beta2 = group["betas"]
        if group["decoupled_weight_decay"]:
            p *= 1 - float(group["lr"]) * group["weight_decay"]
        np.subtract(g, mean, out=work)
        mean += np.multiply(work, 1 - beta1, out=work)
        np.multiply(g, g, out=work)
        square *= beta2
        square += np.multiply(work, 1 - beta2, out=work)


class Adamax(AdamVariant):
    """Adam by the largest gradient instead of the mean square.

    `m = b1 * m + (1 - b1) * g`, `u = max(b2 * u, |g| + eps)`, `p = p - lr / (1 - b1**t) * m / u` in step t.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        lr: the learning rate.
        betas: b1 and b2, in [0, 1).
        eps: keeps the divisor from zero.
        weight_decay: adds `weight_decay * p` to the gradient.
        maximize: climb instead of descend.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.Adamax([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in w.tolist()]
    [0.5, -1.5]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adamax.html (Kingma and Ba, 2015)
    """

    state_names = ("step", "exp_avg", "exp_inf")

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        **switches: Any,
    ):
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        )

    def update(self, group: Group, step: float, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        beta1, beta2 = group["betas"]
        mean, largest = states
        np.subtract(g, mean, out=work)
        mean += np.multiply(work, 1 - beta1, out=work)
        largest *= beta2
        np.absolute(g, out=work)
        work += group["eps"]
        np.maximum(largest, work, out=largest)
        np.divide(mean, largest, out=work)
        p -= np.multiply(work, float(group["lr"]) / (1 - beta1**step), out=work)


class RAdam(AdamVariant):
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

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.RAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in w.tolist()]
    [0.8, -1.6]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.RAdam.html (Liu et al., 2020)
    """

    state_names = ("step", "exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **switches: Any,
    ):
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **switches)

    def update(self, group: Group, step: float, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        beta1, beta2 = group["betas"]
        mean, square = states
        self.averaged(group, g, work, p, mean, square)
        rate = float(group["lr"]) / (1 - beta1**step)
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * step * beta2**step / (1 - beta2**step)
        if length <= 5:
            p -= np.multiply(mean, rate, out=work)
            return
        np.sqrt(square, out=work)
        work += group["eps"]
        np.divide(mean, work, out=work)
        rise = ((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)) ** 0.5
        p -= np.multiply(work, rate * (1 - beta2**step) ** 0.5 * rise, out=work)


class NAdam(AdamVariant):
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

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.NAdam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in w.tolist()]
    [0.4718, -1.4718]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.NAdam.html (Dozat, 2016)
    """

    state_names = ("step", "mu_product", "exp_avg", "exp_avg_sq")
    product = "mu_product"

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **switches: Any,
    ):
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **switches)

    def momentum(self, group: Group, step: float) -> float:
        """mu(step)."""
        value: float = group["betas"][0] * (1 - 0.5 * 0.96 ** (step * group["momentum_decay"]))
        return value

    def advance(self, group: Group, step: float, product: Any) -> Any:
        product = product * np.float32(self.momentum(group, step))
        self._reached = float(product)
        return product

    def update(self, group: Group, step: float, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        mean, square = states
        self.averaged(group, g, work, p, mean, square)
        now, following, lr = self.momentum(group, step), self.momentum(group, step + 1), float(group["lr"])
        np.sqrt(np.multiply(square, 1 / (1 - group["betas"][1] ** step), out=work), out=work)
        work += group["eps"]
        np.multiply(mean, lr * following / (1 - self._reached * following), out=more)
        np.divide(more, work, out=more)
        p -= more
        np.multiply(g, lr * (1 - now) / (1 - self._reached), out=more)
        np.divide(more, work, out=more)
        p -= more
