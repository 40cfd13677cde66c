"""Which way a convolution is computed. The measurements behind the choice stand in docs/performance.md.

The choice depends on shapes, options and dtype alone, so that the same operation always gives the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tinygrad_dl.ops.convolution import _columns as columns
from tinygrad_dl.ops.convolution import _deep as deep
from tinygrad_dl.ops.convolution import _depthwise as depthwise
from tinygrad_dl.ops.convolution import _lines as lines
from tinygrad_dl.ops.convolution import _phases as phases
from tinygrad_dl.ops.convolution import _rows as rows
from tinygrad_dl.ops.convolution import _shifted as shifted
from tinygrad_dl.ops.convolution import _winograd as winograd
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes, spatial

LARGEST = columns.LARGEST
Options = tuple[Sizes, Pads, Sizes, int]  # stride, padding, dilation, groups
DEEP = 96  # channels, from which the input's gradient is one product for the batch
FEW = 6  # channels, below which a run of memory with channels last is too short to be worth it
WIDE = 128  # columns of the second matrix, up to which a whole line of the result is computed at once
# Channels, if a line of the result has up to so many places, and places of the result, below which rows are the faster
# way; and places of a kernel in one dimension, from which they are: columns take a product for each.
NARROW, LINE, PLACES, LONG = 16, 32, 64, 5
# The places of a phase of a transposed convolution, below which rows are faster; and channels, up to which they are for
# long kernels: the windows of a strip then hold few zeros.
PHASE, MIDDLE = 16, 32


def strip(channels: int, made: int, kernel: Sizes, stride: Sizes, dilation: Sizes, groups: int, out: Sizes) -> int:
    """How many neighbouring places `_rows` computes at once; 0 where it is no way or not a fast one."""
    if groups > 1 or channels < FEW or not made or math.prod(kernel) == 1:
        return 0
    if dilation[-1] > 1 and channels < 2 * FEW:
        return 0
    if dilation[-1] > 1 or stride[-1] > 1 or made > 32 or out[-1] % 2:
        return 1
    return 2


def is_narrow(channels: int, made: int, kernel: Sizes, stride: Sizes, out: Sizes) -> bool:
    """Whether rows, where they are possible, are a faster way than columns, whose copies a stride makes slower."""
    places = math.prod(out)
    few = places < PLACES or (places == PLACES and max(stride) > 1)
    return few or (min(channels, made) < NARROW and out[-1] <= LINE) or (len(kernel) == 1 and kernel[0] >= LONG)


def too_large(channels: int, kernel: Sizes, size: Sizes, itemsize: int) -> bool:
    """Whether one row of the result takes more columns than a block may have; then the channels are halved."""
    return channels > 1 and channels * math.prod(kernel) * math.prod(size[1:]) * itemsize > LARGEST


def finite_or(way: Callable[[], np.ndarray], again: Callable[[], np.ndarray]) -> np.ndarray:
    """The gradient of a weight, by columns if it is not finite: this way may spread infinities and nans."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = way()
    return found if np.isfinite(found).all() else again()


def halves(array: np.ndarray, axis: int, groups: int = 1) -> list[np.ndarray]:
    """An array cut in two along a dimension, between two groups if there are several."""
    middle = groups // 2 * (array.shape[axis] // groups) if groups > 1 else array.shape[axis] // 2
    return [np.ascontiguousarray(each) for each in np.split(array, [middle], axis)]


def of_halves(
    way: Callable[..., np.ndarray],
    left: np.ndarray,
    right: np.ndarray,
    axes: tuple[int, int],
    options: Any,
    groups: int,
) -> list[np.ndarray]:
    """The results of `way` on the first halves of two arrays and on the second ones, cut along these dimensions."""
    each = (groups // 2, groups - groups // 2) if groups > 1 else (1, 1)
    pairs = zip(halves(left, axes[0], groups), halves(right, axes[1], groups), each, strict=True)
    return [way(a, b, *options, own) for a, b, own in pairs]


def way(
    samples: int, channels: int, made: int, kernel: Sizes, out: Sizes, options: Options, dtype: np.dtype[np.generic]
) -> str:
    """How a convolution of these shapes, or the gradient of its weight, is computed."""
    stride, pads, dilation, groups = options
    if depthwise.fits(channels, made, kernel, pads, groups, dtype.char) and samples * math.prod(out):
        return "depthwise"
    fast = winograd.fits(samples, channels, made, kernel, stride, pads, dilation, groups, out, dtype)
    if deep.fits(samples * math.prod(out), channels, made, kernel, groups, dtype.itemsize, fast):
        return "deep"
    if fast and samples:
        return "winograd"
    if too_large(channels, kernel, out, dtype.itemsize):
        return "halves"
    if lines.fits(samples, channels, made, kernel, stride, pads, dilation, groups, out, dtype):
        return "lines"
    t = strip(channels, made, kernel, stride, dilation, groups, out)
    narrow = samples * math.prod(out) and is_narrow(channels, made, kernel, stride, out)
    return "rows" if t and narrow else "columns"


def convolve(x: np.ndarray, weight: np.ndarray, out: Sizes, *options: Any) -> np.ndarray:
    """(N, C, *in) with (O, C / groups, *kernel) gives (N, O, *out); options: stride, pads, dilation, groups."""
    kernel = weight.shape[2:]
    stride, pads, dilation, groups = options

    def by_columns(samples: Any) -> np.ndarray:
        return columns.convolve(x[samples], weight, out, stride, pads, dilation, groups)

    chosen = way(len(x), x.shape[1], len(weight), kernel, out, options, x.dtype)
    if chosen == "depthwise":
        return depthwise.convolve(x, weight, out, stride, pads, dilation)
    if chosen == "deep":
        return deep.convolve(x, weight, out, *options)
    if chosen == "winograd":
        return winograd.convolve(x, weight, out, pads, by_columns)
    if chosen == "halves":
        return _by_halves(x, weight, (out, stride, pads, dilation), groups)
    if chosen == "lines" and np.isfinite(weight).all():  # not all of the padding is multiplied by it
        return lines.convolve(x, weight, out, stride, pads, groups)
    if chosen in ("columns", "lines") or not x.size:
        return by_columns(slice(None))
    t = strip(x.shape[1], len(weight), kernel, stride, dilation, groups, out)
    along = rows.forward_lines(x.shape[2:], out, kernel, stride, pads, dilation, t)
    flat = weight.reshape(*weight.shape[:2], math.prod(kernel))
    return rows.apply(x, flat.transpose(2, 1, 0), along, kernel, out, by_columns if t > 1 else None)


def _by_halves(x: np.ndarray, weight: np.ndarray, options: tuple[Sizes, Sizes, Pads, Sizes], groups: int) -> np.ndarray:
    if groups > 1:
        return np.concatenate(of_halves(convolve, x, weight, (1, 0), options, groups), axis=1)
    first, second = of_halves(convolve, x, weight, (1, 1), options, 1)
    first += second
    return first


def convolve_with_tangent(
    x: np.ndarray, weight: np.ndarray, tx: Any, tw: Any, out: Sizes, *options: Any
) -> list[np.ndarray] | None:
    """A convolution and its tangent, where they share rows or columns; None where another way computes each alone."""
    stride, pads, dilation, groups = options
    channels, kernel = x.shape[1], weight.shape[2:]
    chosen = way(len(x), channels, len(weight), kernel, out, options, x.dtype)
    if chosen not in ("rows", "columns") or not x.size:
        return None
    terms = [pair for pair in ((x, tw), (tx, weight)) if pair[0] is not None is not pair[1]]
    if chosen == "columns":
        return columns.convolve_sums([[(x, weight)], terms], out, *options)
    t = strip(channels, len(weight), kernel, stride, dilation, groups, out)
    along = rows.forward_lines(x.shape[2:], out, kernel, stride, pads, dilation, t)
    turned = [
        [(a, w.reshape(*w.shape[:2], -1).transpose(2, 1, 0)) for a, w in pairs] for pairs in ([(x, weight)], terms)
    ]
    results, doubtful = rows.apply_sums(turned, along, kernel, out, t > 1)
    return None if doubtful else results


def is_spread(channels: int, made: int, size: Sizes, out: Sizes) -> bool:
    """Whether an input's gradient of so many channels is computed by `_lines` as terms, not by columns of the slopes:
    these are many where channels are fewer than the result's, or images larger."""
    return 2 * channels < made or out != size


def convolve_transposed(
    g: np.ndarray, weight: np.ndarray, size: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> np.ndarray:
    """(N, O, *out) with (O, C / groups, *kernel) gives (N, C, *size)."""
    kernel, channels = weight.shape[2:], weight.shape[1] * groups

    def by_columns(samples: Any) -> np.ndarray:
        return columns.convolve_transposed(g[samples], weight, size, stride, pads, dilation, groups)

    made, dtype, unit = g.shape[1], g.dtype, (1,) * len(kernel)
    fast = winograd.fits(len(g), made, channels, kernel, stride, pads, dilation, groups, size, dtype)
    joined = min(channels, made) // groups >= DEEP and deep.fits(
        len(g) * math.prod(g.shape[2:]), channels, made, kernel, groups, dtype.itemsize, fast
    )
    if joined:
        return deep.convolve_transposed(g, weight, size, stride, pads, dilation, groups)
    if fast and len(g):
        return winograd.convolve_transposed(g, weight, size, pads, by_columns)
    larger = tuple(map(max, size, g.shape[2:]))
    if too_large(max(channels, made), kernel, larger, g.itemsize):
        return _transposed_by_halves(g, weight, (size, stride, pads, dilation), groups)
    if not np.isfinite(weight).all() or not g.size:  # the other ways multiply it by the zeros around g, too
        return by_columns(slice(None))
    if max(stride) > 1 == max(dilation) and depthwise.fits(made, channels, kernel, pads, groups, dtype.char):
        return depthwise.convolve_transposed(g, weight, size, stride, pads)
    options = unit, _around(size, g.shape[2:], kernel, pads, dilation), dilation, groups
    if max(stride) == 1 and way(len(g), made, channels, kernel, size, options, dtype) == "lines":
        turned = _turned(weight, groups)
        if is_spread(channels, made, size, g.shape[2:]):
            return lines.spread(g, turned, size, options[1], groups)
        return lines.convolve(g, turned, size, unit, options[1], groups)
    t = strip(made, channels, kernel, unit, dilation, groups, size)
    pointless = max(dilation) > 1 or any(a > k - 1 for k, (a, _) in zip(kernel, pads, strict=True))
    if max(stride) == 1:
        few = channels < FEW
        narrow = size[-1] <= NARROW if few else is_narrow(channels, made, kernel, unit, size)
        if groups > 1 or pointless or not (few or (t and narrow)):
            return _by_flipping(g, weight, size, pads, dilation, groups)
        if not (t and narrow):
            return by_columns(slice(None))
        if channels * size[-1] <= WIDE:
            t = size[-1]  # so narrow a result is computed a line at a time
    else:
        phase = math.prod([-(-n // s) for n, s in zip(size, stride, strict=True)])  # its places
        short = min(channels, made) > MIDDLE or made > NARROW * channels
        long = min(kernel) >= LONG and (len(kernel) == 1 or not short)
        narrow = long or phase < PHASE or (min(channels, made) < NARROW and channels >= FEW)
        if not (t and narrow) and channels >= FEW and phases.fits(size, dilation):
            return phases.convolve_transposed(g, weight, size, stride, pads, groups)
        if not (t and narrow):
            return by_columns(slice(None))
        t = 2 if channels <= NARROW else 1
    if pointless:
        return by_columns(slice(None))
    along = rows.backward_lines(g.shape[2:], size, kernel, stride, pads, t)
    flat = weight.reshape(*weight.shape[:2], math.prod(kernel))
    return rows.apply(g, flat.transpose(2, 0, 1), along, kernel, size, by_columns)


def _transposed_by_halves(
    g: np.ndarray, weight: np.ndarray, options: tuple[Sizes, Sizes, Pads, Sizes], groups: int
) -> np.ndarray:
    if groups == 1 and weight.shape[1] > g.shape[1]:
        return np.concatenate([convolve_transposed(g, w, *options, 1) for w in halves(weight, 1)], axis=1)
    first, second = of_halves(convolve_transposed, g, weight, (1, 0), options, groups)
    if groups > 1:
        return np.concatenate((first, second), axis=1)
    first += second
    return first


def _turned(weight: np.ndarray, groups: int) -> np.ndarray:
    """(O, C / groups, *kernel) as (C, O / groups, *kernel), turned round; the same again turns it back."""
    o, each, *kernel = weight.shape
    turned: np.ndarray = weight[spatial(*[slice(None, None, -1)] * len(kernel))]
    turned = turned.reshape(groups, o // groups, each, *kernel)
    return turned.swapaxes(1, 2).reshape(groups * each, o // groups, *kernel)


def _around(size: Sizes, out: Sizes, kernel: Sizes, pads: Pads, dilation: Sizes) -> Pads:
    """The padding of the convolution with the kernel turned round, from `out` places back to `size`."""
    around = []
    for n, m, p, d, (a, _) in zip(size, out, kernel, dilation, pads, strict=True):
        before = d * (p - 1) - a
        around.append((before, n - m - before + d * (p - 1)))
    return tuple(around)


def _by_flipping(
    g: np.ndarray, weight: np.ndarray, size: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> np.ndarray:
    """A transposed convolution without stride is a convolution with the kernel turned round."""
    around = _around(size, g.shape[2:], weight.shape[2:], pads, dilation)
    return convolve(g, _turned(weight, groups), size, (1,) * len(size), around, dilation, groups)


def convolve_weight(
    x: np.ndarray, g: np.ndarray, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> np.ndarray:
    """(N, C, *in) with (N, O, *out) gives (O, C / groups, *kernel): the gradient of the weight."""
    out, made = g.shape[2:], g.shape[1]
    by_columns = partial(columns.convolve_weight, x, g, kernel, stride, pads, dilation, groups)
    chosen = way(len(x), x.shape[1], made, kernel, out, (stride, pads, dilation, groups), x.dtype)
    shape = made, x.shape[1] // groups, *kernel
    if shifted.fits(x.shape[1], shape, stride, pads, dilation, groups, x.dtype.char) and x.size:
        return finite_or(partial(shifted.convolve_weight, x, g, kernel, pads, dilation), by_columns)
    if chosen == "depthwise":
        return depthwise.convolve_weight(x, g, kernel, stride, pads, dilation)
    if chosen == "deep":
        return deep.convolve_weight(x, g, kernel, stride, pads, dilation, groups)
    if chosen == "winograd":
        return finite_or(partial(winograd.convolve_weight, x, g, pads), by_columns)
    if chosen == "halves":
        return _weight_by_halves(x, g, (kernel, stride, pads, dilation), groups)
    options = stride, pads, dilation, groups
    both, back = shared(len(x), x.shape[1], made, kernel, x.shape[2:], out, options, x.dtype)
    if both:  # so that it is the same, to the bit, whether the input's gradient is computed at once or not
        turned = (
            partial(lines.convolve_weight, g, x, kernel, *back[:2], groups)
            if both == "lines"
            else partial(columns.convolve_weight, g, x, kernel, *back)
        )
        found = finite_or(turned, lambda: _turned(by_columns(), groups))
        return np.ascontiguousarray(_turned(found, groups))
    if chosen == "columns" or not x.size:
        return by_columns()
    if chosen == "lines":
        return finite_or(partial(lines.convolve_weight, x, g, kernel, stride, pads, groups), by_columns)
    t = strip(x.shape[1], made, kernel, stride, dilation, groups, out)
    along = rows.forward_lines(x.shape[2:], out, kernel, stride, pads, dilation, t)
    found = rows.apply_weight(x, g, along, kernel)
    return np.ascontiguousarray(found.transpose(2, 1, 0)).reshape(made, x.shape[1], *kernel)


def _weight_by_halves(
    x: np.ndarray, g: np.ndarray, options: tuple[Sizes, Sizes, Pads, Sizes], groups: int
) -> np.ndarray:
    if groups > 1:
        return np.concatenate(of_halves(convolve_weight, x, g, (1, 1), options, groups), axis=0)
    return np.concatenate([convolve_weight(half, g, *options, 1) for half in halves(x, 1)], axis=1)


def shared(
    samples: int, channels: int, made: int, kernel: Sizes, size: Sizes, out: Sizes, options: Options, dtype: Any
) -> tuple[str, Options]:
    """The way by which both gradients are computed of one reading of g, "" if there is none; and its options.

    These are the options of the convolution of g with the kernel turned round.
    """
    stride, pads, dilation, groups = options
    back = stride, _around(size, out, kernel, pads, dilation), dilation, groups
    if max(stride) > 1 or channels < FEW or not samples * made * math.prod(size) * math.prod(out):
        return "", back
    first = way(samples, channels, made, kernel, out, options, dtype)
    second = way(samples, made, channels, kernel, size, back, dtype)
    if first != second or (first == "lines" and is_spread(channels, made, size, out)):
        return "", back
    return first if first in ("columns", "winograd", "lines") else "", back


def gradients(
    g: np.ndarray, x: np.ndarray, weight: np.ndarray, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of a convolution's input and weight, which share columns of g, or its windows, where they can."""
    kernel, size, options = weight.shape[2:], x.shape[2:], (stride, pads, dilation, groups)
    shapes = len(x), x.shape[1], len(weight), kernel, size, g.shape[2:]
    chosen, back = shared(*shapes, options, x.dtype)
    if chosen and np.isfinite(weight).all():
        with np.errstate(invalid="ignore", over="ignore"):
            if chosen == "winograd":

                def by_columns(samples: Any) -> np.ndarray:
                    return columns.convolve_transposed(g[samples], weight, size, *options)

                gx, gw = winograd.gradients(x, g, weight, pads, by_columns)
            elif chosen == "lines":
                gx, gw = lines.gradients(g, x, _turned(weight, groups), *back[:2], groups)
                gw = np.ascontiguousarray(_turned(gw, groups))
            else:
                gx, gw = columns.gradients(g, x, _turned(weight, groups), *back)
                gw = np.ascontiguousarray(_turned(gw, groups))
        if np.isfinite(gw).all():  # the zeros around g are multiplied by x, too
            return gx, gw
    if not chosen and max(stride) == 1 and is_spread(x.shape[1], len(weight), size, g.shape[2:]):
        first = way(*shapes[:4], g.shape[2:], options, x.dtype)
        second = way(len(x), len(weight), x.shape[1], kernel, size, back, x.dtype)
        if first == second == "lines" and np.isfinite(weight).all():
            with np.errstate(invalid="ignore", over="ignore"):
                gx, gw = lines.spread_gradients(x, g, _turned(weight, groups), pads, back[1], groups)
            if np.isfinite(gw).all():
                return gx, gw
    by_input = convolve_transposed(g, weight, size, *options)
    return by_input, convolve_weight(x, g, kernel, *options)


def transposed_gradients(
    g: np.ndarray, x: np.ndarray, weight: np.ndarray, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of a transposed convolution's input x and weight, from g; by the same columns of it by a stride."""
    kernel, size, options = weight.shape[2:], x.shape[2:], (stride, pads, dilation, groups)
    chosen = way(len(g), g.shape[1], len(weight), kernel, size, options, g.dtype)
    if max(stride) > 1 and chosen == "columns" and x.size:
        return columns.gradients(g, x, weight, *options)
    return convolve(g, weight, size, *options), convolve_weight(g, x, kernel, *options)
