"""What converters see of tensors and sizes: values of the graph, and sizes that depend on a dynamic axis.

A model is run several times, with other sizes of its dynamic axes each time. A number that was not the same in all runs
is a `Dim`: the vector of what it was. Arithmetic on it is that of its elements, and comparisons have to have one answer
for all runs, so that converters compute with it as with any integer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinygrad_dl.onnx.table import Unsupported


class Dim:
    """An integer that depends on the sizes of dynamic axes: what it was in each run."""

    __slots__ = ("values",)

    def __init__(self, values: tuple[int, ...]):
        self.values = values

    def __repr__(self) -> str:
        return f"Dim{self.values}"

    def __hash__(self) -> int:
        return hash(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and other.values == self.values

    def __neg__(self) -> Any:
        return joined([-n for n in self.values])

    if TYPE_CHECKING:

        def __add__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...


def joined(values: Any) -> Any:
    """The integers of all runs as one number: an int if all are the same."""
    return values[0] if len(set(values)) == 1 else Dim(tuple(values))


def _arithmetic(name: str, function: Callable[[int, int], int]) -> None:
    def forward(self: Dim, other: Any) -> Any:
        others = other.values if isinstance(other, Dim) else (other,) * len(self.values)
        return joined([function(a, b) for a, b in zip(self.values, others, strict=True)])

    def turned(self: Dim, other: Any) -> Any:
        return joined([function(other, b) for b in self.values])

    setattr(Dim, f"__{name}__", forward)
    setattr(Dim, f"__r{name}__", turned)


def _comparison(name: str, function: Callable[[int, int], bool]) -> None:
    def compare(self: Dim, other: Any) -> bool:
        others = other.values if isinstance(other, Dim) else (other,) * len(self.values)
        found = {function(a, b) for a, b in zip(self.values, others, strict=True)}
        if len(found) > 1:
            raise Unsupported(f"what it does depends on the size of a dynamic axis ({self.values} in the runs made)")
        return found.pop()

    setattr(Dim, f"__{name}__", compare)


for _name in ("add", "sub", "mul", "floordiv", "mod"):
    _arithmetic(_name, getattr(operator, _name))
for _name in ("lt", "le", "gt", "ge"):
    _comparison(_name, getattr(operator, _name))


class Varying:
    """Anything else that was not the same in all runs: what it was in each."""

    __slots__ = ("values",)

    def __init__(self, values: list[Any]):
        self.values = values

    def __repr__(self) -> str:
        return " or ".join(dict.fromkeys(f"{each!r:.40}" for each in self.values))


class Value(NamedTuple):
    """A tensor in the graph: its name, and what is known of it."""

    name: str
    dtype: Any
    shape: Any = None  # a tuple of integers and Dims; None of what a converter makes in between
    array: Any = None  # the elements, of a constant

    @property
    def ndim(self) -> int:
        return len(self.shape)


def fixed(what: str, size: Any) -> Any:
    """The size, or anything else, which has to be the same in all runs.

    Raises:
        Unsupported: it depends on a dynamic axis.
    """
    if isinstance(size, Dim | Varying):
        shown = ", ".join(map(str, dict.fromkeys(size.values)))
        raise Unsupported(f"its {what} has to be fixed in ONNX, and depends on a dynamic axis ({shown})")
    return size


def all_fixed(what: str, sizes: Any) -> tuple[Any, ...]:
    """Several of them."""
    return tuple([fixed(what, size) for size in sizes])


def product(sizes: Any) -> Any:
    """The product of integers and Dims."""
    found: Any = 1
    for size in sizes:
        found = size * found if isinstance(size, Dim) else found * size
    return found


def example(value: Value) -> Any:
    """An array without memory of its own of a value's dtype and rank, for rules of promotion."""
    return np.broadcast_to(np.zeros((), value.dtype), (1,) * len(value.shape))
