"""Losses of classes inside of vmap: a batch of examples, of which each may be a batch itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.batching import Batch, every, folded, unfolded
from tinygrad_dl.core.transforms import is_known, values_of
from tinygrad_dl.ops.pointwise._selection import keep


def batch_axis(x: Any) -> int:
    """The dimension of the classes in a batch of inputs."""
    return 1 if x.ndim == 2 else 2


def weights_of_examples(weight: Any, x: Any) -> Any:
    """Weights of the classes that differ between examples, (B, C), as they broadcast against a batch of inputs."""
    axis = batch_axis(x)
    return weight.reshape(weight.shape[0], *(1,) * (axis - 1), weight.shape[1], *(1,) * (x.ndim - axis - 1))


def losses_of_classes(
    losses: Any,
    input: Any,
    target: Any,
    weight: Any,
    ignore_index: int,
    reduction: str,
    batch: Batch,
    smoothing: float = 0.0,
    smooth: Any = None,
) -> Any:
    """Losses of classes of a batch of examples, of which each may be a batch itself, reduced for each example.

    Args:
        losses: the loss of each element, with the weights if these are the same for all examples.
        smoothing, smooth: of weights that differ, the share of all classes in the loss, and what they come to.
    """
    x, t = every(input, "input", batch), every(target, "target", batch)
    found = losses(x, t) if t.ndim == 1 else unfolded(losses(folded(x), folded(t)), batch.size)
    counts = np.not_equal(t, ignore_index)
    if weight is not None:
        places = np.where(counts, t, 0)
        if "weight" in batch.of:
            first = np.arange(batch.size).reshape(batch.size, *(1,) * (t.ndim - 1)) * weight.shape[1]
            each = weight.reshape(-1)[places + first]
            found = keep(found * each, np.not_equal(values_of(each), 0))
            if smoothing:
                whole = smooth(x) * (smoothing / max(1, weight.shape[1]))
                found = found * (1 - smoothing) + np.where(counts, whole, module_of(whole).zeros((), whole.dtype))
        else:
            each = weight[places]
        counts = np.where(counts, each, module_of(found).zeros((), found.dtype))
    if reduction == "none":
        return found
    total = found.sum(tuple(range(1, found.ndim))) if found.ndim > 1 else found
    if reduction == "sum":
        return total
    if weight is None and is_known(counts) and counts.all():
        return total if found.ndim == 1 else total / (found.numel() // max(1, batch.size))
    return total / (counts.sum(tuple(range(1, counts.ndim))) if counts.ndim > 1 else counts).to(found.dtype)
