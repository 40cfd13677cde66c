"""The operations. A folder is a chapter of PyTorch's documentation, a file a family of operations, `_file.py` a helper.

Importing a file declares its ops; `_numpy_functions` declares NumPy's functions that are made of several ops.
"""

from tinygrad_dl.ops import _numpy_functions
from tinygrad_dl.ops.linalg import cholesky, lstsq
from tinygrad_dl.ops.padding import pad
from tinygrad_dl.ops.pointwise import gamma
from tinygrad_dl.ops.shape import inplace, windows
from tinygrad_dl.ops.tensor import fill, sampling, storage

__all__ = ["_numpy_functions", "cholesky", "fill", "gamma", "inplace", "lstsq", "pad", "sampling", "storage", "windows"]
