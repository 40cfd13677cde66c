"""The graph: what operations leave behind for the backward pass.

A `Node` is one recorded operation. It points to the nodes that made its inputs, never to its own
output, so there are no reference cycles and a graph is freed by reference counting alone. A `Leaf`
stands where the graph ends in a tensor that the user made.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Protocol, TypeAlias

import numpy as np

from tinygrad_dl.backends.arrays import is_array
from tinygrad_dl.core.hooks import Hooks, RemovableHandle
from tinygrad_dl.core.mutations import buffer_owner, next_seq

Gradient: TypeAlias = Any  # an ndarray, or a Tensor when the pass is recorded


class Rules(Protocol):
    """What a node knows of its operation: how to turn the output's gradient into the inputs'."""

    name: str
    broadcasts: bool  # whether the engine is to sum gradients back to their inputs' shapes
    multiple: bool  # whether there are several outputs
    keeps_arrays: bool  # whether arrays are saved, which go when they have been used
    materializes: bool  # whether, of several outputs, those that were not used have zeros as their gradients
    changeable: bool  # whether the result, if it is saved, may be changed in place: then a copy takes its place
    single: bool  # whether half precision is worked out in float32
    suffix: str  # what PyTorch's name of the node has after the operation's

    def run(self, g: Gradient, saved: Any) -> Sequence[Gradient]:
        """One gradient an edge, given the output's gradient and the saved values."""

    def reconnected(self, node: Node, saved: Any) -> Any:
        """The saved values as tensors that are connected to the graph again."""

    def toward(self, edges: Sequence[Any], useful: Any) -> Rules:
        """The same, without the gradients of inputs whose edges are not useful, if it can leave them out."""

    def argument(self, position: int) -> str:
        """The name of the input that edge number `position` leads to."""


class Node:
    """One recorded operation: its rules, where its inputs came from, and what the rules read."""

    __slots__ = ("__weakref__", "dtype", "edges", "hooks", "plan", "saved", "seq", "shape")

    plan: Rules
    edges: tuple[Edge | None, ...]
    saved: Any  # () when the rules read nothing, None once it was freed
    seq: int
    shape: Any  # of the output; a tuple of shapes when there are several outputs
    dtype: Any
    hooks: Hooks | None

    index = 0  # which output of its node it is

    @property
    def title(self) -> str:
        """The operation's name in CamelCase."""
        return self.plan.name

    def name(self) -> str:
        """PyTorch's name: of the node that multiplies "MulBackward0"."""
        return self.plan.name + self.plan.suffix

    @property
    def node(self) -> Node:
        """The node whose output it is: itself, but for one of several outputs."""
        return self

    @property
    def metadata(self: Any) -> dict[str, Any]:
        """A dict for whatever the user wants to remember of this node."""
        return metadata.setdefault(self, {})

    def kept_arrays(self) -> Iterable[np.ndarray]:
        """The arrays that it keeps for its rules, as they are in memory."""
        return saved_arrays(self.saved)

    def keep_copy(self, array: np.ndarray) -> None:
        """Keeps a copy of an array that its own rules read and that is about to be overwritten."""
        if self.saved and any(value is array for value in self.saved):
            copy = array.copy()
            self.saved = tuple(copy if value is array else value for value in self.saved)

    def keep_result(self, array: np.ndarray) -> None:
        """Keeps a copy of its result, in whose memory an array is about to be changed, if its own rules read it."""
        for value in tuple(self.kept_arrays()):
            if buffer_owner(value) is buffer_owner(array):
                self.keep_copy(value)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that this node keeps for its backward rules."""
        return sum(a.nbytes for a in self.kept_arrays())

    @property
    def next_functions(self: Any) -> tuple[tuple[Any, int], ...]:
        """For each input the node that made it and which of its outputs it was; (None, 0) if it has no gradient."""
        return tuple((None, 0) if edge is None else (shown(edge.node), edge.index) for edge in self.edges)

    def register_hook(self: Any, hook: Callable[[Any, Any], Any]) -> RemovableHandle:
        """Calls `hook(grad_inputs, grad_outputs)`, two tuples, when a backward pass has gone through the node.

        A tuple that it returns takes the place of the gradients of the inputs.

        >>> import tinygrad_dl as td
        >>> x = td.tensor(2.0, requires_grad=True)
        >>> y = x * x
        >>> handle = y.grad_fn.register_hook(lambda grad_inputs, grad_outputs: print(grad_inputs, grad_outputs))
        >>> y.backward()
        (tensor(2.), tensor(2.)) (tensor(1.),)

        Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.graph.Node.register_hook.html
        """
        return RemovableHandle(self.with_hooks().after, hook)

    def register_prehook(self: Any, hook: Callable[[Any], Any]) -> RemovableHandle:
        """Calls `hook(grad_outputs)`, a tuple, before a backward pass goes through the node.

        A tuple that it returns takes its place. The gradient of an output that was not used is None.

        >>> import tinygrad_dl as td
        >>> x = td.tensor(2.0, requires_grad=True)
        >>> y = x * x
        >>> handle = y.grad_fn.register_prehook(lambda grad_outputs: (grad_outputs[0] * 10,))
        >>> y.backward()
        >>> x.grad
        tensor(40.)

        Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.graph.Node.register_prehook.html
        """
        return RemovableHandle(self.with_hooks().before, hook)

    def with_hooks(self: Any) -> Hooks:
        """Its hooks, which it has from now on."""
        if self.hooks is None:
            self.hooks = Hooks()
        hooks: Hooks = self.hooks
        return hooks

    def __repr__(self: Any) -> str:
        return f"<{self.name()}>"


class ShownNode(Node):
    """A node that the user has looked at, and so may ask for what it keeps.

    A class of its own, since a class with `__getattr__` makes every attribute slower to read.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        """`_saved_<name>`, what it keeps for its rules; of a Function's node what its ctx has."""
        return observers.attribute(self, name)

    def __call__(self, *gradients: Any) -> Any:
        """The gradients of its inputs, given those of its outputs: see `autograd.saved.called`."""
        return observers.attribute(self, "__call__")(*gradients)


def shown(node: Any) -> Any:
    """A node as users see it: of a class that has PyTorch's name of its operation, as in PyTorch."""
    if type(node) is Node:
        node.__class__ = shown_class(node.name())
    return node


@functools.cache
def shown_class(name: str) -> type[ShownNode]:
    """The class of the nodes of an operation that users have looked at."""
    return type(name, (ShownNode,), {"__slots__": (), "__module__": __name__})


class Output:
    """One output of a node that has several: collects its gradient and hands it to the node."""

    __slots__ = ("__weakref__", "_node", "dtype", "edges", "hooks", "index", "seq", "shape")

    plan = None
    saved = ()
    nbytes = 0
    next_functions = Node.next_functions
    register_hook, register_prehook, with_hooks = Node.register_hook, Node.register_prehook, Node.with_hooks
    __repr__ = Node.__repr__

    def __init__(self, node: Node, index: int, shape: tuple[int, ...], dtype: np.dtype[Any]):
        self._node, self.index, self.shape, self.dtype = node, index, shape, dtype
        self.edges = (node,)
        self.seq = next_seq()
        self.hooks: Hooks | None = None

    @property
    def node(self) -> Node:
        return self._node

    @property
    def title(self) -> str:
        return self._node.title

    def name(self) -> str:
        return self._node.name()

    def join(self, grads: dict[Any, Gradient], g: Gradient) -> None:
        """Gives its gradient a place among those of the whole node."""
        slots = grads.setdefault(self._node, [None] * len(self._node.shape))
        slots[self.index] = g if slots[self.index] is None else together(slots[self.index], g)


class Variable(Protocol):
    """What the end of the graph notes of a tensor."""

    @property
    def _data(self) -> np.ndarray: ...


class Leaf:
    """The end of the graph in a tensor of the user's; refers to the tensor weakly."""

    __slots__ = ("__weakref__", "dtype", "hooks", "shape", "tensor")

    plan = None
    edges: tuple[()] = ()
    saved = ()
    index = seq = nbytes = 0
    title = "AccumulateGrad"
    next_functions = Node.next_functions
    register_hook, register_prehook, with_hooks = Node.register_hook, Node.register_prehook, Node.with_hooks
    __repr__ = Node.__repr__
    metadata = Node.metadata

    def __init__(self, tensor: Variable):
        self.tensor = weakref.ref(tensor)
        self.shape, self.dtype = tensor._data.shape, tensor._data.dtype
        self.hooks: Hooks | None = None

    def name(self) -> str:
        """What PyTorch calls the end of the graph."""
        return self.title

    @property
    def node(self) -> Leaf:
        return self

    @property
    def variable(self) -> Any:
        """The leaf tensor, or None once it is gone."""
        return self.tensor()


Leaf.__name__ = Leaf.title  # what `type(node).__name__` is to users, as of the other nodes
Edge: TypeAlias = Node | Output | Leaf

metadata: weakref.WeakKeyDictionary[Edge, dict[str, Any]] = weakref.WeakKeyDictionary()  # of the few that have any


def saved_arrays(saved: Any) -> Iterable[np.ndarray]:
    """The arrays among a node's saved values, those inside lists and tuples too, and of tensors given as options."""
    for value in saved or ():
        if is_array(value):
            yield value
        elif hasattr(value, "_data"):
            yield value._data
        elif type(value) in (tuple, list):
            yield from saved_arrays(value)


def keep_copies(roots: Iterable[Edge], arrays: Iterable[np.ndarray], since: int) -> None:
    """Gives all nodes recorded after `since` copies of these arrays, and of views of them, if their rules read them.

    For memory that is about to be overwritten by what these nodes have computed.
    """
    owners, todo, seen = {id(buffer_owner(array)) for array in arrays}, list(roots), set()
    while todo:
        node = todo.pop().node
        if node.seq <= since or node in seen:
            continue
        seen.add(node)
        if any(is_array(value) and id(buffer_owner(value)) in owners for value in node.saved or ()):
            node.saved = tuple(
                value.copy() if is_array(value) and id(buffer_owner(value)) in owners else value for value in node.saved
            )
        todo += [edge for edge in node.edges if edge is not None]


def topological(roots: Iterable[Edge]) -> Places:
    """All places that the roots reach, without recursion: newest first, the leaves last.

    An input is always older than the operation that read it, so sorting by sequence number is a
    topological sort.
    """
    found = Places(dict.fromkeys(roots))
    seen: set[Edge | None] = {None, *found}
    see, take = seen.add, found.append
    for place in found:  # which grows meanwhile
        for parent in place.edges:
            if parent not in seen:
                see(parent)
                take(parent)
    found.sort(key=attrgetter("seq"), reverse=True)
    return found


class Places(list[Any]):
    """The places that a pass visits, in order."""

    __slots__ = ("_notes", "targeted")
    _notes: dict[Any, Any]
    targeted: bool  # whether gradients at certain places are asked for, not those of all leaves

    @property
    def notes(self) -> dict[Any, Any]:
        """What hooks remember until the pass ends."""
        try:
            return self._notes
        except AttributeError:
            self._notes = {}
            return self._notes


def leading_to(places: Sequence[Any], targets: set[Edge]) -> set[Edge]:
    """Those of the places (newest first) from which a target can be reached, and the targets."""
    useful = set(targets)
    for place in reversed(places):
        if not useful.isdisjoint(place.edges):
            useful.add(place)
    return useful


def leaves_when_due(places: Places) -> Places:
    """The places with each leaf that has hooks right behind the last that adds to its gradient, not at the end."""
    waiting = set()
    for place in reversed(places):
        if type(place) is not Leaf:
            break
        if place.hooks is not None:
            waiting.add(place)
    if not waiting:
        return places
    order = Places()
    order.targeted = places.targeted
    left = set(waiting)
    for place in reversed(places):
        for edge in reversed(place.edges):
            if edge in left:
                left.remove(edge)
                order.append(edge)
        if place not in waiting:
            order.append(place)
    order.extend(left)  # leaves that are roots
    order.reverse()
    return order


def freed(node: Node) -> RuntimeError:
    """The error of a second pass through a graph whose saved values are gone."""
    return RuntimeError(
        f"backward: got a graph for a second time, whose saved values the first pass has freed (at {node.title}), "
        f"expected one that was not gone through; call the first backward (or grad) with retain_graph=True to go "
        f"through it again, or run the forward computation again"
    )


def together(a: Gradient, b: Gradient) -> Gradient:
    """Their sum, made anew: of arrays an array, for 0-d ones too, of which NumPy makes a number."""
    total = a + b
    return np.asarray(total) if isinstance(total, np.generic) else total


def materialize(g: Gradient | None, shape: tuple[int, ...], dtype: np.dtype[Any], module: Any = np) -> Gradient:
    """An output that was never used has a gradient of zeros; an integer one has none."""
    return module.zeros(shape, dtype) if g is None and dtype.kind in "fcV" else g


class Refusing:
    """Rules of a tensor that must not be differentiated: a backward pass that reaches it raises.

    If its place in the graph is `hidden`, so does the tensor's `grad_fn`.
    """

    broadcasts = multiple = keeps_arrays = changeable = single = False
    materializes = True
    suffix = ""

    def __init__(self, name: str, message: str, hidden: bool):
        self.name, self.message, self.hidden = name, message, hidden

    def run(self, g: Gradient, saved: Any) -> Sequence[Gradient]:
        raise RuntimeError(self.message)

    def reconnected(self, node: Node, saved: Any) -> Any:
        return ()

    def toward(self, edges: Sequence[Any], useful: Any) -> Refusing:
        return self

    def argument(self, position: int) -> str:
        return f"input {position}"


def refusing(tensor: Variable, edges: Sequence[Edge | None], name: str, message: str, hidden: bool = False) -> Node:
    """A place in the graph for a tensor, from which a backward pass raises instead of going on to `edges`."""
    node = Node()
    node.plan, node.edges, node.saved, node.hooks = Refusing(name, message, hidden), tuple(edges), (), None
    node.seq, node.shape, node.dtype = next_seq(), tensor._data.shape, tensor._data.dtype
    return node


Useful: TypeAlias = set[Edge] | None  # the places from which a target can be reached; None: all
Step: TypeAlias = Callable[[Any, Gradient, bool, bool, Useful], Sequence[Gradient]]


class Observers:
    """Who looks on while operations are recorded and gone through: nobody, usually, and then it costs nothing."""

    def __init__(self) -> None:
        self.step: Step | None = None  # what a pass does with each node, if not what `engine.gradients` does
        self.recorders: Counter[Callable[[Node], None]] = Counter()
        # Called with an array, and by which operation, before it is changed in place.
        self.writers: list[Callable[[np.ndarray, str], None]] = []
        self.lock = threading.RLock()
        # What a node answers to a name that it does not have; `autograd` puts its own function here.
        self.attribute: Callable[[Node, str], Any] = object.__getattribute__

    def watch(self, recorder: Callable[[Node], None]) -> None:
        """Calls a function with every node that is made from now on, in any thread, while it is still empty.

        The functions that ops generate call `Node()`, so class Node has an `__init__` for as long as somebody looks on.
        """
        with self.lock:
            self.recorders[recorder] += 1
            type.__setattr__(Node, "__init__", _tell_recorders)

    def before_write(self, array: np.ndarray, what: str) -> None:
        """Tells those who want to know that an array is about to be changed in place."""
        for writer in tuple(self.writers):
            writer(array, what)

    def leave(self, recorder: Callable[[Node], None]) -> None:
        """Undoes one `watch`."""
        with self.lock:
            self.recorders -= Counter([recorder])
            if not self.recorders:
                del Node.__init__


def _tell_recorders(node: Node) -> None:
    for recorder in tuple(observers.recorders):
        recorder(node)


observers = Observers()
