"""Dimensions as indices from 0."""

from __future__ import annotations


def normal_dim(dim: int, ndim: int) -> int:
    """A dimension counted from the front; raises IndexError if there is none such."""
    if -ndim <= dim < ndim:
        return dim + ndim if dim < 0 else dim
    if ndim == 0 and dim in (0, -1):
        return 0
    expected = f"{-ndim} to {ndim - 1}" if ndim else "0 or -1"
    raise IndexError(f"got dim {dim} for a tensor with {ndim} dimensions, expected {expected}")
