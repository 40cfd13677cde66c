"""Orthogonal polynomials, each family a row of one table: the first two, and the recurrence of the rest.

As PyTorch's they have no gradient.

Source: https://docs.pytorch.org/docs/stable/special.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import to_numpy
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.inputs import broadcasting, integers, real
from tinygrad_dl.ops._rows import Binary, declare

Terms = Callable[[Any, int], tuple[Any, float]]


def polynomial(x: Any, n: Any, first: Any, terms: Terms) -> Any:
    """The polynomials of the degrees `n` at `x`: 1, `first(x)`, and p[k+1] = a * p[k] - b * p[k-1], a and b of `terms`.

    Degrees are cut to integers; below 0, and of what is no number, the polynomial is 0. The recurrence loses
    digits, so single precision is computed in double.
    """
    if x.dtype == np.float32:
        with np.errstate(over="ignore"):
            return polynomial(x.astype(np.float64), n, first, terms).astype(np.float32)
    x, n = np.broadcast_arrays(x, np.trunc(n))
    out = np.zeros_like(x)
    degrees = to_numpy(n)  # that many rounds are to be made
    wanted = np.unique(degrees[np.isfinite(degrees) & (degrees >= 0)])
    before, now = np.zeros_like(x), np.ones_like(x)
    for k in range(int(wanted[-1]) + 1 if wanted.size else 0):
        if k in wanted:
            np.copyto(out, now, where=n == k)
        if k == 0:
            before, now = now, first(x)
        else:
            a, b = terms(x, k)
            before, now = now, a * now - b * before
    return out


def family(name: str, letter: str, what: str, first: Any, terms: Terms, example: str, naive: Any) -> Binary:
    """A family of polynomials, `td.special.<name>(input, n)`: see `polynomial`."""

    def body(input: Array, n: Array) -> Array:
        """Left to `polynomial`."""
        return polynomial(input, n, first, terms)

    declared = {
        "name": name,
        "floating": True,
        "method": False,
        "real": True,
        "scalars": "some",
        "inputs": [broadcasting(real(-1.5, 1.5), integers(-1, 7))],
        "reference": lambda input, n: _naive(naive, input, n),
    }
    made: Any = declare(body, [], what, "", {}, declared)
    made.__doc__ = f"""{what}

    Args:
        input: the point, a tensor, array or number; integers become the default floating dtype.
        n: the degree, which broadcasts with it; cut to an integer, 0 gives 1 and what is below 0 gives 0.

    Returns:
        {letter}_n(input), a tensor of the broadcast shape, which has no gradient.

    >>> td.special.{name}(td.tensor(0.5), td.tensor([0, 1, 2, 3]))
    tensor({example})
    """
    return made  # type: ignore[no-any-return]


def twice(x: Any, k: int) -> tuple[Any, float]:
    """Chebyshev's recurrence, of all kinds."""
    return 2 * x, 1


def shifted(first: Any) -> Any:
    """A first polynomial at 2 * x - 1, which takes [0, 1] to [-1, 1]."""
    return lambda x: first(2 * x - 1)


def _naive(of_angle: Any, x: np.ndarray, n: np.ndarray) -> np.ndarray:
    """`of_angle(x, n)` for each element; 0 below degree 0."""
    found: np.ndarray = np.vectorize(lambda x, n: of_angle(x, int(n)) if n >= 0 else 0.0, otypes=[float])(x, n)
    return found


def _series(value: Any) -> Any:
    """The polynomial of one degree by NumPy's series."""
    return lambda x, n: value(x, [0.0] * n + [1.0])


def _at(of_angle: Any) -> Any:
    return lambda x, n: of_angle(2 * x - 1, n)


def T(x: float, n: int) -> float:
    """The first kind: cos(n * t) for x = cos(t), of complex angles outside of [-1, 1]."""
    return float(np.cos(n * np.arccos(complex(x))).real)


def U(x: float, n: int) -> float:
    """The second kind, a sum of the first."""
    return sum((2 - (k == 0)) * T(x, k) for k in range(n % 2, n + 1, 2))


def V(x: float, n: int) -> float:
    """The third kind, a difference of the second."""
    return U(x, n) - U(x, n - 1)


def W(x: float, n: int) -> float:
    """The fourth kind, a sum of the second."""
    return U(x, n) + U(x, n - 1)


# fmt: off
chebyshev_polynomial_t = family("chebyshev_polynomial_t", "T", "Chebyshev polynomials of the first kind.",
    lambda x: x, twice, "[ 1.0000,  0.5000, -0.5000, -1.0000]", T)
chebyshev_polynomial_u = family("chebyshev_polynomial_u", "U", "Chebyshev polynomials of the second kind.",
    lambda x: 2 * x, twice, "[ 1.,  1.,  0., -1.]", U)
chebyshev_polynomial_v = family("chebyshev_polynomial_v", "V", "Chebyshev polynomials of the third kind.",
    lambda x: 2 * x - 1, twice, "[ 1.,  0., -1., -1.]", V)
chebyshev_polynomial_w = family("chebyshev_polynomial_w", "W", "Chebyshev polynomials of the fourth kind.",
    lambda x: 2 * x + 1, twice, "[ 1.,  2.,  1., -1.]", W)
shifted_chebyshev_polynomial_t = family("shifted_chebyshev_polynomial_t", "T*",
    "Chebyshev polynomials of the first kind at 2 * input - 1.",
    shifted(lambda x: x), lambda x, k: (4 * x - 2, 1), "[ 1.,  0., -1., -0.]", _at(T))
shifted_chebyshev_polynomial_u = family("shifted_chebyshev_polynomial_u", "U*",
    "Chebyshev polynomials of the second kind at 2 * input - 1.",
    shifted(lambda x: 2 * x), lambda x, k: (4 * x - 2, 1), "[ 1.,  0., -1., -0.]", _at(U))
shifted_chebyshev_polynomial_v = family("shifted_chebyshev_polynomial_v", "V*",
    "Chebyshev polynomials of the third kind at 2 * input - 1.",
    shifted(lambda x: 2 * x - 1), lambda x, k: (4 * x - 2, 1), "[ 1., -1., -1.,  1.]", _at(V))
shifted_chebyshev_polynomial_w = family("shifted_chebyshev_polynomial_w", "W*",
    "Chebyshev polynomials of the fourth kind at 2 * input - 1.",
    shifted(lambda x: 2 * x + 1), lambda x, k: (4 * x - 2, 1), "[ 1.,  1., -1., -1.]", _at(W))
hermite_polynomial_h = family("hermite_polynomial_h", "H",
    "Hermite polynomials of physics, orthogonal with the weight exp(-input**2).",
    lambda x: 2 * x, lambda x, k: (2 * x, 2 * k), "[ 1.,  1., -1., -5.]",
    _series(np.polynomial.hermite.hermval))
hermite_polynomial_he = family("hermite_polynomial_he", "He",
    "Hermite polynomials of statistics, orthogonal with the weight exp(-input**2 / 2).",
    lambda x: x, lambda x, k: (x, k), "[ 1.0000,  0.5000, -0.7500, -1.3750]",
    _series(np.polynomial.hermite_e.hermeval))
laguerre_polynomial_l = family("laguerre_polynomial_l", "L",
    "Laguerre polynomials, orthogonal with the weight exp(-input) from 0 on.",
    lambda x: 1 - x, lambda x, k: ((2 * k + 1 - x) / (k + 1), k / (k + 1)), "[ 1.0000,  0.5000,  0.1250, -0.1458]",
    _series(np.polynomial.laguerre.lagval))
legendre_polynomial_p = family("legendre_polynomial_p", "P",
    "Legendre polynomials, orthogonal on [-1, 1].",
    lambda x: x, lambda x, k: ((2 * k + 1) / (k + 1) * x, k / (k + 1)), "[ 1.0000,  0.5000, -0.1250, -0.4375]",
    _series(np.polynomial.legendre.legval))
# fmt: on
