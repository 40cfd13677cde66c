"""Files of operations that are loaded when one of their names is first used.

Importing the package loads the operations that most programs use. All others stand in `lazy_names.FILES`, a table of
names that `docs/make_lazy_names.py` writes: a name of a file is found as a method of Tensor (`LazyMethod`), in a
namespace (`names`), in the registry, or by the NumPy function that it stands for, and its file is loaded there.

A file is complete before any of its names is given away: whoever asks while another thread loads it waits for that.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from tinygrad_dl.core.lazy_names import FILES
from tinygrad_dl.core.namespaces import NAMESPACES, complete
from tinygrad_dl.core.tensor import Tensor

PACKAGE = "tinygrad_dl."
_published: set[str] = set()  # files whose methods are in class Tensor


class LazyMethod:
    """Stands in class Tensor for a method whose file is not loaded yet."""

    __slots__ = ("file", "found", "name")

    def __init__(self, name: str, file: str):
        self.name, self.file = name, file
        self.found: Any = None  # what the file attached

    def __get__(self, tensor: Tensor | None, kind: type) -> Any:
        load(self.file)
        return self.found.__get__(tensor, kind)

    @property
    def op(self) -> Any:
        """The declaration of the method, for an op that wants its name."""
        load(self.file)
        return self.found.op


_methods: dict[str, LazyMethod] = {}


def attach(name: str, function: Any) -> None:
    """Makes a function a method of Tensor: how the modules that stand above class Tensor put their part there."""
    held = _methods.get(name)
    if held is None:
        setattr(Tensor, name, function)
    else:
        held.found = function  # until the file is complete


def attached(name: str) -> Any:
    """What was attached as a method, in a file that may not be complete yet."""
    held = _methods.get(name)
    return vars(Tensor)[name] if held is None else held.found


def waits_for(name: str, module: str) -> bool:
    """Whether the place of a method is kept for a module, which declares it now."""
    return name in _methods and PACKAGE + _methods[name].file == module


@cache
def index(place: str) -> dict[str, str]:
    """The file of each name of a place: "methods", "ops", "numpy", or a namespace."""
    return {name: file for file, places in FILES.items() for name in places.get(place, "").split()}


def load(file: str) -> Any:
    """The module of a file of the table."""
    module = importlib.import_module(PACKAGE + file)
    if file not in _published:
        publish(file, module)
    return module


def load_name(place: str, name: str) -> None:
    """Loads the file that has a name of a place, if the table knows one."""
    file = index(place).get(name)
    if file is not None:
        load(file)


def load_all() -> None:
    """Loads all files of the table."""
    for file in FILES:
        load(file)


def publish(file: str, module: Any) -> None:
    """Puts the methods of a loaded file into class Tensor, and completes the docstrings of its public names."""
    places = FILES[file]
    methods = [_methods[name] for name in places.get("methods", "").split()]
    if any(method.found is None for method in methods):
        return  # asked for by the file itself, which is not complete
    for method in methods:
        if Tensor.__dict__.get(method.name) is method:  # not what a program has put there
            setattr(Tensor, method.name, method.found)
    for namespace, page in NAMESPACES.items():
        complete({name: getattr(module, name) for name in places.get(namespace, "").split()}, page, vars(Tensor))
    _published.add(file)


def names(namespace: str) -> Callable[[str], Any]:
    """The `__getattr__` of a namespace that has names of the table: the name is an ordinary one from then on."""

    def find(name: str) -> Any:
        file = index(namespace).get(name)
        if file is None:
            raise AttributeError(f"module {namespace!r} has no attribute {name!r}")
        value = getattr(load(file), name)
        return vars(sys.modules[namespace]).setdefault(name, value)

    return find


for _file, _places in FILES.items():
    for _name in _places.get("methods", "").split():
        _methods[_name] = LazyMethod(_name, _file)
        setattr(Tensor, _name, _methods[_name])
