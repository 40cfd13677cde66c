"""The error function, its complement and its inverse; the normal distribution's, which are made of it."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import real
from tinygrad_dl.ops._scipy import of_scipy
from tinygrad_dl.ops.pointwise._error_function import erf_of, erfc_of, erfinv_of


@op(
    kind="elementwise",
    floating=True,
    inplace=True,
    real=True,
    reference=lambda input: np.vectorize(math.erf, otypes=[float])(input),
)
def erf(input: Array) -> Array:
    """The error function 2/sqrt(pi) * integral of exp(-t*t) from 0 to input, to the last digits of the dtype.

    >>> td.erf(td.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8427])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.erf.html and W. J. Cody (1969), see
    `error_function`.
    """
    return erf_of(input)


erf.vjp(input=lambda g, input: g * (np.exp(np.negative(input * input)) * (2 / math.sqrt(math.pi))))


@op(
    kind="elementwise",
    floating=True,
    inplace=True,
    real=True,
    reference=lambda input: np.vectorize(math.erfc, otypes=[float])(input),
)
def erfc(input: Array) -> Array:
    """1 - erf(input), exact where that difference is tiny too.

    >>> td.erfc(td.tensor([0.0, 5.0]))
    tensor([1.0000e+00, 1.5375e-12])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.erfc.html and W. J. Cody (1969), see
    `error_function`.
    """
    return erfc_of(input)


erfc.vjp(input=lambda g, input: g * (np.exp(np.negative(input * input)) * (-2 / math.sqrt(math.pi))))


@op(
    kind="elementwise",
    changeable=True,
    floating=True,
    inplace=True,
    real=True,
    inputs={"input": real(-0.95, 0.95)},
    reference=lambda input: np.vectorize(_naive_erfinv, otypes=[float])(input),
)
def erfinv(input: Array) -> Array:
    """The inverse of `erf`: infinite at -1 and 1, nan outside.

    >>> td.erfinv(td.tensor([0.0, 0.5]))
    tensor([0.0000, 0.4769])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.erfinv.html; S. Winitzki, "A handy approximation for
    the error function and its inverse" (2008), and Halley's steps from there.
    """
    return erfinv_of(input)


erfinv.vjp(input=lambda g, out: g * (np.exp(out * out) * (math.sqrt(math.pi) / 2)))


def _naive_erfinv(x: float) -> float:
    """By halving the interval."""
    low, high = -10.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < x else (low, middle)
    return low


# fmt: off
erfcx = of_scipy("erfcx", "erfcx", "exp(input**2) * erfc(input), without underflow; SciPy computes it.",
    "[0.0, 100.0] -> [1.0000, 0.0056]", lambda g, input, out: g * (input * out * 2 - 2 / math.sqrt(math.pi)),
    real(-2.0, 4.0), reference=lambda input: np.exp(input**2) * np.vectorize(math.erfc, otypes=[float])(input))
log_ndtr = of_scipy("log_ndtr", "log_ndtr", "The logarithm of `ndtr`, without underflow; SciPy computes it.",
    "[0.0, -40.0] -> [-6.9315e-01, -8.0461e+02]",
    lambda g, input: g * (math.sqrt(2 / math.pi) / erfcx.generic(input * -math.sqrt(0.5))), real(-6.0, 4.0),
    reference=lambda input: np.vectorize(_naive_log_ndtr, otypes=[float])(input))
ndtri = of_scipy("ndtri", "ndtri", "The inverse of `ndtr`, a quantile: infinite at 0 and 1; SciPy computes it.",
    "[0.5, 0.975] -> [0.0000, 1.9600]",
    lambda g, out: g * (np.exp(out * out * 0.5) * math.sqrt(2 * math.pi)), real(0.05, 0.95),
    reference=lambda input: np.vectorize(NormalDist().inv_cdf, otypes=[float])(input))
# fmt: on


@composition
def ndtr(input: Tensor) -> Tensor:
    """The distribution function of the standard normal distribution: erfc(-input / sqrt(2)) / 2.

    >>> td.special.ndtr(td.tensor([0.0, 1.96]))
    tensor([0.5000, 0.9750])
    """
    return erfc(input * -math.sqrt(0.5)) * 0.5


def _naive_log_ndtr(x: float) -> float:
    """Of the smaller side."""
    tail = math.erfc(abs(x) / math.sqrt(2)) / 2
    return math.log(tail) if x < 0 else math.log1p(-tail)
