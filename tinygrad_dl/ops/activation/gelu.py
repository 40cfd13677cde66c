"""gelu, the activation of transformers: fused, since it is their heaviest elementwise operation.

Both forms are x / (1 + exp(x * q(x*x))) with a polynomial q. For `approximate="tanh"` that is the definition, since
(1 + tanh(u)) / 2 = 1 / (1 + exp(-2 u)). For the exact form the gate stands for (1 + erf(x / sqrt(2))) / 2: the
logarithm of its odds is smooth and odd, and q, fitted here with weights so that the error of the product is level,
keeps it within 7e-8 plus rounding, less than float32's own error at 1. (float64 takes erf itself.)

NumPy runs one arithmetic step at a time over memory, so large arrays are worked on in blocks that stay in the
cache, shared out among threads. The derivative is made along with the result, from what is in the cache then, and
kept in place of the input: the backward pass is one product.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.blocks import blockwise
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.modes import modes
from tinygrad_dl.core.promotion import FLOAT32
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._owned import add_, mul_
from tinygrad_dl.ops.pointwise.error_function import erf

HALF_ROOT, BELL = math.sqrt(0.5), 1 / math.sqrt(2 * math.pi)
SLOPE, CUBE = math.sqrt(2 / math.pi), 0.044715
# Beyond these the factor of x is exactly 0 or 1: cutting x off there keeps inf * 0 out of it.
FAR = {"none": 16.0, "tanh": 12.0}  # in float32
EDGE = 40.0  # in float64


def constants(*numbers: float) -> list[np.ndarray]:
    """The numbers as float32 arrays, which NumPy takes twice as fast as Python numbers."""
    return [np.array(n, FLOAT32) for n in numbers]


EMPTY = np.empty(0, FLOAT32)  # in place of the derivative where nobody asks for it
ONE, BELL_FACTOR, MINUS_HALF = constants(1.0, BELL, -0.5)
# q, the highest power first, and the derivative of -x * q(x*x) for the tanh form.
TANH = constants(-2 * SLOPE * CUBE, -2 * SLOPE)
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


def find_gate(gate: np.ndarray, x: np.ndarray, square: np.ndarray, coefficients: list[np.ndarray]) -> None:
    """1 / (1 + exp(x * q(square))), into `gate`."""
    np.multiply(square, coefficients[0], out=gate)
    gate += coefficients[1]
    for coefficient in coefficients[2:]:
        gate *= square
        gate += coefficient
    gate *= x
    np.exp(gate, out=gate)
    gate += ONE
    np.divide(ONE, gate, out=gate)


def into_slope(x: np.ndarray, square: np.ndarray, gate: np.ndarray, approximate: str) -> None:
    """s + x * s', for the gate s of x, in place of x; `square` is written over."""
    if approximate == "none":
        square *= MINUS_HALF
        x *= np.exp(square, out=square)
        x *= BELL_FACTOR
    else:  # s' = (s - s * s) * (-x * q)'
        square *= TANH_SLOPE[0]
        square += TANH_SLOPE[1]
        x *= square
        np.multiply(gate, gate, out=square)
        x *= np.subtract(gate, square, out=square)
    x += gate


def fused(x: np.ndarray, approximate: str, differentiable: bool) -> Any:
    """gelu of a float32 array, and its derivative; without it an empty array in its place."""
    far, coefficients = FAR[approximate], NORMAL if approximate == "none" else TANH

    def block(out: np.ndarray, slope: np.ndarray, x: np.ndarray) -> None:
        x.clip(-far, far, out=slope)
        square = slope * slope
        find_gate(out, slope, square, coefficients)
        into_slope(slope, square, out, approximate)
        out *= x.clip(-far, math.inf, out=square)

    def value(out: np.ndarray, x: np.ndarray) -> None:
        near = x.clip(-far, math.inf)
        find_gate(out, near, near * near, coefficients)
        out *= near

    with np.errstate(over="ignore"):  # odds of infinity, and the square of 1e20
        if differentiable:
            return blockwise(block, x, results=2)
        return blockwise(value, x)[0], EMPTY


@op(
    kind="elementwise",
    keeps_format=True,
    floating=True,
    namespace="functional",
    aux={"slope": lambda input, approximate: derivative(input, gate_of(input, approximate), approximate)},
    real=True,
    inputs={"input": real(), "approximate": one_of("none", "tanh")},
    errors=[error(ValueError, "expected an approximate of 'none' or 'tanh'", array(2), approximate="fast")],
    reference=lambda input, approximate="none": reference_gelu(input, approximate),
)
def gelu(input: Array, approximate: str = "none") -> Any:
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
    if input.dtype is FLOAT32 and type(input) is np.ndarray:
        return fused(input, approximate, modes.grad)
    gate = gate_of(input, approximate)
    return gate * np.maximum(input, -EDGE), derivative(input, gate, approximate) if modes.grad else EMPTY


def gate_of(x: Any, approximate: str) -> Any:
    """The factor of x in gelu, by its definition."""
    if approximate == "tanh":
        return add_(mul_(np.tanh((x * x * (SLOPE * CUBE) + SLOPE) * x), 0.5), 0.5)
    return add_(mul_(erf.generic(x * HALF_ROOT), 0.5), 0.5)


def derivative(input: Any, s: Any, approximate: str) -> Any:
    """gelu's derivative; s is the gate."""
    x = np.minimum(np.maximum(input, -EDGE), EDGE)
    if approximate == "none":
        return s + x * (np.exp(x * x * -0.5) * BELL)
    return s + x * ((s - s * s) * (x * x * (6 * SLOPE * CUBE) + 2 * SLOPE))


gelu.vjp(input=lambda g, slope: g * slope)


@gelu.value_and_jvp
def _gelu_and_tangent(t: Any, input: Any, approximate: str) -> Any:
    if approximate not in ("none", "tanh"):
        return NotImplemented
    if input.dtype is t[0].dtype is FLOAT32 and type(input) is np.ndarray:
        out, slope = fused(input, approximate, True)
        return out, mul_(slope, t[0])
    gate = gate_of(input, approximate)
    return gate * np.maximum(input, -EDGE), mul_(derivative(input, gate, approximate), t[0])


def reference_gelu(input: Any, approximate: str) -> Any:
    """From Python's own erf."""
    if approximate == "tanh":
        return 0.5 * input * (1 + np.tanh(math.sqrt(2 / math.pi) * (input + 0.044715 * input**3)))
    return 0.5 * input * np.vectorize(math.erfc, otypes=[float])(-input / math.sqrt(2))
