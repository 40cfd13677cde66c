"""erf and erfc for arrays, which NumPy lacks; the ops are in `exponential`.

float64: the rational approximations of W. J. Cody, "Rational Chebyshev approximations for the error function",
Mathematics of Computation 23 (1969), https://doi.org/10.1090/S0025-5718-1969-0247736-4, good to the last digits.

float32: erf(x) = tanh(x * p(x*x) / q(x*x)). The odd function atanh(erf(x)) is smooth, so polynomials of degree 3,
fitted here by weighted least squares to a relative error of 3.4e-9, are all it takes beside NumPy's fast tanh.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand
from tinygrad_dl.core.promotion import FLOAT32, FLOAT64

# Cody's coefficients, highest power first: numerators and denominators (after the leading 1).
NEAR = (
    (0.185777706184603153, 3.16112374387056560, 113.864154151050156, 377.485237685302021, 3209.37758913846947),
    (23.6012909523441209, 244.024637934444173, 1282.61652607737228, 2844.23683343917062),
)
MIDDLE = (
    (
        2.15311535474403846e-8,
        0.564188496988670089,
        8.88314979438837594,
        66.1191906371416295,
        298.635138197400131,
        881.952221241769090,
        1712.04761263407058,
        2051.07837782607147,
        1230.33935479799725,
    ),
    (
        15.7449261107098347,
        117.693950891312499,
        537.181101862009858,
        1621.38957456669019,
        3290.79923573345963,
        4362.61909014324716,
        3439.36767414372164,
        1230.33935480374942,
    ),
)
FAR = (
    (
        0.0163153871373020978,
        0.305326634961232344,
        0.360344899949804439,
        0.125781726111229246,
        0.0160837851487422766,
        6.58749161529837803e-4,
    ),
    (2.56852019228982242, 1.87295284992346725, 0.527905102951428412, 0.0605183413124413191, 2.33520497626869185e-3),
)
NEAR_END, MIDDLE_END, UNDERFLOW = 0.46875, 4.0, 28.0
# The float32 fit, highest power of x*x first.
# As arrays: NumPy takes a Python number in twice the time.
FIT_P = [
    np.array(c, np.float32) for c in (0.002178279359762673, 0.042646535378025686, 0.2798068162087459, 1.12837917084876)
]
FIT_Q = [np.array(c, np.float32) for c in (0.0003249238566563076, 0.0236899083750131, 0.1568925667188368, 1.0)]
BLOCK = 32768  # elements at a time, so that the many steps stay in the cache


def horner(x: Any, coefficients: Sequence[Any], leading_one: bool = False) -> Any:
    """A polynomial in x, highest power first; `leading_one` says that a coefficient 1 comes before them."""
    if leading_one:
        value, rest = x + coefficients[0], coefficients[1:]
    else:
        value, rest = x * coefficients[0] + coefficients[1], coefficients[2:]
    for coefficient in rest:
        value *= x
        value += coefficient
    return value


def near(x: Any) -> Any:
    """erf for |x| <= 0.46875."""
    square = x * x
    return x * (horner(square, NEAR[0]) / horner(square, NEAR[1], leading_one=True))


def gaussian(x: Any) -> Any:
    """exp(-x*x) to the last digits: the square of x rounded to sixteenths is exact."""
    coarse = np.floor(x * 16.0) * 0.0625
    return np.exp(-coarse * coarse) * np.exp((coarse - x) * (x + coarse))


def middle(x: Any) -> Any:
    """erfc for x from 0.46875 to 4."""
    return gaussian(x) * (horner(x, MIDDLE[0]) / horner(x, MIDDLE[1], leading_one=True))


def far(x: Any) -> Any:
    """erfc for x from 4."""
    square = 1.0 / (x * x)
    series = square * (horner(square, FAR[0]) / horner(square, FAR[1], leading_one=True))
    return gaussian(x) * ((1.0 / math.sqrt(math.pi) - series) / x)


def erf_double(x: np.ndarray) -> Any:
    """erf of a flat float64 array."""
    size = np.absolute(x)
    inner = size <= NEAR_END
    if at_hand(inner) and inner.all():
        return near(x)
    # Beyond 6, 1 - erfc is 1; up to there the middle formula is exact enough for that difference.
    out = np.copysign(1.0 - middle(np.clip(size, NEAR_END, 6.0)), x)
    fill(out, inner, near, x)
    return out


def erfc_double(x: np.ndarray) -> Any:
    """erfc of a flat float64 array, with all digits in the tail too."""
    size = np.minimum(np.absolute(x), UNDERFLOW)
    out = np.empty_like(x)
    out[:] = np.nan
    for low, high, formula in ((NEAR_END, MIDDLE_END, middle), (MIDDLE_END, math.inf, far)):
        fill(out, (size > low) & (size <= high), formula, size)
    out = np.where(x < 0, 2.0 - out, out)
    fill(out, size <= NEAR_END, lambda inner: 1.0 - near(inner), x)
    return out


def fill(out: np.ndarray, chosen: np.ndarray, formula: Any, x: np.ndarray) -> None:
    """Writes a formula of the chosen elements of `x` in their places, and computes it for these alone if it can."""
    if not at_hand(x):
        np.copyto(out, formula(np.where(chosen, x, 1)), where=chosen)
        return
    places = np.flatnonzero(chosen)
    if len(places):
        out[places] = formula(x[places])


def erf_single(x: np.ndarray) -> Any:
    """erf of a flat float32 array; beyond 4 it is 1, and so is the tanh from 4.5 on."""
    x = x.clip(-4.5, 4.5)
    square = x * x
    plain = not at_hand(x)  # whose module takes numbers, no arrays of NumPy's
    x *= horner(square, [c.item() for c in FIT_P] if plain else FIT_P)
    x /= horner(square, [c.item() for c in FIT_Q] if plain else FIT_Q)
    return np.tanh(x, out=x)


def in_blocks(x: np.ndarray, single: Any, double: Any) -> Any:
    """A function of flat arrays on an array of any shape and floating dtype, a block at a time."""
    if x.dtype is not FLOAT64 and x.dtype is not FLOAT32:
        return in_blocks(x.astype(FLOAT64), single, double).astype(x.dtype)
    function = double if x.dtype is FLOAT64 else single
    flat = x.reshape(-1)
    if len(flat) <= BLOCK or not at_hand(x):
        out = function(flat)
    else:
        out = np.empty_like(flat)
        for start in range(0, len(flat), BLOCK):
            out[start : start + BLOCK] = function(flat[start : start + BLOCK])
    return out.reshape(x.shape)


def erf_of(x: np.ndarray) -> Any:
    """erf of an array, in its dtype."""
    return in_blocks(x, erf_single, erf_double)


def erfc_of(x: np.ndarray) -> Any:
    """erfc of an array, in its dtype."""
    return in_blocks(x, lambda flat: erfc_double(flat.astype(FLOAT64)).astype(FLOAT32), erfc_double)


def erfinv_of(x: np.ndarray) -> np.ndarray:
    """The inverse of the error function, in float64 inside."""
    size = np.minimum(np.absolute(x).astype(np.float64), 1.0)
    rest = 1.0 - size  # exact: what is small near 1 keeps its digits
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log = np.log(rest * (1.0 + size))
        half = log / 2 + 2 / (math.pi * 0.147)
        y = np.sqrt(np.sqrt(half * half - log / 0.147) - half)
        for _ in range(3):
            # The error, of erf where the result is small, of erfc where erf would have lost its digits.
            error = np.where(size < 0.5, erf_of(y) - size, rest - erfc_of(y))
            step = error * np.exp(y * y) * (math.sqrt(math.pi) / 2)
            y = y - step / (1 + y * step)
    y = np.where(rest == 0, np.inf, y)
    found = np.where(np.absolute(x) > 1, np.nan, np.copysign(y, x))
    return np.where(np.isnan(x), x, found).astype(x.dtype, copy=False)
