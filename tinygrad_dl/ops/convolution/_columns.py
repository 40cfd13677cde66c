"""Convolution by columns: every patch that the kernel sees becomes a column, and the convolution a matrix product.

Columns repeat each element once for every place of the kernel that reaches it, so they are made for a block of
the result at a time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from tinygrad_dl.backends.threads import parallel_for_products
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes, spatial

SHARES = 4  # into which a weight's gradient is summed
BLOCK = 2**20  # bytes of columns that are made at a time, if that is not less than one row of the result
LARGEST = 64 * 2**20  # bytes that a block never takes: where one row of the result would, channels are halved before


def padded(x: np.ndarray, pads: Pads) -> np.ndarray:
    """The array with zeros around its spatial dimensions, contiguous; negative padding cuts off."""
    if not any(a or b for a, b in pads):
        return np.ascontiguousarray(x)
    inner = [
        slice(max(a, 0), max(a, 0) + n + min(a, 0) + min(b, 0)) for n, (a, b) in zip(x.shape[2:], pads, strict=True)
    ]
    taken = [slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape[2:], pads, strict=True)]
    out = np.zeros((*x.shape[:2], *(n + a + b for n, (a, b) in zip(x.shape[2:], pads, strict=True))), x.dtype)
    out[spatial(*inner)] = x[spatial(*taken)]
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
    return convolve_sums([[(x, weight)]], out_size, stride, pads, dilation, groups)[0]


def convolve_sums(
    sums: list[list[tuple[np.ndarray, np.ndarray]]],
    out_size: Sizes,
    stride: Sizes,
    pads: Pads,
    dilation: Sizes,
    groups: int,
) -> list[np.ndarray]:
    """`convolve` of pairs of an input and a weight, each result the sum over its pairs.

    An input that several pairs share is made columns of once.
    """
    inputs = {id(x): x for pairs in sums for x, _ in pairs}
    x, weight = sums[0][0]
    n, o, kernel = len(x), len(weight), weight.shape[2:]
    height = math.prod(weight.shape[1:])
    outs = [np.empty((n, o, *out_size), x.dtype) for _ in sums]
    seen = {key: windows(padded(each, pads), kernel, stride, dilation, out_size) for key, each in inputs.items()}
    matrices = [[(id(a), w.reshape(groups, o // groups, height)) for a, w in pairs] for pairs in sums]
    behind = math.prod(out_size[1:])
    k = len(kernel)
    pieces = list(blocks(n, out_size[0], height * groups * behind * x.itemsize))

    def work(start: int, stop: int) -> None:
        for samples, rows in pieces[start:stop]:
            begun = set()
            for key, whole in seen.items():
                part = whole[(samples, *(slice(None),) * (k + 1), rows)]
                count, length = part.shape[0], part.shape[k + 2] * behind
                columns = part.reshape(count, groups, height, length)
                for i, pairs in enumerate(matrices):
                    target = outs[i][samples, :, rows]
                    for own, matrix in pairs:
                        if own != key:
                            continue
                        if i in begun:
                            target += np.matmul(matrix, columns).reshape(target.shape)
                        elif target.flags.c_contiguous:
                            np.matmul(matrix, columns, out=target.reshape(count, groups, o // groups, length))
                        else:
                            target[...] = np.matmul(matrix, columns).reshape(target.shape)
                        begun.add(i)

    parallel_for_products(work, len(pieces))
    return outs


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
    pieces = list(blocks(n, g.shape[2], height * groups * behind * g.itemsize))
    # Blocks of one sample add to the same rows: one thread does them, so that the order of the sums stays as it is.
    apart = [list(own) for _, own in itertools.groupby(pieces, lambda piece: piece[0].start)]

    def work(start: int, stop: int) -> None:
        for samples, rows in itertools.chain.from_iterable(apart[start:stop]):
            part = g[samples, :, rows]
            count, shape = len(part), part.shape[2:]
            columns = np.matmul(matrix, part.reshape(count, groups, o // groups, math.prod(shape)))
            columns = columns.reshape(count, channels, *kernel, *shape)
            begins = (rows.start * stride[0], *(0,) * (len(shape) - 1))
            for place in places:
                index = [
                    slice(d * p + begin, d * p + begin + (m - 1) * s + 1, s)
                    for d, p, s, m, begin in zip(dilation, place, stride, shape, begins, strict=True)
                ]
                total[(samples, slice(None), *index)] += columns[(slice(None), slice(None), *place)]

    parallel_for_products(work, len(apart))
    return np.ascontiguousarray(total[spatial(*[slice(a, a + m) for m, (a, _) in zip(size, pads, strict=True)])])


def convolve_weight(
    x: np.ndarray, g: np.ndarray, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> np.ndarray:
    """(N, C, *in) with (N, O, *out) gives (O, C / groups, *kernel): the gradient of the weight."""
    n, o, out_size = len(x), g.shape[1], g.shape[2:]
    each = x.shape[1] // groups
    height = each * math.prod(kernel)
    seen = windows(padded(x, pads), kernel, stride, dilation, out_size)
    g = np.ascontiguousarray(g)
    behind, k = math.prod(out_size[1:]), len(kernel)
    pieces = list(blocks(n, out_size[0], height * groups * behind * x.itemsize))
    # A sum for each of a fixed number of shares, whatever the number of threads, so that the result is always the same.
    shares = min(SHARES, len(pieces))
    sums = np.zeros((shares, groups, o // groups, height), x.dtype)

    def work(start: int, stop: int) -> None:
        for share in range(start, stop):
            for samples, rows in pieces[share::shares]:
                part = seen[(samples, *(slice(None),) * (k + 1), rows)]
                count, length = part.shape[0], part.shape[k + 2] * behind
                columns = part.reshape(count, groups, height, length)
                slopes = g[samples, :, rows].reshape(count, groups, o // groups, length)
                sums[share] += np.add.reduce(np.matmul(slopes, columns.swapaxes(2, 3)), axis=0)

    parallel_for_products(work, shares)
    total: np.ndarray = np.add.reduce(sums, axis=0)
    return total.reshape(o, each, *kernel)
