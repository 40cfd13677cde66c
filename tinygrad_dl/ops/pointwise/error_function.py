"""The error function and its complement."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.ops.pointwise._error_function import erf_of, erfc_of


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
