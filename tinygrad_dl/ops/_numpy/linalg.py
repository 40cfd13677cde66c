"""What `np.linalg` computes with tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.ops.indexing.diagonal import diagonal
from tinygrad_dl.ops.linalg.cholesky import cholesky
from tinygrad_dl.ops.linalg.determinant import det, slogdet
from tinygrad_dl.ops.linalg.einsum import tensordot
from tinygrad_dl.ops.linalg.norms import of_matrices
from tinygrad_dl.ops.linalg.products import matmul, outer
from tinygrad_dl.ops.linalg.qr import qr
from tinygrad_dl.ops.linalg.solve import inv, solve
from tinygrad_dl.ops.linalg.svd import svd, svdvals
from tinygrad_dl.ops.reduction import sum as sums
from tinygrad_dl.ops.reduction.norm import norm


def linalg_norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """np.linalg.norm: of vectors for one axis, of matrices for two or for a matrix with `ord`."""
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


NUMPY[np.linalg.norm] = linalg_norm
NUMPY[np.linalg.inv] = lambda a: inv(a)
NUMPY[np.linalg.det] = lambda a: det(a)
NUMPY[np.linalg.slogdet] = lambda a: slogdet(a)
NUMPY[np.linalg.solve] = lambda a, b: solve(a, b)
NUMPY[np.linalg.cholesky] = lambda a, *, upper=False: cholesky(a, upper=upper)
NUMPY[np.linalg.qr] = lambda a, mode="reduced": qr(a, mode)
NUMPY[np.linalg.svd] = lambda a, full_matrices=True, compute_uv=True, hermitian=False: (
    svd(a, full_matrices) if compute_uv else svdvals(a)
)
if hasattr(np.linalg, "vector_norm"):
    NUMPY[np.linalg.vector_norm] = lambda x, *, axis=None, keepdims=False, ord=2: norm(x, ord, axis, keepdims)
    NUMPY[np.linalg.matrix_norm] = lambda x, *, keepdims=False, ord="fro": linalg_norm(x, ord, (-2, -1), keepdims)
    NUMPY[np.linalg.matmul] = lambda x1, x2: matmul(x1, x2)
    NUMPY[np.linalg.outer] = lambda x1, x2: outer(x1, x2)
    NUMPY[np.linalg.matrix_transpose] = NUMPY[np.matrix_transpose]
    NUMPY[np.linalg.tensordot] = lambda x1, x2, *, axes=2: tensordot(x1, x2, axes)
    NUMPY[np.linalg.diagonal] = lambda x, *, offset=0: diagonal(x, offset, -2, -1)
    NUMPY[np.linalg.trace] = lambda x, *, offset=0, dtype=None: sums.sum(diagonal(x, offset, -2, -1), -1, dtype=dtype)
    NUMPY[np.linalg.vecdot] = lambda x1, x2, *, axis=-1: sums.sum(np.conjugate(x1) * x2, axis)
NUMPY[np.linalg.svdvals] = lambda x: svdvals(x)
