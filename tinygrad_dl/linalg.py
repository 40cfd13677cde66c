"""Linear algebra under PyTorch's name `torch.linalg`: norms, factors of matrices, and systems of equations.

Source: https://docs.pytorch.org/docs/stable/linalg.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_dl.core import lazy
from tinygrad_dl.core.namespaces import NAMESPACES, public
from tinygrad_dl.ops.linalg._matrices import LinAlgError

if TYPE_CHECKING:  # loaded at first use, as docs/make_lazy_names.py writes down
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

if not TYPE_CHECKING:  # checkers see the imports above
    __getattr__ = lazy.names(__name__)
public(globals(), NAMESPACES[__name__])
