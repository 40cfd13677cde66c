"""Python numbers that differ from run to run: subclasses of float and int that tell what is computed with them."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["NUMBERS", "TracedComplex", "TracedFloat", "TracedInt", "TracedList", "local", "plain"]


class _Local(threading.local):
    recorder: Any = None  # who records in this thread now


local = _Local()


class TracedFloat(float):
    """A float that is another one in each run."""

    scalar: Any


class TracedInt(int):
    """An int that is another one in each run."""

    scalar: Any


class TracedComplex(complex):
    """A complex number that is another one in each run."""

    scalar: Any


class TracedList(list[Any]):
    """The numbers of an array, as its `tolist` gives them."""

    scalar: Any


NUMBERS = (TracedFloat, TracedInt, TracedComplex)


def plain(value: Any) -> Any:
    """A value with ordinary numbers in the place of those that are traced."""
    kind = type(value)
    if kind is TracedFloat:
        return float(value)
    if kind is TracedInt:
        return int.__index__(value)
    if kind is TracedComplex:
        return complex(value)
    if (kind is tuple or kind is list) and value and not {float, int, str}.issuperset(map(type, value)):
        return kind([plain(each) for each in value])
    if kind is slice:
        return slice(plain(value.start), plain(value.stop), plain(value.step))
    return value


def _computed(function: Callable[..., Any], *operands: Any) -> Any:
    for operand in operands:
        if isinstance(operand, np.ndarray) or not isinstance(operand, int | float | complex | np.generic):
            return NotImplemented
    result = function(*map(plain, operands))
    recorder = local.recorder
    return result if recorder is None else recorder.computed(function, operands, result)


def _binary(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: _computed(function, self, other)


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: _computed(function, other, self)


def _unary(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: _computed(function, self)


def _complete(kind: Any) -> None:
    """Gives a class operators that tell what they compute."""
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
        function = getattr(operator, name)
        if hasattr(kind, f"__{name}__"):
            setattr(kind, f"__{name}__", _binary(function))
            setattr(kind, f"__r{name}__", _reflected(function))
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        setattr(kind, f"__{name}__", _binary(getattr(operator, name)))
    for name in ("neg", "pos", "abs"):
        setattr(kind, f"__{name}__", _unary(getattr(operator, name)))
    kind.__bool__, kind.__hash__ = _unary(operator.truth), kind.__mro__[1].__hash__


for _kind in NUMBERS:
    _complete(_kind)
