"""RMSprop, Adagrad and Adadelta: each divides the gradient by a measure of its past size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_dl.optim.flat import Array, FlatOptimizer
from tinygrad_dl.optim.optimizer import Group, require


class RMSprop(FlatOptimizer):
    """RMSprop: divides the gradient by the root of the running mean of its square.

    `v = alpha * v + (1 - alpha) * g**2`, then `p = p - lr * g / (sqrt(v) + eps)`. With momentum
    `b = momentum * b + g / (sqrt(v) + eps)`, then `p = p - lr * b`. Centred: v less the square of the
    gradient's running mean.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        lr: the learning rate.
        alpha: how much of the mean is kept at each step.
        eps: keeps the divisor from zero.
        weight_decay: adds `weight_decay * p` to the gradient.
        momentum: how much of the last change is kept.
        centered: divide by the standard deviation instead.
        maximize: climb instead of descend.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.RMSprop([w], lr=0.05)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in w.tolist()]
    [0.5, -1.5]
    """

    state_names = ("step", "square_avg", "momentum_buffer", "grad_avg")

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
        **switches: Any,
    ):
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **switches)

    def _check_options(self, group: Group) -> None:
        for option in ("lr", "alpha", "eps", "weight_decay", "momentum"):
            require(group, option, lambda value: value >= 0, "a number of 0 or more")

    def names(self, group: Group) -> tuple[str, ...]:
        return "square_avg", *["momentum_buffer"] * (group["momentum"] > 0), *["grad_avg"] * group["centered"]

    def update(self, group: Group, step: float, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        alpha, momentum = group["alpha"], group["momentum"]
        square = states[0]
        np.multiply(g, g, out=work)
        square *= alpha
        square += np.multiply(work, 1 - alpha, out=work)
        if group["centered"]:
            mean = states[-1]
            np.subtract(g, mean, out=work)
            mean += np.multiply(work, 1 - alpha, out=work)
            square = np.subtract(square, np.multiply(mean, mean, out=work), out=work)
        np.sqrt(square, out=work)
        work += group["eps"]
        np.divide(g, work, out=work)
        if momentum > 0:
            buffer = states[1]
            buffer *= momentum
            buffer += work
            np.copyto(work, buffer)
        work *= float(group["lr"])
        p -= work


class Adagrad(FlatOptimizer):
    """Adagrad: divides the gradient by the root of the sum of its squares.

    `s = s + g**2`, then `p = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)` in step t.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        lr: the learning rate.
        lr_decay: how fast it falls.
        weight_decay: adds `weight_decay * p` to the gradient.
        initial_accumulator_value: what the sum starts from.
        eps: keeps the divisor from zero.
        maximize: climb instead of descend.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.Adagrad([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.5, -1.5]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html (Duchi et al., 2011)
    """

    state_names = ("step", "sum")
    eager = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        **switches: Any,
    ):
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **switches)

    def _check_options(self, group: Group) -> None:
        for option in ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"):
            require(group, option, lambda value: value >= 0, "a number of 0 or more")

    def names(self, group: Group) -> tuple[str, ...]:
        return ("sum",)

    def initial(self, group: Group) -> float:
        value: float = group["initial_accumulator_value"]
        return value

    def update(self, group: Group, step: float, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        (total,) = states
        total += np.multiply(g, g, out=work)
        np.sqrt(total, out=work)
        work += group["eps"]
        np.divide(g, work, out=work)
        p -= np.multiply(work, float(group["lr"]) / (1 + (step - 1) * group["lr_decay"]), out=work)


class Adadelta(FlatOptimizer):
    """Adadelta: divides the gradient by its own root mean square, times that of the past changes.

    `v = rho * v + (1 - rho) * g**2`, `d = sqrt(u + eps) / sqrt(v + eps) * g`,
    `u = rho * u + (1 - rho) * d**2`, then `p = p - lr * d`.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        lr: the learning rate.
        rho: how much of the means is kept at each step, in [0, 1].
        eps: keeps the roots from zero.
        weight_decay: adds `weight_decay * p` to the gradient.
        maximize: climb instead of descend.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.Adadelta([w], lr=1.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in w.tolist()]
    [0.9968, -1.9968]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adadelta.html (Zeiler, 2012)
    """

    state_names = ("step", "square_avg", "acc_delta")

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        **switches: Any,
    ):
        defaults = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults, **switches)

    def _check_options(self, group: Group) -> None:
        for option in ("lr", "eps", "weight_decay"):
            require(group, option, lambda value: value >= 0, "a number of 0 or more")
        require(group, "rho", lambda value: 0 <= value <= 1, "a number in [0, 1]")

    def names(self, group: Group) -> tuple[str, ...]:
        return self.state_names[1:]

    def update(self, group: Group, step: float, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        rho, eps = group["rho"], group["eps"]
        square, changes = states
        np.multiply(g, g, out=work)
        square *= rho
        square += np.multiply(work, 1 - rho, out=work)
        np.sqrt(np.add(square, eps, out=work), out=work)
        change = np.sqrt(np.add(changes, eps, out=more), out=more)
        change /= work
        change *= g
        np.multiply(change, change, out=work)
        changes *= rho
        changes += np.multiply(work, 1 - rho, out=work)
        p -= np.multiply(change, float(group["lr"]), out=work)
