"""The gamma function, its derivatives, incomplete and multivariate ones, zeta, by SciPy (`tinygrad_dl[special]`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.errors import ArgumentError, ArgumentTypeError
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.methods import inplace_form
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import arange
from tinygrad_dl.inputs import array, broadcasting, error, one_of, real
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops._scipy import special

# Above 0, and on both sides of the poles at 0, -1, -2.
SMOOTH = [{"input": real(0.1, 8.0)}, {"input": real(-2.4, 3.0, avoid=(0.0, -1.0, -2.0))}]


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
    return special(input).polygamma(n, input).astype(input.dtype, copy=False)


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
attach("polygamma_", inplace_form(_method, "polygamma_"))


def _incomplete_slope(g: Any, input: Any, other: Any) -> Any:
    """g * exp((input - 1) * log(other) - other - lgamma(input)): the integrand at its upper end."""
    return g * np.exp((input - 1) * np.log(other) - other - lgamma.generic(input))


def _naive_igamma(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """By the series of rising powers."""
    term = total = 1 / a
    for k in range(1, 80):
        term = term * x / (a + k)
        total = total + term
    result: np.ndarray = total * np.exp(a * np.log(x) - x - np.vectorize(math.lgamma, otypes=[float])(a))
    return result


INCOMPLETE = broadcasting(real(0.3, 4.0), real(0.2, 6.0))


@op(
    kind="elementwise",
    floating=True,
    inplace=True,
    real=True,
    constants=("input",),
    scalars="none",
    inputs=INCOMPLETE,
    reference=lambda input, other: _naive_igamma(input, other),
)
def igamma(input: Array, other: Array) -> Array:
    """The regularised lower incomplete gamma function.

    The integral of t**(input - 1) * exp(-t) from 0 to `other`, divided by the gamma function of `input`.

    Args:
        input: the parameter, 0 or more, which can't require a gradient.
        other: the end of the integral, 0 or more, whose shape broadcasts with it.

    Returns:
        A tensor of the broadcast shape, from 0 to 1; nan where an argument is negative.

    >>> td.igamma(td.tensor([1.0, 2.0]), td.tensor([1.0, 1.0]))
    tensor([0.6321, 0.2642])
    """
    return special().gammainc(input, other)


@op(
    kind="elementwise",
    floating=True,
    inplace=True,
    real=True,
    constants=("input",),
    scalars="none",
    inputs=INCOMPLETE,
    reference=lambda input, other: 1 - _naive_igamma(input, other),
)
def igammac(input: Array, other: Array) -> Array:
    """The regularised upper incomplete gamma function, 1 - igamma(input, other), exact where that is tiny too.

    >>> td.igammac(td.tensor([1.0, 2.0]), td.tensor([1.0, 1.0]))
    tensor([0.3679, 0.7358])
    """
    return special().gammaincc(input, other)


igamma.vjp(other=_incomplete_slope)
igammac.vjp(other=lambda g, input, other: np.negative(_incomplete_slope(g, input, other)))


@method
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension `p`:
    p * (p - 1) / 4 * log(pi) + the sum of lgamma(input - k / 2) for k from 0 to p - 1.

    Raises:
        ValueError: `p` is below 1.
        TypeError: `input` holds bools.

    >>> td.mvlgamma(td.tensor([2.0, 3.0]), 2)
    tensor([0.4516, 1.5502])
    """
    if p < 1:
        raise ArgumentError(f"mvlgamma: got p={p}, expected a dimension, 1 or more")
    if input.dtype.kind == "b":
        raise ArgumentTypeError("mvlgamma: got a bool tensor, expected numbers; convert it first, with .float()")
    steps = arange(p, dtype=input.dtype if input.is_floating_point() else None) * 0.5
    return lgamma(input.unsqueeze(-1) - steps).sum(-1) + p * (p - 1) / 4 * math.log(math.pi)


attach("mvlgamma_", inplace_form(mvlgamma, "mvlgamma_"))


@op(
    kind="elementwise",
    floating=True,
    method=False,
    real=True,
    constants=("input",),
    scalars="some",
    inputs=broadcasting(real(1.5, 5.0), real(0.3, 5.0)),
    reference=lambda input, other: _naive_zeta(input, other),
)
def zeta(input: Array, other: Array) -> Array:
    """The Hurwitz zeta function: the sum of (k + other) ** -input over k = 0, 1, 2, ...

    Args:
        input: the exponent, above 1, which can't require a gradient; nan below.
        other: what is added; infinite at 0, -1, -2, ...

    >>> td.special.zeta(td.tensor([2.0, 4.0]), td.tensor([1.0, 1.0]))
    tensor([1.6449, 1.0823])
    """
    return special(input).zeta(input, other)


zeta.vjp(other=lambda g, input, other: np.negative(g * (input * zeta.generic(input + 1, other))))
gammaln, psi, gammainc, gammaincc, multigammaln = lgamma, digamma, igamma, igammac, mvlgamma


def _naive_zeta(s: np.ndarray, q: np.ndarray) -> np.ndarray:
    """A thousand terms, and the integral in place of the rest (Euler and Maclaurin)."""
    terms = 1000
    s, q = np.broadcast_arrays(s, q)
    total = ((q[..., None] + np.arange(terms)) ** -s[..., None]).sum(-1)
    end = q + terms
    result: np.ndarray = total + end ** (1 - s) / (s - 1) + end**-s / 2 + s * end ** (-s - 1) / 12
    return result
