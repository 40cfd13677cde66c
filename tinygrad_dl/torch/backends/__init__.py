"""`torch.backends`: settings of libraries that compute for PyTorch and not here; programs may set and read them.

>>> import tinygrad_dl as td
>>> td.backends.cudnn.benchmark = True
>>> td.backends.cudnn.is_available()
False
>>> td.backends.cudnn.benchmark = False

Source: https://docs.pytorch.org/docs/stable/backends.html
"""

from __future__ import annotations

from tinygrad_dl.torch.backends import cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
