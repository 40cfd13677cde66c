"""The engine: tensors, the graph, the declaration of ops, and how functions are called.

`dispatch` and `printing` are loaded with it: nothing calls them by name, they attach to class Tensor what they have.
"""

from tinygrad_dl.core import dispatch, printing

__all__ = ["dispatch", "printing"]
