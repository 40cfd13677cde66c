"""The operations. A folder is a chapter of PyTorch's documentation, a file a family of operations, `_file.py` a helper.

Importing a file declares its ops. What importing the package does not import is loaded when one of its names is first
used: see `core/lazy.py`. `_numpy_functions` and `_numpy_linalg` declare NumPy's functions that are made of several ops.
"""
