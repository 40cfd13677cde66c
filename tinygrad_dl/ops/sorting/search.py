"""Binary search in sorted sequences: searchsorted and bucketize."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.promotion import INT32, INT64, in_single
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.ops.indexing.gather import take_along_dim
from tinygrad_dl.ops.sorting._places import places_in


@composition
def searchsorted(
    sorted_sequence: Any,
    input: Array,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Tensor:
    """Where the elements of `input` would be put in to keep the last dimension of `sorted_sequence` in order.

    Before equal elements, or with `right=True` behind them. With several dimensions, row by row.

    Args:
        sorted_sequence: of shape (..., n), in order along the last dimension, or as `sorter` puts it.
        input: of shape (..., m); of any shape if the sequence has one dimension. A number gives a 0-d result.
        out_int32: the result has dtype int32 in place of int64.
        right: behind equal elements.
        side: "left" or "right", another way to say `right`.
        sorter: indices of dtype int64 that put `sorted_sequence` in order, such as those that `argsort` gives.

    Raises:
        ValueError: the shapes, or `side` and `right`, do not fit each other.
        RuntimeError: `sorter` has another shape or dtype, or indices out of range.

    >>> td.searchsorted(td.tensor([1, 3, 5]), td.tensor([0, 3, 9]))
    tensor([0, 1, 3])
    >>> td.searchsorted(td.tensor([5, 1, 3]), td.tensor([0, 3, 9]), sorter=td.tensor([1, 2, 0]))
    tensor([0, 1, 3])
    """
    if side not in (None, "left", "right"):
        raise ValueError(f"searchsorted: expected side 'left' or 'right', got {side!r}")
    if right and side == "left":
        raise RuntimeError("searchsorted: got right=True and side='left', expected one of the two; leave `right` out")
    if sorter is not None:
        sorted_sequence = _in_order(sorted_sequence, sorter)
    if not is_known(sorted_sequence) or not is_known(input):
        found = _counted(sorted_sequence, input, side == "right" or (side is None and right))
        return found.to(INT32) if out_int32 else found
    rows, values = in_single(as_array(sorted_sequence)), in_single(as_array(input))  # half precision knows no nan here
    where: Any = side or ("right" if right else "left")
    kind = np.int32 if out_int32 else np.int64
    if rows.ndim < 2:
        return wrap(np.asarray(places_in(rows, values, where), kind))
    if rows.shape[:-1] != values.shape[:-1]:
        raise ValueError(
            f"searchsorted: got rows of shape {rows.shape} and values of shape {values.shape}, expected the same but "
            "for the last dimension"
        )
    out = np.empty(values.shape, kind)
    for spot in np.ndindex(rows.shape[:-1]):
        out[spot] = places_in(rows[spot], values[spot], where)
    return wrap(out)


def _in_order(sequence: Any, sorter: Any) -> Tensor:
    """The sequence as the sorter puts it."""
    if sorter.shape != sequence.shape:
        raise RuntimeError(
            f"searchsorted: expected a sorter of the shape of the sequence, {tuple(sequence.shape)}, "
            f"got {tuple(sorter.shape)}"
        )
    if sorter.dtype != INT64:
        raise RuntimeError(f"searchsorted: expected a sorter of int64, got {sorter.dtype}; use .long()")
    last = sequence.shape[-1] - 1
    if is_known(sorter) and sorter.numel() and not 0 <= int(sorter.min()) <= int(sorter.max()) <= last:
        raise RuntimeError(
            f"searchsorted: got sorter indices from {int(sorter.min())} to {int(sorter.max())}, expected 0 to {last}"
        )
    return take_along_dim(sequence, sorter, -1)


def _counted(rows: Any, values: Any, right: bool) -> Tensor:
    """The same inside of transforms: how many elements of the rows lie before each of the values."""
    rows = rows if isinstance(rows, Tensor) else wrap(as_array(rows))
    values = (values if isinstance(values, Tensor) else wrap(as_array(values))).unsqueeze(-1)
    rows = rows.unsqueeze(-2) if rows.ndim > 1 else rows
    count: Tensor = (rows <= values if right else rows < values).sum(-1)
    return count


@composition
def bucketize(input: Array, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of the interval between `boundaries`, a sorted 1-D tensor, in which each element lies.

    >>> td.bucketize(td.tensor([0, 3, 9]), td.tensor([1, 3, 5]))
    tensor([0, 1, 3])
    """
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)
