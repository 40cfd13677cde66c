"""Eigenvalues and eigenvectors of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, drawn, error
from tinygrad_dl.ops._numpy.arguments import floating
from tinygrad_dl.ops.indexing.triangular import tril
from tinygrad_dl.ops.linalg._matrices import (
    LinAlgError,
    require_finite,
    require_gauge,
    require_square,
    some_matrices,
    transposed,
    turned,
)
from tinygrad_dl.ops.linalg._results import Eigen
from tinygrad_dl.ops.linalg.solve import systems
from tinygrad_dl.ops.linalg.svd import over

NOT_SQUARE = [error(ValueError, r"got shape \(2, 3\), expected square matrices", array(2, 3))]


def differences(L: Any) -> Any:
    """L_j - L_i for each i and j, and 1 on the diagonal."""
    return L[..., None, :] - L[..., :, None] + module_of(L).eye(L.shape[-1], dtype=L.dtype)


def off_diagonal(a: Any) -> Any:
    """The matrix with zeros on its diagonal."""
    return a - a * module_of(a).eye(a.shape[-1], dtype=a.dtype)


def diagonal_matrix(values: Any) -> Any:
    """The matrix with these values on its diagonal."""
    return values[..., None, :] * module_of(values).eye(values.shape[-1], dtype=values.dtype)


def _apart(rng: np.random.Generator) -> np.ndarray:
    """One or two real matrices with real eigenvalues that are far from each other."""
    vectors = some_matrices(rng, 3).real
    vectors = vectors + 4 * np.eye(3)
    values = np.arange(3) * 2 + rng.uniform(0.5, 1.0, 3)
    found: np.ndarray = vectors @ (values[:, None] * np.linalg.inv(vectors))
    return found


@op(
    namespace="rules",
    kind="batched",
    outputs=Eigen,
    floating=True,
    inputs=dict(A=drawn(_apart)),
    errors=[*NOT_SQUARE, error(LinAlgError, "infinite or nan", np.full((2, 2), np.inf))],
    reference=lambda A: _naive_eig(A),
)
def eig(A: Array) -> Any:
    """The eigenvalues L and eigenvectors V of square matrices (..., n, n): A V = V diag(L).

    Returns:
        A named tuple (eigenvalues, eigenvectors), both complex: (..., n), in no order, and (..., n, n), a column for
        each, of norm 1.

    The gradient exists where the eigenvalues differ. An eigenvector is determined up to a complex factor of absolute
    value 1, so only what does not hang on that may be differentiated.

    Raises:
        ValueError: the matrices are not square. linalg.LinAlgError: an element is not finite.

    >>> td.linalg.eig(td.tensor([[2.0, 0.0], [0.0, 3.0]])).eigenvalues
    tensor([2.+0.j, 3.+0.j])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.linalg.eig.html; C. Boeddeker et al., "On the
    computation of complex-valued gradients with application to statistically optimum beamforming" (2017).
    """
    require_square("eig", A)
    require_finite("eig", A)
    try:
        values, vectors = np.linalg.eig(A)
    except np.linalg.LinAlgError:
        raise LinAlgError("eig: got a matrix whose eigenvalues were not found, expected another one") from None
    dtype = np.result_type(A.dtype, np.complex64)
    return Eigen(values.astype(dtype, copy=False), vectors.astype(dtype, copy=False))


def eig_slope(g: Any, eigenvalues: Any, eigenvectors: Any) -> Any:
    """V^-H (diag(gL) + (V^H gV - V^H V Re(diag(V^H gV))) / E) V^H, with E_ij = conj(L_j - L_i)."""
    V, g_v = eigenvectors, np.conjugate(g[1])
    along = np.matmul(turned(V), g_v)
    require_gauge("eig", V, along)
    length = np.real(np.diagonal(along, 0, -2, -1))
    inner = off_diagonal(along - np.matmul(turned(V), V) * length[..., None, :])
    inner = over(inner, np.conjugate(differences(eigenvalues))) + diagonal_matrix(np.conjugate(g[0]))
    return np.conjugate(systems.generic(turned(V), np.matmul(inner, turned(V))))


def eig_tangent(t: Any, eigenvalues: Any, eigenvectors: Any) -> tuple[Any, Any]:
    """With P = V^-1 t V: dL is its diagonal, and dV = V Q, Q = P / E, less what would change the norms."""
    V = eigenvectors
    inner = systems.generic(V, np.matmul(t + 0 * V, V))
    turn = np.matmul(V, over(off_diagonal(inner), differences(eigenvalues)))
    growth = np.real((np.conjugate(V) * turn).sum(-2))
    return np.diagonal(inner, 0, -2, -1), turn - V * growth[..., None, :]


eig.vjp(A=eig_slope)
eig.jvp(A=eig_tangent)


def _naive_eig(a: np.ndarray) -> Eigen:
    """From the roots of the characteristic polynomial, with LAPACK's order and signs."""
    known = np.linalg.eig(a)
    values, vectors = np.zeros(a.shape[:-1], complex), np.zeros(a.shape, complex)
    for index in np.ndindex(a.shape[:-2]):
        roots = np.roots(np.poly(a[index]))
        for i, value in enumerate(known[0][index]):
            values[index][i] = roots[np.abs(roots - value).argmin()]
            vector = np.linalg.svd(a[index] - values[index][i] * np.eye(a.shape[-1]))[2][-1].conj()
            vectors[index][:, i] = vector * np.sign((vector.conj() @ known[1][index][:, i]).real)
    return Eigen(values, vectors)


def _symmetric(rng: np.random.Generator) -> np.ndarray:
    """One or two symmetric matrices whose eigenvalues are far from each other."""
    q, _ = np.linalg.qr(some_matrices(rng, 3).real)
    values = np.arange(3) * 2 + rng.uniform(0.5, 1.0, 3)
    found: np.ndarray = q @ (values[:, None] * transposed(q))
    return found


@op(
    namespace="rules",
    name="eigh",
    kind="batched",
    outputs=Eigen,
    floating=True,
    inputs=dict(A=drawn(_symmetric)),
    errors=NOT_SQUARE,
    reference=lambda A: _naive_eigh(A),
)
def hermitian(A: Array) -> Any:
    """The eigenvalues and eigenvectors of the Hermitian part of each matrix, (A + A^H) / 2."""
    require_square("eigh", A)
    require_finite("eigh", A)
    return Eigen(*np.linalg.eigh((A + turned(A)) * 0.5))


def hermitian_slope(g: Any, eigenvalues: Any, eigenvectors: Any) -> Any:
    """The Hermitian part of V (diag(gL) + (V^H gV) / E) V^H, with E_ij = L_j - L_i."""
    V = eigenvectors
    along = np.matmul(turned(V), np.conjugate(g[1]))
    require_gauge("eigh", V, along)
    inner = over(off_diagonal(along), differences(eigenvalues))
    found = np.matmul(np.matmul(V, inner + diagonal_matrix(g[0])), turned(V))
    return np.conjugate(found + turned(found)) * 0.5


def hermitian_tangent(t: Any, eigenvalues: Any, eigenvectors: Any) -> tuple[Any, Any]:
    """With P = V^H t V, of the Hermitian part of t: dL is its diagonal, and dV = V (P / E)."""
    V = eigenvectors
    inner = np.matmul(turned(V), np.matmul((t + turned(t)) * 0.5, V))
    turn = np.matmul(V, over(off_diagonal(inner), differences(eigenvalues)))
    return np.real(np.diagonal(inner, 0, -2, -1)), turn


hermitian.vjp(A=hermitian_slope)
hermitian.jvp(A=hermitian_tangent)


@op(
    namespace="rules",
    name="eigvalsh",
    kind="batched",
    floating=True,
    inputs=dict(A=drawn(_symmetric)),
    errors=NOT_SQUARE,
    reference=lambda A: _naive_eigh(A).eigenvalues,
)
def hermitian_values(A: Array) -> Array:
    """The eigenvalues alone of the Hermitian part of each matrix, in less time; the gradient needs the vectors."""
    require_square("eigvalsh", A)
    require_finite("eigvalsh", A)
    return np.linalg.eigvalsh((A + turned(A)) * 0.5)


def values_slope(g: Any, A: Any) -> Any:
    """V diag(g) V^H."""
    V = hermitian.generic(A)[1]
    return np.conjugate(np.matmul(V * g[..., None, :], turned(V)))


def values_tangent(t: Any, A: Any) -> Any:
    """The diagonal of V^H t V, of the Hermitian part of t."""
    V = hermitian.generic(A)[1]
    return np.real((np.conjugate(V) * np.matmul((t + turned(t)) * 0.5, V)).sum(-2))


hermitian_values.vjp(A=values_slope)
hermitian_values.jvp(A=values_tangent)


def _naive_eigh(a: np.ndarray) -> Eigen:
    """By the eigenvalues of the matrix as any other, sorted, with LAPACK's signs."""
    a = (a + turned(a)) / 2
    values, vectors = np.linalg.eig(a)
    order = np.argsort(values.real, -1)
    values, vectors = np.take_along_axis(values, order, -1), np.take_along_axis(vectors, order[..., None, :], -1)
    sign = np.sign((vectors * np.linalg.eigh(a)[1]).sum(-2))
    return Eigen(values, vectors * sign[..., None, :])


def one_triangle(A: Tensor, UPLO: str) -> Tensor:
    """The Hermitian matrices with this triangle; gradients go to A as they are, as if it were read whole."""
    lower = UPLO == "L"
    with_lower = A if lower else A.mH
    strict = tril(with_lower, -1)
    whole = tril(with_lower) + strict.mH
    return A + (whole - A).detach()


@composition
def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """The eigenvalues L and eigenvectors V of symmetric or Hermitian matrices: A = V diag(L) V^H.

    Args:
        A: of shape (..., n, n).
        UPLO: "L" or "U": the triangle of A that is read.

    Returns:
        A named tuple (eigenvalues, eigenvectors): real ones from the smallest on, (..., n), and orthonormal columns,
        (..., n, n). The gradient for A is Hermitian.

    The gradient of the vectors exists where the eigenvalues differ. A vector is determined up to its sign (or a complex
    factor of absolute value 1), so only what does not hang on that may be differentiated.

    Raises:
        ValueError: the matrices are not square, or another UPLO. linalg.LinAlgError: an element is not finite.

    >>> td.linalg.eigh(td.tensor([[2.0, 1.0], [1.0, 2.0]])).eigenvalues
    tensor([1., 3.])
    """
    return hermitian(checked_triangle("eigh", A, UPLO))


def checked_triangle(what: str, A: Tensor, UPLO: str) -> Tensor:
    """The matrices that one triangle of these stands for."""
    require_square(what, A)
    if UPLO.upper() not in ("L", "U"):
        raise ValueError(f"{what}: got UPLO={UPLO!r}, expected 'L' or 'U'")
    return one_triangle(A, UPLO.upper())


@composition
def eigvals(A: Tensor) -> Tensor:
    """The eigenvalues of square matrices (..., n, n), in no order: complex, (..., n).

    Raises:
        ValueError: the matrices are not square. linalg.LinAlgError: an element is not finite.

    >>> td.linalg.eigvals(td.tensor([[0.0, -1.0], [1.0, 0.0]])).imag.abs()
    tensor([1., 1.])
    """
    values: Tensor = eig(A).eigenvalues
    return values


@composition
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric or Hermitian matrices (..., n, n), from the smallest on: (..., n); see `eigh`.

    >>> td.linalg.eigvalsh(td.tensor([[2.0, 1.0], [1.0, 2.0]]))
    tensor([1., 3.])
    """
    values: Tensor = hermitian_values(checked_triangle("eigvalsh", A, UPLO))
    return values


NUMPY[np.linalg.eig] = lambda a: eig(floating(a))
NUMPY[np.linalg.eigh] = lambda a, UPLO="L": eigh(floating(a), UPLO)
NUMPY[np.linalg.eigvals] = lambda a: eigvals(floating(a))
NUMPY[np.linalg.eigvalsh] = lambda a, UPLO="L": eigvalsh(floating(a), UPLO)
