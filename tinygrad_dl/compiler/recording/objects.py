"""What instrumented functions call in the place of subscripts, attributes and loops."""

from __future__ import annotations

import functools
import operator
import types
from typing import Any

import numpy as np

from tinygrad_dl.compiler.recording import policy
from tinygrad_dl.compiler.recording.operators import PLAIN, Operators, found_in, of_python
from tinygrad_dl.core.tensor import Tensor


class Objects(Operators):
    """Hooks of subscripts, attributes, loops and context managers."""

    def change_item(self, name: str, held: Any, index: Any, value: Any) -> None:
        self.store_item(self.changed(name, self.get(held, index), value), held, index)

    def change_attribute(self, name: str, held: Any, attribute: str, value: Any) -> None:
        self.store_attribute(self.changed(name, self.attribute(held, attribute), value), held, attribute)

    def slice(self, start: Any, stop: Any, step: Any) -> slice:
        return slice(start, stop, step)

    def get(self, held: Any, index: Any) -> Any:
        kind = type(held)
        if kind is list or kind is dict or kind is tuple or not self.active:
            if isinstance(index, np.ndarray) and self.active:
                index = self.call(index.item)
            return held[self.record.fixed(index) if type(index) not in PLAIN and self.active else index]
        if kind is np.ndarray:
            if isinstance(index, Tensor):
                return held[index]
            return self.arrays.get(held, index)
        if isinstance(held, np.generic) and self.record.is_number(held):  # an array of it, as by x[None]
            return self.arrays.get(self.call(np.asarray, held), index)
        own = found_in(kind, "__getitem__")
        if of_python(own):
            return self.python(own, (held, index), {})
        return held[index]

    def store_item(self, value: Any, held: Any, index: Any) -> None:
        if type(held) is np.ndarray and self.active:
            self.arrays.store(held, index, value)
            return
        if type(held) is dict and self.active:
            self.keeps(value, held, index)
        own = found_in(type(held), "__setitem__")
        if of_python(own) and self.active:
            self.python(own, (held, index, value), {})
        else:
            held[index] = value

    def attribute(self, held: Any, name: str, *default: Any) -> Any:
        if not self.active:
            return getattr(held, name, *default)
        kind = type(held)
        if kind is np.ndarray and name == "flat":
            if not held.flags.c_contiguous:
                raise self.record.refuse("the step goes through the elements of an array that is not contiguous,")
            return held.reshape(-1)
        own = found_in(kind, name) if kind is not types.ModuleType else None
        if type(own) is property and of_python(own.fget):
            return self.python(own.fget, (held,), {})
        if own is None and kind is not types.ModuleType and not isinstance(held, type | np.ndarray):
            asked = found_in(kind, "__getattr__")
            missing = of_python(asked) and name not in getattr(held, "__dict__", ())
            if missing and policy.nature(asked) is not policy.NATIVE:
                return self.python(asked, (held, name), {})
        elif type(own) is functools.cached_property and policy.of_library(kind):
            found = getattr(held, name)
            self.record.library_constants(found)
            return found
        if kind is np.ndarray and name == "imag" and held.dtype.kind != "c":  # NumPy makes zeros
            return self.call(np.zeros_like, held)
        if name in ("real", "imag") and self.record.is_number(held):
            return self.record.computed(operator.attrgetter(name), (held,), getattr(held, name))
        return getattr(held, name, *default)

    def store_attribute(self, value: Any, held: Any, name: str) -> None:
        if isinstance(held, np.ndarray) and name in ("real", "imag") and self.active:
            self.arrays.store(getattr(held, name), Ellipsis, value)
            return
        if self.active:
            self.keeps(value, held, name)
        own = found_in(type(held), name)
        if type(own) is property and of_python(own.fset) and self.active:
            self.python(own.fset, (held, value), {})
        else:
            setattr(held, name, value)

    def iterated(self, value: Any) -> Any:
        """What is gone through."""
        kind = type(value)
        if kind is list or kind is tuple or kind is range or kind is dict or not self.active:
            return value
        if isinstance(value, np.ndarray):
            return [self.arrays.get(value, i) for i in range(len(value))]
        own = found_in(kind, "__iter__")
        return self.python(own, (value,), {}) if of_python(own) else value

    def context(self, manager: Any) -> Any:
        """What stands behind `with`."""
        own = found_in(type(manager), "__enter__")
        if not self.active or not of_python(own) or policy.nature(own) is not policy.USERS:
            return manager
        return Within(self, manager)

    def deleted(self, held: Any) -> None:
        """Called before something of an object is deleted."""

    def own(self, value: Any) -> Any:
        """A list, dict or set that the code has made."""
        self.record.owned.add(id(value))
        return value

    def keeps(self, value: Any, held: Any, key: str) -> None:
        """Notes that something keeps a tensor: if it was there before the step, it may not do so after it."""
        if isinstance(value, Tensor) and id(held) not in self.record.owned and not isinstance(held, Tensor):
            self.record.keepers.append((held, key, value, self.record.where))


class Within:
    """A context manager of the user's, whose methods are instrumented."""

    def __init__(self, hooks: Objects, manager: Any):
        self.hooks, self.manager = hooks, manager

    def __enter__(self) -> Any:
        return self.hooks.python(found_in(type(self.manager), "__enter__"), (self.manager,), {})

    def __exit__(self, *error: Any) -> Any:
        return self.hooks.python(found_in(type(self.manager), "__exit__"), (self.manager, *error), {})
