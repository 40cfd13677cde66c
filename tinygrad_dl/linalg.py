"""Linear algebra under PyTorch's name `torch.linalg`: factors of matrices, and systems of equations.

Source: https://docs.pytorch.org/docs/stable/linalg.html
"""

from __future__ import annotations

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.ops.linalg.cholesky import cholesky, solve_triangular

__all__ = ["cholesky", "solve_triangular"]

public(globals(), "docs/stable/generated/torch.linalg.{}.html")
