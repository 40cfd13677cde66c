"""The random generators that a training draws from: found, their states taken, and put back.

A generator may be anywhere: in a transform of a dataset of a subset of a loader, in a closure, in a variable of the
module that a function of the user's stands in. So what `fit` was given is gone through, object by object.
"""

from __future__ import annotations

import functools
import gc
import random
import sys
import types
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from tinygrad_dl.core.dtypes import dtype
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.data.loader import DataLoader
from tinygrad_dl.random import Generator, default_generator
from tinygrad_dl.train.training import Training

__all__ = ["Found", "find", "get_state", "set_state"]

ROOTS = ("train", "dev", "model", "loss", "metrics", "optimizer", "callbacks")
CLOSED = (np.ndarray, np.generic, Tensor, types.ModuleType, type, np.dtype, dtype, str, bytes, int, float, complex)
COLLECTIONS = (list, tuple, set, frozenset, deque)
FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.CellType, functools.partial)
OPEN = ("builtins", "itertools", "functools", "collections", "types")  # where the standard library's containers are
DEPTH = 3  # of lists in a list that are gone through as one
KNOWN = (Generator, np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)


class Found:
    """The generators of a training by the way to each, such as "train.dataset.transform.generator".

    Attributes:
        kept: those whose state can be taken. lost: the ways to others, and why their state can't.
    """

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.lost: dict[str, str] = {}


def find(training: Training) -> Found:
    """The generators that a training may draw from: the three global ones, and those within what `fit` was given."""
    found = Found()
    # By their ids; they are kept from being collected meanwhile, which would free the id for another.
    seen: dict[int, Any] = {}
    for name, generator in (
        ("td.random", default_generator),
        ("numpy.random", np.random.mtrand._rand),
        ("random", random._inst),
    ):
        seen[id(generator)] = found.kept[name] = generator
    for root in ROOTS:
        _visit(root, getattr(training, root), found, seen)
    return found


def get_state(generator: Any) -> Any:
    """The state, in terms that `td.save` can write."""
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.RandomState):
        return _plain(generator.get_state(legacy=False))
    if isinstance(generator, Generator):
        return _plain(generator.get_state())
    bits = generator.bit_generator if isinstance(generator, np.random.Generator) else generator
    return _plain(bits.state)


def set_state(generator: Any, state: Any) -> None:
    """Goes on from what `get_state` gave."""
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, Generator | np.random.RandomState):
        generator.set_state(_arrays(state))
    else:
        bits = generator.bit_generator if isinstance(generator, np.random.Generator) else generator
        bits.state = _arrays(state)


def _plain(state: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items()}
    return state.item() if isinstance(state, np.generic) else state


def _arrays(state: Any) -> Any:
    """The arrays that `load` gives as tensors."""
    if isinstance(state, dict):
        return {key: _arrays(value) for key, value in state.items()}
    return state.numpy() if isinstance(state, Tensor) else state


# -- the search ------------------------------------------------------------------------------------------


def _visit(name: str, root: Any, found: Found, seen: dict[int, Any]) -> None:
    """Goes through all that can be reached from an object, and notes the generators."""
    waiting = [(name, root)]
    while waiting:
        where, value = waiting.pop()
        if value is None or isinstance(value, CLOSED) or id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, KNOWN) and not isinstance(value, random.SystemRandom):
            found.kept[where] = value
        elif (reason := _why_lost(value)) is not None:
            found.lost[where] = reason
        elif _lives_in_workers(value):
            copies = Found()
            for part in ("dataset", "collate_fn"):
                _visit(f"{where}.{part}", getattr(value, part), copies, seen)
            found.lost.update(
                dict.fromkeys(copies.kept, "persistent workers have copies of it that go on by themselves")
            )
            found.lost.update(copies.lost)
            waiting += reversed(list(_parts(where, value)))
        else:
            waiting += reversed(list(_parts(where, value)))


def _lives_in_workers(value: Any) -> bool:
    return isinstance(value, DataLoader) and value.persistent_workers


def _why_lost(value: Any) -> str | None:
    """Why the state of something that random numbers may come from can't be taken; None for all else."""
    if isinstance(value, random.SystemRandom):
        return "it has no state: its numbers come from the operating system"
    if isinstance(value, types.GeneratorType):
        return "it is under way, and Python says not where"
    if type(value).__name__ in ("Generator", "RandomState", "BitGenerator"):
        return f"its kind, {type(value).__module__}.{type(value).__qualname__}, is not known here"
    return None


def _parts(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What an object refers to, and how it is called from there."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield f"{where}[{key!r}]", each
    elif isinstance(value, COLLECTIONS):
        items: Iterable[Any] = value
        # A list of a million pairs of numbers is found to hold nothing without a step for each.
        for _ in range(DEPTH):
            if (kinds := set(map(type, items))) and kinds <= {list, tuple}:
                items = list(chain.from_iterable(items))
        kinds = set(map(type, items))
        if not all(issubclass(kind, CLOSED) for kind in kinds):
            for position, each in enumerate(items):
                yield f"{where}[{position}]", each
    elif isinstance(value, FUNCTIONS):
        yield from _parts_of_function(where, value)
    elif _root_of(type(value).__module__) in sys.stdlib_module_names and type(value).__module__ not in OPEN:
        return  # locks, files, processes: what has no business in a checkpoint
    else:
        own = getattr(value, "__dict__", None)
        slots = [name for kind in type(value).__mro__ for name in _slots(kind)]
        if own is None and not slots:
            for position, each in enumerate(gc.get_referents(value)):  # map, zip, cycle and their like
                yield f"{where}<{position}>", each
        for name, each in {**(own or {}), **{n: getattr(value, n) for n in slots if hasattr(value, n)}}.items():
            yield f"{where}.{name}", each
        for kind in type(value).__mro__:
            for name, function in vars(kind).items():
                if isinstance(function, types.FunctionType) and _of_the_user(function):
                    yield f"{where}.{name}", function


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if not name.startswith("__"))


def _parts_of_function(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, types.CellType):
        yield from ((where, each) for each in gc.get_referents(value))
    elif isinstance(value, functools.partial):
        yield where, value.func
        yield f"{where}.args", value.args
        yield f"{where}.keywords", value.keywords
    elif not isinstance(value, types.FunctionType):  # a method of a user's object, or of a generator: rng.normal
        yield where, getattr(value, "__func__", None)
        yield f"{where}.__self__", getattr(value, "__self__", None)
    else:
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            yield f"{where}: {name}", cell
        yield f"{where}.__defaults__", value.__defaults__
        yield f"{where}.__kwdefaults__", value.__kwdefaults__
        yield f"{where}.__wrapped__", getattr(value, "__wrapped__", None)
        if _of_the_user(value):
            names = list(_names(value.__code__))
            for name in names:
                each = value.__globals__.get(name)
                yield f"{where}: {name}", each
                if isinstance(each, types.ModuleType) and _root_of(each.__name__) not in _libraries():
                    for inner in names:
                        if isinstance(vars(each).get(inner), KNOWN):
                            yield f"{where}: {name}.{inner}", vars(each)[inner]


def _names(code: types.CodeType) -> Iterator[str]:
    """The global variables and attributes that code names, that of functions in it too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _of_the_user(function: types.FunctionType) -> bool:
    """Whether a function belongs to a program, not to a library: there, variables are followed."""
    file = function.__code__.co_filename
    return (
        _root_of(function.__module__ or "") not in _libraries()
        and "site-packages" not in file
        and "dist-packages" not in file
    )


@functools.cache
def _libraries() -> frozenset[str]:
    return frozenset({*sys.stdlib_module_names, "numpy", "tinygrad_dl"} - {"__main__"})


def _root_of(module: str) -> str:
    return module.partition(".")[0]
