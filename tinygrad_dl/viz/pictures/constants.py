"""Boxes for tensors without a gradient that operations read: inputs, targets, masks, and what was detached."""

from __future__ import annotations

import math
import weakref
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.core.graph import Edge, Node
from tinygrad_dl.core.mutations import buffer_owner
from tinygrad_dl.viz.known.arguments import constants, held
from tinygrad_dl.viz.known.recording import place_of
from tinygrad_dl.viz.known.subject import Source
from tinygrad_dl.viz.known.values import Values
from tinygrad_dl.viz.pictures.structure import Group
from tinygrad_dl.viz.pictures.view import Entry, Use, View


class Constant(NamedTuple):
    """A tensor without a gradient.

    Attributes:
        name: that of the argument for which it was given.
        value: what a recording noted of it, or else the array.
        array: the array, if its operation keeps it.
        detached: whether it shows the values of a place in the graph, and `origin` this place if it still lives.
    """

    name: str
    value: np.ndarray | Values
    array: np.ndarray | None
    detached: bool
    origin: Edge | None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    @property
    def dtype(self) -> Any:
        return self.value.dtype


def with_constants(view: View, sources: Sequence[Source]) -> View:
    """A view with entries for the constants of its operations and modules as well, each right before its first use.

    Single numbers have none: they stand in the operation's box. What the model was given has one already.
    """
    tensors = [source.tensor() for source in sources]
    given = {id(buffer_owner(tensor._data)) for tensor in tensors if tensor is not None}
    place = {node: i for i, entry in enumerate(view.entries) for node in entry.nodes}
    before: dict[int, list[Entry]] = defaultdict(list)
    made: dict[int, Entry] = {}  # by the id of the array
    links: list[tuple[Entry, int, int]] = []  # from a constant to the input of an entry
    made_inside = outputs_of(view)
    for i, entry in enumerate(view.entries):
        for position, constant in read_by(entry, made_inside, bool(sources)):
            array = constant.array
            if array is not None and id(buffer_owner(array)) in given:
                continue
            new = made.get(id(array)) if array is not None else None
            if new is None:
                new = Entry(constant, entry.frame)
                made[id(constant if array is None else array)] = new
                before[i].append(new)
            links.append((new, i, position))
    entries = [each for i, entry in enumerate(view.entries) for each in (*before[i], entry)]
    number = {entry: i for i, entry in enumerate(entries)}
    moved = [number[entry] for entry in view.entries]
    uses = [use._replace(tail=moved[use.tail], head=moved[use.head]) for use in view.uses]
    uses += [Use(number[tail], moved[head], None, position) for tail, head, position in links]
    for entry in made.values():
        origin = entry.thing.origin
        tail = None if origin is None else place.get(origin.node)
        if tail is not None and moved[tail] < number[entry]:
            uses.append(Use(moved[tail], number[entry], origin, 0))
    return View(entries, sorted(uses, key=lambda use: (use.head, use.position)), view.frames)


def outputs_of(view: View) -> set[int]:
    """The tensors without a gradient that modules returned, by their references: arrows show where they come from."""
    groups = (entry.thing for entry in view.entries if isinstance(entry.thing, Group))
    calls = (group.call for group in groups if group.call is not None)
    return {id(passed.tensor) for call in calls for passed in call.outputs if passed.edge is None}


def read_by(entry: Entry, made_inside: set[int], of_model: bool) -> Iterator[tuple[int, Constant]]:
    """The constants that an operation reads, or that a closed module was given, by their positions.

    What a loop begins with, where later turns have a state, is none of them. A tensor that was given to a module and
    is gone is known by its shape, among the constants of the module's operations; of a model, whose inputs are known,
    it is one that the model made for itself.
    """
    thing = entry.thing
    if isinstance(thing, Node):
        for position, constant in found(thing):
            if entry.next is None or entry.next.edges[position] is None:
                yield position, constant
    elif isinstance(thing, Group) and thing.call is not None:
        passed = [each for each in thing.call.inputs if each.edge is None and id(each.tensor) not in made_inside]
        alive = [tensor._data for each in passed if (tensor := each.tensor()) is not None]
        given = {id(buffer_owner(array)): array for array in alive}
        gone = {(tuple(each.shape), each.dtype) for each in passed if each.tensor() is None and not of_model}
        inside, turns = set(entry.nodes), entry.nodes[len(thing.nodes) :]
        for number, node in enumerate(thing.nodes):
            for position, constant in found(node):
                if number < len(turns) and turns[number].edges[position] is not None:
                    continue
                whole = None if constant.array is None else given.get(id(buffer_owner(constant.array)))
                outside = constant.origin is not None and constant.origin.node not in inside
                if outside or (constant.shape, constant.dtype) in gone:
                    yield -1, constant
                elif whole is not None:
                    yield -1, constant._replace(value=whole, array=whole)


def found(node: Node) -> list[tuple[int, Constant]]:
    """The constants that are known of an operation, but for single numbers, by their positions."""
    place = place_of(node)
    detached: dict[str, weakref.ref[Any]] = place.detached if place is not None else {}
    return [
        (i, Constant(name, value, held(node, name), name in detached, detached[name]() if name in detached else None))
        for i, (name, value) in constants(node).items()
        if math.prod(value.shape) != 1 or name in detached
    ]
