"""Reductions where NaN counts as missing: those over all elements, told which ones count."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.ops._numpy.arguments import NONE, as_tensor, floating, kept
from tinygrad_dl.ops._numpy.reductions import deviation
from tinygrad_dl.ops.reduction import statistics


def filled(function: Any, neutral: Any) -> Any:
    """np.nansum or np.nanprod."""

    def found(
        a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False, initial: Any = NONE, where: Any = True
    ) -> Any:
        return NUMPY[function](np.where(np.isnan(a), neutral, a), axis, dtype, keepdims, initial, where)

    return found


def extreme(function: Any, worst: float) -> Any:
    """np.nanmax or np.nanmin: NaN only where all are NaN."""

    def found(a: Any, axis: Any = None, keepdims: Any = False, initial: Any = NONE, where: Any = True) -> Any:
        a, reduce = as_tensor(a), NUMPY[function]
        if a.dtype.kind in "biu":
            return reduce(a, axis, None, keepdims, initial, where)
        nothing = np.isnan(a)
        best = reduce(np.where(nothing, worst if initial is NONE else initial, a), axis, None, keepdims, initial, where)
        return best if initial is not NONE else np.where(np.all(nothing, axis, keepdims=kept(keepdims)), np.nan, best)

    return found


def mean(a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False, *, where: Any = True) -> Any:
    """np.nanmean."""
    if where is True and axis != ():
        return statistics.nanmean(floating(a), axis, kept(keepdims), dtype=dtype)
    counts = ~np.isnan(a) & np.asarray(where)
    total = np.sum(np.where(counts, a, 0), axis=axis, dtype=dtype, keepdims=kept(keepdims))
    return total / np.sum(counts, axis=axis, keepdims=kept(keepdims))


NUMPY[np.nansum], NUMPY[np.nanprod], NUMPY[np.nanmean] = filled(np.sum, 0), filled(np.prod, 1), mean
NUMPY[np.nanmax], NUMPY[np.nanmin] = extreme(np.max, -np.inf), extreme(np.min, np.inf)
NUMPY[np.nanvar], NUMPY[np.nanstd] = deviation(None, False), deviation(None, True)
NUMPY[np.nancumsum] = lambda a, axis=None, dtype=None: np.cumsum(np.where(np.isnan(a), 0, a), axis, dtype)
NUMPY[np.nancumprod] = lambda a, axis=None, dtype=None: np.cumprod(np.where(np.isnan(a), 1, a), axis, dtype)
