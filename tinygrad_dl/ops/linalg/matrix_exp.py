"""The exponential of a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, drawn, error
from tinygrad_dl.ops.linalg._matrices import require_square, some_matrices, transposed

# The coefficients of Padé's approximation of degree 7 and 13, from the constant on, and the largest 1-norm of a matrix
# for which it is exact to rounding (Higham, 2005, tables 2.3 and 2.4): of single precision the first is.
DEGREE_7 = (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0), 3.925724783138660
DEGREE_13 = (
    (
        *(64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0),
        *(10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0),
    ),
    5.371920351148152,
)


SMALL = 16  # rows


def exponential(a: np.ndarray) -> np.ndarray:
    """exp of each matrix: of a 2^s-th of it by Padé's approximation, and then squared s times.

    The squares and the solution lose digits; so small matrices, which take no time, are computed in double precision.
    """
    if a.itemsize < 8 * (1 + (a.dtype.kind == "c")) and a.shape[-1] <= SMALL:
        found: np.ndarray = exponential(a.astype(np.result_type(a, np.float64))).astype(a.dtype)
        return found
    b, largest = DEGREE_7 if a.dtype in (np.float32, np.complex64) else DEGREE_13
    norm = np.absolute(a).sum(-2).max(-1) if a.shape[-1] else np.absolute(a).sum((-2, -1))
    _, power = np.frexp(np.where(np.isfinite(norm), norm, 0.0) / largest)
    squarings = np.maximum(power, 0)
    a = a * (0.5**squarings)[..., None, None].astype(a.real.dtype)
    one = module_of(a).eye(a.shape[-1], dtype=a.dtype)
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    odd = b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * one
    even = b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * one
    if len(b) > 8:
        odd = odd + a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2)
        even = even + a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2)
    odd = a @ odd
    out: np.ndarray = np.linalg.solve(even - odd, even + odd)
    for step in range(int(squarings.max().item()) if squarings.size else 0):
        out = np.where((squarings > step)[..., None, None], out @ out, out)
    return out


@op(
    kind="batched",
    floating=True,
    inputs=[dict(input=drawn(lambda rng: some_matrices(rng))), dict(input=drawn(lambda rng: 8 * some_matrices(rng)))],
    errors=[error(ValueError, r"got shape \(2, 3\), expected square matrices", array(2, 3))],
    reference=lambda input: _naive_exp(input),
)
def matrix_exp(input: Array) -> Array:
    """exp of square matrices, (..., n, n): the sum of A^k / k! over all k.

    Raises:
        ValueError: the matrices are not square.

    >>> td.linalg.matrix_exp(td.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.linalg.matrix_exp.html; N. Higham, "The scaling and
    squaring method for the matrix exponential revisited" (2005).
    """
    require_square("matrix_exp", input)
    return exponential(input)


def derivative(a: Any, change: Any) -> Any:
    """How exp of a matrix changes in a direction: in exp of ((a, change), (0, a)) it stands beside exp(a)."""
    n = a.shape[-1]
    rows = np.concatenate([a, change], -1), np.concatenate([np.zeros_like(a), a], -1)
    return matrix_exp.generic(np.concatenate(rows, -2))[..., :n, n:]


matrix_exp.vjp(input=lambda g, input: derivative(transposed(input), g))
matrix_exp.jvp(input=lambda t, input: derivative(input, t))


def _naive_exp(a: np.ndarray) -> np.ndarray:
    """The sum, of a 1024th of the matrix, and then squared ten times."""
    small = a / 1024
    term = out = np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    for k in range(1, 20):
        term = term @ small / k
        out = out + term
    for _ in range(10):
        out = out @ out
    return out
