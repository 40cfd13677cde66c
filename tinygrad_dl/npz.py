"""The npz format: NumPy arrays as members of a zip archive.

An archive is read only if it is whole: each member is there once, in a place of its own, and read to its end, where its
checksum is compared. Nothing is taken on trust that would cost memory or time: a member's array is made only when its
header, its size in the directory and the most that its compressed bytes can hold agree.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from tinygrad_dl.core import promotion

__all__ = ["read", "write"]

METADATA = "__metadata__"
BFLOAT16 = "bfloat16"  # the metadata entry with the names of such arrays
SHORTEST = 22  # bytes of an empty archive
LOCAL = 30  # bytes before a member's name
DENSEST = 1032  # bytes that deflate can make of one
PIECE = 1 << 20


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


def read(file: IO[bytes]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata.

    Raises:
        Exception: of many kinds (zipfile's and NumPy's own among them): it is not such a file.
        ImportError: a bfloat16 array, without ml_dtypes.
    """
    size = os.fstat(file.fileno()).st_size
    if size < SHORTEST:
        raise ValueError(f"{size} bytes")
    arrays: dict[str, np.ndarray] = {}
    with ZipFile(file) as archive:
        members = archive.infolist()
        _check_number(file, archive.comment, len(members))
        _check_places(members, archive.start_dir)
        for member in members:
            name = member.filename.removesuffix(".npy")
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


def _check_number(file: IO[bytes], comment: bytes, found: int) -> None:
    """Raises unless the archive's end tells of as many members: a damaged entry may hold the next as its comment."""
    file.seek(-SHORTEST - len(comment), os.SEEK_END)
    end = file.read(SHORTEST)
    told = int.from_bytes(end[10:12], "little")
    if not end.startswith(b"PK\x05\x06") or told != min(found, 0xFFFF):
        raise ValueError(f"{found} members, expected {told}")


def _check_places(members: list[ZipInfo], end: int) -> None:
    """Raises unless every member has a part of the file to itself: one that many share holds more than the file."""
    for member in sorted(members, key=lambda member: -member.header_offset):
        if member.header_offset + LOCAL + len(member.orig_filename) + member.compress_size > end:
            raise ValueError(f"the member {member.filename!r} in the place of another")
        end = member.header_offset


def _header(content: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The shape, whether it is in Fortran's order, and the dtype of the array that follows."""
    version = np.lib.format.read_magic(content)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"an array in version {version} of NumPy's format, expected (1, 0) or (2, 0)")
    try:
        return readers[version](content)
    except MemoryError as error:  # of Python's parser, at something like ((((...
        raise ValueError("the header of an array, nested too deeply") from error


def _array(archive: ZipFile, member: ZipInfo) -> np.ndarray:
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or member.flag_bits & 1:
        raise ValueError(f"the member {member.filename!r}, compressed or encrypted in a way that NumPy does not write")
    if member.file_size > member.compress_size * (DENSEST if member.compress_type else 1):
        raise ValueError(f"the member {member.filename!r}, {member.file_size} bytes in {member.compress_size}")
    with archive.open(member) as content:
        shape, fortran, dtype = _header(content)
        if dtype.kind not in "biufc":
            raise ValueError(f"the array {member.filename!r} of dtype {dtype}, expected numbers")
        if min(shape, default=0) < 0:
            raise ValueError(f"the array {member.filename!r} of shape {shape}")
        needed = math.prod(shape) * dtype.itemsize
        if content.tell() + needed != member.file_size:
            there = member.file_size - content.tell()
            raise ValueError(f"the array {member.filename!r}, {dtype} of shape {shape}, in {there} bytes, not {needed}")
        found = np.empty(needed, np.uint8)
        for start in range(0, needed, PIECE):
            piece = content.read(min(PIECE, needed - start))
            found[start : start + PIECE] = np.frombuffer(piece, np.uint8)
        # The checksum is compared at the end, which is noticed by reading on.
        if content.read(1):
            raise ValueError(f"the array {member.filename!r} with more bytes than it needs")
    array = found.view(dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)
