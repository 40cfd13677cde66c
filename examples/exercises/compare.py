"""How an answer differs from what is right: by its shape, a sign, a factor, a missing term, or a typical slip.

What is right is computed when the check runs: by difference quotients, by the library's operations, or from the
defining formula. What a typical slip would give is computed then too; an answer that equals it has that slip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

import tinygrad_dl as td

Array = np.ndarray
Values = Mapping[str, Callable[[], Any]]
"""By what is to be said of them: functions that give an array. One that raises an error does not apply here."""


class Difference(NamedTuple):
    """What is wrong. Of the differences of several trials, the one with the highest rank says most."""

    rank: int
    text: str


class Factor(NamedTuple):
    """A number by which an answer may be too large or too small, and what to say then."""

    value: float
    too_large: str
    too_small: str


def same(got: Any, want: Any) -> bool:
    """Whether two arrays have one shape and, but for rounding and the error of difference quotients, equal entries."""
    got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
    if got.shape != want.shape or not (np.isfinite(got).all() and np.isfinite(want).all()):
        return False
    return bool(np.all(np.abs(got - want) <= 1e-6 * np.abs(want).max(initial=0.0) + 1e-10))


def differences(f: Callable[[Array], Any], x: Array, step: float = 1e-5) -> Array:
    """The derivative of a number f(x) in each entry of x, by two-sided difference quotients."""
    x = np.array(x, dtype=float)
    found = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        here = x[index]
        x[index] = here + step
        right = float(f(x))
        x[index] = here - step
        found[index] = (right - float(f(x))) / (2 * step)
        x[index] = here
    return found


def difference(
    name: str,
    got: Any,
    want: Any,
    *,
    slips: Values | None = None,
    factors: Mapping[str, Factor] | None = None,
    terms: Values | None = None,
    where: Mapping[str, Array] | None = None,
) -> Difference | None:
    """Says how a student's variable differs from what is right; None if it does not.

    Args:
        name: the variable's name.
        got, want: its value, and the right one.
        slips: what typical mistakes would give. Each text goes on from the name: "is not divided by m".
        factors: numbers it may be too large or too small by, by their names.
        terms: terms of the right value that may be missing, by their names.
        where: masks by what they mean, such as "Z is negative", for mistakes in a part of the entries.
    """
    want = np.asarray(want, dtype=float)
    if found := no_numbers(name, got):
        return found
    got = np.asarray(got, dtype=float)
    if same(got, want):
        return None
    for text, value in (slips or {}).items():
        if same(got, _value(value, want)):
            return Difference(5, f"{name} {text}")
    if got.shape != want.shape:
        return _shape(name, got, want, slips, factors, terms)
    if not np.isfinite(got).all():
        return Difference(3, f"{name} has entries that are not finite, such as {got[~np.isfinite(got)][0]}")
    return (
        _factor(name, got, want, factors or {})
        or _term(name, got, want, terms or {})
        or _transposed(name, got, want)
        or _entries(name, got, want, where or {})
    )


def _value(value: Callable[[], Any], want: Array) -> Any:
    try:
        with np.errstate(all="ignore"):
            return value()
    except (ValueError, RuntimeError):  # the slip does not fit these shapes
        return np.full(want.shape, np.nan)


def no_numbers(name: str, got: Any) -> Difference | None:
    """What is said of a value that is no array of real numbers."""
    if got is None or got is ...:
        return Difference(6, f"{name} is still {'...' if got is ... else 'None'}: give it a value")
    if isinstance(got, td.Tensor):
        return Difference(6, f"{name} is a tensor of tinygrad_dl, expected a NumPy array: these exercises are in NumPy")
    try:
        if np.iscomplexobj(got):
            return Difference(6, f"{name} is complex, expected real numbers")
        np.asarray(got, dtype=float)
    except (TypeError, ValueError, OverflowError):
        return Difference(6, f"{name} is of type {type(got).__name__}, expected an array of numbers")
    return None


def _shape(
    name: str,
    got: Array,
    want: Array,
    slips: Values | None,
    factors: Mapping[str, Factor] | None,
    terms: Values | None,
) -> Difference:
    has = f"{name} has the shape {got.shape}, expected {want.shape}"
    if got.size == want.size and got.squeeze().shape == want.squeeze().shape:
        advice = (
            "keep the axis that you sum over, with keepdims=True" if got.ndim < want.ndim else "it has an axis more"
        )
        inner = difference(name, got.reshape(want.shape), want, slips=slips, factors=factors, terms=terms)
        if inner is None and not want.ndim:
            return Difference(
                5, f"{name} is an array of shape {got.shape}, expected a number: take out the one it holds"
            )
        if inner is None:
            return Difference(5, f"{has}: its numbers are right; {advice}")
        return Difference(inner.rank, f"{has}: {advice}; besides, {_besides(inner)}")
    if got.shape == want.shape[::-1]:
        if same(got.T, want):
            return Difference(
                5, f"{name} is the transpose of what is right: its shape is {got.shape}, not {want.shape}"
            )
        inner = difference(name, got.T, want, factors=factors, terms=terms)
        rank, besides = (4, f"; besides, {_besides(inner)}") if inner and inner.rank >= 4 else (2, "")
        return Difference(rank, f"{has}: the sizes are right, in the wrong order: something is transposed{besides}")
    if got.ndim == 0:
        return Difference(2, f"{name} is one number, expected an array of shape {want.shape}")
    if want.ndim == 0:
        return Difference(2, f"{has[: has.index(', ')]}, expected one number: add up over the examples")
    return Difference(2, has)


def _besides(difference: Difference) -> str:
    return difference.text.replace(" has the right shape but is ", " is ")


def _factor(name: str, got: Array, want: Array, factors: Mapping[str, Factor]) -> Difference | None:
    if not want.any():
        return None
    ratio = float((got * want).sum() / (want * want).sum())
    if not ratio or not same(got, ratio * want):
        return None
    sign = "has the wrong sign" if ratio < 0 else ""
    size = ""
    if not np.isclose(abs(ratio), 1):
        for symbol, factor in factors.items():
            number = f"{factor.value:.4g}"
            times = f"{number if symbol == number else f'{symbol} = {number}'} times"
            if np.isclose(abs(ratio), factor.value):
                size = f"is {times} too large: {factor.too_large}"
                break
            if np.isclose(abs(ratio), 1 / factor.value):
                size = f"is {times} too small: {factor.too_small}"
                break
        else:
            size = f"is {abs(ratio):.4g} times what it should be, in every entry"
    shape = "has the right shape but " if want.ndim and size else ""
    return Difference(4, f"{name} {shape}{' and '.join(part for part in (size, sign) if part)}")


def _term(name: str, got: Array, want: Array, terms: Values) -> Difference | None:
    for symbol, value in terms.items():
        term, rest = np.broadcast_to(_value(value, want), want.shape), got - want
        if not term.any():
            continue
        ratio = float((rest * term).sum() / (term * term).sum())
        # What is left must be small beside the term itself, which may be small beside the rest.
        if np.abs(rest - ratio * term).max() > 1e-5 * np.abs(term).max() + 1e-10:
            continue
        if np.isclose(ratio, -1, rtol=1e-4):
            return Difference(4, f"{name} lacks the term {symbol}")
        if np.isclose(ratio, -2, rtol=1e-4):
            return Difference(4, f"{name} has the term {symbol} with the wrong sign")
        return Difference(4, f"{name} has {1 + ratio:.4g} times the term {symbol}, expected it once")
    return None


def _transposed(name: str, got: Array, want: Array) -> Difference | None:
    if got.ndim == 2 and same(got.T, want):
        return Difference(5, f"{name} is the transpose of what is right")
    if same(np.sort(got, axis=None), np.sort(want, axis=None)):
        return Difference(3, f"{name} has the right numbers in the wrong places")
    return None


def _entries(name: str, got: Array, want: Array, where: Mapping[str, Array]) -> Difference:
    wrong = np.abs(got - want) > 1e-6 * np.abs(want).max() + 1e-10
    index = np.unravel_index(np.argmax(np.abs(got - want)), want.shape)
    place = f"{name}[{', '.join(str(int(i)) for i in index)}]" if want.ndim else name
    example = f"{place} is {got[index]:.6g}, expected {want[index]:.6g}"
    for meaning, mask in where.items():
        mask = np.broadcast_to(mask, want.shape)
        if wrong.any() and not (wrong & ~mask).any() and not mask.all():
            return Difference(3, f"{name} is wrong only where {meaning}: {example}")
    if want.size > 1 and wrong.sum() < wrong.size:
        return Difference(1, f"{name} is wrong in {wrong.sum()} of {wrong.size} entries: {example}")
    return Difference(1, f"{name} is not right: {example}")
