"""The LDL factors of symmetric and Hermitian matrices that need not be definite, and systems of equations by them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, drawn, error, one_of
from tinygrad_dl.ops.linalg._lapack import factored, solved
from tinygrad_dl.ops.linalg._matrices import LinAlgError, require_square, some_matrices
from tinygrad_dl.ops.linalg._results import CheckedLDL, PackedLDL


def routine_for(dtype: Any, hermitian: bool, what: str) -> str:
    """LAPACK's routine: of complex matrices Hermitian ones have another."""
    return f"{'he' if hermitian and dtype.kind == 'c' else 'sy'}{what}"


def _symmetric(rng: np.random.Generator) -> np.ndarray:
    """One or two symmetric matrices, real or complex, with a heavy diagonal of both signs."""
    a = some_matrices(rng, 3)
    found: np.ndarray = 0.1 * (a + a.swapaxes(-1, -2)) + np.diag([4.0, -3.0, 2.0])
    return found


@op(
    namespace="rules",
    name="ldl_factor",
    kind="batched",
    outputs=CheckedLDL,
    differentiable=False,
    floating=True,
    inputs=dict(A=drawn(_symmetric), hermitian=one_of(False)),
    errors=[error(ValueError, r"got shape \(2, 3\), expected square matrices", array(2, 3))],
    reference=lambda A, hermitian=False: _naive_ldl(A),
)
def packed(A: Array, hermitian: bool = False) -> Any:
    """L and D in one matrix, LAPACK's pivots, and its info."""
    require_square("ldl_factor", A)
    LD, pivots, info = factored(routine_for(A.dtype, hermitian, "trf"), A)
    return CheckedLDL(np.tril(LD), pivots, info)


def _naive_ldl(a: np.ndarray) -> CheckedLDL:
    """Column by column, for matrices whose diagonal needs no exchanges; the upper triangle is 0."""
    a, n = a.copy(), a.shape[-1]
    for index in np.ndindex(a.shape[:-2]):
        m = a[index]
        for i in range(n):
            below = m[i + 1 :, i].copy()
            m[i + 1 :, i] = below / m[i, i]
            rest = m[i + 1 :, i + 1 :]
            rest -= np.tril(np.outer(below, below) / m[i, i])
    pivots = np.broadcast_to(np.arange(1, n + 1, dtype=np.int32), a.shape[:-1]).copy()
    return CheckedLDL(np.tril(a), pivots, np.zeros(a.shape[:-2], np.int32))


@op(
    namespace="rules",
    name="ldl_solve",
    kind="batched",
    differentiable=False,
    promote=("LD", "B"),
    inputs=dict(
        LD=drawn(_symmetric),
        pivots=drawn(lambda rng, LD: np.broadcast_to(np.arange(1, 4, dtype=np.int32), LD.shape[:-1]).copy()),
        B=drawn(lambda rng, LD: rng.standard_normal((*LD.shape[:-1], 2))),
        hermitian=one_of(False),
    ),
    errors=[
        error(ValueError, "got LD, pivots and B of shapes", array(2, 2), array(2, dtype="int32"), array(3, 1)),
        error(RuntimeError, "expected int32", array(2, 2), array(2, dtype="int64"), array(2, 1)),
    ],
    reference=lambda LD, pivots, B, hermitian=False: _naive_ldl_solve(LD, B),
)
def ldl_solve(LD: Array, pivots: Array, B: Array, *, hermitian: bool = False) -> Array:
    """The X with A X = B, by the factors of A that `ldl_factor` returned. By SciPy; not differentiable.

    Args:
        LD, pivots: of shapes (..., n, n) and (..., n).
        B: of shape (..., n, k).
        hermitian: whether A is Hermitian, if it is complex; it is symmetric else.

    Raises:
        ValueError: the shapes do not fit. RuntimeError: the pivots are not int32.

    >>> td.linalg.ldl_solve(*td.linalg.ldl_factor(td.tensor([[2.0, 0.0], [0.0, -4.0]])), td.tensor([[2.0], [4.0]]))
    tensor([[ 1.],
            [-1.]])
    """
    require_square("ldl_solve", LD)
    if pivots.dtype != np.int32:
        raise RuntimeError(f"ldl_solve: got pivots of dtype {pivots.dtype}, expected int32, as ldl_factor returns them")
    if pivots.shape != LD.shape[:-1] or B.ndim < 2 or B.shape[-2] != LD.shape[-1]:
        raise ValueError(
            f"ldl_solve: got LD, pivots and B of shapes {LD.shape}, {pivots.shape} and {B.shape}, expected (..., n, n)"
            ", (..., n) and (..., n, k)"
        )
    return solved(routine_for(LD.dtype, hermitian, "trs"), LD, pivots, B)


def _naive_ldl_solve(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """By the matrix that the factors make, without exchanges."""
    lower = np.tril(a, -1) + np.eye(a.shape[-1])
    diagonal = a * np.eye(a.shape[-1])
    found: np.ndarray = np.linalg.solve(lower @ diagonal @ lower.swapaxes(-1, -2), b)
    return found


@composition
def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> CheckedLDL:
    """What `ldl_factor` returns, and `info`: 0, or the number of the first 0 on the diagonal of D. By SciPy.

    Args:
        A, hermitian: see `ldl_factor`.
        check_errors: whether to raise where an info is above 0.

    Returns:
        A named tuple (LD, pivots, info) of shapes (..., n, n), (..., n) and (...).

    Raises:
        ValueError: the matrices are not square. linalg.LinAlgError: there is a 0, and `check_errors`.

    >>> td.linalg.ldl_factor_ex(td.zeros(2, 2)).info
    tensor(1, dtype=int32)
    """
    found: CheckedLDL = packed(A, hermitian)
    wrong = int(np.max(found.info.numpy(), initial=0)) if check_errors else 0
    if wrong > 0:
        raise LinAlgError(f"ldl_factor: got a singular matrix, D[{wrong}, {wrong}] is 0, expected one with an inverse")
    return found


@composition
def ldl_factor(A: Tensor, *, hermitian: bool = False) -> PackedLDL:
    """The factors of symmetric or Hermitian matrices A = L D L^T (or L D L^H), in one matrix. By SciPy.

    Args:
        A: of shape (..., n, n); its lower triangle is read.
        hermitian: whether A is Hermitian, if it is complex; it is symmetric else.

    Returns:
        A named tuple (LD, pivots), as LAPACK's sytrf and hetrf leave them: D, with blocks of size 1 and 2, and below it
        L, (..., n, n); exchanges of rows, (..., n), int32, negative for blocks of size 2. Not differentiable.

    Raises:
        ValueError: the matrices are not square. linalg.LinAlgError: a matrix is singular.

    >>> td.linalg.ldl_factor(td.tensor([[2.0, 1.0], [1.0, -4.0]]))
    PackedLDL(LD=tensor([[ 2.0000,  0.0000],
            [ 0.5000, -4.5000]]), pivots=tensor([1, 2], dtype=int32))
    """
    found = ldl_factor_ex(A, hermitian=hermitian, check_errors=True)
    return PackedLDL(found.LD, found.pivots)
