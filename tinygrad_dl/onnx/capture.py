"""A model run once, with every call of an operation written down.

`Capturing` is a transform (`core/transforms.py`): its tensors, `Traced`, have beside their values a symbol that stands
for them in the record. What depends on no traced tensor is not seen and becomes a constant.

A change in place gives a tensor another symbol. A view knows of which tensor it is one and by which op: when it is
read after its base was changed, the op is written down again for the base as it now is; when it is changed itself, the
base becomes one with the view's new values written into it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import ref

import numpy as np

from tinygrad_dl.core.function import Context, Function
from tinygrad_dl.core.mutations import mutations
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.transforms import (
    Escape,
    Level,
    Lifted,
    among,
    called,
    gradients,
    may_hold,
    onlookers,
    over_values,
    rebuilt,
    stack,
)
from tinygrad_dl.core.warning import warn
from tinygrad_dl.func.received import Received
from tinygrad_dl.nn.module import Module
from tinygrad_dl.onnx.table import CONVERTERS, REWRITINGS, OnnxExporterError, wanted
from tinygrad_dl.onnx.views import written
from tinygrad_dl.ops.tensor.inplace import stored


class Symbol:
    """What stands for a tensor in the record: an input, a parameter, a constant, or a result of a step."""

    __slots__ = ("array", "dtype", "kind", "name", "number", "shape")

    def __init__(self, number: int, kind: str, name: str, like: np.ndarray, array: Any):
        self.number, self.kind, self.name = number, kind, name
        self.shape, self.dtype, self.array = like.shape, like.dtype, array


class Step:
    """One call of an op: its arguments by name, with symbols in the place of tensors."""

    __slots__ = ("given", "line", "op", "out", "path")

    def __init__(self, op: Record, given: dict[str, Any], path: str, line: str):
        self.op, self.given, self.path, self.line = op, given, path, line
        self.out: list[Symbol] = []


class Place:
    """Where a tensor is in the record: its symbol, which changes in place exchange, and of which tensor it is a view.

    Tensors that are one, such as a plain one that became one of the run and that by which it did, share their place.
    """

    __slots__ = ("array", "base", "given", "held", "index", "level", "op", "results", "seen")

    def __init__(self, level: Capturing, held: Symbol, array: np.ndarray):
        self.level, self.held, self.array = level, held, array
        self.base: Place | None = None

    def show(
        self, base: Place, op: Record | None, given: dict[str, Any], index: int | None, results: list[np.ndarray]
    ) -> Place:
        """Makes it the place of a view: how it was made, and the arrays of all that was made with it.

        Without an op it is the same tensor once more.
        """
        self.base, self.op, self.given, self.index, self.results = base, op, given, index, results
        self.seen = base.symbol
        return self

    @property
    def symbol(self) -> Symbol:
        if self.base is not None:
            now = self.base.symbol
            if now is not self.seen:  # the base was changed: the view is of another tensor
                self.seen = self.held = now
                if self.op is not None:
                    given = {**self.given, self.op.tensors[0]: now}
                    self.held = self.level.record(self.op, given, self.results).out[self.index or 0]
        return self.held

    def write(self, symbol: Symbol) -> None:
        """The tensor was changed in place: gives it its new symbol, and the tensor that it is a view of too."""
        if self.base is not None:
            before, after = self.base.symbol, symbol
            if self.op is not None:
                level, array = self.level, self.base.array
                after = written(level.record, self.op, self.given, self.index, before, symbol, array)
            self.base.write(after)
            self.seen = self.base.symbol
        self.held = symbol


def _asked(name: str) -> Any:
    """The method that asks a tensor for its numbers."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.level.numbers_asked(self, name)
        return getattr(self.value, name)(*args, **kwargs)

    method.__name__ = name
    return method


class Traced(Lifted):
    """A tensor of the run. Its values are computed as usual, so that a program may look at them; it is warned."""

    __slots__ = ()

    level: Capturing
    place: Place

    def with_value(self, value: Tensor) -> Traced:
        level = self.level
        place = Place(level, self.place.symbol, value._data)
        return level.lift(value, place.show(self.place, None, {}, None, []))

    def beside(self, tensor: Tensor) -> Tensor:
        return tensor if isinstance(tensor, Traced) else self.level.enter(tensor)

    def filled(self, make: Callable[[Tensor], Tensor]) -> Tensor:
        level = self.level
        sized, level.sized = level.sized, False  # it is entered when it is whole
        try:
            return level.enter(make(self.value))
        finally:
            level.sized = sized

    def stride(self, dim: int | None = None) -> Any:
        return self.value.stride(dim)

    def become(self, other: Any) -> Tensor:
        self.place = other.place
        return super().become(other)

    def _assign(self, result: Tensor, what: str) -> Tensor:
        symbol = self.level.symbol_of(result)
        self.value._assign(self.level.plain(result), what)
        if symbol.dtype != self.value._data.dtype or symbol.shape != self.value._data.shape:
            symbol = self.level.stored(symbol, self.value)
        self.place.write(symbol)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        return self

    def __repr__(self) -> str:
        return repr(self.value)

    item, tolist, numpy = _asked("item"), _asked("tolist"), _asked("numpy")
    __bool__, __array__ = _asked("__bool__"), _asked("__array__")
    __float__, __int__, __index__ = _asked("__float__"), _asked("__int__"), _asked("__index__")
    __deepcopy__ = _asked("__deepcopy__")


# What draws numbers that ONNX draws too, and what makes tensors of a size.
DRAWN = frozenset(("rand", "randn"))
SIZED = frozenset(("arange", "empty", "eye", "full", "linspace", "ones", "zeros"))


class Capturing(Level):
    """One run of a model, and its record."""

    name, marks = "onnx.export", "is traced"

    def __init__(self, quiet: bool = False, sized: bool = False):
        super().__init__()
        self.quiet, self.sized = quiet, sized
        self.symbols: list[Symbol] = []
        self.steps: list[Step] = []
        self.path: list[str] = [""]
        self.received = Received()
        self.drawn: list[str] = []  # the lines that drew random numbers
        self.living: list[ref[Traced]] = []
        self.constants: dict[tuple[int, int], tuple[Any, Symbol]] = {}
        self.warned: set[tuple[str, str]] = set()

    def __enter__(self) -> Capturing:
        onlookers.append(self)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        onlookers.remove(self)
        for taken, _ in self.received.tensors:
            tensor = taken()
            if tensor is not None:
                tensor.__dict__.pop("place", None)
        self.received.give_back(lambda tensor: tensor.value)
        for known in self.living:
            if isinstance(known(), Traced):
                make_plain(known())

    # -- tensors and symbols ---------------------------------------------------------------------

    def symbol(self, kind: str, name: str, like: np.ndarray, array: Any = None) -> Symbol:
        found = Symbol(len(self.symbols), kind, name, like, array)
        self.symbols.append(found)
        return found

    def lift(self, value: Tensor, place: Place) -> Traced:
        new = object.__new__(Traced)
        new.level, new.value, new.place = self, value, place
        self.living.append(ref(new))
        return new

    def first(self, value: Tensor, symbol: Symbol) -> Traced:
        """A tensor that is no view."""
        return self.lift(value, Place(self, symbol, value._data))

    def constant(self, array: np.ndarray) -> Symbol:
        """The symbol of an array as it now is; the same for the same memory, as long as it was not changed."""
        key = id(array), mutations.version(array)
        if key not in self.constants:
            self.constants[key] = array, self.symbol("constant", "", array, array.copy())
        return self.constants[key][1]

    def enter(self, tensor: Any) -> Traced:
        return self.first(tensor, self.constant(tensor._data))

    def symbol_of(self, value: Any) -> Symbol:
        if isinstance(value, Traced) and value.level is self:
            return value.place.symbol
        return self.constant(value._data if isinstance(value, Tensor) else as_array(value))

    def plain(self, tensor: Any) -> Any:
        return tensor.value if isinstance(tensor, Traced) and tensor.level is self else tensor

    def array_of(self, tensor: Any) -> Any:
        """An index, or another tensor among the options, as ops take it: an array."""
        return self.plain(tensor)._data

    def told(self, escape: Escape) -> str:
        return (
            f"onnx.export: got a tensor of shape {escape.lifted.shape} whose values decide what is done or how large a "
            "result is, expected operations that are the same for all values; use td.where, or do it outside of it"
        )

    def receive(self, tensor: Tensor, escape: Escape) -> Tensor:
        """Makes a plain tensor one of the run, in its place, as one is written into it."""
        self.received.take(tensor, self.enter, escape)
        return tensor

    def made(self, tensor: Tensor, what: str) -> Tensor:
        """Random numbers are an operation; where there are dynamic axes, what has a size is followed from there on."""
        if type(tensor) is not Tensor or self not in stack.levels:
            return tensor
        if what in DRAWN and self.drawn:
            self.drawn.pop()
            return self.first(tensor, self.symbol("random", what, tensor._data))
        return self.enter(tensor) if self.sized and what in SIZED else tensor

    # -- operations ------------------------------------------------------------------------------

    def apply(self, op: Record, given: dict[str, Any]) -> Any:
        other = REWRITINGS.get(op.key) or (None if op.key in CONVERTERS else op.decomposed)
        if other is not None:
            tensors = {n: wrap(v) if type(v) is np.ndarray and n in op.tensors else v for n, v in given.items()}
            with np.errstate(all="ignore"):  # what it makes on the way may be chosen away
                out = other(*[tensors[name] for name in wanted(other)])
            if out is not NotImplemented:
                return out
        below = {n: over_values(v, self.plain if n in op.tensors else self.array_of) for n, v in given.items()}
        out = called(op, below)
        arguments = self.arguments(op, given)
        arrays = [each._data for each in ([out] if op.outputs is None else out)]
        step = self.record(op, arguments, arrays)
        first = given[op.tensors[0]] if op.view else None

        def lifted(index: int, each: Tensor) -> Traced:
            place = Place(self, step.out[index], each._data)
            if isinstance(first, Traced) and np.may_share_memory(each._data, first.value._data):
                place.show(first.place, op, arguments, None if op.outputs is None else index, arrays)
            return self.lift(each, place)

        return rebuilt(op, out, lifted)

    def record(self, op: Record, given: dict[str, Any], results: list[np.ndarray]) -> Step:
        """Writes down a call, whose arguments are symbols where they are tensors."""
        step = Step(op, given, self.path[-1], line())
        known = all(each.array is not None for each in among(Symbol, given.values()))
        for each in results:
            step.out.append(self.symbol("step", "", each, each.copy() if known else None))
        self.steps.append(step)
        return step

    def arguments(self, op: Record, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a call as they stand in the record."""
        return {name: self.argument(op, name, value) for name, value in given.items()}

    def argument(self, op: Record, name: str, value: Any) -> Any:
        """An argument as it stands in the record."""
        if isinstance(value, Tensor) or (type(value) is np.ndarray and name in op.tensors):
            return self.symbol_of(value)
        if name == op.sequence:
            return [self.symbol_of(each) for each in value]
        return over_values(value, self.symbol_of) if may_hold(value) else value

    def stored(self, symbol: Symbol, into: Tensor) -> Symbol:
        """A symbol as it stands where it is stored: broadcast and cast."""
        given = {"value": symbol, "size": into._data.shape, "dtype": into._data.dtype}
        return self.record(stored.op, given, [into._data]).out[0]

    def apply_function(self, function: type[Function], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An `autograd.Function`: the operations of its forward."""
        ctx = Context()
        ctx.needs_input_grad = tuple([False for _ in args])
        if function.setup_context is Function.setup_context:
            return function.forward(ctx, *args, **kwargs)
        out = function.forward(*args, **kwargs)
        function.setup_context(ctx, args, out)
        return out

    # -- what is told to users -------------------------------------------------------------------

    def once(self, what: str, message: str) -> None:
        where = line()
        if not self.quiet and (what, where) not in self.warned:
            self.warned.add((what, where))
            warn(message)

    def numbers_asked(self, tensor: Traced, name: str) -> None:
        """Warns that a program asks for numbers that depend on the inputs."""
        if tensor.place.symbol.array is None:
            what = "numpy" if name == "__array__" else name.strip("_")
            self.once(
                what,
                f"onnx.export: {what} asks a tensor for its values, which are those of the example in the exported "
                "model, whatever its inputs are; replace `if` by td.where, and numbers by operations on tensors",
            )

    def draws_apart(self, depends: tuple[Any, ...]) -> bool:
        self.drawn.append(line())
        return False

    def warn_of_drawn(self) -> None:
        """Warns of random numbers that are constants of the model: all but those of `rand` and `randn`."""
        if self.drawn and not self.quiet:
            warn(
                f"onnx.export: random numbers, drawn at {', '.join(dict.fromkeys(self.drawn))}, become constants of "
                "the exported model, the same at each run of it; draw with td.rand or td.randn, or make them an input"
            )


def no_gradients(*_: Any, **__: Any) -> Any:
    """What `autograd.grad` does inside: the steps of a backward pass are not written down."""
    raise OnnxExporterError(
        "onnx.export: got a gradient that is taken inside of the model, expected a model without: a backward pass has "
        "no operators of ONNX; forward mode (td.func.jvp) may be used"
    )


gradients[Capturing] = no_gradients


def make_plain(tensor: Any) -> None:
    """Makes a tensor that a model has kept a plain one again, in its place."""
    value = tensor.value
    for name in ("level", "value", "place"):
        del tensor.__dict__[name]
    tensor.__class__ = Tensor
    tensor._data, tensor._edge = value._data, None


def line() -> str:
    """The innermost line outside of this package: "file.py:12"."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "tinygrad_dl":
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


@contextmanager
def followed(model: Any, level: Capturing) -> Iterator[None]:
    """Lets the level know in which module the run is."""
    handles: list[Any] = []
    if isinstance(model, Module):
        paths = {id(module): path for path, module in reversed(list(model.named_modules()))}

        def before(module: Module, args: Any) -> None:
            level.path.append(paths.get(id(module), level.path[-1]))

        def after(module: Module, args: Any, output: Any) -> None:
            level.path.pop()

        for module in model.modules():
            handles.append(module.register_forward_pre_hook(before, prepend=True))
            handles.append(module.register_forward_hook(after))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
