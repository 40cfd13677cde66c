"""Pictures in files, read by Pillow: only ordinary files, of a few formats, and no more pixels than a picture has.

A folder of pictures may have come from anywhere. Pillow goes by the content, not by the name, and knows formats that
start other programs; so it is told which it may open.
"""

from __future__ import annotations

import os
import stat
from typing import IO, Any

import numpy as np

__all__ = ["SUFFIXES", "pillow", "pixels", "read_picture", "require_inside", "require_picture"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif")
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF")
MOST = 1 << 26  # pixels: 8192 x 8192, of which an image takes 800 MB
MANY = 1 << 24  # pixels: above it, a file must have some bytes to show for them
DENSEST = 1000  # pixels for each byte of such a file


def pillow() -> Any:
    """Pillow's module Image, or the error that says how to install it."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("images need Pillow; install it with: pip install 'tinygrad_dl[images]'") from None
    return Image


def pixels(images: np.ndarray) -> np.ndarray:
    """Bytes from 0 to 255 as float32 from 0 to 1."""
    values: np.ndarray = np.multiply(images, np.float32(1 / 255), dtype=np.float32)
    return values


def require_inside(path: str, root: str) -> None:
    """Raises ValueError for a path that leads out of a folder, whose own path has no links."""
    real = os.path.realpath(path)
    if real != root and not real.startswith(os.path.join(root, "")):
        raise ValueError(
            f"{path}: got a link to {real}, which is outside of {root}, expected a file inside; put a copy there, or "
            "name a folder that holds both"
        )


def require_picture(path: str, root: str) -> None:
    """Raises ValueError for what is not an ordinary file inside a folder."""
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        require_inside(path, root)
        mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path}: expected an image, got no ordinary file but a {_kind(mode)}")


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFDIR: "folder"}
    return kinds.get(stat.S_IFMT(mode), "device")


def read_picture(path: str, size: tuple[int, int] | None, root: str) -> np.ndarray:
    """The image in a file as float32 (3, H, W) from 0 to 1, resized to (height, width) if a size is given."""
    Image = pillow()
    require_inside(path, root)
    # Without waiting for a writer, should it have become a pipe.
    file = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path}: expected an image, got no ordinary file but a {_kind(status.st_mode)}")
        try:
            return _decoded(Image, file, path, status.st_size, size)
        except (OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, OverflowError) as error:
            if str(error).startswith(path):
                raise
            raise ValueError(f"{path}: expected an image, got what Pillow can't read: {error}") from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ValueError(f"{path}: expected at most {MOST} pixels, got more: {error}") from error


def _decoded(Image: Any, file: IO[bytes], path: str, length: int, size: tuple[int, int] | None) -> np.ndarray:
    with Image.open(file, formats=FORMATS) as image:
        width, height = image.size
        limit = min(MOST, max(MANY, length * DENSEST))
        if width * height > limit:
            raise ValueError(
                f"{path}: got {width} x {height} pixels in {length} bytes, expected at most {limit}; is it made to "
                "fill the memory? if not, cut it into parts"
            )
        most = _most(image, path)
        if most is None:
            image = image.convert("RGB")
        elif size is not None:
            image = image.convert("F")
        if size is not None:
            image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        array = np.asarray(image)
    if most is None:
        return pixels(array.transpose(2, 0, 1))
    grey = np.multiply(array, np.float32(1 / most), dtype=np.float32)
    return np.stack([grey] * 3)


def _most(image: Any, path: str) -> float | None:
    """The value of white in a grey image of more than 8 bits; None for all others."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return 65535.0
    if image.mode in ("I", "F"):
        kind = "whole numbers of 32 bits" if image.mode == "I" else "floating numbers"
        raise ValueError(f"{path}: got an image of {kind}, expected 8 or 16 bits: what is white in it is not known")
    return None
