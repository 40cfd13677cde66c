"""What all transforms share: batches in, batches out, and where the random numbers come from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import Composed
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.random import Generator, rng_of

__all__ = ["Compose", "Transform", "as_pair", "fraction"]


def fraction(name: str, option: str, value: float) -> float:
    """A probability; anything outside [0, 1] is an error."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: expected {option} between 0 and 1, got {value}")
    return float(value)


def as_pair(name: str, option: str, value: Any, centre: float = 0.0, low: float | None = None) -> tuple[float, float]:
    """A range from a pair, or from a number: that far to both sides of the centre."""
    if isinstance(value, int | float | np.number):
        if value < 0:
            raise ValueError(f"{name}: expected {option} of 0 or more, or a pair (low, high), got {value}")
        start = centre - float(value)
        pair = (start if low is None else max(low, start), centre + float(value))
    else:
        ends = tuple(map(float, value))
        if len(ends) != 2:
            raise ValueError(f"{name}: expected {option} to be a number or a pair (low, high), got {value}")
        pair = ends
    if pair[0] > pair[1] or (low is not None and pair[0] < low):
        limit = "" if low is None else f"{low} <= "
        raise ValueError(f"{name}: expected {option} with {limit}low <= high, got {value}")
    return pair


class Transform(Composed):
    """A change of a batch of images (N, C, H, W), drawn for each image on its own. Write a subclass with `apply`.

    Images are arrays or tensors, uint8 from 0 to 255 or floating (from 0 to 1 where the range matters); shape (apart
    from crops) and dtype are kept, and what is given is never changed. A single image (C, H, W) is fine too. With
    labels, `transform(images, labels)` returns both.

    Random numbers come from `generator`, or from the default one, which a `DataLoader` seeds anew for each batch: leave
    the generator out of what worker processes run.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> class Negative(transforms.Transform):
    ...     def apply(self, images, rng):
    ...         return 1 - images
    >>> Negative()(np.zeros((1, 1, 1, 2)))
    array([[[[1., 1.]]]])

    Source: https://docs.pytorch.org/vision/stable/transforms.html
    """

    floating = False  # whether only floating images will do
    generator: Generator | None = None

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The changed batch (N, C, H, W); draws from `rng`, and leaves `images` alone."""
        raise NotImplementedError(
            f"{type(self).__name__}: got a Transform without apply, expected one; define apply(self, images, rng)"
        )

    def __call__(self, images: Any, labels: Any = None) -> Any:
        name = type(self).__name__
        try:
            array = as_array(images)
        except TypeError:
            raise TypeError(f"{name}: got images={summary(images)}, expected a tensor or an array of numbers") from None
        if array.ndim not in (3, 4):
            raise ValueError(
                f"{name}: expected images (N, C, H, W), or one (C, H, W), got shape {array.shape}; grey images need a "
                "dimension for their one channel: images[:, None]"
            )
        if array.dtype.kind != "f" and (self.floating or array.dtype != np.uint8):
            kinds = "floating images" if self.floating else "uint8 or floating images"
            raise TypeError(f"{name}: expected {kinds}, got {array.dtype}; convert them with images / 255")
        batch = array if array.ndim == 4 else array[None]
        changed = self.apply(batch, rng_of(self.generator)) if batch.size else batch.copy()
        if array.ndim == 3:
            changed = changed[0]
        result = wrap(changed) if isinstance(images, Tensor) else changed
        return result if labels is None else (result, labels)

    def __repr__(self) -> str:
        options = (f"{name}={value!r}" for name, value in vars(self).items() if value is not None and name[0] != "_")
        return f"{type(self).__name__}({', '.join(options)})"


class Compose(Composed):
    """Several transforms, one after the other.

    >>> import numpy as np
    >>> from tinygrad_dl.data import transforms
    >>> change = transforms.Compose([transforms.RandomHorizontalFlip(p=1.0), transforms.Normalize(0.5, 0.5)])
    >>> change(np.array([[[[0.0, 1.0]]]]))
    array([[[[ 1., -1.]]]])
    """

    def __init__(self, transforms: Iterable[Any]):
        self.transforms = list(transforms)

    def __call__(self, images: Any, labels: Any = None) -> Any:
        for transform in self.transforms:
            if labels is None:
                images = transform(images)
            else:
                images, labels = transform(images, labels)
        return images if labels is None else (images, labels)

    def __repr__(self) -> str:
        return f"Compose([{', '.join(map(repr, self.transforms))}])"
