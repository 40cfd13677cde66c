"""Linear algebra under PyTorch's name `torch.linalg`: norms, factors of matrices, and systems of equations.

Source: https://docs.pytorch.org/docs/stable/linalg.html
"""

from __future__ import annotations

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.ops.linalg.cholesky import cholesky, solve_triangular
from tinygrad_dl.ops.linalg.norms import matrix_norm, norm, vector_norm

__all__ = ["cholesky", "matrix_norm", "norm", "solve_triangular", "vector_norm"]

public(globals(), "docs/stable/generated/torch.linalg.{}.html")
