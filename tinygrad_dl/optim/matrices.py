"""Muon and Adafactor: rules that see a parameter as a matrix, so that each parameter is stepped by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core import promotion
from tinygrad_dl.core.dtypes import finfo
from tinygrad_dl.core.mutations import mutations
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.optim.optimizer import Optimizer
from tinygrad_dl.optim.options import Group, at_least_0, numbers, options

Array = np.ndarray


class MatrixOptimizer(Optimizer):
    """An optimiser whose rule sees whole parameters. A subclass says what its state is, and `update`."""

    def shapes(self, p: Tensor) -> dict[str, tuple[int, ...]]:
        """The state arrays of a parameter, which are 0 at first."""
        raise NotImplementedError

    def update(self, o: Group, g: Array, p: Array, *states: Array) -> Array:
        """The rule: changes the states in place, and returns the new parameter.

        Args:
            o: the options as numbers; "precision", that of the parameter's dtype; and "step", the number of this
                step, from 1, if the state has it.
            g: the gradient, with the sign of `maximize`.
            p: the parameter.
            states: the state arrays, in the order of `shapes`. Half precision comes as float32.
        """
        raise NotImplementedError

    def _state_shape(self, p: Tensor, key: str) -> tuple[int, ...]:
        return self.shapes(p).get(key, ())

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Changes every parameter that has a gradient.

        Args:
            closure: clears the gradients, computes the loss again, calls backward and returns the loss.

        Returns:
            What the closure returned; None without one.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.step.html
        """
        loss = self._loss(closure)
        for group in self.param_groups:
            o = numbers(group)
            for p in group["params"]:
                if p.grad is not None:
                    self._step_one(o, p, p.grad)
        return loss

    def _step_one(self, o: Group, p: Tensor, grad: Tensor) -> None:
        name = type(self).__name__
        if promotion.category(p.dtype) == 3:
            raise RuntimeError(f"{name}.step: got a parameter of {p.dtype}, expected real numbers; use Adam")
        if grad.shape != p.shape:
            raise RuntimeError(
                f"{name}.step: got a gradient of shape {grad.shape} for a parameter of shape {p.shape}, expected the "
                "same shape; set .grad to None, or to a tensor of the parameter's shape"
            )
        entry, o = self.state[p], {**o, "precision": finfo(p.dtype).eps}
        if "step" in (self.state_names or ()):
            count = entry.get("step")
            if not isinstance(count, Tensor):
                count = entry["step"] = wrap(np.array(0.0 if count is None else count, np.float32))
            o["step"] = float(count) + 1
            count._data[...] = o["step"]
        for key, shape in self.shapes(p).items():
            if entry.get(key) is None:
                entry[key] = wrap(module_of(p).zeros(shape, p.dtype))
        kept = [as_array(entry[key]) for key in self.shapes(p)]
        g, old, *states = (wide(each) for each in (grad._data, p._data, *kept))
        p._data[...] = self.update(o, -g if o.get("maximize") else g, old, *states)
        mutations.record(p._data, f"{name}.step()")
        for array, state in zip(kept, states, strict=True):
            if array is not state:
                array[...] = state


def wide(array: Array) -> Array:
    """Half precision as float32, the rest as it is."""
    return array.astype(np.float32) if array.dtype.itemsize < 4 else array


def rms(array: Array) -> float:
    """The root of the mean square; nan of an empty array."""
    return np.linalg.norm(array).item() / math.sqrt(array.size) if array.size else math.nan


class Adafactor(MatrixOptimizer):
    """Adam's division by the mean square, of which of matrices only the means over rows and columns are kept.

    With `b = t**beta2_decay`: `R = R + b * (mean(g**2 over the last dim) - R)`, C likewise over the dim before it, and
    `V = R @ C / max(mean(R over its rows), eps1)`; of vectors `V = V + b * (g**2 - V)`. Then
    `u = g / max(sqrt(V), eps1)` and `p = p * (1 - lr * weight_decay) - a * u / max(1, rms(u) / d)` with
    `a = max(eps2, rms(p)) * min(lr, 1 / sqrt(t))` in step t.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        lr: the largest relative step, and the rate of weight decay.
        beta2_decay: the power with which the newest gradient's share falls; 0 or less.
        eps: eps1 (None: that of the parameter's dtype) and eps2.
        d: how large a step's root mean square may be, 1 or more.
        weight_decay: shrinks the parameters, `p = p * (1 - lr * weight_decay)`.
        foreach: accepted, and changes nothing: there is one way to the step here.
        maximize: climb instead of descend.

    >>> w = td.tensor([[1.0, -2.0], [3.0, 4.0]], requires_grad=True)
    >>> optimizer = td.optim.Adafactor([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> {name: tuple(state.shape) for name, state in optimizer.state[w].items()}
    {'step': (), 'row_var': (2, 1), 'col_var': (1, 2)}

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adafactor.html (Shazeer and Stern, 2018)
    """

    state_names = ("step", "row_var", "col_var", "variance")
    ranges = at_least_0("lr", "weight_decay") | {
        "beta2_decay": (lambda value: value <= 0, "a number of 0 or less"),
        "eps": (lambda eps: (eps[0] is None or eps[0] >= 0) and eps[1] >= 0, "two numbers of 0 or more, or None first"),
        "d": (lambda value: value >= 1, "a number of 1 or more"),
    }

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ):
        super().__init__(params, options(locals()))

    def shapes(self, p: Tensor) -> dict[str, tuple[int, ...]]:
        shape = p.shape
        if len(shape) < 2:
            return {"variance": shape}
        return {"row_var": (*shape[:-1], 1), "col_var": (*shape[:-2], 1, shape[-1])}

    def update(self, o: Group, g: Array, p: Array, *states: Array) -> Array:
        eps1, eps2 = o["eps"]
        eps1 = o["precision"] if eps1 is None else eps1
        if not p.size:
            return p  # it has no means
        share = o["step"] ** o["beta2_decay"]
        size = max(eps2, rms(p)) * min(o["lr"], 1 / math.sqrt(o["step"]))
        square = g * g
        if len(states) == 2:
            rows, columns = states
            rows += share * (square.mean(-1, keepdims=True) - rows)
            columns += share * (square.mean(-2, keepdims=True) - columns)
            variance = rows @ columns / np.maximum(rows.mean(-2, keepdims=True), eps1)
        else:
            (variance,) = states
            variance += share * (square - variance)
        change = g / np.sqrt(np.maximum(variance, eps1 * eps1))
        new: Array = p * (1 - o["lr"] * o["weight_decay"]) - size / max(1.0, rms(change) / o["d"]) * change
        return new


class Muon(MatrixOptimizer):
    """Momentum whose change of each matrix is made orthogonal, nearly: all its directions get the same step.

    `b = b + (1 - momentum) * (g - b)`, `u = g + momentum * (b - g)` with Nesterov's momentum, else `u = b`. Then
    `x = u / max(|u|, eps)`, `x = a x + (b y + c y**2) x` with `y = x x^T`, ns_steps times (a Newton-Schulz iteration
    towards `u (u^T u)**-0.5`), and `p = p * (1 - lr * weight_decay) - lr * f * x`. Its work is a few products of
    matrices for each. For 2-d parameters of hidden layers; step the others with `AdamW`.

    Args:
        params: 2-d tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        lr: the learning rate.
        weight_decay: shrinks the parameters, `p = p * (1 - lr * weight_decay)`.
        momentum: how much of the buffer is kept at each step.
        nesterov: use Nesterov's momentum.
        ns_coefficients: a, b and c.
        eps: keeps the divisor from zero.
        ns_steps: how many iterations, below 100.
        adjust_lr_fn: f by the shape (m, n): "original" or None: `sqrt(max(1, m / n))`; "match_rms_adamw":
            `0.2 * sqrt(max(m, n))`.

    Raises:
        ValueError: a parameter is not 2-d, or an option is out of its range.

    The iteration works in the dtype of the parameter (half precision: float32); PyTorch's works in bfloat16.

    >>> w = td.tensor([[1.0, 0.0], [0.0, 2.0]], requires_grad=True)
    >>> optimizer = td.optim.Muon([w], lr=0.1, weight_decay=0.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> [[round(x, 1) for x in row] for row in w.tolist()]
    [[0.9, 0.0], [0.0, 1.9]]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Muon.html (Jordan, 2024; Liu et al., 2025)
    """

    state_names = ("momentum_buffer",)
    ranges = at_least_0("lr", "weight_decay", "momentum") | {
        "ns_coefficients": (lambda value: len(value) == 3, "three numbers"),
        "ns_steps": (lambda value: 0 <= value < 100, "a number from 0 to 99"),
        "adjust_lr_fn": (
            lambda value: value in (None, "original", "match_rms_adamw"),
            "None, 'original' or 'match_rms_adamw'",
        ),
    }

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ):
        super().__init__(params, options(locals()))

    def _check_options(self, group: Group) -> None:
        super()._check_options(group)
        for position, p in enumerate(group["params"]):
            if p.ndim != 2:
                raise ValueError(
                    f"Muon: parameter {position} of a group: got shape {p.shape}, expected two dimensions; step the "
                    "others with AdamW"
                )

    def shapes(self, p: Tensor) -> dict[str, tuple[int, ...]]:
        return {"momentum_buffer": p.shape}

    def update(self, o: Group, g: Array, p: Array, *states: Array) -> Array:
        (buffer,) = states
        momentum, lr = o["momentum"], o["lr"]
        buffer += (1 - momentum) * (g - buffer)
        change = orthogonal(g + momentum * (buffer - g) if o["nesterov"] else buffer, o)
        m, n = p.shape
        factor = math.sqrt(max(1, m / n)) if n else 1.0
        if o["adjust_lr_fn"] == "match_rms_adamw":
            factor = 0.2 * math.sqrt(max(m, n))
        new: Array = p * (1 - lr * o["weight_decay"]) - lr * factor * change
        return new


def orthogonal(x: Array, o: Group) -> Array:
    """A matrix with the singular vectors of x and singular values near 1: Newton and Schulz's iteration."""
    a, b, c = o["ns_coefficients"]
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / max(np.linalg.norm(x).item(), o["eps"])
    for _ in range(o["ns_steps"]):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x
