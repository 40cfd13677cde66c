"""sigmoid and its logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.backends.blocks import blockwise, is_large
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.ops._owned import add_
from tinygrad_dl.ops.activation.relu import ZERO
from tinygrad_dl.ops.pointwise._selection import LARGE

# Of each dtype: where exp is cut off, from which on the quotient is 1 anyway; and one.
LOGISTIC = {x.dtype: (x, module_of(x).ones((), x.dtype)) for x in (np.array(87.0, np.float32), np.array(708.0))}


def logistic_into(out: np.ndarray, x: np.ndarray) -> None:
    """1 / (1 + exp(-x)), into `out`."""
    np.negative(x, out=out)
    np.exp(out, out=out)
    out += 1
    np.divide(1, out, out=out)


def logistic(x: np.ndarray) -> Any:
    """1 / (1 + exp(-x)) for arrays."""
    constants = LOGISTIC.get(x.dtype)
    if constants is None or x.size >= LARGE or x.ndim == 0 or type(x) is not np.ndarray:
        with np.errstate(over="ignore"):  # where exp overflows, the quotient is 0, as it should be
            if is_large(x):
                return blockwise(logistic_into, x)[0]
            e: Any = np.negative(x)
            e = add_(np.exp(e, out=e) if x.ndim else np.exp(e), 1)
            return np.divide(1, e, out=e) if x.ndim else 1 / e
    # On small arrays errstate would take longer than all the rest. exp(x) / (exp(x) + 1) overflows for large x alone,
    # and two calls fewer cut it off than in the form above.
    limit, one = constants
    e = np.minimum(x, limit)
    np.exp(e, e)
    e /= e + one
    return e


@op(kind="elementwise", floating=True, inplace=True, reference=lambda input: 1 / (1 + np.exp(-input)))
def sigmoid(input: Array) -> Array:
    """1 / (1 + exp(-input)), between 0 and 1.

    >>> td.sigmoid(td.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """
    return logistic(input)


def sigmoid_slope(g: Any, out: Any) -> Any:
    """g * (out - out * out)."""
    if type(g) is np.ndarray and g.size >= LARGE and all(is_large(x) and x.dtype == g.dtype for x in (g, out)):
        return blockwise(_slope_into, g, out)[0]
    return g * (out - out * out)


def _slope_into(slope: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
    np.multiply(out, out, out=slope)
    np.subtract(out, slope, out=slope)
    slope *= g


expit = sigmoid
sigmoid.vjp(input=sigmoid_slope)


@op(
    kind="elementwise",
    floating=True,
    namespace="functional",
    real=True,
    reference=lambda input: -np.log1p(np.exp(-input)),
)
def logsigmoid(input: Array) -> Array:
    """log(sigmoid(input)) = min(input, 0) - log1p(exp(-|input|)), exact where sigmoid underflows.

    >>> td.nn.functional.logsigmoid(td.tensor([0.0, -1000.0]))
    tensor([-6.9315e-01, -1.0000e+03])
    """
    return np.minimum(input, ZERO[input.dtype] if type(input) is np.ndarray else 0) - np.log1p(
        np.exp(np.negative(np.absolute(input)))
    )


logsigmoid.vjp(input=lambda g, input: g * sigmoid.generic(np.negative(input)))
