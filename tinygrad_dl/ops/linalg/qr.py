"""Orthogonal matrices: the QR factors of a matrix, and products of Householder's reflections."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from tinygrad_dl.backends.arrays import contiguous, module_of
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import eye
from tinygrad_dl.inputs import array, drawn, error, one_of
from tinygrad_dl.ops.linalg._matrices import some_matrices, transposed, turned
from tinygrad_dl.ops.linalg._results import QR, Reflections
from tinygrad_dl.ops.linalg.cholesky import solve_triangular

Mode = Literal["reduced", "complete", "r"]


def _full_rank(rows: int, columns: int) -> Any:
    """Draws matrices of this shape whose columns, or rows, are far from dependent."""

    def draw(rng: Any) -> np.ndarray:
        return some_matrices(rng, rows, columns) + 3 * np.eye(rows, columns)

    return drawn(draw)


def require_matrices(what: str, a: Any) -> None:
    """Raises ValueError for a tensor of fewer than two dimensions."""
    if a.ndim < 2:
        raise ValueError(f"{what}: got shape {tuple(a.shape)}, expected matrices (..., m, n)")


@op(
    namespace="rules",
    kind="batched",
    outputs=QR,
    floating=True,
    inputs=[
        dict(A=_full_rank(3, 3), mode=one_of("reduced", "complete")),
        dict(A=_full_rank(4, 2)),
        dict(A=_full_rank(2, 4), mode=one_of("reduced", "complete")),
    ],
    errors=[
        error(ValueError, r"got shape \(3,\), expected matrices", array(3)),
        error(ValueError, "got mode='thin', expected 'reduced'", array(2, 2), "thin"),
    ],
    reference=lambda A, mode="reduced": _naive_qr(A),
)
def qr(A: Array, mode: Mode = "reduced") -> Any:
    """The factors Q, with orthonormal columns, and R, upper triangular, of matrices A = Q R.

    Args:
        A: of shape (..., m, n).
        mode: "reduced": Q is (..., m, k) and R (..., k, n), with k = min(m, n); "complete": Q is (..., m, m) and R
            (..., m, n); "r": Q is empty.

    The gradient exists if the first k columns of A are independent, in mode "reduced", or if m <= n.

    Raises:
        ValueError: fewer than two dimensions, or another mode. RuntimeError: a gradient of what has none.

    >>> Q, R = td.linalg.qr(td.tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> R
    tensor([[-5.0000, -2.2000],
            [ 0.0000,  0.4000]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.linalg.qr.html
    """
    require_matrices("qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr: got mode={mode!r}, expected 'reduced', 'complete' or 'r'")
    if mode == "r":
        return QR(module_of(A).zeros(0, A.dtype), np.linalg.qr(A, mode))
    return QR(*np.linalg.qr(A, mode))


def require_unique(Q: Any, R: Any, mode: str) -> None:
    """Raises RuntimeError where Q is not determined by the matrix."""
    if mode == "r" or Q.shape[-1] > R.shape[-1]:
        shape = "without Q" if mode == "r" else f"with more rows ({Q.shape[-1]}) than columns ({R.shape[-1]})"
        raise RuntimeError(
            f"qr: got mode={mode!r} for matrices {shape}, of which there is no derivative, expected mode='reduced'"
        )


def upper_part(a: Any) -> Any:
    """Of a + a^H the upper triangle with half of the diagonal."""
    a = np.triu(a + turned(a))
    return a - a * (0.5 * module_of(a).eye(a.shape[-1], dtype=a.dtype))


def qr_slope(g: Any, A: Any, Q: Any, R: Any, mode: str) -> Any:
    """(gQ + Q sym(triu(gR R^H - Q^H gQ))) R^-H, of the columns that Q has; the others are Q^H A."""
    require_unique(Q, R, mode)
    g_q, g_r = (np.conjugate(each) for each in g)  # complex gradients come and go as their conjugates
    k = Q.shape[-1]
    rest = A[..., k:]
    of_rest = np.matmul(Q, g_r[..., k:])
    g_q = g_q + np.matmul(rest, turned(g_r[..., k:]))
    r, g_r = R[..., :k], g_r[..., :k]
    inner = np.triu(np.matmul(g_r, turned(r)) - np.matmul(turned(Q), g_q))
    inner = inner + turned(inner)
    inner = inner - inner * (0.5 * module_of(inner).eye(k, dtype=inner.dtype))
    of_first = solve_triangular.generic(turned(r), g_q + np.matmul(Q, inner), upper=False, left=False)
    return np.conjugate(np.concatenate([of_first, of_rest], -1))


def qr_tangent(t: Any, A: Any, Q: Any, R: Any, mode: str) -> tuple[Any, Any]:
    """With C = Q^H t R^-1: dR = T R, where T is the upper part of C + C^H, and dQ = t R^-1 - Q T."""
    require_unique(Q, R, mode)
    k = Q.shape[-1]
    r = R[..., :k]
    change = solve_triangular.generic(r, t[..., :k], upper=True, left=False)
    inner = upper_part(np.matmul(turned(Q), change))
    of_q = change - np.matmul(Q, inner)
    of_rest = np.matmul(turned(of_q), A[..., k:]) + np.matmul(turned(Q), t[..., k:])
    return of_q, np.concatenate([np.matmul(inner, r), of_rest], -1)


qr.vjp(A=qr_slope)
qr.jvp(A=qr_tangent)


def _naive_qr(a: np.ndarray) -> QR:
    """By the Cholesky factor of A^H A, of the first columns; LAPACK's diagonal has the sign minus."""
    k = min(a.shape[-2:])
    first = a[..., :k]
    r = -turned(np.linalg.cholesky(turned(first) @ first))
    q = first @ np.linalg.inv(r)
    sign = np.sign(np.diagonal(np.linalg.qr(first).R, 0, -2, -1).real)[..., None, :]
    q = -q * sign
    return QR(q, turned(q) @ a)


@op(
    differentiable=False,
    floating=True,
    kind="batched",
    outputs=Reflections,
    inputs=[dict(input=_full_rank(3, 3)), dict(input=_full_rank(4, 2)), dict(input=_full_rank(2, 4))],
    errors=[error(ValueError, r"got shape \(3,\), expected matrices", array(3))],
    reference=lambda input: _naive_geqrf(input),
)
def geqrf(input: Array) -> Any:
    """The QR factors of matrices as LAPACK leaves them; not differentiable.

    Returns:
        A named tuple (a, tau): R in the upper triangle of a, (..., m, n), below it the vectors of the reflections, and
        their factors, (..., min(m, n)): see `householder_product`.

    Raises:
        ValueError: fewer than two dimensions.

    >>> td.geqrf(td.tensor([[3.0], [4.0]]))
    Reflections(a=tensor([[-5.0000],
            [ 0.5000]]), tau=tensor([1.6000]))
    """
    require_matrices("geqrf", input)
    a, tau = np.linalg.qr(input, "raw")
    return Reflections(contiguous(transposed(a)), tau)


def _naive_geqrf(a: np.ndarray) -> Reflections:
    """Column by column: a reflection turns what is left of each into a multiple of the first unit vector."""
    a = a.copy()
    taus = np.zeros((*a.shape[:-2], min(a.shape[-2:])), a.dtype)
    for index in np.ndindex(a.shape[:-2]):
        for i in range(taus.shape[-1]):
            rest = a[index][i:, i:]
            v = rest[:, 0].copy()
            beta = -np.copysign(np.linalg.norm(v), v[0].real)
            if not v[1:].any() and v[0].imag == 0:
                continue  # nothing to turn
            tau = (beta - v[0]) / beta
            v[1:] /= v[0] - beta
            v[0] = 1
            rest -= np.conj(tau) * np.outer(v, v.conj() @ rest)
            rest[1:, 0], taus[index][i] = v[1:], tau
    return Reflections(a, taus)


@composition
def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """The first n columns of a product of Householder's reflections, H_1 H_2 ... H_k, with H_i = I - tau_i v_i v_i^H.

    Args:
        A: the vectors, (..., m, n) with m >= n: below the diagonal of column i stands what follows the 1 of v_i.
        tau: the factors, (..., k) with k <= n.

    Returns:
        The columns, (..., m, n).

    Raises:
        ValueError: the shapes do not fit.

    >>> td.linalg.householder_product(*td.geqrf(td.tensor([[3.0], [4.0]])))
    tensor([[-0.6000],
            [-0.8000]])
    """
    require_matrices("householder_product", A)
    m, n, k = A.shape[-2], A.shape[-1], tau.shape[-1] if tau.ndim else -1
    if not (m >= n >= k >= 0 and tau.shape[:-1] == A.shape[:-2]):
        raise ValueError(
            f"householder_product: got shapes {tuple(A.shape)} and {tuple(tau.shape)}, expected (..., m, n) and "
            "(..., k) with m >= n >= k"
        )
    v, factor = reflections(A, tau)
    return eye(m, n, dtype=A.dtype) - v @ (factor @ v[..., :n, :].mH)


def reflections(A: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
    """The V and T with H_1 ... H_k = I - V T V^H: T = (1 + D S)^-1 D, where D is the diagonal matrix of tau and S what
    stands above the diagonal of V^H V (Schreiber and Van Loan, 1989).
    """
    m, k = A.shape[-2], tau.shape[-1]
    v = A[..., :k].tril(-1) + eye(m, k, dtype=A.dtype)
    scaled = tau.unsqueeze(-1) * (v.mH @ v).triu(1)
    diagonal = tau.unsqueeze(-1) * eye(k, dtype=A.dtype)
    return v, solve_triangular(scaled, diagonal, upper=True, unitriangular=True)
