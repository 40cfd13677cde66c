"""Factors of matrices under PyTorch's older names, which stand beside those of `linalg` in a program."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import eye, zeros_like
from tinygrad_dl.ops._overload import alias, method
from tinygrad_dl.ops.indexing.triangular import tril, triu
from tinygrad_dl.ops.linalg import cholesky as factors
from tinygrad_dl.ops.linalg import lu as lus
from tinygrad_dl.ops.linalg import qr as orthogonal
from tinygrad_dl.ops.linalg import svd as singular
from tinygrad_dl.ops.linalg._matrices import require_square
from tinygrad_dl.ops.linalg._results import QR, OldSVD, TriangularSolution
from tinygrad_dl.ops.linalg.products import matmul


@method
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The Cholesky factor of matrices (..., n, n): see `linalg.cholesky`.

    >>> td.cholesky(td.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    return factors.cholesky(input, upper=upper)


def _lower(L: Tensor, upper: bool) -> Tensor:
    """The lower factor of what was given; the gradient goes to the whole of it, as if all of it were read."""
    whole = L + ((triu if upper else tril)(L) - L).detach()
    return whole.mH if upper else whole


@method
def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    """The inverse of matrices A by their Cholesky factors L, A = L L^H; or, if `upper`, L^H, A = L^H L.

    Args:
        input: the factors, (..., n, n); the other triangle is not read.

    Raises:
        ValueError: they are not square. linalg.LinAlgError: a 0 is on the diagonal.

    >>> td.cholesky_inverse(td.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.2500, 0.0000],
            [0.0000, 0.0625]])
    """
    require_square("cholesky_inverse", input)
    return factors.solve_by_factor(_lower(input, upper), eye(input.shape[-1], dtype=input.dtype))


@method
def cholesky_solve(input: Tensor, input2: Tensor, upper: bool = False) -> Tensor:
    """The X with A X = B, for A given by its Cholesky factor L, A = L L^H; or, if `upper`, L^H, A = L^H L.

    Args:
        input: B, (..., n, k).
        input2: the factors, (..., n, n); the other triangle is not read.

    Raises:
        ValueError: the shapes do not fit. linalg.LinAlgError: a 0 is on the diagonal.

    >>> td.cholesky_solve(td.tensor([[4.0], [8.0]]), td.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[1.0000],
            [0.5000]])
    """
    if input.ndim < 2:
        raise ValueError(f"cholesky_solve: got B of shape {input.shape}, expected matrices (..., n, k)")
    require_square("cholesky_solve", input2)
    return factors.solve_by_factor(_lower(input2, upper), input)


@method
def triangular_solve(
    input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> TriangularSolution:
    """The X with A X = input, or A^T X = input if `transpose`: see `linalg.solve_triangular`.

    Args:
        input: of shape (..., n, k).
        A: triangular matrices, (..., n, n).
        upper: whether A is upper triangular.
        transpose: whether it is the other way round in the equations.
        unitriangular: whether the diagonal of A is taken as 1 and not read.

    Returns:
        A named tuple (solution, cloned_coefficient): X, and a copy of A.

    Raises:
        ValueError: the shapes do not fit. linalg.LinAlgError: a 0 is on the diagonal.

    >>> td.triangular_solve(td.tensor([[3.0], [2.0]]), td.tensor([[1.0, 1.0], [0.0, 2.0]])).solution
    tensor([[2.],
            [1.]])
    """
    matrices = A.mT if transpose else A
    found = factors.solve_triangular(matrices, input, upper=upper != transpose, unitriangular=unitriangular)
    batch = np.broadcast_shapes(A.shape[:-2], input.shape[:-2])
    return TriangularSolution(found, A.expand(*batch, *A.shape[-2:]).clone())


@method
def qr(input: Tensor, some: bool = True) -> QR:
    """The factors Q and R of matrices: `linalg.qr` in the mode "reduced", or "complete" if not `some`.

    >>> td.qr(td.tensor([[3.0], [4.0]])).R
    tensor([[-5.]])
    """
    return orthogonal.qr(input, "reduced" if some else "complete")


@method
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> OldSVD:
    """The singular values and vectors of matrices input = U diag(S) V^H: see `linalg.svd`, which returns V^H.

    Args:
        some: whether U and V have min(m, n) columns; they are square else.
        compute_uv: whether U and V are wanted; they are zeros else.

    >>> td.svd(td.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    U, S, Vh = singular.svd(input, not some if compute_uv else False)
    if not compute_uv:
        m, n = input.shape[-2:]
        U = zeros_like(input.detach()[..., :1]).expand(*input.shape[:-1], m).clone()
        return OldSVD(U, S, zeros_like(input.detach()[..., :1, :].mT).expand(*input.shape[:-2], n, n).clone())
    return OldSVD(U, S, Vh.mH)


@method
def lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> Any:
    """The LU factors of matrices in one: `linalg.lu_factor`, or `linalg.lu_factor_ex` if `get_infos`.

    >>> td.lu(td.tensor([[1.0, 2.0], [4.0, 4.0]])).pivots
    tensor([2, 2], dtype=int32)
    """
    return lus.lu_factor_ex(A, pivot=pivot) if get_infos else lus.lu_factor(A, pivot=pivot)


@method
def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """The X with A X = input, (..., n, k), by the factors that `linalg.lu_factor` returned: see `linalg.lu_solve`.

    >>> td.lu_solve(td.tensor([[3.0], [8.0]]), *td.linalg.lu_factor(td.tensor([[1.0, 2.0], [4.0, 4.0]])))
    tensor([[1.],
            [1.]])
    """
    return lus.lu_solve(LU_data, LU_pivots, input)


@method
def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False) -> Tensor:
    """A product of Householder's reflections, Q (see `linalg.householder_product`), times matrices.

    Args:
        input: the vectors of the reflections, (..., m, k).
        tau: their factors, (..., min(m, k)).
        other: of shape (..., m, n), or (..., n, m) if not `left`.
        left: whether Q stands on the left.
        transpose: whether it is Q^H in the place of Q.

    Raises:
        ValueError: the shapes do not fit. TypeError: the dtypes differ.

    >>> td.ormqr(*td.geqrf(td.tensor([[3.0], [4.0]])), td.tensor([[3.0], [4.0]]), transpose=True).abs().round()
    tensor([[5.],
            [0.]])
    """
    orthogonal.require_matrices("ormqr", input)
    m, k = input.shape[-2], tau.shape[-1] if tau.ndim else -1
    fits = other.ndim >= 2 and other.shape[-2 if left else -1] == m and 0 <= k <= min(input.shape[-2:])
    if not fits or not input.shape[:-2] == tau.shape[:-1] == other.shape[:-2]:
        raise ValueError(
            f"ormqr: got shapes {input.shape}, {tau.shape} and {other.shape}, expected (..., m, k), (..., k) and "
            f"(..., {'m, n' if left else 'n, m'})"
        )
    if not input.dtype == tau.dtype == other.dtype:
        raise TypeError(f"ormqr: expected tensors of one dtype, got {input.dtype}, {tau.dtype} and {other.dtype}")
    v, factor = orthogonal.reflections(input, tau)
    if transpose:
        factor = factor.mH
    if left:
        return other - matmul(v, matmul(factor, matmul(v.mH, other)))
    return other - matmul(matmul(matmul(other, v), factor), v.mH)


orgqr = alias("orgqr", orthogonal.householder_product)
