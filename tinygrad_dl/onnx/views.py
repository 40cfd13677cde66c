"""What a tensor becomes when one of its views is changed in place, as calls of ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.record import Record
from tinygrad_dl.ops.indexing.setitem import setitem
from tinygrad_dl.ops.shape.permute import permute, transpose
from tinygrad_dl.ops.shape.reshape import reshape
from tinygrad_dl.ops.tensor.inplace import follow

SAME_ELEMENTS = frozenset(("reshape", "view", "unsqueeze", "squeeze"))


def written(
    record: Callable[..., Any],
    made_by: Record,
    given: dict[str, Any],
    index: int | None,
    base: Any,
    value: Any,
    array: np.ndarray,
) -> Any:
    """The symbol of a tensor one of whose views was changed.

    Args:
        record: writes down a call: `record(op, arguments, results)` returns a step.
        made_by, given, index: how the view was made: by which op and arguments, and which of its results it is.
        base, value: the symbols of the tensor as it was, and of the view as it is.
        array: the memory of the tensor, changed already.
    """

    def made(op: Record, arguments: dict[str, Any], result: np.ndarray) -> Any:
        return record(op, arguments, [result]).out[0]

    key, shape = made_by.key, array.shape
    if key in SAME_ELEMENTS:
        return made(reshape.op, {"input": value, "shape": shape}, array)
    if key == "transpose":
        return made(transpose.op, {**given, "input": value}, array)
    if key == "permute":
        dims = given["dims"]
        dims = dims[0] if len(dims) == 1 and isinstance(dims[0], tuple | list) else dims
        back = tuple(np.argsort([d % len(shape) for d in dims]).tolist())
        return made(permute.op, {"input": value, "dims": back}, array)
    if key == "getitem":
        return made(setitem.op, {"input": base, "index": given["index"], "value": value}, array)
    if key in ("unbind", "split") and index is not None:
        dim = given["dim"] % len(shape)
        place: Any = index
        if key == "split":
            sizes = given["split_size_or_sections"]
            start = index * sizes if isinstance(sizes, int) else sum(sizes[:index])
            place = slice(start, start + (sizes if isinstance(sizes, int) else sizes[index]))
        return made(setitem.op, {"input": base, "index": (*(slice(None),) * dim, place), "value": value}, array)
    # Of any other view: the places of its elements, as the same op finds them in an array of places.
    values = tuple([given[name] for name in made_by.parameters if name != made_by.tensors[0]])
    places = follow(np.arange(array.size).reshape(shape), ((made_by, values, index),)).reshape(-1)
    flat = made(reshape.op, {"input": base, "shape": (-1,)}, array.reshape(-1))
    new = made(reshape.op, {"input": value, "shape": (-1,)}, array.reshape(-1)[places])
    put = made(setitem.op, {"input": flat, "index": (places,), "value": new}, array.reshape(-1))
    return made(reshape.op, {"input": put, "shape": shape}, array)
