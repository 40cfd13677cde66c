"""Which of our operations stand for NumPy's functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# NumPy function, ufunc or (ufunc, method) -> our operation; `declaration.py` and `ops/` fill it.
NUMPY: dict[Any, Callable[..., Any]] = {}
# The same with how many of its arguments by place and which by name mean the same to both; `protocol.py` fills it.
DIRECT: dict[Any, tuple[Callable[..., Any], int, frozenset[str]]] = {}
