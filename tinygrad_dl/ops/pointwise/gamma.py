"""The logarithm of the gamma function, and its derivatives. SciPy computes them: pip install 'tinygrad_dl[special]'."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, error, one_of, real

# Above 0, and on both sides of the poles at 0, -1, -2.
SMOOTH = [{"input": real(0.1, 8.0)}, {"input": real(-2.4, 3.0, avoid=(0.0, -1.0, -2.0))}]


def special() -> Any:
    """SciPy's special functions."""
    try:
        from scipy import special
    except ImportError:
        raise ImportError("the gamma function needs SciPy: pip install 'tinygrad_dl[special]'") from None
    return special


@op(
    kind="elementwise",
    floating=True,
    method=False,
    real=True,
    inputs={"n": one_of(0, 1, 2, 3), "input": real(0.5, 5.0)},
    errors=[error(ValueError, "got n=-1", -1, array(2))],
    reference=lambda n, input: _naive_polygamma(n, input),
)
def polygamma(n: int, input: Array) -> Array:
    """The n-th derivative of `digamma`.

    >>> td.polygamma(1, td.tensor([1.0, 0.5]))
    tensor([1.6449, 4.9348])
    """
    if n < 0:
        raise ValueError(f"polygamma: got n={n}, expected the number of a derivative, 0 or more")
    return special().polygamma(n, input).astype(input.dtype, copy=False)


def polygamma_slope(g: Any, n: int, input: Any) -> Any:
    """g times the next derivative."""
    return g * polygamma.generic(n + 1, input)


polygamma.vjp(input=polygamma_slope)


@op(
    kind="elementwise",
    floating=True,
    inplace=True,
    real=True,
    inputs=SMOOTH,
    reference=lambda input: _naive_polygamma(0, input),
)
def digamma(input: Array) -> Array:
    """The derivative of `lgamma`.

    >>> td.digamma(td.tensor([1.0, 0.5]))
    tensor([-0.5772, -1.9635])
    """
    return special().psi(input)


digamma.vjp(input=lambda g, input: g * polygamma.generic(1, input))


@op(
    kind="elementwise",
    floating=True,
    inplace=True,
    real=True,
    inputs=SMOOTH,
    reference=lambda input: np.vectorize(math.lgamma, otypes=[float])(input),
)
def lgamma(input: Array) -> Array:
    """The logarithm of the absolute value of the gamma function; (n - 1)! is exp(lgamma(n)).

    >>> td.lgamma(td.tensor([1.0, 5.0, 0.5]))
    tensor([0.0000, 3.1781, 0.5724])
    """
    return np.where(input == -np.inf, np.inf, special().gammaln(input)).astype(input.dtype, copy=False)


lgamma.vjp(input=lambda g, input: g * digamma.generic(input))


def _naive_polygamma(n: int, x: np.ndarray) -> np.ndarray:
    """The sum that defines it, of a thousand terms, and the integral in place of the rest (Euler and Maclaurin)."""
    terms = 1000
    k, end = np.arange(terms), x + terms
    if n == 0:
        total: np.ndarray = np.log(end) - 0.5 / end - 1 / (12 * end**2) - (1 / (x[..., None] + k)).sum(-1)
        return total
    total = (1.0 / (x[..., None] + k) ** (n + 1)).sum(-1)
    rest = 1 / (n * end**n) + 0.5 / end ** (n + 1) + (n + 1) / (12 * end ** (n + 2))
    result: np.ndarray = (-1.0) ** (n + 1) * math.factorial(n) * (total + rest)
    return result


def _method(self: Tensor, n: int) -> Tensor:
    return polygamma(n, self)


_method.__name__ = _method.__qualname__ = "polygamma"
_method.__doc__ = "`td.polygamma(n, self)`."
attach("polygamma", _method)
