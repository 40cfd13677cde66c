"""L-BFGS: Newton's steps with a Hessian that the last gradients say."""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.backends.arrays import contiguous, module_of
from tinygrad_dl.core import promotion
from tinygrad_dl.core.mutations import mutations
from tinygrad_dl.core.tensor import as_array, wrap
from tinygrad_dl.optim.optimizer import Optimizer
from tinygrad_dl.optim.options import at_least_0, exact, numbers, options

Array = np.ndarray


class Point(NamedTuple):
    """A point on the line that is searched: how far along the direction, the loss, its gradient, and its slope."""

    t: float
    loss: float
    gradient: Array
    slope: float


class LBFGS(Optimizer):
    """L-BFGS: goes along the gradient times an approximate inverse of the Hessian.

    It is known by the last pairs `y = g - g_before`, `s = p - p_before`: the direction `d = -H g` takes two passes
    over them. Each step makes up to `max_iter` iterations `p = p + t * d`, and calls the closure for each.

    Args:
        params: tensors, or (name, tensor) pairs; one group.
        lr: t, the size of a step along d, or the first one that a line search tries.
        max_iter: how many iterations a step makes at most.
        max_eval: how often it calls the closure at most; None: `max_iter * 5 // 4`.
        tolerance_grad: stop where no element of the gradient is larger.
        tolerance_change: stop where neither the parameters nor the loss change by more.
        history_size: how many pairs are kept.
        line_search_fn: None: all steps are of size `lr`; "strong_wolfe": search for a t after which the loss is
            lower by 1e-4 of what the slope promised, and the slope is less than 0.9 of what it was.

    Raises:
        ValueError: several groups, or an option out of its range.

    >>> w = td.tensor([-1.0, 1.0], dtype=td.float64, requires_grad=True)
    >>> optimizer = td.optim.LBFGS([w], line_search_fn="strong_wolfe", max_iter=50)
    >>> def rosenbrock():
    ...     optimizer.zero_grad()
    ...     loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(rosenbrock).item()
    4.0
    >>> w
    tensor([1.0000, 1.0000], dtype=float64, requires_grad=True)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.LBFGS.html (Liu and Nocedal, 1989; Nocedal and
    Wright, Numerical Optimization, chapters 3.5 and 7.2)
    """

    ranges = at_least_0("lr") | {
        "line_search_fn": (lambda value: value in (None, "strong_wolfe"), "None or 'strong_wolfe'"),
    }

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ):
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        super().__init__(params, options(locals()))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        if self.param_groups:
            raise ValueError("LBFGS: got several parameter groups, expected one; it moves all parameters together")
        super().add_param_group(param_group)

    def _gradient(self) -> Array:
        """The gradients of all parameters in one vector; complex ones as pairs. 0 where there is none."""
        parts = []
        for p in self.param_groups[0]["params"]:
            grad = module_of(p).zeros(p.shape, p.dtype) if p.grad is None else contiguous(p.grad._data)
            parts.append(grad.reshape(-1).view(grad.real.dtype))
        flat: Array = np.concatenate(parts)
        return flat.astype(np.float32) if flat.dtype.itemsize < 4 else flat

    def _move(self, values: list[Array], change: Array) -> None:
        """Sets the parameters to `values` and parts of a vector of changes."""
        start = 0
        for p, value in zip(self.param_groups[0]["params"], values, strict=True):
            stop = start + value.size * (2 if promotion.category(p.dtype) == 3 else 1)
            part = change[start:stop].astype(value.real.dtype, copy=False).view(p.dtype)
            np.add(value, part.reshape(value.shape), out=p._data)
            mutations.record(p._data, "LBFGS.step()")
            start = stop

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Makes up to `max_iter` iterations.

        Args:
            closure: clears the gradients, computes the loss, calls backward and returns the loss.

        Returns:
            What the closure returned first.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.LBFGS.html#torch.optim.LBFGS.step
        """
        o = numbers(self.param_groups[0])
        lr = exact(o["lr"])
        state = self.state[o["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first = self._loss(closure)
        loss, gradient, calls = float(first), self._gradient(), 1
        state["func_evals"] += 1
        if largest(gradient) <= o["tolerance_grad"]:
            return first
        memory = Memory(state)
        for iteration in range(1, o["max_iter"] + 1):
            state["n_iter"] += 1
            again = state["n_iter"] > 1
            if again:
                memory.learn(gradient, o["history_size"])
            d = memory.direction(gradient)
            t = lr if again else lr / max(1.0, np.abs(gradient).sum().item())
            memory.d, memory.t, memory.gradient, before = d, t, gradient, loss
            slope = (gradient @ d).item()
            if slope > -o["tolerance_change"]:
                break
            made = 0
            here = [p._data.copy() for p in o["params"]]
            if o["line_search_fn"] is not None:

                def evaluate(t: float, here: list[Array] = here, d: Array = d) -> Point:
                    self._move(here, t * d)
                    loss, gradient = float(self._loss(closure)), self._gradient()
                    return Point(t, loss, gradient, (gradient @ d).item())

                start = Point(0.0, loss, gradient, slope)
                reach = largest(d)
                end, made = strong_wolfe(evaluate, start, t, reach, o["tolerance_change"], o["max_eval"] - calls)
                memory.t, loss, gradient = end.t, end.loss, end.gradient
            self._move(here, memory.t * d)
            if o["line_search_fn"] is None and iteration < o["max_iter"]:
                loss, gradient, made = float(self._loss(closure)), self._gradient(), 1
            calls += made
            state["func_evals"] += made
            if calls >= o["max_eval"] or largest(gradient) <= o["tolerance_grad"]:
                break
            if largest(d * memory.t) <= o["tolerance_change"] or abs(loss - before) < o["tolerance_change"]:
                break
        memory.store(state, before, o["history_size"])
        return first


class Memory:
    """What L-BFGS knows of the Hessian; in an optimiser's state by PyTorch's names."""

    def __init__(self, state: dict[str, Any]):
        self.changes, self.moves = ([as_array(each) for each in state.get(k) or ()] for k in ("old_dirs", "old_stps"))
        self.ratios = [float(each) for each in state.get("ro") or ()]
        self.shares: list[float] = []  # of each pair, in the last direction
        self.scale = float(state.get("H_diag") or 1.0)
        self.t = float(state.get("t") or 0.0)
        self.d: Array = as_array(state.get("d", 0.0))
        self.gradient: Array = as_array(state.get("prev_flat_grad", 0.0))

    def learn(self, gradient: Array, size: int) -> None:
        """Takes in the pair of the last step, if the loss curves upwards along it; `size` pairs are kept."""
        change: Array = gradient - self.gradient
        move: Array = self.d * self.t
        curvature = (change @ move).item()
        if curvature > 1e-10:
            self.changes.append(change)
            self.moves.append(move)
            self.ratios.append(1.0 / curvature)
            for kept in (self.changes, self.moves, self.ratios):
                del kept[:-size]
            self.scale = curvature / (change @ change).item()

    def direction(self, gradient: Array) -> Array:
        """-H g, by two passes over the pairs."""
        d: Array = -gradient
        shares: list[float] = []
        for change, move, ratio in list(zip(self.changes, self.moves, self.ratios, strict=True))[::-1]:
            shares.append((move @ d).item() * ratio)
            d -= shares[-1] * change
        self.shares = shares[::-1]
        d *= self.scale
        for change, move, ratio, share in zip(self.changes, self.moves, self.ratios, self.shares, strict=True):
            d += (share - (change @ d).item() * ratio) * move
        return d

    def store(self, state: dict[str, Any], loss: float, size: int) -> None:
        """Puts it into an optimiser's state."""
        if state["n_iter"] > 1:
            shares = [wrap(np.array(each, self.d.dtype)) for each in self.shares]
            state["al"] = [*shares, *[None] * (size - len(shares))]
        state.update(
            d=wrap(self.d),
            t=self.t,
            old_dirs=[wrap(each) for each in self.changes],
            old_stps=[wrap(each) for each in self.moves],
            ro=[wrap(np.array(each, self.d.dtype)) for each in self.ratios],
            H_diag=wrap(np.array(self.scale, self.d.dtype)),
            prev_flat_grad=wrap(self.gradient),
            prev_loss=loss,
        )


def largest(x: Array) -> float:
    """The largest absolute value; 0 of no elements."""
    return np.abs(x).max().item() if x.size else 0.0


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, t: float, reach: float, tolerance: float, limit: int
) -> tuple[Point, int]:
    """A point along a direction that fulfils Wolfe's strong conditions, and how many were evaluated.

    First the steps grow until a minimum lies between two points; then these come closer.

    Args:
        evaluate: gives the point at t.
        start: the point at 0.
        t: the first step to try.
        reach: how far the direction's largest element goes for t = 1.
        tolerance: the points are close enough where no parameter differs by more.
        limit: how many further points are evaluated at most.
    """

    def low_enough(point: Point) -> bool:
        return not point.loss > start.loss + 1e-4 * point.t * start.slope

    def flat_enough(point: Point) -> bool:
        return abs(point.slope) <= -0.9 * start.slope

    before, new = start, evaluate(t)
    ends = [start, new]
    count = 0
    while count < limit:
        if not low_enough(new) or (count > 1 and new.loss >= before.loss):
            ends = [before, new]
            break
        if flat_enough(new):
            return new, count + 1
        if new.slope >= 0:
            ends = [before, new]
            break
        further = new.t + 0.01 * (new.t - before.t), new.t * 10
        before, new = new, evaluate(cubic_minimum(before, new, *further))
        ends = [start, new]
        count += 1
    low, high = (0, 1) if ends[0].loss <= ends[1].loss else (1, 0)
    stuck = False
    while count < limit and abs(ends[1].t - ends[0].t) * reach >= tolerance:
        left, right = sorted((ends[0].t, ends[1].t))
        t = cubic_minimum(ends[0], ends[1], left, right)
        margin = 0.1 * (right - left)
        close = min(right - t, t - left) < margin
        if close and (stuck or not left < t < right):
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            close = False
        stuck = close
        new = evaluate(t)
        count += 1
        if not low_enough(new) or new.loss >= ends[low].loss:
            ends[high] = new
            low, high = (0, 1) if ends[0].loss <= ends[1].loss else (1, 0)
            continue
        if flat_enough(new):
            return new, count + 1
        if new.slope * (ends[high].t - ends[low].t) >= 0:
            ends[high] = ends[low]
        ends[low] = new
    return ends[low], count + 1


def cubic_minimum(a: Point, b: Point, least: float, most: float) -> float:
    """Where the cubic through two points, with their slopes, is lowest; within bounds."""
    a, b = (a, b) if a.t <= b.t else (b, a)
    if a.t == b.t:
        return (least + most) / 2
    middle = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = middle**2 - a.slope * b.slope
    if not square >= 0:
        return (least + most) / 2
    root = math.sqrt(square)
    below = b.slope - a.slope + 2 * root
    if below == 0:
        return (least + most) / 2
    return min(max(b.t - (b.t - a.t) * (b.slope + root - middle) / below, least), most)
