"""Norms of vectors and of matrices, under the names of torch.linalg."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.linalg.svd import svdvals
from tinygrad_dl.ops.pointwise.arithmetic import abs as absolute
from tinygrad_dl.ops.reduction import extrema
from tinygrad_dl.ops.reduction import norm as reduction
from tinygrad_dl.ops.reduction import sum as sums
from tinygrad_dl.ops.shape._dims import normal_dim


@composition
def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm (sum |x|**ord) ** (1/ord) of all elements, or over one dimension or several.

    Args:
        ord: 2 for Euclid's, 1, inf (the largest), -inf (the smallest), 0 (how many are not zero), or any number.
        dtype: what to cast `x` to before.

    Raises:
        TypeError: `ord` is no number.

    >>> td.linalg.vector_norm(td.tensor([[3.0, 4.0], [0.0, 1.0]]), dim=1)
    tensor([5., 1.])
    """
    if isinstance(ord, str):
        raise TypeError(f"vector_norm: got ord={ord!r}, expected a number; 'fro' and 'nuc' are norms of matrices")
    return reduction.norm(x, ord, dim, keepdim, dtype=dtype)


@composition
def matrix_norm(
    A: Tensor, ord: float | str = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The norm of matrices (..., m, n).

    Args:
        ord: "fro" for Frobenius', 1 or -1 (the largest or smallest sum of a column's absolute values), inf or -inf (of
            a row's), 2 or -2 (the largest or smallest singular value), "nuc" (the sum of the singular values).
        dim: the two dimensions of the matrices, of rows and of columns.
        dtype: what to cast `A` to before.

    Raises:
        ValueError: `ord` is none of these, or `dim` not two dimensions.

    >>> td.linalg.matrix_norm(td.tensor([[1.0, -2.0], [3.0, 4.0]]), 1)
    tensor(6.)
    """
    if not isinstance(dim, tuple | list) or len(dim) != 2:
        raise ValueError(f"matrix_norm: got dim={dim!r}, expected the two dimensions of the matrices")
    return of_matrices("matrix_norm", A if dtype is None else A.to(dtype), ord, dim, keepdim)


def of_matrices(what: str, A: Tensor, ord: Any, dim: Any, keepdim: bool) -> Tensor:
    """The norm of matrices over two dimensions; `what` is called so in errors."""
    if A.ndim < 2:
        raise ValueError(f"{what}: got shape {A.shape}, expected matrices (..., m, n)")
    rows, columns = (normal_dim(d, A.ndim) for d in dim)
    if rows == columns:
        raise ValueError(f"{what}: got the dimension {rows} twice, expected two dimensions")
    if ord == "fro":
        return reduction.norm(A, 2, (rows, columns), keepdim)
    if ord in (1, 2, np.inf) and not A.shape[rows] * A.shape[columns]:
        return sums.sum(absolute(A), (rows, columns), keepdim)  # the largest of nothing is 0
    if ord in (1, -1, np.inf, -np.inf):
        first, second = (rows, columns) if ord in (1, -1) else (columns, rows)
        found = (extrema.amax if ord > 0 else extrema.amin)(sums.sum(absolute(A), first, True), second, True)
    elif ord in ("nuc", 2, -2):
        values = svdvals(A.movedim((rows, columns), (-2, -1)))
        found = sums.sum(values, -1) if ord == "nuc" else (extrema.amax if ord > 0 else extrema.amin)(values, -1)
    else:
        raise ValueError(f"{what}: got ord={ord!r}, expected 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    inside = (rows, columns)
    return found.reshape([1 if d in inside else n for d, n in enumerate(A.shape) if keepdim or d not in inside])


@composition
def norm(
    A: Tensor, ord: float | str | None = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The norm of vectors, for one `dim`, or of matrices, for two: see `vector_norm` and `matrix_norm`.

    Args:
        ord: without it, Euclid's norm of all elements, or over `dim`.
        dim: without it, `ord` is for a vector or a matrix.
        dtype: what to cast `A` to before.

    Raises:
        ValueError: more than two dimensions, or `ord` is not for as many as there are.

    >>> td.linalg.norm(td.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor(5.)
    >>> td.linalg.norm(td.tensor([[3.0, 4.0], [0.0, 0.0]]), float("inf"))
    tensor(7.)
    """
    dims = tuple(range(A.ndim)) if dim is None else tuple(dim) if isinstance(dim, tuple | list) else (dim,)
    if len(dims) not in (1, 2) and not (ord is None and dim is None):
        raise ValueError(f"norm: got ord={ord!r} over the dimensions {dims}, expected one or two; give dim=")
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if len(dims) == 2:
        return matrix_norm(A, ord, dims, keepdim, dtype=dtype)
    if isinstance(ord, str):
        raise ValueError(f"norm: got ord={ord!r} over the dimensions {dims}, expected two: it is for matrices")
    return vector_norm(A, ord, dims, keepdim, dtype=dtype)
