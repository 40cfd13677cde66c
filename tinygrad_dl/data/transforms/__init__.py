"""Transforms of batches of images (N, C, H, W): each image is changed at random, all of them at once.

>>> import tinygrad_dl as td
>>> from tinygrad_dl.data import transforms
>>> augment = transforms.Compose([
...     transforms.RandomHorizontalFlip(),
...     transforms.RandomCrop(32, padding=4),
...     transforms.Normalize([0.5, 0.5, 0.5], [0.25, 0.25, 0.25]),
... ])
>>> augment(td.rand(8, 3, 32, 32)).shape
(8, 3, 32, 32)
"""

from __future__ import annotations

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.data.transforms.base import Compose, Transform
from tinygrad_dl.data.transforms.geometric import (
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomRotation,
    RandomShear,
    RandomVerticalFlip,
)
from tinygrad_dl.data.transforms.values import ColorJitter, Cutout, GaussianNoise, MixUp, Normalize, RandomErasing

# fmt: off
__all__ = [
    "ColorJitter", "Compose", "Cutout", "GaussianNoise", "MixUp", "Normalize", "RandomAffine", "RandomCrop",
    "RandomErasing", "RandomHorizontalFlip", "RandomRotation", "RandomShear", "RandomVerticalFlip", "Transform",
]
# fmt: on


public(globals(), "vision/stable/generated/torchvision.transforms.{}.html")
