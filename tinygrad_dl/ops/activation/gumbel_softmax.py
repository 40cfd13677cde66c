"""Samples of categories that have a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn
from tinygrad_dl.ops.activation.softmax import softmax
from tinygrad_dl.random import Generator, beside, converted, draw


def _numbers(rng: np.random.Generator, shape: Any) -> Any:
    return rng.gumbel(size=shape)


@composition
def gumbel_softmax(
    logits: Array,
    tau: float = 1,
    hard: bool = False,
    eps: float = 1e-10,
    dim: int = -1,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """softmax((logits + g) / tau) along a dimension, with g from the standard Gumbel distribution.

    Its largest element is at a place drawn with the probabilities softmax(logits).

    Args:
        logits: logarithms of probabilities, which need not sum to 1.
        tau: the temperature: the lower, the nearer the result is to a one at that place and zeros elsewhere.
        hard: give exactly that one and zeros, with the gradient of the soft sample.
        eps: has no effect.
        generator: where the random numbers come from; by default those that `td.manual_seed` seeds.

    Raises:
        TypeError: the logits are not floating.

    >>> td.nn.functional.gumbel_softmax(td.zeros(5, 3), hard=True).sum(-1)
    tensor([1., 1., 1., 1., 1.])

    Source: https://arxiv.org/abs/1611.01144
    """
    if eps != 1e-10:
        warn("gumbel_softmax: eps has no effect")
    if logits.dtype.kind not in "fV":
        raise TypeError(f"gumbel_softmax: expected floating logits, got {logits.dtype}; convert them with .float()")
    noise = converted(beside(draw(_numbers, logits.shape, generator), logits), logits.dtype)
    soft: Any = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft  # type: ignore[no-any-return]
    value = soft.detach()
    place = value.argmax(dim, True)
    one = value.new_zeros(value.shape).scatter(dim, place, value.new_ones(place.shape))
    return one - value + soft  # type: ignore[no-any-return]
