"""Convolution by columns: every patch that the kernel sees becomes a column, and the convolution a matrix product.

Columns repeat each element once for every place of the kernel that reaches it, so they are made for a block of
the result at a time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from tinygrad_dl.ops.conv_shapes import Pads, Sizes

BLOCK = 2**20  # bytes of columns that are made at a time, if that is not less than one row of the result
LARGEST = 64 * 2**20  # bytes that columns never take, however large a row is


def padded(x: np.ndarray, pads: Pads) -> np.ndarray:
    """The array with zeros around its spatial dimensions, contiguous; negative padding cuts off."""
    if not any(a or b for a, b in pads):
        return np.ascontiguousarray(x)
    inner = [
        slice(max(a, 0), max(a, 0) + n + min(a, 0) + min(b, 0)) for n, (a, b) in zip(x.shape[2:], pads, strict=True)
    ]
    taken = [slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape[2:], pads, strict=True)]
    out = np.zeros((*x.shape[:2], *(n + a + b for n, (a, b) in zip(x.shape[2:], pads, strict=True))), x.dtype)
    out[(..., *inner)] = x[(..., *taken)]
    return out


def windows(x: np.ndarray, kernel: Sizes, stride: Sizes, dilation: Sizes, out: Sizes) -> np.ndarray:
    """A view (N, C, *kernel, *out) of a contiguous array: for each place of the kernel what it sees."""
    steps = x.strides[2:]
    strides = (
        *x.strides[:2],
        *(d * step for d, step in zip(dilation, steps, strict=True)),
        *(s * step for s, step in zip(stride, steps, strict=True)),
    )
    return np.ndarray((*x.shape[:2], *kernel, *out), x.dtype, x, 0, strides)


def blocks(count: int, rows: int, row_bytes: int) -> Iterator[tuple[slice, slice]]:
    """Ranges of samples and of rows of the result whose columns fit in a block.

    Either whole samples, or some rows of one sample.
    """
    limit = min(max(BLOCK, row_bytes), LARGEST)
    sample = max(1, rows * row_bytes)
    if sample <= limit:
        step = max(1, limit // sample)
        for start in range(0, count, step):
            yield slice(start, min(start + step, count)), slice(0, rows)
        return
    step = max(1, limit // row_bytes)
    for n, start in itertools.product(range(count), range(0, rows, step)):
        yield slice(n, n + 1), slice(start, min(start + step, rows))


def convolve(
    x: np.ndarray, weight: np.ndarray, out_size: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> np.ndarray:
    """(N, C, *in) with (O, C / groups, *kernel) gives (N, O, *out)."""
    n, o, kernel = len(x), len(weight), weight.shape[2:]
    height = math.prod(weight.shape[1:])
    out = np.empty((n, o, *out_size), x.dtype)
    seen = windows(padded(x, pads), kernel, stride, dilation, out_size)
    matrix = weight.reshape(groups, o // groups, height)
    behind = math.prod(out_size[1:])
    k = len(kernel)
    for samples, rows in blocks(n, out_size[0], height * groups * behind * x.itemsize):
        part = seen[(samples, *(slice(None),) * (k + 1), rows)]
        count, length = part.shape[0], part.shape[k + 2] * behind
        columns = part.reshape(count, groups, height, length)
        target = out[samples, :, rows]
        if target.flags.c_contiguous:
            np.matmul(matrix, columns, out=target.reshape(count, groups, o // groups, length))
        else:
            target[...] = np.matmul(matrix, columns).reshape(target.shape)
    return out


def convolve_transposed(
    g: np.ndarray, weight: np.ndarray, size: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> np.ndarray:
    """(N, O, *out) with (O, C / groups, *kernel) gives (N, C, *size): each number of g, times the kernel, added up."""
    n, o, kernel = len(g), len(weight), weight.shape[2:]
    channels, height = weight.shape[1] * groups, math.prod(weight.shape[1:])
    whole = tuple([m + a + b for m, (a, b) in zip(size, pads, strict=True)])
    room = tuple(
        [
            max(w, (m - 1) * s + d * (k - 1) + 1)
            for w, m, s, d, k in zip(whole, g.shape[2:], stride, dilation, kernel, strict=True)
        ]
    )
    total = np.zeros((n, channels, *room), g.dtype)
    g = np.ascontiguousarray(g)
    matrix = weight.reshape(groups, o // groups, height).swapaxes(1, 2)
    behind = math.prod(g.shape[3:])
    places = list(itertools.product(*[range(k) for k in kernel]))
    for samples, rows in blocks(n, g.shape[2], height * groups * behind * g.itemsize):
        part = g[samples, :, rows]
        count, shape = len(part), part.shape[2:]
        columns = np.matmul(matrix, part.reshape(count, groups, o // groups, math.prod(shape)))
        columns = columns.reshape(count, channels, *kernel, *shape)
        first = rows.start * stride[0]
        for place in places:
            index = [
                slice(d * p + start, d * p + start + (m - 1) * s + 1, s)
                for d, p, s, m, start in zip(dilation, place, stride, shape, (first, *(0,) * len(shape)), strict=False)
            ]
            total[(samples, slice(None), *index)] += columns[(slice(None), slice(None), *place)]
    return np.ascontiguousarray(total[(..., *[slice(a, a + m) for m, (a, _) in zip(size, pads, strict=True)])])


def convolve_weight(
    x: np.ndarray, g: np.ndarray, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> np.ndarray:
    """(N, C, *in) with (N, O, *out) gives (O, C / groups, *kernel): the gradient of the weight."""
    n, o, out_size = len(x), g.shape[1], g.shape[2:]
    each = x.shape[1] // groups
    height = each * math.prod(kernel)
    seen = windows(padded(x, pads), kernel, stride, dilation, out_size)
    g = np.ascontiguousarray(g)
    total = np.zeros((groups, o // groups, height), x.dtype)
    behind, k = math.prod(out_size[1:]), len(kernel)
    for samples, rows in blocks(n, out_size[0], height * groups * behind * x.itemsize):
        part = seen[(samples, *(slice(None),) * (k + 1), rows)]
        count, length = part.shape[0], part.shape[k + 2] * behind
        columns = part.reshape(count, groups, height, length)
        slopes = g[samples, :, rows].reshape(count, groups, o // groups, length)
        total += np.add.reduce(np.matmul(slopes, columns.swapaxes(2, 3)), axis=0)
    return total.reshape(o, each, *kernel)
