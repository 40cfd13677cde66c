"""Mini-batches of arrays, losses of samples that do not count alike, and a seed for the time of `fit`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np

from tinygrad_dl import nn, random
from tinygrad_dl.core.tensor import Tensor


class Batches:
    """Mini-batches of arrays, in a new order in each pass if a generator is given.

    A last batch of one sample goes to the batch before it: batch normalisation can't train on one.
    """

    def __init__(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        size: int,
        generator: np.random.Generator | None,
        weights: np.ndarray | None = None,
    ):
        self.inputs, self.targets, self.generator, self.weights = inputs, targets, generator, weights
        starts = list(range(0, len(inputs), size))
        if len(starts) > 1 and len(inputs) - starts[-1] == 1:
            starts.pop()
        self.bounds = list(zip(starts, [*starts[1:], len(inputs)], strict=True))

    def __len__(self) -> int:
        return len(self.bounds)

    def __iter__(self) -> Iterator[tuple[np.ndarray, Any]]:
        count = len(self.inputs)
        order = np.arange(count) if self.generator is None else self.generator.permutation(count)
        for start, end in self.bounds:
            rows = order[start:end]
            targets = self.targets[rows]
            yield self.inputs[rows], targets if self.weights is None else (targets, self.weights[rows])


class Weighted:
    """The mean of a loss over samples that do not count alike: the sum of weight times loss over the sum of weights.

    Args:
        loss: one of `nn` with the option `reduction`, or a function of (output, target) with a loss for each sample.
    """

    def __init__(self, loss: Any):
        self.loss = loss
        if isinstance(loss, nn.Module) and hasattr(loss, "reduction"):
            self.loss = deepcopy(loss)
            self.loss.reduction = "none"

    def __call__(self, output: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        values, weights = target
        losses = self.loss(output, values)
        if losses.ndim == 0 or len(losses) != len(weights):
            raise ValueError(
                f"got a loss of shape {tuple(losses.shape)} with sample_weight or class_weight, expected a value for "
                f"each of {len(weights)} samples; take a loss of td.nn, or one without a mean"
            )
        each = losses.reshape(len(weights), -1).mean(1)
        found: Tensor = (each * weights).sum() / weights.sum()
        return found


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """The library's generator started from a seed, and put back afterwards."""
    before = random.get_rng_state()
    random.manual_seed(seed)
    try:
        yield
    finally:
        random.set_rng_state(before)
