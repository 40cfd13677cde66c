"""The operations. A folder is a chapter of PyTorch's documentation, a file a family of operations, `_file.py` a helper.

Importing a file declares its ops. What is imported here, and by what is, is loaded with the package; every other file
when one of its names is first used: see `core/lazy.py`. `_numpy_functions` and `_numpy_linalg` declare NumPy's
functions that are made of several ops.
"""

from tinygrad_dl.ops.shape import inplace
from tinygrad_dl.ops.tensor import fill

__all__ = ["fill", "inplace"]
