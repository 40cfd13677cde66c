"""Shapes, new dimensions, and tensors like others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import full_like, zeros, zeros_like
from tinygrad_dl.ops._numpy.arguments import as_tensor
from tinygrad_dl.ops.shape.expand import expand, meshgrid
from tinygrad_dl.ops.shape.reshape import unsqueeze

NUMPY[np.ndim] = lambda a: a.ndim
NUMPY[np.shape] = lambda a: a.shape
NUMPY[np.size] = lambda a, axis=None: a.numel() if axis is None else a.shape[axis]


def expand_dims(a: Any, axis: Any) -> Any:
    """np.expand_dims: one new dimension, or several."""
    if isinstance(axis, int | np.integer):
        return unsqueeze(a, axis)
    count = a.ndim + len(axis)
    for each in sorted(d % count if -count <= d < count else d for d in axis):
        a = unsqueeze(a, each)
    return a


def zeros_of(a: Any, dtype: Any = None, *, shape: Any = None) -> Tensor:
    """np.zeros_like; rules write it for arrays and tensors alike."""
    return zeros_like(a, dtype=dtype) if shape is None else zeros(shape, dtype=dtype or a.dtype)


def full_of(a: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """np.full_like, with the gradient of a tensor that fills it."""
    a = as_tensor(a)
    if not isinstance(fill_value, Tensor):
        return full_like(a, fill_value, dtype=dtype or a.dtype)
    return expand(fill_value.astype(dtype or a.dtype), a.shape).clone()


def grids(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Tensor, ...]:
    """np.meshgrid; sparse: each grid is of size 1 but along its own dimension."""
    found = meshgrid(*map(as_tensor, xi), indexing=indexing)
    if sparse:
        swap = {0: 1, 1: 0} if indexing == "xy" and len(xi) > 1 else {}
        own = [swap.get(i, i) for i in range(len(xi))]
        found = tuple(
            g[tuple(slice(None) if d == i else slice(0, 1) for d in range(g.ndim))]
            for g, i in zip(found, own, strict=True)
        )
    return tuple(g.clone() for g in found) if copy else found


def at_least_3d(ary: Any) -> Any:
    """np.atleast_3d: (n,) becomes (1, n, 1), (n, m) becomes (n, m, 1)."""
    return (
        ary.reshape((1, 1, 1) if not ary.ndim else (1, -1, 1))
        if ary.ndim < 2
        else unsqueeze(ary, 2)
        if ary.ndim == 2
        else ary
    )


def each_of(ours: Callable[..., Any]) -> Callable[..., Any]:
    """np.atleast_1d and its like: of several arguments a tuple."""

    def found(*arys: Any) -> Any:
        results = tuple(ours(as_tensor(each)) for each in arys)
        return results[0] if len(results) == 1 else results

    return found


for _function in (np.atleast_1d, np.atleast_2d):
    NUMPY[_function] = each_of(NUMPY[_function])
NUMPY[np.atleast_3d] = each_of(at_least_3d)
NUMPY[np.expand_dims], NUMPY[np.zeros_like], NUMPY[np.full_like] = expand_dims, zeros_of, full_of
NUMPY[np.meshgrid] = grids
