"""Writes tinygrad_dl/core/signatures.pyi: the methods that declarations attach to Tensor, for checkers and editors.

    python docs/make_signatures.py

A test holds that the file is what this script writes.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import tinygrad_dl as td
from tinygrad_dl.core import lazy
from tinygrad_dl.core.generate import ALIASES

PACKAGE = Path(td.__file__).parent
WIDTH = 120
STUB = PACKAGE / "core" / "signatures.pyi"
HEAD = '''"""The methods that declarations attach to class Tensor. Written by docs/make_signatures.py."""

import builtins
from typing import Any, TypeAlias

import numpy as np

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.linalg._results import Logarithm, Reflections
from tinygrad_dl.ops.reduction.extrema import Extreme
from tinygrad_dl.ops.sorting.sort import Sorted
from tinygrad_dl.random import Generator

TensorLike: TypeAlias = Tensor | np.ndarray[Any, Any] | np.generic | complex

class Methods:
    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None: ...
    def __add__(self, other: Any) -> Tensor: ...
    def __radd__(self, other: Any) -> Tensor: ...
    def __sub__(self, other: Any) -> Tensor: ...
    def __rsub__(self, other: Any) -> Tensor: ...
    def __mul__(self, other: Any) -> Tensor: ...
    def __rmul__(self, other: Any) -> Tensor: ...
    def __truediv__(self, other: Any) -> Tensor: ...
    def __rtruediv__(self, other: Any) -> Tensor: ...
    def __floordiv__(self, other: Any) -> Tensor: ...
    def __mod__(self, other: Any) -> Tensor: ...
    def __pow__(self, other: Any) -> Tensor: ...
    def __rpow__(self, other: Any) -> Tensor: ...
    def __matmul__(self, other: Any) -> Tensor: ...
    def __rmatmul__(self, other: Any) -> Tensor: ...
    def __and__(self, other: Any) -> Tensor: ...
    def __rand__(self, other: Any) -> Tensor: ...
    def __or__(self, other: Any) -> Tensor: ...
    def __ror__(self, other: Any) -> Tensor: ...
    def __xor__(self, other: Any) -> Tensor: ...
    def __rxor__(self, other: Any) -> Tensor: ...
    def __neg__(self) -> Tensor: ...
    def __invert__(self) -> Tensor: ...
    def __lt__(self, other: Any) -> Tensor: ...
    def __le__(self, other: Any) -> Tensor: ...
    def __gt__(self, other: Any) -> Tensor: ...
    def __ge__(self, other: Any) -> Tensor: ...
    def __getitem__(self, index: Any) -> Tensor: ...
    def __setitem__(self, index: Any, value: Any) -> None: ...
'''
# What may stand in a signature as it is.
KNOWN = {"Any", "Generator", "None", "Tensor", "bool", "complex", "dict", "float", "int", "list", "str", "tuple"}
SHADOWED = {"bool", "float", "int", "complex"}  # methods of these names hide the types inside the class


def own_names() -> set[str]:
    """What class Tensor defines itself."""
    (tensor,) = [
        node
        for node in ast.parse((PACKAGE / "core" / "tensor.py").read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == "Tensor"
    ]
    names = {node.name for node in tensor.body if isinstance(node, ast.FunctionDef)}
    return names | {"backward"}


def annotation(found: Any, given: bool) -> str:
    """An annotation of a declaration as one of the stub; `given` for parameters, which may be numbers and arrays."""
    text = found if isinstance(found, str) else "Any"
    text = text.replace("Array", "TensorLike" if given else "Tensor")
    tree = ast.parse(text, mode="eval")
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if not names <= KNOWN | {"TensorLike"} or any(isinstance(node, ast.Attribute) for node in ast.walk(tree)):
        return "Any"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in SHADOWED:
            node.id = f"builtins.{node.id}"
    return ast.unparse(tree)


def result(function: Any) -> str:
    """What a method returns."""
    op = getattr(function, "op", None)
    if hasattr(getattr(op, "outputs", None), "_fields") and function.__name__ == op.name:
        return str(op.outputs.__name__)
    return annotation(inspect.unwrap(function).__annotations__.get("return"), False)


def parameter(found: inspect.Parameter) -> str:
    """A parameter of the stub."""
    star = {found.VAR_POSITIONAL: "*", found.VAR_KEYWORD: "**"}.get(found.kind, "")
    default = "" if found.default is found.empty or star else " = ..."
    return f"{star}{found.name}: {annotation(found.annotation, True)}{default}"


def method(name: str, value: Any) -> list[str]:
    """The lines of a method or property."""
    if isinstance(value, property):
        return ["    @property", f"    def {name}(self) -> Tensor: ..."]
    function, inplace = value, False
    if name.endswith("_") and not name.endswith("__") and hasattr(td.Tensor, name[:-1]):
        function, inplace = vars(td.Tensor).get(name[:-1], value), True
    code = getattr(function, "__code__", None)
    if code is not None and code.co_varnames[:3] == ("self", "numbers", "kwargs"):  # its option as separate numbers too
        return [f"    def {name}(self, *{option(function)}: Any, **options: Any) -> Tensor: ..."]
    parameters = [*inspect.signature(function).parameters.values()][1:]
    parts, starred = ["self"], False
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and not starred:
            parts.append("*")
        starred = starred or each.kind in (each.KEYWORD_ONLY, each.VAR_POSITIONAL)
        parts.append(parameter(each))
    given = {each.name for each in parameters}
    more = [f"{ours}: Any = ..." for word, ours in ALIASES.items() if word in given and ours not in given]
    if hasattr(function, "op") and more:
        parts += [*([] if starred else ["*"]), *more]
    return wrapped(f"    def {name}(", parts, f") -> {'Tensor' if inplace else result(function)}: ...")


def wrapped(head: str, parts: list[str], tail: str) -> list[str]:
    """The lines of a signature, broken as the formatter breaks them."""
    one = head + ", ".join(parts) + tail
    if len(one) <= WIDTH:
        return [one]
    two = " " * 8 + ", ".join(parts)
    return [head, *([two] if len(two) <= WIDTH else [f"        {part}," for part in parts]), f"    {tail}"]


def option(function: Any) -> str:
    """The name of the option that a method takes as separate numbers too."""
    return [*inspect.signature(function).parameters][1]


def stub() -> str:
    """The whole file."""
    lazy.load_all()
    own = own_names()
    lines = []
    for name, value in sorted(vars(td.Tensor).items()):
        if name in own or name.startswith("_") or not (callable(value) or isinstance(value, property)):
            continue
        lines += method(name, value)
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    STUB.write_text(stub())
