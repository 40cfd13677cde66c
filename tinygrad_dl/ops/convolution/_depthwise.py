"""Depthwise convolutions, whose channels have kernels of their own: no product of matrices, but sums of products.

The channels are put last, and neighbouring places of a row with them into one run of memory: then each place of the
kernel is one multiplication and addition of long runs, and NumPy's einsum does them all in one pass, without an array
in between. What is worked on at a time is one sample, and as many of its channels as stay in the cache.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from tinygrad_dl.backends.threads import parallel_for
from tinygrad_dl.backends.transposing import copy_transposed
from tinygrad_dl.ops.convolution._geometry import Geometry
from tinygrad_dl.ops.convolution._phases import phases_of
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes

LEAST = 8  # channels, below which runs of memory are too short
BLOCK = 2**21  # bytes of padded input that are worked on at a time, if those are not too few channels
RUN = 3072  # elements of a run, beyond which a longer one is no faster
WHOLE = 8192  # elements of a row of the result, up to which it is one run in the weight's gradient
WORTH = 2**15  # elements of a sample, or of all that there are, that are worth a thread


def fits(of: Geometry) -> bool:
    """Whether this is the way to compute a convolution: in two dimensions.

    Channels with several kernels each are read again for each of them: by columns they are faster from two on.
    """
    alone = of.groups == of.channels == of.made >= LEAST
    return alone and len(of.kernel) == 2 and of.dtype.char in "fd" and min(map(min, of.pads)) >= 0


def _over_pieces(work: Callable[[slice, range], None], x: np.ndarray, size: Sizes, stride: Sizes) -> None:
    """Calls work(channels, samples) for all of x, (N, C, H, W), whose padded size is this."""
    n, c = x.shape[:2]
    least = LEAST if stride[1] == 1 else 4 * LEAST  # where neighbouring places are no run, it is the channels alone
    number = max(1, min(c // least, -(-c * math.prod(size) * x.itemsize // BLOCK)))
    bounds = [c * i // number for i in range(number + 1)]

    def share(start: int, stop: int) -> None:
        for i, (a, b) in enumerate(itertools.pairwise(bounds)):
            samples = range(max(start - i * n, 0), min(stop - i * n, n))
            if samples:
                work(slice(a, b), samples)

    parallel_for(share, n * number, max(1, n * number * WORTH // (1 + x.size)))


def _padded(x: np.ndarray, pads: Pads) -> Sizes:
    return tuple([n + a + b for n, (a, b) in zip(x.shape[2:], pads, strict=True)])


class _Frame:
    """Memory for some channels of one sample, (H + padding, W + padding, C), with zeros around them."""

    def __init__(self, x: np.ndarray, channels: slice, pads: Pads):
        self.x, self.channels = x[:, channels], channels.stop - channels.start
        self.size = x.shape[2:]
        self.memory = np.zeros((*_padded(x, pads), self.channels), x.dtype)
        self.inner = self.memory[pads[0][0] :, pads[1][0] :][: self.size[0], : self.size[1]]
        # Rows with padding have gaps, so that copies to them are made in two steps.
        self.turned = self.inner if self.inner.flags.c_contiguous else np.empty(self.inner.shape, x.dtype)

    def fill(self, sample: int) -> np.ndarray:
        """Puts the sample's numbers there."""
        part = self.x[sample]
        if part.strides[0] == part.itemsize:  # the channels are last already
            self.inner[...] = part.transpose(1, 2, 0)
            return self.memory
        places = math.prod(self.size)
        copy_transposed(part.reshape(self.channels, places), self.turned.reshape(places, self.channels))
        if self.turned is not self.inner:
            self.inner[...] = self.turned
        return self.memory


def _views(
    frame: np.ndarray,
    out: Sizes,
    kernel: Sizes,
    stride: Sizes = (1, 1),
    dilation: Sizes = (1, 1),
    together: int = 1,
    begin: Sizes = (0, 0),
) -> np.ndarray:
    """What a kernel sees: (H, W / together, *kernel, together * C), where `together` places are one run of memory.

    `begin`: the place of the frame that the kernel sees first.
    """
    c, (down, right, each) = frame.shape[2], frame.strides
    shape = out[0], out[1] // together, *kernel, together * c
    strides = down * stride[0], right * stride[1] * together, down * dilation[0], right * dilation[1], each
    return np.ndarray(shape, frame.dtype, frame, begin[0] * down + begin[1] * right, strides)


def _together(width: int, channels: int, stride: int) -> int:
    """How many places of a row are one run: as many as divide it, and as a run is to be long."""
    if stride > 1:
        return 1
    return max([t for t in range(1, width + 1) if width % t == 0 and (t == 1 or t * channels <= RUN)])


def _kernels(weight: np.ndarray) -> np.ndarray:
    """(C, 1, *kernel) as (*kernel, C)."""
    return np.ascontiguousarray(weight[:, 0].transpose(1, 2, 0))


def convolve(x: np.ndarray, weight: np.ndarray, out: Sizes, stride: Sizes, pads: Pads, dilation: Sizes) -> np.ndarray:
    """(N, C, *in) with (C, 1, *kernel) gives (N, C, *out)."""
    (n, c), kernels = x.shape[:2], _kernels(weight)
    result = np.empty((n, c, *out), x.dtype)
    flat = result.reshape(n, c, math.prod(out))

    def work(channels: slice, samples: range) -> None:
        frame = _Frame(x, channels, pads)
        own = frame.channels
        t = _together(out[1], own, stride[1])
        found = np.empty((out[0], out[1] // t, t * own), x.dtype)
        views = _views(frame.memory, out, kernels.shape[:2], stride, dilation, t)
        repeated = np.tile(kernels[..., channels], (1, 1, t))
        for sample in samples:
            frame.fill(sample)
            np.einsum("hwyxc,yxc->hwc", views, repeated, out=found)
            copy_transposed(found.reshape(math.prod(out), own), flat[sample, channels])

    _over_pieces(work, x, _padded(x, pads), stride)
    return result


def convolve_transposed(g: np.ndarray, weight: np.ndarray, size: Sizes, stride: Sizes, pads: Pads) -> np.ndarray:
    """(N, C, *out) with (C, 1, *kernel) gives (N, C, *size): a convolution of its own for each phase of the stride."""
    n, c = g.shape[:2]
    phases = [phases_of(k, s, a) for k, s, (a, _) in zip(weight.shape[2:], stride, pads, strict=True)]
    places = [[len(range(phase.number, m, s)) for phase in own] for own, m, s in zip(phases, size, stride, strict=True)]
    around = []
    for own, counts, m in zip(phases, places, g.shape[2:], strict=True):
        ends = [phase.first + len(phase.kernel) - 1 + count for phase, count in zip(own, counts, strict=True)]
        around.append((max(0, -min([phase.first for phase in own])), max(0, max(ends) - m)))
    jobs = []
    for (down, height), (right, width) in itertools.product(*map(zip, phases, places)):
        kernels = _kernels(weight[:, :, list(down.kernel)][..., list(right.kernel)])
        here = slice(down.number, None, stride[0]), slice(right.number, None, stride[1])
        jobs.append((here, (down.first + around[0][0], right.first + around[1][0]), (height, width), kernels))
    result = np.empty((n, c, *size), g.dtype)
    flat = result.reshape(n, c, math.prod(size))

    def work(channels: slice, samples: range) -> None:
        frame = _Frame(g, channels, tuple(around))
        found = np.empty((*size, frame.channels), g.dtype)
        steps = [
            (_views(frame.memory, out, kernels.shape[:2], begin=begin), kernels[..., channels], found[here])
            for here, begin, out, kernels in jobs
        ]
        for sample in samples:
            frame.fill(sample)
            for views, kernels, target in steps:
                np.einsum("hwyxc,yxc->hwc", views, kernels, out=target)
            copy_transposed(found.reshape(math.prod(size), frame.channels), flat[sample, channels])

    _over_pieces(work, g, size, stride)
    return result


def convolve_weight(
    x: np.ndarray, g: np.ndarray, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes
) -> np.ndarray:
    """(N, C, *in) with (N, C, *out) gives (C, 1, *kernel)."""
    (n, c), out = x.shape[:2], g.shape[2:]
    sums = np.empty((n, *kernel, c), x.dtype)

    def work(channels: slice, samples: range) -> None:
        frame = _Frame(x, channels, pads)
        own = frame.channels
        t = out[1] if stride[1] == 1 and out[1] * own <= WHOLE else 1
        views = _views(frame.memory, out, kernel, stride, dilation, t)
        turned = _Frame(g, channels, ((0, 0),) * 2)
        for sample in samples:
            frame.fill(sample)
            slopes = turned.fill(sample).reshape(out[0], out[1] // t, t * own)
            found = np.einsum("hwyxc,hwc->yxc", views, slopes)
            sums[sample, ..., channels] = np.add.reduce(found.reshape(*kernel, t, own), axis=2)

    _over_pieces(work, x, _padded(x, pads), stride)
    total: np.ndarray = np.add.reduce(sums, axis=0)
    return np.ascontiguousarray(total.transpose(2, 0, 1))[:, np.newaxis]
