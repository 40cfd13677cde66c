"""The graph under construction: nodes, constants, names, and sizes that depend on dynamic axes.

Plain data; `model.py` makes ONNX's own objects of it.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core import promotion
from tinygrad_dl.onnx.table import Unsupported
from tinygrad_dl.onnx.values import Dim, Value, Varying, all_fixed, joined

SMALL = 16  # elements, up to which equal constants are one
LARGEST = np.iinfo(np.int64).max
INT64 = promotion.INT64
BOOL = np.dtype(bool)

# Operators that take no truth values, though operations here do.
NUMERIC = frozenset(("Abs", "Add", "Clip", "Div", "Greater", "Less", "Max", "Min", "Mul", "Neg", "Pow", "Relu", "Sub"))


class Node:
    """A node: its type, the names of inputs and outputs, attributes, and where it came from."""

    __slots__ = ("attributes", "inputs", "line", "name", "outputs", "type")

    def __init__(self, type: str, name: str, inputs: list[str], outputs: list[str], attributes: Any, line: str):
        self.type, self.name, self.inputs, self.outputs = type, name, inputs, outputs
        self.attributes, self.line = attributes, line


class Graph:
    """Nodes in order, and the constants that they read."""

    def __init__(self, opset: int):
        self.opset = opset
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self.described: dict[str, Value] = {}  # what is known of values in between, for those who look at the model
        self.path = self.line = ""  # of the call that is converted
        self.taken: set[str] = set()
        self._small: dict[Any, Value] = {}
        self._sizes: dict[tuple[int, ...], Value] = {}  # resolved ones
        self._known: dict[tuple[int, ...], tuple[str, int]] = {}  # where they are a size: name of a value, axis

    # -- nodes -----------------------------------------------------------------------------------

    def unique(self, wanted: str) -> str:
        """A name that nothing has yet."""
        name, count = wanted, itertools.count(1)
        while name in self.taken:
            name = f"{wanted}_{next(count)}"
        self.taken.add(name)
        return name

    def op(self, type: str, *inputs: Value | None, dtype: Any = None, **attributes: Any) -> Value:
        """Adds a node and returns its result.

        Args:
            type: the operator, such as "Add".
            inputs: values; None for one that is left out.
            dtype: that of the result; by default the first input's.
            attributes: integers, floats, strings and lists of them; None is left out.

        Raises:
            Unsupported: an attribute depends on a dynamic axis.
        """
        return self.several(1, type, *inputs, dtype=dtype, **attributes)[0]

    def several(
        self, count: int, type: str, *inputs: Value | None, dtype: Any = None, **attributes: Any
    ) -> list[Value]:
        """The same for a node with so many results."""
        given = {name: value for name, value in attributes.items() if value is not None}
        for name, value in given.items():
            all_fixed(f"attribute {name!r}", value if isinstance(value, tuple | list) else (value,))
        if type in NUMERIC and any(each is not None and each.dtype == BOOL for each in inputs):
            raise Unsupported(f"{type} of ONNX takes no truth values; convert with .float() or .long()")
        name = self.unique(f"{self.path}/{type}" if self.path else type)
        names = [self.unique(f"{name}_output_{i}") for i in range(count)]
        read = [each.name if each is not None else "" for each in inputs]
        while read and not read[-1]:
            read.pop()
        self.nodes.append(Node(type, name, read, names, given, self.line))
        found = next((each.dtype for each in inputs if each is not None), None) if dtype is None else np.dtype(dtype)
        return [Value(each, found) for each in names]

    def const(self, array: Any, dtype: Any = None, name: str = "") -> Value:
        """A constant; equal small ones are one."""
        array = np.asarray(array, dtype)
        key = (array.dtype, array.shape, array.tobytes()) if array.size <= SMALL and not name else None
        if key in self._small:
            return self._small[key]
        value = Value(self.unique(name or f"constant_{len(self.constants)}"), array.dtype, array.shape, array)
        self.constants[value.name] = array
        if key is not None:
            self._small[key] = value
        return value

    def like(self, number: Any, value: Value) -> Value:
        """A number as a 0-d constant of a value's dtype."""
        return self.const(np.asarray(number).astype(value.dtype))

    def cast(self, value: Value, dtype: Any) -> Value:
        """The value in a dtype."""
        dtype = np.dtype(dtype)
        if value.dtype == dtype:
            return value
        if value.array is not None:
            return self.const(value.array.astype(dtype), name=f"{value.name}.{dtype}" * (value.array.size > SMALL))
        made: Value = self.op("Cast", value, dtype=dtype, to=dtype)
        return made._replace(shape=value.shape)

    def once(self, key: Any, make: Callable[[], Value]) -> Value:
        """What is made once and read by several layers; it belongs to none of them."""
        if key not in self._small:
            path, self.path = self.path, ""
            self._small[key] = make()
            self.path = path
        return self._small[key]

    # -- sizes -----------------------------------------------------------------------------------

    def ints(self, numbers: Sequence[Any]) -> Value:
        """Integers and Dims as a 1-D value."""
        if not any(isinstance(each, Dim) for each in numbers):
            return self.const(np.asarray(all_fixed("sizes", numbers), np.int64))
        parts = []
        for dynamic, group in itertools.groupby(numbers, lambda each: isinstance(each, Dim)):
            run = list(group)
            parts += [self.size(each) for each in run] if dynamic else [self.const(run, np.int64)]
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=0)

    def number(self, value: Any) -> Value:
        """An integer or a Dim as a 0-d int64."""
        if isinstance(value, Dim):
            return self.reshape(self.size(value), ())
        return self.const(value, np.int64)

    def note(self, value: Value) -> None:
        """Remembers a value whose shape is known, so that sizes that are not fixed can be read from it."""
        self.described[value.name] = value
        for axis, size in enumerate(value.shape):
            if isinstance(size, Dim):
                self._known.setdefault(size.values, (value.name, axis))

    def size(self, dim: Dim) -> Value:
        """A Dim as a 1-D value of one element, computed when the model is run.

        Raises:
            Unsupported: it is none of the sizes there are, and no sum, product or quotient of them.
        """
        found = self._sizes.get(dim.values)
        if found is None:
            path, self.path = self.path, ""
            found = self._sizes[dim.values] = self._computed(dim.values)
            self.path = path
        return found

    def _computed(self, wanted: tuple[int, ...]) -> Value:
        if wanted in self._known:
            name, axis = self._known[wanted]
            return self.op("Shape", Value(name, INT64), start=axis, end=axis + 1)
        target = np.array(wanted)
        sizes = [np.array(each) for each in reversed(self._known)]
        for one in sizes:
            steps = steps_between(one, target)
            if steps is not None:
                return self._applied(self._of(one), steps)
        for a, b in itertools.combinations_with_replacement(sizes, 2):
            for type, first, second in (("Mul", a, b), ("Add", a, b), ("Sub", a, b), ("Sub", b, a)):
                made = PAIRS[type](first, second)
                if type == "Sub" and made.min() < 0:  # the other way round, it is positive
                    continue
                steps = steps_between(made, target) if (made != made[0]).any() else None
                if steps is not None:
                    return self._applied(self.op(type, self._of(first), self._of(second)), steps)
        shown = ", ".join(map(str, wanted))
        raise Unsupported(
            f"a size that was {shown} in the runs made is not known as one of the dynamic axes or tensors"
        )

    def _of(self, size: Any) -> Value:
        return self.size(Dim(tuple(size.tolist())))

    def _applied(self, value: Value, steps: list[tuple[str, int]]) -> Value:
        for type, number in steps:
            value = self.op(type, value, self.const([number], np.int64))
        return value

    # -- what converters use often ------------------------------------------------------------------

    def reshape(self, value: Value, shape: Sequence[Any]) -> Value:
        """The value in a shape; of a size that is not fixed, -1 or 0 stands where that says it."""
        wanted: list[Any] = list(shape)
        if value.shape is not None:
            wanted = [
                0 if isinstance(n, Dim) and i < len(value.shape) and value.shape[i] == n else n
                for i, n in enumerate(wanted)
            ]
        zeros = any(n == 0 for n in shape)  # real ones: then 0 may not stand for a copied size
        if zeros:
            wanted = list(shape)
        dynamic = [i for i, n in enumerate(wanted) if isinstance(n, Dim)]
        if len(dynamic) == 1 and not zeros:
            wanted[dynamic[0]] = -1
        made: Value = self.op("Reshape", value, self.ints(wanted), allowzero=1 if zeros else None)
        return made._replace(shape=tuple(shape))

    def reduce(self, type: str, value: Value, axes: Sequence[int] | None, keepdims: bool = False, **more: Any) -> Value:
        """A reduction over axes, all of them if None; before opset 18 most took them as an attribute."""
        keep = int(keepdims)
        if axes is None:
            made = self.op(type, value, keepdims=keep, **more)
        elif not axes:
            return value
        elif self.opset >= 18 or type == "ReduceSum":
            made = self.op(type, value, self.const(list(axes), np.int64), keepdims=keep, **more)
        else:
            made = self.op(type, value, axes=list(axes), keepdims=keep, **more)
        return made

    def squeeze(self, value: Value, axes: Sequence[int]) -> Value:
        return self.op("Squeeze", value, self.const(list(axes), np.int64)) if axes else value

    def unsqueeze(self, value: Value, axes: Sequence[int]) -> Value:
        return self.op("Unsqueeze", value, self.const(list(axes), np.int64)) if axes else value

    def transpose(self, value: Value, order: Sequence[int]) -> Value:
        return value if list(order) == sorted(order) else self.op("Transpose", value, perm=list(order))

    def expand(self, value: Value, shape: Sequence[Any]) -> Value:
        """Broadcast to a shape; where the size is there already, 1 says so."""
        own = (None,) * len(shape) if value.shape is None else (1,) * (len(shape) - len(value.shape)) + value.shape
        if list(own) == list(shape) and value.shape is not None and len(value.shape) == len(shape):
            return value
        return self.op("Expand", value, self.ints([1 if o == n else n for o, n in zip(own, shape, strict=True)]))

    def slice(self, value: Value, axis: int, start: Any, end: Any, step: int = 1) -> Value:
        """A slice along one axis; `end` may be `LARGEST`."""
        bounds = [self.ints([each]) for each in (start, end)]
        more = [] if step == 1 else [self.const([step], np.int64)]
        return self.op("Slice", value, *bounds, self.const([axis], np.int64), *more)

    def where(self, condition: Value, a: Value, b: Value) -> Value:
        return self.op("Where", condition, a, b, dtype=a.dtype)

    def compare(self, type: str, a: Value, b: Value) -> Value:
        return self.op(type, a, b, dtype=BOOL)

    def filled(self, arrays: Sequence[Any], dtype: Any) -> Value:
        """A constant whose shape depends on dynamic axes: one number everywhere, or numbers at equal steps.

        Raises:
            Unsupported: it is another.
        """
        shape = [joined(sizes) for sizes in zip(*[each.shape for each in arrays], strict=True)]
        longest = max(arrays, key=np.size).reshape(-1)
        if longest.size and all((each == longest[0]).all() for each in arrays):
            return self.expand(self.const(longest[0]), shape)
        if len(shape) == 1:
            start, step = longest[0], longest[1] - longest[0]
            if all(np.array_equal(each, start + step * np.arange(each.size)) for each in arrays):
                counted = self.counted(shape[0], dtype)
                counted = counted if step == 1 else self.op("Mul", counted, self.const(step, dtype))
                return counted if start == 0 else self.op("Add", counted, self.const(start, dtype))
            ends = {(each[0].item(), each[-1].item()) for each in arrays if each.size}
            if len(ends) == 1 and all(np.allclose(each, np.linspace(*min(ends), each.size)) for each in arrays):
                return self.between(*min(ends), shape[0], dtype)
        if len(shape) == 2 and all(np.array_equal(each, np.eye(*each.shape)) for each in arrays):
            zeros = self.expand(self.const(np.zeros((), dtype)), shape)
            return self.op("EyeLike", zeros)
        raise Unsupported(
            "a constant depends on the size of a dynamic axis by more than its shape; make it of the inputs by "
            "operations, or keep the largest one as a buffer and slice it"
        )

    def counted(self, size: Dim, dtype: Any) -> Value:
        """0, 1, 2, ..."""
        bounds = self.const(0, np.int64), self.number(size), self.const(1, np.int64)
        return self.cast(self.op("Range", *bounds, dtype=INT64), dtype)

    def random(self, name: str, shape: Any, dtype: Any) -> Value:
        """Random numbers, anew at each run."""
        zeros = self.op("Expand", self.const(np.zeros((), dtype)), self.ints(shape))
        return self.op({"rand": "RandomUniformLike", "randn": "RandomNormalLike"}[name], zeros)._replace(shape=shape)

    def between(self, first: float, last: float, size: Dim, dtype: Any) -> Value:
        """Numbers at equal distances from the first to the last."""
        step = self.op("Div", self.const(last - first, dtype), self.cast(self.number(size - 1), dtype))
        return self.op("Add", self.op("Mul", self.counted(size, dtype), step), self.const(first, dtype))

    def tensor(self, given: Any, dtype: Any) -> Value:
        """A number, an array or a Dim as a value."""
        if isinstance(given, Dim):
            return self.cast(self.number(given), dtype)
        if isinstance(given, Varying):
            if all(isinstance(each, np.ndarray) for each in given.values):
                return self.filled(given.values, dtype)
            return self.cast(self._of_sizes(given), dtype)
        return self.const(np.asarray(given).astype(dtype))

    def _of_sizes(self, given: Varying) -> Value:
        """A number that is the inverse of a size, a root of one, or both."""
        if all(isinstance(each, float) and each > 0 for each in given.values):
            numbers = np.array(given.values)
            forms: tuple[tuple[Any, tuple[str, ...]], ...] = (
                (numbers, ()),
                (1 / numbers, ("Reciprocal",)),
                (numbers**2, ("Sqrt",)),
                (numbers**-2, ("Sqrt", "Reciprocal")),
            )
            for back, types in forms:
                whole = np.rint(back)
                if np.allclose(back, whole, rtol=1e-9, atol=0):
                    value = self.cast(self.number(Dim(tuple(whole.astype(int).tolist()))), promotion.FLOAT64)
                    for type in types:
                        value = self.op(type, value)
                    return value
        raise Unsupported(f"a number depends on the size of a dynamic axis ({given}) in a way that is not known")


PAIRS = {"Mul": operator.mul, "Add": operator.add, "Sub": operator.sub}


def steps_between(one: Any, target: Any) -> list[tuple[str, int]] | None:
    """The operations with numbers that make one size of another, in all runs; None if there are none.

    >>> steps_between(np.array([4, 6, 9]), np.array([9, 13, 19]))
    [('Mul', 2), ('Add', 1)]
    >>> steps_between(np.array([4, 6, 9]), np.array([2, 3, 4]))
    [('Div', 2)]
    """
    other = int(np.argmax(one != one[0]))
    step, over = int(target[other] - target[0]), int(one[other] - one[0])
    if over and step % over == 0 and step:
        factor = step // over
        rest = target - factor * one
        if (rest == rest[0]).all():
            return [each for each in (("Mul", factor), ("Add", int(rest[0]))) if each not in (("Mul", 1), ("Add", 0))]
    if len(set(target.tolist())) > 2 and (one >= 0).all():  # of 0 and 1 alone, some quotient always is
        for by in range(2, 65):
            if (one // by == target).all():
                return [("Div", by)]
            if (-(-one // by) == target).all():
                return [("Add", by - 1), ("Div", by)]
    return None
