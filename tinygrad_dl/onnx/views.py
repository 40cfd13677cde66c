"""What a tensor becomes when one of its views is changed in place, as one call of an op."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.record import Record
from tinygrad_dl.ops.indexing.setitem import setitem
from tinygrad_dl.ops.shape.permute import permute, transpose
from tinygrad_dl.ops.shape.reshape import reshape

SAME_ELEMENTS = frozenset(("reshape", "view", "unsqueeze", "squeeze"))


def written(
    made_by: Record, given: dict[str, Any], index: int | None, base: Any, value: Any
) -> tuple[Record, dict[str, Any]] | None:
    """The op and its arguments that make of `base` a tensor whose view has the elements of `value`.

    Args:
        made_by, given, index: how the view was made: by which op and arguments, and which of its results it is.

    Returns:
        None if that is not known of the op.
    """
    key, shape = made_by.key, base.shape
    if key in SAME_ELEMENTS:
        return reshape.op, {"input": value, "shape": shape}
    if key == "transpose":
        return transpose.op, {**given, "input": value}
    if key == "permute":
        dims = given["dims"]
        dims = dims[0] if len(dims) == 1 and isinstance(dims[0], tuple | list) else dims
        return permute.op, {"input": value, "dims": tuple(np.argsort([d % len(shape) for d in dims]).tolist())}
    if key == "getitem":
        return setitem.op, {"input": base, "index": given["index"], "value": value}
    if key in ("unbind", "split") and index is not None:
        dim = given["dim"] % len(shape)
        place: Any = index
        if key == "split":
            sizes = given["split_size_or_sections"]
            start = index * sizes if isinstance(sizes, int) else sum(sizes[:index])
            place = slice(start, start + (sizes if isinstance(sizes, int) else sizes[index]))
        return setitem.op, {"input": base, "index": (*(slice(None),) * dim, place), "value": value}
    return None
