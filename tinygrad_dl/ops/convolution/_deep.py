"""Convolution of many channels on few places, as in the last layers of a network: one product for the whole batch.

Its columns are those of `_columns` with all samples side by side, so that the product is wide enough though the
images are small. The weight is as large as everything else there, and it is used as it lies: the other ways
rearrange it, which takes longer than their products.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_dl.backends.gemm import product
from tinygrad_dl.backends.threads import grain, parallel_for
from tinygrad_dl.ops.convolution._columns import LARGEST, copy_moved, padded, windows
from tinygrad_dl.ops.convolution._geometry import Geometry
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes, spatial


def fits(of: Geometry, fast: bool) -> bool:
    """Whether this is the way to compute a convolution: of few places in the batch beside a group's channels.

    Where Winograd's way is possible (`fast`), which has less to multiply, only for a quarter as many.
    """
    many = of.places > max(of.channels, of.made) // of.groups * (0.5 if fast else 2)
    if many or not of.places * of.channels * of.made:
        return False
    return of.places * of.channels * math.prod(of.kernel) * of.dtype.itemsize <= LARGEST


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


def _moves(
    size: Sizes, kernel: Sizes, pads: Pads, dilation: Sizes
) -> Iterator[tuple[tuple[int, ...], int, list[tuple[Any, ...]]]]:
    """For each place of the kernel: how far images (..., *size), as one run of memory, move by it; and the places that
    cross an edge then, into the line or the image next to it, as indices of (channels, images, *size).
    """
    for place in itertools.product(*map(range, kernel)):
        moves = [p * d - a for p, d, (a, _) in zip(place, dilation, pads, strict=True)]
        shift, edges = 0, []
        for dim, (move, n) in enumerate(zip(moves, size, strict=True)):
            shift = shift * n + move
            edge = slice(-move) if move < 0 else slice(max(0, n - move), None)
            edges.append(((slice(None),) * (2 + dim)) + (edge,))
        yield place, shift, edges


def _moved(x: np.ndarray, kernel: Sizes, pads: Pads, dilation: Sizes) -> np.ndarray:
    """The columns of a result of the input's size: for each place of the kernel all images, moved as one run of memory.

    These calls are too short to be shared out: threads would wait for each other.
    """
    n, c, *size = x.shape
    images = np.ascontiguousarray(x.swapaxes(0, 1)).reshape(c, -1)
    found = np.empty((c, *kernel, n, *size), x.dtype)
    for place, shift, edges in _moves(tuple(size), kernel, pads, dilation):
        index: Any = (slice(None), *place)
        copy_moved(found[index].reshape(c, -1), images, shift)
        for edge in edges:
            found[index][edge] = 0
    return found.reshape(c * math.prod(kernel), -1)


def _moved_back(each: np.ndarray, kernel: Sizes, pads: Pads, dilation: Sizes) -> np.ndarray:
    """The transpose of `_moved`, of (C, *kernel, N, *size): the sums (C, N, *size)."""
    c, (n, *size) = len(each), each.shape[1 + len(kernel) :]
    total = np.zeros((c, n * math.prod(size)), each.dtype)
    for place, shift, edges in _moves(tuple(size), kernel, pads, dilation):
        index: Any = (slice(None), *place)
        for edge in edges:
            each[index][edge] = 0
        flat = each[index].reshape(c, -1)
        if shift >= 0:
            total[:, shift:] += flat[:, : max(0, flat.shape[1] - shift)]
        else:
            total[:, : max(0, flat.shape[1] + shift)] += flat[:, -shift:]
    return total.reshape(c, n, *size)


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
    if max(stride) == 1 and size == tuple(out):
        return np.ascontiguousarray(_moved_back(each, tuple(kernel), pads, dilation).swapaxes(0, 1))
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
