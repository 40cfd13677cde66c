"""softplus and softsign."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops.activation.relu import ZERO
from tinygrad_dl.ops.activation.sigmoid import sigmoid


@op(
    kind="elementwise",
    floating=True,
    namespace="functional",
    real=True,
    inputs={"input": real(), "beta": one_of(1.0, 2.0), "threshold": one_of(20.0)},
    reference=lambda input, beta=1.0, threshold=20.0: np.log1p(np.exp(beta * input)) / beta,
)
def softplus(input: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """log(1 + exp(beta * input)) / beta, a smooth relu, computed without overflow.

    Args:
        threshold: where beta * input is above it, the result is the input. From 20 on that is what the formula
            says to seven digits, so it only matters when it is lower.

    >>> td.nn.functional.softplus(td.tensor([0.0, 1000.0]))
    tensor([6.9315e-01, 1.0000e+03])
    """
    x = input
    if beta != 1:
        with np.errstate(over="ignore"):  # only exp(-|x|) is wanted of it
            x = input * beta
    out = np.log1p(np.exp(np.negative(np.absolute(x))))
    if beta != 1:
        out = out / beta
    out = (np.maximum if beta > 0 else np.minimum)(input, ZERO[x.dtype] if type(x) is np.ndarray else 0) + out
    return np.where(x > threshold, input, out) if threshold < 20 else out


def softplus_slope(g: Any, input: Any, beta: float, threshold: float) -> Any:
    """g * sigmoid(beta * input); above the threshold, g."""
    x = input if beta == 1 else input * beta
    slope = g * sigmoid.generic(x)
    return np.where(x > threshold, g, slope) if threshold < 20 else slope


softplus.vjp(input=softplus_slope)


@op(
    kind="elementwise",
    name="softsign",
    floating=True,
    namespace="functional",
    real=True,
    inputs={"input": real(avoid=(0.0,))},
    reference=lambda input: input / (1 + np.abs(input)),
)
def real_softsign(input: Array) -> Array:
    """The op of `softsign`."""
    return input / (np.absolute(input) + 1)


real_softsign.vjp(input=lambda g, input: g * np.square(1 / (np.absolute(input) + 1)))


@overload(real_softsign)
@composition
def softsign(input: Array) -> Tensor:
    """input / (1 + |input|), of complex numbers too.

    >>> td.nn.functional.softsign(td.tensor([-1.0, 0.0, 3.0]))
    tensor([-0.5000,  0.0000,  0.7500])
    """
    complexes = isinstance(input, Tensor) and input.is_complex()
    result: Tensor = input / (abs(input) + 1) if complexes else real_softsign(input)
    return result
