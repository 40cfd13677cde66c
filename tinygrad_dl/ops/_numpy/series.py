"""Sequences: convolutions, differences, running sums, lines between points."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.ops._numpy.arguments import NONE, as_tensor
from tinygrad_dl.ops.reduction.cumulative import cumprod, cumsum, diff
from tinygrad_dl.ops.shape.joining import cat


def differences(a: Any, n: int = 1, axis: int = -1, prepend: Any = NONE, append: Any = NONE) -> Any:
    """np.diff, which takes numbers in front and behind as well."""
    a = as_tensor(a)
    shape = [1 if d == axis % a.ndim else size for d, size in enumerate(a.shape)]
    ends = [None if p is NONE else as_tensor(p if np.ndim(p) else np.broadcast_to(p, shape)) for p in (prepend, append)]
    return diff(a, n, axis, *ends)


def only_dim(x: Any, axis: Any) -> Any:
    """The axis of a cumulative sum, which may be left out for one dimension."""
    if axis is None and x.ndim != 1:
        raise ValueError(f"got a tensor of {x.ndim} dimensions without axis, expected axis=")
    return 0 if axis is None else axis


NUMPY[np.diff] = differences
if hasattr(np, "cumulative_sum"):
    NUMPY[np.cumulative_sum] = lambda x, *, axis=None, dtype=None: cumsum(x, only_dim(x, axis), dtype=dtype)
    NUMPY[np.cumulative_prod] = lambda x, *, axis=None, dtype=None: cumprod(x, only_dim(x, axis), dtype=dtype)


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
NUMPY[np.ediff1d] = lambda ary, to_end=None, to_begin=None: cat(
    [
        as_tensor(part).reshape(-1)
        for part in (to_begin, np.diff(as_tensor(ary).reshape(-1)), to_end)
        if part is not None
    ]
)
