"""NumPy's functions that are made of several operations, or that mean another thing than PyTorch's of the name.

Each has NumPy's own parameters; those that are missing are refused by name (`tinygrad_dl.core.protocol`).
"""
