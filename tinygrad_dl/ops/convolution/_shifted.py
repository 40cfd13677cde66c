"""The weight's gradient of a depthwise convolution of few channels, which have kernels of their own.

Each of its elements is the inner product of the result's gradient with the input, moved by a place of the kernel. The
moved input is one run of memory a channel: the padded rows follow one another, and zeros in the gradient stand where
a row ends and the next begins.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from tinygrad_dl.backends.threads import parallel_for_products
from tinygrad_dl.ops.convolution._columns import padded
from tinygrad_dl.ops.convolution._geometry import Geometry
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes, spatial

BLOCK = 2**18  # bytes of padded input that are worked on at a time
MANY = 192  # channels, from which on runs of channels are the faster way, as rows of images are short then


def fits(of: Geometry) -> bool:
    """Whether this is the way to compute the gradient of a convolution's weight."""
    alone = of.groups == of.channels and 1 < of.channels < MANY and max(of.stride) == 1 and of.dtype.char in "fd"
    reach = [d * (k - 1) for k, d in zip(of.kernel, of.dilation, strict=True)]
    return alone and all(max(pair) <= r for pair, r in zip(of.pads, reach, strict=True))


def _offsets(kernel: Sizes, dilation: Sizes, whole: Sizes) -> list[int]:
    """How far the input moves for each place of the kernel, in elements of the padded array of size `whole`."""
    steps = [math.prod(whole[i + 1 :]) for i in range(len(whole))]
    places = itertools.product(*[range(k) for k in kernel])
    return [sum(p * d * s for p, d, s in zip(place, dilation, steps, strict=True)) for place in places]


def _span(out: Sizes, whole: Sizes) -> int:
    """How many elements lie from the first place of the result to the last, in rows as long as the padded ones."""
    return 1 + sum((n - 1) * math.prod(whole[i + 1 :]) for i, n in enumerate(out))


def _whole(size: Sizes, pads: Pads) -> Sizes:
    return tuple([n + a + b for n, (a, b) in zip(size, pads, strict=True)])


def _pieces(x: np.ndarray, whole: Sizes) -> list[slice]:
    step = max(1, BLOCK // max(1, x.shape[1] * math.prod(whole) * x.itemsize))
    return [slice(n, min(n + step, len(x))) for n in range(0, len(x), step)]


def convolve_weight(x: np.ndarray, g: np.ndarray, kernel: Sizes, pads: Pads, dilation: Sizes) -> np.ndarray:
    """(N, C, *in) with (N, C * m, *out) gives (C * m, 1, *kernel)."""
    (n, c), whole, out = x.shape[:2], _whole(x.shape[2:], pads), g.shape[2:]
    m, span = g.shape[1] // c, _span(out, whole)
    offsets = _offsets(kernel, dilation, whole)
    slopes = g.reshape(n, c, m, *out)
    found = np.empty((n, c, m, len(offsets)), x.dtype)
    pieces = _pieces(x, whole)

    def work(start: int, stop: int) -> None:
        for piece in pieces[start:stop]:
            flat = padded(x[piece], pads).reshape(-1, c, math.prod(whole))
            wide = np.zeros((len(flat), c, *whole), g.dtype)
            for j in range(m):
                wide[spatial(*[slice(0, size) for size in out])] = slopes[piece, :, j]
                own = wide.reshape(-1, c, math.prod(whole))[..., :span]
                for i, offset in enumerate(offsets):
                    np.vecdot(own, flat[..., offset : offset + span], out=found[piece, :, j, i])

    parallel_for_products(work, len(pieces))
    total: np.ndarray = np.add.reduce(found, axis=0)
    return total.reshape(c * m, 1, *kernel)
