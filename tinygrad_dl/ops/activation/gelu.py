"""gelu, the activation of transformers: fused, since it is their heaviest elementwise operation.

Both forms are x / (1 + exp(x * q(x*x))) with a polynomial q. For `approximate="tanh"` that is the definition, since
(1 + tanh(u)) / 2 = 1 / (1 + exp(-2 u)). For the exact form the gate stands for (1 + erf(x / sqrt(2))) / 2: the
logarithm of its odds is smooth and odd, and q, fitted here with weights so that the error of the product is level,
keeps it within 7e-8 plus rounding, less than float32's own error at 1. (float64 takes erf itself.)

NumPy runs one arithmetic step at a time over memory, so large arrays are worked on in blocks that stay in the
cache, shared out among threads. Kept for the backward pass is the input alone; the gate of x is worked out again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.threads import parallel_for
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.promotion import FLOAT32
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._owned import add_, mul_
from tinygrad_dl.ops.pointwise.error_function import erf

BLOCK = 65536  # elements at a time: four arrays of them stay in the cache, and threads change hands rarely
HALF_ROOT, BELL = math.sqrt(0.5), 1 / math.sqrt(2 * math.pi)
SLOPE, CUBE = math.sqrt(2 / math.pi), 0.044715
# Beyond these the factor of x is exactly 0 or 1: cutting x off there keeps inf * 0 out of it.
FAR = {"none": 16.0, "tanh": 12.0}  # in float32
EDGE = 40.0  # in float64


def constants(*numbers: float) -> list[np.ndarray]:
    """The numbers as float32 arrays, which NumPy takes twice as fast as Python numbers."""
    return [np.array(n, FLOAT32) for n in numbers]


ONE, BELL_FACTOR, MINUS_HALF = constants(1.0, BELL, -0.5)
# q, the highest power first; half of q, and the derivative of -x * q(x*x), for the tanh form.
TANH, TANH_HALF = constants(-2 * SLOPE * CUBE, -2 * SLOPE), constants(-SLOPE * CUBE, -SLOPE)
TANH_SLOPE = constants(6 * SLOPE * CUBE, 2 * SLOPE)
NORMAL = constants(
    -3.6112327849879514e-09,
    2.6689282077441508e-07,
    -7.9382198210231216e-06,
    1.1048031838037822e-04,
    6.6265997927799046e-05,
    -0.07266856700930924,
    -1.59576843224507800,
)


def blockwise(function: Callable[..., None], *arrays: np.ndarray, results: int = 1) -> list[np.ndarray]:
    """Calls function(*results, *blocks) on block after block of flat arrays, on several threads; returns results."""
    x = arrays[0]
    made = [np.empty(x.shape, x.dtype) for _ in range(results)]
    flat = [each.reshape(-1) for each in (*made, *map(np.ascontiguousarray, arrays))]

    def work(start: int, stop: int) -> None:
        for i in range(start * BLOCK, min(stop * BLOCK, x.size), BLOCK):
            function(*[a[i : i + BLOCK] for a in flat])

    with np.errstate(over="ignore"):  # odds of infinity, and the square of 1e20
        parallel_for(work, -(-x.size // BLOCK), 2)
    return made


def odds(x: np.ndarray, square: np.ndarray, coefficients: list[np.ndarray]) -> Any:
    """exp(x * q(square)) in a new array: (1 - gate) / gate with q, its root with half of q; `square` is x * x."""
    t = square * coefficients[0]
    t += coefficients[1]
    for coefficient in coefficients[2:]:
        t *= square
        t += coefficient
    t *= x
    return np.exp(t, out=t)


def fused(x: np.ndarray, approximate: str) -> Any:
    """gelu of a float32 array."""
    far, coefficients = FAR[approximate], NORMAL if approximate == "none" else TANH

    def block(out: np.ndarray, x: np.ndarray) -> None:
        x.clip(-far, math.inf, out=out)
        e = odds(out, out * out, coefficients)
        e += ONE
        out /= e

    return blockwise(block, x)[0]


def gate_and_change(x: np.ndarray, square: np.ndarray, approximate: str) -> Any:
    """s, the gate of x, and x * s', which is written over x, for x not beyond FAR; `square` is x * x."""
    if approximate == "none":
        s = odds(x, square, NORMAL)
        s += ONE
        np.divide(ONE, s, out=s)
        square *= MINUS_HALF
        np.exp(square, out=square)
        x *= BELL_FACTOR
        x *= square
        return s, x
    # s' = (root * s)**2 * (-x * q)' with the root of the odds: s * (1 - s) loses digits, and the odds may be infinite.
    root = odds(x, square, TANH_HALF)
    first, last = TANH_SLOPE
    square *= first
    square += last
    x *= square
    s = np.multiply(root, root, out=square)
    s += ONE
    np.divide(ONE, s, out=s)
    root *= s
    root *= root
    x *= root
    return s, x


def fused_slope(g: np.ndarray, x: np.ndarray, approximate: str) -> Any:
    """g * (s + x * s')."""
    far = FAR[approximate]

    def block(out: np.ndarray, x: np.ndarray, g: np.ndarray) -> None:
        x = x.clip(-far, far)
        gate, change = gate_and_change(x, np.multiply(x, x, out=out), approximate)
        gate += change
        np.multiply(gate, g, out=out)

    return blockwise(block, x, g)[0]


def fused_both(x: np.ndarray, g: np.ndarray, approximate: str) -> Any:
    """gelu of x, and g * (s + x * s'): the same gate serves both."""
    far = FAR[approximate]

    def block(out: np.ndarray, slope: np.ndarray, x: np.ndarray, g: np.ndarray) -> None:
        near = x.clip(-far, far)
        gate, change = gate_and_change(near, np.multiply(near, near, out=slope), approximate)
        x.clip(-far, math.inf, out=out)
        out *= gate
        gate += change
        np.multiply(gate, g, out=slope)

    return blockwise(block, x, g, results=2)


@op(
    kind="elementwise",
    keeps_format=True,
    floating=True,
    namespace="functional",
    real=True,
    inputs={"input": real(), "approximate": one_of("none", "tanh")},
    errors=[error(ValueError, "expected an approximate of 'none' or 'tanh'", array(2), approximate="fast")],
    reference=lambda input, approximate="none": reference_gelu(input, approximate),
)
def gelu(input: Array, approximate: str = "none") -> Array:
    """input * P(X <= input) for a normal variable X: input / 2 * (1 + erf(input / sqrt(2))).

    Args:
        approximate: "none", or "tanh" for input / 2 * (1 + tanh(sqrt(2 / pi) * (input + 0.044715 * input**3))).

    Raises:
        ValueError: another `approximate`.

    >>> td.nn.functional.gelu(td.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1587,  0.0000,  0.8413])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"expected an approximate of 'none' or 'tanh', got {approximate!r}")
    if input.dtype is FLOAT32:
        return fused(input, approximate)
    return mul_(gate(input, approximate), np.maximum(input, -EDGE))


def gate(x: Any, approximate: str) -> Any:
    """The factor of x in gelu, by its definition."""
    if approximate == "tanh":
        return add_(mul_(np.tanh((x * x * (SLOPE * CUBE) + SLOPE) * x), 0.5), 0.5)
    return add_(mul_(erf.generic(x * HALF_ROOT), 0.5), 0.5)


def slope(g: Any, input: Any, approximate: str) -> Any:
    """g * (gate + x * its derivative); of s = (1 + tanh(u)) / 2 that is 2 (s - s*s) u'."""
    if type(g) is type(input) is np.ndarray and g.dtype is input.dtype is FLOAT32:
        return fused_slope(g, input, approximate)
    return g * share_and_derivative(input, approximate)[1]


def share_and_derivative(input: Any, approximate: str) -> Any:
    """The gate of x, and gelu's derivative."""
    x = np.minimum(np.maximum(input, -EDGE), EDGE)
    s = gate(x, approximate)
    if approximate == "none":
        return s, s + x * (np.exp(x * x * -0.5) * BELL)
    return s, s + x * ((s - s * s) * (x * x * (6 * SLOPE * CUBE) + 2 * SLOPE))


gelu.vjp(input=slope)


@gelu.value_and_jvp
def _gelu_and_tangent(t: Any, input: Any, approximate: str) -> Any:
    if approximate not in ("none", "tanh"):
        return NotImplemented
    if input.dtype is t[0].dtype is FLOAT32:
        return fused_both(input, t[0], approximate)
    s, derivative = share_and_derivative(input, approximate)
    return mul_(s, np.maximum(input, -EDGE)), mul_(derivative, t[0])


def reference_gelu(input: Any, approximate: str) -> Any:
    """From Python's own erf."""
    if approximate == "tanh":
        return 0.5 * input * (1 + np.tanh(math.sqrt(2 / math.pi) * (input + 0.044715 * input**3)))
    return 0.5 * input * np.vectorize(math.erfc, otypes=[float])(-input / math.sqrt(2))
