"""Running an op forwards and backwards, for the checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_dl import autograd
from tinygrad_dl.core.op import Op
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.testing.call import Call, label
from tinygrad_dl.testing.numeric import weighted_sum
from tinygrad_dl.testing.report import CheckError, Entry


class Tally:
    """What was seen over all examples of an op: a check that never applied is no check."""

    def __init__(self, op: Op):
        self.op = op
        self.inputs = 0  # how many were checked
        self.random = False
        self.looped = False  # whether a batch went through its examples one by one
        self.not_compiled = ""  # why no program can be made of a step with it
        self.compared: dict[str, int] = {}  # entries of the gradient that were compared, for each argument
        self.kinks: dict[str, int] = {}
        self.read: dict[str, bool] = {}  # whether a saved array's values mattered to the rules

    def count(self, entries: Sequence[Entry], call: Call) -> None:
        """Counts what was compared and what was set aside."""
        places = call.differentiable()
        for place, array in zip(places, call.arrays(places), strict=True):
            mine = [e for e in entries if e.name == label(place)]
            kinks = sum(e.kink for e in mine)
            compared = len(mine) - kinks if mine else array.size  # without entries: all at once, along a direction
            self.kinks[place[0]] = self.kinks.get(place[0], 0) + kinks
            self.compared[place[0]] = self.compared.get(place[0], 0) + compared


class Run:
    """One recorded run of a call: its leaves, results, and weights to start backward from."""

    def __init__(
        self,
        call: Call,
        tally: Tally,
        weights: Sequence[np.ndarray] | None = None,
        places: list[tuple[str, int | None]] | None = None,
    ):
        self.call = call
        values, self.leaves = call.wrapped(call.differentiable() if places is None else places)
        self.results = call.run(values, seeded=tally.random)
        self.weights = self.new_weights(0) if weights is None else list(weights)
        if self.leaves and not any(r.requires_grad for r in self.results):
            raise CheckError("no result requires a gradient, though arguments do")

    def new_weights(self, seed: int) -> list[np.ndarray]:
        """A random weight for every entry of every result."""
        rng = np.random.default_rng(seed)
        return [random_like(r._data, rng) for r in self.results]

    def gradients(self, weights: Sequence[np.ndarray] | None = None, **options: Any) -> list[np.ndarray]:
        """The gradients at the leaves, as arrays; the graph stays."""
        if not self.leaves:
            return []
        pairs = zip(self.results, self.weights if weights is None else weights, strict=True)
        starts = [(r, w) for r, w in pairs if r.requires_grad]
        roots, seeds = [r for r, _ in starts], [wrap(w) for _, w in starts]
        found = autograd.grad(roots, self.leaves, seeds, retain_graph=True, materialize_grads=True, **options)
        return [g._data for g in found]

    @property
    def node(self) -> Any:
        """The node that the run recorded."""
        edges: list[Any] = [r._edge for r in self.results]
        return next(edge.node for edge in edges if edge is not None)

    def rule_results(self, saved: Any = None) -> list[Any]:
        """What the rules return, before the engine makes it conform; optionally from other saved values."""
        node = self.node
        if node.plan.multiple:
            g: Any = [w if w.dtype.kind in "fc" else None for w in self.weights]
        else:
            g = self.weights[0]
        return list(node.plan.run(g, node.saved if saved is None else saved))


def weighted_result(call: Call, tally: Tally, weights: Sequence[np.ndarray]) -> tuple[float, float]:
    """The weighted sum of all entries of all results, and of their absolute values."""
    with np.errstate(all="ignore"):
        return weighted_sum([r._data for r in call.run(seeded=tally.random)], weights)


def random_like(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random numbers of the array's shape and floating dtype, none of them close to zero; else zeros."""
    if array.dtype.kind not in "fcV":
        return np.zeros(array.shape, array.dtype)
    drawn: Any = rng.uniform(0.25, 1.75, array.shape) * rng.choice([-1.0, 1.0], array.shape)
    if array.dtype.kind == "c":
        drawn = drawn + 1j * rng.uniform(0.25, 1.75, array.shape)
    return np.asarray(drawn, array.dtype)


def has_gradient(call: Call) -> bool:
    """Whether there is anything to differentiate in this call."""
    return call.op.records and bool(call.differentiable())


def coarseness(results: Sequence[Tensor]) -> tuple[float, float]:
    """Step and precision for differences; larger if the op rounds its result to a lower precision, as a cast does."""
    from tinygrad_dl.testing.numeric import EPS, STEP

    found = max((float(np.finfo(r.dtype).eps) for r in results if r.dtype.kind in "fc"), default=EPS)
    return (0.25, found) if found > EPS else (STEP, EPS)
