"""Choosing between arrays by a mask, and what rules of functions of straight pieces need."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand
from tinygrad_dl.core.batching import every
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor, as_array
from tinygrad_dl.core.transforms import is_known, values_of
from tinygrad_dl.inputs import real

BITS = {2: np.int16, 4: np.int32, 8: np.int64}
LARGE = 4096


def select(condition: np.ndarray, yes: Any, no: Any) -> Any:
    """np.where for arrays of one dtype; large ones by their bits, ten times faster.

    np.where takes a branch for each element, and mispredicts every second one under a random mask.
    """
    bits = BITS.get(yes.dtype.itemsize) if type(condition) is np.ndarray else None
    if max(condition.size, no.size) >= LARGE and bits is not None and yes.dtype is no.dtype and yes.dtype.kind == "f":
        mask = np.negative(condition.view(np.int8)).astype(bits)  # all bits set, or none
        low = no.view(bits)
        differ = yes.view(bits) ^ low
        if mask.shape == differ.shape:
            mask &= differ
        else:
            mask = mask & differ
        mask ^= low
        return mask.view(yes.dtype)
    return np.where(condition, yes, no)


def keep(g: Any, condition: Any) -> Any:
    """where(condition, g, 0); rules that select do it so, exactly, as 0 times an infinity is nan."""
    if type(g) is np.ndarray and type(condition) is np.ndarray and condition.size >= LARGE:
        bits = BITS.get(g.dtype.itemsize)
        if bits is not None and g.shape == condition.shape and g.dtype.kind == "f":
            mask = condition.astype(bits)  # 0 or 1: times the bits of g, an exact selection
            mask *= g.view(bits)
            return mask.view(g.dtype)
    return np.where(condition, g, 0.0)


def finite(x: Any) -> bool:
    """Whether all elements are numbers. If it says no, a sum may have overflowed."""
    return is_known(x) and at_hand(x) and bool(np.isfinite(np.add.reduce(as_array(x), None)))


def unspoilt(product: Any, factor: Any) -> Any:
    """`product`, of a factor and something else: where the factor is 0 and the product no number, it is 0.

    A zero of that kind leaves out: an example that does not count, a key that may not be seen. What is finite stays
    as it is, with its own gradient, which a factor of 0 may have as well as any other.
    """
    fine = np.isfinite(values_of(product))
    if is_known(fine) and at_hand(fine) and fine.all():
        return product
    return keep(product, np.logical_or(fine, np.not_equal(values_of(factor), 0)))


@op(
    promote=False,
    kind="elementwise",
    namespace="rules",
    inputs=[{"input": real(shape="... n"), "other": real(shape="... n")}],
    reference=lambda input, other: np.array(input),
)
def beside(input: Array, other: Array) -> Array:
    """`input`, which changes with `other` as well, by 0: the slope of a function of straight pieces."""
    return input.copy()


beside.vjp(input=lambda g: g, other=lambda g, other: np.zeros_like(other))
beside.vmap(lambda input, other, batch: beside(every(input, "input", batch), every(other, "other", batch)))


def straight(g: Any, input: Any) -> Any:
    """g; of a function of straight pieces, whose own gradient with respect to the input is 0 and not absent.

    `backward` then gives the tensors that the input came from zeros, as PyTorch does, and no None: optimisers
    skip a parameter whose gradient is None, but decay one whose gradient is 0.
    """
    return beside(g, input) if isinstance(input, Tensor) else g
