"""Winograd's way to convolve with 3 x 3 kernels: a third of the multiplications.

F(2 x 4, 3 x 3): a tile of 2 x 4 results is computed from the 4 x 6 window that it sees by `A' [(G k G') * (B' d B)] A`,
with 24 multiplications for each pair of channels instead of 72. The transforms of rows and columns are done in one
product with their Kronecker product, and the multiplications as matrix products over the channels.

It sums in another order and with other factors, so it is less exact than plain sums: the root mean square of the error
is up to 8e-7 of that of the result. Tiles of 4 x 4 would have less to multiply and twice that error; and with the usual
points 0, 1, -1, 2, -2 in place of ours, twice that again.

An infinity in a window, or a sum that overflows, makes its whole tile nan: then its sample is computed again by
columns.

Sources: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, https://arxiv.org/abs/1509.09308; Barabasz,
Anderson, Soodhalter and Gregg, Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural
Networks, https://arxiv.org/abs/1803.10986
"""

from __future__ import annotations

import functools
import math

import numpy as np

from tinygrad_dl.backends.gemm import product
from tinygrad_dl.backends.threads import parallel_for_products
from tinygrad_dl.core.promotion import FLOAT32
from tinygrad_dl.ops.convolution._geometry import Geometry
from tinygrad_dl.ops.convolution._rows import SHARES, Again, Frame, Job, Line, Piece, apart, repair
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes

KERNEL, TILE = 3, (2, 4)
POINTS = {2: (0.0, 1.0, -1.0), 4: (0.0, 0.75, -0.75, 1.5, -1.5)}  # and infinity, for so many results
FEWEST = 64  # channels, below which the transforms cost more than they save
LEAST = 2**26  # multiplications of plain sums, below which the many short steps cost more than they save
BLOCK = 2**21  # bytes of windows that are transformed at a time: large, as all kernels are read for each block
SUMMED = 256  # tiles that one product sums over: of longer sums the BLAS loses more digits
WASTE = 1.4  # how many times the area of the result the tiles may have


def _line(tile: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """B', G and A' of one dimension, by Toom and Cook: the values of polynomials at points, and back.

    The last point is infinity, where the value of a polynomial is its highest coefficient.
    """
    points = np.array(POINTS[tile])
    n = len(points)
    window, kernel, back = np.zeros((n + 1, n + 1)), np.zeros((n + 1, KERNEL)), np.zeros((tile, n + 1))
    window[n] = np.poly(points)[::-1]
    kernel[n, -1] = back[-1, n] = 1
    for i, point in enumerate(points):
        others = np.delete(points, i)
        window[i, :n] = np.poly(others)[::-1]
        kernel[i] = point ** np.arange(KERNEL) / np.prod(point - others)
        back[:, i] = point ** np.arange(tile)
    return window, kernel, back


@functools.cache
def transforms() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(24, 24), (24, 9) and (8, 24): of the windows, of the kernel, and back from the products."""
    window, kernel, back = map(np.kron, *map(_line, TILE))
    return window.astype(FLOAT32), kernel.astype(FLOAT32), back.astype(FLOAT32)


def fits(of: Geometry) -> bool:
    """Whether this is the way to compute a convolution: possible, and the fastest."""
    if of.kernel != (KERNEL, KERNEL) or of.dtype != FLOAT32 or of.groups != 1 or min(of.channels, of.made) < FEWEST:
        return False
    if of.stride != (1, 1) or of.dilation != (1, 1) or max(max(pair) for pair in of.pads) > KERNEL:
        return False
    if of.samples * math.prod(of.out) * of.channels * of.made * KERNEL**2 < LEAST:
        return False
    return math.prod([-(-n // t) * t for n, t in zip(of.out, TILE, strict=True)]) <= WASTE * math.prod(of.out)


@functools.lru_cache(maxsize=256)
def _lines(out: Sizes, pads: Pads) -> tuple[Line, ...]:
    each = zip(TILE, out, pads, strict=True)
    return tuple([Line(t + KERNEL - 1, 1, t, t, -(-n // t), a, ()) for t, n, (a, _) in each])


def _windows(job: Job, piece: Piece, frame: Frame | None, transform: np.ndarray) -> tuple[np.ndarray, Frame]:
    """The transformed windows of a piece, (24, tiles, channels), and the frame to be used again."""
    frame = job.fill(piece, frame)
    columns = frame.seen.transpose(3, 4, 0, 1, 2, 5).reshape(len(transform), -1)
    return transform.dot(columns).reshape(len(transform), -1, job.channels), frame


def convolve(x: np.ndarray, weight: np.ndarray, out: Sizes, pads: Pads, again: Again | None = None) -> np.ndarray:
    """(N, C, H, W) with (O, C, 3, 3) gives (N, O, *out); `again` computes samples that are not finite."""
    o, c = weight.shape[:2]
    kernels = product(transforms()[1], weight.reshape(o * c, KERNEL * KERNEL).T)
    tiles = Tiles(x, o, out, pads, kernels.reshape(-1, o, c).swapaxes(1, 2))
    tiles.compute(again)
    return tiles.result


def convolve_transposed(
    g: np.ndarray, weight: np.ndarray, size: Sizes, pads: Pads, again: Again | None = None
) -> np.ndarray:
    """(N, O, *out) with (O, C, 3, 3) gives (N, C, *size): a convolution with the kernel turned round."""
    tiles = Tiles(g, weight.shape[1], size, _around(pads), _turned_kernels(weight))
    tiles.compute(again)
    return tiles.result


def convolve_weight(x: np.ndarray, g: np.ndarray, pads: Pads) -> np.ndarray:
    """(N, C, H, W) with (N, O, *out) gives (O, C, 3, 3), from the windows of g that the input's gradient sees.

    The sum over all tiles is taken between the transforms.
    """
    tiles = Tiles(g, x.shape[1], x.shape[2:], _around(pads), slopes=x)
    tiles.compute()
    return tiles.weight()


def gradients(
    x: np.ndarray, g: np.ndarray, weight: np.ndarray, pads: Pads, again: Again
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of a convolution's input and of its weight: the windows of g are transformed once for both."""
    tiles = Tiles(g, x.shape[1], x.shape[2:], _around(pads), _turned_kernels(weight), x)
    tiles.compute(again)
    return tiles.result, tiles.weight()


def _around(pads: Pads) -> Pads:
    return tuple([(KERNEL - 1 - a, KERNEL - 1 - b) for a, b in pads])


def _turned_kernels(weight: np.ndarray) -> np.ndarray:
    """(O, C, 3, 3), turned round and transformed: (24, O, C)."""
    o, c = weight.shape[:2]
    turned = np.ascontiguousarray(transforms()[1][:, ::-1])
    kernels: np.ndarray = product(turned, weight.reshape(o * c, KERNEL * KERNEL).T)
    return kernels.reshape(-1, o, c)


class Tiles:
    """The windows of an input (N, C, H, W), transformed a piece at a time, and what is made of them.

    With `kernels` (24, C, made) the result of the convolution (N, made, *out); with `slopes`, of that result's shape,
    the sums over all tiles of the windows times the transformed slopes.
    """

    def __init__(
        self,
        x: np.ndarray,
        made: int,
        out: Sizes,
        pads: Pads,
        kernels: np.ndarray | None = None,
        slopes: np.ndarray | None = None,
    ):
        self.lines, self.kernels, self.slopes = _lines(out, pads), kernels, slopes
        self.window, _, self.back = transforms()
        self.job = Job(x, self.lines, min(BLOCK, SUMMED * len(self.window) * x.shape[1] * x.itemsize))
        self.result = np.empty((len(x), made if kernels is not None else 0, *out), x.dtype)
        # A sum for each of a fixed number of shares, whatever the number of threads: the result is always the same.
        pieces = len(self.job.pieces)
        self.shares = pieces if slopes is None else min(SHARES, pieces)
        self.sums = np.empty((0 if slopes is None else self.shares, len(self.window), x.shape[1], made), x.dtype)
        self.doubtful: list[Piece] = []

    def compute(self, again: Again | None = None) -> None:
        """Goes through all pieces; `again` computes samples that are not finite."""

        def work(start: int, stop: int) -> None:
            frame = None
            for share in range(start, stop):
                for i, piece in enumerate(self.job.pieces[share :: self.shares]):
                    seen, frame = _windows(self.job, piece, frame, self.window)
                    if self.kernels is not None:
                        self._write(seen, self.kernels, piece, again is not None)
                    if self.slopes is not None:
                        self._add(seen, self.slopes, piece, share, i > 0)

        with np.errstate(invalid="ignore", over="ignore"):
            parallel_for_products(work, self.shares)
        if again:
            repair(self.result, self.doubtful, again)

    def _write(self, seen: np.ndarray, kernels: np.ndarray, piece: Piece, doubting: bool) -> None:
        found = self.back.dot(np.matmul(seen, kernels).reshape(len(self.window), -1))
        if doubting and not np.isfinite(found).all():
            self.doubtful.append(piece)
        part = _channels_last(self.result, piece)
        image, tiles = _image(part, self.lines)
        tiles[...] = found.reshape(tiles.shape)
        part[...] = image[:, : part.shape[1], : part.shape[2]]

    def _add(self, seen: np.ndarray, slopes: np.ndarray, piece: Piece, share: int, more: bool) -> None:
        part = _channels_last(slopes, piece)
        image, tiles = _image(part, self.lines)
        h, w = part.shape[1:3]
        image[:, :h, :w], image[:, h:], image[:, :h, w:] = apart(part), 0, 0
        own = self.back.T.dot(tiles.reshape(len(self.back), -1)).reshape(len(self.window), -1, part.shape[3])
        if more:
            self.sums[share] += np.matmul(seen.swapaxes(1, 2), own)
        else:
            np.matmul(seen.swapaxes(1, 2), own, out=self.sums[share])

    def weight(self) -> np.ndarray:
        """The gradient of the weight that was turned round: (C, made, 3, 3) as it is before it is turned."""
        channels, made = self.sums.shape[2:]
        turned = np.ascontiguousarray(transforms()[1][:, ::-1])
        found: np.ndarray = product(np.add.reduce(self.sums, axis=0).reshape(len(self.window), -1).T, turned)
        return found.reshape(channels, made, KERNEL, KERNEL)


def _channels_last(array: np.ndarray, piece: Piece) -> np.ndarray:
    """The places of a piece: a view (n, height, width, channels) of (N, channels, H, W)."""
    n0, n1, r0, r1 = piece
    return array[n0:n1, :, r0 * TILE[0] : r1 * TILE[0]].transpose(0, 2, 3, 1)


def _image(part: np.ndarray, lines: tuple[Line, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Memory for the whole tiles of a part, with channels last, and a view (8, n, tiles down, tiles across, channels).

    Between the order of tiles and that of images lies this copy: in one step the runs of memory would be too short.
    """
    n, height, _, channels = part.shape
    down, across = -(-height // TILE[0]), lines[1].number
    image = np.empty((n, down * TILE[0], across * TILE[1], channels), part.dtype)
    tiles = image.reshape(n, down, TILE[0], across, TILE[1], channels)
    return image, tiles.transpose(2, 4, 0, 1, 3, 5)
