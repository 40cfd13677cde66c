"""Which of our operations stand for NumPy's functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# NumPy function, ufunc or (ufunc, method) -> our operation; `declaration.py` and `ops/` fill it.
NUMPY: dict[Any, Callable[..., Any]] = {}
# The same with how many of its arguments by place and which by name mean the same to both; `protocol.py` fills it.
DIRECT: dict[Any, tuple[Callable[..., Any], int, frozenset[str]]] = {}


def called(function: Any) -> str:
    """How users write a function: np.sum, np.linalg.norm, np.add.reduce."""
    if isinstance(function, tuple):
        return f"np.{function[0].__name__}.{function[1]}"
    module = getattr(function, "__module__", None) or "numpy"
    return f"np{module.removeprefix('numpy')}.{function.__name__}"
