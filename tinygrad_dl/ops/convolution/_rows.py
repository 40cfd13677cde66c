"""Convolution by rows: channels last, where the patch that a kernel sees is a few long runs of memory.

The result is computed in strips of `t` neighbouring places at once. The window that such a strip sees is a row of a
matrix, and the kernel, written once for each place of the strip, is the other matrix. With strips the products
have more arithmetic than needed (zeros of the second matrix) and fewer copies; and with few channels they reach the
speed that the BLAS has for wide matrices only.

A transposed convolution is of the same kind: a strip of the result that begins at a multiple of the stride sees a
fixed window, and so is a product with a matrix made of the kernel. `Line` says for one dimension how windows
and strips lie; all else is the same for both.
"""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.backends.threads import parallel_for_products
from tinygrad_dl.ops.convolution._columns import LARGEST
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes, spatial

SHARES = 4  # into which a weight's gradient is summed
SMALL = 2**18  # bytes of rows, below which a second thread is not worth waking
BLOCK = 2**20  # bytes of rows that are made at a time: they stay in the cache until the product has read them
CROWD, GAP = 2**17, 16  # bytes over which channels lie whole KiB apart, and elements that keep them from it


class Line(NamedTuple):
    """Windows and strips along one dimension."""

    window: int  # how many places of the input a strip sees
    apart: int  # from one of them to the next
    step: int  # from the window of one strip to that of the next
    strip: int  # how many places of the result a strip has
    number: int  # how many strips
    before: int  # where the first window begins, before the input's first place
    places: tuple[tuple[int, ...], ...]  # for each place of the window and the strip: which of the kernel's, or -1


def forward_line(size: int, out: int, kernel: int, stride: int, before: int, dilation: int, t: int) -> Line:
    """A convolution along one dimension, from `size` places to `out`."""
    if dilation > 1:
        return Line(kernel, dilation, stride, 1, out, before, tuple([(i,) for i in range(kernel)]))
    first, last = _seen(-before, (t - 1) * stride + kernel - 1 - before, size, t >= out)
    places = [
        [v + before - r * stride if 0 <= v + before - r * stride < kernel else -1 for r in range(t)]
        for v in range(first, last + 1)
    ]
    return Line(last - first + 1, 1, t * stride, t, -(-out // t), -first, tuple([tuple(row) for row in places]))


def _seen(first: int, last: int, size: int, alone: bool) -> tuple[int, int]:
    """The window's ends; one that is alone need not reach over the padding."""
    if not alone or last < 0 or first >= size:
        return first, last
    return max(first, 0), min(last, size - 1)


def backward_line(size: int, out: int, kernel: int, stride: int, before: int, t: int) -> Line:
    """A transposed convolution along one dimension, from `size` places to `out`, without dilation."""
    strip = stride * t
    first, last = _seen(-((kernel - 1 - before) // stride), (strip - 1 + before) // stride, size, strip >= out)
    places = [
        [r + before - v * stride if 0 <= r + before - v * stride < kernel else -1 for r in range(strip)]
        for v in range(first, last + 1)
    ]
    return Line(last - first + 1, 1, t, strip, -(-out // strip), -first, tuple([tuple(row) for row in places]))


Lines = tuple[Line, ...]


@functools.lru_cache(maxsize=256)
def forward_lines(size: Sizes, out: Sizes, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, t: int) -> Lines:
    """All dimensions of a convolution; strips run along the last."""
    along = [1] * (len(out) - 1) + [t]
    each = zip(size, out, kernel, stride, pads, dilation, along, strict=True)
    return tuple([forward_line(m, n, k, s, a, d, own) for m, n, k, s, (a, _), d, own in each])


@functools.lru_cache(maxsize=256)
def backward_lines(size: Sizes, out: Sizes, kernel: Sizes, stride: Sizes, pads: Pads, t: int) -> Lines:
    """All dimensions of a transposed convolution."""
    along = [1] * (len(out) - 1) + [t]
    each = zip(size, out, kernel, stride, pads, along, strict=True)
    return tuple([backward_line(m, n, k, s, a, own) for m, n, k, s, (a, _), own in each])


@functools.lru_cache(maxsize=256)
def matrix_places(lines: Lines, kernel: Sizes) -> tuple[np.ndarray, np.ndarray]:
    """(*windows, *strips) flattened: which place of the kernel stands there, the number of places for none; and
    for each place of the kernel, where it stands (filled up with one index too high)."""
    total = math.prod(kernel)
    found = np.zeros((1, 1), np.intp)
    missing = np.zeros((1, 1), bool)
    for line, size in zip(lines, kernel, strict=True):
        own = np.array(line.places)
        joined = found[:, None, :, None] * size + own[None, :, None, :]
        gone = missing[:, None, :, None] | (own < 0)[None, :, None, :]
        shape = (found.shape[0] * own.shape[0], found.shape[1] * own.shape[1])
        found, missing = joined.reshape(shape), gone.reshape(shape)
    forward = np.where(missing, total, found)
    flat = forward.reshape(-1)
    stands = [np.flatnonzero(flat == place) for place in range(total)]
    back = np.full((total, max(len(each) for each in stands)), len(flat), np.intp)
    for place, each in enumerate(stands):
        back[place, : len(each)] = each
    return forward, back


def in_order(lines: Lines) -> bool:
    """Whether the matrix is the kernel as it is: no strips, and the places in their order."""
    return all(line.strip == 1 and line.places == tuple([(i,) for i in range(line.window)]) for line in lines)


def make_matrix(weight: np.ndarray, lines: Lines, kernel: Sizes) -> np.ndarray:
    """(places, in, out) as the matrix (windows * in, strips * out)."""
    forward, _ = matrix_places(lines, kernel)
    _, c, o = weight.shape
    if in_order(lines):
        return np.ascontiguousarray(weight).reshape(len(weight) * c, o)
    wide = np.zeros((len(weight) + 1, c, o), weight.dtype)
    wide[:-1] = weight
    windows, strips = forward.shape
    matrix = np.empty((windows, c, strips, o), weight.dtype)
    matrix[...] = wide.take(forward, axis=0).transpose(0, 2, 1, 3)
    return matrix.reshape(windows * c, strips * o)


def fold_matrix(matrix: np.ndarray, lines: Lines, kernel: Sizes, c: int, o: int) -> np.ndarray:
    """The transpose of `make_matrix`: the sums over all places where an element of the kernel stands."""
    forward, back = matrix_places(lines, kernel)
    windows, strips = forward.shape
    if in_order(lines):
        return matrix.reshape(windows, c, o)
    each = np.zeros((windows * strips + 1, c, o), matrix.dtype)  # the last: for places that stand nowhere else
    each[:-1].reshape(windows, strips, c, o)[...] = matrix.reshape(windows, c, strips, o).transpose(0, 2, 1, 3)
    total: np.ndarray = np.add.reduce(each.take(back, axis=0), axis=1)
    return total


def apart(images: np.ndarray) -> np.ndarray:
    """(N, *size, channels), made of (N, channels, *size): the same, where channels do not lie whole KiB apart.

    Of such addresses the cache holds only a few at a time, so that each line would be fetched for each of its elements.
    """
    n, *size, channels = images.shape
    step = images.strides[-1]
    if step % 1024 or channels * step < CROWD:
        return images
    memory = np.empty((n, channels, math.prod(size) + GAP), images.dtype)
    copy = np.moveaxis(memory[..., :-GAP].reshape(n, channels, *size), 1, -1)
    copy[...] = images
    return copy


Piece = tuple[int, int, int, int]  # samples from, to; strips along the first dimension from, to


class Frame(NamedTuple):
    """A part of the input with channels last and its padding: filled again for each piece of the same kind."""

    fits: tuple[int, int, int]  # how many samples, strips from, to
    inner: np.ndarray  # where the input goes
    taken: Any  # and which part of it
    seen: np.ndarray  # the windows, as a view (N, *numbers, *window, channels)
    rows: int  # how many windows


class Job:
    """Pieces of the work on an array (N, C, *size): blocks of samples, or of strips' rows where a sample is large."""

    def __init__(self, x: np.ndarray, lines: Lines, block: int):
        self.lines = lines
        self.moved = np.moveaxis(x, 1, -1)
        self.channels = x.shape[1]
        self.width = math.prod([line.window for line in lines]) * self.channels  # of a row of the matrix
        self.behind = math.prod([line.number for line in lines[1:]])
        row_bytes = max(1, self.width * self.behind * x.itemsize)
        limit = min(max(block, row_bytes), LARGEST)
        rows = lines[0].number
        least = 2 if len(x) * rows * row_bytes >= SMALL else 1  # something for a second thread
        if rows * row_bytes <= limit and len(x) >= least:
            number = max(1, -(-len(x) // max(1, limit // max(1, rows * row_bytes))))
            number += number % least
            step = -(-len(x) // number)
            self.pieces = [(a, min(a + step, len(x)), 0, rows) for a in range(0, len(x), step)]
        else:
            step = max(1, min(limit // row_bytes, -(-rows // least)))
            starts = range(0, rows, step)
            self.pieces = [(n, n + 1, a, min(a + step, rows)) for n, a in itertools.product(range(len(x)), starts)]

    def rows(self, piece: Piece, frame: Frame | None) -> tuple[np.ndarray, Frame]:
        """The matrix of a piece, and the frame that it was taken from, to be used again."""
        frame = self.fill(piece, frame)
        return frame.seen.reshape(frame.rows, self.width), frame

    def fill(self, piece: Piece, frame: Frame | None) -> Frame:
        """A frame that shows the piece."""
        n0, n1, r0, r1 = piece
        if frame is None or frame.fits != (n1 - n0, r0, r1):
            frame = self._frame(n1 - n0, r0, r1)
        frame.inner[...] = apart(self.moved[n0:n1][frame.taken])
        return frame

    def _frame(self, n: int, r0: int, r1: int) -> Frame:
        """Memory for n samples' strips r0 to r1, with the padding in it, and views of it."""
        lines = self.lines
        begins = [r0 * lines[0].step - lines[0].before, *[-line.before for line in lines[1:]]]
        numbers = [r1 - r0, *[line.number for line in lines[1:]]]
        extents = [
            (number - 1) * line.step + (line.window - 1) * line.apart + 1
            for number, line in zip(numbers, lines, strict=True)
        ]
        inside, taken = [], []
        for begin, extent, size in zip(begins, extents, self.moved.shape[1:-1], strict=True):
            low = max(begin, 0)
            high = max(min(begin + extent, size), low)
            inside.append(slice(low - begin, high - begin))
            taken.append(slice(low, high))
        wide = np.zeros((n, *extents, self.channels), self.moved.dtype)
        steps = wide.strides[1:-1]
        shape = (n, *numbers, *[line.window for line in lines], self.channels)
        strides = (
            wide.strides[0],
            *[line.step * step for line, step in zip(lines, steps, strict=True)],
            *[line.apart * step for line, step in zip(lines, steps, strict=True)],
            wide.strides[-1],
        )
        seen: np.ndarray = np.ndarray(shape, wide.dtype, wide, 0, strides)
        everything = slice(None)
        return Frame((n, r0, r1), wide[(everything, *inside)], (everything, *taken), seen, n * math.prod(numbers))


def tiles_of(array: np.ndarray, lines: Lines) -> np.ndarray:
    """(N, channels, *size) by strips: a view (N, *numbers, *strips, channels); grown by zeros where it has to be."""
    full = tuple([line.number * line.strip for line in lines])
    if array.shape[2:] != full:
        grown = np.zeros((*array.shape[:2], *full), array.dtype)
        grown[spatial(*[slice(0, n) for n in array.shape[2:]])] = array
        array = grown
    parts = np.ascontiguousarray(array).reshape(
        *array.shape[:2], *itertools.chain.from_iterable((line.number, line.strip) for line in lines)
    )
    k = len(lines)
    return parts.transpose(0, *range(2, 2 + 2 * k, 2), *range(3, 3 + 2 * k, 2), 1)


Again = Callable[[np.ndarray], np.ndarray]  # from samples' numbers to their results by columns


def repair(result: np.ndarray, pieces: list[Piece], again: Again) -> None:
    """Computes the samples of these pieces once more.

    A way that multiplies what one place of the result sees by zeros that stand for another spreads infinities and
    nans, as 0 * inf is nan. All channels and places of a strip get them, so it is enough to look at one of each.
    """
    if pieces:
        samples = np.unique(np.concatenate([np.arange(start, stop) for start, stop, *_ in pieces]))
        result[samples] = again(samples)


def apply(
    x: np.ndarray, weight: np.ndarray, lines: Lines, kernel: Sizes, out: Sizes, again: Again | None = None
) -> np.ndarray:
    """(N, in, *size) with (places, in, out channels) gives (N, out channels, *out).

    Where there may be zeros between the kernel's elements, `again` computes what is not finite.
    """
    (result,), doubtful = apply_sums([[(x, weight)]], lines, kernel, out, again is not None)
    if again:
        repair(result, doubtful, again)
    return result


def apply_sums(
    sums: list[list[tuple[np.ndarray, np.ndarray]]], lines: Lines, kernel: Sizes, out: Sizes, doubting: bool
) -> tuple[list[np.ndarray], list[Piece]]:
    """`apply` of pairs of an input and a weight, each result the sum over its pairs, and the pieces to be doubted.

    An input that several pairs share is made rows of once.
    """
    inputs = {id(x): x for pairs in sums for x, _ in pairs}
    jobs = {key: Job(x, lines, BLOCK) for key, x in inputs.items()}
    first = sums[0][0]
    pieces, shape = jobs[id(first[0])].pieces, (len(first[0]), first[1].shape[2])
    full = tuple([line.number * line.strip for line in lines])
    results = [np.empty((*shape, *full), first[0].dtype) for _ in sums]
    parts = [tiles_of(result, lines) for result in results]
    matrices = [[(id(x), make_matrix(weight, lines, kernel)) for x, weight in pairs] for pairs in sums]
    doubtful: list[Piece] = []

    def work(start: int, stop: int) -> None:
        frame = None
        for piece in pieces[start:stop]:
            n0, n1, r0, r1 = piece
            found: list[Any] = [None] * len(sums)
            for key, job in jobs.items():
                rows, frame = job.rows(piece, frame)
                for i, pairs in enumerate(matrices):
                    for own, matrix in pairs:
                        if own == key:
                            part = rows.dot(matrix)
                            found[i] = part if found[i] is None else np.add(found[i], part, out=part)
            if doubting and not all(np.isfinite(each[:, 0]).all() for each in found):
                doubtful.append(piece)
            for each, tiles in zip(found, parts, strict=True):
                target = tiles[n0:n1, r0:r1]
                target[...] = each.reshape(target.shape)

    with np.errstate(invalid="ignore", over="ignore"):
        parallel_for_products(work, len(pieces))
    if full != out:
        results = [np.ascontiguousarray(each[spatial(*[slice(0, n) for n in out])]) for each in results]
    return results, doubtful


def apply_weight(x: np.ndarray, g: np.ndarray, lines: Lines, kernel: Sizes) -> np.ndarray:
    """(N, in, *size) with (N, out channels, *out) gives (places, in, out channels): the gradient of the kernel."""
    job = Job(x, lines, BLOCK)
    o = g.shape[1]
    parts = tiles_of(g, lines)
    strips = math.prod([line.strip for line in lines])
    # A sum for each of a fixed number of shares, whatever the number of threads, so that the result is always the same.
    shares = min(SHARES, len(job.pieces))
    sums = np.zeros((shares, job.width, strips * o), x.dtype)

    def work(start: int, stop: int) -> None:
        frame = None
        for share in range(start, stop):
            for piece in job.pieces[share::shares]:
                rows, frame = job.rows(piece, frame)
                n0, n1, r0, r1 = piece
                slopes = apart(parts[n0:n1, r0:r1]).reshape(len(rows), strips * o)
                sums[share] += rows.T.dot(slopes)

    parallel_for_products(work, shares)
    return fold_matrix(np.add.reduce(sums, axis=0), lines, kernel, x.shape[1], o)
