"""Winograd's way to convolve with 3 x 3 kernels: a quarter of the multiplications.

F(4 x 4, 3 x 3): a tile of 4 x 4 results is computed from the 6 x 6 window that it sees by `A' [(G k G') * (B' d B)] A`,
with 36 multiplications for each pair of channels instead of 144. The transforms of rows and columns are done in one
product with a Kronecker product of 36 columns, and the multiplications as 36 matrix products over the channels.

It sums in another order and with factors between 1/24 and 8, so the error is larger than that of plain sums: up to
1e-5 of the largest result in float32. An infinity in a window makes its whole tile nan.

Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, https://arxiv.org/abs/1509.09308
"""

from __future__ import annotations

import functools
import math

import numpy as np

from tinygrad_dl.dtypes import float32
from tinygrad_dl.ops.conv_rows import SHARES, Frame, Job, Line, Piece, tiles_of
from tinygrad_dl.ops.conv_shapes import Pads, Sizes, spatial
from tinygrad_dl.threads import spread_products

TILE, WINDOW, KERNEL = 4, 6, 3
FEWEST = 24  # channels, below which the transforms cost more than they save
BLOCK = 2**19  # bytes of windows that are transformed at a time: they and the products stay in the cache
WASTE = 1.4  # how many times the area of the result the tiles may have


@functools.cache
def transforms() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(36, 36), (36, 9) and (16, 36): of the windows, of the kernel, and back from the products."""
    window = [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
    kernel = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]
    back = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    made = [np.kron(m, m) for m in (np.array(window, float), np.array(kernel, float) / 24, np.array(back, float))]
    return made[0].astype(float32), made[1].astype(float32), made[2].astype(float32)


def fits(
    channels: int,
    made: int,
    kernel: Sizes,
    stride: Sizes,
    pads: Pads,
    dilation: Sizes,
    groups: int,
    out: Sizes,
    dtype: np.dtype[np.generic],
) -> bool:
    """Whether this is the way to compute a convolution: possible, and the fastest."""
    if kernel != (KERNEL, KERNEL) or dtype != float32 or groups != 1 or min(channels, made) < FEWEST:
        return False
    if stride != (1, 1) or dilation != (1, 1) or min(out) < TILE or max(max(pair) for pair in pads) > KERNEL:
        return False
    return math.prod([-(-n // TILE) * TILE for n in out]) <= WASTE * math.prod(out)


@functools.lru_cache(maxsize=256)
def _lines(out: Sizes, pads: Pads) -> tuple[Line, ...]:
    return tuple([Line(WINDOW, 1, TILE, TILE, -(-n // TILE), a, ()) for n, (a, _) in zip(out, pads, strict=True)])


def _windows(job: Job, piece: Piece, frame: Frame | None) -> tuple[np.ndarray, Frame]:
    """The transformed windows of a piece, (36, tiles, channels), and the frame to be used again."""
    frame = job.fill(piece, frame)
    columns = frame.seen.transpose(3, 4, 0, 1, 2, 5).reshape(WINDOW * WINDOW, -1)
    return transforms()[0].dot(columns).reshape(WINDOW * WINDOW, -1, job.channels), frame


def convolve(x: np.ndarray, weight: np.ndarray, out: Sizes, pads: Pads) -> np.ndarray:
    """(N, C, H, W) with (O, C, 3, 3) gives (N, O, *out)."""
    lines = _lines(out, pads)
    job = Job(x, lines, BLOCK)
    o, c = weight.shape[:2]
    kernels = transforms()[1].dot(weight.reshape(o * c, KERNEL * KERNEL).T).reshape(-1, o, c)
    kernels = np.ascontiguousarray(kernels.transpose(0, 2, 1))
    result = np.empty((len(x), o, *[line.number * TILE for line in lines]), x.dtype)
    tiles = tiles_of(result, lines)

    def work(start: int, stop: int) -> None:
        frame = None
        for piece in job.pieces[start:stop]:
            seen, frame = _windows(job, piece, frame)
            n0, n1, r0, r1 = piece
            target = tiles[n0:n1, r0:r1].transpose(3, 4, 0, 1, 2, 5)
            products = np.matmul(seen, kernels).reshape(WINDOW * WINDOW, -1)
            target[...] = transforms()[2].dot(products).reshape(target.shape)

    spread_products(work, len(job.pieces))
    if result.shape[2:] == out:
        return result
    return np.ascontiguousarray(result[spatial(*[slice(0, n) for n in out])])


def convolve_transposed(g: np.ndarray, weight: np.ndarray, size: Sizes, pads: Pads) -> np.ndarray:
    """(N, O, *out) with (O, C, 3, 3) gives (N, C, *size): a convolution with the kernel turned round."""
    turned = np.ascontiguousarray(weight[:, :, ::-1, ::-1].swapaxes(0, 1))
    return convolve(g, turned, size, tuple([(KERNEL - 1 - a, KERNEL - 1 - b) for a, b in pads]))


def convolve_weight(x: np.ndarray, g: np.ndarray, pads: Pads) -> np.ndarray:
    """(N, C, H, W) with (N, O, *out) gives (O, C, 3, 3): the sum over all tiles is taken between the transforms."""
    out, o, c = g.shape[2:], g.shape[1], x.shape[1]
    lines = _lines(out, pads)
    job = Job(x, lines, BLOCK)
    tiles = tiles_of(g, lines)
    shares = min(SHARES, len(job.pieces))
    sums = np.zeros((shares, WINDOW * WINDOW, c, o), x.dtype)

    def work(start: int, stop: int) -> None:
        frame = None
        for share in range(start, stop):
            for piece in job.pieces[share::shares]:
                seen, frame = _windows(job, piece, frame)
                n0, n1, r0, r1 = piece
                slopes = tiles[n0:n1, r0:r1].transpose(3, 4, 0, 1, 2, 5).reshape(TILE * TILE, -1)
                slopes = transforms()[2].T.dot(slopes).reshape(WINDOW * WINDOW, -1, o)
                sums[share] += np.matmul(seen.swapaxes(1, 2), slopes)

    spread_products(work, shares)
    total = transforms()[1].T.dot(np.add.reduce(sums, axis=0).reshape(WINDOW * WINDOW, -1))
    return np.ascontiguousarray(total.reshape(KERNEL * KERNEL, c, o).transpose(2, 1, 0)).reshape(o, c, KERNEL, KERNEL)
