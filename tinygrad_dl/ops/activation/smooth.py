"""Activation functions: the ones with a formula of their own in NumPy; `nn.functional` hands them on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops._owned import plus, times
from tinygrad_dl.ops.pointwise.extremes import LARGE, keep, straight


class Zeros(dict[Any, Any]):
    """0 as an array of each floating dtype, which NumPy takes twice as fast as a Python number; of integers plain."""

    def __missing__(self, dtype: Any) -> int:
        if dtype.kind == "c":
            raise TypeError(f"expected real numbers, got dtype {dtype}: complex ones have no order")
        return 0


ZERO = Zeros({np.dtype(t): np.zeros((), t) for t in (np.float16, np.float32, np.float64)})

SMOOTH = {"input": real()}

# Beyond it the factors of x in silu, mish and their slopes are exactly 0 or 1: cutting x off here changes no
# result, and keeps inf * 0 out of them.
FAR = 1e4


def finish(input: Any, out: Any, inplace: bool, name: str) -> Any:
    """What an activation returns: its result, or its input with the result stored in it."""
    return input._assign(out, name) if inplace else out


def near(x: Any) -> Any:
    """The values cut off where nothing changes any more."""
    if type(x) is np.ndarray and x.size >= LARGE:
        return x.clip(-FAR, FAR)  # on large arrays clip is three times as fast as maximum
    return np.minimum(np.maximum(x, -FAR), FAR)


def gated(input: np.ndarray, gate: np.ndarray) -> Any:
    """input * gate, where gate is 0 far below zero."""
    out = input.clip(-FAR, math.inf) if input.size >= LARGE else np.maximum(input, -FAR)
    return times(out, gate)


# -- relu --------------------------------------------------------------------------------------------


@op(
    inplace=True,
    exact=True,
    inputs={"input": real(avoid=(0.0,))},
    reference=lambda input: np.where(input > 0, input, 0.0),
)
def relu(input: Array) -> Array:
    """max(input, 0); its gradient at 0 is 0.

    >>> import tinygrad_dl as td
    >>> td.relu(td.tensor([-1.0, 2.0]))
    tensor([0., 2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.relu.html
    """
    if input.size >= LARGE and input.dtype.kind == "f":
        return input.clip(0, math.inf)  # on large arrays clip is three times as fast as maximum
    return np.maximum(input, ZERO[input.dtype])


def relu_slope(g: Any, out: Any) -> Any:
    """g where the output is not 0 (positive, or nan), 0 elsewhere."""
    if type(g) is np.ndarray and g.size < LARGE:
        return np.where(out, g, ZERO[g.dtype])
    return straight(keep(g, out != 0), out)


relu.vjp(input=relu_slope)

# -- sigmoid and its kin -----------------------------------------------------------------------------


def _logistic_constants(limit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where exp is cut off, so that it and its inverse are normal numbers; one; and that inverse."""
    one = np.ones((), limit.dtype)
    return limit, one, np.asarray(one / (np.exp(limit) + one))


LOGISTIC = {x.dtype: _logistic_constants(x) for x in (np.array(87.0, np.float32), np.array(708.0))}


def logistic(x: np.ndarray) -> Any:
    """1 / (1 + exp(-x)) for arrays."""
    constants = LOGISTIC.get(x.dtype)
    e: Any = np.negative(x)
    if constants is None or x.size >= LARGE or x.ndim == 0:
        with np.errstate(over="ignore"):  # where exp overflows, the quotient is 0, as it should be
            e = plus(np.exp(e, out=e) if x.ndim else np.exp(e), 1)
            return np.divide(1, e, out=e) if x.ndim else 1 / e
    # On small arrays errstate would take longer than all the rest.
    limit, one, floor = constants
    np.minimum(e, limit, out=e)
    np.exp(e, e)
    np.add(e, one, e)
    np.divide(one, e, e)
    return np.subtract(e, floor, e)  # exactly 0 beyond the limit


@op(floating=True, inplace=True, inputs=SMOOTH, reference=lambda input: 1 / (1 + np.exp(-input)))
def sigmoid(input: Array) -> Array:
    """1 / (1 + exp(-input)), between 0 and 1.

    >>> import tinygrad_dl as td
    >>> td.sigmoid(td.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.sigmoid.html
    """
    return logistic(input)


sigmoid.vjp(input=lambda g, out: g * (out - out * out))


@op(
    method=False,
    floating=True,
    namespace="functional",
    real=True,
    inputs=SMOOTH,
    reference=lambda input: -np.log1p(np.exp(-input)),
)
def logsigmoid(input: Array) -> Array:
    """log(sigmoid(input)) = min(input, 0) - log1p(exp(-|input|)), exact where sigmoid underflows.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.logsigmoid(td.tensor([0.0, -1000.0]))
    tensor([-6.9315e-01, -1.0000e+03])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.logsigmoid.html
    """
    return np.minimum(input, ZERO[input.dtype]) - np.log1p(np.exp(np.negative(np.absolute(input))))


logsigmoid.vjp(input=lambda g, input: g * sigmoid.duck(np.negative(input)))


@op(
    method=False,
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

    >>> import tinygrad_dl as td
    >>> td.nn.functional.softplus(td.tensor([0.0, 1000.0]))
    tensor([6.9315e-01, 1.0000e+03])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softplus.html
    """
    x = input
    if beta != 1:
        with np.errstate(over="ignore"):  # only exp(-|x|) is wanted of it
            x = input * beta
    out = np.log1p(np.exp(np.negative(np.absolute(x))))
    if beta != 1:
        out = out / beta
    out = (np.maximum if beta > 0 else np.minimum)(input, ZERO[x.dtype]) + out
    return np.where(x > threshold, input, out) if threshold < 20 else out


def softplus_slope(g: Any, input: Any, beta: float, threshold: float) -> Any:
    """g * sigmoid(beta * input); above the threshold, g."""
    x = input if beta == 1 else input * beta
    slope = g * sigmoid.duck(x)
    return np.where(x > threshold, g, slope) if threshold < 20 else slope


softplus.vjp(input=softplus_slope)


@op(
    name="silu",
    method=False,
    floating=True,
    namespace="functional",
    aux={"gate": lambda input: sigmoid(input)},
    inputs=SMOOTH,
    reference=lambda input: input / (1 + np.exp(-input)),
)
def swish(input: Array) -> Array:
    """input * sigmoid(input)."""
    gate = logistic(input)
    return gated(input, gate), gate


def swish_slope(g: Any, out: Any, gate: Any) -> Any:
    """g * (gate + out * (1 - gate)) with gate = sigmoid(input)."""
    return times(plus(times(1 - gate, near(out)), gate), g)


swish.vjp(input=swish_slope)


@overload(swish, method=False)
@composition
def silu(input: Array, inplace: bool = False) -> Any:
    """input * sigmoid(input), also called swish.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.silu(td.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.2689,  0.0000,  0.7311])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.silu.html
    """
    return finish(input, swish(input), inplace, "silu")


def tanh_softplus(x: np.ndarray) -> Any:
    """tanh(log(1 + e)) with e = exp(x), which is n / (n + 2) with n = e * (e + 2). From 20 on it is 1."""
    e = np.exp(np.minimum(x, 20))
    n = e * (e + 2)
    return n / (n + 2)


@op(
    name="mish",
    method=False,
    floating=True,
    namespace="functional",
    aux={"gate": lambda input: np.tanh(softplus(input))},
    real=True,
    inputs=SMOOTH,
    reference=lambda input: input * np.tanh(np.log1p(np.exp(input))),
)
def smooth_mish(input: Array) -> Array:
    """input * tanh(softplus(input))."""
    gate = tanh_softplus(input)
    return gated(input, gate), gate


def mish_slope(g: Any, input: Any, gate: Any) -> Any:
    """g * (t + input * (1 - t**2) * sigmoid(input)) with t = tanh(softplus(input))."""
    input = near(input)
    return g * (gate + input * (1 - gate * gate) * sigmoid.duck(input))


smooth_mish.vjp(input=mish_slope)


@overload(smooth_mish, method=False)
@composition
def mish(input: Array, inplace: bool = False) -> Any:
    """input * tanh(softplus(input)).

    >>> import tinygrad_dl as td
    >>> td.nn.functional.mish(td.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.3034,  0.0000,  0.8651])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mish.html
    """
    return finish(input, smooth_mish(input), inplace, "mish")


@op(
    method=False,
    floating=True,
    namespace="functional",
    real=True,
    inputs={"input": real(avoid=(0.0,))},
    reference=lambda input: input / (1 + np.abs(input)),
)
def softsign(input: Array) -> Array:
    """input / (1 + |input|).

    >>> import tinygrad_dl as td
    >>> td.nn.functional.softsign(td.tensor([-1.0, 0.0, 3.0]))
    tensor([-0.5000,  0.0000,  0.7500])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softsign.html
    """
    return input / (np.absolute(input) + 1)


softsign.vjp(input=lambda g, input: g * np.square(1 / (np.absolute(input) + 1)))


@op(
    method=False,
    floating=True,
    namespace="functional",
    inputs={"input": real(0.2, 3.0)},
    reference=lambda input: input - np.tanh(input),
)
def tanhshrink(input: Array) -> Array:
    """input - tanh(input).

    >>> import tinygrad_dl as td
    >>> td.nn.functional.tanhshrink(td.tensor([0.0, 1.0]))
    tensor([0.0000, 0.2384])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.tanhshrink.html
    """
    return input - np.tanh(input)


tanhshrink.vjp(input=lambda g, input: g * np.square(np.tanh(input)))
