"""The operations. A folder is a chapter of PyTorch's documentation, a file a family of operations, `_file.py` a helper.

Importing a file declares its ops; `_numpy_functions` declares NumPy's functions that are made of several ops.
"""

from tinygrad_dl.ops.shape import inplace
from tinygrad_dl.ops.tensor import fill

__all__ = ["fill", "inplace"]
