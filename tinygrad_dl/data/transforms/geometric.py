"""Transforms that move pixels: flips, crops, rotation, shear and their like."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.data.transforms.base import Transform, as_pair, fraction
from tinygrad_dl.random import Generator

__all__ = ["RandomAffine", "RandomCrop", "RandomHorizontalFlip", "RandomRotation", "RandomShear", "RandomVerticalFlip"]


class RandomHorizontalFlip(Transform):
    """Mirrors each image left to right, with probability `p`.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> transforms.RandomHorizontalFlip(p=1.0)(np.array([[[[1.0, 2.0, 3.0]]]]))
    array([[[[3., 2., 1.]]]])
    """

    _axis = 3

    def __init__(self, p: float = 0.5, generator: Generator | None = None):
        self.p = fraction(type(self).__name__, "p", p)
        self.generator = generator

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        chosen = rng.random(len(images)) < self.p
        changed = images.copy()
        changed[chosen] = np.flip(images[chosen], self._axis)
        return changed


class RandomVerticalFlip(RandomHorizontalFlip):
    """Mirrors each image top to bottom, with probability `p`.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> transforms.RandomVerticalFlip(p=1.0)(np.array([[[[1.0], [2.0]]]])).ravel()
    array([2., 1.])
    """

    _axis = 2


class RandomCrop(Transform):
    """Cuts a window out of each image, at a random place.

    Args:
        size: (height, width) of the window, or one number for both.
        padding: pixels that are added to all four sides first, (left and right, top and bottom), or one for each side:
            left, top, right, bottom.
        fill: the value of pixels that are added.
        padding_mode: "constant" (the fill), "edge", "reflect" or "symmetric".
        generator: where the random numbers come from.

    Raises:
        ValueError: the window is larger than the padded image.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> transforms.RandomCrop(4, padding=1)(np.zeros((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        padding: int | tuple[int, ...] | None = None,
        fill: float = 0,
        padding_mode: str = "constant",
        generator: Generator | None = None,
    ):
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        if len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f"RandomCrop: expected size to be (height, width), 1 or more, got {size}")
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError(
                f"RandomCrop: expected padding_mode 'constant', 'edge', 'reflect' or 'symmetric', got {padding_mode!r}"
            )
        sides = (padding or 0,) if isinstance(padding, int | None) else tuple(padding)
        if len(sides) not in (1, 2, 4) or min(sides) < 0:
            raise ValueError(f"RandomCrop: expected padding of 1, 2 or 4 numbers, 0 or more, got {padding}")
        self.padding = sides * (4 // len(sides))
        self.fill = fill
        self.padding_mode = padding_mode
        self.generator = generator

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        left, top, right, bottom = self.padding
        if any(self.padding):
            options: dict[str, Any] = {"constant_values": self.fill} if self.padding_mode == "constant" else {}
            widths = ((0, 0), (0, 0), (top, bottom), (left, right))
            pad: Any = np.pad
            images = pad(images, widths, mode=self.padding_mode, **options)
        high, wide = images.shape[2] - self.size[0], images.shape[3] - self.size[1]
        if high < 0 or wide < 0:
            raise ValueError(
                f"RandomCrop: got size {self.size} for images of {images.shape[2:]} with padding, expected at most the "
                "size of the images; give a smaller size or a larger padding"
            )
        windows = np.lib.stride_tricks.sliding_window_view(images, self.size, axis=(2, 3))
        rows, columns = rng.integers(high + 1, size=len(images)), rng.integers(wide + 1, size=len(images))
        return np.ascontiguousarray(windows[np.arange(len(images)), :, rows, columns])


def warp(images: np.ndarray, matrices: np.ndarray, shifts: np.ndarray, fill: float, nearest: bool) -> np.ndarray:
    """Images whose pixel at x (from the centre) is what the given images have at `matrix @ x + shift`, interpolated.

    All images and channels at once: the four neighbours of every point are gathered and weighted.

    Args:
        images: (N, C, H, W).
        matrices: (N, 2, 2), of (x, y).
        shifts: (N, 2), in pixels.
        fill: the value beyond the border.
        nearest: take the nearest pixel instead of four.
    """
    count, channels, height, width = images.shape
    x = np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2)
    y = (np.arange(height, dtype=np.float32) - np.float32((height - 1) / 2))[:, None]
    matrices, shifts = matrices.astype(np.float32), shifts.astype(np.float32)

    def source(row: int, middle: float) -> np.ndarray:
        along, across = (matrices[:, row, column, None, None] for column in (0, 1))
        found: np.ndarray = along * x + across * y + (shifts[:, row, None, None] + np.float32(middle))
        return found

    # One plane for each channel, with a border of two rows and columns of fill around each image: what lies further
    # outside is moved into the border.
    high, wide = height + 4, width + 4
    padded = np.full((channels, count, high, wide), fill, images.dtype)
    padded[:, :, 2:-2, 2:-2] = images.transpose(1, 0, 2, 3)
    planes = padded.reshape(channels, -1)
    points = [
        np.clip(source(0, (width - 1) / 2) + 2, 0, width + 2),
        np.clip(source(1, (height - 1) / 2) + 2, 0, height + 2),
    ]
    if nearest:
        points = [point + np.float32(0.5) for point in points]
    lows = [point.astype(np.int32) for point in points]  # none is negative
    at = lows[1].astype(np.intp) * wide + lows[0] + np.arange(count)[:, None, None] * (high * wide)
    changed = np.empty_like(images, order="C")
    if nearest:
        for channel, plane in enumerate(planes):
            changed[:, channel] = plane.take(at)
        return changed
    kind = np.float64 if images.dtype == np.float64 else np.float32
    fx, fy = ((point - low).astype(kind) for point, low in zip(points, lows, strict=True))
    gx, gy = 1 - fx, 1 - fy
    weights = (gx * gy, fx * gy, gx * fy, fx * fy)
    places = (at, at + 1, at + wide, at + (wide + 1))
    for channel, plane in enumerate(planes):
        total = np.zeros(at.shape, kind)
        for weight, place in zip(weights, places, strict=True):
            total += weight * plane.take(place)
        changed[:, channel] = np.rint(total) if images.dtype == np.uint8 else total
    return changed


class RandomAffine(Transform):
    """Rotates, moves, scales and shears each image, by amounts of its own.

    Args:
        degrees: the range of angles, (low, high), counter-clockwise; a number d means (-d, d).
        translate: the largest moves, as fractions (of the width, of the height).
        scale: the range of factors, (low, high).
        shear: the range of shear angles along x in degrees, (low, high); a number s means (-s, s); four numbers are the
            ranges along x and along y.
        interpolation: "bilinear" or "nearest".
        fill: the value of pixels that come from outside.
        generator: where the random numbers come from.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> image = np.zeros((1, 1, 3, 3))
    >>> image[0, 0, 0, 1] = 1
    >>> transforms.RandomAffine((90, 90))(image)[0, 0].round(4) + 0.0
    array([[0., 0., 0.],
           [1., 0., 0.],
           [0., 0., 0.]])
    """

    def __init__(
        self,
        degrees: float | tuple[float, float],
        translate: tuple[float, float] | None = None,
        scale: tuple[float, float] | None = None,
        shear: float | tuple[float, ...] | None = None,
        interpolation: str = "bilinear",
        fill: float = 0,
        generator: Generator | None = None,
    ):
        name = type(self).__name__
        if interpolation not in ("bilinear", "nearest"):
            raise ValueError(f"{name}: expected interpolation 'bilinear' or 'nearest', got {interpolation!r}")
        self.degrees = as_pair(name, "degrees", degrees)
        self.translate = None if translate is None else tuple(fraction(name, "translate", part) for part in translate)
        self.scale = None if scale is None else as_pair(name, "scale", scale, low=0.0)
        if self.scale is not None and self.scale[0] == 0:
            raise ValueError(f"{name}: expected scale above 0, got {scale}")
        four = isinstance(shear, tuple | list) and len(shear) == 4
        self.shear = None
        if shear is not None:
            parts = (shear[:2], shear[2:]) if isinstance(shear, tuple | list) and four else (shear, (0.0, 0.0))
            self.shear = tuple(as_pair(name, "shear", part) for part in parts)
        self.interpolation = interpolation
        self.fill = fill
        self.generator = generator

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        count = len(images)
        angle = np.deg2rad(rng.uniform(*self.degrees, count))
        cos, sin = np.cos(angle), np.sin(angle)
        # The inverse of rotation @ shear * scale, as it leads from the new image to the old; y points down.
        turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], 1)
        if self.shear is not None:
            tangents = [np.tan(np.deg2rad(rng.uniform(*part, count))) for part in self.shear]
            slant = np.tile(np.eye(2), (count, 1, 1))
            slant[:, 0, 1], slant[:, 1, 0] = tangents
            turn = np.linalg.inv(slant) @ turn
        if self.scale is not None:
            turn = turn / rng.uniform(*self.scale, count)[:, None, None]
        moves = np.zeros((count, 2))
        if self.translate is not None:
            moves = rng.uniform(-1, 1, (count, 2)) * self.translate * np.array([images.shape[3], images.shape[2]])
        shifts = -(turn @ moves[:, :, None])[:, :, 0]
        return warp(images, turn, shifts, self.fill, self.interpolation == "nearest")


class RandomRotation(RandomAffine):
    """Turns each image about its centre, by an angle of its own.

    Args:
        degrees: the range of angles, (low, high), counter-clockwise; a number d means (-d, d).
        interpolation: "bilinear" or "nearest".
        fill: the value of pixels that come from outside.
        generator: where the random numbers come from.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> transforms.RandomRotation(15)(np.zeros((2, 1, 8, 8))).shape
    (2, 1, 8, 8)
    """

    def __init__(
        self,
        degrees: float | tuple[float, float],
        interpolation: str = "bilinear",
        fill: float = 0,
        generator: Generator | None = None,
    ):
        super().__init__(degrees, interpolation=interpolation, fill=fill, generator=generator)


class RandomShear(RandomAffine):
    """Slants each image, by an angle of its own: `RandomAffine` with nothing but a shear.

    Args:
        shear: the range of angles along x in degrees, as in `RandomAffine`.
        interpolation: "bilinear" or "nearest".
        fill: the value of pixels that come from outside.
        generator: where the random numbers come from.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> transforms.RandomShear(10)(np.zeros((2, 1, 8, 8))).shape
    (2, 1, 8, 8)

    Source: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.RandomAffine.html
    """

    def __init__(
        self,
        shear: float | tuple[float, ...],
        interpolation: str = "bilinear",
        fill: float = 0,
        generator: Generator | None = None,
    ):
        super().__init__(0, shear=shear, interpolation=interpolation, fill=fill, generator=generator)
