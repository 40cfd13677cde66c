"""Which elements, by conditions and positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.ops._numpy.arguments import as_any, as_plain, as_tensor
from tinygrad_dl.ops.shape.joining import stack
from tinygrad_dl.ops.sorting.sort import sort


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """np.select: the choice of the first condition that holds."""
    found = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        found = np.where(condition, choice, found)
    return found


def chosen(a: Any, places: Any, axis: Any) -> Any:
    """The elements at positions along a dimension, or of the flattened tensor."""
    a = as_tensor(a)
    return a.reshape(-1)[places] if axis is None else np.take(a, places, axis=axis)


def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """np.delete."""
    arr = as_tensor(arr)
    left: Any = np.delete(np.arange(arr.numel() if axis is None else arr.shape[axis]), as_plain(obj))
    return chosen(arr, left, axis)


def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """np.compress."""
    return chosen(a, np.flatnonzero(as_plain(condition)), axis)


def resize(a: Any, new_shape: Any) -> Any:
    """np.resize: the elements over and over, in a new shape."""
    a = as_tensor(a).reshape(-1)
    shape = (new_shape,) if isinstance(new_shape, int) else tuple(new_shape)
    return a[np.arange(int(np.prod(shape))) % len(a)].reshape(shape) if len(a) else np.zeros_like(a, shape=shape)


NUMPY[np.select], NUMPY[np.delete], NUMPY[np.compress], NUMPY[np.resize] = select, delete, compress, resize
NUMPY[np.extract] = lambda condition, arr: compress(np.ravel(as_plain(condition)), as_tensor(arr))
NUMPY[np.choose] = lambda a, choices: np.take_along_axis(
    as_any(stack(list(np.broadcast_arrays(*map(as_tensor, choices))))), np.asarray(as_plain(a))[None], 0
)[0]
NUMPY[np.partition] = lambda a, kth, axis=-1: sort(as_tensor(a).reshape(-1), 0)[0] if axis is None else sort(a, axis)[0]
