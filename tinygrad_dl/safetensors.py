"""The safetensors format: the length of a header, the header in JSON, and the bytes of the tensors.

A file is read only if its header is what the format says: each tensor's place is as long as its shape and dtype make
it, and the places fill the file, without gaps and one after the other. The format has no checksum; ours is an entry in
the metadata, which other programs pass over. Files without it are read as well.

Source: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from tinygrad_dl.core import promotion

__all__ = ["read", "write"]

METADATA = "__metadata__"
CHECKSUM = "tinygrad_dl.crc32"
TYPES = {
    "BOOL": "?",
    "U8": "<u1",
    "I8": "<i1",
    "U16": "<u2",
    "I16": "<i2",
    "F16": "<f2",
    "U32": "<u4",
    "I32": "<i4",
    "F32": "<f4",
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
    "C64": "<c8",
}
CODES = {np.dtype(name): code for code, name in TYPES.items()}
LONGEST = 100_000_000  # bytes of header that the format allows
DIMENSIONS = 64  # that NumPy allows


def write(file: IO[bytes], arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Writes contiguous arrays.

    Raises:
        TypeError: the format has no such dtype.
    """
    header: dict[str, Any] = {}
    for name, array in arrays.items():
        code = "BF16" if array.dtype.name == "bfloat16" else CODES.get(array.dtype)
        if code is None:
            raise TypeError(
                f"save: got {name!r} of {array.dtype}, expected a dtype that safetensors holds; save it as .npz"
            )
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": []}
    # The widest first: then each begins at a multiple of its own size, and others may map the file into memory.
    order = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)
    end = 0
    for name in order:
        start, end = end, end + arrays[name].nbytes
        header[name]["data_offsets"] = [start, end]
    found = _checksum_of(header, metadata)
    for name in order:
        found = zlib.crc32(_bytes(arrays[name]), found)
    text = json.dumps({METADATA: {**metadata, CHECKSUM: f"{found:08x}"}, **header}, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        file.write(_bytes(arrays[name]))


def read(file: IO[bytes]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata. Whatever the file holds, no more memory is asked for than a few times its size.

    Raises:
        ValueError, TypeError, RecursionError: it is not such a file. ImportError: a bfloat16 tensor, without ml_dtypes.
    """
    start = file.tell()
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, LONGEST):
        raise ValueError(f"a header of {length} bytes")
    header = json.loads(file.read(length).decode(), object_pairs_hook=without_duplicates)
    if not isinstance(header, dict):
        raise ValueError("a header that is no object")
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("metadata that are no texts by name")
    expected = metadata.pop(CHECKSUM, None)
    places = sorted((_place(name, entry), name) for name, entry in header.items())
    at = 0
    for (start, end, *_), name in places:
        if start != at:
            raise ValueError(f"the tensor {name!r} at byte {start} of the data, where the one before ends at {at}")
        at = end
    if at != size - 8 - length:
        raise ValueError(f"{size - 8 - length} bytes of data, where the header speaks of {at}")
    found = _checksum_of(header, metadata)
    arrays: dict[str, np.ndarray] = {}
    for (start, end, code, shape), name in places:
        dtype = promotion.bfloat16() if code == "BF16" else np.dtype(TYPES[code])
        array = np.empty(end - start, np.uint8)
        if file.readinto(array) != end - start:  # type: ignore[attr-defined]
            raise ValueError(f"the end of the file within the tensor {name!r}")
        found = zlib.crc32(_bytes(array), found) if expected is not None else found
        arrays[name] = array.view(dtype).reshape(shape)
    if expected is not None and expected != f"{found:08x}":
        raise ValueError(f"the checksum {found:08x}, and {expected} in its metadata")
    return {name: arrays[name] for name in header}, metadata


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dict, if each of its names is there once."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {name!r:.60} twice")
        found[name] = value
    return found


def _place(name: str, entry: Any) -> tuple[int, int, str, tuple[int, ...]]:
    """Where a tensor begins and ends in the data, its type and its shape."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{entry!r:.60} for the tensor {name!r}")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if code != "BF16" and code not in TYPES:
        raise ValueError(f"the tensor {name!r} of type {code!r:.20}, expected BF16 or one of {', '.join(TYPES)}")
    lists = isinstance(shape, list) and isinstance(offsets, list) and len(shape) <= DIMENSIONS and len(offsets) == 2
    if not lists or not all(type(number) is int and number >= 0 for number in [*shape, *offsets]):
        raise ValueError(f"the tensor {name!r} with shape {shape!r:.60} and place {offsets!r:.60}")
    needed = math.prod(shape) * (2 if code == "BF16" else np.dtype(TYPES[code]).itemsize)
    if offsets[1] - offsets[0] != needed:
        there = offsets[1] - offsets[0]
        raise ValueError(f"the tensor {name!r}, {code} of shape {shape!r:.60}, in {there} bytes, not {needed}")
    return offsets[0], offsets[1], code, tuple(shape)


def _checksum_of(header: Mapping[str, Any], metadata: Mapping[str, str]) -> int:
    return zlib.crc32(json.dumps([header, dict(metadata)]).encode())


def _bytes(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data
