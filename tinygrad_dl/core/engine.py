"""The backward pass through the graph (`graph.py`).

It works on bare arrays. With `recorded=True` the very same rules are called with tensors, and so
record a graph of their own: that is all there is to second and higher order. Everything here is
therefore written in NumPy functions, which our tensors understand as well as arrays do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import array_from, module_of
from tinygrad_dl.core.graph import (
    Edge,
    Gradient,
    Leaf,
    Node,
    Places,
    Step,
    Useful,
    freed,
    leading_to,
    leaves_when_due,
    materialize,
    observers,
    together,
    topological,
)
from tinygrad_dl.core.hooks import Hooks
from tinygrad_dl.core.mutations import mutations
from tinygrad_dl.core.promotion import FLOAT32, FLOAT64, holds_half, in_single

NARROW = 64  # elements of a row, up to which einsum adds the rows of each matrix of a stack faster than a reduction


def unbroadcast(g: Gradient, shape: tuple[int, ...]) -> Gradient:
    """The gradient of a broadcast from `shape`: sums over what was repeated."""
    extra = g.ndim - len(shape)
    axes = [*range(extra)]
    axes += [i + extra for i, size in enumerate(shape) if size == 1 and g.shape[i + extra] != 1]
    if axes == [1] and g.ndim == 3 and g.shape[2] < NARROW and type(g) is np.ndarray:
        return np.einsum("ijk->ik", g).reshape(shape)
    return np.reshape(np.add.reduce(g, axis=tuple(axes)), shape)


def match_input(g: Gradient, edge: Edge, node: Node) -> Gradient:
    """The gradient in its input's shape and dtype: broadcasting undone, never another precision."""
    if type(g) is not np.ndarray and not hasattr(g, "_edge"):
        g = np.asarray(g) if isinstance(g, np.generic) else array_from(g)
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
            g = array_from(g)
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
    step: Step | None = None,
) -> dict[Any, Gradient]:
    """Runs the chain rule backwards from the roots, each with the gradient that it starts from.

    Returns the gradients at the targets (at every leaf if None). Only paths to the targets are visited.
    A leaf with hooks of its accumulation is handed to `arrive`, with what was found, as soon as its gradient is whole.
    Each node is gone through by `step`, by default as `gradients` does it, or as who looks on wants it.

    Complex gradients are carried as their conjugates, so that a rule is "times the derivative" for real
    and complex numbers alike.
    """
    places = topological(roots)
    wanted: set[Edge] = set(targets or ())
    useful: Useful = None
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

    sums: set[Edge] = set()  # where gradients are added into an array of this pass, which nobody else has seen yet
    ndarray, pop, add, note = np.ndarray, grads.pop, np.add, sums.add
    step = step or observers.step or gradients
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
                if useful is None or useful.isdisjoint(place.edges):
                    if arrive is not None and hooks is not None and hooks.around and type(place) is Leaf:
                        g = gx = results = None  # from here on only `found` holds it
                        arrive(found, place)
                    elif arrive is not None and hooks is not None and hooks.around:
                        passed(hooks, place, g, recorded)
                    continue  # nobody asked for what lies behind it
            if place.plan is None:
                place.join(grads, g)
                continue
        if hooks is None:
            results = step(place, g, retain, recorded, useful)
        else:
            results = hooked(step, place, g, retain, recorded, useful)
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
            elif edge in sums or (not recorded and held_alone(grads, edge)):
                add(grads[edge], gx, grads[edge])
                note(edge)
            else:
                grads[edge] = together(grads[edge], gx)
    return found


def gradients(node: Node, g: Gradient, retain: bool, recorded: bool, useful: Useful = None) -> Sequence[Gradient]:
    """One step: from the gradient of a node's output, or the list of those of its outputs, to those of its inputs.

    Of inputs that are not `useful`, if that is given, there may be none.
    """
    plan, saved = node.plan, node.saved
    if useful is not None:
        plan = plan.toward(node.edges, useful)
    if plan.multiple and plan.materializes:
        module = module_of(*g)
        g = [materialize(*each, module) for each in zip(g, node.shape, node.dtype, strict=True)]
    if saved is None:
        raise freed(node)
    if node.seq < mutations.latest:
        mutations.check(node)
    dtype = node.dtype
    if dtype is not FLOAT32 and dtype is not FLOAT64 and plan.single and holds_half(dtype):
        g, saved = in_single(g), in_single(saved)
    try:
        results = plan.run(g, plan.reconnected(node, saved) if recorded else saved)
    except Exception as error:
        error.add_note(f"while computing the gradient of {node.title}")
        raise
    if plan.keeps_arrays and not retain:
        node.saved = None
    return results


def hooked(
    step: Step, node: Node, g: Gradient, retain: bool, recorded: bool, useful: Useful = None
) -> Sequence[Gradient]:
    """One step with the node's hooks before and after it."""
    hooks, several = node.hooks, node.plan.multiple
    if hooks is None or not hooks.around:
        return step(node, g, retain, recorded, useful)
    outputs = hooks.run_before([conjugate(each) for each in (g if several else [g])], recorded)
    g = [conjugate(each) for each in outputs]
    results = step(node, g if several else g[0], retain, recorded, useful)
    inputs = [
        None if edge is None or each is None else conjugate(match_input(each, edge, node))
        for each, edge in zip(results, node.edges, strict=False)
    ]
    return [conjugate(each) for each in hooks.run_after(inputs, outputs, recorded)]


def passed(hooks: Hooks, node: Node, g: Gradient, recorded: bool) -> None:
    """The hooks of a node at which a pass ends: they see the gradient of its output, and None for its inputs."""
    outputs = hooks.run_before([conjugate(g)], recorded)
    hooks.run_after([None] * len(node.edges), outputs, recorded)


def run_hooks(hooks: Hooks, grads: dict[Any, Gradient], place: Edge, places: list[Any]) -> None:
    """Leaves the gradient at a place as its hooks want it; what they are shown is held by nobody else."""
    if (not hooks.gradient and hooks.kept is None) or type(grads[place]) is list:
        return
    if not hasattr(grads[place], "_edge") and not held_alone(grads, place):
        grads[place] = grads[place].copy()
    grads[place] = conjugate(hooks.run_on_gradient(conjugate(grads[place]), places))


def conjugate(g: Gradient) -> Gradient:
    """Between a gradient as users see it and as rules do: of complex numbers the conjugate."""
    if g is None or g.dtype.kind != "c":
        return g
    turned = np.conjugate(g)
    return np.asarray(turned) if isinstance(turned, np.generic) else turned


_probe = {0: np.empty(0)}
ALONE = getrefcount(_probe[0])  # what is counted of an object to which a dict alone refers


def held_alone(holder: Any, key: Any) -> bool:
    """Whether nobody but this dict or list holds its array: only then may it be added into, or given away uncopied.

    This is the whole of the engine's ownership. A rule may return the array that it got, one that it keeps, one that
    was saved, or the same one twice, and a hook may keep what it saw: each of them refers to the array, and the
    interpreter counts references. A view shares memory without being counted, so it is never held alone.
    """
    return (
        getrefcount(holder[key]) <= ALONE
        and holder[key].base is None
        and (type(holder[key]) is not np.ndarray or holder[key].flags.writeable)
    )
