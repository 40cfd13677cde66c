"""Determinants of matrices, and their logarithms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import array_from, is_array, module_of, truth
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, drawn, error
from tinygrad_dl.ops._overload import alias, method
from tinygrad_dl.ops.linalg._matrices import require_square, transposed, turned
from tinygrad_dl.ops.linalg._results import Logarithm
from tinygrad_dl.ops.linalg.solve import regular, systems
from tinygrad_dl.ops.pointwise.exponential import log
from tinygrad_dl.ops.pointwise.where import where

WELL = 1e-3  # condition times precision, below which an inverse has three digits and more
NOT_SQUARE = [error(ValueError, r"got shape \(2, 3\), expected square matrices", array(2, 3))]


def as_matrices(a: Any) -> Any:
    """A number for each matrix, to multiply the matrices by."""
    return a[..., None, None]


def cofactors(a: Any) -> Any:
    """The derivative of the determinant for each element: of singular matrices, too, in the first pass."""
    if not is_array(a):
        return as_matrices(det.generic(a)) * inverse_transposed(a)
    found = by_inverse(a)
    if found is not None:
        return found
    finite = as_matrices(np.isfinite(a).all((-2, -1)))
    u, s, vh = np.linalg.svd(np.where(finite, a, 0))  # in LAPACK an infinity may have no end
    others = np.where(module_of(a).eye(a.shape[-1], dtype=bool), 1, s[..., None, :]).prod(-1)
    found = (turned(vh) * others[..., None, :]) @ turned(u)
    found = transposed(found) * as_matrices(np.linalg.det(u) * np.linalg.det(vh))
    return np.where(finite, found, math.nan)


def by_inverse(a: np.ndarray) -> np.ndarray | None:
    """The same as determinant times inverse, in a tenth of the time; None of what is near a singular matrix."""
    try:
        inverse = np.linalg.inv(a)
    except np.linalg.LinAlgError:
        return None
    if not a.size:
        return a
    size, most = (np.absolute(each).sum(-1).max(-1) for each in (a, inverse))
    if not truth((size * most < WELL / np.finfo(a.dtype).eps).all()):  # of nan, too
        return None
    found: np.ndarray = transposed(inverse) * as_matrices(np.linalg.det(a))
    return found


def inverse_transposed(a: Any) -> Any:
    """The inverse of each matrix on its other side."""
    return systems.generic(transposed(a), module_of(a).eye(a.shape[-1], dtype=a.dtype))


@op(
    namespace="rules",
    kind="batched",
    floating=True,
    inputs=dict(A=drawn(lambda rng: regular(rng))),
    errors=NOT_SQUARE,
    reference=lambda A: _naive_det(A),
)
def det(A: Array) -> Array:
    """The determinant of square matrices, (..., n, n).

    Second derivatives exist where the matrix has an inverse.

    Raises:
        ValueError: the matrices are not square.

    >>> td.linalg.det(td.tensor([[2.0, 1.0], [1.0, 3.0]]))
    tensor(5.)
    """
    require_square("det", A)
    return array_from(np.linalg.det(A))


det.vjp(A=lambda g, A: as_matrices(g) * cofactors(A))
det.jvp(A=lambda t, A: (cofactors(A) * t).sum((-2, -1)))


@op(
    namespace="rules",
    kind="batched",
    floating=True,
    outputs=Logarithm,
    inputs=dict(A=drawn(lambda rng: regular(rng))),
    errors=NOT_SQUARE,
    reference=lambda A: _naive_logarithm(A),
)
def slogdet(A: Array) -> Any:
    """The determinant of square matrices (..., n, n) as its sign and the logarithm of its absolute value.

    Returns:
        A named tuple (sign, logabsdet). The sign of a complex determinant is a number of absolute value 1; that of 0 is
        0, and the logarithm then -inf.

    Raises:
        ValueError: the matrices are not square. linalg.LinAlgError: the gradient at a singular matrix.

    >>> td.linalg.slogdet(td.tensor([[2.0, 1.0], [1.0, 1.0]]))
    Logarithm(sign=tensor(1.), logabsdet=tensor(0.))
    """
    require_square("slogdet", A)
    return Logarithm(*map(array_from, np.linalg.slogdet(A)))


def slogdet_slope(g: Any, A: Any, sign: Any) -> Any:
    """The transposed inverse; of complex matrices the sign turns with the imaginary part of the trace of A^-1 dA."""
    factor = g[1]
    if A.dtype.kind == "c":
        factor = factor + 1j * np.imag(g[0] * sign)
    return as_matrices(factor) * inverse_transposed(A)


def slogdet_tangent(t: Any, A: Any, sign: Any) -> tuple[Any, Any]:
    """The trace of A^-1 t: its real part, and its imaginary part for the sign."""
    trace = (inverse_transposed(A) * t).sum((-2, -1))
    if A.dtype.kind == "c":
        return sign * (1j * np.imag(trace)), np.real(trace)
    return np.zeros_like(sign), trace


slogdet.vjp(A=slogdet_slope)
slogdet.jvp(A=slogdet_tangent)
alias("det", det)
alias("slogdet", slogdet)


@method
def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant of square matrices, (..., n, n): nan where it is negative, -inf where it is 0.

    >>> td.logdet(td.tensor([[2.0, 0.0], [0.0, 2.0]]))
    tensor(1.3863)
    """
    sign, size = slogdet(input)
    found: Tensor = size + log(sign) if input.is_complex() else where(sign < 0, math.nan, size)
    return found


def _naive_det(a: np.ndarray) -> np.ndarray:
    """Along the first row."""
    n = a.shape[-1]
    if n == 0:
        return np.ones(a.shape[:-2], a.dtype)
    rest = [np.delete(a[..., 1:, :], i, -1) for i in range(n)]
    found: np.ndarray = sum((-1) ** i * a[..., 0, i] * _naive_det(rest[i]) for i in range(n))
    return found


def _naive_logarithm(a: np.ndarray) -> Logarithm:
    found = _naive_det(a)
    return Logarithm(found / np.absolute(found), np.log(np.absolute(found)))
