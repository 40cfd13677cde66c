"""Singular values and vectors, and the rank of a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, drawn, error, one_of
from tinygrad_dl.ops.linalg._matrices import LinAlgError, require_finite, require_gauge, turned
from tinygrad_dl.ops.linalg._results import SVD
from tinygrad_dl.ops.linalg.qr import require_matrices


def _apart(rows: int, columns: int) -> Any:
    """Draws matrices of this shape whose singular values are far from each other and from 0."""

    def draw(rng: Any) -> np.ndarray:
        u, _, vh = np.linalg.svd(rng.standard_normal((*[(), (2,)][int(rng.integers(2))], rows, columns)), False)
        found: np.ndarray = (u * (np.arange(u.shape[-1])[::-1] + rng.uniform(0.5, 1.0))) @ vh
        return found

    return drawn(draw)


@op(
    namespace="rules",
    kind="batched",
    outputs=SVD,
    floating=True,
    inputs=[
        dict(A=_apart(3, 3), full_matrices=one_of(True, False)),
        dict(A=_apart(4, 2), full_matrices=one_of(False)),
        dict(A=_apart(2, 4), full_matrices=one_of(False)),
    ],
    errors=[error(ValueError, r"got shape \(3,\), expected matrices", array(3))],
    reference=lambda A, full_matrices=True: _naive_svd(A),
)
def svd(A: Array, full_matrices: bool = True) -> Any:
    """The singular values S of matrices A = U diag(S) Vh, from the largest on, and the singular vectors.

    Args:
        A: of shape (..., m, n).
        full_matrices: U is (..., m, m) and Vh (..., n, n); else (..., m, k) and (..., k, n), with k = min(m, n).

    Returns:
        A named tuple (U, S, Vh); S, of shape (..., k), is real.

    The gradient exists where the singular values differ and, if m is not n, none is 0; of the vectors beyond the k-th
    there is none. A vector is determined up to its sign (or a complex factor of absolute value 1), so only what does
    not hang on that may be differentiated.

    Raises:
        ValueError: fewer than two dimensions. linalg.LinAlgError: an element is not finite.

    >>> td.linalg.svd(td.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.linalg.svd.html
    """
    require_matrices("svd", A)
    require_finite("svd", A)
    try:
        return SVD(*np.linalg.svd(A, full_matrices))
    except np.linalg.LinAlgError:
        raise LinAlgError("svd: got a matrix whose singular values were not found, expected another one") from None


def gaps(S: Any) -> Any:
    """S_j^2 - S_i^2 for each i and j, and 1 on the diagonal."""
    squares = S * S
    return squares[..., None, :] - squares[..., :, None] + module_of(S).eye(S.shape[-1], dtype=S.dtype)


def diagonal_of(a: Any) -> Any:
    """A matrix with zeros beside its diagonal."""
    return a * module_of(a).eye(a.shape[-1], dtype=a.dtype)


def over(a: Any, b: Any) -> Any:
    """a / b, and 0 where a is 0: equal singular values are in the way of vectors alone."""
    nothing = a == 0
    return np.where(nothing, 0.0, a) / np.where(nothing, 1.0, b)


def svd_slope(g: Any, U: Any, S: Any, Vh: Any) -> Any:
    """U ((skew(U^H gU) / E) S + S (skew(V^H gV) / E) + diag(gS)) V^H, and what leaves the singular spaces."""
    k = S.shape[-1]
    u, vh = U[..., :k], Vh[..., :k, :]
    g_u, g_s, g_vh = np.conjugate(g[0][..., :k]), g[1], np.conjugate(g[2][..., :k, :])
    row, column = S[..., None, :], S[..., :, None]
    for_u, for_v = np.matmul(turned(u), g_u), np.matmul(vh, turned(g_vh))
    require_gauge("svd", U, for_u + for_v)
    apart = gaps(S)
    turn_u, turn_v = for_u - turned(for_u), for_v - turned(for_v)
    inner = over(turn_u, apart) * row + column * over(turn_v, apart)
    inner = inner - diagonal_of(inner) + over(diagonal_of(turn_u) * 0.5, row)
    inner = inner + g_s[..., None, :] * module_of(S).eye(k, dtype=S.dtype)
    found = np.matmul(np.matmul(u, inner), vh)
    if u.shape[-2] > k:
        found = found + np.matmul(over(g_u - np.matmul(u, for_u), row), vh)
    if vh.shape[-1] > k:
        found = found + np.matmul(u, over(g_vh - np.matmul(turned(for_v), vh), column))
    return np.conjugate(found)


def svd_tangent(t: Any, U: Any, S: Any, Vh: Any) -> tuple[Any, Any, Any]:
    """With P = U^H t V: dS is its diagonal, the vectors turn by (P S + S P^H) / E and (S P + P^H S) / E."""
    k = S.shape[-1]
    u, vh = U[..., :k], Vh[..., :k, :]
    if U.shape[-1] > k or Vh.shape[-2] > k:
        raise RuntimeError("svd: got full_matrices=True for matrices that are not square, expected False: see help")
    row, column = S[..., None, :], S[..., :, None]
    moved = np.matmul(t, turned(vh))
    inner = np.matmul(turned(u), moved)
    of_s = np.diagonal(inner, 0, -2, -1)
    of_s = of_s.real if of_s.dtype.kind == "c" else of_s
    phase = over(diagonal_of(inner - turned(inner)) * 0.5, row)
    inner, apart = inner - diagonal_of(inner), gaps(S)
    turn_u = over(inner * row + column * turned(inner), apart) + phase
    turn_v = over(column * inner + turned(inner) * row, apart)
    of_u = np.matmul(u, turn_u)
    of_vh = np.matmul(turned(turn_v), vh)
    if u.shape[-2] > k:
        of_u = of_u + over(moved - np.matmul(u, np.matmul(turned(u), moved)), row)
    if vh.shape[-1] > k:
        across = np.matmul(turned(u), t)
        of_vh = of_vh + over(across - np.matmul(np.matmul(across, turned(vh)), vh), column)
    return of_u, of_s, of_vh


svd.vjp(A=svd_slope)
svd.jvp(A=svd_tangent)


def _naive_svd(a: np.ndarray) -> SVD:
    """By the eigenvectors of A^H A, or A A^H if that is smaller, with LAPACK's signs."""
    if a.shape[-2] < a.shape[-1]:
        v, s, uh = _naive_svd(turned(a))
        u, vh = turned(uh), turned(v)
    else:
        squares, v = np.linalg.eigh(turned(a) @ a)
        s, vh = np.sqrt(squares[..., ::-1]), turned(v[..., ::-1])
        u = a @ turned(vh) / s[..., None, :]
    sign = np.sign((u * np.linalg.svd(a, False).U).sum(-2))
    return SVD(u * sign[..., None, :], s, vh * sign[..., :, None])


@op(
    namespace="rules",
    kind="batched",
    floating=True,
    inputs=[dict(A=_apart(3, 3)), dict(A=_apart(4, 2)), dict(A=_apart(2, 4))],
    errors=[error(ValueError, r"got shape \(3,\), expected matrices", array(3))],
    reference=lambda A: _naive_svd(A).S,
)
def svdvals(A: Array) -> Array:
    """The singular values of matrices (..., m, n), from the largest on: (..., min(m, n)).

    They alone take a third of the time that they take with the vectors, which the gradient needs.

    Raises:
        ValueError: fewer than two dimensions. linalg.LinAlgError: an element is not finite.

    >>> td.linalg.svdvals(td.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor([4., 3.])
    """
    require_matrices("svdvals", A)
    require_finite("svdvals", A)
    try:
        return np.linalg.svd(A, compute_uv=False)
    except np.linalg.LinAlgError:
        raise LinAlgError("svdvals: got a matrix whose singular values were not found, expected another one") from None


def values_slope(g: Any, A: Any) -> Any:
    """U diag(g) V^H."""
    U, _, Vh = svd.generic(A, False)
    return np.conjugate(np.matmul(U * g[..., None, :], Vh))


def values_tangent(t: Any, A: Any) -> Any:
    """The diagonal of U^H t V, its real part."""
    U, _, Vh = svd.generic(A, False)
    return np.real((np.conjugate(U) * np.matmul(t, turned(Vh))).sum(-2))


svdvals.vjp(A=values_slope)
svdvals.jvp(A=values_tangent)


@composition
def matrix_rank(A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """How many singular values of matrices (..., m, n) are more than max(atol, rtol * the largest one).

    Args:
        tol: an older name of `atol`.
        hermitian: whether the matrices are Hermitian; makes no difference.
        atol: 0 by default.
        rtol: by default max(m, n) times the precision of the dtype, or 0 if `atol` is given and more than 0.

    >>> td.linalg.matrix_rank(td.tensor([[1.0, 2.0], [2.0, 4.0]]))
    tensor(1)
    """
    atol = tol if atol is None else atol
    values = svdvals(A.detach())
    if rtol is None:
        given = atol is not None and bool((np.asarray(atol) > 0).all())
        rtol = 0.0 if given else max(A.shape[-2:]) * float(np.finfo(values.dtype).eps)
    least = np.maximum(0.0 if atol is None else atol, values.amax(-1) * rtol) if values.shape[-1] else values.sum(-1)
    return (values > least.unsqueeze(-1)).sum(-1)
