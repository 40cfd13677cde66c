"""The words in which ops say what they do with batches: for rules of `op.vmap`.

A rule gets its tensors one level down, with the batch as their first dimension where `batch.of` names them, and returns
such a tensor. `dim` and the like are still those of one example.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

# fmt: off
__all__ = [
    "Batch", "apart", "every", "flat", "folded", "in_last", "inner", "inner_dims", "scaled_channels", "side_by_side",
    "unfolded",
]
# fmt: on


class Batch(NamedTuple):
    """What a rule knows of the batch."""

    size: int
    of: frozenset[str]  # the arguments that have it
    level: Any  # the vmap that the rule is run for: what is lifted to others is as good as plain


def inner(dim: int, ndim: int) -> int:
    """A dimension of one example, of `ndim` dimensions, counted from the front of a batch of them."""
    if not -max(ndim, 1) <= dim < max(ndim, 1):
        raise IndexError(f"got dim={dim}, expected one from {-max(ndim, 1)} to {max(ndim, 1) - 1}")
    return dim % max(ndim, 1) + 1


def inner_dims(dim: Any, ndim: int) -> Any:
    """The same of one dimension or several."""
    if isinstance(dim, Sequence):
        return tuple([inner(each, ndim) for each in dim])
    return inner(int(dim), ndim)


def every(value: Any, name: str, batch: Batch) -> Any:
    """A tensor as a batch: repeated, without copying, if it is none yet."""
    if value is None or name in batch.of:
        return value
    shape = (batch.size, *np.shape(value))
    return np.broadcast_to(value, shape) if isinstance(value, np.ndarray | np.generic) else value.expand(*shape)


def folded(value: Any) -> Any:
    """A batch of batches as one: (B, N, ...) to (B * N, ...)."""
    return value.reshape((value.shape[0] * value.shape[1], *value.shape[2:]))


def unfolded(value: Any, size: int) -> Any:
    """What `folded` was undone: (B * N, ...) to (B, N, ...)."""
    count = value.shape[0] // size if size else 0
    return value.reshape(size, count, *value.shape[1:])


def flat(value: Any) -> Any:
    """A batch whose examples have one dimension: (B, ...) to (B, n)."""
    return value.reshape(value.shape[0], math.prod(value.shape[1:]))


def in_last(value: Any, ndim: int) -> Any:
    """A batch of vectors, (B, n), as it broadcasts against a batch of examples of `ndim` dimensions, (B, ..., n)."""
    return value.reshape(value.shape[0], *(1,) * (ndim - 1), value.shape[1])


def side_by_side(value: Any) -> Any:
    """The channels of all examples beside each other: (B, N, C, ...) to (N, B * C, ...)."""
    moved = value.movedim(0, 1)
    return moved.reshape(moved.shape[0], moved.shape[1] * moved.shape[2], *moved.shape[3:])


def apart(value: Any, size: int) -> Any:
    """What `side_by_side` was undone: (N, B * C, ...) to (B, N, C, ...)."""
    return value.reshape(value.shape[0], size, value.shape[1] // size, *value.shape[2:]).movedim(1, 0)


def scaled_channels(value: Any, weight: Any, bias: Any, batch: Batch) -> Any:
    """(B, N, C, ...) times a weight and plus a bias for each channel, (C,) or (B, C); each may be None."""
    for each, name in ((weight, "weight"), (bias, "bias")):
        if each is not None:
            shape = (each.shape[0] if name in batch.of else 1, 1, each.shape[-1], *(1,) * (value.ndim - 3))
            value = value * each.reshape(shape) if name == "weight" else value + each.reshape(shape)
    return value
