"""Zip archives, read as if an enemy had made them, and written record by record.

An archive is read only if it is whole: each record is there once, in a place of its own, and read to its end, where its
checksum is compared. Nothing is taken on trust that would cost memory or time: the bytes of a record are asked for only
if its size in the directory is one that its compressed bytes can have.

Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import IO, Any, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

__all__ = ["Archive", "write"]

SHORTEST = 22  # bytes of an empty archive
LOCAL = 30  # bytes before a record's name
DENSEST = 1032  # bytes that deflate can make of one
PIECE = 1 << 20
ALIGNMENT = 64  # of records, so that they can be mapped into memory
ZIP64 = 20  # bytes of the field that `force_zip64` adds to a record's header


class Archive:
    """The records of a zip archive that begins where the file stands, by their names.

    Raises:
        Exception: of many kinds (zipfile's own among them): it is no such archive.
    """

    def __init__(self, file: IO[bytes]):
        start = file.tell()
        size = file.seek(0, os.SEEK_END)
        if size - start < SHORTEST:
            raise ValueError(f"{size - start} bytes")
        self._zip = ZipFile(file)
        members = self._zip.infolist()
        self._check_number(file, len(members))
        self._check_places(members, start)
        self.members: dict[str, ZipInfo] = {}
        for member in members:
            if member.filename in self.members:
                raise ValueError(f"the name {member.filename.removesuffix('.npy')!r:.60} twice")
            self.members[member.filename] = member

    def _check_number(self, file: IO[bytes], found: int) -> None:
        """Raises unless the end tells of as many records: a damaged entry may hold the next as its comment."""
        file.seek(-SHORTEST - len(self._zip.comment), os.SEEK_END)
        end = file.read(SHORTEST)
        told = int.from_bytes(end[10:12], "little")
        if not end.startswith(b"PK\x05\x06") or told != min(found, 0xFFFF):
            raise ValueError(f"{found} members, expected {told}")

    def _check_places(self, members: list[ZipInfo], start: int) -> None:
        """Raises unless every record has a part of the file to itself: one that many share holds more than the file."""
        end = self._zip.start_dir
        for member in sorted(members, key=lambda member: -member.header_offset):
            if member.header_offset + LOCAL + len(member.orig_filename) + member.compress_size > end:
                raise ValueError(f"the member {member.filename!r:.60} in the place of another")
            end = member.header_offset
        if end != start:
            raise ValueError(f"{end - start} bytes before the first member")

    def read(self, name: str) -> np.ndarray:
        """The bytes of a record."""
        member = self._checked(name)
        found = np.empty(member.file_size, np.uint8)
        with self._zip.open(member) as content:
            for start in range(0, member.file_size, PIECE):
                piece = content.read(min(PIECE, member.file_size - start))
                found[start : start + PIECE] = np.frombuffer(piece, np.uint8)
            content.read(1)  # the checksum is compared at the end, which is noticed by reading on
        return found

    def mapped(self, name: str, memory: Any) -> np.ndarray:
        """The bytes of a record that is not compressed, in a map of the whole file; its checksum is not compared."""
        member = self._checked(name)
        header = memory[member.header_offset : member.header_offset + LOCAL]
        lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        start = member.header_offset + LOCAL + lengths
        if not header.startswith(b"PK\x03\x04") or start + member.file_size > len(memory):
            raise ValueError(f"the member {name!r:.60} beyond the end of the file")
        if member.file_size == 0:  # there is no place at the end of a map
            return np.empty(0, np.uint8)
        return np.frombuffer(memory, np.uint8, member.file_size, start)

    def _checked(self, name: str) -> ZipInfo:
        member = self.members[name]
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or member.flag_bits & 1:
            raise ValueError(f"the member {name!r:.60}, encrypted or compressed in another way than by deflate")
        if member.file_size > member.compress_size * (DENSEST if member.compress_type else 1):
            raise ValueError(f"the member {name!r:.60}, {member.file_size} bytes in {member.compress_size}")
        return member


def write(file: IO[bytes], records: Iterable[tuple[str, bytes | memoryview]]) -> None:
    """Writes records one after the other, without compression, each at a multiple of 64 bytes."""
    with ZipFile(cast(IO[bytes], _Stream(file)), "w") as archive:
        for name, content in records:
            info = ZipInfo(name)
            info.file_size = len(content)
            assert archive.fp is not None
            before = archive.fp.tell() + LOCAL + len(name) + ZIP64 + 4
            padding = -before % ALIGNMENT
            info.extra = b"FB" + padding.to_bytes(2, "little") + bytes(padding)
            with archive.open(info, "w", force_zip64=True) as record:
                record.write(content)


class _Stream:
    """What of a file is needed to write to it from where it stands on: whatever is before does not count."""

    def __init__(self, file: IO[bytes]):
        self._file = file

    def write(self, content: Any) -> int:
        left = memoryview(content).cast("B")
        size = len(left)
        while left:
            taken: int | None = self._file.write(left)
            if taken is None:  # objects that only look like files often say nothing
                break
            if not taken:
                raise OSError(f"the file took none of {len(left)} bytes")
            left = left[taken:]  # a file without a buffer may take a part
        return size

    def flush(self) -> None:
        self._file.flush()
