"""Central differences, and how a kink is told from a wrong gradient.

The difference quotient uses four points, x ± h and x ± 2h, and Richardson's extrapolation, so its error is
of order h**4: with h = 1e-3 it is right to ten digits or more where the function is smooth.

Where it does not agree with the gradient, smaller steps decide. If there the left and the right difference
disagree, and the gap does not close with the step, then the function has no derivative at that point: a kink.
That is seen in the function alone, never in the gradient that is being checked, so a wrong gradient cannot
pass for a kink.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.testing.report import Entry

STEP = 1e-3
SMALLER = (1e-4, 1e-5, 1e-6)
EPS = 2.3e-16

Function = Callable[[], "tuple[float, float]"]
"""Computes the scalar that is differentiated, and the sum of the absolute values that it was added up from."""


def real_view(array: np.ndarray) -> np.ndarray:
    """The entries of a contiguous array in one dimension; a complex one counts as two real ones."""
    flat = array.reshape(-1)
    return flat.view(np.float64 if array.dtype.itemsize == 16 else np.float32) if array.dtype.kind == "c" else flat


def entry_index(array: np.ndarray, position: int) -> tuple[int, ...]:
    """The index of a position in `real_view(array)`; for complex arrays the last number is 0 (real) or 1."""
    shape = (*array.shape, 2) if array.dtype.kind == "c" else array.shape
    return tuple(int(i) for i in np.unravel_index(position, shape)) if shape else ()


def along(
    function: Function, flat: np.ndarray, where: Any, direction: Any, step: float, precision: float = EPS
) -> tuple[float, float]:
    """The derivative of the function as `flat[where]` moves along `direction`, and the noise in it."""
    before = flat[where].copy()
    values, size = [], 0.0
    for k in (-2, -1, 1, 2):
        flat[where] = before + (k * step) * direction
        value, magnitude = function()
        values.append(value)
        size = max(size, magnitude)
    flat[where] = before
    far_left, left, right, far_right = values
    return (8 * (right - left) - (far_right - far_left)) / (12 * step), 8 * precision * size / step


def has_kink(function: Function, flat: np.ndarray, position: int, scale: float, precision: float = EPS) -> bool:
    """Whether the function has no derivative here: its one-sided differences disagree, or do not converge."""
    lefts, rights = [], []
    here, size = function()
    before = flat[position].copy()
    for step in SMALLER:
        flat[position] = before + step * scale
        rights.append((function()[0] - here) / (step * scale))
        flat[position] = before - step * scale
        lefts.append((here - function()[0]) / (step * scale))
        flat[position] = before
    found = np.array([rights, lefts])
    if not np.isfinite(found).all():
        return True  # not defined all around the point
    rounding = 1e-6 + 80 * precision * size / (SMALLER[-1] * scale)
    # At a smooth point both come closer to the derivative tenfold with each step.
    gaps, moves = np.abs(found[0] - found[1]), np.abs(np.diff(found))
    apart = gaps[-1] > rounding and gaps[-1] > gaps[0] / 10
    wandering = (moves[:, 1] > rounding) & (moves[:, 1] > moves[:, 0] / 3)
    return bool(apart or wandering.any())


def compare_entry(
    function: Function,
    array: np.ndarray,
    position: int,
    analytic: float,
    name: str,
    eps: float,
    rtol: float,
    atol: float,
    precision: float = EPS,
) -> Entry:
    """One entry of the gradient against the differences; `array` is contiguous and is what the function reads."""
    flat = real_view(array)
    scale = max(1.0, abs(float(flat[position])))
    index = entry_index(array, position)
    best: Entry | None = None
    for step in (eps, *(s for s in SMALLER if s < eps and precision == EPS)):
        numeric, noise = along(function, flat, position, scale, step, precision)
        entry = Entry(name, index, analytic, numeric / scale, atol + noise / scale)
        if entry.agrees(rtol):
            return entry
        if best is None or not np.isfinite(best.numeric):
            best = entry
    assert best is not None
    if has_kink(function, flat, position, scale, precision):
        return best._replace(kink=True)
    return best


def compare(
    function: Function,
    arrays: Sequence[np.ndarray],
    analytic: Sequence[np.ndarray],
    names: Sequence[str],
    *,
    eps: float = STEP,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    entrywise: int = 24,
    positions: Sequence[Sequence[int] | None] | None = None,
    precision: float = EPS,
) -> list[Entry]:
    """All entries of the gradients that were compared, or only the failing ones of large arrays.

    An array of up to `entrywise` entries is compared entry by entry. A larger one is first compared along one
    random direction, which costs four evaluations, and entry by entry only if that fails. `precision` is that of
    the function's arithmetic; `positions` chooses the entries to compare.
    """
    entries = []
    rng = np.random.default_rng(0)
    chosen = positions or [None] * len(arrays)
    for array, gradient, name, some in zip(arrays, analytic, names, chosen, strict=True):
        flat, exact = real_view(array), real_view(np.ascontiguousarray(gradient))
        if some is None and flat.size > entrywise:
            direction = rng.standard_normal(flat.size)
            numeric, noise = along(function, flat, slice(None), direction, eps / 4, precision)
            products = exact * direction
            noise += atol + rtol * float(np.abs(products).sum())
            if np.isfinite(numeric) and abs(numeric - float(products.sum())) <= noise:
                continue
        for position in range(flat.size) if some is None else some:
            exactly = float(exact[position])
            entries.append(compare_entry(function, array, position, exactly, name, eps, rtol, atol, precision))
    return entries


def weighted_sum(outputs: Sequence[np.ndarray], weights: Sequence[np.ndarray]) -> tuple[float, float]:
    """The weighted sum of all entries, and the sum of its terms' absolute values."""
    total = size = 0.0
    for output, weight in zip(outputs, weights, strict=True):
        if output.dtype.kind in "fc":
            terms = (np.conj(weight) * output).real if output.dtype.kind == "c" else weight * output
            total += float(terms.sum())
            size += float(np.abs(terms).sum())
    return total, size
