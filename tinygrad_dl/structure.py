"""Nested content as a list of arrays and, beside it, the structure in JSON: for formats that hold arrays alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import is_array, to_numpy
from tinygrad_dl.core import promotion
from tinygrad_dl.core.tensor import Tensor, as_array, wrap

__all__ = ["STRUCTURE", "as_tensor", "packed", "unpacked"]

STRUCTURE = "tinygrad_dl"  # the metadata entry with the structure of what was saved
RESERVED = "__metadata__"  # where both formats keep metadata
DEEPEST = 100  # containers in one another


def packed(obj: dict[Any, Any]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata for a dict.

    Raises:
        TypeError: something in it can't be written; the message says where. ValueError: it contains itself.
    """
    arrays: dict[str, np.ndarray] = {}
    if all(type(key) is str and (isinstance(value, Tensor) or is_array(value)) for key, value in obj.items()):
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
    return arrays, metadata


def unpacked(text: str, arrays: dict[str, np.ndarray]) -> dict[Any, Any]:
    """What `packed` made the structure and the arrays of.

    Raises:
        ValueError: they do not belong together.
    """
    import json

    try:
        found = _unpack(json.loads(text), arrays, 0)
        if not isinstance(found, dict) or arrays:
            raise ValueError(f"tensors {list(arrays)!r:.60} too many" if arrays else "no dict")
    except Exception as error:
        raise ValueError(
            f"a structure that does not fit its tensors ({type(error).__name__}: {error})"[:200]
        ) from error
    return found


def as_tensor(name: str, array: np.ndarray) -> Tensor:
    """An array of a file as a tensor."""
    if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
        raise ValueError(f"the tensor {name!r} of bool with bytes that are neither 0 nor 1")
    return wrap(as_array(array))


def _array(value: Any, where: str) -> np.ndarray:
    try:
        array = to_numpy(as_array(value))
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
    if isinstance(value, Tensor | np.generic) or is_array(value):
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
        return as_tensor(content, arrays.pop(content))
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
