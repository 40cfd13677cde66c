"""Files: `save` and `load`, in PyTorch's format, as safetensors or as npz. Loading one never runs code.

PyTorch's files hold what `torch.save` and `torch.load` take there, memory that tensors share included (`pth/`). The two
other formats hold arrays by name, so weights travel; what is nested has its structure beside them (`structure.py`).
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import IO, Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.device import check_device
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.writing import Path, replacing

__all__ = ["load", "save"]


def __dir__() -> list[str]:
    return __all__


PYTORCH = (".pth", ".pt", ".ckpt", ".bin", ".tar")
SUFFIXES = (*PYTORCH, ".safetensors", ".npz")
MAGIC = b"l\xfc\x9cF\xf9 j\xa8P\x19"  # with which PyTorch's files began before they were zip archives
LONGEST_INDEX = 100_000_000  # bytes


@composition
def save(obj: Any, f: Path | IO[bytes]) -> None:
    """Writes tensors, and what holds them, to a file: a model's `state_dict()`, or a whole checkpoint.

    A file with a name is written whole or not at all: it appears under its name only when it is complete and on the
    disk, whatever happens to the process or to the power meanwhile. `tinygrad_dl.writing` says what else holds. To a
    file that is open already, nothing is written before all that can be wrong with `obj` is found.

    Args:
        obj: what to write.
        f: where to. The suffix decides on the format:

            - `.pth`, `.pt`, `.ckpt`, `.bin`, `.tar`, none, or a file that is open for writing bytes: PyTorch's, which
              `torch.load` opens. Holds tensors, parameters, arrays (as tensors), numbers, texts, bytes, None, dtypes,
              devices, and lists, tuples, sets and dicts of these. Tensors that share memory will share it again.
            - `.safetensors`, which other libraries read too, and `.npz`, which NumPy reads: a dict of tensors, arrays,
              numbers, texts, None, or lists, tuples and dicts of these. Each tensor has its own memory.

    Raises:
        TypeError: something in `obj` can't be written; the message says where.
        ValueError: the path ends in something else, or is no place for a file; `obj` contains itself.
        OSError: the folder is missing, the path is a folder, the disk is full.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "model.pth")
    >>> td.save({"weight": td.ones(2), "epoch": 3}, path)
    >>> td.load(path)
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    if not isinstance(f, str | os.PathLike):
        if not hasattr(f, "write") or isinstance(f, io.TextIOBase):
            raise TypeError(
                f"save: got f={f!r:.80}, expected a path or a file that is open for bytes; use open(f, 'wb')"
            )
        from tinygrad_dl.pth.writing import prepared

        prepared(obj)(f)
        return
    path = os.fspath(f)
    suffix = os.path.splitext(path)[1] or ".pth"
    if suffix not in SUFFIXES:
        raise ValueError(f"save: got {path}, which ends in {suffix!r}, expected one of {', '.join(SUFFIXES)}, or none")
    if suffix in PYTORCH:
        from tinygrad_dl.pth.writing import prepared

        write_to = prepared(obj)
        with replacing(path, "save") as file:
            write_to(file)
        return
    if not isinstance(obj, dict):
        raise TypeError(
            f"save: expected a dict, got {type(obj).__name__}; pass model.state_dict(), or save it as .pth, where "
            "tensors stand alone"
        )
    from tinygrad_dl.structure import packed

    arrays, metadata = packed(obj)
    if suffix == ".npz":
        from tinygrad_dl.npz import write
    else:
        from tinygrad_dl.safetensors import write
    with replacing(path, "save") as file:
        write(file, arrays, metadata)


@composition
def load(
    f: Path | IO[bytes],
    map_location: Any = None,
    pickle_module: None = None,
    *,
    weights_only: bool | None = True,
    mmap: bool | None = None,
) -> Any:
    """Reads a file that `save`, `torch.save` or a program for safetensors or npz has written.

    The content says of what kind a file is, whatever its name. A file from anywhere may be given to it: no code in it
    is run, and the memory and the time that it takes are in proportion to its size. PyTorch's files are read by an
    unpickler that builds tensors, numbers, texts, bytes and containers, and knows no other names. Checksums are
    compared: files in PyTorch's format and npz have one for each array, a safetensors file that `save` has written one
    for all.

    Args:
        f: a path, or a file that is open for reading bytes. Of a model in several files, the index
            (`model.safetensors.index.json`), which names files of its own folder.
        map_location: where the tensors are to live: a device, or {"cpu": device}; by default on the CPU, as files say
            nothing of devices. A function is not called.
        pickle_module: None, as no such module is used.
        weights_only: accepted, and changes nothing: what only running the file's code would make is always refused.
        mmap: whether the tensors of a file in PyTorch's format stay in it until they are read. The file then needs a
            path, is not to be changed meanwhile, and its checksums are not compared. What is written to the tensors is
            not written to the file.

    Returns:
        What was saved. Of safetensors and npz, a dict; arrays come back as tensors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, of another kind, or holds what is not built here; the message has the path.
        ImportError: it holds bfloat16, and ml_dtypes is not installed.

    >>> import io
    >>> optimizer = td.optim.SGD([td.zeros(2, requires_grad=True)], lr=0.5)
    >>> file = io.BytesIO()
    >>> td.save(optimizer.state_dict(), file)
    >>> start = file.seek(0)
    >>> td.load(file)["param_groups"][0]["lr"]
    0.5
    """
    if pickle_module is not None:
        raise ValueError(
            f"load: got pickle_module={pickle_module!r:.40}, expected None: what is no tensor, number, text or "
            "container is made by running what the file says, which td.load never does; save a state_dict() instead"
        )
    if not callable(map_location):
        for wanted in map_location.values() if isinstance(map_location, dict) else [map_location]:
            check_device(wanted)
    place = map_location.get("cpu") if isinstance(map_location, dict) else map_location
    found = _load(f, bool(mmap))
    return found if place is None or callable(place) else _brought(found, place)


def _brought(value: Any, place: Any) -> Any:
    """What a file holds, with its tensors moved to a device, in place."""
    if isinstance(value, Tensor):
        value.data = value.data.to(place)
    elif isinstance(value, dict | list | tuple | set):
        for each in value.values() if isinstance(value, dict) else value:
            _brought(each, place)
    return value


def _load(f: Any, mmap: bool) -> Any:
    """What is at a path, or in an open file."""
    if isinstance(f, str | os.PathLike):
        return _load_path(os.fspath(f), mmap, True)
    if not hasattr(f, "read") or isinstance(f, io.TextIOBase):
        raise TypeError(f"load: got f={f!r:.80}, expected a path or a file that is open for bytes; use open(f, 'rb')")
    if mmap:
        raise ValueError("load: got mmap=True and an open file, expected a path, as it is the file that is mapped")
    seekable = hasattr(f, "readinto") and hasattr(f, "seekable") and f.seekable()
    file = f if seekable else io.BytesIO(f.read())
    return _load_file(file, str(getattr(f, "name", "an open file")), False, False)


def _load_path(path: str, mmap: bool, may_be_index: bool) -> Any:
    if not os.path.exists(path):
        raise FileNotFoundError(f"load: got {str(path)!r}, expected a file: there is none")
    if not os.path.isfile(path):
        raise ValueError(f"load: got {path}, which is no ordinary file, expected one that td.save has written")
    with open(path, "rb") as file:
        return _load_file(file, path, mmap, may_be_index)


def _load_file(file: IO[bytes], path: str, mmap: bool, may_be_index: bool) -> Any:
    """What is in a file, from where it stands on.

    Args:
        path: for errors, and to find the other files of an index.
    """
    start = file.tell()
    head = file.read(64)
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    with _explained(path, size):
        if not may_be_index or not head.lstrip().startswith(b"{"):
            return _content(file, head, mmap)
        places = _places(file, size)
    folder = os.path.dirname(path)
    files = {name: _load_path(os.path.join(folder, name), mmap, False) for name in sorted(set(places.values()))}
    with _explained(path, size):
        for key, name in places.items():
            if not isinstance(files[name], dict) or key not in files[name]:
                raise ValueError(f"no {key!r:.60} in {name!r:.60}")
    return {key: files[name][key] for key, name in places.items()}


@contextlib.contextmanager
def _explained(path: str, size: int) -> Iterator[None]:
    """Says of an error that a file caused which file it was, what was found and what helps."""
    try:
        yield
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        # What a damaged file makes the readers of zip and of NumPy's headers raise is of a dozen kinds. A number of the
        # operating system's, but for that of a place before the file's beginning, says that the disk has failed.
        import errno

        from tinygrad_dl.pth.unpickler import Refused

        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        found, step = f"no complete content ({type(error).__name__}: {error}"[:200] + ")", "copy or save it again"
        if isinstance(error, Refused):
            found, step = str(error), error.step
        raise ValueError(
            f"load: {path} ({size} bytes) is damaged or of another kind: got {found}, expected tensors, numbers, texts "
            f"and containers of them, in PyTorch's zip format, safetensors or npz; {step}"
        ) from error


def _content(file: IO[bytes], head: bytes, mapped: bool) -> Any:
    """What is in a zip archive or a safetensors file."""
    if head.startswith(b"PK"):
        from tinygrad_dl.archive import Archive

        archive = Archive(file)
        if any(name.rpartition("/")[2] == "data.pkl" for name in archive.members):
            from tinygrad_dl.pth import reading

            if not mapped:
                return reading.read(archive)
            import mmap

            return reading.read(archive, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        from tinygrad_dl import npz

        arrays, metadata = npz.read(archive)
    elif head[8:9] == b"{":
        from tinygrad_dl import safetensors

        arrays, metadata = safetensors.read(file)
    elif head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        from tinygrad_dl.pth.unpickler import Refused

        found = "a file of PyTorch from before version 1.6" if MAGIC in head else "a pickle, which would run code"
        raise Refused(found, "in PyTorch: torch.save(torch.load(path, weights_only=True), new_path)")
    else:
        raise ValueError(f"bytes that begin with {head[:8]!r}")
    from tinygrad_dl.structure import STRUCTURE, as_tensor, unpacked

    if STRUCTURE in metadata:
        return unpacked(metadata[STRUCTURE], arrays)
    return {name: as_tensor(name, array) for name, array in arrays.items()}


def _places(file: IO[bytes], size: int) -> dict[str, str]:
    """By the names of tensors, the file in which an index says that they are."""
    import json

    from tinygrad_dl.safetensors import without_duplicates

    if size > LONGEST_INDEX:
        raise ValueError(f"an index of {size} bytes")
    places = json.loads(file.read(), object_pairs_hook=without_duplicates).get("weight_map")
    if not isinstance(places, dict):
        raise ValueError("JSON without a weight_map")
    for name in places.values():
        if not isinstance(name, str) or name in ("", ".", "..") or set(name) & set("/\\:\0"):
            raise ValueError(f"{name!r:.60} as the name of a file")
    return places
