"""The runs of a model at several sizes of its dynamic axes, and the one record that they are merged into.

A number in a program's operations that came from a size is an ordinary integer, and nothing in it says so. So the
model is run again with other sizes: what differs depends on them, and what it is of them is found in `graph.py`. All
runs have to be the same operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.core.modes import no_grad
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.func.functional import functional_call
from tinygrad_dl.func.trees import unflatten
from tinygrad_dl.nn.module import Module
from tinygrad_dl.onnx.capture import Capturing, Symbol, Traced, followed
from tinygrad_dl.onnx.table import OnnxExporterError
from tinygrad_dl.onnx.values import Varying, joined
from tinygrad_dl.random import get_rng_state, set_rng_state


class Axes(NamedTuple):
    """A dynamic size: the axes that have it, as (number of the input, axis), their names, and the example's size."""

    places: list[tuple[int, int]]
    size: int


class Run(NamedTuple):
    """The record of one run; `outputs` are symbols. And what it got and gave: `given` and `results`, arrays."""

    level: Capturing
    inputs: list[Symbol]
    outputs: list[tuple[str, Symbol]]
    given: list[np.ndarray]
    results: list[np.ndarray]


class Entry:
    """A symbol of all runs: as in one, with a shape of integers and Dims. `array`: None, or the same in all."""

    __slots__ = ("array", "dtype", "kind", "name", "number", "shape", "varying")

    def __init__(self, symbols: list[Symbol]):
        first = symbols[0]
        self.number, self.kind, self.name, self.dtype = first.number, first.kind, first.name, first.dtype
        self.shape = tuple([joined(sizes) for sizes in zip(*[each.shape for each in symbols], strict=True)])
        arrays = [each.array for each in symbols]
        self.varying = None
        self.array = first.array
        if len(symbols) > 1 and first.array is not None and not all(same(first.array, each) for each in arrays[1:]):
            self.array, self.varying = None, arrays


class Call(NamedTuple):
    """A step of all runs: arguments with entries in the place of symbols, Dims and `Varying`s where runs differ."""

    op: Record
    given: dict[str, Any]
    out: list[Entry]
    path: str
    line: str


class Merged(NamedTuple):
    """The record of all runs."""

    inputs: list[Entry]
    outputs: list[tuple[str, Entry]]
    calls: list[Call]
    runs: int


class Different(Exception):
    """Runs are not the same operations, and where."""


def same(a: Any, b: Any) -> bool:
    """Whether two arrays are of the same shape and elements."""
    return a is b or (b is not None and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))


# -- one run ----------------------------------------------------------------------------------------


def run(
    model: Any, leaves: list[Any], structure: Any, places: list[int], names: list[str], quiet: bool, sized: bool
) -> Run:
    """Runs the model once; `leaves` are its arguments, of which those at `places` are inputs, called `names`."""
    with ExitStack() as stack:
        stack.enter_context(no_grad())
        level = stack.enter_context(Capturing(quiet, sized))
        stack.enter_context(followed(model, level))
        given, inputs = list(leaves), []
        for place, name in zip(places, names, strict=True):
            array = np.array(leaves[place]._data)
            inputs.append(level.symbol("input", name, array))
            given[place] = level.first(wrap(array), inputs[-1])
        args, kwargs = unflatten(given, structure)
        if isinstance(model, Module):
            output = functional_call(model, lifted_state(model, level), args, kwargs)
        else:
            output = model(*args, **kwargs)
        level.warn_of_drawn()
        found = outputs_of(output)
        symbols = [(name, level.symbol_of(each)) for name, each in found]
        results = [level.plain(each)._data for _, each in found]
        return Run(level, inputs, symbols, [leaves[place]._data for place in places], results)


def lifted_state(model: Module, level: Capturing) -> dict[str, Traced]:
    """The parameters and buffers as tensors of a run, in memory of its own; the first of several names counts."""
    known: dict[int, Traced] = {}
    state = {}
    pairs = (*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False))
    for name, tensor in pairs:
        if id(tensor) not in known:
            array = tensor.detach()._data
            known[id(tensor)] = level.first(wrap(array.copy()), level.symbol("weight", name, array, array))
        state[name] = known[id(tensor)]
    return state


def outputs_of(output: Any) -> list[tuple[str, Tensor]]:
    """The tensors that a model returned, each with what it is called there; None is left out.

    Raises:
        TypeError: there is something else among them, or none at all.
    """
    found: list[tuple[str, Tensor]] = []

    def walk(value: Any, name: str) -> None:
        if isinstance(value, Tensor):
            found.append((name, value))
        elif isinstance(value, dict) or hasattr(value, "_asdict"):
            for key, each in (value if isinstance(value, dict) else value._asdict()).items():
                walk(each, f"{name}.{key}" if name else str(key))
        elif isinstance(value, tuple | list):
            for i, each in enumerate(value):
                walk(each, f"{name}.{i}" if name else f"output_{i}")
        elif value is not None:
            raise TypeError(
                f"onnx.export: got {type(value).__name__} in the model's {name or 'output'}, expected tensors, in "
                "tuples, lists and dicts; return tensors alone"
            )

    walk(output, "")
    if not found:
        raise TypeError("onnx.export: got no tensor from the model, expected at least one; return it from forward")
    return [(name or "output", each) for name, each in found]


@contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Puts a model into evaluation mode, and afterwards all back: its modes, and the generator of random numbers."""
    modes = [(module, module.training) for module in model.modules()] if isinstance(model, Module) else []
    state = get_rng_state()
    try:
        if modes:
            model.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training
        set_rng_state(state)


# -- several runs ------------------------------------------------------------------------------------

# How many other sizes are wanted of a batch, of which little is computed, and of other axes; and runs with all changed.
BATCH, OTHER, TOGETHER = 3, 6, 2


def other_sizes(n: int) -> list[int]:
    """Sizes in the order in which they are tried: what fits into a program is not known.

    The distances differ, so that one number rarely is the same function of different sizes.
    """
    wanted = (n + 1, n + 3, n - 1, 2 * n, n + 6, n - 3, n + 10, n // 2, 3 * n, n // 4, n + 15)
    return [size for size in dict.fromkeys(wanted) if size > 1 and size != n]


def runs_of(
    model: Any, leaves: list[Any], structure: Any, places: list[int], names: list[str], axes: list[Axes]
) -> list[Run]:
    """The run of the example, some for each dynamic size with another in its place, and some with all of them changed.

    Raises:
        OnnxExporterError: runs with other sizes failed, or were not the same operations.
    """

    def at(sizes: dict[int, int], quiet: bool = True) -> Run:
        given = list(leaves)
        for which, size in sizes.items():
            for number, axis in axes[which].places:
                array = given[places[number]]._data
                given[places[number]] = wrap(array.take(np.arange(size) % array.shape[axis], axis))
        set_rng_state(state)
        return run(model, given, structure, places, names, quiet, bool(axes))

    state = get_rng_state()
    found = [at({}, False)]
    fitting: list[list[int]] = []
    for which, each in enumerate(axes):
        failed: Exception | None = None
        fitting.append([])
        for size in other_sizes(each.size):
            try:
                one = at({which: size})
                merged([found[0], one])
            except Exception as error:
                failed = failed or error
                continue
            found.append(one)
            fitting[which].append(size)
            if len(fitting[which]) == (OTHER if any(axis for _, axis in each.places) else BATCH):
                break
        if len(fitting[which]) < 2:
            raise at_other_sizes(each, names, failed) from failed
    for turn in range(TOGETHER if len(axes) > 1 else 0):
        found.append(at({which: sizes[(turn + which) % len(sizes)] for which, sizes in enumerate(fitting)}))
    return found


def at_other_sizes(axes: Axes, names: list[str], failed: Exception | None) -> OnnxExporterError:
    """The error for a model that can't be run at other sizes of an axis, or is another one there."""
    where = ", ".join(f"axis {axis} of {names[number]!r}" for number, axis in axes.places)
    why = f"{type(failed).__name__}: {failed}" if failed else "it is too small for others to be tried"
    return OnnxExporterError(
        f"onnx.export: got a model that is not the same operations for other sizes than {axes.size} of {where}, "
        f"expected one that is, as the axis is dynamic ({why}); leave the axis out of dynamic_axes, give axes "
        "that have to be equal one name, or take an example that is larger than 1"
    )


def merged(runs: list[Run]) -> Merged:
    """One record of several runs.

    Raises:
        Different: they are not the same operations.
    """
    levels = [each.level for each in runs]
    for steps in zip(*[level.steps for level in levels], strict=False):
        if len({step.op.key for step in steps}) > 1:
            shown = " and ".join(f"{step.op.name} at {step.line}" for step in steps)
            raise Different(f"its operations depend on the size: {shown}")
    if len({len(level.steps) for level in levels}) > 1:
        raise Different(f"it makes {' and '.join(str(len(level.steps)) for level in levels)} operations")
    if len({len(level.symbols) for level in levels}) > 1 or len({len(each.outputs) for each in runs}) > 1:
        raise Different("it has other constants or outputs")
    entries: list[Entry] = []
    for symbols in zip(*[level.symbols for level in levels], strict=True):
        if len({each.kind for each in symbols}) > 1 or len({len(each.shape) for each in symbols}) > 1:
            shapes = " and ".join(str(each.shape) for each in symbols)
            raise Different(f"the dimensions of a tensor depend on the size: {shapes}")
        entries.append(Entry(list(symbols)))

    def merge(values: list[Any]) -> Any:
        first = values[0]
        kind = type(first)
        if any(type(each) is not kind for each in values):
            return joined(values) if all(isinstance(each, int) for each in values) else Varying(values)
        if kind is Symbol:
            if len({each.number for each in values}) > 1:
                raise Different("which tensors it takes depends on the size")
            return entries[first.number]
        if kind is int:
            return joined(values)
        if isinstance(first, tuple | list):
            if len({len(each) for each in values}) > 1:
                return Varying(values)
            parts = [merge(list(each)) for each in zip(*values, strict=True)]
            return kind(*parts) if hasattr(kind, "_fields") else tuple(parts) if kind is not list else parts
        if kind is slice:
            return slice(*[merge([getattr(each, part) for each in values]) for part in ("start", "stop", "step")])
        if isinstance(first, np.ndarray):
            return first if all(same(first, each) for each in values) else Varying(values)
        return first if all(each is first or each == first for each in values) else Varying(values)

    calls = []
    for steps in zip(*[level.steps for level in levels], strict=True):
        first = steps[0]
        given = {name: merge([step.given[name] for step in steps]) for name in first.given}
        calls.append(Call(first.op, given, [entries[each.number] for each in first.out], first.path, first.line))
    outputs = [(name, entries[symbol.number]) for name, symbol in runs[0].outputs]
    return Merged([entries[each.number] for each in runs[0].inputs], outputs, calls, len(runs))
