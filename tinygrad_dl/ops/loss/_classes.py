"""Targets that are classes: what fits an input, which examples count, and what weight each gives each class."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of, reduce, to_numpy, truth
from tinygrad_dl.ops.loss._reduction import require_floats


def class_axis(input: Any) -> int:
    """The dimension of the classes: 0 of (C,), else 1 of (N, C, ...)."""
    return 0 if input.ndim == 1 else 1


def check_targets(input: Any, target: Any, ignore_index: int, name: str) -> Any:
    """Raises if the classes do not fit the input; returns which examples count, None if all do."""
    if target.dtype.kind not in "iu":
        raise TypeError(
            f"{name}: expected class indices, which are integers, got a target of {target.dtype}{list(target.shape)} "
            f"for an input of shape {input.shape}; {_instead(input, target, name)}"
        )
    require_floats(name, input)
    if not input.ndim:
        raise ValueError(f"{name}: expected an input of shape (C,), (N, C) or (N, C, ...), got a 0-d one")
    expected = input.shape[:1] + input.shape[2:] if input.ndim > 1 else ()
    if target.shape != expected:
        raise ValueError(
            f"{name}: expected a target of shape {expected} for an input of shape {input.shape}, whose dimension "
            f"{class_axis(input)} are the classes, got {target.shape}"
        )
    count = input.shape[class_axis(input)]
    if not target.size:
        return None
    if target.dtype == np.int64:
        # A negative index, such as the usual ignore_index, is a huge one here.
        fine = truth(reduce(np.maximum, target.view(np.uint64)) < count)
        if fine and not 0 <= ignore_index < count:
            return None
    elif not 0 <= ignore_index < count and truth(target.min() >= 0) and truth(target.max() < count):
        return None
    counts = target != ignore_index
    wrong = counts & ((target < 0) | (target >= count))
    if truth(wrong.any()):
        position = tuple(int(i) for i in np.argwhere(to_numpy(wrong))[0])
        raise IndexError(
            f"{name}: got class {target[position]} at position {position} of the target, expected 0 to {count - 1} for "
            f"an input of shape {input.shape}, or ignore_index={ignore_index}"
        )
    return None if truth(counts.all()) else counts


def _instead(input: Any, target: Any, name: str) -> str:
    """What someone who gave a target of floats, of another shape than the input's, may have meant."""
    if target.ndim > input.ndim:
        return f"{name}(input, target): the logits come first, the classes second"
    if target.shape == input.shape:  # probabilities, which only cross_entropy takes
        return "cross_entropy takes class probabilities of the input's shape"
    if target.ndim == input.ndim and target.shape[-1:] == (1,):
        return "convert a column of classes with target.squeeze(-1).long()"
    return "convert classes with target.long(); class probabilities have the input's shape"


def places(target: Any, shape: tuple[int, ...]) -> Any:
    """The positions of each example's class in the flat input of this shape; target as (N, L)."""
    if len(shape) == 2:
        return module_of(target).arange(shape[0]) * shape[1] + target
    if len(shape) == 1:
        return target
    inner = math.prod(shape[2:])
    module = module_of(target)
    first = module.arange(shape[0])[:, None] * (shape[1] * inner) + module.arange(inner)
    return first.reshape(target.shape) + np.multiply(target, inner, dtype=np.int64)


def class_weights(weight: Any, input: Any, name: str) -> Any:
    """The weight of each class, shaped to broadcast against the input."""
    classes = (input.shape[class_axis(input)],)
    if weight.shape != classes:
        raise ValueError(f"{name}: expected a weight for each class, of shape {classes}, got {weight.shape}")
    return weight.reshape(-1, *(1,) * (input.ndim - 2)) if input.ndim > 1 else weight


def weights_of(target: Any, counts: Any, weight: Any, dtype: Any) -> Any:
    """The weight of each example: its class's, zero if it does not count."""
    safe = target if counts is None else np.where(counts, target, 0)
    found = (
        module_of(target).ones(target.shape, dtype) if weight is None else weight.take(safe).astype(dtype, copy=False)
    )
    return found if counts is None else np.where(counts, found, dtype.type(0)), safe


def spread_targets(shape: Any, safe: Any, weights: Any, weight: Any, smoothing: float, input: Any) -> Any:
    """q: what weight each example gives each class."""
    q = module_of(weights).zeros(shape, weights.dtype)
    q.reshape(-1)[places(safe, shape)] = weights * (1 - smoothing)
    if smoothing:
        each = np.expand_dims(weights != 0 if weight is None else np.ones_like(weights), class_axis(input))
        q += each * (
            smoothing / max(1, shape[class_axis(input)]) * (1 if weight is None else class_weights(weight, input, ""))
        )
    return q
