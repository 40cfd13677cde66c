"""Layers that change the size of images, sequences and volumes, or move elements between channels and places."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.nn.checks import whole
from tinygrad_dl.nn.layers._families import WithOptions
from tinygrad_dl.nn.module import Module
from tinygrad_dl.ops.vision.interpolate import interpolate
from tinygrad_dl.ops.vision.pixel_shuffle import channel_shuffle, pixel_shuffle, pixel_unshuffle

__all__ = [
    "ChannelShuffle",
    "PixelShuffle",
    "PixelUnshuffle",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
]


class Upsample(Module):
    """The input in another size, as `functional.interpolate`.

    Args:
        size: the sizes of the last dimensions; one number for all of them.
        scale_factor: how many times as large, instead of `size`.
        mode: "nearest", "linear", "bilinear", "bicubic", "trilinear", ...
        align_corners: whether the first and last elements stay where they are, instead of the outer edges.

    >>> td.nn.Upsample(scale_factor=2)(td.ones(1, 3, 4, 5)).shape
    (1, 3, 8, 10)
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ):
        super().__init__()
        self.size, self.mode, self.align_corners = size, mode, align_corners
        self.recompute_scale_factor = recompute_scale_factor
        several = isinstance(scale_factor, tuple | list)
        self.scale_factor = (
            tuple([float(each) for each in scale_factor])
            if several
            else None
            if scale_factor is None
            else float(scale_factor)
        )

    def forward(self, input: Any) -> Any:
        """The input in the other size."""
        return interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        size = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{size}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """`Upsample` of (N, C, H, W) with mode "nearest".

    >>> td.nn.UpsamplingNearest2d(scale_factor=2)(td.ones(1, 3, 4, 5)).shape
    (1, 3, 8, 10)
    """

    def __init__(self, size: Any = None, scale_factor: Any = None):
        super().__init__(size, scale_factor)


class UpsamplingBilinear2d(Upsample):
    """`Upsample` of (N, C, H, W) with mode "bilinear" and aligned corners.

    >>> td.nn.UpsamplingBilinear2d(size=(8, 9))(td.ones(1, 3, 4, 5)).shape
    (1, 3, 8, 9)
    """

    def __init__(self, size: Any = None, scale_factor: Any = None):
        super().__init__(size, scale_factor, "bilinear", True)


class PixelShuffle(WithOptions):
    """(..., C r², H, W) to (..., C, H r, W r): r² channels become the pixels of one.

    >>> td.nn.PixelShuffle(2)(td.ones(1, 8, 3, 3)).shape
    (1, 2, 6, 6)
    """

    def __init__(self, upscale_factor: int):
        super().__init__(upscale_factor=whole(self, "upscale_factor", upscale_factor, 1))

    def forward(self, input: Any) -> Any:
        """The input with channels as pixels."""
        return pixel_shuffle(input, self.upscale_factor)


class PixelUnshuffle(WithOptions):
    """(..., C, H r, W r) to (..., C r², H, W): `PixelShuffle` undone.

    >>> td.nn.PixelUnshuffle(2)(td.ones(1, 2, 6, 6)).shape
    (1, 8, 3, 3)
    """

    def __init__(self, downscale_factor: int):
        super().__init__(downscale_factor=whole(self, "downscale_factor", downscale_factor, 1))

    def forward(self, input: Any) -> Any:
        """The input with pixels as channels."""
        return pixel_unshuffle(input, self.downscale_factor)


class ChannelShuffle(WithOptions):
    """(N, C, ...) with the channels of `groups` groups dealt out in turn.

    >>> td.nn.ChannelShuffle(2)(td.arange(4.0).reshape(1, 4, 1)).flatten()
    tensor([0., 2., 1., 3.])
    """

    def __init__(self, groups: int):
        super().__init__(groups=whole(self, "groups", groups, 1))

    def forward(self, input: Any) -> Any:
        """The input with its channels in another order."""
        return channel_shuffle(input, self.groups)
