"""What instrumented functions call in the place of calls: each kind of function and class has its way."""

from __future__ import annotations

import builtins
import functools
import itertools
import operator
import sys
import types
from functools import partial
from typing import Any

import numpy as np

from tinygrad_dl.compiler.program import Constant
from tinygrad_dl.compiler.recording import policy
from tinygrad_dl.compiler.recording.arrays import Arrays
from tinygrad_dl.compiler.recording.functions import name_of
from tinygrad_dl.compiler.recording.numbers import NUMBERS, TracedList, plain
from tinygrad_dl.compiler.recording.objects import Objects
from tinygrad_dl.compiler.recording.operators import CHANGING, PYTHON, found_in, of_python
from tinygrad_dl.compiler.recording.record import Record
from tinygrad_dl.compiler.recording.twins import code_of, twin
from tinygrad_dl.core.tensor import Tensor

NUMPY = "numpy"
Dispatched = type(np.concatenate)  # NumPy's functions that tensors may take over
Cached = type(functools.lru_cache(lambda: None))
DRAWING = (np.random.Generator, np.random.BitGenerator, np.random.RandomState)
# The functions of the module operator that stand for operators, and builtins that do.
OPERATORS: dict[Any, str] = {function: name for name, function in PYTHON.items()} | {builtins.abs: "abs"}
CHOOSING = (min, max, builtins.any, builtins.all)
PASSED = (map, filter, sorted, functools.reduce, itertools.accumulate, *CHOOSING)


class Hooks(Objects):
    """The hooks of library code in one run."""

    users = False

    def __init__(self, record: Record, arrays: Arrays):
        super().__init__(record, arrays)
        self.other: Hooks = self  # those of the user's code, or of the library's

    # -- calls -----------------------------------------------------------------------------------

    def call(self, function: Any, /, *args: Any, **options: Any) -> Any:
        if not self.active:
            return function(*args, **options)
        kind = type(function)
        if kind is types.FunctionType:
            return self.python(function, args, options)
        if kind is types.MethodType:
            inner = function.__func__
            if type(inner) is types.FunctionType:
                return self.python(inner, (function.__self__, *args), options)
            if isinstance(function.__self__, DRAWING):  # a method written in Cython
                return self.builtin(function, args, options)
            return self.call(inner, function.__self__, *args, **options)
        if kind is types.BuiltinFunctionType:
            return self.builtin(function, args, options)
        if kind is np.ufunc:
            return self.ufunc(function, args, options)
        if kind is Dispatched:
            return self.dispatched(function, args, options)
        if isinstance(function, type):
            return self.construct(function, args, options)
        if kind is functools.partial:
            return self.call(function.func, *function.args, *args, **{**function.keywords, **options})
        if kind is Cached:
            result = function(*args, **options)
            if policy.of_library(function.__wrapped__):
                self.record.library_constants(result)
            return result
        inner = getattr(function, "_compiled_function", None)
        if inner is not None:
            return self.call(inner, *args, **options)
        own = found_in(kind, "__call__")
        if of_python(own):
            return self.python(own, (function, *args), options)
        if isinstance(function, operator.attrgetter | operator.itemgetter | operator.methodcaller):
            return self.getter(function, args)
        return function(*map(plain, args), **options)

    def getter(self, function: Any, args: tuple[Any, ...]) -> Any:
        return function(*args)

    def python(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A call of a function written in Python."""
        special = policy.special(function)
        if special is not None:
            return special(self, function, args, options)
        nature = policy.nature(function)
        if nature is policy.NATIVE:
            return function(*args, **options)
        if nature is policy.NUMPY:
            return self.dispatched(function, args, options)
        users = nature is policy.USERS
        made = code_of(function, users)
        if made is None:
            if users:
                self.without_source(function)
            return function(*args, **options)
        hooks = self if users is self.users else self.other
        new = twin(function, made, hooks)
        op = function.__dict__.get("op") if function.__dict__ else None
        if op is None:
            return new(*args, **options)
        with self.record.within(op.name):
            return new(*args, **options)

    def without_source(self, function: Any) -> None:
        raise self.record.refuse(f"the source of {function.__qualname__} can't be read")

    def as_twin(self, value: Any) -> Any:
        """A function as one that may be called from code without hooks."""
        if callable(value):
            return lambda *args, **options: self.call(value, *args, **options)
        return value

    def ufunc(self, function: np.ufunc, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if any(isinstance(each, Tensor) for each in args):
            tensor = next(each for each in args if isinstance(each, Tensor))
            return self.call(tensor.__array_ufunc__, function, "__call__", *args, **options)
        if function is np.positive and not options and not self.record.depends(args):
            return function(*args)
        return self.arrays.ufunc(function, args, options)

    def dispatched(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A function of NumPy's."""
        tensor = first_tensor((*args, *options.values()))
        if tensor is not None:
            taken: Any = tensor
            if type(function) is Dispatched:
                return self.call(taken.__array_function__, function, (type(tensor),), args, options)
            return function(*args, **options)
        return self.arrays.function(function, args, options)

    def builtin(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A function or method written in C."""
        owner = function.__self__
        if isinstance(owner, np.ndarray):
            return self.arrays.method(owner, function, args, options)
        kind = type(owner)
        if kind is types.ModuleType:
            module = function.__module__ or ""
            if module.startswith(NUMPY):
                if first_tensor(args) is not None:
                    return function(*args, **options)
                return self.arrays.function(function, args, options)
            return self.of_module(function, args, options)
        if kind is np.ufunc:
            tensor: Any = first_tensor(args)
            if tensor is not None:
                return self.call(tensor.__array_ufunc__, owner, name_of(function), *args, **options)
            return self.arrays.of_ufunc(owner, function, args, options)
        if isinstance(owner, np.generic):
            return self.of_number(owner, function, args, options)
        if isinstance(owner, DRAWING):
            return self.arrays.drawn(owner, function, args, options)
        if owner is None or kind is type:  # a class method, or a function of a C library
            module = function.__module__ or ""
            if module.startswith(NUMPY) or (isinstance(owner, type) and issubclass(owner, np.generic | np.ndarray)):
                return self.arrays.function(function, args, options)
        if kind is TracedList and name_of(function) == "count":
            return self.counted(owner, args)
        return self.of_object(owner, function, args, options)

    def counted(self, owner: TracedList, args: tuple[Any, ...]) -> int:
        """How often a number is among those of an array."""
        record, found = self.record, sum([plain(each) == plain(args[0]) for each in owner])
        counted: int = record.traced("scalar", list.count, [record.operand(owner), record.operand(args[0])], found)
        return counted

    def of_number(self, owner: np.generic, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A method of a number of NumPy's."""
        result, record = function(*args, **options), self.record
        if not record.is_number(owner):
            return result
        name = name_of(function)
        if isinstance(result, np.ndarray):
            record.add("write", np.copyto, [record.made(result), record.operand(owner)], self.arrays.unsafe())
            return result
        operands = [record.operand(owner), *map(Constant, args)]
        options = {name: Constant(value) for name, value in options.items()}
        unbound = getattr(np.generic, name)
        if type(result) is bool:
            record.guard(operator.truth, [record.operand(owner)], result)
            return result
        return record.traced("scalar", unbound, operands, result, options=options)

    def of_object(self, owner: Any, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A method, written in C, of an object of Python's."""
        if (type(owner) is list and name_of(function) == "sort") or "key" in options:
            options = {name: self.as_twin(value) for name, value in options.items()}
        return function(*args, **options)

    def of_module(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A function, written in C, of a module that is not NumPy's."""
        if function is builtins.getattr:
            return self.attribute(*args)
        if function is builtins.setattr:
            return self.store_attribute(args[2], args[0], args[1])
        if function is builtins.sum:
            return functools.reduce(
                partial(self.operator, "add"), self.iterated(args[0]), *(args[1:] or (options.get("start", 0),))
            )
        name = OPERATORS.get(function)
        if name is not None:
            return self.operator(name, *args)
        name = CHANGING.get(function)
        if name is not None:
            return self.changed(name, *args)
        if function is operator.getitem:
            return self.get(*args)
        if function is operator.setitem:
            return self.store_item(args[2], args[0], args[1])
        if function is builtins.iter and len(args) == 1:
            return iter(self.iterated(args[0]))
        if function in PASSED:
            options = {name: self.as_twin(value) for name, value in options.items()}
            if function in CHOOSING:
                return self.chosen(function, args, options)
            args = tuple(map(self.iterated, map(self.as_twin, args)))
            if function is sorted and not options:
                values = list(args[0])
                if any(isinstance(each, np.ndarray | Tensor) or self.record.is_number(each) for each in values):
                    raise self.record.refuse("sorted compares the elements of arrays,")
                return sorted(values)
        if any(type(each) in NUMBERS or isinstance(each, np.generic | Tensor | np.ndarray) for each in args):
            return self.with_numbers(function, args, options)
        return function(*args, **options)

    def chosen(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """min, max, any or all of numbers, whose truth a guard may have to hold."""
        values = list(self.iterated(args[0]) if len(args) == 1 else args)
        record = self.record
        if any(isinstance(each, Tensor | np.ndarray) for each in values):
            raise record.refuse(f"{function.__name__} compares the elements of arrays")
        if not any(map(record.is_number, values)):
            return function(*args, **options) if len(args) > 1 else function(values, **options)
        if options:
            raise record.refuse(f"{function.__name__} compares numbers that depend on arrays")
        if function in (builtins.any, builtins.all):
            return function([self.truth(each) for each in values])
        return record.computed(function, tuple(values), function(*map(plain, values)))

    def with_numbers(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A function in C of numbers that may differ from run to run."""
        record = self.record
        if any(isinstance(each, Tensor) for each in args):
            own = found_in(type(args[0]), f"__{name_of(function)}__")
            return self.python(own, args, options) if of_python(own) else function(*args, **options)
        module = function.__module__
        if module in ("math", "builtins"):
            args = tuple([self.call(each.item) if isinstance(each, np.ndarray) else each for each in args])
        if not any(map(record.is_number, args)):
            return function(*args, **options)
        if module in ("math", "builtins") and not options:
            result = function(*map(plain, args))
            if type(result) in (int, float, complex, bool) or isinstance(result, np.generic):
                return record.computed(function, args, result)
        if module == "ctypes" or function is builtins.isinstance:
            return function(*args)
        return function(*map(record.fixed, args), **options)

    # -- classes ---------------------------------------------------------------------------------

    def construct(self, kind: type, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A call of a class."""
        record = self.record
        if kind in (float, int, bool, complex):
            return self.converted(kind, args)
        if issubclass(kind, np.generic):
            if len(args) == 1 and record.is_number(args[0]):
                return record.traced("scalar", kind, [record.operand(args[0])], kind(plain(args[0])))
            return (
                self.arrays.function(kind, args, options) if any(map(record.depends, args)) else kind(*args, **options)
            )
        if kind is np.ndarray:
            return self.arrays.function(kind, args, options)
        module = kind.__module__ or ""
        if module.startswith(NUMPY):
            record.errstate = record.errstate or kind is np.errstate
            return kind(*args, **options)
        if (
            module == "builtins"
            or module in sys.stdlib_module_names
            or module.partition(".")[0] in sys.stdlib_module_names
        ):
            if kind in PASSED:
                options = {name: self.as_twin(value) for name, value in options.items()}
                return kind(*map(self.iterated, map(self.as_twin, args)), **options)
            if kind in (range, slice):
                args = tuple(map(record.fixed, args))
            elif kind in (list, tuple, set, zip, enumerate, frozenset, reversed) and args:
                args = tuple(map(self.iterated, args))
            if kind is not functools.partial and module != "contextlib":
                return self.own(kind(*args, **options))
        if policy.native_class(kind) or issubclass(kind, BaseException) or type(kind).__call__ is not type.__call__:
            return kind(*args, **options)
        new, initial = found_in(kind, "__new__"), found_in(kind, "__init__")
        if not of_python(initial) and not isinstance(new, staticmethod):
            return self.own(kind(*args, **options))
        if isinstance(new, staticmethod):
            made = self.call(new.__func__, kind, *args, **options)
        elif new is object.__new__:
            made = object.__new__(kind)
        else:
            made = new(kind, *args, **options)
        if isinstance(made, kind) and of_python(initial):
            self.own(made)
            self.python(initial, (made, *args), options)
        return self.own(made)

    def converted(self, kind: Any, args: tuple[Any, ...]) -> Any:
        """float(x), int(x), bool(x)."""
        value = args[0] if args else 0
        if isinstance(value, Tensor):
            return self.of_tensor(value, f"__{kind.__name__}__")
        if isinstance(value, np.ndarray):
            value = self.call(value.item)
        record = self.record
        if not record.is_number(value) or len(args) > 1:
            return kind(*args) if not isinstance(value, np.ndarray) else kind(value)
        if kind is bool:
            return record.truth(value)
        result = kind(plain(value))
        return record.traced("scalar", kind, [record.operand(value)], result)


def first_tensor(values: Any) -> Tensor | None:
    """The first tensor among values, those in tuples and lists too."""
    for value in values:
        if isinstance(value, Tensor):
            return value
        if type(value) in (tuple, list) and value:
            found = first_tensor(value)
            if found is not None:
                return found
    return None
