"""Linear algebra under PyTorch's name `torch.linalg`: norms, factors of matrices, and systems of equations.

Source: https://docs.pytorch.org/docs/stable/linalg.html
"""

from __future__ import annotations

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.ops.linalg._matrices import LinAlgError
from tinygrad_dl.ops.linalg.cholesky import cholesky, solve_triangular
from tinygrad_dl.ops.linalg.determinant import det, slogdet
from tinygrad_dl.ops.linalg.lstsq import lstsq
from tinygrad_dl.ops.linalg.matrix_exp import matrix_exp
from tinygrad_dl.ops.linalg.norms import matrix_norm, norm, vector_norm
from tinygrad_dl.ops.linalg.qr import householder_product, qr
from tinygrad_dl.ops.linalg.solve import inv, solve
from tinygrad_dl.ops.linalg.svd import matrix_rank, svd, svdvals

# fmt: off
__all__ = [
    "LinAlgError", "cholesky", "det", "householder_product", "inv", "lstsq", "matrix_exp", "matrix_norm", "matrix_rank",
    "norm", "qr", "slogdet", "solve", "solve_triangular", "svd", "svdvals", "vector_norm",
]
# fmt: on

public(globals(), "docs/stable/generated/torch.linalg.{}.html")
