"""NumPy functions that few programs use, made of operations; see `_numpy_functions`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.ops._numpy_functions import as_tensor
from tinygrad_dl.ops.linalg.svd import svdvals
from tinygrad_dl.ops.reduction import statistics
from tinygrad_dl.ops.shape.joining import cat, stack
from tinygrad_dl.ops.sorting.sort import sort

NONE: Any = np._NoValue


def given(keepdims: Any) -> bool:
    """Whether dimensions are kept; NumPy's word for an argument that is not given says no."""
    return keepdims is not NONE and bool(operator.index(keepdims))


# -- where NaN counts as missing ---------------------------------------------------------------------


def extreme(reduce: Any, worst: float) -> Any:
    """np.nanmax or np.nanmin: NaN only where all are NaN."""

    def found(a: Any, axis: Any = None, keepdims: Any = False) -> Any:
        a = as_tensor(a)
        nothing = np.isnan(a).numpy()
        kept = reduce(np.where(nothing, worst, a), axis=axis, keepdims=given(keepdims))
        return np.where(np.all(nothing, axis=axis, keepdims=given(keepdims)), np.nan, kept) if nothing.any() else kept

    return found


def spread(root: bool) -> Any:
    """np.nanvar or np.nanstd."""

    def found(a: Any, axis: Any = None, dtype: Any = None, ddof: float = 0, keepdims: Any = False) -> Any:
        a = as_tensor(a) if dtype is None else as_tensor(a).astype(dtype)
        kept = ~np.isnan(a).numpy()
        apart = np.where(kept, a - statistics.nanmean(a, axis, True), 0.0)
        counts = np.sum(kept, axis=axis, keepdims=given(keepdims)) - ddof
        variance = np.sum(apart * apart, axis=axis, keepdims=given(keepdims)) / np.where(counts > 0, counts, np.nan)
        return np.sqrt(variance) if root else variance

    return found


NUMPY[np.nanmax], NUMPY[np.nanmin] = extreme(np.max, -np.inf), extreme(np.min, np.inf)
NUMPY[np.nanvar], NUMPY[np.nanstd] = spread(False), spread(True)
NUMPY[np.nancumsum] = lambda a, axis=None, dtype=None: np.cumsum(np.where(np.isnan(a), 0, a), axis, dtype)
NUMPY[np.nancumprod] = lambda a, axis=None, dtype=None: np.cumprod(np.where(np.isnan(a), 1, a), axis, dtype)


# -- sums of products --------------------------------------------------------------------------------


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """np.convolve: the longer one's windows times the shorter one in reverse."""
    a, v = as_tensor(a).reshape(-1), as_tensor(v).reshape(-1)
    a, v = (v, a) if len(v) > len(a) else (a, v)
    n, m = len(a), len(v)
    if not m or mode not in ("full", "same", "valid"):
        raise ValueError(f"got {n} and {m} elements and mode={mode!r}, expected some, and 'full', 'same' or 'valid'")
    padded: Any = np.pad(a, (m - 1, m - 1))
    found = np.matmul(padded.unfold(0, m, 1), np.flip(v))
    start = {"full": 0, "same": (m - 1) // 2, "valid": m - 1}[mode]
    return found[start : start + {"full": n + m - 1, "same": n, "valid": n - m + 1}[mode]]


def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """np.correlate: the convolution with the conjugate of v in reverse; of a longer v turned around."""
    a, v = as_tensor(a), as_tensor(v)
    return np.flip(np.conj(correlate(v, a, mode))) if len(v) > len(a) else convolve(a, np.conj(np.flip(v)), mode)


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Any:
    """np.interp: straight lines between points, with gradients to x and to the values at the points."""
    x, fp, at = as_tensor(x), as_tensor(fp), np.asarray(as_tensor(xp).detach())
    inside = x.detach().numpy()
    place = np.clip(np.searchsorted(at, inside, side="right") - 1, 0, max(len(at) - 2, 0))
    after = np.minimum(place + 1, len(at) - 1)
    width = np.where(at[after] > at[place], at[after] - at[place], 1.0)
    line = fp[place] + (fp[after] - fp[place]) * ((x - at[place]) / width)
    line = np.where(inside < at[0], fp[0] if left is None else left, line)
    return np.where(inside > at[-1], fp[-1] if right is None else right, np.where(inside == at[-1], fp[-1], line))


NUMPY[np.convolve], NUMPY[np.correlate], NUMPY[np.interp] = convolve, correlate, interp
NUMPY[np.polyval] = lambda p, x: sum((c * as_tensor(x) ** (len(p) - 1 - i) for i, c in enumerate(as_tensor(p))), 0 * x)


# -- choosing ----------------------------------------------------------------------------------------


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


def as_plain(value: Any) -> Any:
    """Positions as NumPy takes them."""
    return value.numpy() if hasattr(value, "numpy") else value


def as_any(value: Any) -> Any:
    """A tensor where NumPy's types want an array."""
    return value


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
NUMPY[np.ediff1d] = lambda ary, to_end=None, to_begin=None: cat(
    [
        as_tensor(part).reshape(-1)
        for part in (to_begin, np.diff(as_tensor(ary).reshape(-1)), to_end)
        if part is not None
    ]
)
NUMPY[np.linalg.svdvals] = lambda x: svdvals(x)
