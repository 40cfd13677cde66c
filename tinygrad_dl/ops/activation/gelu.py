"""gelu, the activation of transformers: fused, since it is their heaviest elementwise operation.

Both forms are x / 2 * (1 + tanh(x * p(x*x))) with a polynomial p. For `approximate="tanh"` that is the definition.
For the exact form tanh(x * p) stands for erf(x / sqrt(2)): its inverse hyperbolic tangent is smooth and odd, and p,
fitted here with weights so that the error of the product is level, keeps it within 7e-8 plus rounding, less than
float32's own error at 1. (float64 takes erf itself.)

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

BLOCK = 16384  # elements at a time: four arrays of them stay in the cache
HALF_ROOT, BELL = math.sqrt(0.5), 1 / math.sqrt(2 * math.pi)
SLOPE, CUBE = math.sqrt(2 / math.pi), 0.044715
# Beyond these the factor of x is exactly 0 or 1: cutting x off there keeps inf * 0 out of it.
FAR, EDGE = 16.0, 40.0  # in float32; in float64


def constants(*numbers: float) -> list[np.ndarray]:
    """The numbers as float32 arrays, which NumPy takes twice as fast as Python numbers."""
    return [np.array(n, FLOAT32) for n in numbers]


ONE, HALF, BELL_FACTOR, MINUS_HALF = constants(1.0, 0.5, BELL, -0.5)
# p, the highest power first; and the derivative of x * p(x*x) for the tanh form.
TANH, TANH_SLOPE = constants(SLOPE * CUBE, SLOPE), constants(3 * SLOPE * CUBE, SLOPE)
NORMAL = constants(
    1.8056163925139757e-09,
    -1.3344641038720754e-07,
    3.9691099106155108e-06,
    -5.5240159190184110e-05,
    -3.3129989638995023e-05,
    0.036334283504654620,
    0.79788421612253890,
)


def blockwise(function: Callable[..., None], *arrays: np.ndarray, results: int = 1) -> list[np.ndarray]:
    """Calls function(*results, *blocks) on block after block of flat arrays, on several threads; returns results."""
    x = arrays[0]
    made = [np.empty(x.shape, x.dtype) for _ in range(results)]
    flat = [each.reshape(-1) for each in (*made, *map(np.ascontiguousarray, arrays))]
    if x.size <= BLOCK:
        function(*flat)
        return made

    def work(start: int, stop: int) -> None:
        for i in range(start * BLOCK, min(stop * BLOCK, x.size), BLOCK):
            function(*[a[i : i + BLOCK] for a in flat])

    parallel_for(work, -(-x.size // BLOCK), 2)
    return made


def hyperbolic(x: np.ndarray, square: np.ndarray, coefficients: list[np.ndarray]) -> Any:
    """tanh(x * p(square)) in a new array."""
    p = square * coefficients[0]
    p += coefficients[1]
    for coefficient in coefficients[2:]:
        p *= square
        p += coefficient
    p *= x
    return np.tanh(p, out=p)


def fused(x: np.ndarray, coefficients: list[np.ndarray]) -> Any:
    """gelu of a float32 array."""

    def block(out: np.ndarray, x: np.ndarray) -> None:
        x.clip(-FAR, math.inf, out=out)
        t = hyperbolic(out, out * out, coefficients)
        out *= HALF
        t *= out
        out += t

    with np.errstate(over="ignore"):  # the square of 1e20; tanh of inf is 1
        return blockwise(block, x)[0]


def gate_and_change(x: np.ndarray, square: np.ndarray, approximate: str) -> Any:
    """s = (1 + t) / 2, the gate of x, t = tanh(x * p(x*x)), and x * s', which is written over x; `square` is x * x."""
    if approximate == "none":
        t = hyperbolic(x, square, NORMAL)
        square *= MINUS_HALF
        np.exp(square, out=square)
        x *= BELL_FACTOR
        x *= square
    else:  # s' = (1 - t*t) / 2 * (x * p)'
        t = hyperbolic(x, square, TANH)
        first, last = TANH_SLOPE
        square *= first
        square += last
        x *= square
        np.multiply(t, t, out=square)
        np.subtract(ONE, square, out=square)
        x *= square
        x *= HALF
    t *= HALF
    t += HALF
    return t, x


def fused_slope(g: np.ndarray, x: np.ndarray, approximate: str) -> Any:
    """g * (s + x * s')."""

    def block(out: np.ndarray, x: np.ndarray, g: np.ndarray) -> None:
        x = x.clip(-FAR, FAR)
        gate, change = gate_and_change(x, np.multiply(x, x, out=out), approximate)
        gate += change
        np.multiply(gate, g, out=out)

    return blockwise(block, x, g)[0]


def fused_both(x: np.ndarray, g: np.ndarray, approximate: str) -> Any:
    """gelu of x, and g * (s + x * s'): the same gate serves both."""

    def block(out: np.ndarray, slope: np.ndarray, x: np.ndarray, g: np.ndarray) -> None:
        near = x.clip(-FAR, FAR)
        gate, change = gate_and_change(near, np.multiply(near, near, out=slope), approximate)
        x.clip(-FAR, math.inf, out=out)
        out *= gate
        gate += change
        np.multiply(gate, g, out=slope)

    return blockwise(block, x, g, results=2)


@op(
    kind="elementwise",
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
        return fused(input, NORMAL if approximate == "none" else TANH)
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
