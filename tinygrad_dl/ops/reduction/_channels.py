"""Sums over all but the channels, dimension 1: of gradients of biases, and for batch normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.gemm import product
from tinygrad_dl.ops.reduction._sums import add_up, dot_rows, ones


def channels(x: Any) -> Any:
    """(N, C) as it is, (N, C, ...) as (N, C, L)."""
    return x if x.ndim == 2 else np.reshape(x, (x.shape[0], x.shape[1], math.prod(x.shape[2:])))


def channel_sums(x: Any) -> Any:
    """The sum over all but the channels, shaped to broadcast against x: (C,) or (C, 1)."""
    if x.ndim == 2:
        return product(ones(x.shape[0], x.dtype), x)
    rows = add_up(x, 2, True) if type(x) is np.ndarray else np.add.reduce(x, axis=2, keepdims=True)
    return np.add.reduce(rows, axis=0)


def channel_dots(a: Any, b: Any) -> Any:
    """The sum of a * b over all but the channels, likewise."""
    return channel_sums(a * b) if a.ndim == 2 else np.add.reduce(dot_rows(a, b, 2), axis=0)
