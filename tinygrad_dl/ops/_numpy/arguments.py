"""What NumPy's functions are given, as operations take it."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.ops.shape.reshape import unsqueeze

NONE: Any = np._NoValue


def as_tensor(value: Any) -> Tensor:
    """A tensor, or one of an array or a number."""
    return value if isinstance(value, Tensor) else wrap(as_array(value))


def over(a: Any, axis: Any, keepdims: Any) -> tuple[Any, Any, bool]:
    """What to reduce, over which dimensions. axis=() is none in NumPy and all in PyTorch: a new one stands for none."""
    if type(axis) is tuple and not axis:
        return unsqueeze(a, -1), -1, False
    return a, axis, keepdims is not NONE and bool(keepdims)


def given(keepdims: Any) -> bool:
    """Whether dimensions are kept; NumPy's word for an argument that is not given says no."""
    return keepdims is not NONE and bool(operator.index(keepdims))


def as_plain(value: Any) -> Any:
    """Positions as NumPy takes them."""
    return value.numpy() if hasattr(value, "numpy") else value


def as_any(value: Any) -> Any:
    """A tensor where NumPy's types want an array."""
    return value
