"""Sums over all but the channels, dimension 1: of gradients of biases, and for batch normalisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.along_rows import LONG as BUFFERED
from tinygrad_dl.backends.along_rows import SHORT
from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.backends.threads import parallel_for
from tinygrad_dl.core.layout import in_order
from tinygrad_dl.ops.reduction._sums import LONG, add_up, dot_rows, sum_of_rows

# Elements of the channels that are worked on at a time, so that they stay in the cache, and that are worth a thread:
# with half as many, what two threads lose by waiting for the interpreter is more than they gain.
BLOCK, GRAIN = 2**20, 2**19


def channels(x: Any) -> Any:
    """(N, C) as it is, (N, C, ...) as (N, C, L)."""
    if x.ndim > 3 and type(x) is np.ndarray and not x.flags.c_contiguous:
        x = in_order(x, None)
    return x if x.ndim == 2 else np.reshape(x, (x.shape[0], x.shape[1], math.prod(x.shape[2:])))


def channel_sums(x: Any) -> Any:
    """The sum over all but the channels, shaped to broadcast against x: (C,) or (C, 1)."""
    if x.ndim == 2:
        return sum_of_rows(x)
    rows = add_up(x, 2, True) if type(x) is np.ndarray else np.add.reduce(x, axis=2, keepdims=True)
    return np.add.reduce(rows, axis=0)


def channel_dots(a: Any, b: Any) -> Any:
    """The sum of a * b over all but the channels, likewise."""
    return channel_sums(a * b) if a.ndim == 2 else np.add.reduce(dot_rows(a, b, 2), axis=0)


def spread(values: Any, x: Any) -> Any:
    """Values for each channel, (C,) or (C, 1), as NumPy combines them with x, (N, C) or (N, C, L), in the least time.

    Where rows are too short for `along_rows`, NumPy would repeat them for each sample; a copy of one serves them all.
    """
    if (
        type(x) is not np.ndarray
        or x.ndim == 2
        or x.shape[2] >= SHORT
        or len(x) == 1
        or x.shape[1] * x.shape[2] <= BUFFERED
    ):
        return values
    wide = module_of(values).empty(x.shape[1:], values.dtype)
    wide[...] = values
    return wide


def is_large(x: np.ndarray) -> bool:
    """Whether an array (N, C, L) is to be worked on by `over_channels`, rather than at once."""
    return type(x) is np.ndarray and x.ndim == 3 and x.size >= 2 * GRAIN and x.shape[2] >= LONG


def over_channels(work: Callable[[slice], object], x: np.ndarray) -> None:
    """Calls work(channels) for ranges of the channels of x, (N, C, L), a block at a time, on several threads."""
    _in_blocks(lambda start, stop: work(slice(start, stop)), x.shape[1], x.size)


def over_samples(work: Callable[[int, int], object], x: np.ndarray) -> None:
    """Calls work(start, stop) for ranges of the samples of x, (N, C, L): a block at a time, if that is large."""
    if is_large(x):
        _in_blocks(work, len(x), x.size)
    else:
        work(0, len(x))


def _in_blocks(work: Callable[[int, int], object], count: int, size: int) -> None:
    each = size // count

    def blocks(start: int, stop: int) -> None:
        number = max(1, -(-(stop - start) * each // BLOCK))
        for i in range(number):
            work(start + (stop - start) * i // number, start + (stop - start) * (i + 1) // number)

    parallel_for(blocks, count, max(1, -(-GRAIN // each)))
