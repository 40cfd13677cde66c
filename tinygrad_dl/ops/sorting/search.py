"""Binary search in sorted sequences: searchsorted and bucketize."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.promotion import INT32
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.transforms import is_known


@composition
def searchsorted(
    sorted_sequence: Any, input: Array, *, out_int32: bool = False, right: bool = False, side: str | None = None
) -> Tensor:
    """Where the elements of `input` would be put in to keep the last dimension of `sorted_sequence` in order.

    Before equal elements, or with `right=True` behind them. With several dimensions, row by row.

    >>> td.searchsorted(td.tensor([1, 3, 5]), td.tensor([0, 3, 9]))
    tensor([0, 1, 3])
    """
    if side not in (None, "left", "right"):
        raise ValueError(f"searchsorted: expected side 'left' or 'right', got {side!r}")
    if not is_known(sorted_sequence) or not is_known(input):
        found = _counted(sorted_sequence, input, side == "right" or (side is None and right))
        return found.to(INT32) if out_int32 else found
    rows, values = as_array(sorted_sequence), as_array(input)
    where: Any = side or ("right" if right else "left")
    kind = np.int32 if out_int32 else np.int64
    if rows.ndim < 2:
        return wrap(np.asarray(np.searchsorted(rows, values, where), kind))
    if rows.shape[:-1] != values.shape[:-1]:
        raise ValueError(
            f"searchsorted: got rows of shape {rows.shape} and values of shape {values.shape}, expected the same but "
            "for the last dimension"
        )
    out = np.empty(values.shape, kind)
    for spot in np.ndindex(rows.shape[:-1]):
        out[spot] = np.searchsorted(rows[spot], values[spot], where)
    return wrap(out)


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
