"""Convolution of batches of small images by lines, samples last: a line of all samples is one run of memory.

The columns are (lines, places of the kernel along a line, channels, places of the result along a line * samples). What
a line of the result sees are lines that follow one another, so that is a matrix as it lies: only the places along a
line are copied, not those across, and yet each line of the result is one product, with nothing to be added up. A stride
across lines is one between these matrices, a stride along lines one between runs. Lines of padding are not there.

Without stride there is a second way, which multiplies by no padding at all (`spread`): the products give for each place
of the kernel along a line what belongs there, and these few terms are added up, moved by a place each.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tinygrad_dl.backends.threads import parallel_for_products
from tinygrad_dl.backends.transposing import copy_transposed
from tinygrad_dl.ops.convolution._geometry import Geometry
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes

SHARES = 4  # into which a weight's gradient is summed
BLOCK = 2**20  # bytes of columns or terms that are made at a time
WORTH = 2**22  # multiplications that are worth a thread
MANY, SOME, FEW = 16, 8, 10  # samples, from which on this is a fast way; with groups; in a piece, by a stride
LARGE = 25  # places of a kernel, from which on larger images and strides do not matter
LEAST, NARROW, MOST = 6, 16, 32  # channels: below, the result is most of the work; the others come nearer; are better
TINY, SHORT, WIDE = 8, 12, 32  # places of a line of the result, up to which it is
RUN = 100  # elements of a run of memory


def fits(of: Geometry) -> bool:
    """Whether this is the way to compute a convolution: of two dimensions, of many samples and few channels each."""
    if (
        len(of.kernel) != 2
        or of.samples < (SOME if of.groups > 1 else MANY)
        or of.dtype.char not in "fd"
        or math.prod(of.kernel) == 1
    ):
        return False
    if of.dtype.char not in "fd" or max(of.dilation) > 1 or min(map(min, of.pads)) < 0:
        return False
    if not min(of.channels, of.made) or not math.prod(of.out):
        return False
    least = of.least
    if of.groups > 1:
        if max(of.stride) > 1:
            return of.samples >= MANY and of.out[1] <= TINY and least <= MOST
        return least <= 4 or (of.out[1] <= SHORT and least <= MOST)
    if math.prod(of.kernel) < LARGE:
        small = of.channels >= LEAST and max(of.stride) == 1 and of.out[1] <= (WIDE if least < NARROW else SHORT)
    elif of.channels < LEAST:
        small = of.made <= NARROW and of.out[1] <= WIDE
    else:
        small = of.out[1] <= (WIDE if max(of.stride) == 1 else SHORT)
    if not small or least > MOST or (max(of.stride) > 1 and least >= NARROW):
        return False
    high = (of.out[0] - 1) * of.stride[0] + of.kernel[0] - sum(of.pads[0])
    start, stop, *_ = pieces_of(of.samples, high * of.kernel[1] * of.channels * of.out[1] * of.dtype.itemsize, 1)[0]
    if max(of.stride) > 1:
        return stop - start >= FEW
    return stop - start > 1 and (stop - start) * of.out[1] >= RUN


class Run(NamedTuple):
    """Lines of the result that see as many lines of the input, at the same places of the kernel."""

    first: int
    last: int
    low: int  # places of the kernel from, to
    high: int
    seen: int  # the input's line that the first one sees first


@functools.lru_cache(maxsize=256)
def runs_of(count: int, size: int, kernel: int, stride: int, before: int) -> list[Run]:
    """The lines of a result of `count`, from `size` lines after `before` of padding, but for those that see none."""
    lines = []
    for line in range(count):
        begin = line * stride - before
        low, high = max(0, -begin), min(kernel, size - begin)
        if low < high:
            lines.append((line, low, high, begin + low))
    found = []
    for (low, high), alike in itertools.groupby(lines, lambda each: each[1:3]):
        own = list(alike)
        found.append(Run(own[0][0], own[-1][0] + 1, low, high, own[0][3]))
    return found


Piece = tuple[int, int, int, int]  # samples from, to; groups from, to


def pieces_of(samples: int, sample_bytes: int, groups: int) -> list[Piece]:
    """What is worked on at a time: some groups of all samples, or one group of some.

    There is an even number of pieces, so that two threads have as much to do.
    """
    number = -(-samples // max(1, BLOCK // max(1, sample_bytes)))
    number = min(samples * groups, number + number % 2)
    across = min(groups, number)
    along = min(samples, -(-number // across)) if number else 0
    bounds = [[n * i // parts for i in range(parts + 1)] for n, parts in ((samples, along), (groups, across)) if parts]
    return [(*own, *others) for own, others in itertools.product(*map(itertools.pairwise, bounds))] if number else []


def over_pieces(work: Callable[[Piece], None], pieces: list[Piece], multiplications: int) -> None:
    """Calls `work` for all pieces, which threads share out."""

    def share(first: int, last: int) -> None:
        for piece in pieces[first:last]:
            work(piece)

    parallel_for_products(share, len(pieces), grain(len(pieces), multiplications))


def part_of(x: np.ndarray, piece: Piece, groups: int) -> np.ndarray:
    """The samples and the groups' channels of (N, C, ...) that belong to a piece."""
    start, stop, first, last = piece
    each = x.shape[1] // groups
    return x[start:stop, first * each : last * each]


def grain(count: int, multiplications: int) -> int:
    """How many of `count` parts of the work are worth a thread."""
    return max(1, -(-count * WORTH // max(1, multiplications)))


def samples_last(x: np.ndarray) -> np.ndarray:
    """(n, C, H, W) as (C, H, W, n)."""
    flat = np.empty((math.prod(x.shape[1:]), len(x)), x.dtype)
    copy_transposed(x.reshape(len(x), len(flat)), flat)
    return flat.reshape(*x.shape[1:], len(x))


def samples_first(x: np.ndarray, out: np.ndarray) -> None:
    """Copies an array in one piece whose samples are last to (n, C, H, W)."""
    copy_transposed(x.reshape(x.size // len(out), len(out)), out.reshape(len(out), x.size // len(out)))


def seen_by(columns: np.ndarray, run: Run, stride: int) -> np.ndarray:
    """(groups, H, rows, width), in one piece, as what the lines of a run see: (groups, lines, rows of all, width)."""
    groups, high, rows, width = columns.shape
    shape = groups, run.last - run.first, (run.high - run.low) * rows, width
    row = width * columns.itemsize
    strides = high * rows * row, stride * rows * row, row, columns.itemsize
    seen: np.ndarray = np.ndarray(shape, columns.dtype, columns, run.seen * rows * row, strides)
    return seen


class Job:
    """The columns of an input (N, C, H, W), for a result of sizes `out`."""

    def __init__(self, x: np.ndarray, out: Sizes, kernel: Sizes, stride: Sizes, pads: Pads, groups: int):
        self.x, self.out, self.kernel, self.stride, self.groups = x, out, kernel, stride, groups
        self.channels, self.sides = x.shape[1] // groups, pads[1]
        self.rows = kernel[1] * self.channels  # that belong to a line
        self.runs = runs_of(out[0], x.shape[2], kernel[0], stride[0], pads[0][0])
        self.pieces = pieces_of(len(x), x.shape[2] * kernel[1] * x.shape[1] * out[1] * x.itemsize, groups)

    def columns(self, piece: Piece) -> np.ndarray:
        """(groups, H, rows, places of a line * samples)."""
        x, groups = samples_last(part_of(self.x, piece, self.groups)), piece[3] - piece[2]
        left, right = self.sides
        if left or right:
            c, high, width, n = x.shape
            wide = np.zeros((c, high, left + width + right, n), x.dtype)
            wide[:, :, left : left + width] = x
            x = wide
        high, n = x.shape[1], x.shape[3]
        channel, line, place, each = x.strides
        shape = groups, high, self.kernel[1], self.channels, self.out[1], n
        strides = self.channels * channel, line, place, channel, self.stride[1] * place, each
        seen: np.ndarray = np.ndarray(shape, x.dtype, x, 0, strides)
        return np.ascontiguousarray(seen).reshape(groups, high, self.rows, self.out[1] * n)

    def matrix(self, weight: np.ndarray) -> np.ndarray:
        """(O, C / groups, *kernel) as (groups, 1, O / groups, rows of all lines)."""
        parted = weight.reshape(self.groups, len(weight) // self.groups, *weight.shape[1:]).transpose(0, 1, 3, 4, 2)
        return np.ascontiguousarray(parted).reshape(self.groups, 1, len(weight) // self.groups, -1)

    def multiply(self, columns: np.ndarray, matrix: np.ndarray, piece: Piece, result: np.ndarray) -> None:
        """Writes the products for a piece to (N, O, *out)."""
        matrix = matrix[piece[2] : piece[3]]
        lines = np.empty if sum(run.last - run.first for run in self.runs) == self.out[0] else np.zeros
        found = lines((len(matrix), matrix.shape[2], self.out[0], columns.shape[3]), columns.dtype)
        target = found.swapaxes(1, 2)
        for run in self.runs:
            part = matrix[..., run.low * self.rows : run.high * self.rows]
            np.matmul(part, seen_by(columns, run, self.stride[0]), out=target[:, run.first : run.last])
        samples_first(found, part_of(result, piece, self.groups))

    def add(self, columns: np.ndarray, g: np.ndarray, piece: Piece, sums: np.ndarray) -> None:
        """Adds to (groups, rows of all lines, O / groups) the products of a piece with the slopes (N, O, *out)."""
        total = sums[piece[2] : piece[3]]
        slopes = samples_last(part_of(g, piece, self.groups))
        slopes = slopes.reshape(len(total), total.shape[2], self.out[0], columns.shape[3]).transpose(0, 2, 3, 1)
        for run in self.runs:
            products = np.matmul(seen_by(columns, run, self.stride[0]), slopes[:, run.first : run.last])
            total[:, run.low * self.rows : run.high * self.rows] += np.add.reduce(products, axis=1)

    def weight(self, total: np.ndarray) -> np.ndarray:
        """Back from (groups, rows of all lines, O / groups) to (O, C / groups, *kernel)."""
        groups, _, made = total.shape
        parted = total.reshape(groups, *self.kernel, self.channels, made).transpose(0, 4, 3, 1, 2)
        return np.ascontiguousarray(parted).reshape(groups * made, self.channels, *self.kernel)

    def work(self, made: int) -> int:
        """Multiplications, if there are products for so many channels."""
        multiplications: int = len(self.x) * math.prod(self.out) * self.kernel[0] * self.rows * made
        return multiplications


def convolve(x: np.ndarray, weight: np.ndarray, out: Sizes, stride: Sizes, pads: Pads, groups: int) -> np.ndarray:
    """(N, C, H, W) with (O, C / groups, *kernel) gives (N, O, *out)."""
    job = Job(x, out, weight.shape[2:], stride, pads, groups)
    matrix = job.matrix(weight)
    result = np.empty((len(x), len(weight), *out), x.dtype)

    def work(piece: Piece) -> None:
        job.multiply(job.columns(piece), matrix, piece, result)

    over_pieces(work, job.pieces, job.work(len(weight)))
    return result


class Spread:
    """A convolution without stride of (N, C, H, W), as terms for each place of the kernel along a line."""

    def __init__(self, x: np.ndarray, weight: np.ndarray, out: Sizes, pads: Pads, groups: int):
        (made, self.channels, tall, self.wide), (n, _, high, width) = weight.shape, x.shape
        self.x, self.out, self.left, self.groups, self.made = x, out, pads[1][0], groups, made // groups
        self.runs = runs_of(out[0], high, tall, 1, pads[0][0])
        parted = weight.reshape(groups, self.made, self.channels, tall, self.wide).transpose(0, 4, 1, 3, 2)
        self.matrix = np.ascontiguousarray(parted).reshape(groups, 1, self.wide * self.made, tall * self.channels)
        self.result = np.empty((n, made, *out), x.dtype)
        self.pieces = pieces_of(n, self.wide * made * out[0] * width * x.itemsize, groups)
        self.work: int = n * out[0] * width * self.matrix.size

    def write(self, piece: Piece) -> None:
        """The result for a piece."""
        x, groups = part_of(self.x, piece, self.groups), piece[3] - piece[2]
        (n, _, high, width), matrix = x.shape, self.matrix[piece[2] : piece[3]]
        lines = samples_last(x).reshape(groups, self.channels, high, width * n)
        lines = np.ascontiguousarray(lines.swapaxes(1, 2))
        terms = np.empty((groups, self.wide, self.made, self.out[0], width, n), x.dtype)
        target = terms.reshape(groups, self.wide * self.made, self.out[0], width * n).swapaxes(1, 2)
        for run in self.runs:
            part = matrix[..., run.low * self.channels : run.high * self.channels]
            np.matmul(part, seen_by(lines, run, 1), out=target[:, run.first : run.last])
        total = np.zeros((groups, self.made, *self.out, n), x.dtype)
        reached = slice(self.runs[0].first, self.runs[-1].last) if self.runs else slice(0)
        for place in range(self.wide):
            to, of = max(0, self.left - place), max(0, place - self.left)
            length = min(self.out[1] - to, width - of)
            if length > 0:
                total[:, :, reached, to : to + length] += terms[:, place, :, reached, of : of + length]
        samples_first(total, part_of(self.result, piece, self.groups))


def spread(x: np.ndarray, weight: np.ndarray, out: Sizes, pads: Pads, groups: int) -> np.ndarray:
    """`convolve` without stride, by terms that are added up."""
    job = Spread(x, weight, out, pads, groups)
    over_pieces(job.write, job.pieces, job.work)
    return job.result


def convolve_weight(x: np.ndarray, g: np.ndarray, kernel: Sizes, stride: Sizes, pads: Pads, groups: int) -> np.ndarray:
    """(N, C, H, W) with (N, O, *out) gives (O, C / groups, *kernel): the gradient of the weight."""
    return _by_shares(Job(x, g.shape[2:], kernel, stride, pads, groups), g)


def gradients(
    x: np.ndarray, g: np.ndarray, weight: np.ndarray, stride: Sizes, pads: Pads, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """`convolve(x, weight)` and `convolve_weight(x, g)`, by the same columns of x; g is of the result's shape."""
    job = Job(x, g.shape[2:], weight.shape[2:], stride, pads, groups)
    matrix, result = job.matrix(weight), np.empty(g.shape, x.dtype)

    def beside(columns: np.ndarray, piece: Piece) -> None:
        job.multiply(columns, matrix, piece, result)

    return result, _by_shares(job, g, beside, job.work(g.shape[1]))


def spread_gradients(
    x: np.ndarray, g: np.ndarray, turned: np.ndarray, pads: Pads, around: Pads, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """`spread(g, turned)` with the padding `around`, and `convolve_weight(x, g)` without stride, as one job."""
    job = Job(x, g.shape[2:], turned.shape[2:], (1, 1), pads, groups)
    back = Spread(g, turned, x.shape[2:], around, groups)
    found = _by_shares(job, g, lambda _, piece: back.write(piece), back.work)
    return back.result, found


def _by_shares(
    job: Job, g: np.ndarray, beside: Callable[[np.ndarray, Piece], None] | None = None, work: int = 0
) -> np.ndarray:
    """The gradient of a weight: a sum for each of a fixed number of shares, the same for any number of threads.

    `beside` gets the columns of each piece, too; it takes `work` multiplications in all.
    """
    shares, made = min(SHARES, len(job.pieces)), g.shape[1] // job.groups
    sums = np.zeros((shares, job.groups, job.kernel[0] * job.rows, made), g.dtype)

    def each(first: int, last: int) -> None:
        for share in range(first, last):
            for piece in job.pieces[share::shares]:
                columns = job.columns(piece)
                job.add(columns, g, piece, sums[share])
                if beside:
                    beside(columns, piece)

    parallel_for_products(each, shares, grain(shares, job.work(g.shape[1]) + work))
    return job.weight(np.add.reduce(sums, axis=0))
