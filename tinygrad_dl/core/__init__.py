"""The engine: tensors, the graph, the declaration of ops, and how functions are called.

`printing` is loaded with it: nothing calls it by name, it attaches what tensors print as to class Tensor.
"""

from tinygrad_dl.core import printing

__all__ = ["printing"]
