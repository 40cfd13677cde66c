"""Linear algebra: the standard's functions for matrices and vectors, and its extension `linalg`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tinygrad_dl as td
from tinygrad_dl import Tensor
from tinygrad_dl.array_api._operands import document, named, reduced, together
from tinygrad_dl.array_api.statistical import sum as total

# fmt: off
__all__ = [
    "cholesky", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "matmul", "matrix_norm",
    "matrix_power", "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals",
    "tensordot", "trace", "vecdot", "vector_norm",
]
# fmt: on


def unary(op: Any, text: str) -> Callable[[Tensor], Any]:
    """A function of matrices alone."""

    def function(x: Tensor, /) -> Any:
        return op(x)

    return named(function, op.__name__, text)


det = unary(td.linalg.det, "The determinants of matrices.")
eig = unary(td.linalg.eig, "The eigenvalues and eigenvectors of matrices, complex.")
eigh = unary(
    td.linalg.eigh, "The eigenvalues, in ascending order, and eigenvectors of symmetric or Hermitian matrices."
)
eigvals = unary(td.linalg.eigvals, "The eigenvalues of matrices, complex.")
eigvalsh = unary(td.linalg.eigvalsh, "The eigenvalues of symmetric or Hermitian matrices, in ascending order.")
inv = unary(td.linalg.inv, "The inverses of matrices.")
slogdet = unary(td.linalg.slogdet, "The signs, and the logarithms of the absolute values, of determinants.")
svdvals = unary(td.linalg.svdvals, "The singular values of matrices, in descending order.")


def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """The lower triangular L with x = L L^H, or the upper triangular U with x = U^H U."""
    return td.linalg.cholesky(x, upper=upper)


def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The cross products of vectors of three elements along a dimension.

    Raises:
        ValueError: the vectors have not three elements.
    """
    first, second = together(x1, x2)
    if first.shape[axis] != 3 or second.shape[axis] != 3:
        raise ValueError(f"cross: got shapes {first.shape} and {second.shape}, expected size 3 in dimension {axis}")
    first, second = td.broadcast_tensors(first, second)
    return td.linalg.cross(first, second, dim=axis)


def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """The diagonals of matrices, in the last two dimensions, at an offset above the main one."""
    return td.diagonal(x, offset, -2, -1)


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The product of matrices; a 1-D tensor is a row on the left, a column on the right."""
    return td.matmul(*together(x1, x2))


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """The norms of matrices.

    Args:
        ord: "fro" (the root of the sum of squares), "nuc" (the sum of singular values), 2 and -2 (the largest and
            smallest singular value), 1, -1, inf, -inf (the largest and smallest sum of a column, or of a row).
    """
    return td.linalg.matrix_norm(x, ord, keepdim=keepdims)


def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """Matrices to an integer power; the inverses' for a negative one."""
    return td.linalg.matrix_power(x, n)


def matrix_rank(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """How many singular values of matrices are above `rtol` times the largest."""
    return td.linalg.matrix_rank(x, rtol=rtol)


def matrix_transpose(x: Tensor, /) -> Tensor:
    """The matrices with rows and columns exchanged."""
    return x.mT


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """All products of the elements of two vectors."""
    return td.outer(*together(x1, x2))


def pinv(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """The pseudoinverses of matrices; singular values up to `rtol` times the largest count as zero."""
    return td.linalg.pinv(x, rtol=rtol)


def qr(x: Tensor, /, *, mode: Any = "reduced") -> Any:
    """Q with orthonormal columns and an upper triangular R with x = Q R; Q is square if `mode` is "complete"."""
    return td.linalg.qr(x, mode)


def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The solutions X of x1 X = x2; x2 is a vector if it is 1-D, and matrices otherwise."""
    first, second = together(x1, x2)
    if second.ndim == 1:
        return td.linalg.solve(first, second[:, None])[..., 0]
    shape = td.broadcast_shapes(first.shape[:-2], second.shape[:-2])
    return td.linalg.solve(first.expand(*shape, *first.shape[-2:]), second.expand(*shape, *second.shape[-2:]))


def svd(x: Tensor, /, *, full_matrices: bool = True) -> Any:
    """U, S and Vh with x = U diag(S) Vh: orthonormal vectors, and the singular values in descending order."""
    return td.linalg.svd(x, full_matrices)


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: Any = 2) -> Tensor:
    """The sum of products over the last dimensions of x1 and the first of x2, or over those given for each."""
    first, second = together(x1, x2)
    return td.tensordot(first, second, axes)


def trace(x: Tensor, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """The sums of the diagonals of matrices."""
    return total(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The dot products of vectors along a dimension, with the conjugate of x1."""
    first, second = together(x1, x2)
    if first.shape[axis] != second.shape[axis]:
        raise ValueError(f"vecdot: got shapes {first.shape} and {second.shape}, expected equal sizes along {axis}")
    left, right = td.movedim(first, axis, -1), td.movedim(second, axis, -1)
    return td.matmul(td.conj(left)[..., None, :], right[..., None])[..., 0, 0]


def vector_norm(x: Tensor, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Tensor:
    """The norms of vectors along dimensions, all by default: the sum of abs(x) ** ord, to the power 1 / ord."""
    found: Tensor = reduced(lambda each, **options: td.linalg.vector_norm(each, ord, **options), x, axis, keepdims)
    return found


document(globals(), "linalg.")
