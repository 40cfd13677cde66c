"""The graph and the backward pass.

A `Node` is one recorded operation. It points to the nodes that made its inputs, never to its own
output, so there are no reference cycles and a graph is freed by reference counting alone. A `Leaf`
stands where the graph ends in a tensor that the user made.

The pass works on bare arrays. With `recorded=True` the very same rules are called with tensors, and so
record a graph of their own: that is all there is to second and higher order. Everything here is
therefore written in NumPy functions, which our tensors understand as well as arrays do.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from sys import getrefcount
from typing import Any, Protocol, TypeAlias

import numpy as np

from tinygrad_dl.core.dtypes import float32, float64, in_single
from tinygrad_dl.core.hooks import Hooks, RemovableHandle

Gradient: TypeAlias = Any  # an ndarray, or a Tensor when the pass is recorded

# Counts nodes and in-place changes alike, so that "made before the change" is one comparison.
next_seq = itertools.count(1).__next__


class Rules(Protocol):
    """What a node knows of its operation: how to turn the output's gradient into the inputs'."""

    name: str
    broadcasts: bool  # whether the engine is to sum gradients back to their inputs' shapes
    multiple: bool  # whether there are several outputs
    keeps_arrays: bool  # whether arrays are saved, which go when they have been used
    materializes: bool  # whether, of several outputs, those that were not used have zeros as their gradients
    single: bool  # whether half precision is worked out in float32
    suffix: str  # what PyTorch's name of the node has after the operation's

    def run(self, g: Gradient, saved: Any) -> Sequence[Gradient]:
        """One gradient an edge, given the output's gradient and the saved values."""

    def reconnected(self, node: Node, saved: Any) -> Any:
        """The saved values as tensors that are connected to the graph again."""

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

    def __getattr__(self, name: str) -> Any:
        """`_saved_<name>`, what it keeps for its rules; of a Function's node what its ctx has."""
        return observers.attribute(self, name)

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

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that this node keeps for its backward rules."""
        return sum(a.nbytes for a in self.kept_arrays())

    @property
    def next_functions(self: Any) -> tuple[tuple[Any, int], ...]:
        """For each input the node that made it and which of its outputs it was; (None, 0) if it has no gradient."""
        return tuple((None, 0) if edge is None else (edge.node, edge.index) for edge in self.edges)

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
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...


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
        self.shape, self.dtype = tensor.shape, tensor.dtype
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


Edge: TypeAlias = Node | Output | Leaf

metadata: weakref.WeakKeyDictionary[Edge, dict[str, Any]] = weakref.WeakKeyDictionary()  # of the few that have any


def saved_arrays(saved: Any) -> Iterable[np.ndarray]:
    """The arrays among a node's saved values, those inside lists and tuples too, and of tensors given as options."""
    for value in saved or ():
        if isinstance(value, np.ndarray):
            yield value
        elif hasattr(value, "_data"):
            yield value._data
        elif type(value) in (tuple, list):
            yield from saved_arrays(value)


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
        if any(edge in useful for edge in place.edges):
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


def unbroadcast(g: Gradient, shape: tuple[int, ...]) -> Gradient:
    """The gradient of a broadcast from `shape`: sums over what was repeated."""
    extra = g.ndim - len(shape)
    axes = [*range(extra)]
    axes += [i + extra for i, size in enumerate(shape) if size == 1 and g.shape[i + extra] != 1]
    return np.reshape(np.add.reduce(g, axis=tuple(axes)), shape)


def match_input(g: Gradient, edge: Edge, node: Node) -> Gradient:
    """The gradient in its input's shape and dtype: broadcasting undone, never another precision."""
    if type(g) is not np.ndarray and not hasattr(g, "_edge"):
        g = np.asarray(g)
    if g.shape != edge.shape:
        if not node.plan.broadcasts:
            argument = node.plan.argument(node.edges.index(edge))
            raise RuntimeError(
                f"backward: got a gradient of shape {g.shape} from the rule of {node.title} for {argument!r}, "
                f"expected the input's shape {edge.shape}; mend the rule, or declare the op with "
                'kind="elementwise" if it broadcasts'
            )
        g = unbroadcast(g, edge.shape)
        if type(g) is not np.ndarray and not hasattr(g, "_edge"):
            g = np.asarray(g)
    if g.dtype is not edge.dtype and g.dtype != edge.dtype:
        if g.dtype.kind == "c" and edge.dtype.kind != "c":
            g = np.real(g)
        g = g.astype(edge.dtype)
    return g


def propagate(
    roots: Sequence[Edge],
    seeds: Sequence[Gradient],
    targets: Iterable[Edge] | None = None,
    retain: bool = False,
    recorded: bool = False,
    arrive: Callable[[dict[Any, Gradient], Leaf], None] | None = None,
) -> dict[Any, Gradient]:
    """Runs the chain rule backwards from the roots, each with the gradient that it starts from.

    Returns the gradients at the targets (at every leaf if None). Only paths to the targets are visited.
    A leaf with hooks of its accumulation is handed to `arrive`, with what was found, as soon as its gradient is whole.

    Complex gradients are carried as their conjugates, so that a rule is "times the derivative" for real
    and complex numbers alike.
    """
    places = topological(roots)
    wanted: set[Edge] = set(targets or ())
    useful: set[Edge] | None = None
    if targets is not None:
        useful = leading_to(places, wanted)
        places = Places(place for place in places if place in useful)
    places.targeted = useful is not None
    places = leaves_when_due(places)
    grads: dict[Edge, Gradient] = {}
    found: dict[Edge, Gradient] = {}
    for root, seed in zip(roots, seeds, strict=True):
        g = conjugate(seed)
        grads[root] = together(grads[root], g) if root in grads else g

    ndarray, pop, step = np.ndarray, grads.pop, observers.step
    for place in places:
        hooks = place.hooks
        if hooks is not None and place in grads:
            run_hooks(hooks, grads, place, places)
        g = pop(place, None)
        if g is None:
            continue
        if place.plan is None or useful is not None:  # not just an operation on the way to all leaves
            if type(place) is Leaf or place in wanted:
                found[place] = conjugate(g)
                if useful is None or not any(edge in useful for edge in place.edges):
                    if arrive is not None and hooks is not None and hooks.around and type(place) is Leaf:
                        g = gx = results = None  # from here on only `found` holds it
                        arrive(found, place)
                    continue  # nobody asked for what lies behind it
            if place.plan is None:
                place.join(grads, g)
                continue
        results = step(place, g, retain, recorded) if hooks is None else hooked(step, place, g, retain, recorded)
        position = -1
        for edge in place.edges:  # counted by hand: zip(strict=True) would cost more than all checks here
            position += 1
            gx = results[position]
            if edge is None or gx is None or (useful is not None and edge not in useful):
                continue
            if gx.shape != edge.shape or gx.dtype is not edge.dtype or type(gx) is not ndarray:
                gx = match_input(gx, edge, place)
            if edge not in grads:
                grads[edge] = gx
            elif not recorded and held_alone(grads, edge):
                np.add(grads[edge], gx, out=grads[edge])
            else:
                grads[edge] = together(grads[edge], gx)
    return found


def gradients(node: Node, g: Gradient, retain: bool, recorded: bool) -> Sequence[Gradient]:
    """One step: from the gradient of a node's output, or the list of those of its outputs, to those of its inputs."""
    plan, saved = node.plan, node.saved
    if plan.multiple and plan.materializes:
        g = [materialize(*each) for each in zip(g, node.shape, node.dtype, strict=True)]
    if saved is None:
        raise freed(node)
    if node.seq < mutations.latest:
        mutations.check(node)
    dtype = node.dtype
    if dtype is not float32 and dtype is not float64 and plan.single:
        g, saved = in_single(g), in_single(saved)
    try:
        results = plan.run(g, plan.reconnected(node, saved) if recorded else saved)
    except Exception as error:
        error.add_note(f"while computing the gradient of {node.title}")
        raise
    if plan.keeps_arrays and not retain:
        node.saved = None
    return results


def hooked(step: Step, node: Node, g: Gradient, retain: bool, recorded: bool) -> Sequence[Gradient]:
    """One step with the node's hooks before and after it."""
    hooks, several = node.hooks, node.plan.multiple
    if hooks is None or not hooks.around:
        return step(node, g, retain, recorded)
    outputs = hooks.run_before([conjugate(each) for each in (g if several else [g])], recorded)
    g = [conjugate(each) for each in outputs]
    results = step(node, g if several else g[0], retain, recorded)
    inputs = [
        None if edge is None or each is None else conjugate(match_input(each, edge, node))
        for each, edge in zip(results, node.edges, strict=False)
    ]
    return [conjugate(each) for each in hooks.run_after(inputs, outputs, recorded)]


Step: TypeAlias = Callable[[Any, Gradient, bool, bool], Sequence[Gradient]]


class Observers:
    """Who looks on while operations are recorded and gone through: nobody, usually, and then it costs nothing."""

    def __init__(self) -> None:
        self.step: Step = gradients  # what a pass does with each node
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


def freed(node: Node) -> RuntimeError:
    """The error of a second pass through a graph whose saved values are gone."""
    return RuntimeError(
        f"backward: got a graph for a second time, whose saved values the first pass has freed (at {node.title}), "
        f"expected one that was not gone through; call the first backward (or grad) with retain_graph=True to go "
        f"through it again, or run the forward computation again"
    )


def run_hooks(hooks: Hooks, grads: dict[Any, Gradient], place: Edge, places: list[Any]) -> None:
    """Leaves the gradient at a place as its hooks want it; what they are shown is held by nobody else."""
    if (not hooks.gradient and hooks.kept is None) or type(grads[place]) is list:
        return
    if type(grads[place]) is np.ndarray and not held_alone(grads, place):
        grads[place] = grads[place].copy()
    grads[place] = conjugate(hooks.run_on_gradient(conjugate(grads[place]), places))


def conjugate(g: Gradient) -> Gradient:
    """Between a gradient as users see it and as rules do: of complex numbers the conjugate."""
    if g is None or g.dtype.kind != "c":
        return g
    turned = np.conjugate(g)
    return np.asarray(turned) if isinstance(turned, np.generic) else turned


def together(a: Gradient, b: Gradient) -> Gradient:
    """Their sum, made anew: of arrays an array, for 0-d ones too, of which NumPy makes a number."""
    total = a + b
    return np.asarray(total) if isinstance(total, np.generic) else total


def materialize(g: Gradient | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Gradient:
    """An output that was never used has a gradient of zeros; an integer one has none."""
    return np.zeros(shape, dtype) if g is None and dtype.kind in "fcV" else g


_probe = {0: np.empty(0)}
ALONE = getrefcount(_probe[0])  # what is counted of an object to which a dict alone refers


def held_alone(holder: dict[Any, Any], key: Any) -> bool:
    """Whether nobody but this dict holds its array: only then may it be added into, or given away uncopied.

    This is the whole of the engine's ownership. A rule may return the array that it got, one that it keeps, one that
    was saved, or the same one twice, and a hook may keep what it saw: each of them refers to the array, and the
    interpreter counts references. A view shares memory without being counted, so it is never held alone.
    """
    return getrefcount(holder[key]) <= ALONE and holder[key].base is None and holder[key].flags.writeable


class Group(dict[int, "weakref.ref[np.ndarray]"]):
    """Arrays that are changed together, by their ids, and how often they were."""

    __slots__ = ("__weakref__", "times")

    def __init__(self, arrays: dict[int, weakref.ref[np.ndarray]]) -> None:
        super().__init__(arrays)
        self.times = 0


class Mutations:
    """Which buffers were changed in place, and when: backward refuses values that are no longer there.

    Costs nothing on the way forward. A backward pass consults it only if something was changed after
    the node was recorded.
    """

    def __init__(self) -> None:
        self.latest = 0
        self.log: dict[int, tuple[int, str, Any]] = {}
        self.counts: dict[int, int] = {}  # how often each was changed by itself
        self.groups: weakref.WeakValueDictionary[int, Group] = weakref.WeakValueDictionary()

    def record(self, array: np.ndarray, what: str) -> None:
        """Notes that `array` was just changed; `what` says by which operation, and where."""
        owner = buffer_owner(array)
        key = id(owner)
        before = self.log.get(key)
        watch = before[2] if before else weakref.ref(owner, self._forget(key))
        self.latest = next_seq()
        self.log[key] = (self.latest, what, watch)
        self.counts[key] = self.counts.get(key, 0) + 1

    def version(self, array: np.ndarray) -> int:
        """How often the memory of an array was changed."""
        owner = buffer_owner(array)
        key = id(owner)
        together = sum(group.times for group in self.groups.values() if key in group and group[key]() is owner)
        return self.counts.get(key, 0) + together

    def watch(self, owners: Sequence[np.ndarray]) -> Group:
        """Prepares `record_all` for arrays that own their memory and will be changed together, often."""
        group = Group({id(array): weakref.ref(array, self._forget(id(array))) for array in owners})
        self.groups[id(group)] = group
        return group

    def _forget(self, key: int) -> Callable[[Any], None]:
        """What takes a buffer's entry away when the buffer goes, before its id can be used again."""
        log, counts = self.log, self.counts

        def forget(_: Any) -> None:
            log.pop(key, None)
            counts.pop(key, None)

        return forget

    def record_all(self, group: Group, what: str) -> None:
        """Notes that all arrays of a group were just changed: `record` for many, in one go."""
        self.latest = next_seq()
        group.times += 1
        self.log.update(dict.fromkeys(group, (self.latest, what, group)))

    def check(self, node: Node) -> None:
        """Raises if a value that the node saved was changed after the node was recorded."""
        for array in node.kept_arrays():
            entry = self.log.get(id(buffer_owner(array)))
            if entry is not None and entry[0] > node.seq:
                raise RuntimeError(
                    f"backward: got a value of shape {array.shape} that was changed in place afterwards, by "
                    f"{entry[1]}, expected it as it was, for the gradient of {node.title}; use an operation that "
                    "makes a new tensor there, or clone() the value before it is changed"
                )


def buffer_owner(array: np.ndarray) -> np.ndarray:
    """The array whose memory this one shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


mutations = Mutations()


class Refusing:
    """Rules of a tensor that must not be differentiated: a backward pass that reaches it raises."""

    broadcasts = multiple = keeps_arrays = single = False
    materializes = True
    suffix = ""

    def __init__(self, name: str, message: str):
        self.name, self.message = name, message

    def run(self, g: Gradient, saved: Any) -> Sequence[Gradient]:
        raise RuntimeError(self.message)

    def reconnected(self, node: Node, saved: Any) -> Any:
        return ()

    def argument(self, position: int) -> str:
        return f"input {position}"


def refusing(tensor: Variable, edges: Sequence[Edge | None], name: str, message: str) -> Node:
    """A place in the graph for a tensor, from which a backward pass raises instead of going on to `edges`."""
    node = Node()
    node.plan, node.edges, node.saved, node.hooks = Refusing(name, message), tuple(edges), (), None
    node.seq, node.shape, node.dtype = next_seq(), tensor.shape, tensor.dtype
    return node
