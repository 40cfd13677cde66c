"""The error function, its complement and its inverse."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import real
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
