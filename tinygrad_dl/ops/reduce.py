"""Sums, means, products and spreads over dimensions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.op import Array, op
from tinygrad_dl.samples import axes_of, error, array, one_of, real


def kept(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """A reduced array with its reduced dimensions back, of size 1."""
    if keepdim or dim is None:
        return g
    dims = [d % len(shape) for d in ((dim,) if isinstance(dim, int) else dim)] if shape else []
    return np.reshape(g, tuple([1 if i in dims else n for i, n in enumerate(shape)]))


def spread(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """A reduced array, repeated along the reduced dimensions."""
    return np.broadcast_to(kept(g, shape, dim, keepdim), shape)


@op(np.sum, (np.add, "reduce"), inputs=dict(input=real(), dim=axes_of("input"), keepdim=one_of(False, True)))
def sum(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    """sum"""
    return np.add.reduce(input, dim, dtype, None, keepdim)


sum.vjp(input=lambda g, dim, keepdim, input_shape: spread(g, input_shape, dim, keepdim))


@op(np.mean, inputs=dict(input=real(), dim=axes_of("input"), keepdim=one_of(False, True)))
def mean(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    """mean"""
    return np.mean(input, dim, dtype, None, keepdim)


@mean.joint_vjp("input")
def mean_rule(g: Any, dim: Any, keepdim: bool, input_shape: Any) -> Any:
    return (spread(g * (math.prod(g.shape) / max(1, math.prod(input_shape))), input_shape, dim, keepdim),)
