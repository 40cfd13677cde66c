"""From the recorded graph to boxes and arrows: what is drawn, before a word of how it is written.

Boxes are numbered in the order in which the program made them, each leaf right before its first use, so
that the same program gives the same picture in every run.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tinygrad_dl.core.graph import Edge, Leaf, Node, topological
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.viz.boxes import Artist, Box, Use
from tinygrad_dl.viz.heat import Heat
from tinygrad_dl.viz.names import Names, kind_of
from tinygrad_dl.viz.numbers import Numbers
from tinygrad_dl.viz.texts import human_bytes, plural

# A leaf that is used more often is drawn once for each use, lest its arrows tangle the picture.
MOST_SHARED = 4


class Arrow(NamedTuple):
    """From one box to another, by their numbers.

    It has no label: what one would say stands in the boxes, in an output cell of the tail and an input cell of the
    head, where no arrow crosses it. If there are no cells for these keys, it goes from box to box.
    """

    tail: int
    head: int
    leaves: int = 0  # the key of the output cell
    enters: int = 0  # the key of the input cell
    cut: bool = False  # it stands for boxes that are not drawn


class Picture(NamedTuple):
    """All boxes and arrows of a picture, and what they count in the whole graph."""

    boxes: list[Box]
    arrows: list[Arrow]
    operations: int
    parameters: int
    saved: int  # bytes; an array that two operations saved counts once
    left_out: int
    hints: tuple[str, ...] = ()  # lines that say what could be shown, but is not known

    @property
    def summary(self) -> str:
        """The counts in one line."""
        counts = f"{plural(self.operations, 'operation')} · {plural(self.parameters, 'parameter')}"
        return f"{counts} · {human_bytes(self.saved)} saved for backward"


def read(
    outputs: Sequence[Tensor],
    params: Any,
    max_nodes: int,
    show_shapes: bool,
    show_saved: bool,
    numbers: Numbers,
    heat: Heat | None,
) -> Picture:
    """The picture of all that led to the outputs; of the boxes nearest to them if there are too many."""
    names = Names(params)
    roots = [edge for edge in (output._edge for output in outputs) if edge is not None]
    nodes = [node for node in reversed(topological(roots)) if isinstance(node, Node)]
    items, uses = arrange(nodes, roots)
    kept = nearest(items, uses, len(roots), max_nodes)
    number = {item: i for i, item in enumerate(kept)}
    leaves = list({id(item): item for item in items if type(item) is Leaf}.values())
    draw = Artist(names, show_shapes, show_saved, roots, leaves, nodes, numbers)
    shown = [use for use in uses if use.head in number]
    into: dict[int, list[Use]] = defaultdict(list)
    for use in shown:
        into[use.head].append(use)
    boxes = [draw.box(items[item], into[item]) for item in kept]
    arrows = [
        Arrow(number[use.tail], number[use.head], use.edge.index, use.position) for use in shown if use.tail in number
    ]
    left_out = len(items) - len(kept)
    if left_out:
        cut = dict.fromkeys(number[use.head] for use in shown if use.tail not in number)
        arrows = [*(Arrow(len(boxes), head, cut=True) for head in cut), *arrows]
        lines = (f"{plural(left_out, 'more node')} not drawn", f"to see all: max_nodes={len(items)}")
        boxes.append(Box("note", lines, lines))
    if heat is not None:
        amounts = [None if type(items[item]) is tuple else heat.amount([items[item]]) for item in kept]
        boxes = heat.coloured(boxes, [*amounts, *[None] * (len(boxes) - len(amounts))])
    parameters = sum(kind_of(leaf, names) == "parameter" for leaf in leaves)
    return Picture(boxes, arrows, len(nodes), parameters, saved_bytes(nodes), left_out, numbers.hints)


def saved_bytes(nodes: Iterable[Node]) -> int:
    """The bytes of all arrays that nodes keep; one that two of them keep counts once."""
    return sum({id(array): array.nbytes for node in nodes for array in node.kept_arrays()}.values())


def arrange(nodes: Sequence[Node], roots: Sequence[Edge]) -> tuple[list[Any], list[Use]]:
    """All that could be drawn, oldest first: operations, leaves and at the end the roots' numbers.

    A leaf stands in the list more than once if it is drawn for each use.
    """
    fan_out = Counter(edge for node in nodes for edge in node.edges if type(edge) is Leaf)
    repeated = {leaf for leaf, count in fan_out.items() if count > MOST_SHARED}
    items: list[Any] = []
    uses: list[Use] = []
    place: dict[Edge, int] = {}

    def position_of(edge: Edge) -> int:
        origin = edge.node
        if origin in repeated or origin not in place:  # a leaf: an operation is older than its uses
            place[origin] = len(items)
            items.append(origin)
        return place[origin]

    for node in nodes:
        inputs = [(i, edge, position_of(edge)) for i, edge in enumerate(node.edges) if edge is not None]
        place[node] = len(items)
        uses += [Use(tail, len(items), edge, i) for i, edge, tail in inputs]
        items.append(node)
    for i, edge in enumerate(roots):
        tail = position_of(edge)
        uses.append(Use(tail, len(items), edge, 0))
        items.append((i, edge))
    return items, uses


def nearest(items: Sequence[Any], uses: Sequence[Use], outputs: int, limit: int) -> list[int]:
    """The numbers of the items to draw, ascending: those the fewest arrows away from an output."""
    if len(items) <= limit:
        return list(range(len(items)))
    inputs: list[list[int]] = [[] for _ in items]
    for use in uses:
        inputs[use.head].append(use.tail)
    drawn = [i for i, item in enumerate(items) if type(item) is tuple][:limit]
    seen = set(drawn)
    queue = deque(drawn)
    while queue and len(seen) < limit:
        for tail in inputs[queue.popleft()]:
            if tail not in seen and len(seen) < limit:
                seen.add(tail)
                queue.append(tail)
    return sorted(seen)
