"""The operations, one theme a file. Importing a file declares its ops, `numpy_functions` what is made of them."""

from tinygrad_dl.ops import numpy_functions

__all__ = ["numpy_functions"]
