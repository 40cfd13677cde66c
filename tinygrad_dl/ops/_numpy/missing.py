"""Reductions where NaN counts as missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.ops._numpy.arguments import NONE, as_tensor, given, over
from tinygrad_dl.ops.reduction import statistics
from tinygrad_dl.ops.reduction import sum as sums
from tinygrad_dl.ops.reduction.sum import prod


def without_nan(ours: Callable[..., Any], neutral: Any) -> Callable[..., Any]:
    """A reduction over the elements that are numbers."""

    def found(a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> Any:
        filled = np.where(np.isnan(a), neutral, a)
        return ours(*over(filled, axis, keepdims), **({} if dtype is None else {"dtype": dtype}))

    return found


NUMPY[np.nansum], NUMPY[np.nanprod] = without_nan(sums.sum, 0), without_nan(prod, 1)
NUMPY[np.nanmean] = lambda a, axis=None, dtype=None, keepdims=False: statistics.nanmean(
    a, axis, keepdims is not NONE and keepdims, dtype=dtype
)


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
