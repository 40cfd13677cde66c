"""Comparisons that raise, with a text that says where two things differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.testing.call import Call
from tinygrad_dl.testing.report import CheckError, pasteable

# While an op and its rules run on legal inputs, NumPy has nothing to warn of.
STRICT: Any = {"divide": "raise", "over": "raise", "invalid": "raise", "under": "ignore"}


def expect_close(got: np.ndarray, expected: np.ndarray, which: str, other: str, tolerance: float) -> None:
    """Raises unless |got - expected| <= tolerance * (1 + |expected|), with an allowance for the largest entry."""
    if got.shape != expected.shape:
        raise CheckError(f"{which} has shape {got.shape}, {other} {expected.shape}")
    if got.dtype.kind in "biu" and expected.dtype.kind in "biu":
        close = np.asarray(got == expected)
    else:
        with np.errstate(all="ignore"):
            finite = np.abs(expected[np.isfinite(expected)])
            largest = float(finite.max()) if finite.size else 0.0
            limit = tolerance * (1 + np.abs(expected) + largest / 1000)
            both_nan = np.isnan(got) & np.isnan(expected)
            close = np.asarray((np.abs(got - expected) <= limit) | (got == expected) | both_nan)
    if not close.all():
        index = tuple(int(i) for i in np.argwhere(~close)[0])
        where = f" at {index}" if index else ""
        raise CheckError(f"{which} differs from {other}{where}: got {got[index]!s}, expected {expected[index]!s}")


def expect_equal(got: np.ndarray, expected: np.ndarray, text: str) -> None:
    """Raises unless two arrays are equal entry by entry, in shape and in dtype."""
    if (got.shape, got.dtype) != (expected.shape, expected.dtype) or not np.array_equal(
        got, expected, equal_nan=got.dtype.kind in "fc"
    ):
        raise CheckError(f"{text}: {pasteable(got)} and {pasteable(expected)}")


def expect_unchanged(before: Call, after: Call, what: str) -> None:
    """Raises if an argument's bytes are not what they were."""
    for name in before.op.tensors:
        old, new = before.values.get(name), after.values.get(name)
        for a, b in zip(as_list(old), as_list(new), strict=True):
            if isinstance(a, np.ndarray) and (a.shape != b.shape or a.tobytes() != b.tobytes()):
                raise CheckError(f"{what} changed its argument {name!r}: it was {pasteable(a)}, is {pasteable(b)}")


def as_list(value: Any) -> list[Any]:
    """A sequence as a list, one thing as a list of it."""
    return list(value) if isinstance(value, list | tuple) else [value]
