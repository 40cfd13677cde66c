"""What instrumented functions call in the place of operators and tests."""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.compiler.recording.arrays import Arrays
from tinygrad_dl.compiler.recording.numbers import NUMBERS, local, plain
from tinygrad_dl.compiler.recording.record import Record
from tinygrad_dl.core.tensor import Tensor

PLAIN = frozenset((int, float, bool, str, type(None), complex, bytes))
UFUNCS: dict[str, np.ufunc] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.true_divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "pow": np.power,
    "matmul": np.matmul,
    "and_": np.bitwise_and,
    "or_": np.bitwise_or,
    "xor": np.bitwise_xor,
    "lshift": np.left_shift,
    "rshift": np.right_shift,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "neg": np.negative,
    "pos": np.positive,
    "invert": np.invert,
    "abs": np.absolute,
}
PYTHON: dict[str, Callable[..., Any]] = {name: getattr(operator, name) for name in UFUNCS}
IN_PLACE: dict[str, Callable[..., Any]] = {
    name: getattr(operator, "i" + name.strip("_"))
    if name not in ("and_", "or_")
    else getattr(operator, "i" + name[:-1])
    for name in list(UFUNCS)[:13]
}
SWAPPED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}
CHANGING: dict[Any, str] = {function: name for name, function in IN_PLACE.items()}


def _found_in(kind: type, name: str) -> Any:
    """What a class has under a name, as it stands there."""
    for base in kind.__mro__:
        if name in vars(base):
            return vars(base)[name]
    return None


found_in: Any = functools.lru_cache(maxsize=4096)(_found_in)


def of_python(function: Any) -> bool:
    """Whether it is a function written in Python, which can have an instrumented twin."""
    return type(function) is types.FunctionType


class Operators:
    """Hooks of operators and tests."""

    def __init__(self, record: Record, arrays: Arrays):
        self.record, self.arrays = record, arrays

    @property
    def active(self) -> bool:
        """Whether this thread is the one that records: others run the same code meanwhile."""
        return local.recorder is self.record

    def call(self, function: Any, /, *args: Any, **options: Any) -> Any:
        """A call of anything."""
        raise NotImplementedError

    def python(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A call of a function written in Python."""
        raise NotImplementedError

    def of_tensor(self, tensor: Tensor, name: str) -> Any:
        """A tensor is asked for its number."""
        return self.python(found_in(type(tensor), name), (tensor,), {})

    # -- operators -------------------------------------------------------------------------------

    def operator(self, name: str, *operands: Any) -> Any:
        python = PYTHON[name]
        if not self.active or PLAIN.issuperset(map(type, operands)):
            return python(*operands)
        record = self.record
        arrays = False
        for each in operands:
            if isinstance(each, np.ndarray):
                arrays = True
            elif isinstance(each, np.generic):
                arrays = arrays or id(each) in record.numbers
            elif type(each) not in PLAIN and type(each) not in NUMBERS:
                return self.of_objects(name, *operands)
        if arrays or (any(isinstance(each, np.generic) for each in operands) and any(map(record.is_number, operands))):
            return self.arrays.operator(UFUNCS[name], python, *operands)
        if any(type(each) in NUMBERS for each in operands):  # whose own operators 1.0 / x does not ask
            return record.computed(python, operands, python(*map(plain, operands)))
        return python(*operands)

    def of_objects(self, name: str, *operands: Any) -> Any:
        """An operator on objects that may define it in Python."""
        first, python = operands[0], PYTHON[name]
        plain_name = name.strip("_")
        own = None if isinstance(first, np.ndarray | np.generic) else found_in(type(first), f"__{plain_name}__")
        if of_python(own):
            result = self.python(own, operands, {})
            if result is not NotImplemented or len(operands) == 1:
                return result
        if len(operands) > 1:
            other = SWAPPED.get(name)
            reflected = found_in(type(operands[1]), f"__{other}__" if other else f"__r{plain_name}__")
            if of_python(reflected):
                result = self.python(reflected, operands[::-1], {})
                if result is not NotImplemented:
                    return result
        return python(*operands)

    def changed(self, name: str, target: Any, value: Any) -> Any:
        """target op= value."""
        if not self.active:
            return IN_PLACE[name](target, value)
        if type(target) is np.ndarray and not isinstance(value, Tensor):
            return self.arrays.changed(UFUNCS[name], IN_PLACE[name], target, value)
        own = found_in(type(target), f"__i{name.strip('_')}__")
        if of_python(own):
            result = self.python(own, (target, value), {})
            if result is not NotImplemented:
                return result
        if own is not None:
            return IN_PLACE[name](target, value)
        return self.operator(name, target, value)

    def chain(self, kinds: tuple[str, ...], left: Any, *others: Callable[[], Any]) -> Any:
        """a < b < c."""
        found: Any = True
        for kind, other in zip(kinds, others, strict=True):
            right = other()
            if kind in PYTHON:
                found = self.operator(kind, left, right)
            elif kind in ("In", "NotIn"):
                found = (left in right) is (kind == "In")
            else:
                found = (left is right) is (kind == "Is")
            if not self.test(found):
                return found
            left = right
        return found

    def test(self, value: Any) -> Any:
        """The value of a test; a guard sees to it that the program goes the same way."""
        if value is True or value is False or value is None or not self.active:
            return value
        self.truth(value)
        return value

    def truth(self, value: Any) -> bool:
        """Whether a value is true, with a guard if its elements decide that."""
        if isinstance(value, np.ndarray):
            record = self.record
            found = bool(value)
            record.guard(operator.truth, [record.view(value)], found)
            return found
        if isinstance(value, np.generic):
            return self.record.truth(value) if self.record.is_number(value) else bool(value)
        if isinstance(value, Tensor):
            return bool(self.of_tensor(value, "__bool__"))
        own = found_in(type(value), "__bool__")
        if of_python(own):
            return bool(self.python(own, (value,), {}))
        return bool(value)

    def contains(self, container: Any, value: Any) -> Any:
        return value in container


def _operator(name: str) -> Any:
    return lambda self, *operands: self.operator(name, *operands)


for _name in UFUNCS:
    if not hasattr(Operators, _name):
        setattr(Operators, _name, _operator(_name))
