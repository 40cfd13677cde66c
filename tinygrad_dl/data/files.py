"""Files of images as they are published: IDX (MNIST and its relatives) and the binary records of CIFAR-10.

A file is read only if it is what it says: the sizes in its header are compared with what is there, and a file that is
cut off, too long or of another kind is refused with a message that names it.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from typing import Any

import numpy as np

__all__ = ["read_cifar10", "read_idx"]

Path = str | os.PathLike[str]

PIECE = 1 << 24
GZIP = b"\x1f\x8b"
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
RECORD = 1 + 3 * 32 * 32
RECORDS = 10_000


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _at_most(file: Any, count: int, path: str) -> bytes:
    """The next bytes of a file: `count`, or as many as there are."""
    pieces = []
    left = count
    try:
        # In pieces, so that a header that asks for more than there is does not claim the memory for it.
        while left and (piece := file.read(min(left, PIECE))):
            pieces.append(piece)
            left -= len(piece)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{path}: got a gzip file that is cut off or damaged ({error}), expected a whole one; get it again"
        ) from error
    return b"".join(pieces)


def _exactly(file: Any, count: int, path: str, what: str) -> bytes:
    """The next `count` bytes of a file; fewer are an error."""
    found = _at_most(file, count, path)
    if len(found) < count:
        raise ValueError(f"{path}: cut off: expected {count} bytes of {what}, got {len(found)}; get it again")
    return found


def _require_file(path: str) -> None:
    """Raises for what is not an ordinary file: a pipe would be waited for, a device has no end."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError(f"{path}: expected an ordinary file, got a folder, device, pipe or socket")


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file, the format of MNIST and Fashion-MNIST; plain or compressed by gzip.

    Args:
        path: the file; whether it is compressed is seen from its first bytes, not from its name.

    Returns:
        An array of the shape and the type that the file names: uint8, int8, int16, int32, float32 or float64.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no IDX file, cut off, or longer than its header says.

    >>> import os, tempfile
    >>> from tinygrad_dl import data
    >>> path = os.path.join(tempfile.mkdtemp(), "labels-idx1-ubyte")
    >>> with open(path, "wb") as file:
    ...     count = file.write(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    >>> data.read_idx(path)
    array([7, 2, 1], dtype=uint8)

    Source: http://yann.lecun.com/exdb/mnist/
    """
    path = os.fspath(path)
    _require_file(path)
    with open(path, "rb") as plain:
        start = plain.read(2)
        plain.seek(0)
        file: Any = gzip.GzipFile(fileobj=plain) if start == GZIP else plain
        magic = _exactly(file, 4, path, "header")
        if magic[:2] != b"\0\0" or magic[2] not in IDX_TYPES or not magic[3]:
            raise ValueError(
                f"{path}: not an IDX file: expected it to start with 00 00, a type (08, 09, 0B to 0E) and a number of "
                f"dimensions, got {magic.hex(' ')}"
            )
        dtype = np.dtype(IDX_TYPES[magic[2]])
        shape = tuple(np.frombuffer(_exactly(file, 4 * magic[3], path, "sizes"), ">u4").tolist())
        size = math.prod(shape) * dtype.itemsize
        if file is plain:
            # Compared before anything is read: a damaged header may ask for any amount of memory.
            there = os.fstat(plain.fileno()).st_size - plain.tell()
            if there != size:
                verdict = "cut off" if there < size else "too long"
                raise ValueError(
                    f"{path}: {verdict}: got {there} bytes, expected {size}: its header says {_size(shape)} values of "
                    f"{dtype.itemsize} bytes; get it again"
                )
        content = _exactly(file, size, path, f"{_size(shape)} values")
        if _at_most(file, 1, path):
            raise ValueError(f"{path}: got more than the {_size(shape)} values that its header says, expected no more")
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def read_cifar10(path: Path, records: int | None = RECORDS) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of a file of CIFAR-10's binary version.

    Args:
        path: the file: `data_batch_1.bin` to `data_batch_5.bin`, or `test_batch.bin`.
        records: how many images it must hold; None takes any number.

    Returns:
        Images (records, 3, 32, 32) of uint8, red first, and labels (records,) of int64.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its size is not that of the records, or a label is above 9.

    >>> import os, tempfile
    >>> from tinygrad_dl import data
    >>> path = os.path.join(tempfile.mkdtemp(), "data_batch_1.bin")
    >>> with open(path, "wb") as file:
    ...     count = file.write(bytes([6]) + bytes(3072))
    >>> images, labels = data.read_cifar10(path, records=1)
    >>> images.shape, labels
    ((1, 3, 32, 32), array([6]))

    Source: https://www.cs.toronto.edu/~kriz/cifar.html
    """
    path = os.fspath(path)
    _require_file(path)
    size = os.path.getsize(path)
    if records is None and (size % RECORD or not size):
        raise ValueError(f"{path}: expected records of {RECORD} bytes (a label and 3 x 32 x 32 pixels), got {size}")
    if records is not None and size != records * RECORD:
        verdict = "cut off" if size < records * RECORD else "too long"
        raise ValueError(
            f"{path}: {verdict}: expected {records} records of {RECORD} bytes (a label and 3 x 32 x 32 pixels), "
            f"{records * RECORD} bytes in all, got {size}; get the binary version again"
        )
    rows = np.fromfile(path, np.uint8).reshape(-1, RECORD)
    labels = rows[:, 0].astype(np.int64)
    if labels.max() > 9:
        first = int(np.argmax(labels > 9))
        raise ValueError(f"{path}: not CIFAR-10: expected labels from 0 to 9, got {labels[first]} in record {first}")
    return rows[:, 1:].reshape(-1, 3, 32, 32), labels
