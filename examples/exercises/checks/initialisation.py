"""Checks of random initialisation: shapes, means, standard deviations, distributions, and the source of the numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from checker import Probe
from compare import Array, Difference

import tinygrad_dl as td
from checks.forward import Found

DIMS = (400, 100, 300)  # so large that a standard deviation is known to half a percent
Scale = Callable[[int, int], float]  # of a layer's inputs and outputs

SCALES: Mapping[str, Scale] = {
    "sqrt(2 / n[l-1])": lambda before, after: (2 / before) ** 0.5,
    "sqrt(1 / n[l-1])": lambda before, after: (1 / before) ** 0.5,
    "sqrt(2 / n[l])": lambda before, after: (2 / after) ** 0.5,
    "sqrt(1 / n[l])": lambda before, after: (1 / after) ** 0.5,
    "sqrt(2 / (n[l-1] + n[l]))": lambda before, after: (2 / (before + after)) ** 0.5,
    "2 / n[l-1], without the root": lambda before, after: 2 / before,
    "1 / n[l-1], without the root": lambda before, after: 1 / before,
    "sqrt(n[l-1] / 2)": lambda before, after: (before / 2) ** 0.5,
    "sqrt(n[l-1])": lambda before, after: before**0.5,
    "1, that of normal numbers that nothing scales": lambda before, after: 1.0,
    "0.01": lambda before, after: 0.01,
    "0.1": lambda before, after: 0.1,
    "sqrt(0.01)": lambda before, after: 0.1,
    "10": lambda before, after: 10.0,
}


def weights(probe: Probe, function: str, scale: str, **given: Any) -> Difference | None:
    result = probe.run(function, DIMS, np.random.default_rng(1), **given)
    if result.failure:
        return result.failure
    found = [passage["W"] for passage in result.passages]
    for layer, ((before, after), W) in enumerate(zip(pairwise(DIMS), found, strict=False), 1):
        wrong = probe.compare(f"W{layer}", np.shape(W), (after, before))
        if not isinstance(W, np.ndarray) or wrong:
            if W is None or W is ... or isinstance(W, (int, float, td.Tensor)):
                return probe.compare(f"W{layer}", W, np.zeros((after, before)))
            return Difference(
                5,
                f"W{layer} has the shape {np.shape(W)}, expected ({after}, {before}): n[l] rows, one for each unit of "
                "the layer, and n[l-1] columns, one for each input",
            )
        if np.ptp(W) == 0 or np.ptp(W, axis=0).max() == 0:
            return Difference(
                6,
                f"W{layer} is the same for all units, so all of them would learn the same: the random numbers are to "
                "break that symmetry",
            )
    again = probe.run(function, DIMS, np.random.default_rng(1), **given)
    other = probe.run(function, DIMS, np.random.default_rng(2), **given)
    if not np.array_equal(again["W"], found[-1]):
        return Difference(6, "W is another one with the same rng: take the random numbers from rng, not from np.random")
    if np.array_equal(other["W"], found[-1]):
        return Difference(6, "W is the same with another rng: take the random numbers from the argument rng")
    count = min(W.size for W in found)
    if np.corrcoef(found[0].ravel()[:count], found[-1].ravel()[:count])[0, 1] > 0.5:
        return Difference(6, "W has the same random numbers in each layer: make no new generator inside the loop")
    return distribution([np.asarray(W, float) for W in found], scale)


def distribution(found: list[Array], scale: str) -> Difference | None:
    """Whether the matrices hold normal numbers with mean 0 and the standard deviation of that name."""
    W = found[0]
    if abs(W.mean()) > 5 * W.std() / W.size**0.5:
        reason = "rng.random is uniform between 0 and 1; rng.standard_normal has mean 0" if W.min() >= 0 else "it is 0"
        return Difference(5, f"W1 has the mean {W.mean():.3g}, expected 0: {reason}")
    if np.mean((W / W.std()) ** 4) < 2.5:  # 3 for normal numbers, 1.8 for uniform ones
        return Difference(5, "W1 is uniform, expected normal numbers: rng.standard_normal(shape)")
    sizes = list(pairwise(DIMS))

    def fits(rule: Scale) -> bool:
        return all(abs(W.std() / rule(*size) - 1) < 0.03 for size, W in zip(sizes, found, strict=False))

    if fits(SCALES[scale]):
        return None
    layer, W, right = next(
        (layer, W, SCALES[scale](*size))
        for layer, (size, W) in enumerate(zip(sizes, found, strict=False), 1)
        if abs(W.std() / SCALES[scale](*size) - 1) >= 0.03
    )
    has = f"W{layer} has the standard deviation {W.std():.4g}"
    expected = f"expected {scale}" if scale == "0.01" else f"expected {scale} = {right:.4g}"
    for name, rule in SCALES.items():
        if fits(rule):
            return Difference(5, f"{has}, which is {name}; {expected}")
    return Difference(3, f"{has}, {expected}: {W.std() / right:.3g} times what it should be")


def check_random(probe: Probe) -> Found:
    yield weights(probe, "initialize_parameters_random", "0.01", b=0.0)


def check_he(probe: Probe) -> Found:
    yield weights(probe, "initialize_parameters_he", "sqrt(2 / n[l-1])")


def check_xavier(probe: Probe) -> Found:
    yield weights(probe, "initialize_parameters_xavier", "sqrt(1 / n[l-1])")


def check_biases(probe: Probe) -> Found:
    result = probe.run("initialize_parameters_random", (4, 3, 2), np.random.default_rng(1), W=0.0)
    for layer, (size, passage) in enumerate(zip((3, 2), result.passages, strict=False), 1):
        before = (4, 3)[layer - 1]
        yield probe.compare(
            f"b{layer}",
            passage["b"],
            np.zeros((size, 1)),
            slips={
                "has one dimension: b is a column, (n[l], 1), so that it is added to each column of W A": (
                    lambda size=size: np.zeros(size)
                ),
                "is a row, (1, n[l]): b is a column, so that it is added to each column of W A": lambda size=size: (
                    np.zeros((1, size))
                ),
                "has the size of the layer before, n[l-1]: a bias belongs to a unit of this layer, n[l]": (
                    lambda before=before: np.zeros((before, 1))
                ),
                "has the shape of W: there is one bias for each unit, (n[l], 1)": lambda size=size, before=before: (
                    np.zeros((size, before))
                ),
                "is 1, expected 0": lambda size=size: np.ones((size, 1)),
            },
        )
    if result.failure:
        yield result.failure
    elif np.shape(b := result.passages[0]["b"]) == (3, 1) and np.any(b != 0):
        yield Difference(4, "b1 is not 0: biases may start at 0, the random weights break the symmetry already")


CHECKS = {1: check_random, 2: check_biases, 3: check_he, 4: check_xavier}


def altogether(student: dict[str, Any]) -> str:
    """The size of the signal behind ten layers of ReLU, with each start."""
    dims = [200] * 11
    found = []
    for name in ("random", "he", "xavier"):
        parameters = student[f"initialize_parameters_{name}"](dims, np.random.default_rng(0))
        x = td.tensor(np.random.default_rng(1).standard_normal((200, 200)))
        for layer in range(1, len(dims)):
            x = td.relu(td.tensor(parameters[f"W{layer}"]) @ x + td.tensor(parameters[f"b{layer}"]))
        found.append(f"{name} {x.square().mean().sqrt().item():.2g}")
    return f"the size of the signal behind ten layers of 200 ReLUs, 1 at first: {', '.join(found)}"
