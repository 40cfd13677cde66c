"""Sequences: ranges, convolutions, differences, running sums, lines between points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.ops._numpy.arguments import NONE, as_tensor, constant, floating, numbers
from tinygrad_dl.ops.reduction.cumulative import cumprod, cumsum, diff
from tinygrad_dl.ops.shape.joining import cat

# -- ranges --------------------------------------------------------------------------------------------


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0
) -> Any:
    """np.linspace, with gradients to both ends."""
    if num < 0:
        raise ValueError(f"got num={num}, expected at least 0")
    start, stop = floating(start), floating(stop)
    steps = num - 1 if endpoint else num
    step = (stop - start) / steps if steps > 0 else (stop - start) * np.nan
    places = np.arange(num).reshape((-1, *(1,) * step.ndim))
    found = places * step + start if steps > 0 else places * (stop - start) + start
    if endpoint and num > 1:
        found = cat([found[:-1], np.broadcast_to(stop, step.shape)[None].astype(found.dtype)], 0)
    found = np.moveaxis(found, 0, axis)
    if dtype is not None:
        found = (np.floor(found) if np.dtype(dtype).kind in "iu" else found).astype(np.dtype(dtype))
    return (found, step) if retstep else found


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Any:
    """np.logspace, with gradients to both ends and the base."""
    if np.ndim(base):
        start, stop, base = np.broadcast_arrays(as_tensor(start), as_tensor(stop), as_tensor(base))
        base = np.expand_dims(base, axis)
    found = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return found if dtype is None else found.astype(np.dtype(dtype))


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """np.geomspace, with gradients to both ends; a spiral between complex ones."""
    start, stop = np.broadcast_arrays(floating(start), floating(stop))
    if np.any(numbers(start) == 0) or np.any(numbers(stop) == 0):
        raise ValueError("Geometric sequence cannot include zero")
    if start.dtype.kind == "c" or stop.dtype.kind == "c":
        start, stop = start.astype(np.complex128), stop.astype(np.complex128)
        sign = start / np.abs(start)
    else:
        sign = np.sign(numbers(start))
    found = logspace(np.log10(start / sign), np.log10(stop / sign), num, endpoint)
    if num > 0:
        last = [(stop / sign)[None].astype(found.dtype)] if num > 1 and endpoint else []
        found = cat([(start / sign)[None].astype(found.dtype), found[1 : num - len(last)], *last], 0)
    found = np.moveaxis(found * sign, 0, axis)
    return found if dtype is None else found.astype(np.dtype(dtype))


NUMPY[np.linspace], NUMPY[np.logspace], NUMPY[np.geomspace] = linspace, logspace, geomspace


# -- differences and sums ------------------------------------------------------------------------------


def differences(a: Any, n: int = 1, axis: int = -1, prepend: Any = NONE, append: Any = NONE) -> Any:
    """np.diff, which takes numbers in front and behind as well."""
    a = as_tensor(a)
    if not n:
        return a
    shape = [1 if d == axis % a.ndim else size for d, size in enumerate(a.shape)]
    ends = [None if p is NONE else as_tensor(p if np.ndim(p) else np.broadcast_to(p, shape)) for p in (prepend, append)]
    return diff(a, n, axis, *ends)


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """np.ediff1d: differences of the flattened tensor, between what is to stand around them."""
    ary = as_tensor(ary).reshape(-1)
    around = [None if part is None else as_tensor(part) for part in (to_begin, to_end)]
    for part in around:
        if part is not None and not np.can_cast(part.dtype, ary.dtype, "same_kind"):
            raise TypeError(f"got {part.dtype} to stand beside differences of {ary.dtype}, expected what casts to them")
    parts = [around[0], np.diff(ary), around[1]]
    return cat([part.reshape(-1).astype(ary.dtype) for part in parts if part is not None], 0)


def running(ours: Any, first: int) -> Any:
    """np.cumulative_sum and np.cumulative_prod."""

    def found(x: Any, *, axis: Any = None, dtype: Any = None, include_initial: bool = False) -> Any:
        x = np.atleast_1d(as_tensor(x))
        if axis is None and x.ndim != 1:
            raise ValueError(f"got a tensor of {x.ndim} dimensions without axis, expected axis=")
        axis = 0 if axis is None else axis
        sums = ours(x, axis, dtype=dtype)
        if not include_initial:
            return sums
        shape = [1 if d == axis % x.ndim else n for d, n in enumerate(x.shape)]
        return cat([as_tensor(module_of(sums).full(shape, first, sums.dtype)), sums], axis)

    return found


def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * math.pi) -> Any:
    """np.unwrap: whole periods are added where neighbours are more than half of one apart."""
    p = as_tensor(p)
    found: Any = np.unwrap(numbers(p), discont, axis, period=constant(period, "period"))
    if p.dtype.kind in "biu" and found.dtype.kind != "f":
        return as_tensor(found)
    return p.astype(found.dtype) + (found - numbers(p))


NUMPY[np.diff], NUMPY[np.ediff1d], NUMPY[np.unwrap] = differences, ediff1d, unwrap
if hasattr(np, "cumulative_sum"):
    NUMPY[np.cumulative_sum], NUMPY[np.cumulative_prod] = running(cumsum, 0), running(cumprod, 1)


# -- sums of products ----------------------------------------------------------------------------------


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


NUMPY[np.convolve], NUMPY[np.correlate] = convolve, correlate


# -- lines between points ------------------------------------------------------------------------------


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """np.interp: straight lines between points, with gradients to x and to the points."""
    x, xp, fp = (floating(each) for each in (x, xp, fp))
    if period is not None:
        period = abs(constant(period, "period"))
        x, xp = np.remainder(x, period), np.remainder(xp, period)
        order = np.argsort(numbers(xp))
        xp = cat([xp[order[-1:]] - period, xp[order], xp[order[:1]] + period], 0)
        fp, left, right = cat([fp[order[-1:]], fp[order], fp[order[:1]]], 0), None, None
    at, inside = numbers(xp), numbers(x)
    place = np.clip(np.searchsorted(at, inside, side="right") - 1, 0, max(len(at) - 2, 0))
    after = np.minimum(place + 1, len(at) - 1)
    width = np.where(at[after] > at[place], xp[after] - xp[place], 1.0)
    line = fp[place] + (fp[after] - fp[place]) * ((x - xp[place]) / width)
    line = np.where(inside < at[0], fp[0] if left is None else left, line)
    line = np.where(inside > at[-1], fp[-1] if right is None else right, line)
    return np.where(inside == at[-1], fp[-1], line)


NUMPY[np.interp] = interp
