"""The LU factors of a matrix, and systems of equations by them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, module_of
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import empty, eye
from tinygrad_dl.inputs import array, drawn, error, one_of
from tinygrad_dl.ops.indexing.gather import gathered
from tinygrad_dl.ops.indexing.triangular import tril, triu
from tinygrad_dl.ops.linalg._lapack import factored
from tinygrad_dl.ops.linalg._matrices import LinAlgError, require_square, some_matrices, turned
from tinygrad_dl.ops.linalg._results import CheckedLU, Factors, PackedLU
from tinygrad_dl.ops.linalg.cholesky import solve_triangular
from tinygrad_dl.ops.linalg.qr import require_matrices

FEW = 64  # lists of pivots, up to which they are gone through one by one


def _exchanged(pivots: np.ndarray, rows: int) -> np.ndarray:
    """The rows in the order in which exchanges leave them."""
    order = [*range(rows)]
    for i, other in enumerate(pivots.tolist()):
        order[i], order[other - 1] = order[other - 1], order[i]
    return np.array(order)


# One call, which compiled programs repeat as it is.
EXCHANGED = np.vectorize(_exchanged, excluded={1}, signature="(k)->(m)")


def swapped(pivots: np.ndarray, rows: int) -> np.ndarray:
    """Where each row of a matrix went by the exchanges of LAPACK's pivots, counted from 1."""
    if pivots.size and pivots.size <= pivots.shape[-1] * FEW and at_hand(pivots):
        return np.argsort(EXCHANGED(pivots, rows), -1)
    order = np.broadcast_to(module_of(pivots).arange(rows), (*pivots.shape[:-1], rows)).copy()
    for i in range(pivots.shape[-1]):
        other = pivots[..., i : i + 1].astype(np.int64) - 1
        moved = np.take_along_axis(order, other, -1)
        np.put_along_axis(order, other, order[..., i : i + 1].copy(), -1)
        order[..., i : i + 1] = moved
    return np.argsort(order, -1)


@op(
    namespace="rules",
    kind="batched",
    differentiable=False,
    inputs=dict(pivots=drawn(lambda rng: rng.integers([1, 2, 3], 5).astype(np.int32)), rows=one_of(4)),
    reference=lambda pivots, rows: _naive_rows(pivots, rows),
)
def lu_rows(pivots: Array, rows: int) -> Array:
    """In which row of L U each row of the matrix is: A = (L U)[found], for `rows` rows."""
    return swapped(pivots, rows)


def _naive_rows(pivots: np.ndarray, rows: int) -> np.ndarray:
    """By exchanging the rows of unit matrices."""
    found = np.zeros((*pivots.shape[:-1], rows), np.int64)
    for index in np.ndindex(pivots.shape[:-1]):
        unit = np.eye(rows)
        for i, other in enumerate(pivots[index]):
            unit[[i, other - 1]] = unit[[other - 1, i]]
        found[index] = unit.argmax(0)
    return found


def _well_apart(rows: int, columns: int) -> Any:
    """Draws matrices of this shape whose pivots stay the same nearby: rows of a matrix with a heavy diagonal."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        a = 0.3 * some_matrices(rng, rows, columns) + 3 * np.eye(rows, columns)
        return np.take(a, rng.permutation(rows), -2)

    return drawn(draw)


@op(
    namespace="rules",
    name="lu_factor",
    kind="batched",
    outputs=CheckedLU,
    floating=True,
    inputs=[dict(A=_well_apart(3, 3)), dict(A=_well_apart(4, 2)), dict(A=_well_apart(2, 4))],
    errors=[error(ValueError, r"got shape \(3,\), expected matrices", array(3))],
    reference=lambda A, regular=False: _naive_lu(A),
)
def packed(A: Array, regular: bool = False) -> Any:
    """L without its diagonal and U in one matrix, LAPACK's pivots, and its info, which `regular` wants to be 0."""
    require_matrices("lu_factor", A)
    found = CheckedLU(*factored("getrf", A))
    wrong = int(np.max(found.info, initial=0)) if regular else 0
    if wrong > 0:
        raise LinAlgError(
            f"lu_factor: got a singular matrix, U[{wrong}, {wrong}] is 0, expected one that has an inverse; "
            "linalg.lu_factor_ex returns what there is"
        )
    return found


def below(a: Any, k: int) -> Any:
    """L of the two factors in one matrix: its first k columns, with ones on the diagonal."""
    a = np.tril(a[..., :k], -1)
    return a + module_of(a).eye(*a.shape[-2:], dtype=a.dtype)


def lu_slope(g: Any, LU: Any, pivots: Any) -> Any:
    """P L^-H (tril(L^H gL, -1) + triu(gU U^H)) U^-H of the square part, and what the rest adds."""
    m, n = LU.shape[-2:]
    k = min(m, n)
    g = np.conjugate(g[0])
    L, U = below(LU, k), np.triu(LU[..., :k, :])
    lower, upper = L[..., :k, :], U[..., :k]
    g_l, g_u = np.tril(g[..., :k, :k], -1), np.triu(g[..., :k, :k])
    more = None
    if m > k:  # A_2 = L_2 U
        more = solve_triangular.generic(turned(upper), g[..., k:, :], upper=False, left=False)
        g_u = np.triu(g_u - np.matmul(turned(LU[..., k:, :]), more))
    elif n > k:  # A_2 = L U_2
        more = solve_triangular.generic(turned(lower), g[..., k:], upper=True, unitriangular=True)
        g_l = np.tril(g_l - np.matmul(more, turned(LU[..., k:])), -1)
    inner = np.tril(np.matmul(turned(lower), g_l), -1) + np.triu(np.matmul(g_u, turned(upper)))
    inner = solve_triangular.generic(turned(lower), inner, upper=True, unitriangular=True)
    found = solve_triangular.generic(turned(upper), inner, upper=False, left=False)
    if more is not None:
        found = np.concatenate([found, more], -2 if m > k else -1)
    return np.conjugate(_in_order(found, lu_rows.generic(pivots, m)))


def _in_order(a: Any, rows: Any) -> Any:
    """Matrices with their rows in another order."""
    return gathered.generic(a, -2, np.broadcast_to(rows[..., None], a.shape))


def permutation(pivots: Any, m: int, dtype: Any) -> Any:
    """The P with A = P L U, for m rows."""
    return (lu_rows.generic(pivots, m)[..., None] == np.arange(m)).astype(dtype)


def lu_tangent(t: Any, LU: Any, pivots: Any) -> tuple[Any, Any, Any]:
    """With F = L^-1 P^T t U^-1 of the square part: dL = L tril(F, -1) and dU = triu(F) U."""
    m, n = LU.shape[-2:]
    k = min(m, n)
    t = _in_order(t, np.argsort(lu_rows.generic(pivots, m), -1))
    lower, upper = below(LU, k)[..., :k, :], np.triu(LU[..., :k, :k])
    inner = solve_triangular.generic(lower, t[..., :k, :k], upper=False, unitriangular=True)
    inner = solve_triangular.generic(upper, inner, upper=True, left=False)
    d_l, d_u = np.matmul(lower, np.tril(inner, -1)), np.matmul(np.triu(inner), upper)
    found = d_l + d_u
    if m > k:
        rest = t[..., k:, :] - np.matmul(LU[..., k:, :], d_u)
        found = np.concatenate([found, solve_triangular.generic(upper, rest, upper=True, left=False)], -2)
    elif n > k:
        rest = t[..., k:] - np.matmul(d_l, LU[..., k:])
        rest = solve_triangular.generic(lower, rest, upper=False, unitriangular=True)
        found = np.concatenate([found, rest], -1)
    return found, None, None


packed.vjp(A=lu_slope)
packed.jvp(A=lu_tangent)


def _naive_lu(a: np.ndarray) -> CheckedLU:
    """Column by column, by Gauss' elimination."""
    a, k = a.copy(), min(a.shape[-2:])
    pivots = np.zeros((*a.shape[:-2], k), np.int32)
    for index in np.ndindex(a.shape[:-2]):
        m = a[index]
        for i in range(k):
            best = i + int((np.abs(m[i:, i].real) + np.abs(m[i:, i].imag)).argmax())
            pivots[index][i] = best + 1
            m[[i, best]] = m[[best, i]]
            m[i + 1 :, i] /= m[i, i]
            m[i + 1 :, i + 1 :] -= np.outer(m[i + 1 :, i], m[i, i + 1 :])
    return CheckedLU(a, pivots, np.zeros(a.shape[:-2], np.int32))


def require_pivots(what: str, pivot: bool) -> None:
    """Raises RuntimeError for factors without pivots, which LAPACK does not have."""
    if not pivot:
        raise RuntimeError(f"{what}: got pivot=False, expected True: without pivots the factors may be far off")


def unpacked(LU: Tensor, pivots: Tensor) -> Factors:
    """P, L and U of what `lu_factor` returns."""
    m, n = LU.shape[-2:]
    k = min(m, n)
    P = permutation(pivots, m, LU.dtype)
    L = tril(LU[..., :k], -1) + eye(m, k, dtype=LU.dtype)
    return Factors(P, L, triu(LU[..., :k, :]))


@composition
def lu(A: Tensor, *, pivot: bool = True) -> Factors:
    """The factors of matrices A = P L U: a permutation, a lower and an upper triangular matrix. By SciPy.

    Args:
        A: of shape (..., m, n).
        pivot: True; the permutation is chosen so that no element of L is above 1.

    Returns:
        A named tuple (P, L, U) of shapes (..., m, m), (..., m, k) and (..., k, n), with k = min(m, n).

    The gradient exists where the first k columns of A are independent.

    Raises:
        ValueError: fewer than two dimensions. RuntimeError: `pivot` is False. ImportError: SciPy is not installed.

    >>> P, L, U = td.linalg.lu(td.tensor([[1.0, 2.0], [4.0, 4.0]]))
    >>> L
    tensor([[1.0000, 0.0000],
            [0.2500, 1.0000]])
    """
    require_pivots("lu", pivot)
    LU, pivots, _ = packed(A)
    return unpacked(LU, pivots)


@composition
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> CheckedLU:
    """What `lu_factor` returns, and `info`: 0, or the number of the first 0 on the diagonal of U. By SciPy.

    Args:
        A, pivot: see `lu`.
        check_errors: whether to raise where an info is above 0.

    Returns:
        A named tuple (LU, pivots, info) of shapes (..., m, n), (..., min(m, n)) and (...).

    Raises:
        ValueError: fewer than two dimensions. linalg.LinAlgError: there is a 0, and `check_errors`.

    >>> td.linalg.lu_factor_ex(td.ones(2, 2)).info
    tensor(2, dtype=int32)
    """
    require_pivots("lu_factor_ex", pivot)
    found: CheckedLU = packed(A, check_errors)
    return found


@composition
def lu_factor(A: Tensor, *, pivot: bool = True) -> PackedLU:
    """The factors of `lu` in one matrix, and the exchanges of rows, for `lu_solve`. By SciPy.

    Args:
        A, pivot: see `lu`.

    Returns:
        A named tuple (LU, pivots): U in the upper triangle of LU, (..., m, n), and L below it, without its ones; row i
        was exchanged with row pivots[i] - 1, int32, (..., min(m, n)).

    Raises:
        ValueError: fewer than two dimensions. linalg.LinAlgError: a matrix is singular.

    >>> td.linalg.lu_factor(td.tensor([[1.0, 2.0], [4.0, 4.0]]))
    PackedLU(LU=tensor([[4.0000, 4.0000],
            [0.2500, 1.0000]]), pivots=tensor([2, 2], dtype=int32))
    """
    require_pivots("lu_factor", pivot)
    found = packed(A, True)
    return PackedLU(found.LU, found.pivots)


@composition
def lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """The X with A X = B, by the factors of A that `lu_factor` returned.

    Args:
        LU, pivots: of shapes (..., n, n) and (..., n).
        B: of shape (..., n, k), or (..., k, n) if not `left`.
        left: whether A stands on the left of X.
        adjoint: whether it is A^H in the place of A.

    Raises:
        ValueError: the shapes do not fit. RuntimeError: the pivots are not int32.

    >>> td.linalg.lu_solve(*td.linalg.lu_factor(td.tensor([[1.0, 2.0], [4.0, 4.0]])), td.tensor([[3.0], [8.0]]))
    tensor([[1.],
            [1.]])
    """
    require_square("lu_solve", LU)
    n = LU.shape[-1]
    if pivots.dtype != np.int32:
        raise RuntimeError(f"lu_solve: got pivots of dtype {pivots.dtype}, expected int32, as lu_factor returns them")
    if pivots.shape != LU.shape[:-1] or B.ndim < 2 or B.shape[-2 if left else -1] != n:
        raise ValueError(
            f"lu_solve: got LU, pivots and B of shapes {LU.shape}, {pivots.shape} and {B.shape}, expected (..., n, n), "
            f"(..., n) and (..., {'n, k' if left else 'k, n'})"
        )
    if not left:  # X A = B is A^H X^H = B^H
        return lu_solve(LU, pivots, B.mH, adjoint=not adjoint).mH
    rows = lu_rows(pivots, n)
    if adjoint:
        found = solve_triangular(LU.mH, B, upper=False)
        return _picked(solve_triangular(LU.mH, found, upper=True, unitriangular=True), rows)
    found = solve_triangular(LU, _picked(B, rows.argsort(-1)), upper=False, unitriangular=True)
    return solve_triangular(LU, found, upper=True)


def _picked(B: Tensor, rows: Tensor) -> Tensor:
    """Matrices with their rows in another order, or in one for each of a batch."""
    batch = np.broadcast_shapes(B.shape[:-2], rows.shape[:-1])
    found: Tensor = _in_order(B.expand(*batch, *B.shape[-2:]), rows)
    return found


@composition
def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> Factors:
    """The factors P, L and U, of what `lu_factor` returned.

    Args:
        LU_data: (..., m, n).
        LU_pivots: (..., min(m, n)), int32.
        unpack_data: whether L and U are wanted; they are empty else.
        unpack_pivots: whether P is wanted; it is empty else.

    Raises:
        RuntimeError: the pivots are not int32, or not of that shape.

    >>> td.lu_unpack(*td.linalg.lu_factor(td.tensor([[1.0, 2.0], [4.0, 4.0]]))).P
    tensor([[0., 1.],
            [1., 0.]])
    """
    if unpack_pivots and LU_pivots.dtype != np.int32:
        raise RuntimeError(
            f"lu_unpack: got LU_pivots of dtype {LU_pivots.dtype}, expected int32, as lu_factor returns them"
        )
    expected = (*LU_data.shape[:-2], min(LU_data.shape[-2:]))
    if unpack_pivots and LU_pivots.shape != expected:
        raise RuntimeError(f"lu_unpack: got LU_pivots of shape {tuple(LU_pivots.shape)}, expected {expected}")
    nothing = empty(0, dtype=LU_data.dtype)
    P, L, U = unpacked(LU_data, LU_pivots)
    return Factors(P if unpack_pivots else nothing, *((L, U) if unpack_data else (nothing, nothing)))
