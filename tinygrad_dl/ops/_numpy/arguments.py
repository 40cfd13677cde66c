"""What NumPy's functions are given, as operations take it."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.untracked import is_tracked
from tinygrad_dl.ops.shape.reshape import unsqueeze

NONE: Any = np._NoValue


def as_tensor(value: Any) -> Any:
    """A tensor, or one of an array or a number; of any type, as NumPy's types want arrays."""
    return value if isinstance(value, Tensor) else wrap(as_array(value, exact=True))


def kept(keepdims: Any) -> bool:
    """Whether dimensions are kept; NumPy's word for an argument that is not given says no."""
    return keepdims is not NONE and bool(operator.index(keepdims))


def over(a: Any, axis: Any, keepdims: Any) -> tuple[Any, Any, bool]:
    """What to reduce, over which dimensions. axis=() is none in NumPy and all in PyTorch: a new one stands for none."""
    if type(axis) is tuple and not axis:
        return unsqueeze(a, -1), -1, False
    return a, axis, kept(keepdims)


def numbers(value: Any) -> Any:
    """The numbers of a tensor, by which elements are chosen: where they lie, no gradient says."""
    return value.detach().numpy() if isinstance(value, Tensor) else value


def constant(value: Any, what: str) -> Any:
    """The numbers of an argument without a gradient rule. TypeError: it requires a gradient."""
    if is_tracked(value):
        raise TypeError(
            f"got {what} as a tensor that requires a gradient, expected one that does not: there is no gradient rule "
            f"for it here; use {what}.detach()"
        )
    return value.numpy() if isinstance(value, Tensor) else value


def floating(a: Any) -> Any:
    """A tensor as it is; of integers and bools one of float64."""
    a = as_tensor(a)
    return a.astype(np.float64) if a.dtype.kind in "biu" else a


def all_dims(axis: Any, ndim: int) -> tuple[int, ...]:
    """The dimensions that an axis names, none of them negative; None names all."""
    if axis is None:
        return tuple(range(ndim))
    found = tuple(np.atleast_1d(np.asarray(axis, int)).tolist())
    for d in found:
        if not -ndim <= d < ndim:
            raise np.exceptions.AxisError(d, ndim)
    return tuple(d % ndim for d in found)


def as_any(value: Any) -> Any:
    """A tensor where NumPy's types want an array."""
    return value
