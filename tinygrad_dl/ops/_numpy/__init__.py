"""NumPy's functions that are made of several operations, or that mean another thing than PyTorch's of the name.

Each has NumPy's own parameters; a missing one is left to NumPy where no gradient is lost (`tinygrad_dl.core.protocol`).
"""
