"""The shapes, options and dtype of a convolution as one value: all that the choice of its way depends on."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tinygrad_dl.ops.convolution._shapes import Pads, Sizes

Options = tuple[Sizes, Pads, Sizes, int]  # stride, padding, dilation, groups


def around(size: Sizes, out: Sizes, kernel: Sizes, pads: Pads, dilation: Sizes) -> Pads:
    """The padding of the convolution with the kernel turned round, from `out` places back to `size`."""
    found = []
    for n, m, p, d, (a, _) in zip(size, out, kernel, dilation, pads, strict=True):
        before = d * (p - 1) - a
        found.append((before, n - m - before + d * (p - 1)))
    return tuple(found)


class Geometry(NamedTuple):
    """(samples, channels, *size) convolved with (made, channels / groups, *kernel) gives (samples, made, *out)."""

    samples: int
    channels: int
    made: int
    kernel: Sizes
    size: Sizes
    out: Sizes
    stride: Sizes
    pads: Pads
    dilation: Sizes
    groups: int
    dtype: np.dtype[np.generic]

    @property
    def options(self) -> Options:
        return self[6:10]

    @property
    def places(self) -> int:
        """The places of the result, in all samples."""
        return self.samples * math.prod(self.out)

    @property
    def least(self) -> int:
        """The fewer of the channels that a group reads and makes."""
        return min(self.channels, self.made) // self.groups

    def mirrored(self) -> Geometry:
        """From the result to the input, with the same options: what the gradient of the input reads and makes."""
        samples, channels, made, kernel, size, out = self[:6]
        return Geometry(samples, made, channels, kernel, out, size, *self[6:])

    def turned(self) -> Geometry:
        """The convolution with the kernel turned round that computes the input's gradient, if there is no stride."""
        pads = around(self.size, self.out, self.kernel, self.pads, self.dilation)
        return self.mirrored()._replace(stride=(1,) * len(self.kernel), pads=pads)


def geometry(
    x: np.ndarray, weight: np.ndarray, out: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> Geometry:
    """Of the convolution of x with weight."""
    n, c, *size = x.shape
    return Geometry(n, c, len(weight), weight.shape[2:], tuple(size), out, stride, pads, dilation, groups, x.dtype)
