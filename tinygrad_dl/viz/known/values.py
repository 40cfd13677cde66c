"""`Values`: what is remembered of an array, for pictures that are drawn when it is gone or has changed."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.core.tensor import Tensor

WHOLE = 36  # elements up to which an array is kept whole
BINS = 16  # of the histogram
PLAIN = (bool, int, float, complex, str, bytes, np.dtype, type(None), type(...))


class Values(NamedTuple):
    """An array: whole if it is small, and in any case what its numbers are like.

    Attributes:
        shape, dtype: its own.
        array: a copy, if it has at most 36 elements, that can't be changed.
        low, high, mean: of the finite numbers, None if there are none; of complex ones, their absolute values.
        histogram: how many of these lie in each of 16 parts of equal width, from `low` to `high`.
        not_finite: how many are nan or infinite.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    array: np.ndarray | None
    low: float | None
    high: float | None
    mean: float | None
    histogram: tuple[int, ...]
    not_finite: int


def values_of(array: np.ndarray) -> Values:
    """What is remembered of an array as it is now.

    >>> import numpy as np
    >>> found = values_of(np.arange(64.0))
    >>> found.array, found.low, found.high, found.mean, found.histogram[:3]
    (None, 0.0, 63.0, 31.5, (4, 4, 4))
    """
    kept = None
    if array.size <= WHOLE:
        kept = array.copy()
        kept.flags.writeable = False
    shape, dtype = tuple(array.shape), array.dtype
    flat = array.ravel()
    low, high, count = np.inf, -np.inf, 0
    for numbers in finite_parts(flat):
        low, high = min(low, float(numbers.min())), max(high, float(numbers.max()))
        count += numbers.size
    if not count:
        return Values(shape, dtype, kept, None, None, None, (0,) * BINS, flat.size)
    scale = SMALLER if max(-low, high) > LARGE else 1.0
    first, width = low * scale, (high * scale - low * scale) or 1.0
    total, counts = 0.0, np.zeros(BINS, np.int64)
    for numbers in finite_parts(flat):
        numbers = numbers if scale == 1 else numbers * scale
        total += float(numbers.sum())
        places = (numbers - first) / width * BINS
        counts += np.bincount(np.minimum(places, BINS - 1).astype(np.intp), minlength=BINS)
    mean = total / count / scale
    return Values(shape, dtype, kept, low, high, mean, tuple(counts.tolist()), flat.size - count)


PART = 2**18  # elements that are looked at together, so that large arrays take little more memory
LARGE, SMALLER = 1e280, 2.0**-64  # from where on sums could overflow, and by what numbers are multiplied then


def finite_parts(flat: np.ndarray) -> Iterator[np.ndarray]:
    """The finite numbers of an array, in parts; of complex ones the absolute values."""
    for start in range(0, flat.size, PART):
        part = flat[start : start + PART]
        numbers = (np.abs(part) if part.dtype.kind == "c" else part).astype(np.float64, copy=False)
        finite = np.isfinite(numbers)
        if not finite.all():
            numbers = numbers[finite]
        if numbers.size:
            yield numbers


def described(value: Any) -> Any:
    """An argument as it is remembered: tensors and arrays as `Values`, numbers and texts as they are.

    Of anything else the text: a node must not keep alive what it was made from.
    """
    if isinstance(value, Tensor):
        return values_of(value._data) if hasattr(value, "_data") else repr(value)
    if isinstance(value, np.ndarray | np.generic):
        return values_of(np.asarray(value))
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, slice):
        return slice(described(value.start), described(value.stop), described(value.step))
    if isinstance(value, range):
        return tuple(value)
    if isinstance(value, tuple | list):
        return type(value)(map(described, value)) if type(value) in (tuple, list) else tuple(map(described, value))
    return getattr(value, "key", None) or getattr(value, "__name__", None) or repr(value)
