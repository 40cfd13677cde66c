"""Processing of signals under PyTorch's name `torch.signal`: the windows.

Source: https://docs.pytorch.org/docs/stable/signal.html
"""

from __future__ import annotations

from tinygrad_dl.signal import windows

__all__ = ["windows"]


def __dir__() -> list[str]:
    return __all__
