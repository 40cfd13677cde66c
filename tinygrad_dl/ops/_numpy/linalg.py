"""What `np.linalg` computes with tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.ops._numpy.arguments import as_tensor, floating
from tinygrad_dl.ops.indexing.diagonal import diagonal
from tinygrad_dl.ops.linalg.cholesky import cholesky
from tinygrad_dl.ops.linalg.determinant import det, slogdet
from tinygrad_dl.ops.linalg.einsum import tensordot
from tinygrad_dl.ops.linalg.lstsq import lstsq
from tinygrad_dl.ops.linalg.norms import of_matrices
from tinygrad_dl.ops.linalg.products import matmul, outer
from tinygrad_dl.ops.linalg.qr import geqrf, qr
from tinygrad_dl.ops.linalg.solve import inv, solve
from tinygrad_dl.ops.linalg.svd import svd, svdvals
from tinygrad_dl.ops.reduction import sum as sums
from tinygrad_dl.ops.reduction.norm import norm


def linalg_norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """np.linalg.norm: of vectors for one axis, of matrices for two or for a matrix with `ord`."""
    if isinstance(axis, tuple | list) and len(axis) not in (1, 2):
        raise ValueError(f"np.linalg.norm: got axis={axis!r}, expected one axis for vectors or two for matrices")
    x = floating(x)
    matrix = (axis is None and x.ndim == 2) if not isinstance(axis, tuple | list) else len(axis) == 2
    if ord is None or (not matrix and ord != "fro" and ord != "nuc"):
        if ord is not None and axis is None and x.ndim != 1:
            raise ValueError(
                f"np.linalg.norm: got ord={ord!r} for shape {x.shape}, expected a vector or a matrix; give axis="
            )
        return norm(x, 2 if ord is None else ord, axis, keepdims)
    dims = tuple(range(x.ndim)) if axis is None else tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    if not matrix:
        raise ValueError(
            f"np.linalg.norm: got ord={ord!r} with axis={axis!r} of shape {x.shape}, expected two axes: it is for "
            "matrices"
        )
    return of_matrices("np.linalg.norm", x, ord, dims, keepdims)


def least_squares(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    """np.linalg.lstsq: solution, sums of squares of what is left, rank, singular values."""
    a, b = floating(a), floating(b)
    rcond = np.finfo(a.dtype).eps * max(a.shape) if rcond is None else rcond
    found = lstsq(a, b, rcond, driver="gelsd")
    return found.solution, np.atleast_1d(found.residuals), int(found.rank), svdvals(a)


def np_qr(a: Any, mode: Any = "reduced") -> Any:
    """np.linalg.qr: "r" is R alone, "raw" LAPACK's reflections, column by column."""
    a = floating(a)
    if mode == "raw":
        found = geqrf(a)
        return found.a.mT, found.tau
    return qr(a)[1] if mode == "r" else qr(a, mode)


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """np.cross: of vectors of 3 elements, or of 2, whose third one is 0."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(as_tensor(a), axisa, -1), np.moveaxis(as_tensor(b), axisb, -1)
    if not {a.shape[-1], b.shape[-1]} <= {2, 3}:
        raise ValueError(f"got vectors of {a.shape[-1]} and {b.shape[-1]} elements, expected 2 or 3")
    x, y = ([v[..., i] if i < v.shape[-1] else np.zeros_like(v[..., 0]) for i in range(3)] for v in (a, b))
    if a.shape[-1] == b.shape[-1] == 2:
        return x[0] * y[1] - x[1] * y[0]
    parts = [x[i - 2] * y[i - 1] - x[i - 1] * y[i - 2] for i in range(3)]
    return np.stack(parts, axisc)


def of_three(x1: Any, x2: Any, *, axis: int = -1) -> Any:
    """np.linalg.cross: of vectors of 3 elements alone."""
    if as_tensor(x1).shape[axis] != 3 or as_tensor(x2).shape[axis] != 3:
        raise ValueError(f"got shapes {np.shape(x1)} and {np.shape(x2)}, expected 3 elements along axis {axis}")
    return cross(x1, x2, axis=axis)


NUMPY[np.linalg.norm], NUMPY[np.linalg.lstsq], NUMPY[np.cross] = linalg_norm, least_squares, cross
NUMPY[np.linalg.cross] = of_three
NUMPY[np.linalg.inv] = lambda a: inv(floating(a))
NUMPY[np.linalg.det] = lambda a: det(floating(a))
NUMPY[np.linalg.slogdet] = lambda a: slogdet(floating(a))
NUMPY[np.linalg.solve] = lambda a, b: solve(floating(a), floating(b))
NUMPY[np.linalg.cholesky] = lambda a, *, upper=False: cholesky(floating(a), upper=upper)
NUMPY[np.linalg.qr] = np_qr
NUMPY[np.linalg.svd] = lambda a, full_matrices=True, compute_uv=True, hermitian=False: (
    svd(floating(a), full_matrices) if compute_uv else svdvals(floating(a))
)
if hasattr(np.linalg, "vector_norm"):
    NUMPY[np.linalg.vector_norm] = lambda x, *, axis=None, keepdims=False, ord=2: norm(floating(x), ord, axis, keepdims)
    NUMPY[np.linalg.matrix_norm] = lambda x, *, keepdims=False, ord="fro": linalg_norm(x, ord, (-2, -1), keepdims)
    NUMPY[np.linalg.matmul] = lambda x1, x2: matmul(x1, x2)
    NUMPY[np.linalg.outer] = lambda x1, x2: outer(x1, x2)
    NUMPY[np.linalg.matrix_transpose] = NUMPY[np.matrix_transpose]
    NUMPY[np.linalg.tensordot] = lambda x1, x2, *, axes=2: tensordot(x1, x2, axes)
    NUMPY[np.linalg.diagonal] = lambda x, *, offset=0: diagonal(x, offset, -2, -1)
    NUMPY[np.linalg.trace] = lambda x, *, offset=0, dtype=None: sums.sum(diagonal(x, offset, -2, -1), -1, dtype=dtype)
    NUMPY[np.linalg.vecdot] = lambda x1, x2, *, axis=-1: sums.sum(np.conjugate(x1) * x2, axis)
NUMPY[np.linalg.svdvals] = lambda x: svdvals(floating(x))
