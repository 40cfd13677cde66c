"""Arithmetic over arrays that the caller has just made and nobody else sees: no new array for the result.

Rules are written with these where large arrays would otherwise be allocated for each step of a formula. On
tensors (`create_graph=True`) they are the plain operators.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor


def mul_(own: Any, factor: Any) -> Any:
    """own * factor, written over `own` if it is an array."""
    if type(own) is not np.ndarray or isinstance(factor, Tensor):
        return own * factor
    own *= factor
    return own


def add_(own: Any, term: Any) -> Any:
    """own + term, written over `own` if it is an array."""
    if type(own) is not np.ndarray or isinstance(term, Tensor):
        return own + term
    own += term
    return own


def sub_(own: Any, term: Any) -> Any:
    """own - term, written over `own` if it is an array."""
    if type(own) is not np.ndarray or isinstance(term, Tensor):
        return own - term
    own -= term
    return own


def no_view(own: Tensor) -> Tensor:
    """A view of a tensor that the caller has just made and nobody else sees: a tensor of its own."""
    own._view = None
    return own
