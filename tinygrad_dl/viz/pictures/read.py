"""From the recorded graph to boxes and arrows: what is drawn, before a word of how it is written."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tinygrad_dl.core.graph import Edge, Leaf, Node
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.func.trees import flatten
from tinygrad_dl.nn.parameter import Parameter
from tinygrad_dl.viz.known.kept import kept_bytes
from tinygrad_dl.viz.known.names import kind_of
from tinygrad_dl.viz.known.naming import names_for
from tinygrad_dl.viz.known.numbers import Numbers, key
from tinygrad_dl.viz.known.recording import Run
from tinygrad_dl.viz.known.subject import Source
from tinygrad_dl.viz.pictures.boxes import Artist, Box
from tinygrad_dl.viz.pictures.choice import choose
from tinygrad_dl.viz.pictures.constants import Constant, with_constants
from tinygrad_dl.viz.pictures.heat import Heat
from tinygrad_dl.viz.pictures.modules import Labels
from tinygrad_dl.viz.pictures.structure import Group, tree
from tinygrad_dl.viz.pictures.view import Entry, Joint, Use, View
from tinygrad_dl.viz.texts import human_bytes, plural, times

NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[-+]?\d+)?)")


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
    back: bool = False  # it is the state that a loop hands from step to step
    hidden: bool = False  # it only puts one box below another


class Border(NamedTuple):
    """A frame around boxes: the number of the frame in which it lies, or -1; its title; what the pointer shows."""

    parent: int
    lines: tuple[str, ...]
    details: tuple[str, ...]
    repeated: bool


class Picture(NamedTuple):
    """All boxes and arrows of a picture, and what they count in the whole graph."""

    boxes: list[Box]
    arrows: list[Arrow]
    frames: list[Border]
    inside: list[int]  # of each box the number of its frame, or -1
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


class Shown(NamedTuple):
    """How much a picture shows: the options of `graph`."""

    depth: int | None = None
    expand: tuple[str, ...] = ()
    roll: bool | None = None
    max_nodes: int = 500
    shapes: bool = True
    saved: bool = True
    constants: bool = True
    sideways: bool = False  # whether arrows run to the left or right


def read(run: Run, params: Any, sources: Sequence[Source], show: Shown, numbers: Numbers, heat: Heat | None) -> Picture:
    """The picture of a computation; of the boxes nearest to the outputs if there are too many."""
    names = names_for(run.nodes, params, {})
    roots = edges_of(run.output)
    whole = tree(run.nodes, run.calls)
    view, fitting = choose(
        whole,
        roots,
        sources,
        show.depth,
        show.expand,
        show.roll,
        show.sideways,
        numbers=bool(numbers.wanted),
        heated=heat is not None,
    )
    if show.constants:
        view = with_constants(view, sources)
    kept = nearest(view, show.max_nodes)
    number = {item: i for i, item in enumerate(kept)}
    leaves = list({id(entry.thing): entry.thing for entry in view.entries if type(entry.thing) is Leaf}.values())
    draw = Artist(names, show.shapes, show.saved, roots, leaves, run.nodes, numbers, keys_of(run.output))
    uses = [use for use in view.uses if use.head in number]
    into: dict[int, list[Use]] = defaultdict(list)
    for use in uses:
        into[use.head].append(use)
    labels = Labels(view, show.shapes)
    boxes = [box_of(view.entries[item], labels, draw, into[item]) for item in kept]
    arrows = [
        Arrow(
            number[use.tail], number[use.head], 0 if use.edge is None else use.edge.index, use.position, back=use.back
        )
        for use in uses
        if use.tail in number
    ]
    inside = [view.entries[item].frame for item in kept]
    left_out = len(view.entries) - len(kept)
    if left_out:
        cut = dict.fromkeys(number[use.head] for use in uses if use.tail not in number)
        arrows = [*(Arrow(len(boxes), head, cut=True) for head in cut), *arrows]
        lines = (f"{plural(left_out, 'more node')} not drawn", f"to see all: max_nodes={len(view.entries)}")
        boxes.append(Box("note", lines, lines))
        inside.append(-1)
    if heat is not None:
        amounts = [heat.amount(amounting(view.entries[item])) for item in kept]
        boxes = heat.coloured(boxes, [*amounts, *[None] * (len(boxes) - len(amounts))])
        inside += [-1] * (len(boxes) - len(inside))
    frames = [Border(frame.parent, *labels.title(frame), frame.repeat is not None) for frame in view.frames]
    parameters = {edge for node in run.nodes for edge in node.edges if type(edge) is Leaf} | {*leaves}
    count = sum(kind_of(leaf, names) == "parameter" for leaf in parameters)
    hints = numbers.hints
    if not fitting and not run.calls and any(isinstance(leaf.variable, Parameter) for leaf in leaves):
        hints += ("modules become boxes in viz.graph(model, *inputs), and of what is computed inside viz.recording()",)
    given = {each.edge.node for each in sources if each.edge is not None}  # copies, which are no work of the model
    operations = sum(node not in given for node in run.nodes)
    return Picture(boxes, arrows, frames, inside, operations, count, kept_bytes(run.nodes), left_out, hints)


def edges_of(output: Any) -> list[Edge]:
    """The places of the tensors in an output."""
    found = (leaf._edge for leaf in flatten(output)[0] if isinstance(leaf, Tensor))
    return [edge for edge in found if edge is not None]


def keys_of(output: Any) -> dict[Edge, str]:
    """The names that a dict has for its tensors; of an output that is none there are none."""
    found: dict[Edge, str] = {}
    for name, value in output.items() if isinstance(output, Mapping) else ():
        edges = edges_of(value)
        for i, edge in enumerate(edges):
            found.setdefault(edge, f"{name}[{i}]" if len(edges) > 1 else str(name))
    return found


def box_of(entry: Entry, labels: Labels, draw: Artist, into: Sequence[Use]) -> Box:
    """The box of an entry, into which the given uses lead."""
    thing = entry.thing
    if isinstance(thing, Group):
        box = labels.box(entry)
        facts = draw.facts(thing.nodes[0]) if len(thing.nodes) == 1 else ()
        columns = () if labels.repeated(entry) else results(thing, draw.numbers)
        return box._replace(notes=(*facts, *box.notes), columns=columns)
    if isinstance(thing, Joint):
        return Box("joint", ("",), ("",))
    if isinstance(thing, Source):
        box = draw.tensor("input", thing.name, thing)
        return box if thing.edge is None else box._replace(columns=draw.numbers.columns(key(thing.edge)))
    if isinstance(thing, Constant):
        return draw.constant(thing)
    box = draw.box(thing, into)
    if type(thing) is Leaf:
        if entry.last is not None and draw.names.find(entry.last) is not None:
            box = box._replace(lines=(ranging(box.lines[0], draw.box(entry.last, into).lines[0]), *box.lines[1:]))
        outer = labels.around(entry.frame)
        box = box._replace(lines=(box.lines[0].removeprefix(f"{outer}.") if outer else box.lines[0], *box.lines[1:]))
        if entry.again:
            return box._replace(kind="again", lines=box.lines[:1], notes=("the same tensor",))
        if entry.uses > entry.arrows:
            return box._replace(notes=(*box.notes, f"used {entry.uses} times"))
    if entry.next is not None:
        box = box._replace(lines=moving(box.lines, draw.box(entry.next, into).lines), columns=())
    if entry.repeat is not None and isinstance(thing, Node):
        return box._replace(lines=(times(box.lines[0], len(entry.repeat.turns)), *box.lines[1:]))
    return box


def ranging(first: str, last: str) -> str:
    """The names of a parameter in the first and the last of layers that are alike, as one.

    >>> ranging("blocks.0.norm.weight", "blocks.11.norm.weight")
    'blocks.0…11.norm.weight'
    """
    parts = list(zip(first.split("."), last.split("."), strict=False))
    if len(parts) != first.count(".") + 1 or len(parts) != last.count(".") + 1:
        return f"{first} … {last}"
    return ".".join(a if a == b else f"{a}…{b}" for a, b in parts)


def results(group: Group, numbers: Numbers) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The numbers of what a module returned, if it is one tensor of the graph."""
    edges = [each.edge() for each in group.outputs if each.edge is not None]
    return numbers.columns(key(edges[0])) if len(edges) == 1 and edges[0] is not None else ()


def amounting(entry: Entry) -> list[Any]:
    """The operations, or the leaf, that a box stands for."""
    return [entry.thing] if type(entry.thing) is Leaf else entry.nodes


def moving(lines: Sequence[str], later: Sequence[str]) -> tuple[str, ...]:
    """Lines of a box in a part that repeats, without the numbers that differ: "t" for the number of the turn.

    >>> moving(["Getitem", "(:, 0)", "(2, 8)"], ["Getitem", "(:, 1)", "(2, 8)"])
    ('Getitem', '(:, t)', '(2, 8)')
    >>> moving(["Getitem", "(0:1, 2)"], ["Getitem", "(1:2, 2)"])
    ('Getitem', '(t:t+1, 2)')
    >>> moving(["Mul", "x * 0.5"], ["Mul", "x * 0.25"])
    ('Mul', 'x * …')
    """

    def number(old: str, new: str) -> str:
        if old == new:
            return old
        if not (old.isdigit() and new.isdigit() and int(new) == int(old) + 1):
            return "…"
        return f"t+{old}" if int(old) else "t"

    def line(old: str, new: str) -> str:
        first, second = NUMBER.split(old), NUMBER.split(new)
        if len(first) != len(second) or first[::2] != second[::2]:
            return old
        return "".join(map(number, first, second))

    return tuple(map(line, lines, later)) if len(lines) == len(later) else tuple(lines)


def nearest(view: View, limit: int) -> list[int]:
    """The numbers of the entries to draw, ascending: those the fewest arrows away from an output."""
    if len(view.entries) <= limit:
        return list(range(len(view.entries)))
    inputs: list[list[int]] = [[] for _ in view.entries]
    for use in view.uses:
        inputs[use.head].append(use.tail)
    drawn = [i for i, entry in enumerate(view.entries) if type(entry.thing) is tuple][:limit]
    seen = set(drawn)
    queue = deque(drawn)
    while queue and len(seen) < limit:
        for tail in inputs[queue.popleft()]:
            if tail not in seen and len(seen) < limit:
                seen.add(tail)
                queue.append(tail)
    return sorted(seen)
