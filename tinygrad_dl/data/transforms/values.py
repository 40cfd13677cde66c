"""Transforms that change the values of pixels: normalising, colours, noise, erasing, mixing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import Composed
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.data.transforms.base import Transform, as_pair, fraction
from tinygrad_dl.random import Generator, rng_of

__all__ = ["ColorJitter", "Cutout", "GaussianNoise", "MixUp", "Normalize", "RandomErasing"]

GREY = (0.2989, 0.587, 0.114)  # of red, green and blue, in the brightness that is seen


class Normalize(Transform):
    """(images - mean) / std, channel by channel. Floating images only.

    Args:
        mean: one number, or one for each channel.
        std: the same; above 0.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> transforms.Normalize(0.5, 0.25)(np.full((1, 1, 1, 2), 0.75))
    array([[[[1., 1.]]]])
    """

    floating = True

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]):
        self.mean = mean
        self.std = std
        self._mean, self._std = (np.asarray(as_array(part), np.float64).reshape(-1, 1, 1) for part in (mean, std))
        if not (self._std > 0).all():
            raise ValueError(f"Normalize: expected std above 0, got {std}")

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for part in (self._mean, self._std):
            if len(part) not in (1, images.shape[1]):
                raise ValueError(
                    f"Normalize: expected one mean and std, or one for each of the {images.shape[1]} channels, got "
                    f"{len(part)}"
                )
        changed: np.ndarray = images - self._mean.astype(images.dtype)
        changed /= self._std.astype(images.dtype)
        return changed


def _top(images: np.ndarray) -> float:
    return 255.0 if images.dtype == np.uint8 else 1.0


def _finish(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Computed values in the dtype of the images; bytes are rounded."""
    if like.dtype == np.uint8:
        values = np.rint(values)
    return np.asarray(values, like.dtype)


def _working(images: np.ndarray) -> np.ndarray:
    """A copy to compute in: float64 for float64, else float32."""
    return images.astype(np.float64 if images.dtype == np.float64 else np.float32)


class ColorJitter(Transform):
    """Changes brightness, contrast, saturation and hue of each image, in this order, by amounts of its own.

    Meant for images from 0 to 1 (or of bytes), so before `Normalize`; results stay in that range. Saturation and hue
    are left alone in images without three channels.

    Args:
        brightness: the range of factors, (low, high); a number b means (max(0, 1 - b), 1 + b).
        contrast: the same, about the image's mean brightness.
        saturation: the same, about grey.
        hue: the range of turns of the colour circle, within [-0.5, 0.5]; a number h means (-h, h).
        generator: where the random numbers come from.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> transforms.ColorJitter(brightness=(0.5, 0.5))(np.ones((1, 1, 1, 2)))
    array([[[[0.5, 0.5]]]])
    """

    def __init__(
        self,
        brightness: float | tuple[float, float] = 0,
        contrast: float | tuple[float, float] = 0,
        saturation: float | tuple[float, float] = 0,
        hue: float | tuple[float, float] = 0,
        generator: Generator | None = None,
    ):
        self.brightness = as_pair("ColorJitter", "brightness", brightness, centre=1.0, low=0.0)
        self.contrast = as_pair("ColorJitter", "contrast", contrast, centre=1.0, low=0.0)
        self.saturation = as_pair("ColorJitter", "saturation", saturation, centre=1.0, low=0.0)
        self.hue = as_pair("ColorJitter", "hue", hue)
        if min(self.hue) < -0.5 or max(self.hue) > 0.5:
            raise ValueError(f"ColorJitter: expected hue within [-0.5, 0.5], got {hue}")
        self.generator = generator

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        values, top, colours = _working(images), _top(images), images.shape[1] == 3

        def factors(pair: tuple[float, float]) -> np.ndarray:
            return rng.uniform(*pair, (len(images), 1, 1, 1)).astype(values.dtype)

        def grey() -> np.ndarray:
            return np.tensordot(np.asarray(GREY, values.dtype), values, (0, 1))[:, None]

        if self.brightness != (1, 1):
            values *= factors(self.brightness)
            np.clip(values, 0, top, out=values)
        if self.contrast != (1, 1):
            middle = (grey() if colours else values).mean(axis=(1, 2, 3), keepdims=True)
            values = np.clip(middle + (values - middle) * factors(self.contrast), 0, top)
        if self.saturation != (1, 1) and colours:
            plain = grey()
            values = np.clip(plain + (values - plain) * factors(self.saturation), 0, top)
        if self.hue != (0, 0) and colours:
            values = turn_hue(values / top, factors(self.hue)[:, 0]) * top
        return _finish(values, images)


def turn_hue(images: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Images (N, 3, H, W) from 0 to 1 with their hue (of the HSV model) turned by `turns` (N, 1, 1) of the circle."""
    red, green, blue = images[:, 0], images[:, 1], images[:, 2]
    value = images.max(axis=1)
    chroma = value - images.min(axis=1)
    safe = np.where(chroma == 0, 1, chroma)
    sector = np.where(
        value == red, (green - blue) / safe, np.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe)
    )
    # The hue in sixths of the circle; each channel is the value less the chroma's share at its distance from it.
    hue = sector + 6 * turns
    channels = []
    for start in (5, 3, 1):
        k = start + hue
        k -= 6 * np.floor(k / 6)
        channels.append(value - chroma * np.clip(np.minimum(k, 4 - k), 0, 1))
    return np.asarray(np.stack(channels, axis=1), images.dtype)


class GaussianNoise(Transform):
    """Adds normal noise to every pixel, in fractions of the range of values.

    Args:
        mean, sigma: of the noise; for bytes these are fractions of 255. A pair (low, high) draws a sigma
            for each image.
        clip: whether results are kept within 0 to 1 (bytes are always kept within 0 to 255).
        generator: where the random numbers come from.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> noisy = transforms.GaussianNoise(sigma=0.2)(np.full((4, 1, 28, 28), 0.5))
    >>> bool(0.15 < noisy.std() < 0.25)
    True

    Source: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.GaussianNoise.html
    """

    def __init__(
        self,
        mean: float = 0.0,
        sigma: float | tuple[float, float] = 0.1,
        clip: bool = True,
        generator: Generator | None = None,
    ):
        self.mean = float(mean)
        self.sigma = (float(sigma),) * 2 if isinstance(sigma, int | float) else as_pair("GaussianNoise", "sigma", sigma)
        if self.sigma[0] < 0:
            raise ValueError(f"GaussianNoise: expected sigma of 0 or more, got {sigma}")
        self.clip = clip
        self.generator = generator

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        values, top = _working(images), _top(images)
        noise = rng.standard_normal(values.shape, dtype=values.dtype.type)
        noise *= rng.uniform(*self.sigma, (len(images), 1, 1, 1)).astype(values.dtype) * top
        values += noise
        values += self.mean * top
        if self.clip or images.dtype == np.uint8:
            np.clip(values, 0, top, out=values)
        return _finish(values, images)


def _erase(images: np.ndarray, top: Any, left: Any, high: Any, wide: Any, value: Any) -> np.ndarray:
    """Images with one rectangle each set to a value; what of it is outside is left out."""

    def within(start: np.ndarray, length: np.ndarray, total: int) -> np.ndarray:
        at = np.arange(total)
        inside: np.ndarray = (at >= start[:, None]) & (at < (start + length)[:, None])
        return inside

    rows, columns = within(top, high, images.shape[2]), within(left, wide, images.shape[3])
    inside = rows[:, None, :, None] & columns[:, None, None, :]
    filling = np.asarray(value).reshape(-1, 1, 1).astype(images.dtype)
    return np.where(inside, filling, images)


class RandomErasing(Transform):
    """Sets a rectangle of random size and place to a value, in each image with probability `p`.

    Args:
        p: the probability.
        scale: the range of its area, as fractions of the image's.
        ratio: the range of its height over its width.
        value: what it is filled with: one number, or one for each channel.
        generator: where the random numbers come from.

    A rectangle that would be higher or wider than the image is cut down to it.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> erased = transforms.RandomErasing(p=1.0, scale=(0.25, 0.25), ratio=(1, 1))(np.ones((1, 1, 8, 8)))
    >>> int((erased == 0).sum())
    16
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: float | Sequence[float] = 0,
        generator: Generator | None = None,
    ):
        self.p = fraction("RandomErasing", "p", p)
        self.scale = as_pair("RandomErasing", "scale", scale, low=0.0)
        fraction("RandomErasing", "scale", self.scale[1])
        self.ratio = as_pair("RandomErasing", "ratio", ratio, low=0.0)
        if self.ratio[0] == 0:
            raise ValueError(f"RandomErasing: expected ratio above 0, got {ratio}")
        self.value = value
        self.generator = generator

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        count, _, height, width = images.shape
        chosen = rng.random(count) < self.p
        area = rng.uniform(*self.scale, count) * (height * width)
        ratio = np.exp(rng.uniform(math.log(self.ratio[0]), math.log(self.ratio[1]), count))
        high = np.minimum(np.rint(np.sqrt(area * ratio)).astype(int), height)
        wide = np.minimum(np.rint(np.sqrt(area / ratio)).astype(int), width)
        top, left = rng.integers(height - high + 1), rng.integers(width - wide + 1)
        return _erase(images, top, left, high * chosen, wide, self.value)


class Cutout(Transform):
    """Sets a square about a random pixel of each image to a value; what of it is outside is left out.

    Args:
        size: the side of the square, in pixels.
        value: what it is filled with.
        generator: where the random numbers come from.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> bool((transforms.Cutout(4)(np.ones((1, 1, 8, 8))) == 0).any())
    True

    Source: https://arxiv.org/abs/1708.04552
    """

    def __init__(self, size: int, value: float | Sequence[float] = 0, generator: Generator | None = None):
        if size < 1:
            raise ValueError(f"Cutout: expected size of 1 or more, got {size}")
        self.size = size
        self.value = value
        self.generator = generator

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        count, _, height, width = images.shape
        top, left = (rng.integers(total, size=count) - self.size // 2 for total in (height, width))
        return _erase(images, top, left, np.full(count, self.size), np.full(count, self.size), self.value)


class MixUp(Composed):
    """Mixes each image with another of the batch, and their labels in the same proportion.

    `mix(images, labels)` returns images, share * image + (1 - share) * other, and probabilities (N, num_classes), which
    `cross_entropy` takes as targets. The share is drawn for each image, from the Beta distribution.

    Args:
        num_classes: how many classes there are. Not needed if the labels are probabilities already.
        alpha: both parameters of the Beta distribution, above 0; small ones leave most images nearly alone.
        generator: where the random numbers come from.

    Raises:
        ValueError: labels of another number than the images, or outside the classes.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> images, labels = transforms.MixUp(num_classes=3)(np.ones((2, 1, 2, 2), "float32"), np.array([0, 2]))
    >>> labels.sum(axis=1).round(4)
    array([1., 1.], dtype=float32)

    Source: https://arxiv.org/abs/1710.09412
    """

    def __init__(self, num_classes: int | None = None, alpha: float = 1.0, generator: Generator | None = None):
        if not alpha > 0:
            raise ValueError(f"MixUp: expected alpha above 0, got {alpha}")
        self.num_classes = num_classes
        self.alpha = float(alpha)
        self.generator = generator

    def __call__(self, images: Any, labels: Any) -> tuple[Any, Any]:
        array, targets = as_array(images), as_array(labels)
        if array.dtype.kind != "f":
            raise TypeError(f"MixUp: expected floating images, got {array.dtype}; convert them with images / 255")
        if array.ndim < 2 or len(array) != len(np.atleast_1d(targets)):
            raise ValueError(
                f"MixUp: expected a batch and one label for each, got shapes {array.shape} and {targets.shape}"
            )
        if targets.ndim == 1:
            targets = self._one_hot(targets, array.dtype)
        rng = rng_of(self.generator)
        shares = rng.beta(self.alpha, self.alpha, len(array)).astype(array.dtype)
        partners = rng.permutation(len(array))

        def mixed(values: np.ndarray) -> np.ndarray:
            share = shares.astype(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
            result: np.ndarray = values * share + values[partners] * (1 - share)
            return result

        new, soft = mixed(array), mixed(targets)
        return wrap(new) if isinstance(images, Tensor) else new, wrap(soft) if isinstance(labels, Tensor) else soft

    def _one_hot(self, labels: np.ndarray, dtype: Any) -> np.ndarray:
        if self.num_classes is None or labels.dtype.kind not in "iu":
            raise ValueError(
                f"MixUp: got labels of {labels.dtype}{list(labels.shape)}, expected whole numbers with num_classes "
                "given, or probabilities (N, num_classes)"
            )
        if labels.size and not 0 <= labels.min() <= labels.max() < self.num_classes:
            raise ValueError(
                f"MixUp: expected labels from 0 to {self.num_classes - 1}, got {labels.min()} to {labels.max()}"
            )
        rows: np.ndarray = np.eye(self.num_classes, dtype=dtype)[labels]
        return rows

    def __repr__(self) -> str:
        return f"MixUp(num_classes={self.num_classes}, alpha={self.alpha})"
