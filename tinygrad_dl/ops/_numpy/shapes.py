"""Shapes, new dimensions, and tensors like others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import full_like, ones, ones_like, zeros, zeros_like
from tinygrad_dl.ops._numpy.arguments import all_dims, as_tensor, numbers
from tinygrad_dl.ops.indexing.diagonal import diagflat
from tinygrad_dl.ops.shape.expand import expand, meshgrid
from tinygrad_dl.ops.shape.permute import permute
from tinygrad_dl.ops.shape.reshape import unsqueeze


def expand_dims(a: Any, axis: Any) -> Any:
    """np.expand_dims: one new dimension, or several."""
    if isinstance(axis, int | np.integer):
        return unsqueeze(a, axis)
    count = a.ndim + len(axis)
    for each in sorted(d % count if -count <= d < count else d for d in axis):
        a = unsqueeze(a, each)
    return a


def roll_axis(a: Any, axis: int, start: int = 0) -> Any:
    """np.rollaxis: one dimension is put in front of another."""
    order = np.rollaxis(np.empty(tuple(range(1, a.ndim + 1))), axis, start).shape
    return permute(a, [n - 1 for n in order])


def zeros_of(a: Any, dtype: Any = None, *, shape: Any = None) -> Tensor:
    """np.zeros_like; rules write it for arrays and tensors alike."""
    return zeros_like(a, dtype=dtype) if shape is None else zeros(shape, dtype=dtype or a.dtype)


def ones_of(a: Any, dtype: Any = None, *, shape: Any = None) -> Tensor:
    """np.ones_like."""
    return ones_like(a, dtype=dtype) if shape is None else ones(shape, dtype=dtype or a.dtype)


def full_of(a: Any, fill_value: Any, dtype: Any = None, *, shape: Any = None) -> Tensor:
    """np.full_like, with the gradient of a tensor that fills it."""
    a = as_tensor(a)
    if not isinstance(fill_value, Tensor) and shape is None and not np.ndim(fill_value):
        return full_like(a, fill_value, dtype=dtype or a.dtype)
    size = a.shape if shape is None else np.broadcast_shapes(shape)
    return expand(as_tensor(fill_value).astype(dtype or a.dtype), size).clone()


def grids(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Tensor, ...]:
    """np.meshgrid; sparse: each grid is of size 1 but along its own dimension."""
    if not xi:
        return ()
    lines = [as_tensor(x).reshape(-1) for x in xi]
    if sparse:
        swap = {0: 1, 1: 0} if indexing == "xy" and len(xi) > 1 else {}
        found = [x.reshape([-1 if d == swap.get(i, i) else 1 for d in range(len(xi))]) for i, x in enumerate(lines)]
    else:
        found = list(meshgrid(*lines, indexing=indexing))
    return tuple(g.clone() for g in found) if copy else tuple(found)


def open_grid(*args: Any) -> tuple[Tensor, ...]:
    """np.ix_: sequences as an open mesh, each along a dimension of its own; of bools where they are True."""
    found = []
    for place, each in enumerate(args):
        sequence = as_tensor(each)
        if sequence.ndim != 1:
            raise ValueError(f"got shape {sequence.shape}, expected sequences of one dimension")
        if sequence.dtype.kind == "b":
            sequence = as_tensor(np.flatnonzero(numbers(sequence)))
        elif not sequence.numel() and not isinstance(each, Tensor | np.ndarray):
            sequence = sequence.astype(np.intp)
        found.append(sequence.reshape([-1 if d == place else 1 for d in range(len(args))]))
    return tuple(found)


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


def windows(x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False) -> Any:
    """np.lib.stride_tricks.sliding_window_view: all windows along dimensions, in new last dimensions."""
    sizes = np.atleast_1d(window_shape).tolist()
    dims = all_dims(axis, x.ndim)
    if len(dims) != len(sizes):
        raise ValueError(f"got window_shape {window_shape} for axis {axis}, expected a size for each of {len(dims)}")
    for dim, size in zip(dims, sizes, strict=True):
        x = x.unfold(dim, size, 1)
    return x


for _function in (np.atleast_1d, np.atleast_2d):
    NUMPY[_function] = each_of(NUMPY[_function])
NUMPY[np.atleast_3d] = each_of(at_least_3d)
NUMPY[np.ndim] = lambda a: a.ndim
NUMPY[np.shape] = lambda a: a.shape
NUMPY[np.size] = lambda a, axis=None: math.prod(a.shape[d] for d in all_dims(axis, a.ndim))
NUMPY[np.expand_dims], NUMPY[np.rollaxis], NUMPY[np.ix_] = expand_dims, roll_axis, open_grid
NUMPY[np.zeros_like], NUMPY[np.ones_like], NUMPY[np.full_like] = zeros_of, ones_of, full_of
NUMPY[np.meshgrid] = grids
NUMPY[np.diagflat] = lambda v, k=0: diagflat(as_tensor(v), k)
NUMPY[sliding_window_view] = windows
