"""Pseudoinverses, and what inverses of matrices give: powers, condition numbers, systems of equations of tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import array_from, like, module_of, to_numpy
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.creation import eye
from tinygrad_dl.inputs import array, drawn, error, one_of
from tinygrad_dl.ops._numpy.arguments import floating
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops.linalg._matrices import LinAlgError, require_finite, require_square, some_matrices, turned
from tinygrad_dl.ops.linalg._results import CheckedCholesky, CheckedInverse, CheckedSolution
from tinygrad_dl.ops.linalg.cholesky import cholesky
from tinygrad_dl.ops.linalg.norms import matrix_norm
from tinygrad_dl.ops.linalg.products import matmul
from tinygrad_dl.ops.linalg.qr import require_matrices
from tinygrad_dl.ops.linalg.solve import inv, solve
from tinygrad_dl.ops.linalg.svd import svdvals
from tinygrad_dl.ops.pointwise.where import where


def hermitian_by_lower(a: np.ndarray) -> np.ndarray:
    """The Hermitian matrices with these lower triangles."""
    lower = np.tril(a, -1)
    found: np.ndarray = lower + turned(lower) + a.real * module_of(a).eye(a.shape[-1], dtype=a.dtype)
    return found


@op(
    namespace="rules",
    name="pinv",
    kind="batched",
    floating=True,
    inputs=[
        dict(A=drawn(lambda rng: some_matrices(rng, 3, 3) + 4 * np.eye(3)), hermitian=one_of(False)),
        dict(A=drawn(lambda rng: some_matrices(rng, 4, 2) + 3 * np.eye(4, 2))),
        dict(A=drawn(lambda rng: some_matrices(rng, 2, 4) + 3 * np.eye(2, 4)), atol=one_of(1e-9), rtol=one_of(1e-9)),
    ],
    errors=[error(ValueError, r"got shape \(3,\), expected matrices", array(3))],
    reference=lambda A, atol=None, rtol=None, hermitian=False: _naive_pinv(A),
)
def pseudoinverse(A: Array, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Array:
    """V diag(1 / S) U^H, where singular values up to max(atol, rtol * the largest one) count as 0."""
    require_matrices("pinv", A)
    if hermitian:
        require_square("pinv", A)
        A = hermitian_by_lower(A)
    require_finite("pinv", A)
    if not A.size:
        return module_of(A).zeros((*A.shape[:-2], A.shape[-1], A.shape[-2]), A.dtype)
    try:
        u, s, vh = np.linalg.svd(A, False)
    except np.linalg.LinAlgError:
        raise LinAlgError("pinv: got a matrix whose singular values were not found, expected another one") from None
    least = s[..., :1] * like(rank_rtol(A, atol, rtol), s, s.dtype)[..., None]
    kept = s > np.maximum(least, like(0.0 if atol is None else atol, s, s.dtype)[..., None])
    found: np.ndarray = turned(vh) @ (np.where(kept, 1 / np.where(kept, s, 1), 0)[..., None] * turned(u))
    return found


def rank_rtol(A: Any, atol: Any, rtol: Any) -> Any:
    """The relative tolerance of ranks: that given, 0 beside an absolute one, or the precision times the larger side."""
    if rtol is not None:
        return rtol
    given = atol is not None and bool((to_numpy(array_from(atol)) > 0).all())
    return 0.0 if given else max(A.shape[-2:]) * float(np.finfo(A.dtype).eps)


def pinv_slope(g: Any, A: Any, out: Any) -> Any:
    """-P^H g P^H + (I - A P) g^H P P^H + P^H P g^H (I - P A), for P = pinv(A) (Golub and Pereyra, 1973)."""
    P, back = out, turned(out)
    g = np.conjugate(g)
    over_rows, over_columns = np.matmul(np.matmul(turned(g), P), back), np.matmul(back, np.matmul(P, turned(g)))
    found = over_rows - np.matmul(A, np.matmul(P, over_rows)) - np.matmul(np.matmul(back, g), back)
    return np.conjugate(found + over_columns - np.matmul(np.matmul(over_columns, P), A))


def pinv_tangent(t: Any, A: Any, out: Any) -> Any:
    """-P t P + P P^H t^H (I - A P) + (I - P A) t^H P^H P."""
    P, back = out, turned(out)
    left, right = np.matmul(np.matmul(P, back), turned(t)), np.matmul(np.matmul(turned(t), back), P)
    found = left - np.matmul(np.matmul(left, A), P) - np.matmul(np.matmul(P, t), P)
    return found + right - np.matmul(P, np.matmul(A, right))


pseudoinverse.vjp(A=pinv_slope)
pseudoinverse.jvp(A=pinv_tangent)


def _naive_pinv(a: np.ndarray) -> np.ndarray:
    """By the normal equations, of matrices of full rank."""
    back = turned(a)
    tall = a.shape[-2] >= a.shape[-1]
    found: np.ndarray = np.linalg.inv(back @ a) @ back if tall else back @ np.linalg.inv(a @ back)
    return found


@composition
def pinv(A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """The pseudoinverse of Moore and Penrose: V diag(1 / S) U^H for A = U diag(S) V^H, with 0 for 1 / 0.

    Args:
        A: of shape (..., m, n).
        rcond: an older name of `rtol`.
        hermitian: whether the matrices are Hermitian, so that the lower triangle alone is read.
        atol, rtol: singular values up to max(atol, rtol * the largest one) count as 0: numbers, or tensors (...). By
            default 0 and max(m, n) times the precision of the dtype, or 0 if `atol` is given and more than 0.

    Returns:
        Matrices (..., n, m). The gradient is right where the rank stays the same nearby.

    Raises:
        ValueError: fewer than two dimensions, or `hermitian` for matrices that are not square.

    >>> td.linalg.pinv(td.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000, 0.0000],
            [0.0000, 0.0000, 0.2500]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.linalg.pinv.html; G. Golub and V. Pereyra, "The
    differentiation of pseudo-inverses and nonlinear least squares problems" (1973).
    """
    rtol = rcond if rtol is None else rtol
    atol, rtol = [each.detach()._data if isinstance(each, Tensor) else each for each in (atol, rtol)]
    return pseudoinverse(A, atol, rtol, hermitian)


@composition
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudoinverse of matrices (..., m, n): see `linalg.pinv`, whose `rtol` is `rcond`.

    >>> td.pinverse(td.tensor([[2.0], [0.0]]))
    tensor([[0.5000, 0.0000]])
    """
    return pseudoinverse(input, None, rcond)


@composition
def cond(A: Tensor, p: float | str | None = None) -> Tensor:
    """The condition number of matrices: the norm of A times that of its inverse; inf if there is none.

    Args:
        A: of shape (..., m, n), with m = n unless `p` is None, 2 or -2.
        p: the norm, see `linalg.matrix_norm`; None is 2: the ratio of the largest and the smallest singular value.

    Returns:
        Real numbers (...); 0 for matrices without elements.

    Raises:
        ValueError: the matrices are not square, or `p` is none of the norms.

    >>> td.linalg.cond(td.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor(2.)
    """
    require_matrices("cond", A)
    if p in (None, 2, -2):
        values = svdvals(A)
        if not values.shape[-1]:
            return values.sum(-1)
        first, second = (0, -1) if p != -2 else (-1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: Tensor = values[..., first] / values[..., second]
        return ratio
    require_square("cond", A)
    if not A.numel():
        return matrix_norm(A)
    inverse, info = inv_ex(A)
    found: Tensor = where(info == 0, matrix_norm(A, p) * matrix_norm(inverse, p), math.inf)
    return found


@composition
def matrix_power(input: Tensor, n: int) -> Tensor:
    """The n-th power of square matrices, (..., k, k); of the inverse, if n is negative.

    Raises:
        ValueError: the matrices are not square. linalg.LinAlgError: n is negative and a matrix is singular.

    >>> td.linalg.matrix_power(td.tensor([[1, 1], [0, 1]]), 5)
    tensor([[1, 5],
            [0, 1]])
    """
    require_square("matrix_power", input)
    if n < 0:
        return matrix_power(inv(input), -n)
    if n == 0:
        unit: Tensor = where(wrap(np.ones((), bool)), eye(input.shape[-1], dtype=input.dtype), input)
        return unit  # with a gradient of 0
    if n == 1:
        return input.clone()
    if n == 3:
        return matmul(matmul(input, input), input)
    found, square = None, input
    while n:
        if n & 1:
            found = square if found is None else matmul(found, square)
        n >>= 1
        square = matmul(square, square) if n else square
    assert found is not None
    return found


@composition
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of what `tensordot(A, ., ind)` does with tensors: `tensordot(tensorinv(A, ind), B, ind)` undoes it.

    Args:
        A: a tensor whose first `ind` dimensions have as many elements as the others.
        ind: 1 or more.

    Returns:
        A tensor of shape A.shape[ind:] + A.shape[:ind].

    Raises:
        ValueError: `ind` is below 1, or the shape does not fit. linalg.LinAlgError: there is no inverse.

    >>> td.linalg.tensorinv(td.eye(6).reshape(2, 3, 6), 2).shape
    (6, 2, 3)
    """
    if ind < 1:
        raise ValueError(f"tensorinv: got ind={ind}, expected 1 or more")
    first, others = A.shape[:ind], A.shape[ind:]
    if math.prod(first) != math.prod(others):
        raise ValueError(
            f"tensorinv: got shape {A.shape}, expected as many elements in the first {ind} dimensions as in the others"
        )
    return inv(A.reshape(math.prod(first), -1 if A.numel() else 0)).reshape(*others, *first)


@composition
def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:
    """The X with tensordot(A, X, X.ndim) = B.

    Args:
        A: a tensor of shape B.shape + X.shape, where both have as many elements, once `dims` are moved.
        B: the right side.
        dims: dimensions of A that are moved to its end first.

    Raises:
        ValueError: the shapes do not fit. linalg.LinAlgError: there is no solution, or more than one.

    >>> td.linalg.tensorsolve(td.eye(6).reshape(2, 3, 6), td.ones(2, 3)).shape
    (6,)
    """
    if dims is not None:
        dims = [dims] if isinstance(dims, int) else list(dims)
        A = A.movedim(dims, [*range(-len(dims), 0)])
    size, shape = math.prod(A.shape[: B.ndim]), A.shape[B.ndim :]
    if size != B.numel() or math.prod(shape) != size:
        raise ValueError(
            f"tensorsolve: got A of shape {A.shape} and B of shape {B.shape}, expected A of shape B.shape + X.shape "
            "with as many elements in both"
        )
    return solve(A.reshape(size, size), B.reshape(size)).reshape(shape)


# -- with `info` in the place of an error ----------------------------------------------------------------


def failing(A: Tensor, refuses: Any) -> np.ndarray:
    """Which matrices a function refuses."""
    data = A.detach().numpy()
    found = np.zeros(data.shape[:-2], np.int32)
    for index in np.ndindex(found.shape):
        found[index] = refuses(data[index])
    return found


def zero_pivot(a: np.ndarray) -> int:
    """The number of the first 0 on the diagonal of a matrix's factor U, or 0."""
    from tinygrad_dl.ops.linalg._lapack import factored  # only where a matrix is singular

    return int(factored("getrf", a)[2])


def not_definite(a: np.ndarray) -> int:
    """The order of the first leading minor that is not positive definite, or 0."""
    for order in range(1, len(a) + 1):
        try:
            np.linalg.cholesky(((a + turned(a)) / 2)[:order, :order])
        except np.linalg.LinAlgError:
            return order
    return 0


def or_info(function: Any, A: Tensor, refuses: Any, check_errors: bool) -> tuple[Any, Tensor]:
    """What a function makes of the matrices, nan where it refuses one, and which it refuses."""
    info = np.zeros(A.shape[:-2], np.int32)
    try:
        return function(A), wrap(info)
    except LinAlgError:
        if check_errors:
            raise
    info = failing(A, refuses)
    good = wrap(np.asarray(info == 0))[..., None, None]
    found = function(where(good, A, eye(A.shape[-1], dtype=A.dtype)))
    return where(good if found.ndim == A.ndim else good[..., 0], found, math.nan), wrap(info)


@composition
def cholesky_ex(input: Tensor, *, upper: bool = False, check_errors: bool = False) -> CheckedCholesky:
    """What `cholesky` returns, and `info`: 0, or the order of the first minor that is not positive definite.

    Args:
        input, upper: see `cholesky`.
        check_errors: whether to raise where an info is above 0; L is nan there else.

    Returns:
        A named tuple (L, info) of shapes (..., n, n) and (...).

    Raises:
        ValueError: the matrices are not square. linalg.LinAlgError: one has no factor, and `check_errors`.

    >>> td.linalg.cholesky_ex(td.tensor([[1.0, 0.0], [0.0, -1.0]])).info
    tensor(2, dtype=int32)
    """
    require_square("cholesky_ex", input)
    return CheckedCholesky(*or_info(lambda a: cholesky(a, upper=upper), input, not_definite, check_errors))


@composition
def inv_ex(A: Tensor, *, check_errors: bool = False) -> CheckedInverse:
    """What `inv` returns, and `info`: 0, or the number of the first 0 on the diagonal of the factor U (see `lu`).

    Args:
        A: see `inv`.
        check_errors: whether to raise where an info is above 0; the inverse is nan there else.

    Returns:
        A named tuple (inverse, info) of shapes (..., n, n) and (...).

    Raises:
        ValueError: the matrices are not square. linalg.LinAlgError: one is singular, and `check_errors`.

    >>> td.linalg.inv_ex(td.ones(2, 2)).info
    tensor(2, dtype=int32)
    """
    require_square("inv_ex", A)
    return CheckedInverse(*or_info(inv, A, zero_pivot, check_errors))


@composition
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> CheckedSolution:
    """What `solve` returns, and `info`: 0, or the number of the first 0 on the diagonal of the factor U (see `lu`).

    Args:
        A, B, left: see `solve`.
        check_errors: whether to raise where an info is above 0; the solution is nan there else.

    Returns:
        A named tuple (result, info); info is of shape A.shape[:-2].

    Raises:
        ValueError: the shapes do not fit. linalg.LinAlgError: a matrix is singular, and `check_errors`.

    >>> td.linalg.solve_ex(td.ones(2, 2), td.ones(2, 1)).info
    tensor(2, dtype=int32)
    """
    require_square("solve_ex", A)
    return CheckedSolution(*or_info(lambda a: solve(a, B, left=left), A, zero_pivot, check_errors))


alias("matrix_power", matrix_power)
alias("pinverse", pinverse)
NUMPY[np.linalg.pinv] = lambda a, rcond=None, hermitian=False, *, rtol=None: pinv(
    floating(a), 1e-15 if rcond is None and rtol is None else rcond, hermitian, rtol=rtol
)
NUMPY[np.linalg.cond] = lambda x, p=None: cond(floating(x), p)
NUMPY[np.linalg.matrix_power] = lambda a, n: matrix_power(floating(a) if n < 0 else a, n)
NUMPY[np.linalg.tensorinv] = lambda a, ind=2: tensorinv(floating(a), ind)
NUMPY[np.linalg.tensorsolve] = lambda a, b, axes=None: tensorsolve(floating(a), floating(b), axes)
