"""Files of weights: `save` and `load`, as safetensors or npz. Loading one never runs code: no pickle anywhere.

A dict of tensors is written under its own names, so weights travel to PyTorch and back. Anything nested
(an optimiser's state) is written too: its tensors under dotted names, and its structure as JSON beside them.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tinygrad_dl import dtypes
from tinygrad_dl.tensor import Tensor, as_array, wrap

__all__ = ["load", "save"]

STRUCTURE = "tinygrad_dl"  # the metadata entry with the structure of what was saved
RESERVED = "__metadata__"  # where both formats keep metadata
INSTALL = "needs the safetensors package: pip install 'tinygrad_dl[io]', or use a path that ends in .npz"
Path = str | os.PathLike[str]


def save(obj: dict[Any, Any], path: Path) -> None:
    """Writes a dict of tensors, such as `model.state_dict()`, to a file.

    Written whole or not at all: the file appears under its name only when it is complete.

    Args:
        obj: a dict. Its values are tensors, arrays, numbers, strings, None, or lists, tuples and dicts of
            these, so an optimiser's `state_dict()` and a dict of several are fine too.
        path: where to; ends in `.safetensors`, or in `.npz`, which needs no further package and holds
            complex128 too.

    Raises:
        TypeError: something in `obj` can't be written; the message says where.
        ValueError: the path ends in something else.
        ImportError: a `.safetensors` path, and the safetensors package is not installed.

    >>> import os, tempfile
    >>> import tinygrad_dl as td
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.npz")
    >>> td.save({"weight": td.ones(2), "epoch": 3}, path)
    >>> td.load(path)
    {'weight': tensor([1., 1.]), 'epoch': 3}

    Source: https://docs.pytorch.org/docs/stable/generated/torch.save.html
    """
    path = os.fspath(path)
    suffix = _suffix(path, "save")
    if not isinstance(obj, dict):
        raise TypeError(f"save: expected a dict, got {type(obj).__name__}; pass model.state_dict()")
    arrays: dict[str, np.ndarray] = {}
    if all(type(key) is str and isinstance(value, Tensor | np.ndarray) for key, value in obj.items()):
        arrays = {key: _array(value, key) for key, value in obj.items()}
        metadata = {}
    else:
        import json

        metadata = {STRUCTURE: json.dumps(_pack(obj, "", arrays))}
    for name in arrays:
        if name == RESERVED or "\0" in name:
            raise ValueError(f"save: {name!r} can't be the name of a tensor in a file; rename it")
    folder, name = os.path.split(path)
    if not os.path.isdir(folder or "."):
        raise FileNotFoundError(f"save: there is no folder {folder}; make it first, with os.makedirs")
    unfinished = os.path.join(folder, f".{name}.{os.urandom(4).hex()}.tmp")
    try:
        with open(unfinished, "xb"):
            mode = os.stat(unfinished).st_mode
        (_write_safetensors if suffix == ".safetensors" else _write_npz)(unfinished, arrays, metadata)
        os.chmod(unfinished, mode)  # the safetensors package lets nobody else read its files
        os.replace(unfinished, path)
    finally:
        if os.path.exists(unfinished):
            os.remove(unfinished)


def load(path: Path) -> dict[Any, Any]:
    """Reads a file that `save`, or PyTorch's `safetensors.torch.save_file`, has written.

    Args:
        path: a file that ends in `.safetensors` or `.npz`.

    Returns:
        The dict that was saved. Arrays come back as tensors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or no file of the kind that its name says.
        ImportError: a `.safetensors` file, and the safetensors package is not installed.

    >>> import os, tempfile
    >>> import tinygrad_dl as td
    >>> path = os.path.join(tempfile.mkdtemp(), "optimizer.npz")
    >>> optimizer = td.optim.SGD([td.zeros(2, requires_grad=True)], lr=0.5)
    >>> td.save(optimizer.state_dict(), path)
    >>> td.load(path)["param_groups"][0]["lr"]
    0.5

    Source: https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    path = os.fspath(path)
    suffix = _suffix(path, "load")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"load: there is no file {path}")
    arrays, metadata = (_read_safetensors if suffix == ".safetensors" else _read_npz)(path)
    if STRUCTURE not in metadata:
        return {name: wrap(as_array(array)) for name, array in arrays.items()}
    import json

    try:
        found: dict[Any, Any] = _unpack(json.loads(metadata[STRUCTURE]), arrays)
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"a structure that does not fit its tensors ({error})", "as td.save wrote it") from error
    return found


def _suffix(path: str, what: str) -> str:
    suffix = os.path.splitext(path)[1]
    if suffix in (".pt", ".pth", ".pkl", ".pickle", ".ckpt"):
        raise ValueError(
            f"{what}: {path} would be a pickle, and loading a pickle runs the code in it; use .safetensors or .npz "
            f"(in PyTorch: safetensors.torch.save_file(model.state_dict(), 'model.safetensors'))"
        )
    if suffix not in (".safetensors", ".npz"):
        raise ValueError(f"{what}: {path} ends in {suffix or 'nothing'!r}, expected .safetensors or .npz")
    return suffix


def _damaged(path: str, found: str, expected: str) -> ValueError:
    return ValueError(
        f"load: {path} ({os.path.getsize(path)} bytes) is damaged or of another kind: found {found}, expected "
        f"{expected}; copy or save it again"
    )


# -- structure -------------------------------------------------------------------------------------------


def _array(value: Any, where: str) -> np.ndarray:
    try:
        array = as_array(value)
        dtypes.category(array.dtype)
    except TypeError as error:
        error.add_note(f"while saving {where!r}")
        raise
    # Contiguous: the safetensors package writes other arrays in the wrong order, without a word.
    return np.ascontiguousarray(array).reshape(array.shape)


def _pack(value: Any, where: str, arrays: dict[str, np.ndarray]) -> Any:
    """The structure in JSON's terms: containers and tensors as [kind, content], all else as it is."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Tensor | np.ndarray | np.generic):
        while where in arrays:  # {"a.b": ..., "a": {"b": ...}}
            where += "_"
        arrays[where] = _array(value, where)
        return ["tensor", where]
    inside = f"{where}." if where else ""
    if isinstance(value, dict):
        for key in value:
            if type(key) not in (str, int):
                raise TypeError(f"save: the key {key!r} in {where or 'the dict'!r} is no string or integer")
        return ["dict", [[key, _pack(each, f"{inside}{key}", arrays)] for key, each in value.items()]]
    if type(value) in (list, tuple):
        return [type(value).__name__, [_pack(each, f"{inside}{i}", arrays) for i, each in enumerate(value)]]
    raise TypeError(
        f"save: {where!r} is a {type(value).__name__}, expected a tensor, array, number, string, None, or a list, "
        f"tuple or dict of these"
    )


def _unpack(packed: Any, arrays: dict[str, np.ndarray]) -> Any:
    if not isinstance(packed, list):
        return packed
    kind, content = packed
    if kind == "tensor":
        return wrap(as_array(arrays[content]))
    if kind == "dict":
        return {key: _unpack(each, arrays) for key, each in content}
    return {"list": list, "tuple": tuple}[kind](_unpack(each, arrays) for each in content)


# -- formats ---------------------------------------------------------------------------------------------


def _write_safetensors(path: str, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    try:
        from safetensors.numpy import save_file
    except ImportError:
        raise ImportError(f"save: {INSTALL}") from None
    for name, array in arrays.items():
        if array.dtype == dtypes.complex128:
            raise TypeError(f"save: {name!r} is complex128, which safetensors can't hold; save it as .npz")
    save_file(arrays, path, metadata=metadata or None)


def _read_safetensors(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise ImportError(f"load: {INSTALL}") from None
    try:
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
            if any(file.get_slice(name).get_dtype() == "BF16" for name in names):
                dtypes.bfloat16()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except SafetensorError as error:
        raise _damaged(path, f"no complete header and tensors ({error})", "a safetensors file") from None


def _write_npz(path: str, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    import json
    from zipfile import ZipFile

    # NumPy's format does not know bfloat16: its bits are written, and its name beside them.
    bits = [name for name, array in arrays.items() if array.dtype.name == "bfloat16"]
    if bits:
        metadata = {**metadata, "bfloat16": json.dumps(bits)}
    text = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    with ZipFile(path, "w") as file:
        for name, array in {**arrays, **({RESERVED: text} if metadata else {})}.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array.view(np.uint16) if name in bits else array, allow_pickle=False)


def _read_npz(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    import json
    import zlib
    from zipfile import BadZipFile, ZipFile

    arrays: dict[str, np.ndarray] = {}
    try:
        with ZipFile(path) as file:
            for name in file.namelist():
                with file.open(name) as member:
                    arrays[name.removesuffix(".npy")] = np.lib.format.read_array(member, allow_pickle=False)
        metadata: dict[str, str] = json.loads(bytes(arrays.pop(RESERVED, np.frombuffer(b"{}", np.uint8))))
        bits = json.loads(metadata.pop("bfloat16", "[]"))
    except (BadZipFile, ValueError, EOFError, zlib.error, RuntimeError) as error:
        raise _damaged(path, f"no complete archive of arrays ({error})", "an npz file") from None
    for name in bits:
        arrays[name] = arrays[name].view(dtypes.bfloat16())
    return arrays, metadata
