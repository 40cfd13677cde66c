"""A few singular values and eigenvalues of large matrices: the largest, or the smallest."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.linalg._results import OldSVD
from tinygrad_dl.ops.linalg.cholesky import cholesky, solve_triangular
from tinygrad_dl.ops.linalg.eig import eigh
from tinygrad_dl.ops.linalg.products import matmul
from tinygrad_dl.ops.linalg.qr import qr, require_matrices
from tinygrad_dl.ops.linalg.svd import svd
from tinygrad_dl.random import randn

MOST = 10_000  # iterations, of which some two are needed


def basis(A: Tensor, q: int, niter: int) -> Tensor:
    """Orthonormal columns (..., m, q) of a space that is close to that of the largest left singular vectors."""
    start = randn(A.shape[-1], q, dtype=A.dtype)
    Q: Tensor = qr(matmul(A, start)).Q
    for _ in range(niter):
        Q = qr(matmul(A, qr(matmul(A.mH, Q)).Q)).Q
    return Q


def truncated(A: Tensor, q: int, niter: int) -> OldSVD:
    """The q largest singular values and their vectors; of the wider side A^H is taken."""
    wide = A.shape[-2] < A.shape[-1]
    matrices = A.mH if wide else A
    Q = basis(matrices, q, niter)
    U, S, Vh = svd(matmul(Q.mH, matrices), full_matrices=False)
    left, right = matmul(Q, U), Vh.mH
    return OldSVD(right, S, left) if wide else OldSVD(left, S, right)


def require_counts(what: str, A: Tensor, q: int, niter: int) -> None:
    """Raises ValueError for more values than there are, and for iterations that would not end in a lifetime."""
    size = min(A.shape[-2:])
    if not (0 <= q <= size and 0 <= niter <= MOST):
        raise ValueError(
            f"{what}: got q={q} and niter={niter} for shape {A.shape}, expected 0 to {size} and 0 to {MOST}"
        )


@composition
def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> OldSVD:
    """About the q largest singular values of matrices and their vectors, A = U diag(S) V^H, from random vectors.

    Args:
        A: of shape (..., m, n).
        q: how many; a few more than are wanted. There are min(m, n) at most.
        niter: how often the vectors are multiplied by A A^H, which brings them closer to the singular ones.
        M: subtracted from A first; it broadcasts to A's shape.

    Returns:
        A named tuple (U, S, V) of shapes (..., m, q), (..., q) and (..., n, q).

    Raises:
        ValueError: fewer than two dimensions, another q or niter.

    >>> td.svd_lowrank(td.tensor([[3.0, 0.0], [0.0, 4.0]]), q=2).S.round()
    tensor([4., 3.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.svd_lowrank.html; N. Halko, P.-G. Martinsson and
    J. Tropp, "Finding structure with randomness" (2009), algorithm 5.1.
    """
    require_matrices("svd_lowrank", A)
    q, niter = min(6 if q is None else q, *A.shape[-2:]), 2 if niter is None else niter
    require_counts("svd_lowrank", A, q, niter)
    return truncated(A if M is None else A - M, q, niter)


@composition
def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> OldSVD:
    """About the first q principal components of rows (..., m, n): `svd_lowrank` of what differs from their mean.

    Args:
        q: how many; by default min(6, m, n).
        center: whether the mean is subtracted.
        niter: see `svd_lowrank`.

    Returns:
        A named tuple (U, S, V): the components are the columns of V, (..., n, q), and S**2 / (m - 1) their variances.

    Raises:
        ValueError: fewer than two dimensions, another q or niter.

    >>> td.pca_lowrank(td.tensor([[1.0, 1.0], [3.0, 3.0]]), q=1).S.round()
    tensor([2.])
    """
    require_matrices("pca_lowrank", A)
    q = min(6, *A.shape[-2:]) if q is None else q
    require_counts("pca_lowrank", A, q, niter)
    return truncated(A - A.mean(-2, keepdim=True) if center else A, q, niter)


@composition
def lobpcg(
    A: Tensor,
    k: int | None = None,
    B: Tensor | None = None,
    X: Tensor | None = None,
    n: int | None = None,
    iK: Tensor | None = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Any = None,
    ortho_iparams: Any = None,
    ortho_fparams: Any = None,
    ortho_bparams: Any = None,
) -> tuple[Tensor, Tensor]:
    """The k largest (or smallest) eigenvalues E of symmetric matrices and their vectors X: A X = B X diag(E).

    All of them are found, by `eigh`, and k returned: exact, in the time that all take.

    Args:
        A: of shape (..., m, m).
        k: how many, at most m / 3; by default as many as `X` has columns, or 1.
        B: positive definite, of A's shape; the identity if None.
        X: where PyTorch's iterations begin; its columns count alone.
        largest: whether the largest are wanted, the largest first, or the smallest; True if None.
        n, iK, niter, tol, method, tracker, ortho_iparams, ortho_fparams, ortho_bparams: accepted; PyTorch's iterations.

    Returns:
        (E, X) of shapes (..., k) and (..., m, k).

    Raises:
        ValueError: fewer than 3 k rows, or the matrices are not square.

    >>> td.lobpcg(td.diag(td.tensor([1.0, 5.0, 3.0])))[0]
    tensor([5.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.lobpcg.html
    """
    require_matrices("lobpcg", A)
    count = (1 if X is None else X.shape[-1]) if k is None else k
    if not 0 < 3 * count <= A.shape[-1]:
        raise ValueError(f"lobpcg: got k={count} for matrices {A.shape}, expected at least 1, and 3 k rows at least")
    if B is not None:  # B = L L^H: L^-1 A L^-H has the same eigenvalues
        L = cholesky(B)
        A = solve_triangular(L, solve_triangular(L, A, upper=False).mH, upper=False).mH
    E, V = eigh(A)
    if largest is None or largest:
        E, V = E[..., -count:].flip(-1), V[..., -count:].flip(-1)
    else:
        E, V = E[..., :count], V[..., :count]
    return E, V if B is None else solve_triangular(L.mH, V, upper=True)
