"""Files of weights: `save` and `load`, as safetensors or npz. Loading one never runs code: no pickle anywhere.

A dict of tensors is written under its own names, so weights travel to PyTorch and back. Anything nested
(an optimiser's state) is written too: its tensors under dotted names, and its structure as JSON beside them.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tinygrad_dl.core import promotion
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.writing import Path, replacing

__all__ = ["load", "save"]


def __dir__() -> list[str]:
    return __all__


STRUCTURE = "tinygrad_dl"  # the metadata entry with the structure of what was saved
RESERVED = "__metadata__"  # where both formats keep metadata
DEEPEST = 100  # containers in one another


@composition
def save(obj: dict[Any, Any], path: Path) -> None:
    """Writes a dict of tensors, such as `model.state_dict()`, to a file.

    Written whole or not at all: the file appears under its name only when it is complete and on the disk, whatever
    happens to the process or to the power meanwhile. `tinygrad_dl.writing` says what else holds.

    Args:
        obj: a dict. Its values are tensors, arrays, numbers, strings, None, or lists, tuples and dicts of
            these, so an optimiser's `state_dict()` and a dict of several are fine too.
        path: where to; ends in `.safetensors`, which PyTorch's users read, or in `.npz`, which NumPy reads and which
            holds complex128 too.

    Raises:
        TypeError: something in `obj` can't be written; the message says where.
        ValueError: the path ends in something else, or is no place for a file; `obj` contains itself.
        OSError: the folder is missing, the path is a folder, the disk is full.

    >>> import os, tempfile
    >>> import tinygrad_dl as td
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.npz")
    >>> td.save({"weight": td.ones(2), "epoch": 3}, path)
    >>> td.load(path)
    {'weight': tensor([1., 1.]), 'epoch': 3}
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

        metadata = {STRUCTURE: json.dumps(_pack(obj, "", arrays, 0))}
    for name in arrays:
        if name == RESERVED or "\0" in name:
            raise ValueError(
                f"save: got {name!r} as the name of a tensor, expected another: files can't have it; rename it"
            )
    if suffix == ".npz":
        from tinygrad_dl.npz import write
    else:
        from tinygrad_dl.safetensors import write
    with replacing(path, "save") as file:
        write(file, arrays, metadata)


@composition
def load(path: Path) -> dict[Any, Any]:
    """Reads a file that `save`, or PyTorch's `safetensors.torch.save_file`, has written.

    Args:
        path: a file that ends in `.safetensors` or `.npz`.

    Returns:
        The dict that was saved. Arrays come back as tensors.

    A file from anywhere may be given to it: no code in it is run, and no more memory is asked for than what the file
    can hold. Checksums are compared: an npz file has one for each array, and a safetensors file that `save` has written
    one for all; those of other programs have none.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or no file of the kind that its name says; the message has the path.
        ImportError: it holds bfloat16, and ml_dtypes is not installed.

    >>> import os, tempfile
    >>> import tinygrad_dl as td
    >>> path = os.path.join(tempfile.mkdtemp(), "optimizer.npz")
    >>> optimizer = td.optim.SGD([td.zeros(2, requires_grad=True)], lr=0.5)
    >>> td.save(optimizer.state_dict(), path)
    >>> td.load(path)["param_groups"][0]["lr"]
    0.5
    """
    path = os.fspath(path)
    suffix = _suffix(path, "load")
    if not os.path.exists(path):
        raise FileNotFoundError(f"load: got {str(path)!r}, expected a file: there is none")
    if not os.path.isfile(path):
        raise ValueError(f"load: got {path}, which is no ordinary file, expected one that td.save has written")
    if suffix == ".npz":
        from tinygrad_dl.npz import read
    else:
        from tinygrad_dl.safetensors import read
    try:
        with open(path, "rb") as file:
            arrays, metadata = read(file)
        if STRUCTURE not in metadata:
            return {name: _tensor(name, array) for name, array in arrays.items()}
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        # What a damaged file makes the readers of zip and of NumPy's headers raise is of a dozen kinds. A number of the
        # operating system's, but for that of a place before the file's beginning, says that the disk has failed.
        import errno

        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        expected = "an npz file" if suffix == ".npz" else "a safetensors file"
        raise _damaged(path, f"no complete {suffix[1:]} content ({_line(error)})", expected) from error
    import json

    try:
        found = _unpack(json.loads(metadata[STRUCTURE]), arrays, 0)
        if not isinstance(found, dict) or arrays:
            raise ValueError(f"tensors {list(arrays)!r:.60} too many" if arrays else "no dict")
    except Exception as error:
        found_instead = f"a structure that does not fit its tensors ({_line(error)})"
        raise _damaged(path, found_instead, "as td.save wrote it") from error
    return found


def _suffix(path: str, what: str) -> str:
    suffix = os.path.splitext(path)[1]
    if suffix in (".pt", ".pth", ".pkl", ".pickle", ".ckpt"):
        raise ValueError(
            f"{what}: got {path}, expected .safetensors or .npz: this would be a pickle, and loading a pickle runs the "
            "code in it; use .safetensors or .npz (in PyTorch: safetensors.torch.save_file(model.state_dict(), "
            "'model.safetensors'))"
        )
    if suffix not in (".safetensors", ".npz"):
        raise ValueError(f"{what}: got {path}, which ends in {suffix or 'nothing'!r}, expected .safetensors or .npz")
    return suffix


def _damaged(path: str, found: str, expected: str) -> ValueError:
    return ValueError(
        f"load: {path} ({os.path.getsize(path)} bytes) is damaged or of another kind: got {found}, expected "
        f"{expected}; copy or save it again"
    )


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


# -- structure -------------------------------------------------------------------------------------------


def _tensor(name: str, array: np.ndarray) -> Tensor:
    """An array of a file as a tensor."""
    if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
        raise ValueError(f"the tensor {name!r} of bool with bytes that are neither 0 nor 1")
    return wrap(as_array(array))


def _array(value: Any, where: str) -> np.ndarray:
    try:
        array = as_array(value)
        promotion.category(array.dtype)
    except TypeError as error:
        error.add_note(f"while saving {where!r}")
        raise
    # Contiguous: the safetensors package writes other arrays in the wrong order, without a word.
    return np.ascontiguousarray(array).reshape(array.shape)


def _pack(value: Any, where: str, arrays: dict[str, np.ndarray], depth: int) -> Any:
    """The structure in JSON's terms: containers and tensors as [kind, content], all else as it is."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Tensor | np.ndarray | np.generic):
        while where in arrays:  # {"a.b": ..., "a": {"b": ...}}
            where += "_"
        arrays[where] = _array(value, where)
        return ["tensor", where]
    if depth > DEEPEST:
        raise ValueError(
            f"save: got {where[:60]!r}..., the {depth}th container in one another, expected at most {DEEPEST}; does "
            "something contain itself?"
        )
    inside = f"{where}." if where else ""
    if isinstance(value, dict):
        for key in value:
            if type(key) not in (str, int):
                raise TypeError(f"save: got the key {key!r} in {where or 'the dict'!r}, expected a str or an integer")
        return ["dict", [[key, _pack(each, f"{inside}{key}", arrays, depth + 1)] for key, each in value.items()]]
    if type(value) in (list, tuple):
        parts = enumerate(value)
        return [type(value).__name__, [_pack(each, f"{inside}{i}", arrays, depth + 1) for i, each in parts]]
    raise TypeError(
        f"save: got a {type(value).__name__} for {where!r}, expected a tensor, array, number, string, None, or a list, "
        "tuple or dict of these"
    )


def _unpack(packed: Any, arrays: dict[str, np.ndarray], depth: int) -> Any:
    """What `_pack` made it of; takes the arrays out of their dict, so that what is left there belongs to nothing."""
    if packed is None or type(packed) in (bool, int, float, str):
        return packed
    if depth > DEEPEST + 1:
        raise ValueError(f"more than {DEEPEST} containers in one another")
    kind: Any
    content: Any
    kind, content = packed if isinstance(packed, list) else (None, None)
    if kind == "tensor" and content in arrays:
        return _tensor(content, arrays.pop(content))
    if kind == "dict":
        found: dict[Any, Any] = {}
        for key, each in content:
            if type(key) not in (str, int) or key in found:
                raise ValueError(f"the key {key!r:.60} {'twice' if key in found else 'in a dict'}")
            found[key] = _unpack(each, arrays, depth + 1)
        return found
    if kind in ("list", "tuple") and isinstance(content, list):
        values = [_unpack(each, arrays, depth + 1) for each in content]
        return values if kind == "list" else tuple(values)
    raise ValueError(f"{packed!r:.60}")
