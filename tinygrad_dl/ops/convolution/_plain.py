"""Convolutions of arrays of other modules than NumPy: by columns, in a few operations on whole arrays.

What the kernel sees at each place is a row, (groups, N * places, channels * kernel), and the rest a product of stacks.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import contiguous, module_of, strided_view
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes, spatial


def windows(x: Any, kernel: Sizes, stride: Sizes, dilation: Sizes, out: Sizes) -> Any:
    """A view (N, C, *kernel, *out) of a contiguous array: for each place of the kernel what it sees."""
    steps = x.strides[2:]
    apart = [d * step for d, step in zip(dilation, steps, strict=True)]
    on = [s * step for s, step in zip(stride, steps, strict=True)]
    return strided_view(x, (*x.shape[:2], *kernel, *out), (*x.strides[:2], *apart, *on))


def padded(x: Any, pads: Pads) -> Any:
    """The array with zeros around its spatial dimensions, contiguous; negative padding cuts off."""
    cut = [slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape[2:], pads, strict=True)]
    around = [(max(a, 0), max(b, 0)) for a, b in pads]
    return contiguous(np.pad(x[spatial(*cut)], [(0, 0), (0, 0), *around]))


def columns(x: Any, kernel: Sizes, out: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int) -> Any:
    """(groups, N * places, C / groups * kernel): what the kernel sees at each place."""
    k, each = len(kernel), x.shape[1] // groups
    seen = windows(padded(x, pads), kernel, stride, dilation, out).reshape(len(x), groups, each, *kernel, *out)
    order = (1, 0, *range(3 + k, 3 + 2 * k), 2, *range(3, 3 + k))
    return seen.transpose(order).reshape(groups, len(x) * math.prod(out), each * math.prod(kernel))


def by_group(x: Any, groups: int) -> Any:
    """(N, C, *size) as (groups, N * places, C / groups)."""
    rows = x.reshape(len(x), groups, x.shape[1] // groups, math.prod(x.shape[2:])).transpose(1, 0, 3, 2)
    return rows.reshape(groups, len(x) * rows.shape[2], rows.shape[3])


def convolve(x: Any, weight: Any, out: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int) -> Any:
    """(N, C, *in) with (O, C / groups, *kernel) gives (N, O, *out)."""
    kernel, made = weight.shape[2:], len(weight) // groups
    rows = columns(x, kernel, out, stride, pads, dilation, groups)
    flat = weight.reshape(groups, made, math.prod(weight.shape[1:]))
    found = np.matmul(rows, flat.swapaxes(1, 2)).reshape(groups, len(x), math.prod(out), made)
    return found.transpose(1, 0, 3, 2).reshape(len(x), len(weight), *out)


def convolve_transposed(
    g: Any, weight: Any, size: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> Any:
    """(N, O, *out) with (O, C / groups, *kernel) gives (N, C, *size)."""
    kernel, out, each = weight.shape[2:], g.shape[2:], weight.shape[1]
    flat = weight.reshape(groups, len(weight) // groups, each * math.prod(kernel))
    parts = np.matmul(by_group(g, groups), flat).reshape(groups, len(g), *out, each, *kernel)
    reach = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(out, stride, dilation, kernel, strict=True)]
    wide = [max(r, a + n) for r, n, (a, _) in zip(reach, size, pads, strict=True)]
    total = module_of(g).zeros((groups, len(g), each, *wide), g.dtype)
    for place in itertools.product(*map(range, kernel)):
        here = [
            slice(d * at, d * at + (n - 1) * s + 1, s) for at, d, n, s in zip(place, dilation, out, stride, strict=True)
        ]
        total[spatial(*here)] += np.moveaxis(parts[(..., *place)], -1, 2)
    whole = total.swapaxes(0, 1).reshape(len(g), groups * each, *wide)
    return padded(whole, tuple([(-a, n + a - m) for m, n, (a, _) in zip(wide, size, pads, strict=True)]))


def convolve_weight(x: Any, g: Any, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int) -> Any:
    """(N, C, *in) with (N, O, *out) gives (O, C / groups, *kernel): the gradient of the weight."""
    rows = columns(x, kernel, g.shape[2:], stride, pads, dilation, groups)
    found = np.matmul(by_group(g, groups).swapaxes(1, 2), rows)
    return found.reshape(g.shape[1], x.shape[1] // groups, *kernel)
