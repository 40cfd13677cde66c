"""Linear algebra under PyTorch's name `torch.linalg`: norms, factors of matrices, and systems of equations.

Source: https://docs.pytorch.org/docs/stable/linalg.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_dl.core import lazy
from tinygrad_dl.core.namespaces import NAMESPACES, public
from tinygrad_dl.ops.linalg._matrices import LinAlgError
from tinygrad_dl.ops.linalg.products import matmul

if TYPE_CHECKING:  # loaded at first use, as docs/make_lazy_names.py writes down
    from tinygrad_dl.ops.linalg.chains import cross, diagonal, multi_dot, vander, vecdot
    from tinygrad_dl.ops.linalg.cholesky import cholesky, solve_triangular
    from tinygrad_dl.ops.linalg.determinant import det, slogdet
    from tinygrad_dl.ops.linalg.eig import eig, eigh, eigvals, eigvalsh
    from tinygrad_dl.ops.linalg.ldl import ldl_factor, ldl_factor_ex, ldl_solve
    from tinygrad_dl.ops.linalg.lstsq import lstsq
    from tinygrad_dl.ops.linalg.lu import lu, lu_factor, lu_factor_ex, lu_solve
    from tinygrad_dl.ops.linalg.matrix_exp import matrix_exp
    from tinygrad_dl.ops.linalg.norms import matrix_norm, norm, vector_norm
    from tinygrad_dl.ops.linalg.pinv import (
        cholesky_ex,
        cond,
        inv_ex,
        matrix_power,
        pinv,
        solve_ex,
        tensorinv,
        tensorsolve,
    )
    from tinygrad_dl.ops.linalg.qr import householder_product, qr
    from tinygrad_dl.ops.linalg.solve import inv, solve
    from tinygrad_dl.ops.linalg.svd import matrix_rank, svd, svdvals

# fmt: off
__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals",
    "eigvalsh", "householder_product", "inv", "inv_ex", "ldl_factor", "ldl_factor_ex", "ldl_solve", "lstsq", "lu",
    "lu_factor", "lu_factor_ex", "lu_solve", "matmul", "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank",
    "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_ex", "solve_triangular", "svd", "svdvals",
    "tensorinv", "tensorsolve", "vander", "vecdot", "vector_norm",
]
# fmt: on

if not TYPE_CHECKING:  # checkers see the imports above
    __getattr__ = lazy.names(__name__)
public(globals(), NAMESPACES[__name__])
