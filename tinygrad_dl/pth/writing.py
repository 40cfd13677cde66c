"""Writes what `torch.load` opens with `weights_only=True`: a pickle of protocol 2, and the memory of its tensors.

Arrays that overlap in memory are written as one storage, from the first byte of any to the last, and each of the others
as its own. PyTorch writes the whole memory that a tensor is a view of; here a slice costs no more than itself.

Source: https://docs.pytorch.org/docs/stable/notes/serialization.html
"""

from __future__ import annotations

import struct
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from tinygrad_dl.archive import write
from tinygrad_dl.backends.arrays import is_array, to_numpy
from tinygrad_dl.core.device import device
from tinygrad_dl.core.dtypes import dtype
from tinygrad_dl.core.tensor import Tensor, as_array
from tinygrad_dl.nn.parameter import Buffer, Parameter
from tinygrad_dl.pth.reading import DTYPES, PICKLE, STORAGES
from tinygrad_dl.pth.unpickler import DEEPEST, SCALARS, unfit_key

__all__ = ["prepared"]

CLASSES = {dtype: name for name, dtype in STORAGES.items()}
EXPECTED = "a tensor, array, number, text, bytes, None, dtype, device, or a list, tuple, set or dict of these"


def prepared(obj: Any) -> Callable[[IO[bytes]], None]:
    """What writes an object to a file. Whatever is wrong with the object is found before.

    Raises:
        TypeError: something in it can't be written; the message says where.
        ValueError: it contains itself.
    """
    pickler = Pickler()
    pickler.put(obj, "", 0)
    pickle = pickler.finished()
    records: list[tuple[str, bytes | memoryview]] = [(PICKLE, pickle), ("byteorder", sys.byteorder.encode())]
    records += [(f"data/{key}", storage.content()) for key, storage in enumerate(pickler.storages)]
    records += [("version", b"3\n")]
    return lambda file: write(file, [(f"archive/{name}", content) for name, content in records])


class Storage:
    """Memory that is written once: all from the first byte of some arrays to the last."""

    def __init__(self, arrays: list[np.ndarray]):
        bounds = [_bounds(array) for array in arrays]
        self.start = min(start for start, _ in bounds)
        self.size = max(end for _, end in bounds) - self.start
        self._arrays = arrays  # which keep the memory
        names = {array.dtype.name for array in arrays}
        # What has no class, and what is seen in several ways, is written as bytes.
        self.dtype = arrays[0].dtype.name if len(names) == 1 and names <= CLASSES.keys() else None
        self.count = self.size // (1 if self.dtype is None else arrays[0].itemsize)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {"data": (self.start, True), "shape": (self.size,), "typestr": "|u1", "version": 3}

    def content(self) -> memoryview:
        """The bytes, not copied."""
        return np.asarray(self).data if self.size else memoryview(b"")


def storages(arrays: list[np.ndarray]) -> list[tuple[Storage, list[int]]]:
    """Storages for some arrays, and which of these each is for. Arrays that fit into none are replaced by copies."""
    while True:
        groups = _overlapping(arrays)
        loose = []
        for group in groups:
            first = _bounds(arrays[group[0]])[0]
            for i in group:
                start, end = _bounds(arrays[i])
                # An element begins at a multiple of its size; and nobody needs the gaps in what is not shared.
                if (start - first) % arrays[i].itemsize or (len(group) == 1 and end - start > arrays[i].nbytes):
                    loose.append(i)
        if not loose:
            return [(Storage([arrays[i] for i in group]), group) for group in sorted(groups, key=min)]
        for i in loose:
            arrays[i] = arrays[i].copy()


def _bounds(array: np.ndarray) -> tuple[int, int]:
    """The address of the first byte, and of the one behind the last."""
    start, end = np.lib.array_utils.byte_bounds(array)
    return int(start), int(end) if array.size else int(start)


def _overlapping(arrays: list[np.ndarray]) -> list[list[int]]:
    """The positions of the arrays, by memory: those that overlap together, the one that begins first in front."""
    groups: list[list[int]] = []
    behind = 0
    for i in sorted(range(len(arrays)), key=lambda i: (not arrays[i].size, _bounds(arrays[i])[0])):
        start, end = _bounds(arrays[i])
        if arrays[i].size and start < behind:
            groups[-1].append(i)
        else:
            groups.append([i])
        behind = max(behind, end)
    return groups


class Pickler:
    """Writes the opcodes. What stands for a tensor is filled in at the end, when it is known which overlap."""

    def __init__(self) -> None:
        self.parts = [b"\x80\x02"]
        self.memo: dict[Any, int] = {}
        self.arrays: list[np.ndarray] = []
        # Where in `parts` each array's function is to stand, and two further on its arguments; and `requires_grad`.
        self.places: list[tuple[int, bool]] = []
        self.storages: list[Storage] = []
        self.open: set[int] = set()  # the containers around what is being written
        self.kept: list[Any] = []  # so that no id which the memo knows is used again

    def finished(self) -> bytes:
        """The pickle."""
        found = storages(self.arrays)
        self.storages = [storage for storage, _ in found]
        keys = {i: key for key, (_, group) in enumerate(found) for i in group}
        for i, (place, requires_grad) in enumerate(self.places):
            array, storage = self.arrays[i], self.storages[keys[i]]
            kind = "torch.storage UntypedStorage" if storage.dtype is None else f"torch {CLASSES[storage.dtype]}"
            offset = (_bounds(array)[0] - storage.start) // array.itemsize
            # Those of dimensions of size 1 say nothing, and may be anything.
            strides = [max(stride, 0) // array.itemsize for stride in array.strides]
            self.parts[place] = self.named(f"torch._utils _rebuild_tensor_v{3 if storage.dtype is None else 2}", True)
            self.parts[place + 2] = b"".join(
                [
                    b"((" + self.noted(("storage", True), _text("storage")) + self.named(kind, True),
                    _text(str(keys[i])) + self.noted(("cpu", True), _text("cpu")) + _integer(storage.count) + b"tQ",
                    _integer(offset),
                    *(b"(" + b"".join(map(_integer, numbers)) + b"t" for numbers in (array.shape, strides)),
                    (b"\x88" if requires_grad else b"\x89") + self.named("collections OrderedDict", True) + b")R",
                    self.named(f"torch {array.dtype.name}", True) if storage.dtype is None else b"",
                    b"t",
                ]
            )
        return b"".join([*self.parts, b"."])

    def named(self, name: str, late: bool = False) -> bytes:
        """What pushes one of Python's or PyTorch's names. Late ones, filled in at the end, have a memo of their own."""
        return self.noted((name, late), b"c" + name.replace(" ", "\n").encode() + b"\n")

    def noted(self, key: Any, code: bytes) -> bytes:
        """The code, the first time; then what brings back what it made."""
        if key in self.memo:
            return b"j" + self.memo[key].to_bytes(4, "little")
        self.memo[key] = len(self.memo)
        return code + b"r" + self.memo[key].to_bytes(4, "little")

    def put(self, value: Any, where: str, depth: int) -> None:
        """Writes a value, which was found at `where`, within so many containers."""
        self.kept.append(value)
        code = self.scalar(value)
        if code is not None:
            self.parts.append(code)
        elif id(value) in self.memo and id(value) not in self.open:
            self.parts.append(self.noted(id(value), b""))
        elif isinstance(value, Tensor | np.generic) or is_array(value):
            self.tensor(value, where)
        elif not isinstance(value, dict) and type(value) not in (list, tuple, set):
            step = "; save its state_dict()" if hasattr(value, "state_dict") else ""
            raise TypeError(f"save: got a {type(value).__name__} for {where!r:.80}, expected {EXPECTED}{step}")
        elif depth > DEEPEST or id(value) in self.open:
            again = id(value) in self.open
            found = "a container within itself" if again else f"the {depth}th container in one another"
            raise ValueError(
                f"save: got {where[:60]!r}..., {found}, expected at most {DEEPEST}; does something contain itself?"
            )
        else:
            self.container(value, f"{where}." if where else "", depth + 1)

    def scalar(self, value: Any) -> bytes | None:
        """What pushes a value that has no parts; None for all others."""
        kind = type(value)
        if value is None or kind is bool:
            return {None: b"N", True: b"\x88", False: b"\x89"}[value]
        if kind is int:
            return _integer(value)
        if kind is float:
            return b"G" + struct.pack(">d", value)
        if kind is complex:
            parts = b"G" + struct.pack(">d", value.real) + b"G" + struct.pack(">d", value.imag)
            return self.named("__builtin__ complex") + parts + b"\x86R"
        if kind is str:
            return self.noted((str, value), _text(value))
        if kind is bytes:
            return self.named("_codecs encode") + _text(value.decode("latin1")) + _text("latin1") + b"\x86R"
        if kind is bytearray:
            content = self.scalar(bytes(value))
            assert content is not None
            return self.noted(id(value), self.named("__builtin__ bytearray") + content + b"\x85R")
        if isinstance(value, np.dtype | dtype) and value.name in DTYPES:
            return self.named(f"torch {value.name}")
        if isinstance(value, device):
            place = b"\x85R" if value.index is None else _integer(value.index) + b"\x86R"
            return self.named("torch device") + _text(value.type) + place
        return None

    def container(self, value: Any, inside: str, depth: int) -> None:
        self.open.add(id(value))
        memo = self.noted(id(value), b"")
        if isinstance(value, Counter):
            self.parts.append(self.named("collections Counter") + b"}(")
            self.items(value, inside, depth)
            self.parts.append(b"u\x85R" + memo)
        elif isinstance(value, dict):
            metadata = getattr(value, "_metadata", None)
            ordered = metadata is not None or isinstance(value, OrderedDict)
            self.parts.append((self.named("collections OrderedDict") + b")R" if ordered else b"}") + memo + b"(")
            self.items(value, inside, depth)
            self.parts.append(b"u")
            if metadata is not None:
                self.parts.append(b"}" + _text("_metadata"))
                self.put(metadata, f"{inside}_metadata", depth)
                self.parts.append(b"sb")
        else:
            before, after = (b"(", b"t" + memo) if type(value) is tuple else (b"]" + memo + b"(", b"e")
            if type(value) is set:
                before, after = self.named("__builtin__ set") + b"](", b"e\x85R" + memo
            self.parts.append(before)
            for i, each in enumerate(value):
                if type(value) is set:
                    self.check_key(each, inside)
                self.put(each, f"{inside}{i}", depth)
            self.parts.append(after)
        self.open.remove(id(value))

    def items(self, value: dict[Any, Any], inside: str, depth: int) -> None:
        for key, each in value.items():
            self.check_key(key, inside)
            self.put(key, f"{inside}(key)", depth)
            self.put(each, f"{inside}{key}", depth)

    def check_key(self, key: Any, inside: str) -> None:
        wrong = unfit_key(key)
        if wrong:
            raise TypeError(
                f"save: got {wrong} as a key in {inside[:60]!r}, expected a text, a number or a short tuple"
            )

    def tensor(self, value: Any, where: str) -> None:
        try:
            array = to_numpy(as_array(value))
        except TypeError as error:
            error.add_note(f"while saving {where!r}")
            raise
        if array.dtype.name not in DTYPES:
            raise TypeError(f"save: got {where!r:.80} of {array.dtype}, expected one of {', '.join(sorted(DTYPES))}")
        steps = [stride for size, stride in zip(array.shape, array.strides, strict=True) if size > 1]
        if not array.flags.aligned or any(step < 0 or step % array.itemsize for step in steps):
            array = array.copy()
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        state = {}
        if isinstance(value, Tensor):
            state = {name: each for name, each in vars(value).items() if not name.startswith("_")}
            if any(type(each) not in SCALARS for each in state.values()):
                raise TypeError(
                    f"save: got a tensor with attributes {list(state)} for {where!r:.80}, expected plain ones"
                )
        if isinstance(value, Buffer):
            state = {"persistent": value.persistent, **state, "_is_buffer": True}
        parameter = isinstance(value, Parameter)
        if parameter:
            self.parts.append(self.named(f"torch._utils _rebuild_parameter{'_with_state' if state else ''}") + b"(")
        elif state:
            self.parts.append(self.named("torch._tensor _rebuild_from_type_v2") + b"(")
        place = len(self.parts)
        self.places.append((place, value.requires_grad if isinstance(value, Tensor) and not parameter else False))
        self.arrays.append(array)
        self.parts += [b"", self.named("torch Tensor") if state and not parameter else b"", b""]  # see `finished`
        if parameter:
            flag = b"\x88" if value.requires_grad else b"\x89"
            self.parts.append(b"R" + flag + self.named("collections OrderedDict") + b")R")
        if state:
            self.put(state, f"{where}.__dict__", 0)
        self.parts.append((b"tR" if parameter or state else b"R") + self.noted(id(value), b""))


def _integer(value: int) -> bytes:
    if 0 <= value < 1 << 8:
        return b"K" + value.to_bytes(1)
    if 0 <= value < 1 << 16:
        return b"M" + value.to_bytes(2, "little")
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    size = len(content)
    return (b"\x8a" + size.to_bytes(1) if size < 1 << 8 else b"\x8b" + struct.pack("<i", size)) + content


def _text(value: str) -> bytes:
    content = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(content)) + content
