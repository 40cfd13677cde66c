"""Convolution by columns: what the kernel sees at each place becomes a column, and the convolution a matrix product.

The columns are made of all dimensions but the first: of an image they are (kw * C, H, W), a third of what a kernel of
3 x 3 sees in all. Each place of the kernel along the first dimension then sees the same columns some lines further
down, so it has a product of its own, on a view of them, and the products are added up.

Columns repeat each element for each place of the kernel that reaches it, so they are made for a block of the result at
a time, which stays in the cache until the products have read it.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.backends.threads import parallel_for_products
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes, spatial

SHARES = 4  # into which a weight's gradient is summed
# Bytes of columns that are made at a time, if that is not less than one row of the result: more than the second cache
# holds, as threads that make many short calls wait for the interpreter again and again, up to 50 us each time.
BLOCK = 2**21
LARGEST = 64 * 2**20  # bytes that a block never takes: where one row of the result would, channels are halved before
SMALL = 2**18  # bytes of columns that are not shared out
RUN = 32  # places of a line, up to which a copy of many lines as one run is the faster one
COPY = 16  # multiplications that take as long as a copy of an element
FEW = 24  # rows of a product, below which it is slow
WORTH = 2**23  # multiplications that are worth a thread


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


Piece = tuple[int, int, int, int]  # samples from, to; lines of the result from, to


def blocks(count: int, rows: int, row_bytes: int) -> Iterator[Piece]:
    """Samples and lines of the result whose columns fit in a block: whole samples, or some lines of one.

    There is an even number of large ones, if possible, so that two threads have as much to do.
    """
    limit = min(max(BLOCK, row_bytes), LARGEST)
    sample = max(1, rows * row_bytes)
    if sample <= limit and count > 1:
        number = -(-count // max(1, limit // sample))
        step = -(-count // (number + number % 2 * (count * sample > SMALL)))
        for start in range(0, count, step):
            yield start, min(start + step, count), 0, rows
        return
    number = max(1, -(-rows // max(1, limit // max(1, row_bytes))))
    step = -(-rows // (number + (number * count) % 2))
    for n, start in itertools.product(range(count), range(0, rows, step)):
        yield n, n + 1, start, min(start + step, rows)


class Copy(NamedTuple):
    """What one place of the kernel along the last dimensions sees."""

    to: tuple[Any, ...]  # where it stands among the columns
    of: tuple[Any, ...]  # and in the input
    gaps: list[tuple[Any, ...]]  # where there are zeros in its place
    shift: int  # by how many places it is moved along the last dimension, where whole lines are; 0 for all else


def _seen(begin: int, count: int, step: int, size: int) -> tuple[slice, slice]:
    """For which of 0 to `count` the place begin + i * step is one of `size`, and these places."""
    low = min(max(0, -(begin // step)), count)
    high = max(low, min(count, (size - 1 - begin) // step + 1))
    first = begin + low * step
    return slice(low, high), slice(first, first + (high - low - 1) * step + 1, step) if high > low else slice(0, 0)


@functools.lru_cache(maxsize=256)
def _copies(
    size: Sizes, out: Sizes, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, rows: Sizes
) -> tuple[Sizes, list[Copy]]:
    """The shape (phases, lines, *places) of the columns for these rows of the result, and how they are filled.

    A stride along the first dimension parts the lines by phases, as each place of the kernel sees lines of one alone.
    """
    shape = stride[0], (kernel[0] - 1) * dilation[0] // stride[0] + rows[1] - rows[0], *out[1:]
    every = slice(None)
    found = []
    for phase, *place in itertools.product(range(stride[0]), *map(range, kernel[1:])):
        starts = [p * d - a for p, d, (a, _) in zip((0, *place), dilation, pads, strict=True)]
        starts[0] += rows[0] * stride[0] + phase
        to, of = zip(*map(_seen, starts, shape[1:], stride, size), strict=True)
        here = (every, every, *place, every, phase)
        gaps = []
        for dim, (own, n) in enumerate(zip(to, shape[1:], strict=True)):
            both = slice(0, own.start), slice(own.stop, n)
            gaps += [(*here, *(every,) * dim, gap) for gap in both if gap.start < gap.stop]
        short = len(out) == 2 and max(stride) == 1 and out[-1] == size[-1] <= RUN
        shift = starts[-1] if short and abs(starts[-1]) < out[-1] else 0
        if shift:
            edge = slice(-shift) if shift < 0 else slice(out[-1] - shift, None)
            to, of, gaps = (to[0], every), (of[0], every), [*gaps[: -1 if gaps else 0], (*here, to[0], edge)]
        found.append(Copy((*here, *to), (..., *of), gaps, shift))
    return shape, found


def copy_moved(to: np.ndarray, of: np.ndarray, shift: int) -> None:
    """Copies rows, moved by some places, as runs of memory; what would come from beyond them is left as it is."""
    if shift >= 0:
        to[..., : max(0, to.shape[-1] - shift)] = of[..., shift:]
    else:
        to[..., -shift:] = of[..., : max(0, of.shape[-1] + shift)]


def _lines(array: np.ndarray) -> np.ndarray:
    """(..., lines, places) with all of the lines in one."""
    return array.reshape(*array.shape[:-2], array.shape[-2] * array.shape[-1])


# For each product what it sees of the columns, (n, groups, height, places): an array, if a number of elements lies
# between what one sees and the next, as then all products of a weight's gradient are one call.
Parts = np.ndarray | list[np.ndarray]


class Frame(NamedTuple):
    """Memory for the columns of pieces of one kind, with the zeros of the padding in it."""

    kind: tuple[int, int, int]  # how many samples; lines of the result from, to
    columns: np.ndarray  # (n, groups, *kernel[1:], C / groups, phases, lines, *places)
    seen: Parts


class Columns:
    """The columns of an input (N, C, *in), for a piece of the result, of sizes `out`, at a time.

    `whole`: whether all places of the kernel are copied, for one product; by default where others had very few rows.
    """

    def __init__(
        self,
        x: np.ndarray,
        out: Sizes,
        kernel: Sizes,
        stride: Sizes,
        pads: Pads,
        dilation: Sizes,
        groups: int,
        whole: bool | None = None,
    ):
        self.groups, self.kernel, self.stride, self.dilation = groups, kernel, stride, dilation
        self.channels = x.shape[1] // groups
        self.behind = math.prod(out[1:])  # places of a line
        few = kernel[0] == 1 or self.channels * math.prod(kernel[1:]) < FEW
        self.whole = few if whole is None else whole
        self.height = self.channels * math.prod(kernel if self.whole else kernel[1:])  # of the columns of a group
        self.products = 1 if self.whole else kernel[0]
        # The columns of single places without padding are the input.
        self.plain = math.prod(kernel if self.whole else kernel[1:]) == max(stride) == 1 and not any(
            a or b for a, b in pads
        )
        self.x = np.ascontiguousarray(x) if self.plain else x
        self.options = x.shape[2:], out, kernel, stride, pads, dilation
        if self.whole and not self.plain:
            self.x = windows(padded(x, pads), kernel, stride, dilation, out)
        self.places = len(x) * math.prod(out)
        row_bytes = self.height * groups * self.behind * x.itemsize
        self.pieces = list(blocks(len(x), out[0], row_bytes)) if self.places else []

    def grain(self, made: int, count: int) -> int:
        """How many of `count` parts of the work are worth a thread, if the kernel makes so many channels."""
        work: int = self.places * (math.prod(self.kernel) * self.channels * made + self.height * self.groups * COPY)
        return max(1, -(-count * WORTH // max(1, work)))

    def fill(self, piece: Piece, frame: Frame | None) -> tuple[Parts, Frame | None]:
        """The columns of a piece, and the frame to be used again."""
        n0, n1, r0, r1 = piece
        n, rows, x = n1 - n0, r1 - r0, self.x[n0:n1]
        if self.plain:
            return self._seen(
                x.reshape(n, self.groups, self.height, 1, math.prod(x.shape[2:]))[..., r0 * self.behind :], rows
            ), None
        if self.whole:
            part = x[(slice(None),) * (2 + len(self.kernel)) + (slice(r0, r1),)]
            return [part.reshape(n, self.groups, self.height, rows * self.behind)], None
        shape, copies = _copies(*self.options, (r0, r1))
        if frame is None or frame.kind != (n, r0, r1):
            columns = np.empty((n, self.groups, *self.kernel[1:], self.channels, *shape), x.dtype)
            for copy in copies:
                for gap in copy.gaps:
                    columns[gap] = 0
            flat = columns.reshape(n, self.groups, self.height, shape[0], math.prod(shape[1:]))
            frame = Frame((n, r0, r1), columns, self._seen(flat, rows))
        parted = x.reshape(n, self.groups, self.channels, *x.shape[2:])
        for copy in copies:
            if copy.shift:
                copy_moved(_lines(frame.columns[copy.to]), _lines(parted[copy.of]), copy.shift)
                frame.columns[copy.gaps[-1]] = 0
            else:
                frame.columns[copy.to] = parted[copy.of]
        return frame.seen, frame

    def _seen(self, columns: np.ndarray, rows: int) -> Parts:
        """For each product what it sees of the columns (n, groups, height, phases, places)."""
        if self.stride[0] == 1 and columns.flags.c_contiguous:
            shape = self.products, *columns.shape[:3], rows * self.behind
            step = self.dilation[0] * self.behind * columns.itemsize
            strides = step, *columns.strides[:3], columns.itemsize
            seen: np.ndarray = np.ndarray(shape, columns.dtype, columns, 0, strides)
            return seen
        found = []
        for place in range(self.products):
            line, phase = divmod(place * self.dilation[0], self.stride[0])
            found.append(columns[..., phase, line * self.behind : (line + rows) * self.behind])
        return found

    def kernels(self, weight: np.ndarray) -> np.ndarray:
        """(O, C / groups, *kernel) as (products, groups, O / groups, height), in rows or columns that BLAS takes."""
        made, shape = len(weight) // self.groups, (self.products, self.groups)
        if self.whole:
            return np.ascontiguousarray(weight.reshape(*shape, made, self.height))
        parted = weight.reshape(self.groups, made, *weight.shape[1:])
        k = parted.ndim
        if abs(parted.strides[1]) < abs(parted.strides[2]):  # a kernel turned round: copied in its order in memory
            turned = np.ascontiguousarray(parted.transpose(3, 0, *range(4, k), 2, 1))
            return turned.reshape(*shape, self.height, made).swapaxes(2, 3)
        return np.ascontiguousarray(parted.transpose(3, 0, 1, *range(4, k), 2)).reshape(*shape, made, self.height)

    def weight(self, kernels: np.ndarray) -> np.ndarray:
        """Back from (products, groups, height, O / groups) to (O, C / groups, *kernel)."""
        _, groups, _, o = kernels.shape
        if self.whole:
            return kernels.swapaxes(2, 3).reshape(groups * o, self.channels, *self.kernel)
        parts = kernels.reshape(self.products, groups, *self.kernel[1:], self.channels, o)
        k = parts.ndim
        parts = parts.transpose(1, k - 1, k - 2, 0, *range(2, k - 2))
        return np.ascontiguousarray(parts).reshape(groups * o, self.channels, *self.kernel)


class Result:
    """The result of a convolution, or a term of it, to which the products of pieces are written."""

    def __init__(self, columns: Columns, weights: list[tuple[int, np.ndarray]], count: int, out: Sizes):
        """`weights`: which of several columns each belongs to, and the weight."""
        self.kernels = [(i, columns.kernels(weight)) for i, weight in weights]
        made, self.behind = len(weights[0][1]), columns.behind
        self.array = np.empty((count, made, *out), columns.x.dtype)
        self.target = self.array.reshape(count, columns.groups, made // columns.groups, math.prod(out))

    def write(self, parts: list[Parts], piece: Piece) -> None:
        """The sum of the products with the columns' parts."""
        n0, n1, r0, r1 = piece
        here = self.target[n0:n1, ..., r0 * self.behind : r1 * self.behind]
        pairs = [pair for i, matrices in self.kernels for pair in zip(matrices, parts[i], strict=True)]
        np.matmul(*pairs[0], out=here)
        term = np.empty(here.shape, here.dtype) if len(pairs) > 1 else None
        for pair in pairs[1:]:
            here += np.matmul(*pair, out=term)


class Sums:
    """The gradient of a convolution's weight: a sum for each of a fixed number of shares of the pieces.

    So it is the same for any number of threads.
    """

    def __init__(self, columns: Columns, g: np.ndarray):
        o = g.shape[1]
        self.columns = columns
        self.slopes = np.ascontiguousarray(g).reshape(
            len(g), columns.groups, o // columns.groups, math.prod(g.shape[2:])
        )
        self.shares = min(SHARES, len(columns.pieces))
        shape = self.shares, columns.products, columns.groups, columns.height, o // columns.groups
        self.sums = np.zeros(shape, g.dtype)

    def add(self, parts: Parts, piece: Piece, share: int) -> None:
        """The products of the columns' parts with what belongs to them."""
        n0, n1, r0, r1 = piece
        behind = self.columns.behind
        own = self.slopes[n0:n1, ..., r0 * behind : r1 * behind].swapaxes(2, 3)
        if isinstance(parts, np.ndarray):
            self.sums[share] += np.add.reduce(np.matmul(parts, own), axis=1)
            return
        for part, total in zip(parts, self.sums[share], strict=True):
            total += np.add.reduce(np.matmul(part, own), axis=0)

    def total(self) -> np.ndarray:
        """(O, C / groups, *kernel)."""
        return self.columns.weight(np.add.reduce(self.sums, axis=0))


def convolve(
    x: np.ndarray, weight: np.ndarray, out: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> np.ndarray:
    """(N, C, *in) with (O, C / groups, *kernel) gives (N, O, *out)."""
    return convolve_sums([[(x, weight)]], out, stride, pads, dilation, groups)[0]


def convolve_sums(
    sums: list[list[tuple[np.ndarray, np.ndarray]]],
    out: Sizes,
    stride: Sizes,
    pads: Pads,
    dilation: Sizes,
    groups: int,
) -> list[np.ndarray]:
    """`convolve` of pairs of an input and a weight, each result the sum over its pairs.

    An input that several pairs share is made columns of once.
    """
    inputs = list({id(x): x for pairs in sums for x, _ in pairs}.values())
    x, weight = sums[0][0]
    columns = [Columns(each, out, weight.shape[2:], stride, pads, dilation, groups) for each in inputs]
    at = {id(each): i for i, each in enumerate(inputs)}
    results = [Result(columns[0], [(at[id(a)], w) for a, w in pairs], len(x), out) for pairs in sums]

    def multiply(parts: list[Parts], piece: Piece) -> None:
        for result in results:
            result.write(parts, piece)

    over_pieces(columns, multiply, len(weight) * sum(map(len, sums)))
    return [result.array for result in results]


def over_pieces(columns: list[Columns], multiply: Callable[[list[Parts], Piece], None], made: int) -> None:
    """Calls `multiply` with the parts of all columns, which are made of inputs of one shape, for each piece.

    The pieces are shared out among threads; the products are with kernels that make so many channels.
    """
    pieces = columns[0].pieces

    def work(start: int, stop: int) -> None:
        frames: list[Frame | None] = [None] * len(columns)
        for piece in pieces[start:stop]:
            parts = []
            for i, each in enumerate(columns):
                own, frames[i] = each.fill(piece, frames[i])
                parts.append(own)
            multiply(parts, piece)

    grain = columns[0].grain(made, len(pieces))
    parallel_for_products(work, len(pieces), grain)


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
    apart = [list(own) for _, own in itertools.groupby(pieces, lambda piece: piece[0])]

    def work(start: int, stop: int) -> None:
        for n0, n1, r0, r1 in itertools.chain.from_iterable(apart[start:stop]):
            part = g[n0:n1, :, r0:r1]
            count, shape = len(part), part.shape[2:]
            columns = np.matmul(matrix, part.reshape(count, groups, o // groups, math.prod(shape)))
            columns = columns.reshape(count, channels, *kernel, *shape)
            begins = (r0 * stride[0], *(0,) * (len(shape) - 1))
            for place in places:
                index = [
                    slice(d * p + begin, d * p + begin + (m - 1) * s + 1, s)
                    for d, p, s, m, begin in zip(dilation, place, stride, shape, begins, strict=True)
                ]
                total[(slice(n0, n1), slice(None), *index)] += columns[(slice(None), slice(None), *place)]

    parallel_for_products(work, len(apart))
    return np.ascontiguousarray(total[spatial(*[slice(a, a + m) for m, (a, _) in zip(size, pads, strict=True)])])


def convolve_weight(
    x: np.ndarray, g: np.ndarray, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> np.ndarray:
    """(N, C, *in) with (N, O, *out) gives (O, C / groups, *kernel): the gradient of the weight."""
    return _by_shares(Columns(x, g.shape[2:], kernel, stride, pads, dilation, groups), g)


def gradients(
    x: np.ndarray, g: np.ndarray, weight: np.ndarray, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """`convolve(x, weight)` and `convolve_weight(x, g)`, by the same columns of x; g is of the result's shape."""
    columns = Columns(x, g.shape[2:], weight.shape[2:], stride, pads, dilation, groups)
    result = Result(columns, [(0, weight)], len(x), g.shape[2:])
    return result.array, _by_shares(columns, g, result)


def _by_shares(columns: Columns, g: np.ndarray, result: Result | None = None) -> np.ndarray:
    sums = Sums(columns, g)

    def work(start: int, stop: int) -> None:
        frame = None
        for share in range(start, stop):
            for piece in columns.pieces[share :: sums.shares]:
                parts, frame = columns.fill(piece, frame)
                if result:
                    result.write([parts], piece)
                sums.add(parts, piece, share)

    parallel_for_products(work, sums.shares, columns.grain(g.shape[1] * (2 if result else 1), sums.shares))
    return sums.total()
