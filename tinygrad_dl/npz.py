"""The npz format: NumPy arrays as records of a zip archive, which `archive.py` reads.

An array is made of a record only when its header and its size agree.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from typing import IO, Any
from zipfile import ZipFile

import numpy as np

from tinygrad_dl.archive import Archive
from tinygrad_dl.core import promotion

__all__ = ["read", "write"]

METADATA = "__metadata__"
BFLOAT16 = "bfloat16"  # the metadata entry with the names of such arrays
HEADER = 1 << 17  # bytes in which a header ends, if NumPy has written it


def write(file: IO[bytes], arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Writes arrays, without compression."""
    # NumPy's format does not know bfloat16: its bits are written, and its name beside them.
    bits = [name for name, array in arrays.items() if array.dtype.name == "bfloat16"]
    if bits:
        metadata = {**metadata, BFLOAT16: json.dumps(bits)}
    text = np.frombuffer(json.dumps(dict(metadata)).encode(), np.uint8)
    with ZipFile(file, "w") as archive:
        for name, array in {**arrays, **({METADATA: text} if metadata else {})}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array.view(np.uint16) if name in bits else array, allow_pickle=False)


def read(archive: Archive) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata.

    Raises:
        Exception: of many kinds (zipfile's and NumPy's own among them): it is not such a file.
        ImportError: a bfloat16 array, without ml_dtypes.
    """
    arrays: dict[str, np.ndarray] = {}
    for member in archive.members:
        name = member.removesuffix(".npy")
        if name in arrays:
            raise ValueError(f"the name {name!r} twice")
        arrays[name] = _array(archive, member)
    text = arrays.pop(METADATA, np.frombuffer(b"{}", np.uint8))
    if text.dtype != np.uint8 or text.ndim != 1:
        raise ValueError(f"metadata of dtype {text.dtype} and shape {text.shape}")
    metadata = json.loads(text.tobytes())
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("metadata that are no texts by name")
    for name in json.loads(metadata.pop(BFLOAT16, "[]")):
        if arrays[name].dtype != np.uint16:
            raise ValueError(f"the array {name!r} of {arrays[name].dtype}, expected the bits of bfloat16")
        arrays[name] = arrays[name].view(promotion.bfloat16())
    return arrays, metadata


def _header(content: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The shape, whether it is in Fortran's order, and the dtype of the array that follows."""
    version = np.lib.format.read_magic(content)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"an array in version {version} of NumPy's format, expected (1, 0) or (2, 0)")
    try:
        return readers[version](content)
    except MemoryError as error:  # of Python's parser, at something like ((((...
        raise ValueError("the header of an array, nested too deeply") from error


def _array(archive: Archive, member: str) -> np.ndarray:
    found = archive.read(member)
    content = io.BytesIO(found[:HEADER].tobytes())
    shape, fortran, dtype = _header(content)
    if dtype.kind not in "biufc":
        raise ValueError(f"the array {member!r} of dtype {dtype}, expected numbers")
    if min(shape, default=0) < 0:
        raise ValueError(f"the array {member!r} of shape {shape}")
    found = found[content.tell() :]
    needed = math.prod(shape) * dtype.itemsize
    if needed != len(found):
        raise ValueError(f"the array {member!r}, {dtype} of shape {shape}, in {len(found)} bytes, not {needed}")
    array = found.view(dtype)
    if not array.flags.aligned:  # after a header of a length that NumPy would not have chosen
        array = array.copy()
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)
