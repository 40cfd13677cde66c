"""`recording`: inside, each operation remembers what its node alone does not know.

That is the line of the program, the calls of modules that it lies in, its constants and options, and its result. It
stands as a `Place` in the node's metadata, which go with the node. Nothing of a place refers to a tensor, a module or
another node, except weakly, so nothing lives longer for it.
"""

from __future__ import annotations

import sys
import threading
import weakref
from bisect import bisect
from collections.abc import Iterator, Sequence
from operator import attrgetter
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.autograd.anomaly_mode import outwards
from tinygrad_dl.core.engine import propagate
from tinygrad_dl.core.function import Function
from tinygrad_dl.core.graph import Edge, Leaf, Node, metadata, observers, refusing, topological
from tinygrad_dl.core.mutations import buffer_owner, next_seq
from tinygrad_dl.core.runtime import in_half
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import Lifted
from tinygrad_dl.func.trees import flatten
from tinygrad_dl.nn import calls as nn_calls
from tinygrad_dl.nn.hooks import everywhere
from tinygrad_dl.nn.module import Module
from tinygrad_dl.ops.tensor.inplace import assign, not_run
from tinygrad_dl.viz.known.frames import Line, is_ours, line_of, variables_of
from tinygrad_dl.viz.known.values import Values, described, values_of


class Passed(NamedTuple):
    """A tensor that a module was given or returned.

    Attributes:
        shape, dtype: its own. edge: its place in the graph; None for a constant.
        tensor: a weak reference to it, the same for each time that it is passed, also once it is gone.
    """

    shape: tuple[int, ...]
    edge: weakref.ref[Any] | None
    dtype: Any
    tensor: weakref.ref[Tensor]


class Call:
    """One call of a module.

    Attributes:
        path: its name in the outermost module called, "" for that module itself; of a module that is registered in none
            of those that are running, its class's name.
        layer: the name of its class.
        depth: how many other calls it lies in.
        first, last: the sequence numbers of the nodes that were made in it lie between these.
        inputs, outputs: the tensors among its arguments and in what it returned.
        parts: the calls that it made itself, in order.
    """

    __slots__ = ("_module", "depth", "first", "inputs", "last", "layer", "outputs", "parts", "path")

    def __init__(self, module: Module, path: str, depth: int, arguments: Any):
        self._module = weakref.ref(module)
        self.path, self.layer, self.depth = path, type(module).__name__, depth
        self.first = self.last = next_seq()
        self.inputs, self.outputs = passed(arguments), passed(None)
        self.parts: list[Call] = []

    @property
    def module(self) -> Module | None:
        """The module, or None once it is gone."""
        return self._module()

    def end(self, output: Any) -> None:
        """Notes what was returned, and that no more nodes are made in it."""
        self.last = next_seq()
        self.outputs = passed(output)

    def all(self) -> Iterator[Call]:
        """This call and all those inside, in the order in which they began."""
        todo = [self]
        while todo:
            call = todo.pop()
            yield call
            todo += reversed(call.parts)

    def __repr__(self) -> str:
        return f"<Call of {self.layer} {self.path!r}: {', '.join(str(each.shape) for each in self.outputs)}>"


def passed(tree: Any) -> list[Passed]:
    """The tensors in any nesting of tuples, lists and dicts."""
    tensors = [leaf for leaf in flatten(tree)[0] if isinstance(leaf, Tensor)]
    edges = [getattr(tensor, "_edge", None) for tensor in tensors]  # a tensor of a transform may have none
    return [
        Passed(tuple(tensor.shape), None if edge is None else weakref.ref(edge), tensor.dtype, weakref.ref(tensor))
        for tensor, edge in zip(tensors, edges, strict=True)
    ]


class Place(NamedTuple):
    """What a node remembers of its making.

    Attributes:
        line: the innermost line of the user's program.
        calls: the calls of modules that it lies in, outermost first.
        arguments: constants (as `Values`) and options, by the name of the parameter; what has a gradient is left out.
        arrays: the same constants themselves, weakly. names: the variables that hold tensors it was given, where the
            line is, by the name of the parameter.
        values: the result at that time; of several results a tuple; None if `recording(values=False)`.
        detached: arguments that are constants but show the memory of something in the graph, as `x.detach()` does; each
            with a weak reference to the place of that in the graph.
        inplace: the name of the in-place operation whose result it is, "" if it is none.
        gradient_of: the sequence number of the node whose gradient was being computed, in a pass with
            `create_graph=True`; None if it was made on the way forward.
    """

    line: Line | None
    calls: tuple[Call, ...]
    arguments: dict[str, Any]
    arrays: dict[str, weakref.ref[np.ndarray]]
    names: dict[str, str]
    values: Values | tuple[Values, ...] | None
    detached: dict[str, weakref.ref[Any]]
    inplace: str
    gradient_of: int | None


class Run(NamedTuple):
    """A computation to be looked at: its result, the calls of modules in the order in which they began, and all nodes,
    oldest first."""

    output: Any
    calls: list[Call]
    nodes: list[Node]

    def nodes_of(self, call: Call) -> list[Node]:
        """The nodes that a call made, in the modules inside of it too."""
        first, last = (bisect(self.nodes, number, key=attrgetter("seq")) for number in (call.first, call.last))
        places = ((node, place_of(node)) for node in self.nodes[first:last])
        return [node for node, place in places if place is not None and call in place.calls]


class recording:
    """Inside, operations remember for pictures and traces what the graph alone does not know.

    That is the line of the program, the modules that were called, constants and options, and the values of results. It
    holds for all threads. Small operations take some fifty times as long as without; outside nothing is slower.

    Args:
        values: whether results are remembered: whole up to 36 elements, of more their range, mean and histogram.

    Attributes:
        calls: the calls of modules so far, by the thread that entered the block, in the order in which they began.

    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.viz.known.recording import place_of
    >>> x = td.tensor([1.0, 2.0], requires_grad=True)
    >>> with td.viz.recording():
    ...     y = x * 3
    >>> place = place_of(y.grad_fn)
    >>> place.line.text, place.arguments["other"].array, place.values.array
    ('y = x * 3', array(3., dtype=float32), array([3., 6.], dtype=float32))
    """

    def __init__(self, values: bool = True):
        if not isinstance(values, bool):
            raise TypeError(f"recording: got values={values!r}, expected True or False")
        self.values = values
        self._before: list[tuple[Any, ...]] = []  # a stack, so that one object can be entered again inside itself
        self._roots: list[Call] = []

    @property
    def calls(self) -> list[Call]:
        """The calls of modules in the block so far."""
        return [call for root in self._roots for call in root.all()]

    def __enter__(self) -> recording:
        self._before.append((current.running, current.roots))
        self._roots = []
        current.running, current.roots = [], self._roots
        with observers.lock:
            state.inside += 1
            state.with_values += self.values
            if state.inside == 1:
                state.start()
        return self

    def __exit__(self, *_: object) -> None:
        with observers.lock:
            state.inside -= 1
            state.with_values -= self.values
            if not state.inside:
                state.stop()
        current.running, current.roots = self._before.pop()


class _State:
    """The recordings of all threads together."""

    inside = 0  # how many blocks are being executed
    with_values = 0  # and how many of them ask for values

    def __init__(self) -> None:
        self.handles: list[Any] = []
        self.shown = Shown()

    def start(self) -> None:
        observers.watch(note_place)
        observers.writers.append(note_inplace)
        self.handles = [
            everywhere("_forward_pre_hooks", begin, _with_kwargs=True),
            everywhere("_forward_hooks", end, _always_called=True),
        ]

    def stop(self) -> None:
        observers.leave(note_place)
        observers.writers.remove(note_inplace)
        for handle in self.handles:
            handle.remove()
        self.handles, self.shown = [], Shown()


class Shown:
    """Which memory shows the values of which place in the graph: by it a constant is known to be a detached tensor."""

    def __init__(self) -> None:
        self.of: dict[int, tuple[Any, dict[Any, weakref.ref[Any]]]] = {}  # by the array that owns the memory

    def note(self, array: np.ndarray, edge: Edge) -> None:
        """Notes that an array has the values of a place in the graph."""
        owner = buffer_owner(array)
        key, of = id(owner), self.of
        if key not in of:  # the entry goes before the number can be another array's
            of[key] = weakref.ref(owner, lambda _: of.pop(key, None)), {}
        of[key][1][where(array)] = weakref.ref(edge)

    def find(self, array: np.ndarray) -> weakref.ref[Any] | None:
        """The place that an array shows: the same part of the memory if there is one, else any."""
        found = self.of.get(id(buffer_owner(array)))
        if found is None:
            return None
        exact = found[1].get(where(array))
        return exact if exact is not None else next(iter(found[1].values()))


def where(array: np.ndarray) -> tuple[Any, ...]:
    """Which part of its memory an array shows."""
    return array.ctypes.data, array.shape, array.strides


class _Current(threading.local):
    """The calls of modules that are running in this thread, outermost first, each with its frame."""

    def __init__(self) -> None:
        self.running: list[tuple[FrameType, Call]] = []
        self.roots: list[Call] | None = None


current = _Current()
state = _State()


def still_running(frame: FrameType | None) -> list[tuple[FrameType, Call]]:
    """The running calls. One that was left by an exception that no hook sees goes from the list."""
    running = current.running
    if running:
        living = {id(each) for each in outwards(frame) if each.f_code is nn_calls.call.__code__}
        while running and id(running[-1][0]) not in living:
            running.pop()[1].end(None)
    return running


def begin(module: Module, args: Any, options: Any) -> None:
    """Notes that a module is called."""
    frame = frame_of_call()
    running = still_running(frame)
    inside = [call for _, call in running]
    call = Call(module, path_in(inside, module), len(inside), [args, options])
    if inside:
        inside[-1].parts.append(call)
    elif current.roots is not None:
        current.roots.append(call)
    running.append((frame, call))


def end(module: Module, args: Any, output: Any) -> None:
    """Notes that a call of a module has returned, or raised."""
    frame = frame_of_call()
    if any(each is frame for each, _ in current.running):  # or it began before the recording
        while True:
            begun, call = current.running.pop()
            call.end(output if begun is frame else None)
            if begun is frame:
                break


def frame_of_call() -> FrameType:
    """The frame of the call whose hooks are running."""
    return next(each for each in outwards(sys._getframe(2)) if each.f_code is nn_calls.call.__code__)


def path_in(inside: Sequence[Call], module: Module) -> str:
    """The path of a module that is called inside of others: by the nearest of them in which it is registered."""
    for call in reversed(inside):
        for name, each in call.module.named_modules() if call.module is not None else ():
            if each is module:
                return joined(call.path, name)
    return joined(inside[-1].path, type(module).__name__) if inside else ""


def joined(path: str, name: str) -> str:
    """A path and what follows it."""
    return f"{path}.{name}" if path and name else path or name


# -- places --------------------------------------------------------------------------------------


def note_place(node: Node) -> None:
    """Remembers how a node is made. Called by its class, which was called by the function of the operation."""
    frame = sys._getframe(2)
    made = Made(frame)
    line = gradient_of = None
    names: dict[str, str] = {}
    called = False  # a backward pass further out than a call of a module has not made this node
    for each in outwards(frame):
        code = each.f_code
        if line is None and not is_ours(each):
            line, names = line_of(each), names_in(each, made.arguments)
        if gradient_of is None and not called and code is propagate.__code__:
            gradient_of = variables_of(each)["place"].seq
        called = called or code is nn_calls.call.__code__
        if line is not None and (called or gradient_of is not None):
            break
    constants = {name: value for name, value in made.arguments.items() if name not in made.edges}
    detached = {}
    for name, value in constants.items():
        found = state.shown.find(value) if isinstance(value, np.ndarray) else None
        if found is not None and frame.f_code is not not_run.__code__:  # whose value shows the memory of its base
            detached[name] = found
    for name, edge in made.edges.items():
        if type(edge) is Leaf and isinstance(made.arguments.get(name), np.ndarray):
            state.shown.note(made.arguments[name], edge)
    for array in made.results:
        state.shown.note(array, node)
    values = tuple(map(values_of, made.results)) if state.with_values else None
    node.metadata["place"] = Place(
        line=line,
        calls=tuple(call for _, call in still_running(frame)),
        arguments={name: described(value) for name, value in constants.items()},
        arrays={name: weakref.ref(value) for name, value in constants.items() if isinstance(value, np.ndarray)},
        names=names,
        values=values[0] if values and not made.several else values or None,
        detached=detached,
        inplace="",
        gradient_of=gradient_of,
    )


class Made:
    """What the function that makes a node knows of it, by its own variables.

    Attributes:
        arguments: by name, tensors as arrays. edges: of those that are in the graph. results: arrays.
        several: whether the operation has several results, though it may be one of them alone.
    """

    def __init__(self, frame: FrameType):
        found, code = frame.f_locals, frame.f_code
        self.several = False
        self.results: list[np.ndarray] = []
        self.arguments: dict[str, Any] = {}
        self.edges: dict[str, Edge] = {}
        if code is refusing.__code__:
            self.results = [found["tensor"]._data]
        elif code is RUN_FUNCTION:
            self.results, self.several = [each._data for each in found["tensors"]], not found["single"]
            given = [each._data if isinstance(each, Tensor) else each for each in found["args"]]
            edges = [None if each is None else each._edge for each in found["inputs"]]
            self.set(found["rules"].argument, given, edges)
            self.arguments |= found["kwargs"]
        elif code is not_run.__code__:
            op = found["record"]
            self.operation(op, dict(zip(op.parameters, found["given"], strict=True)), found)
        elif code is in_half.__code__:
            self.operation(found["op"], found["given"], found)
        elif "op" in frame.f_globals:
            self.operation(frame.f_globals["op"], found, found)

    def operation(self, op: Any, given: dict[str, Any], found: dict[str, Any]) -> None:
        """Reads a call of an op: its arguments, by name, and the variables of the function that makes the node."""
        edges = found["edges"] if "edges" in found else [found[f"edge_{name}"] for name in op.tensors]
        self.several = op.outputs is not None
        self.results = [each._data for each in found["results"]] if "results" in found else [found["out"]]
        self.arguments = {name: given[name] for name in op.parameters if name != op.sequence}
        if op.sequence:
            self.set(lambda i: f"{op.sequence}[{i}]", given[op.sequence], edges)
        else:
            self.edges = {name: edge for name, edge in zip(op.tensors, edges, strict=True) if edge is not None}

    def set(self, name: Any, values: Sequence[Any], edges: Sequence[Any]) -> None:
        """Arguments by their position."""
        self.arguments |= {name(i): value for i, value in enumerate(values)}
        self.edges |= {name(i): edge for i, edge in enumerate(edges) if edge is not None}


RUN_FUNCTION = vars(Function)["run"].__func__.__code__


def names_in(frame: FrameType, arguments: dict[str, Any]) -> dict[str, str]:
    """The variables of a frame that hold the tensors of which these arguments are the arrays."""
    wanted = {id(value): argument for argument, value in arguments.items() if isinstance(value, np.ndarray)}
    found: dict[str, str] = {}
    for name, value in variables_of(frame).items():
        if isinstance(value, Tensor) and not isinstance(value, Lifted) and id(value._data) in wanted:
            found.setdefault(wanted[id(value._data)], name)
    return found


def note_inplace(array: np.ndarray, what: str) -> None:
    """Remembers that a node's result is being written over a tensor. Called before it is."""
    for frame in outwards(sys._getframe(1)):
        if frame.f_code is assign.__code__:
            found = variables_of(frame)
            edge = found["edge"]
            place = None if edge is None or found["result"] is found["self"] else place_of(edge)
            if place is not None:
                metadata[edge.node]["place"] = place._replace(inplace=what)
            return
        if not is_ours(frame):
            return


def place_of(edge: Edge) -> Place | None:
    """How the node that an edge leads to was made; None if that was not inside `recording`."""
    place: Place | None = metadata.get(edge.node, {}).get("place")
    return place


def run_of(outputs: Any) -> Run:
    """The computation that led to tensors: a tensor, or any nesting of tuples, lists and dicts with some.

    What was computed inside `recording` has its calls of modules.
    """
    roots = [leaf._edge for leaf in flatten(outputs)[0] if isinstance(leaf, Tensor) and leaf._edge is not None]
    nodes = [node for node in reversed(topological(roots)) if isinstance(node, Node)]
    outermost = {place.calls[0]: None for place in map(place_of, nodes) if place is not None and place.calls}
    found = (call for root in outermost for call in root.all())
    return Run(outputs, sorted(found, key=attrgetter("first")), nodes)


__all__ = ["Call", "Line", "Place", "Run", "Values", "place_of", "recording", "run_of"]
