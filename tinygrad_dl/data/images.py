"""Datasets of images, read from a folder that the user names. Nothing is ever downloaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.data.datasets import Dataset
from tinygrad_dl.data.files import read_cifar10, read_idx
from tinygrad_dl.data.pictures import SUFFIXES, pillow, pixels, read_picture, require_inside, require_picture

__all__ = ["CIFAR10", "MNIST", "FashionMNIST", "ImageFolder"]

Path = str | os.PathLike[str]
Transform = Callable[[Any], Any]


def _changed(transform: Transform | None, images: np.ndarray) -> Tensor:
    if transform is None:
        return wrap(images)
    return wrap(as_array(transform(images)))


class _Images(Dataset[tuple[Tensor, Any]]):
    """Images in memory as bytes (N, C, H, W) with their labels; float32 from 0 to 1 when they are asked for."""

    classes: tuple[str, ...]

    def __init__(
        self, images: np.ndarray, targets: np.ndarray, transform: Transform | None, target_transform: Transform | None
    ):
        self.data = images
        self.targets = targets
        self.transform = transform
        self.target_transform = target_transform

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        image = _changed(self.transform, pixels(self.data[index][None]))[0]
        target = int(self.targets[index])
        return image, target if self.target_transform is None else self.target_transform(target)

    def __getbatch__(self, indices: np.ndarray) -> list[Any]:
        images = _changed(self.transform, pixels(self.data[indices]))
        targets: Any = self.targets[indices]
        if self.target_transform is not None:
            targets = np.asarray([self.target_transform(target) for target in targets.tolist()])
        return [images, wrap(targets)]

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.data.shape[1:]))
        return f"{type(self).__name__}({len(self)} images of {shape}, {len(self.classes)} classes)"


def _never(name: str, download: bool, where: str) -> None:
    if download:
        raise ValueError(
            f"{name}: got download={download!r}, expected False: this library downloads nothing; get the files from "
            f"{where}, and leave download out"
        )


def _find(name: str, root: Path, folders: tuple[str, ...], files: tuple[str, ...], where: str) -> str:
    """The first of the files that is there."""
    for folder in folders:
        for file in files:
            path = os.path.join(os.fspath(root), folder, file)
            if os.path.isfile(path):
                return path
    raise FileNotFoundError(
        f"{name}: got root={os.fspath(root)!r}, expected a folder that has {' or '.join(files)}; get it from {where}"
    )


class MNIST(_Images):
    """The handwritten digits: 60,000 images of 28 by 28 for training, 10,000 for testing; from IDX files.

    Args:
        root: the folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
            `t10k-labels-idx1-ubyte`, plain or as `.gz`; torchvision's layout (`MNIST/raw` in it) is fine too.
        train: the images for training, or those for testing.
        transform: called with a batch of images, float32 (N, 1, 28, 28) from 0 to 1; see `data.transforms`.
        target_transform: called with each label.
        download: must be False: nothing is downloaded.

    `dataset.data` holds the bytes (N, 1, 28, 28), `dataset.targets` the labels. A sample is (image, label).

    Raises:
        FileNotFoundError: a file is missing; the message says where to get it.
        ValueError: a file is cut off, or not what it should be.

    >>> from tinygrad_dl import data
    >>> data.MNIST("no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    FileNotFoundError: MNIST: got root='no/such/folder', expected a folder that has train-images-idx3-ubyte ...

    Source: https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.MNIST.html
    """

    classes = tuple("0123456789")
    where = "https://ossci-datasets.s3.amazonaws.com/mnist/"

    def __init__(
        self,
        root: Path,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ):
        name = type(self).__name__
        _never(name, download, self.where)
        part = "train" if train else "t10k"
        folders = ("", os.path.join(name, "raw"))
        found = []
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
            files = (f"{part}-{kind}", f"{part}-{kind}.gz")
            found.append(_find(name, root, folders, files, self.where))
        images, labels = map(read_idx, found)
        if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
            raise ValueError(f"{found[0]}: expected images, uint8 (N, 28, 28), got {images.dtype} {images.shape}")
        if labels.dtype != np.uint8 or labels.ndim != 1:
            raise ValueError(f"{found[1]}: expected labels, uint8 (N,), got {labels.dtype} {labels.shape}")
        if len(images) != len(labels):
            raise ValueError(f"{found[1]}: expected {len(images)} labels, as there are images, got {len(labels)}")
        if len(labels) and labels.max() >= len(self.classes):
            raise ValueError(f"{found[1]}: expected labels from 0 to 9, got {labels.max()}")
        super().__init__(images[:, None], labels.astype(np.int64), transform, target_transform)


class FashionMNIST(MNIST):
    """Pictures of clothes in ten classes, 28 by 28, in the same files and with the same arguments as `MNIST`.

    >>> from tinygrad_dl import data
    >>> data.FashionMNIST.classes[9]
    'Ankle boot'

    Source: https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.FashionMNIST.html
    """

    classes = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
    where = "https://github.com/zalandoresearch/fashion-mnist"


class CIFAR10(_Images):
    """Colour photographs in ten classes: 50,000 of 32 by 32 for training, 10,000 for testing; the binary version.

    Args:
        root: the folder with `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, or with the
            `cifar-10-batches-bin` that holds them. (The Python version is pickles, which are not opened.)
        train: the images for training, or those for testing.
        transform: called with a batch of images, float32 (N, 3, 32, 32) from 0 to 1; see `data.transforms`.
        target_transform: called with each label.
        download: must be False: nothing is downloaded.

    Raises:
        FileNotFoundError: a file is missing; the message says where to get it.
        ValueError: a file is cut off, or not what it should be.

    >>> from tinygrad_dl import data
    >>> data.CIFAR10.classes[6]
    'frog'

    Source: https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.CIFAR10.html
    """

    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    where = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz (the binary version)"

    def __init__(
        self,
        root: Path,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ):
        _never("CIFAR10", download, self.where)
        names = [f"data_batch_{number}.bin" for number in range(1, 6)] if train else ["test_batch.bin"]
        paths = [_find("CIFAR10", root, ("", "cifar-10-batches-bin"), (name,), self.where) for name in names]
        images, labels = zip(*map(read_cifar10, paths), strict=True)
        super().__init__(np.concatenate(images), np.concatenate(labels), transform, target_transform)


class ImageFolder(Dataset[tuple[Tensor, Any]]):
    """Images in folders, one folder for each class: `root/cat/1.png`, `root/dog/2.jpg`. Needs Pillow.

    Args:
        root: the folder of the classes' folders. Classes are numbered by the names of their folders, sorted.
        transform: called with a batch of one image, float32 (1, 3, H, W) from 0 to 1; see `data.transforms`.
        target_transform: called with each label.
        size: (height, width) that every image is resized to; None leaves them as they are, and a batch of images of
            different sizes is an error.

    `classes`, `class_to_idx` and `samples`, a list of (path, label), are as in torchvision.

    Only JPEG, PNG, PPM and PGM, BMP, TIFF, WebP and GIF are opened, by whichever of these names: no format that runs
    another program. Images of 16 bits keep their precision; grey ones get three equal channels.

    Raises:
        FileNotFoundError: there is no such folder, no class in it, or no image in a class.
        ImportError: Pillow is not installed.
        ValueError: a link leads out of the folder, or what has the name of an image is a device, pipe or socket. When a
            sample is read: its file is cut off, or no image, or so small that its many pixels are made up (a
            decompression bomb). The message names the file.

    >>> from tinygrad_dl import data
    >>> data.ImageFolder("no/such/folder")
    Traceback (most recent call last):
    FileNotFoundError: ImageFolder: got root='no/such/folder', expected a folder: there is none

    Source: https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html
    """

    def __init__(
        self,
        root: Path,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        size: tuple[int, int] | None = None,
    ):
        root = os.fspath(root)
        if not os.path.isdir(root):
            raise FileNotFoundError(f"ImageFolder: got root={os.fspath(root)!r}, expected a folder: there is none")
        self.root = root
        self.transform = transform
        self.target_transform = target_transform
        self.size = size
        self._real = os.path.realpath(root)
        self.classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
        if not self.classes:
            raise FileNotFoundError(
                f"ImageFolder: got root={os.fspath(root)!r} without folders, expected one for each class"
            )
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self.samples: list[tuple[str, int]] = []
        for name, label in self.class_to_idx.items():
            before = len(self.samples)
            self.samples += [(path, label) for path in _image_files(os.path.join(root, name), self._real)]
            if len(self.samples) == before:
                raise FileNotFoundError(
                    f"ImageFolder: got no image in {os.path.join(root, name)}, expected files that end in "
                    f"{', '.join(SUFFIXES)}"
                )
        self.targets = [label for _, label in self.samples]
        pillow()

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        path, target = self.samples[index]
        image = _changed(self.transform, read_picture(path, self.size, self._real)[None])[0]
        return image, target if self.target_transform is None else self.target_transform(target)

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        return f"ImageFolder({len(self)} images, {len(self.classes)} classes, {self.root!r})"


def _image_files(folder: str, root: str) -> Iterator[str]:
    """The paths of the images below a folder, sorted, none of which leaves the root."""
    require_inside(folder, root)
    for place, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            path = os.path.join(place, file)
            if file.lower().endswith(SUFFIXES):
                require_picture(path, root)
                yield path
