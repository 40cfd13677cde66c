"""What computes: matrix products, threads, and NumPy's BLAS.

Programs find PyTorch's settings of other libraries here too: `td.backends.cudnn.benchmark = True`.
"""

from __future__ import annotations

from typing import Any

_SETTINGS = ("cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp")


def __getattr__(name: str) -> Any:
    if name not in _SETTINGS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return importlib.import_module(f"tinygrad_dl.torch.backends.{name}")
