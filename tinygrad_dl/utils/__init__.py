"""PyTorch's `torch.utils`: `checkpoint`, and `data`, which is `td.data`."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["checkpoint", "data"]

_MODULES = {"checkpoint": "tinygrad_dl.utils.checkpoint", "data": "tinygrad_dl.data"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(_MODULES[name])
