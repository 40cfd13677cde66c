"""The graph and the backward pass.

A `Node` is one recorded operation. It points to the nodes that made its inputs, never to its own
output, so there are no reference cycles and a graph is freed by reference counting alone. A `Leaf`
stands where the graph ends in a tensor that the user made.

The pass works on bare arrays. With `taped=True` the very same rules are called with tensors, and so
record a graph of their own: that is all there is to second and higher order. Everything here is
therefore written in NumPy functions, which our tensors understand as well as arrays do.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from sys import getrefcount
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from tinygrad_dl.core.dtypes import float32, float64, in_single

if TYPE_CHECKING:
    from tinygrad_dl.core.tensor import Tensor

Gradient: TypeAlias = Any  # an ndarray, or a Tensor when the pass is taped
Hook: TypeAlias = Callable[[Gradient], Gradient]

# Counts nodes and in-place changes alike, so that "made before the change" is one comparison.
next_seq = itertools.count(1).__next__


class Rules(Protocol):
    """What a node knows of its operation: how to turn the output's gradient into the inputs'."""

    name: str
    broadcasts: bool  # whether the engine is to sum gradients back to their inputs' shapes
    multiple: bool  # whether there are several outputs
    frees: bool  # whether arrays are saved, which go when they have been used
    materializes: bool  # whether, of several outputs, those that were not used have zeros as their gradients
    single: bool  # whether half precision is worked out in float32

    def run(self, g: Gradient, saved: Any) -> Sequence[Gradient]:
        """One gradient an edge, given the output's gradient and the saved values."""

    def taped(self, node: Node) -> Any:
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
    hooks: list[Hook] | None

    def name(self) -> str:
        """The operation's name in CamelCase."""
        return self.plan.name

    @property
    def next_functions(self) -> tuple[tuple[Edge, int], ...]:
        """PyTorch's way to walk the graph: (node, index of its output) for each input."""
        return tuple((edge.node, edge.index) for edge in self.edges if edge is not None)

    @property
    def node(self) -> Node:
        return self

    index = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that this node keeps for its backward rules."""
        return sum(a.nbytes for a in saved_arrays(self.saved))

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class Output:
    """One output of a node that has several: collects its gradient and hands it to the node."""

    __slots__ = ("__weakref__", "dtype", "edges", "hooks", "index", "node", "seq", "shape")

    plan = None
    saved = ()

    def __init__(self, node: Node, index: int, shape: tuple[int, ...], dtype: np.dtype[Any]):
        self.node, self.index, self.shape, self.dtype = node, index, shape, dtype
        self.edges = (node,)
        self.seq = next_seq()
        self.hooks: list[Hook] | None = None

    next_functions = property(lambda self: self.node.next_functions)
    nbytes = 0
    __repr__ = Node.__repr__

    def name(self) -> str:
        """The name of the node's operation."""
        return self.node.name()


class Leaf:
    """The end of the graph in a tensor of the user's; refers to the tensor weakly."""

    __slots__ = ("__weakref__", "dtype", "hooks", "shape", "tensor")

    edges: tuple[()] = ()
    next_functions: tuple[()] = ()
    saved = ()
    index = seq = nbytes = 0

    def __init__(self, tensor: Tensor):
        self.tensor = weakref.ref(tensor)
        self.shape, self.dtype = tensor.shape, tensor.dtype
        self.hooks: list[Hook] | None = None

    @property
    def node(self) -> Leaf:
        return self

    @property
    def variable(self) -> Tensor | None:
        """The leaf tensor, or None once it is gone."""
        return self.tensor()

    def name(self) -> str:
        """What PyTorch calls the end of the graph."""
        return "AccumulateGrad"

    def __repr__(self) -> str:
        return "<AccumulateGrad>"


Edge: TypeAlias = Node | Output | Leaf


def saved_arrays(saved: Any) -> Iterable[np.ndarray]:
    """The arrays among a node's saved values, those inside lists and tuples too, and of tensors given as options."""
    for value in saved or ():
        if isinstance(value, np.ndarray):
            yield value
        elif hasattr(value, "_data"):
            yield value._data
        elif type(value) in (tuple, list):
            yield from saved_arrays(value)


def topological(roots: Iterable[Edge]) -> tuple[list[Any], list[Leaf]]:
    """All that the roots reach, without recursion: the nodes, newest first, and the leaves.

    An input is always older than the operation that read it, so sorting by sequence number is a
    topological sort.
    """
    stack = list(dict.fromkeys(roots))
    seen = set(stack)
    nodes, leaves = [], []
    while stack:
        edge = stack.pop()
        if type(edge) is Leaf:
            leaves.append(edge)
            continue
        nodes.append(edge)
        for parent in edge.edges:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    nodes.sort(key=attrgetter("seq"), reverse=True)
    return nodes, leaves


def leading_to(nodes: list[Any], targets: set[Edge]) -> set[Edge]:
    """Those of the nodes (newest first) from which a target can be reached, or might be, and the targets."""
    useful = set(targets)
    for node in reversed(nodes):
        # What a stale view came from is not known: the pass reaches it, and says so.
        if type(node.plan) is Stale or any(edge in useful for edge in node.edges):
            useful.add(node)
    return useful


def unbroadcast(g: Gradient, shape: tuple[int, ...]) -> Gradient:
    """The gradient of a broadcast from `shape`: sums over what was repeated."""
    extra = g.ndim - len(shape)
    axes = [*range(extra)]
    axes += [i + extra for i, size in enumerate(shape) if size == 1 and g.shape[i + extra] != 1]
    return np.reshape(np.add.reduce(g, axis=tuple(axes)), shape)


def conform(g: Gradient, edge: Edge, node: Node) -> Gradient:
    """The gradient in its input's shape and dtype: broadcasting undone, never another precision."""
    if type(g) is not np.ndarray and not hasattr(g, "_edge"):
        g = np.asarray(g)
    if g.shape != edge.shape:
        if not node.plan.broadcasts:
            argument = node.plan.argument(node.edges.index(edge))
            raise RuntimeError(
                f"backward: got a gradient of shape {g.shape} from the rule of {node.name()} for {argument!r}, "
                f"expected the input's shape {edge.shape}; mend the rule, or declare the op with "
                "inputs=broadcasting(...) if it broadcasts"
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
    taped: bool = False,
) -> dict[Edge, Gradient]:
    """Runs the chain rule backwards from the roots, each with the gradient that it starts from.

    Returns the gradients at the targets (at every leaf if None). Only paths to the targets are visited.

    Complex gradients are carried as their conjugates, so that a rule is "times the derivative" for real
    and complex numbers alike.
    """
    nodes, leaves = topological(roots)
    wanted: set[Edge] = set(leaves if targets is None else targets)
    useful: set[Edge] | None = None
    if targets is not None:
        useful = leading_to(nodes, wanted)
        nodes = [node for node in nodes if node in useful]
    grads: dict[Edge, Gradient] = {}
    found: dict[Edge, Gradient] = {}
    for root, seed in zip(roots, seeds, strict=True):
        g = conjugate(seed)
        grads[root] = together(grads[root], g) if root in grads else g

    ndarray, pop, changed = np.ndarray, grads.pop, mutations.latest
    usual, double = float32, float64
    for node in nodes:
        if node.hooks is not None and node in grads:
            run_hooks(node.hooks, grads, node)
            changed = mutations.latest  # hooks are the user's code, and may change something
        g = pop(node, None)
        if g is None:
            continue
        if useful is not None and node in wanted:
            found[node] = conjugate(g)
            if not any(edge in useful for edge in node.edges):
                continue  # nobody asked for what lies behind it
        plan, saved = node.plan, node.saved
        if plan is None:  # an Output: its gradient takes its place among those of the whole node
            slots = grads.setdefault(node.node, [None] * len(node.node.shape))
            slots[node.index] = g if slots[node.index] is None else together(slots[node.index], g)
            continue
        if plan.multiple and plan.materializes:
            g = [materialize(*each) for each in zip(g, node.shape, node.dtype, strict=True)]
        if saved is None:
            raise freed(node)
        if node.seq < changed:
            mutations.check(node)
        dtype = node.dtype
        if dtype is not usual and dtype is not double and plan.single:
            g, saved = in_single(g), in_single(saved)
        try:
            results = plan.run(g, plan.taped(node) if taped else saved)
        except Exception as error:
            error.add_note(f"while computing the gradient of {node.name()}")
            raise
        position = -1
        for edge in node.edges:  # counted by hand: zip(strict=True) would cost more than all checks here
            position += 1
            gx = results[position]
            if edge is None or gx is None or (useful is not None and edge not in useful):
                continue
            if gx.shape != edge.shape or gx.dtype is not edge.dtype or type(gx) is not ndarray:
                gx = conform(gx, edge, node)
            if edge not in grads:
                grads[edge] = gx
            elif not taped and held_alone(grads, edge):
                np.add(grads[edge], gx, out=grads[edge])
            else:
                grads[edge] = together(grads[edge], gx)
        if plan.frees and not retain:
            node.saved = None

    for leaf in leaves:
        if leaf in grads and leaf in wanted:
            if leaf.hooks is not None:
                run_hooks(leaf.hooks, grads, leaf)
            found[leaf] = conjugate(grads.pop(leaf))
    return found


def freed(node: Node) -> RuntimeError:
    """The error of a second pass through a graph whose saved values are gone."""
    return RuntimeError(
        f"backward: got a graph for a second time, whose saved values the first pass has freed (at {node.name()}), "
        f"expected one that was not gone through; call the first backward (or grad) with retain_graph=True to go "
        f"through it again, or run the forward computation again"
    )


def run_hooks(hooks: list[Hook], grads: dict[Edge, Gradient], edge: Edge) -> None:
    """Leaves the gradient at an edge as the hooks want it; what they are shown is held by nobody else."""
    if type(grads[edge]) is np.ndarray and not held_alone(grads, edge):
        grads[edge] = grads[edge].copy()
    g = conjugate(grads[edge])
    for hook in tuple(hooks):
        g = hook(g)
    grads[edge] = conjugate(g)


def conjugate(g: Gradient) -> Gradient:
    """Between a gradient as users see it and as rules do: of complex numbers the conjugate."""
    if g.dtype.kind != "c":
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


class Mutations:
    """Which buffers were changed in place, and when: backward refuses values that are no longer there.

    Costs nothing on the way forward. A backward pass consults it only if something was changed after
    the node was recorded.
    """

    def __init__(self) -> None:
        self.latest = 0
        self.log: dict[int, tuple[int, str, Any]] = {}

    def record(self, array: np.ndarray, what: str) -> None:
        """Notes that `array` was just changed; `what` says by which operation, and where."""
        owner = buffer_owner(array)
        key = id(owner)
        before = self.log.get(key)
        watch = before[2] if before else weakref.ref(owner, self._forget(key))
        self.latest = next_seq()
        self.log[key] = (self.latest, what, watch)

    def watch(self, owners: Sequence[np.ndarray]) -> dict[int, weakref.ref[np.ndarray]]:
        """Prepares `record_all` for arrays that own their memory and will be changed together, often."""
        return {id(array): weakref.ref(array, self._forget(id(array))) for array in owners}

    def _forget(self, key: int) -> Callable[[Any], None]:
        """What takes a buffer's entry away when the buffer goes, before its id can be used again."""
        log = self.log

        def forget(_: Any) -> None:
            log.pop(key, None)

        return forget

    def record_all(self, watched: dict[int, weakref.ref[np.ndarray]], what: str) -> None:
        """Notes that all the watched arrays were just changed: `record` for many, in one go."""
        self.latest = next_seq()
        self.log.update(dict.fromkeys(watched, (self.latest, what, watched)))

    def check(self, node: Node) -> None:
        """Raises if a value that the node saved was changed after the node was recorded."""
        for array in saved_arrays(node.saved):
            entry = self.log.get(id(buffer_owner(array)))
            if entry is not None and entry[0] > node.seq:
                raise RuntimeError(
                    f"backward: got a value of shape {array.shape} that was changed in place afterwards, by "
                    f"{entry[1]}, expected it as it was, for the gradient of {node.name()}; use an operation that "
                    "makes a new tensor there, or clone() the value before it is changed"
                )


def buffer_owner(array: np.ndarray) -> np.ndarray:
    """The array whose memory this one shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


mutations = Mutations()


class Stale:
    """Rules of a view whose base was changed in place by a recorded operation: using it is an error."""

    name = "Stale"
    broadcasts = multiple = frees = single = False
    materializes = True

    def __init__(self, what: str):
        self.what = what

    def run(self, g: Gradient, saved: Any) -> Sequence[Gradient]:
        raise RuntimeError(
            f"backward: got a view whose base was changed in place afterwards, by {self.what}, expected it unchanged; "
            "take the view again after the change"
        )

    def taped(self, node: Node) -> Any:
        return ()

    def argument(self, position: int) -> str:
        return "base"
