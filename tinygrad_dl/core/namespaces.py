"""What public names have in common, said once: the import that an example needs, PyTorch's page, and `dir`."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

EXAMPLE = ">>> "
IMPORT = ">>> import tinygrad_dl as td"
NOTHING: Mapping[str, Any] = {}
PAGES = "https://docs.pytorch.org/"
GENERATED = "docs/stable/generated/"
# The namespaces that have operations, and PyTorch's pages of their names. What has several names gets the first page.
NAMESPACES = {
    "tinygrad_dl": f"{GENERATED}torch.{{}}.html",
    "tinygrad_dl.nn.functional": f"{GENERATED}torch.nn.functional.{{}}.html",
    "tinygrad_dl.special": "docs/stable/special.html#torch.special.{}",
    "tinygrad_dl.linalg": f"{GENERATED}torch.linalg.{{}}.html",
    "tinygrad_dl.fft": f"{GENERATED}torch.fft.{{}}.html",
    "tinygrad_dl.signal.windows": f"{GENERATED}torch.signal.windows.{{}}.html",
}


def public(
    namespace: dict[str, Any], page: str, without: tuple[str, ...] = (), methods: Mapping[str, Any] = NOTHING
) -> None:
    """Completes the docstrings of what a namespace exports, and makes `dir` show its `__all__`.

    A docstring that names its source keeps it.

    Args:
        namespace: the globals of the module.
        page: the path of PyTorch's page of a name, with `{}` in the place of the name; "" for names of our own.
        without: names that PyTorch does not have.
        methods: those of a class, by name: one that has a function's docstring gets its new one.
    """
    names: list[str] = namespace["__all__"]
    found = [(name, namespace.get(name)) for name in names]
    complete({name: value for name, value in found if name not in without}, page, methods)
    complete({name: value for name, value in found if name in without}, "", methods)
    namespace.setdefault("__dir__", lambda: names)


def complete(found: Mapping[str, Any], page: str, methods: Mapping[str, Any] = NOTHING) -> None:
    """Completes the docstrings of functions and classes, by their public names; see `public`."""
    functions = [(name, value) for name, value in found.items() if isinstance(value, types.FunctionType | type)]
    for name, value in sorted(functions, key=lambda pair: pair[1].__name__ != pair[0]):  # what has two names by its own
        text = vars(value).get("__doc__", value.__doc__) or ""
        value.__doc__ = completed(text, PAGES + page.format(name) if page else "")
        if name in methods and methods[name].__doc__ == text:
            methods[name].__doc__ = value.__doc__


def completed(text: str, source: str) -> str:
    """A docstring with the import that its example needs and, unless it says which, its source."""
    margin = "    " if "\n    " in text or "\n" not in text else ""  # Python 3.13 takes it away
    head, example, rest = text.partition(EXAMPLE)
    if example and "td." in rest and IMPORT not in text:
        text = f"{head}{IMPORT}\n{margin}{EXAMPLE}{rest}"
    if source and "Source: " not in text:
        text = f"{text.rstrip()}\n\n{margin}Source: {source}\n{margin}"
    return text
