"""Convolution of many channels on few places, as in the last layers of a network: one product for the whole batch.

Its columns are those of `_columns` with all samples side by side, so that the product is wide enough though the
images are small. The weight is as large as everything else there, and it is used as it lies: the other ways
rearrange it, which takes longer than their products.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.gemm import product
from tinygrad_dl.backends.threads import grain, parallel_for
from tinygrad_dl.ops.convolution._columns import LARGEST, copy_moved, padded, windows
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes, spatial


def fits(places: int, channels: int, made: int, kernel: Sizes, groups: int, itemsize: int, fast: bool) -> bool:
    """Whether this is the way to compute a convolution with so many places in the batch: few beside a group's channels.

    Where Winograd's way is possible (`fast`), which has less to multiply, only for a quarter as many.
    """
    if places > max(channels, made) // groups * (0.5 if fast else 2) or not places * channels * made:
        return False
    return places * channels * math.prod(kernel) * itemsize <= LARGEST


def columns(x: np.ndarray, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, out: Sizes) -> np.ndarray:
    """(N, C, *in) gives (C * kernel, N * out): what each place of the kernel sees."""
    k, c = len(kernel), x.shape[1]
    if max(stride) == 1 and out == x.shape[2:]:
        return _moved(x, kernel, pads, dilation)
    seen = windows(padded(x, pads), kernel, stride, dilation, out)
    seen = seen.transpose(*range(1, 2 + k), 0, *range(2 + k, 2 + 2 * k))
    found = np.empty(seen.shape, x.dtype)

    def work(start: int, stop: int) -> None:
        found[start:stop] = seen[start:stop]

    parallel_for(work, c, grain(found[0].size))
    return found.reshape(c * math.prod(kernel), -1)


def _moved(x: np.ndarray, kernel: Sizes, pads: Pads, dilation: Sizes) -> np.ndarray:
    """The columns of a result of the input's size: for each place of the kernel all images, moved as one run of memory.

    What came from beyond an edge, from the line or the image next to it, is then replaced by zeros. These calls are too
    short to be shared out: threads would wait for each other.
    """
    n, c, *size = x.shape
    images = np.ascontiguousarray(x.swapaxes(0, 1)).reshape(c, -1)
    found = np.empty((c, *kernel, n, *size), x.dtype)
    steps = [math.prod(size[dim + 1 :]) for dim in range(len(size))]

    for place in itertools.product(*map(range, kernel)):
        index: Any = (slice(None), *place)
        here = found[index]
        moves = [p * d - a for p, d, (a, _) in zip(place, dilation, pads, strict=True)]
        shift = sum(move * step for move, step in zip(moves, steps, strict=True))
        copy_moved(here.reshape(c, -1), images, shift)
        for dim, move in enumerate(moves):
            edge = slice(-move) if move < 0 else slice(max(0, size[dim] - move), None)
            here[(slice(None),) * (2 + dim) + (edge,)] = 0
    return found.reshape(c * math.prod(kernel), -1)


def _parted(matrix: np.ndarray, groups: int) -> np.ndarray:
    """The rows of a matrix by groups: (groups, rows / groups, columns), or itself if there is one."""
    return matrix if groups == 1 else matrix.reshape(groups, len(matrix) // groups, -1)


def convolve(
    x: np.ndarray, weight: np.ndarray, out: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int = 1
) -> np.ndarray:
    """(N, C, *in) with (O, C / groups, *kernel) gives (N, O, *out)."""
    o = len(weight)
    seen = columns(x, weight.shape[2:], stride, pads, dilation, out)
    found = product(_parted(weight.reshape(o, -1), groups), _parted(seen, groups))
    return np.ascontiguousarray(found.reshape(o, len(x), *out).swapaxes(0, 1))


def convolve_transposed(
    g: np.ndarray, weight: np.ndarray, size: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int = 1
) -> np.ndarray:
    """(N, O, *out) with (O, C / groups, *kernel) gives (N, C, *size): each number of g, times the kernel, added up."""
    o, c, *kernel = weight.shape
    n, _, *out = g.shape
    c *= groups
    slopes = _parted(g.swapaxes(0, 1).reshape(o, -1), groups)
    each = product(_parted(weight.reshape(o, -1), groups).swapaxes(-2, -1), slopes).reshape(c, *kernel, n, *out)
    dimensions = zip(size, pads, out, stride, dilation, kernel, strict=True)
    room = [max(m + a + b, (q - 1) * s + d * (k - 1) + 1) for m, (a, b), q, s, d, k in dimensions]
    total = np.zeros((c, n, *room), g.dtype)

    def work(start: int, stop: int) -> None:
        for place in itertools.product(*[range(k) for k in kernel]):
            reached = [
                slice(d * p, d * p + (q - 1) * s + 1, s)
                for d, p, s, q in zip(dilation, place, stride, out, strict=True)
            ]
            total[(slice(start, stop), slice(None), *reached)] += each[(slice(start, stop), *place)]

    parallel_for(work, c, grain(each[0].size))
    inner = total[spatial(*[slice(a, a + m) for m, (a, _) in zip(size, pads, strict=True)])]
    return np.ascontiguousarray(inner.swapaxes(0, 1))


def convolve_weight(
    x: np.ndarray, g: np.ndarray, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int = 1
) -> np.ndarray:
    """(N, C, *in) with (N, O, *out) gives (O, C / groups, *kernel): the gradient of the weight."""
    o = g.shape[1]
    seen = _parted(columns(x, kernel, stride, pads, dilation, g.shape[2:]), groups)
    found: np.ndarray = product(_parted(g.swapaxes(0, 1).reshape(o, -1), groups), seen.swapaxes(-2, -1))
    return found.reshape(o, x.shape[1] // groups, *kernel)
