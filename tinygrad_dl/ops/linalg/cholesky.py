"""The Cholesky factor of a matrix, and systems of equations with triangular matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of, truth
from tinygrad_dl.core.batching import Batch
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.engine import unbroadcast
from tinygrad_dl.inputs import array, drawn, error, one_of
from tinygrad_dl.ops.linalg._matrices import (
    LinAlgError,
    require_square,
    side_by_side,
    some_matrices,
    transposed,
    turned,
)
from tinygrad_dl.ops.linalg._triangular import solution
from tinygrad_dl.ops.linalg.solve import regular


def read(a: Any, upper: bool, unitriangular: bool) -> Any:
    """The part of each matrix that `solve_triangular` reads, with zeros elsewhere."""
    a = np.triu(a) if upper else np.tril(a)
    return a - a * module_of(a).eye(a.shape[-1], dtype=a.dtype) if unitriangular else a


def _definite(rng: np.random.Generator) -> np.ndarray:
    """One or two symmetric or Hermitian matrices that are positive definite."""
    a = some_matrices(rng)
    found: np.ndarray = a @ turned(a) + a.shape[-1] * np.eye(a.shape[-1])
    return found


@op(
    namespace="rules",
    name="cholesky",
    floating=True,
    inputs=dict(input=drawn(_definite), upper=one_of(False, True)),
    errors=[
        error(ValueError, r"got shape \(2, 3\)", array(2, 3)),
        error(np.linalg.LinAlgError, "not positive definite", -np.eye(2)),
    ],
    reference=lambda input, upper=False: _naive_cholesky(input, upper),
)
def cholesky(input: Array, *, upper: bool = False) -> Array:
    """The lower triangular L with L L^H = input and a diagonal above 0; or, if `upper`, L^H.

    Args:
        input: symmetric (or Hermitian) and positive definite matrices, of shape (..., n, n); of others the symmetric
            part is taken, (input + input^H) / 2.

    Raises:
        ValueError: the matrices are not square. linalg.LinAlgError: one is not positive definite.

    >>> td.linalg.cholesky(td.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.linalg.cholesky.html; I. Murray, "Differentiation of
    the Cholesky decomposition" (2016).
    """
    require_square("cholesky", input)
    try:
        lower = np.linalg.cholesky((input + turned(input)) / 2)
    except np.linalg.LinAlgError:
        raise LinAlgError(
            "cholesky: got a matrix that is not positive definite, expected only eigenvalues above 0"
        ) from None
    return turned(lower) if upper else lower


def half(a: Any) -> Any:
    """The lower triangles with half of the diagonals."""
    return np.tril(a) - a * (0.5 * module_of(a).eye(a.shape[-1], dtype=a.dtype))


def cholesky_slope(g: Any, out: Any, upper: bool) -> Any:
    """The symmetric part of L^-H half(L^H g) L^-1; complex gradients come and go as their conjugates."""
    lower, g = (turned(out), transposed(g)) if upper else (out, np.conjugate(g))
    left = solve_triangular.generic(turned(lower), half(np.matmul(turned(lower), g)), upper=True)
    both = turned(solve_triangular.generic(turned(lower), turned(left), upper=True))
    return transposed(both + turned(both)) * 0.5


def cholesky_tangent(t: Any, out: Any, upper: bool) -> Any:
    """L half(L^-1 t L^-H), of the symmetric part of t."""
    lower = turned(out) if upper else out
    left = solve_triangular.generic(lower, (t + turned(t)) * 0.5, upper=False)
    tangent = np.matmul(lower, half(turned(solve_triangular.generic(lower, turned(left), upper=False))))
    return turned(tangent) if upper else tangent


def _naive_cholesky(a: np.ndarray, upper: bool) -> np.ndarray:
    """Row by row."""
    lower = np.zeros_like(a)
    for i in range(a.shape[-1]):
        for j in range(i + 1):
            rest = a[..., i, j] - (lower[..., i, :j] * lower[..., j, :j].conj()).sum(-1)
            lower[..., i, j] = np.sqrt(rest) if i == j else rest / lower[..., j, j]
    return turned(lower) if upper else lower


def _triangular(rng: np.random.Generator) -> np.ndarray:
    """One or two lower triangular matrices whose diagonal is away from 0."""
    a = some_matrices(rng)
    found: np.ndarray = np.tril(a) + 2 * np.eye(a.shape[-1])
    return found


@op(
    namespace="rules",
    name="solve_triangular",
    promote=True,
    inputs=[
        dict(
            input=drawn(_triangular),
            B=drawn(lambda rng, input: rng.standard_normal((*input.shape[:-1], 2))),
            upper=one_of(False),
            unitriangular=one_of(False, True),
        ),
        dict(
            input=drawn(lambda rng: _triangular(rng).swapaxes(-1, -2)),
            B=drawn(lambda rng, input: rng.standard_normal((2, input.shape[-1]))),
            upper=one_of(True),
            left=one_of(False),
        ),
    ],
    errors=[
        error(ValueError, r"got shapes \(2, 3\) and \(2, 1\)", array(2, 3), array(2, 1), upper=False),
        error(ValueError, r"got shapes \(2, 2\) and \(3, 1\)", array(2, 2), array(3, 1), upper=False),
    ],
    reference=lambda input, B, upper, left=True, unitriangular=False: _naive_solve(
        input, B, upper, left, unitriangular
    ),
)
def solve_triangular(input: Array, B: Array, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Array:
    """The X with A X = B, or X A = B, for triangular matrices A.

    Args:
        input: A, of shape (..., n, n); only its upper or lower triangle is read.
        B: of shape (..., n, k), or (..., k, n) if not `left`.
        upper: whether A is upper triangular.
        left: whether A stands on the left of X.
        unitriangular: whether the diagonal of A is taken as 1 and not read.

    Raises:
        ValueError: the shapes do not fit. linalg.LinAlgError: a 0 is on the diagonal.

    >>> td.linalg.solve_triangular(td.tensor([[2.0, 0.0], [1.0, 1.0]]), td.tensor([[2.0], [3.0]]), upper=False)
    tensor([[1.],
            [2.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.linalg.solve_triangular.html
    """
    n = input.shape[-1] if input.ndim > 1 and input.shape[-1] == input.shape[-2] else -1
    if B.ndim < 2 or B.shape[-2 if left else -1] != n:
        raise ValueError(
            f"solve_triangular: got shapes {tuple(input.shape)} and {tuple(B.shape)}, expected square matrices "
            f"(..., n, n) and (..., {'n, k' if left else 'k, n'})"
        )
    try:
        return solution(input, B, upper, left, unitriangular)
    except ZeroDivisionError as error:
        raise LinAlgError(f"solve_triangular: {error} of a matrix, expected one that has an inverse") from None


@solve_triangular.joint_vjp("input", "B")
def solve_slopes(
    g: Any, out: Any, input: Any, input_shape: Any, B_shape: Any, upper: bool, left: bool, unitriangular: bool
) -> tuple[Any, Any]:
    """Of B: the solution of the turned system; of A: minus its product with X, in the triangle that is read."""
    of_b = solve_triangular.generic(transposed(input), g, upper=not upper, left=left, unitriangular=unitriangular)
    of_a = read(np.matmul(of_b, transposed(out)) if left else np.matmul(transposed(out), of_b), upper, unitriangular)
    return unbroadcast(-of_a, input_shape), unbroadcast(of_b, B_shape)


def solve_tangent(t: Any, out: Any, input: Any, upper: bool, left: bool, unitriangular: bool) -> Any:
    """Of A: minus the solution of the same system for t X, or X t."""
    t = read(t, upper, unitriangular)
    change = np.matmul(t, out) if left else np.matmul(out, t)
    return -solve_triangular.generic(input, change, upper=upper, left=left, unitriangular=unitriangular)


def solve_tangent_b(t: Any, input: Any, upper: bool, left: bool, unitriangular: bool) -> Any:
    """Of B: the solution for t."""
    return solve_triangular.generic(input, t, upper=upper, left=left, unitriangular=unitriangular)


solve_triangular.jvp(input=solve_tangent, B=solve_tangent_b)


@solve_triangular.vmap
def _solve_batch(input: Any, B: Any, upper: bool, left: bool, unitriangular: bool, batch: Batch) -> Any:
    a, b = side_by_side(batch, input=input, B=B)
    return solve_triangular(a, b, upper=upper, left=left, unitriangular=unitriangular)


cholesky.vjp(input=cholesky_slope)
cholesky.jvp(input=cholesky_tangent)


@cholesky.vmap
def _cholesky_batch(input: Any, upper: bool) -> Any:
    return cholesky(input, upper=upper)


@op(
    namespace="rules",
    name="solve_by_factor",
    promote=True,
    linear=("B",),
    inputs=[
        dict(P=drawn(_triangular), B=drawn(lambda rng, P: rng.standard_normal((*P.shape[:-1], 2)))),
        dict(P=drawn(lambda rng: regular(rng)), B=drawn(lambda rng, P: some_matrices(rng, P.shape[-1], 3))),
    ],
    errors=[error(ValueError, r"got shapes \(2, 2\) and \(3, 1\)", array(2, 2), array(3, 1))],
    reference=lambda P, B: np.linalg.inv(P @ turned(P)) @ B,
)
def solve_by_factor(P: Array, B: Array) -> Array:
    """The X with P P^H X = B, of matrices: two systems with triangular matrices where P is lower triangular."""
    if B.ndim < 2 or B.shape[-2] != P.shape[-1]:
        raise ValueError(
            f"cholesky_solve: got shapes {tuple(P.shape)} and {tuple(B.shape)}, expected a factor (..., n, n) and B "
            "(..., n, k)"
        )
    if truth(np.triu(P, 1).any()):
        return np.linalg.solve(P @ turned(P), B)
    try:
        return solution(turned(P), solution(P, B, False), True)
    except ZeroDivisionError as error:
        raise LinAlgError(f"cholesky_solve: {error} of a factor, expected one that has an inverse") from None


@solve_by_factor.joint_vjp("P", "B")
def by_factor_slopes(g: Any, out: Any, P: Any, P_shape: Any, B_shape: Any) -> tuple[Any, Any]:
    """Of B: the solution for g, by the conjugate; of P: minus (gA + gA^H) P, where gA is that of B times X^H."""
    of_b = solve_by_factor.generic(np.conjugate(P), g)
    of_a = np.matmul(of_b, transposed(out))
    of_p = np.matmul(of_a + turned(of_a), np.conjugate(P))
    return unbroadcast(-of_p, P_shape), unbroadcast(of_b, B_shape)


def by_factor_tangent(t: Any, out: Any, P: Any) -> Any:
    """Of P: minus the solution for (t P^H + P t^H) X."""
    change = np.matmul(t, np.matmul(turned(P), out)) + np.matmul(P, np.matmul(turned(t), out))
    return -solve_by_factor.generic(P, change)


solve_by_factor.jvp(P=by_factor_tangent)


@solve_by_factor.vmap
def _by_factor_batch(P: Any, B: Any, batch: Batch) -> Any:
    return solve_by_factor(*side_by_side(batch, P=P, B=B))


def _naive_solve(a: np.ndarray, b: np.ndarray, upper: bool, left: bool, unitriangular: bool) -> np.ndarray:
    """By the inverse."""
    a = np.triu(a) if upper else np.tril(a)
    if unitriangular:
        a = a - a * np.eye(a.shape[-1]) + np.eye(a.shape[-1])
    inverse = np.linalg.inv(a)
    found: np.ndarray = inverse @ b if left else b @ inverse
    return found
