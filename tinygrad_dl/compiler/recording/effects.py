"""The hooks of the user's own code, in which side effects are looked for: a program would not have them."""

from __future__ import annotations

import collections
import sys
import types
from typing import Any

import numpy as np

from tinygrad_dl.compiler.recording import policy
from tinygrad_dl.compiler.recording.functions import name_of
from tinygrad_dl.compiler.recording.hooks import Hooks
from tinygrad_dl.core.tensor import Tensor

CONTAINERS = (list, dict, set, bytearray, collections.deque)
CHANGING = frozenset(
    {
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "popitem",
        "clear",
        "sort",
        "reverse",
        "update",
        "setdefault",
        "add",
    }
    | {"discard", "appendleft", "extendleft", "popleft", "rotate", "difference_update", "intersection_update"}
)
# What asks a tensor for its numbers.
ASKING = frozenset(
    {"item", "tolist", "numpy", "__array__", "__bool__", "__float__", "__int__", "__complex__", "__index__"}
)
# Modules of Python's whose functions do something outside of the program, or give something else each time.
OUTSIDE = frozenset(
    {"random", "_random", "time", "datetime", "_datetime", "os", "posix", "io", "_io", "logging", "uuid", "secrets"}
    | {"subprocess", "socket", "shutil", "pathlib", "tempfile", "threading", "_thread", "queue", "_queue", "warnings"}
)
BUILTINS = frozenset({"print", "open", "input", "exec", "eval", "breakpoint"})
# Attributes of tensors that may be set: the library looks after them.
SETTABLE = frozenset({"grad", "requires_grad"})


class UsersHooks(Hooks):
    """The hooks of code that is not the library's."""

    users = True

    def here(self) -> None:
        """Notes the line that is run: that of the innermost function which is not one of these hooks."""
        frame: Any = sys._getframe(2)
        while frame.f_globals.get("__name__", "").startswith("tinygrad_dl.compiler."):
            frame = frame.f_back
        self.record.where = frame.f_code.co_filename, frame.f_lineno

    # -- calls -----------------------------------------------------------------------------------

    def call(self, function: Any, /, *args: Any, **options: Any) -> Any:
        if not self.active:
            return function(*args, **options)
        self.here()
        self.check(function)
        if function is next and id(args[0]) not in self.record.owned:
            raise self.record.refuse("the step calls next of an iterator that was made outside of it,")
        result = super().call(function, *args, **options)
        if hasattr(type(result), "__next__"):
            self.record.owned.add(id(result))
        if isinstance(result, CONTAINERS) and not isinstance(function, types.BuiltinMethodType):
            inner = getattr(function, "__func__", function)
            if isinstance(function, type) or (type(inner) is types.FunctionType and policy.of_library(inner)):
                self.record.owned.add(id(result))
        elif isinstance(result, CONTAINERS) and name_of(function) in ("copy", "sorted", "split", "items"):
            self.record.owned.add(id(result))
        return result

    def check(self, function: Any) -> None:
        """Refuses functions that do something which a run of the program would not do."""
        owner, name = getattr(function, "__self__", None), name_of(function)
        if isinstance(owner, CONTAINERS) and name in CHANGING:
            self.changes(owner, f"calls {name} of")
        module = getattr(function, "__module__", None) or type(owner).__module__
        top = str(module).partition(".")[0]
        if top in OUTSIDE or (
            module == "builtins" and name in BUILTINS and type(function) is types.BuiltinFunctionType
        ):
            raise self.record.refuse(f"the step calls {name}, which a program would not,")
        if top == policy.PACKAGE and policy.outside(str(module), name):
            raise self.record.refuse(f"the step calls {name}, which changes what is no tensor,")
        if isinstance(owner, Tensor) and name in ASKING:
            self.of_tensor(owner, name)

    def of_tensor(self, tensor: Tensor | np.ndarray, name: str) -> Any:
        raise self.record.refuse(
            f"{name.strip('_')} asks a tensor of shape {tuple(tensor.shape)} for numbers that differ from run to run,"
        )

    # -- text ------------------------------------------------------------------------------------

    def text(self, value: Any) -> Any:
        """A value that becomes part of a text: a number is the same in every run, by a guard, a tensor is refused."""
        if not self.active:
            return value
        self.here()
        values = [value]
        while values:
            each = values.pop()
            if isinstance(each, Tensor | np.ndarray):
                self.of_tensor(each, "a text")
            values += each.values() if isinstance(each, dict) else each if isinstance(each, list | tuple | set) else ()
        if type(value) is tuple:
            return tuple(map(self.record.fixed, value))
        return self.record.fixed(value)

    def construct(self, kind: type, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return super().construct(kind, tuple(map(self.text, args)) if kind is str else args, options)

    def of_object(self, owner: Any, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if isinstance(owner, str):
            args, options = tuple(map(self.text, args)), {name: self.text(each) for name, each in options.items()}
        return super().of_object(owner, function, args, options)

    def of_module(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if function in (format, repr, ascii):
            args = tuple(map(self.text, args))
        return super().of_module(function, args, options)

    # -- operators and tests ---------------------------------------------------------------------

    def operator(self, name: str, *operands: Any) -> Any:
        if self.active:
            self.here()
        return super().operator(name, *operands)

    def changed(self, name: str, target: Any, value: Any) -> Any:
        if self.active:
            self.here()
            if isinstance(target, CONTAINERS):
                self.changes(target, "adds to")
        return super().changed(name, target, value)

    def truth(self, value: Any) -> bool:
        if isinstance(value, np.ndarray) or self.record.is_number(value):
            self.here()
            raise self.record.refuse("a test depends on the elements of arrays,")
        return super().truth(value)

    def contains(self, container: Any, value: Any) -> Any:
        if self.active and isinstance(container, list | tuple | Tensor):
            self.here()
            if isinstance(container, Tensor):
                self.of_tensor(container, "in")
            if any(each is value for each in container):
                return True
            asked = next((each for each in (value, *container) if isinstance(each, Tensor)), None)
            if asked is not None:
                self.of_tensor(asked, "in")
        return value in container

    # -- what is changed -------------------------------------------------------------------------

    def get(self, held: Any, index: Any) -> Any:
        if not self.active:
            return held[index]
        self.here()
        if isinstance(index, Tensor) and isinstance(held, list | tuple | str):
            self.of_tensor(index, "an index")
        result = super().get(held, index)
        return self.own(result) if type(held) is list and type(index) is slice else result

    def attribute(self, held: Any, name: str, *default: Any) -> Any:
        if self.active:
            self.here()
        return super().attribute(held, name, *default)

    def iterated(self, value: Any) -> Any:
        if self.active:
            self.here()
        return super().iterated(value)

    def store_item(self, value: Any, held: Any, index: Any) -> None:
        if self.active:
            self.here()
            if isinstance(held, CONTAINERS):
                self.changes(held, "stores in")
            elif isinstance(held, np.ndarray) and self.record.memories.find(held) is None:
                raise self.record.refuse(
                    f"the step writes to an array of shape {held.shape} that was made outside of it and is not known,"
                )
        super().store_item(value, held, index)

    def store_attribute(self, value: Any, held: Any, name: str) -> None:
        if self.active:
            self.here()
            if isinstance(held, Tensor):
                found = self.record.memories.find(held._data)
                mine = name in SETTABLE or (found is not None and found.kind == "inside")
            else:
                mine = id(held) in self.record.owned
            if not mine:
                raise self.record.refuse(
                    f"the step sets {name!r} of a {type(held).__name__} that lives on, which a program would not,"
                )
        super().store_attribute(value, held, name)

    def deleted(self, held: Any) -> None:
        if self.active and id(held) not in self.record.owned:
            self.here()
            raise self.record.refuse(f"the step deletes something of a {type(held).__name__} that lives on,")

    def store_global(self, name: str) -> None:
        if self.active:
            self.here()
            raise self.record.refuse(f"the step sets {name!r}, a variable outside of it,")

    def changes(self, container: Any, what: str) -> None:
        """Refuses the change of a list, dict or set that was there before the step."""
        if id(container) not in self.record.owned:
            raise self.record.refuse(
                f"the step {what} a {type(container).__name__} that was made outside of it, which a program would not,"
            )
