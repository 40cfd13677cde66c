"""From a call of a step to a program: the step is run and recorded; what it did to Python's objects is looked at."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.blas import single
from tinygrad_dl.compiler.again import Again
from tinygrad_dl.compiler.arrays import shown
from tinygrad_dl.compiler.backward import Pool, Rules
from tinygrad_dl.compiler.life import check_settings, one_recording
from tinygrad_dl.compiler.now import now
from tinygrad_dl.compiler.passes import optimized
from tinygrad_dl.compiler.passes.uses import may_stop
from tinygrad_dl.compiler.program import Program, Scalar, View
from tinygrad_dl.compiler.recording import Recorder, Unrecordable
from tinygrad_dl.compiler.recording.errors import Refused
from tinygrad_dl.compiler.recording.memory import owner_of, view_of
from tinygrad_dl.compiler.recording.numbers import plain
from tinygrad_dl.compiler.replay import Gradient, Replay, Returned, path_reader
from tinygrad_dl.compiler.touched import PLAIN, Touched, in_place_of_floats
from tinygrad_dl.compiler.writing import write
from tinygrad_dl.core.engine import propagate
from tinygrad_dl.core.graph import Leaf, Node, Refusing, topological
from tinygrad_dl.core.mutations import Group, buffer_owner, mutations
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.func.trees import flatten, unflatten
from tinygrad_dl.random import default_generator

CONSUMED = (
    "backward: got the result of a compiled step for a second time, whose backward pass is part of the step, expected "
    "one that was not gone through; call backward() inside of the step alone"
)


class Before:
    """How everything was before a step is recorded, so that a step that can't be recorded can begin again."""

    def __init__(self, touched: Touched):
        self.touched = touched
        self.leaves = touched.leaves()
        self.grads = [(leaf, leaf._grad) for leaf, _, _ in self.leaves]
        self.entries = [(leaf, leaf._grad._data, name) for leaf, name, _ in self.leaves if leaf._grad is not None]
        arrays = [known.array for known in touched.known()]
        arrays += [value._data if isinstance(value, Tensor) else value for value, _, _ in touched.inputs]
        arrays += [array for _, array, _ in self.entries]
        self.memory = [(array, array.copy()) for array in arrays if array.flags.writeable]
        self.options = [(rate.group, rate.key, rate.group[rate.key]) for rate in touched.rates]
        self.epochs = [(scheduler.last_epoch, scheduler, name) for scheduler, name in touched.schedulers]
        self.random = default_generator.get_state()
        self.change = mutations.latest

    def put_back(self) -> None:
        """Makes everything as it was."""
        for array, copy in self.memory:
            array[...] = copy
        for leaf, grad in self.grads:
            leaf._grad = grad
        default_generator.set_state(self.random)
        self.put_options_back()

    def put_options_back(self) -> None:
        """Puts the numbers back in whose place traced ones stood."""
        for group, key, value in self.options:
            group[key] = value


def make(
    name: str, function: Callable[..., Any], touched: Touched, args: tuple[Any, ...], kwargs: dict[str, Any], key: str
) -> tuple[Any, Replay | None, Unrecordable | None]:
    """Runs a step and records it: what it returned, and how it is run from now on, or why it can't be."""
    with one_recording:
        before = Before(touched)
        making = Making(name, touched, args, kwargs, before)
        try:
            moved, out = making.run(function)
        except Exception as error:
            before.put_back()
            out = function(*args, **kwargs)  # which raises what the user's own code has raised
            return out, None, reason_of(error)
        except BaseException:
            before.put_options_back()
            raise
        try:
            making.look_at_changes(moved)
            return out, making.replay(key, out), None
        except Exception as error:
            return out, None, reason_of(error)


def reason_of(error: Exception) -> Unrecordable:
    """Why there is no program."""
    if isinstance(error, Unrecordable):
        return error
    return Unrecordable(f"recording failed with {type(error).__name__}: {error}")


class Making:
    """One recording."""

    def __init__(self, name: str, touched: Touched, args: tuple[Any, ...], kwargs: dict[str, Any], before: Before):
        self.touched, self.before, self.args, self.kwargs = touched, before, args, kwargs
        self.call = [args, kwargs]  # those of the run that is going on
        self.checks = touched.checks
        check_settings(self.checks)
        inputs = [(value._data if isinstance(value, Tensor) else value, name) for value, _, name in touched.inputs]
        inputs += [(array, f"grad of {name}") for _, array, name in before.entries]
        known = [(each.array, each.name) for each in touched.known()]
        self.recorder = Recorder(name, known, [array for array, _ in inputs])
        for view, (_, title) in zip(self.recorder.program.arguments, inputs, strict=True):
            view.buffer.name = title

    def run(self, function: Callable[..., Any]) -> tuple[list[str], Any]:
        """Runs the step for real, with numbers that are followed in the place of those that are read at each run.

        Returns:
            The names of those that it has changed, and what it returned.
        """
        self.function = function
        for view in self.recorder.program.arguments:
            view.buffer.name = in_source(view.buffer.name, function)
        args, kwargs = self.args, self.kwargs
        for rate in self.touched.rates:
            value = self.recorder.number(rate.read(), rate.read, rate.name)
            if rate.position is None:
                rate.group[rate.key] = value
            else:
                values = list(rate.group[rate.key])
                values[rate.position] = value
                rate.group[rate.key] = tuple(values)
        placed = [(rate, rate.group[rate.key]) for rate in self.touched.rates]
        if self.touched.floats:
            args, kwargs = self.with_numbers()
        now.recording = True
        try:
            with single, self.recorder as recorder:  # as the library holds the BLAS for each product
                out = recorder.run(function, *args, **kwargs)
                self.differentiate(out)
        except Refused as refused:  # by the backward pass
            raise Unrecordable(refused.reason, refused.line) from None
        finally:
            now.recording = False
        moved = [(rate, plain(rate.group[rate.key])) for rate, value in placed if rate.group[rate.key] is not value]
        self.before.put_options_back()
        for rate, value in moved:
            rate.group[rate.key] = value
        return [rate.name for rate, _ in moved], out

    def look_at_changes(self, moved: list[str]) -> None:
        """Refuses a step that has changed more of Python's than a run of a program can bring about."""
        if moved:
            raise Unrecordable(f"the step changes {moved[0]}; call scheduler.step() after the step")
        for epoch, scheduler, name in self.before.epochs:
            if scheduler.last_epoch != epoch:
                raise Unrecordable(f"the step calls {name}.step(); call it after the step")
        for value, _, name in self.touched.inputs:
            if isinstance(value, Tensor) and not value.is_leaf and not is_open(value, False):
                raise Unrecordable(f"the step calls backward() through {name}, which was computed before it")
        changed = self.checks.broken(self.args, self.kwargs, after=True)
        if changed is not None:
            line = self.touched.code.line_that_changes(changed.rpartition(".")[2])
            raise Unrecordable(f"the step changes {changed}, which is no element of a tensor", line)

    def with_numbers(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with numbers that are followed in the place of floats."""
        numbers = {}
        for path, name in self.touched.floats:
            find = path_reader(path)
            value = find(self.args, self.kwargs)
            numbers[path] = self.recorder.number(value, functools.partial(read_argument, find, self.call), name)
        args = [in_place_of_floats(each, f"args[{i}]", numbers) for i, each in enumerate(self.args)]
        kwargs = {key: in_place_of_floats(each, f"kwargs[{key!r}]", numbers) for key, each in self.kwargs.items()}
        return tuple(args), kwargs

    def differentiate(self, out: Any) -> None:
        """Records the backward pass of a function whose results go on in the graph."""
        self.ends: list[Tensor] = []
        self.backward: list[tuple[Any, str | None, View]] = []  # of each edge: the leaf or the path, and its gradient
        stepped = any(leaf._grad is not grad for leaf, grad in self.before.grads)
        for leaf in flatten(out)[0]:
            known = id(leaf) in self.touched.tensors or any(leaf is value for value, _, _ in self.touched.inputs)
            if (
                isinstance(leaf, Tensor)
                and not known
                and is_open(leaf, stepped)
                and all(leaf is not each for each in self.ends)
            ):
                self.ends.append(leaf)
        if not self.ends:
            return
        record = self.recorder.record
        program = record.program
        program.boundary, program.seeds = len(record.calls), len(self.ends)
        seeds = [np.ones(each.shape, each._data.dtype) for each in self.ends]
        for position, seed in enumerate(seeds):
            buffer = record.memories.own(seed, "argument", "grad" if len(seeds) == 1 else f"grad {position}")
            program.arguments.append(view_of(seed, buffer))
        places: dict[Any, tuple[Any, str | None]] = {}
        for tensor, _, path in self.before.leaves:
            if tensor._edge is not None:
                places[tensor._edge] = tensor, path
        roots = [each._edge for each in self.ends]
        found = self.recorder.hooks.call(propagate, roots, seeds, [*places], True)
        self.backward = [(*places[edge], self.recorder.view(array)) for edge, array in found.items()]
        program.gradients = len(self.backward)
        self.seeds = seeds  # which are alive as long as their addresses are looked up

    # -- what came of it ---------------------------------------------------------------------------

    def replay(self, key: str, out: Any) -> Replay:
        """The step as it is run from now on."""
        recorder, touched = self.recorder, self.touched
        leaves, structure = flatten(out)
        first = {id(leaf): i for i, leaf in reversed([*enumerate(leaves)]) if isinstance(leaf, Tensor | np.ndarray)}
        results: list[Any] = []
        returned = [
            self.returned(leaf, results) if first.get(id(leaf), i) == i else Returned("same", first[id(leaf)])
            for i, leaf in enumerate(leaves)
        ]
        gradients = [self.gradient(*each) for each in zip(self.before.leaves, self.before.grads, strict=True)]
        inputs = [value._data if isinstance(value, Tensor) else value for value, _, _ in touched.inputs]
        program = recorder.program
        program.results = results + [view for _, _, view in self.backward]
        for buffer in program.buffers:
            buffer.kept = False
        for each in gradients:
            if isinstance(each, Made):
                each.view.buffer.kept = True
        program = optimized(program)
        used = {view.buffer for call in program.calls for view in (*call.reads(), *call.writes())}
        used |= {result.buffer for result in program.results if type(result) is View}
        given = len(program.arguments) - program.seeds
        places = [i for i, view in enumerate(program.arguments[:given]) if view.buffer in used]
        program.arguments = [program.arguments[i] for i in places] + program.arguments[given:]
        written = write(program)
        replay = Replay(key, self.checks, written, self.call)
        replay.returned = returned
        if self.ends:
            self.connect(replay, program)
        replay.numbers = [number.read for number in program.numbers]
        replay.takes = [i for i in places if i < len(inputs)]
        replay.more = [self.before.entries[i - len(inputs)][0] for i in places if i >= len(inputs)]
        for each in gradients:
            if each is not None:
                replay.gradients.append(each.lent(written) if isinstance(each, Made) else each)
        replay.build = lambda found: unflatten(found, structure)
        replay.single = structure is None
        replay.owners = {id(owner_of(each.array)) for each in touched.known()}
        self.note_changes(replay, inputs)
        return replay

    def returned(self, leaf: Any, results: list[Any]) -> Returned:
        """One leaf of what the step returned; appends to the results of the program."""
        for value, path, _ in self.touched.inputs:
            if leaf is value:
                return Returned("argument", path_reader(path))
        if isinstance(leaf, Tensor) and id(leaf) not in self.touched.tensors:
            graph = None
            for position, end in enumerate(self.ends):
                if leaf is end:
                    results.append(self.recorder.view(leaf._data))
                    return Returned("end", len(results) - 1, position)
            if leaf._edge is not None:
                if not isinstance(leaf._edge.node, Node):
                    raise Unrecordable("the step returns a leaf that it has made")
                plan = leaf._edge.node.plan
                graph = Refusing(plan.name, CONSUMED, hidden=False)
                graph.suffix = plan.suffix
            results.append(self.recorder.view(leaf._data))
            return Returned("tensor", len(results) - 1, graph)
        if isinstance(leaf, np.ndarray):
            results.append(self.recorder.view(leaf))
            return Returned("array", len(results) - 1)
        scalar = self.recorder.record.operand(leaf)
        if type(scalar) is Scalar:
            results.append(scalar)
            return Returned("number", len(results) - 1)
        if not isinstance(leaf, PLAIN) and id(leaf) not in self.touched.seen:
            raise Unrecordable(
                f"the step returns a {type(leaf).__name__}, and not tensors, numbers or containers of them"
            )
        return Returned("object", leaf)

    def connect(self, replay: Replay, program: Program) -> None:
        """What a run needs to give results their place in the graph."""
        calls = program.calls[program.boundary :]
        end: Any = self.ends[0]
        name = self.recorder.program.name if len(self.ends) > 1 else end._edge.node.plan.name
        replay.rules = Rules(name, len(self.ends) > 1)
        replay.edges = [(tensor, None if path is None else path_reader(path)) for tensor, path, _ in self.backward]
        replay.pool = Pool(replay.written, functools.partial(write, program))
        if any(map(may_stop, calls)):
            replay.again = self.again(replay)
        read = [view for call in calls for view in call.reads()]
        for tensor, _ in self.touched.tensors.values():
            if any(overlapping(self.recorder.view(tensor._data), view) for view in read):
                replay.read.append(tensor)

    def again(self, replay: Replay) -> Again:
        """How the gradients of a call are found where its values ask for another way than the recorded one."""
        for value, _, name in self.touched.inputs:
            if self.changed(value._data if isinstance(value, Tensor) else value):
                raise Unrecordable(
                    f"values decide what the backward pass does, and the step changes {name} in place; compile the "
                    "backward pass together with the function"
                )
        ends = [i for i, each in enumerate(replay.returned) if each.kind == "end"]
        written = self.recorder.changed
        changed = [each.array for each in self.touched.known() if self.recorder.view(each.array).buffer in written]
        tensors = [tensor for tensor, _ in self.touched.tensors.values()]
        read = [tensor for tensor in tensors if self.recorder.view(tensor._data).buffer not in written]
        return Again(self.function, self.checks, ends, replay.edges, changed, read)

    def gradient(self, leaf: tuple[Tensor, str, str | None], before: tuple[Tensor, Any]) -> Any:
        """What the step made of the `.grad` of a leaf; None if nothing."""
        tensor, name, path = leaf
        find = None if path is None else path_reader(path)
        held = tensor if find is None else None
        old, new = before[1], tensor._grad
        if new is old:
            if old is None or not self.changed(old._data):
                return None
            return Gradient(held, find, None, True)
        if new is None:
            return Gradient(held, find, None, False)
        if new._edge is not None:
            raise Unrecordable(f"the step leaves a .grad of {name} that has a graph; take create_graph out")
        view = self.recorder.view(new._data)
        if view.buffer.kind != "inside":
            raise Unrecordable(f"the step assigns a tensor from outside to the .grad of {name}")
        return Made(held, find, view)

    def changed(self, array: np.ndarray) -> bool:
        """Whether the step has changed an array in place."""
        entry = mutations.log.get(id(buffer_owner(array)))
        return entry is not None and entry[0] > self.before.change

    def note_changes(self, replay: Replay, inputs: list[np.ndarray]) -> None:
        """What the log of in-place changes has to say after each run."""
        groups: dict[int, Group] = {}
        owners = {id(owner): owner for owner in (buffer_owner(known.array) for known in self.touched.known())}
        single: list[np.ndarray] = []
        for key, (when, _, watch) in mutations.log.items():
            if when > self.before.change:
                if isinstance(watch, Group):
                    groups[id(watch)] = watch
                elif key in owners:
                    single.append(owners[key])
        if single:
            group = mutations.watch(single)
            groups[id(group)] = group
        replay.groups = list(groups.values())
        replay.changed = [i for i, array in enumerate(inputs) if self.changed(array)]


def read_argument(find: Callable[[Any, Any], Any], call: list[Any]) -> Any:
    """An argument of the run that is going on."""
    return find(*call)


class Made:
    """A `.grad` that the step makes, before it is known where it lies."""

    def __init__(self, leaf: Tensor | None, path: Any, view: View):
        self.leaf, self.path, self.view = leaf, path, view

    def lent(self, written: Any) -> Gradient:
        """As it is in the memory of the program."""
        return Gradient(self.leaf, self.path, shown(self.view, written.array(self.view.buffer)), False)


def overlapping(a: View, b: View) -> bool:
    """Whether two views may have elements in common: whether the pieces of memory do that they lie in."""
    if a.buffer is not b.buffer:
        return False
    ends = [
        view.offset + sum((size - 1) * abs(stride) for size, stride in zip(view.shape, view.strides, strict=True))
        for view in (a, b)
    ]
    return a.offset <= ends[1] and b.offset <= ends[0]


def is_open(tensor: Tensor, stepped: bool) -> bool:
    """Whether a tensor is the result of a graph through which no backward pass has gone yet.

    A pass frees what nodes have saved. Of nodes that save nothing it can't be seen: it is taken for granted if the step
    has brought gradients (`stepped`).
    """
    edge = tensor._edge
    if edge is None or type(edge) is Leaf:
        return False
    places = topological([edge])
    return all(each.saved is not None for each in places) and not (stepped and not any(each.saved for each in places))


def in_source(name: str, function: Callable[..., Any]) -> str:
    """What the source calls an argument: as the function does, where it has a name for it."""
    code, position = getattr(function, "__code__", None), name.removeprefix("argument ")
    if code is None or position == name or not position.isdigit():
        return name
    names = code.co_varnames[getattr(function, "__self__", None) is not None : code.co_argcount]
    return str(names[int(position)]) if int(position) < len(names) else name
