"""The operations. A folder is a chapter of PyTorch's documentation, a file a family of operations, `_file.py` a helper.

Importing a file declares its ops. What importing the package does not import is loaded when one of its names is first
used: see `core/lazy.py`. Folder `_numpy` has NumPy's functions that are made of several ops.
"""
