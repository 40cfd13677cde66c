"""RMSprop, Adagrad, Adadelta and Rprop: steps of a size that each element's past gradients say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_dl.backends.axpby import axpby
from tinygrad_dl.optim.adam import average, average_square
from tinygrad_dl.optim.flat import Array, FlatOptimizer
from tinygrad_dl.optim.options import Group, at_least_0, options


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
        foreach, capturable: accepted, and change nothing: there is one way to the step here.
        differentiable: record the step, so that gradients flow through it to the old parameters, gradients and rates.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.RMSprop([w], lr=0.05)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in w.tolist()]
    [0.5, -1.5]
    """

    state_names = ("step", "square_avg", "momentum_buffer", "grad_avg")
    ranges = at_least_0("lr", "alpha", "eps", "weight_decay", "momentum")

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(params, options(locals()))

    def names(self, group: Group) -> tuple[str, ...]:
        return "square_avg", *["momentum_buffer"] * (group["momentum"] > 0), *["grad_avg"] * group["centered"]

    def update(self, o: Group, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        square = states[0]
        average_square(square, g, o["alpha"], work)
        if o["centered"]:
            mean = states[-1]
            average(mean, g, o["alpha"], work)
            square = np.subtract(square, np.multiply(mean, mean, out=work), out=work)
        np.sqrt(square, out=work)
        work += o["eps"]
        np.divide(g, work, out=work)
        if o["momentum"] > 0:
            buffer = states[1]
            axpby(1, work, o["momentum"], buffer, work)
            axpby(-o["lr"], buffer, 1, p, work)
        else:
            axpby(-o["lr"], work, 1, p, work)


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
        foreach, fused: accepted, and change nothing: there is one way to the step here.
        differentiable: record the step, so that gradients flow through it to the old parameters, gradients and rates.

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
    ranges = at_least_0("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        super().__init__(params, options(locals()))

    def initial(self, name: str, group: Group) -> float:
        return float(group["initial_accumulator_value"]) if name == "sum" else 0.0

    def update(self, o: Group, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        (total,) = states
        total += np.multiply(g, g, out=work)
        np.sqrt(total, out=work)
        work += o["eps"]
        np.divide(g, work, out=work)
        axpby(-o["lr"] / (1 + (o["step"] - 1) * o["lr_decay"]), work, 1, p, work)


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
        foreach, capturable: accepted, and change nothing: there is one way to the step here.
        differentiable: record the step, so that gradients flow through it to the old parameters, gradients and rates.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.Adadelta([w], lr=1.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in w.tolist()]
    [0.9968, -1.9968]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adadelta.html (Zeiler, 2012)
    """

    state_names = ("step", "square_avg", "acc_delta")
    ranges = at_least_0("lr", "eps", "weight_decay") | {
        "rho": (lambda value: 0 <= value <= 1, "a number in [0, 1]"),
    }

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(params, options(locals()))

    def update(self, o: Group, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        rho, eps = o["rho"], o["eps"]
        square, changes = states
        average_square(square, g, rho, work)
        np.sqrt(np.add(square, eps, out=work), out=work)
        change = np.sqrt(np.add(changes, eps, out=more), out=more)
        change /= work
        change *= g
        average_square(changes, change, rho, work)
        axpby(-o["lr"], change, 1, p, work)


class Rprop(FlatOptimizer):
    """Resilient backpropagation: steps by the sign of the gradient, longer while it stays, shorter when it turns.

    `s = clip(s * etaplus, *step_sizes)` where the gradient has the sign of the last one;
    `s = clip(s * etaminus, *step_sizes)` and `g = 0` where it has the other one; then `p = p - s * sign(g)`.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        lr: the size of the first step.
        etas: etaminus, between 0 and 1, and etaplus, above 1.
        step_sizes: the smallest and the largest step.
        maximize: climb instead of descend.
        foreach, capturable: accepted, and change nothing: there is one way to the step here.
        differentiable: record the step, so that gradients flow through it to the old parameters and rates.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = td.optim.Rprop([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.5, -1.5]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Rprop.html (Riedmiller and Braun, 1993)
    """

    state_names = ("step", "prev", "step_size")
    ranges = at_least_0("lr") | {
        "etas": (lambda etas: 0 < etas[0] < 1 < etas[1], "one number between 0 and 1, and one above 1"),
    }

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(params, options(locals()))

    def initial(self, name: str, group: Group) -> float:
        return float(group["lr"]) if name == "step_size" else 0.0

    def update(self, o: Group, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None:
        (down, up), (least, most) = o["etas"], o["step_sizes"]
        before, size = states
        turned = np.multiply(g, before, out=work) < 0
        np.clip(np.where(turned, size * down, np.where(work > 0, size * up, size)), least, most, out=size)
        before[...] = np.where(turned, 0.0, g)
        p -= np.multiply(np.sign(before, out=work), size, out=work)
