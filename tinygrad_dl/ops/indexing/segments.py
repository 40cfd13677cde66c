"""segment_reduce: neighbours along a dimension into one, as many as lengths say."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.promotion import is_floating
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.creation import full
from tinygrad_dl.ops.indexing.scatter_reduce import scatter_reduce
from tinygrad_dl.ops.pointwise.where import where

# For each name the name that `scatter_reduce` has for it, and what nothing is.
EMPTY = {
    "sum": ("sum", 0.0),
    "prod": ("prod", 1.0),
    "mean": ("sum", float("nan")),
    "max": ("amax", -float("inf")),
    "amax": ("amax", -float("inf")),
    "min": ("amin", float("inf")),
    "amin": ("amin", float("inf")),
}


@composition
def segment_reduce(
    data: Array,
    reduce: str,
    *,
    lengths: Any = None,
    indices: Any = None,
    offsets: Any = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: Any = None,
) -> Tensor:
    """Segments of `data` along `axis`, one after the other, each joined into one element.

    Args:
        data: floating, (..., n, ...), with n the size of `axis`.
        reduce: "sum", "mean", "prod", "max" or "min" ("amax", "amin"). Equal extreme elements share the gradient.
        lengths: how long each segment is, (..., s): its last dimension is `axis`, those in front are those of `data`.
        offsets: instead of them where each segment begins and the last one ends, (..., s + 1).
        axis: the dimension.
        unsafe: whether the lengths need not add up to n.
        initial: what each segment is joined with; without it a segment of nothing is 0, nan, 1, -inf or inf.

    Returns:
        (..., s, ...).

    Raises:
        ValueError: another `reduce`, neither lengths nor offsets, or ones that do not fit. TypeError: no floating data.

    >>> td.segment_reduce(td.tensor([1.0, 2.0, 3.0]), "sum", lengths=td.tensor([1, 2]))
    tensor([1., 5.])
    """
    if reduce not in EMPTY:
        raise ValueError(f"segment_reduce: got reduce={reduce!r}, expected one of {', '.join(map(repr, EMPTY))}")
    if not is_floating(data.dtype):
        raise TypeError(f"segment_reduce: got data of dtype {data.dtype}, expected a floating one; use data.float()")
    if (lengths is None) == (offsets is None) or indices is not None:
        raise ValueError("segment_reduce: expected one of lengths and offsets, and no indices")
    axis = axis + data.ndim if axis < 0 else axis
    ends = _ends(data.shape, axis, lengths, offsets, unsafe)
    count, size = ends.shape[-1] - 1, data.shape[axis]
    # The segment of each place; count for those that are in none.
    of = np.array([np.searchsorted(row, np.arange(size), "right") - 1 for row in ends.reshape(-1, count + 1)], np.int64)
    of = np.where((of < 0) | (of >= count), count, of).reshape(*ends.shape[:-1], size)
    name, nothing = EMPTY[reduce]
    shape = (*data.shape[:axis], count + 1, *data.shape[axis + 1 :])
    extreme = name in ("amax", "amin")
    start = (0.0 if reduce == "mean" else nothing) if initial is None or extreme else initial
    found = full(shape, float(start), dtype=data.dtype)
    if size:
        wide = np.broadcast_to(of.reshape(of.shape + (1,) * (data.ndim - axis - 1)), data.shape)
        found = scatter_reduce(found, axis, wrap(np.array(wide)), data, name, include_self=True)
    found = found.narrow(axis, 0, count)
    if extreme and initial is not None:  # as large as an element, it has no part in the gradient
        kept: Tensor = where(found >= initial if name == "amax" else found <= initial, found, initial)
        return kept
    if reduce != "mean":
        return found
    many = np.diff(ends).reshape(*ends.shape[:-1], count, *(1,) * (data.ndim - axis - 1)).astype(data.dtype)
    empty = np.where(many == 0, nothing if initial is None else 1.0, many).astype(data.dtype)
    return found / empty


def _ends(shape: tuple[int, ...], axis: int, lengths: Any, offsets: Any, unsafe: bool) -> np.ndarray:
    """Where each segment begins, and the last one ends: (..., s + 1)."""
    given = as_array(offsets if lengths is None else lengths)
    what = "offsets" if lengths is None else "lengths"
    if given.dtype.kind not in "iu":
        raise TypeError(f"segment_reduce: got {what} of dtype {given.dtype}, expected integers")
    if given.ndim != axis + 1 or given.shape[:-1] != shape[:axis]:
        raise ValueError(
            f"segment_reduce: got {what} of shape {given.shape} for data of shape {shape} and axis {axis}, expected "
            f"shape {(*shape[:axis], 's')}"
        )
    if lengths is None:
        return given
    if (given < 0).any() or (not unsafe and (given.sum(-1) != shape[axis]).any()):
        raise ValueError(
            f"segment_reduce: got lengths {given.tolist()}, expected numbers of 0 or more that add up to {shape[axis]}"
        )
    return np.concatenate([np.zeros((*given.shape[:-1], 1), given.dtype), np.cumsum(given, -1)], -1)
