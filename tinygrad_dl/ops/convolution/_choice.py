"""Which way a convolution is computed. The measurements behind the choice stand in docs/performance.md.

The choice depends on shapes, options and dtype alone, so that the same operation always gives the same bits. It is made
once for each geometry.
"""

from __future__ import annotations

import functools
import math

from tinygrad_dl.ops.convolution import _columns as columns
from tinygrad_dl.ops.convolution import _deep as deep
from tinygrad_dl.ops.convolution import _depthwise as depthwise
from tinygrad_dl.ops.convolution import _lines as lines
from tinygrad_dl.ops.convolution import _phases as phases
from tinygrad_dl.ops.convolution import _winograd as winograd
from tinygrad_dl.ops.convolution._geometry import Geometry

LARGEST = columns.LARGEST
DEEP = 96  # channels, from which the input's gradient is one product for the batch
FEW = 6  # channels, below which a run of memory with channels last is too short to be worth it
WIDE = 128  # columns of the second matrix, up to which a whole line of the result is computed at once
# Channels, if a line of the result has up to so many places, and places of the result, below which rows are the faster
# way; and places of a kernel in one dimension, from which they are: columns take a product for each.
NARROW, LINE, PLACES, LONG = 16, 32, 64, 5
# The places of a phase of a transposed convolution, below which rows are faster; and channels, up to which they are for
# long kernels: the windows of a strip then hold few zeros.
PHASE, MIDDLE = 16, 32


def strip(of: Geometry) -> int:
    """How many neighbouring places `_rows` computes at once; 0 where it is no way or not a fast one."""
    if of.groups > 1 or of.channels < FEW or not of.made or math.prod(of.kernel) == 1:
        return 0
    if of.dilation[-1] > 1 and of.channels < 2 * FEW:
        return 0
    if of.dilation[-1] > 1 or of.stride[-1] > 1 or of.made > 32 or of.out[-1] % 2:
        return 1
    return 2


def is_narrow(of: Geometry) -> bool:
    """Whether rows, where they are possible, are a faster way than columns, whose copies a stride makes slower."""
    places = math.prod(of.out)
    few = places < PLACES or (places == PLACES and max(of.stride) > 1)
    line = min(of.channels, of.made) < NARROW and of.out[-1] <= LINE
    return few or line or (len(of.kernel) == 1 and of.kernel[0] >= LONG)


def too_large(of: Geometry) -> bool:
    """Whether one row of the result takes more columns than a block may have; then the channels are halved."""
    row = of.channels * math.prod(of.kernel) * math.prod(of.out[1:])
    return of.channels > 1 and row * of.dtype.itemsize > LARGEST


@functools.lru_cache(maxsize=1024)
def way(of: Geometry) -> str:
    """How a convolution, or the gradient of its weight, is computed."""
    if depthwise.fits(of) and of.places:
        return "depthwise"
    fast = winograd.fits(of)
    if deep.fits(of, fast):
        return "deep"
    if fast and of.samples:
        return "winograd"
    if too_large(of):
        return "halves"
    if lines.fits(of):
        return "lines"
    return "rows" if strip(of) and of.places and is_narrow(of) else "columns"


def is_spread(of: Geometry) -> bool:
    """Whether an input's gradient is computed by `_lines` as terms, not by columns of the slopes: these are many
    where channels are fewer than the result's, or images larger."""
    return 2 * of.channels < of.made or of.out != of.size


@functools.lru_cache(maxsize=1024)
def way_back(of: Geometry) -> tuple[str, int]:
    """How the gradient of a convolution's input, a transposed convolution, is computed; and the strip of its rows.

    "deep", "winograd" and "halves" take any values; the others multiply the weight by the zeros around the slopes, so
    that columns compute it where it is not finite.
    """
    back, unit = of.mirrored(), (1,) * len(of.kernel)
    fast = winograd.fits(back)
    if of.least >= DEEP and deep.fits(of, fast):
        return "deep", 0
    if fast and of.samples:
        return "winograd", 0
    larger = tuple(map(max, of.size, of.out))
    if too_large(of._replace(channels=max(of.channels, of.made), out=larger)):
        return "halves", 0
    if max(of.stride) > 1 == max(of.dilation) and depthwise.fits(back):
        return "depthwise", 0
    turned = of.turned()
    if max(of.stride) == 1 and way(turned) == "lines":
        return "spread" if is_spread(of) else "lines", 0
    t = strip(back._replace(stride=unit))
    chosen = _without_stride(back, t) if max(of.stride) == 1 else _by_stride(back, t)
    pointless = max(of.dilation) > 1 or any(a > k - 1 for k, (a, _) in zip(of.kernel, of.pads, strict=True))
    if max(of.stride) == 1 and (of.groups > 1 or pointless):
        return "flipped", 0
    if chosen == "rows" and pointless:
        return "columns", 0
    if max(of.stride) == 1:  # so narrow a result is computed a line at a time
        return chosen, of.size[-1] if of.channels * of.size[-1] <= WIDE else t
    return chosen, 2 if of.channels <= NARROW else 1


def _without_stride(back: Geometry, t: int) -> str:
    few = back.made < FEW
    narrow = back.out[-1] <= NARROW if few else is_narrow(back)
    if t and narrow:
        return "rows"
    return "columns" if few else "flipped"


def _by_stride(back: Geometry, t: int) -> str:
    channels, made, kernel = back.made, back.channels, back.kernel
    phase = math.prod([-(-n // s) for n, s in zip(back.out, back.stride, strict=True)])  # its places
    short = min(channels, made) > MIDDLE or made > NARROW * channels
    long = min(kernel) >= LONG and (len(kernel) == 1 or not short)
    if t and (long or phase < PHASE or (min(channels, made) < NARROW and channels >= FEW)):
        return "rows"
    return "phases" if channels >= FEW and phases.fits(back.out, back.dilation) else "columns"


@functools.lru_cache(maxsize=1024)
def shared(of: Geometry) -> str:
    """The way by which both gradients are computed of one reading of the slopes; "" if there is none."""
    if max(of.stride) > 1 or not of.places * of.made * math.prod(of.size):
        return ""
    first, second = way(of), way(of.turned())
    if first != second:
        return ""
    if first == "lines" and is_spread(of):
        return "spread"
    return first if of.channels >= FEW and first in ("columns", "winograd", "lines") else ""
