"""Least squares."""

from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import empty, full
from tinygrad_dl.ops.linalg._triangular import solution
from tinygrad_dl.ops.linalg.cholesky import solve_triangular
from tinygrad_dl.ops.linalg.products import matmul
from tinygrad_dl.ops.linalg.qr import qr
from tinygrad_dl.ops.linalg.svd import matrix_rank, svd
from tinygrad_dl.ops.pointwise.where import where
from tinygrad_dl.ops.reduction.sum import sum

FEW = 256  # elements of matrices, up to which singular values take no longer than to do without them
DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


class LeastSquares(NamedTuple):
    """What `lstsq` returns."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


@composition
def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> LeastSquares:
    """The X of smallest norm among those for which |A X - B| is smallest.

    Args:
        A: (..., m, n).
        B: (..., m, k), or (..., m) for one right side each.
        rcond: singular values below it, times the largest one, count as 0; by default max(m, n) times the precision.
        driver: LAPACK's routine whose results are asked for: "gels", for matrices of full rank, "gelsy" (the default),
            "gelsd" or "gelss".

    Returns:
        `solution`, (..., n, k) or (..., n); `residuals`, the sums of squares of A X - B, (..., k), empty by "gelsy" and
        where m <= n or the rank is not full; `rank` of A, empty by "gels"; `singular_values`, empty but by "gelsd" and
        "gelss".

    Raises:
        ValueError: another driver, or shapes that do not fit. TypeError: the dtypes differ.

    >>> A = td.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> td.linalg.lstsq(A, td.tensor([[1.0], [3.0], [5.0]])).solution
    tensor([[1.0000],
            [2.0000]])
    """
    if driver not in (None, *DRIVERS):
        raise ValueError(f"lstsq: expected driver as one of {', '.join(DRIVERS)}, got {driver!r}")
    single = B.ndim == A.ndim - 1 and B.shape == A.shape[:-1]
    if A.ndim < 2 or (not single and (B.ndim < 2 or B.shape[-2] != A.shape[-2])):
        raise ValueError(f"lstsq: expected A (..., m, n) with B (..., m, k) or (..., m), got {A.shape} and {B.shape}")
    if A.dtype != B.dtype:
        raise TypeError(f"lstsq: expected A and B of the same dtype, got {A.dtype} and {B.dtype}")
    right, nothing = B[..., None] if single else B, empty(0, dtype=A.real.dtype)
    rows, columns = A.shape[-2:]
    least = rcond if rcond is not None else _precision(A) * max(rows, columns)
    Q, R = qr(A if rows >= columns else A.mH)
    rank = _rank(A.detach(), R.detach(), least)
    whole = driver == "gels" or bool(np.all(rank.numpy() == min(rows, columns)))
    if not whole:
        left, values, turned = svd(A, full_matrices=False)
        kept = values > least * values[..., :1]
        found = matmul(turned.mH, where(kept, 1 / where(kept, values, 1), 0)[..., None] * matmul(left.mH, right))
    elif rows >= columns:
        found = solve_triangular(R, matmul(Q.mH, right), upper=True)
    else:
        found = matmul(Q, solve_triangular(R.mH, right, upper=False))
    residuals = found.abs().reshape(-1)[:0]  # which belongs to the graph, as PyTorch's does
    if whole and rows > columns and driver not in (None, "gelsy"):
        residuals = sum((matmul(A, found) - right).abs() ** 2, -2)
    return LeastSquares(
        found[..., 0] if single else found,
        residuals,
        empty(0, dtype="int64") if driver == "gels" else rank,
        svd(A.detach(), full_matrices=False)[1] if driver in ("gelsd", "gelss") else nothing,
    )


def _rank(A: Tensor, R: Tensor, least: float) -> Tensor:
    """The number of singular values of A = Q R, or R^H Q^H, above `least` times the largest one.

    It is full without a look at them if 1 / |R^-1|, which none is below, is above `least` times |R|.
    """
    factor = R.numpy()
    if factor.size > FEW and np.diagonal(factor, 0, -2, -1).all():
        inverse = solution(factor, module_of(factor).eye(factor.shape[-1], dtype=factor.dtype), True)
        size, most = (np.linalg.norm(each, axis=(-2, -1)) for each in (factor, inverse))
        if (size * most * least < 0.5).all():
            return full(A.shape[:-2], factor.shape[-1], dtype="int64")
    return matrix_rank(A, rtol=least)


def _precision(A: Any) -> float:
    """The distance from 1 to the next number of a tensor's dtype."""
    return 2.0**-52 if A.dtype.itemsize > 4 else 2.0**-23
