"""Polynomials as their coefficients, the highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import wrap
from tinygrad_dl.ops._numpy.arguments import as_tensor, floating, numbers
from tinygrad_dl.ops._numpy.linalg import least_squares
from tinygrad_dl.ops._numpy.series import convolve
from tinygrad_dl.ops.linalg.eig import eigvals
from tinygrad_dl.ops.linalg.vectors import vander
from tinygrad_dl.ops.shape.joining import cat


def coefficients(p: Any) -> Any:
    """A polynomial as a tensor of one dimension; a number is one of degree 0."""
    return np.atleast_1d(as_tensor(np.asarray(p) if isinstance(p, np.poly1d) else p))


def shortened(p: Any) -> Any:
    """A polynomial without the zeros in front, except the last."""
    p = coefficients(p)
    there = np.flatnonzero(numbers(p))
    return p[int(there[0]) :] if len(there) else as_tensor(np.zeros(1, p.dtype))


def polyval(p: Any, x: Any) -> Any:
    """np.polyval: by Horner's rule."""
    p = coefficients(p)
    if isinstance(x, np.poly1d):
        x = as_tensor(np.asarray(x))
    x = as_tensor(x)
    found = np.zeros_like(x)
    for i in range(len(p)):
        found = found * x + p[i]
    return found


def added(sign: int) -> Any:
    """np.polyadd or np.polysub: zeros in front of the shorter one."""

    def found(a1: Any, a2: Any) -> Any:
        a, b = coefficients(a1), coefficients(a2)
        most = max(len(a), len(b))
        a, b = (np.pad(each, (most - len(each), 0)) for each in (a, b))
        return a + b if sign > 0 else a - b

    return found


def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """np.polydiv: quotient and remainder, by long division."""
    u, v = (floating(coefficients(each)) for each in (u, v))
    m, n = len(u) - 1, len(v) - 1
    scale, rest, found = 1.0 / v[0], u, []
    for k in range(m - n + 1):
        found.append(scale * rest[k])
        rest = cat([rest[:k], rest[k : k + n + 1] - found[-1] * v, rest[k + n + 1 :]], 0)
    first = 0
    while first < len(rest) - 1 and np.allclose(numbers(rest[first]), 0, rtol=1e-14):
        first += 1
    return (np.stack(found) if found else np.zeros_like(u, shape=(max(m - n + 1, 1),))), rest[first:]


def polyder(p: Any, m: int = 1) -> Any:
    """np.polyder: the m-th derivative."""
    if m < 0:
        raise ValueError(f"got m={m}, expected at least 0; see np.polyint")
    p = coefficients(p)
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """np.polyint: the m-th antiderivative, `k` the constants of integration."""
    if m < 0:
        raise ValueError(f"got m={m}, expected at least 0; see np.polyder")
    p, constants = coefficients(p), np.atleast_1d(as_tensor(0.0 if k is None else k))
    if len(constants) == 1 and m > 1:
        constants = np.repeat(constants, m)
    if len(constants) < m:
        raise ValueError(f"got {len(constants)} constants of integration, expected one or {m}")
    for i in range(m):
        p = cat([p / np.arange(len(p), 0, -1), constants[i : i + 1]], 0)
    return p


def polyfit(x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False) -> Any:
    """np.polyfit: by least squares, with gradients to the points and their weights."""
    x, y = floating(x), floating(y)
    order = int(deg) + 1
    if order < 1 or x.ndim != 1 or not len(x) or y.ndim not in (1, 2) or len(x) != len(y):
        raise TypeError(
            f"got shapes {x.shape} and {y.shape}, degree {deg}, expected (n,) with (n,) or (n, k), and 0 or more"
        )
    rcond = len(x) * np.finfo(x.dtype).eps if rcond is None else rcond
    left, right = vander(x, order), y
    if w is not None:
        w = floating(w)
        left, right = left * w[:, None], right * (w[:, None] if y.ndim == 2 else w)
    scale = np.sqrt(np.sum(left * left, 0))
    found, residuals, rank, values = least_squares(left / scale, right, rcond)
    found = (found.T / scale).T
    if full:
        return found, residuals, rank, values, rcond
    if not cov:
        return found
    spread: Any = np.linalg.inv(np.matmul(left.T, left))
    factor: Any = 1.0
    if cov != "unscaled":
        if len(x) <= order:
            raise ValueError(f"got {len(x)} points, expected more than {order} to scale the covariance matrix")
        factor = residuals / (len(x) - order)
    return found, spread * factor if y.ndim == 1 else spread[:, :, None] * factor


def poly(seq_of_zeros: Any) -> Any:
    """np.poly: the polynomial that has these zeros, or a matrix's characteristic one."""
    zeros: Any = np.atleast_1d(as_tensor(seq_of_zeros))
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] and len(zeros):
        zeros = eigvals(floating(zeros))
    elif zeros.ndim != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    found = as_tensor(np.ones(1, np.result_type(zeros.dtype, np.float64) if zeros.dtype.kind in "biu" else zeros.dtype))
    for i in range(len(zeros)):
        found = convolve(found, cat([np.ones_like(zeros[i : i + 1]), -zeros[i : i + 1]], 0).astype(found.dtype))
    plain = numbers(zeros)
    paired = plain.dtype.kind == "c" and np.allclose(np.sort(plain), np.sort(plain.conj()), rtol=1e-12)
    return np.real(found) if paired else found


def roots(p: Any) -> Any:
    """np.roots: the eigenvalues of the companion matrix, complex in any case."""
    p = coefficients(p)
    if p.ndim != 1:
        raise ValueError("Input must be a rank-1 array.")
    there = np.flatnonzero(numbers(p))
    if not len(there):
        return wrap(np.zeros(0))
    behind = len(p) - int(there[-1]) - 1
    p = floating(p[int(there[0]) : int(there[-1]) + 1])
    count = len(p) - 1
    found = wrap(np.zeros(0, np.result_type(p.dtype, np.complex64)))
    if count:
        below = module_of(p).eye(count, k=-1, dtype=p.dtype)[1:]
        found = eigvals(cat([(-p[1:] / p[0])[None], as_tensor(below)], 0))
    return cat([found, as_tensor(module_of(found).zeros(behind, found.dtype))], 0)


NUMPY[np.polyval], NUMPY[np.polyadd], NUMPY[np.polysub] = polyval, added(1), added(-1)
NUMPY[np.polymul] = lambda a1, a2: convolve(shortened(a1), shortened(a2))
NUMPY[np.polydiv], NUMPY[np.polyder], NUMPY[np.polyint] = polydiv, polyder, polyint
NUMPY[np.polyfit], NUMPY[np.poly], NUMPY[np.roots] = polyfit, poly, roots
