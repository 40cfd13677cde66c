"""What of a graph becomes a box, in which frames the boxes stand, and which of them arrows connect.

An entry stands for one operation, for a module that is not opened, for a tensor where the graph begins or ends, and,
where a part repeats, for the same place in all turns of it. Entries are numbered in the order in which the program made
them, each leaf right before its first use, so that the same program gives the same picture in every run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from tinygrad_dl.core.graph import Edge, Leaf, Node
from tinygrad_dl.viz.known.subject import Source
from tinygrad_dl.viz.pictures.flow import Flow
from tinygrad_dl.viz.pictures.repeats import Item, Repeat, nodes_of
from tinygrad_dl.viz.pictures.structure import Group

# Of a leaf with more arrows there is a box at each of its uses, lest they tangle the picture.
MOST_SHARED = 4

Thing: TypeAlias = Any  # Node | Group | Leaf | Source | tuple[int, Edge] for an output


class Joint:
    """Where something that several boxes of a frame read enters the frame."""


@dataclass(eq=False)
class Entry:
    """What one box shows.

    Attributes:
        thing: an operation, a closed group, a leaf, a source, a joint, or the number and edge of an output.
        frame: the number of the frame in which it stands, -1 for none.
        repeat: the part that repeats if it stands for all turns of it.
        uses: of a leaf, how many operations read it. arrows: to how many boxes it leads.
        again: whether it is a leaf that another box shows too.
        nodes: the operations that it stands for, those of all turns.
        next, last: of an operation in a part that repeats, the one at the same place in the second turn; of a leaf that
            is another one in each turn, that of the last.
    """

    thing: Thing
    frame: int = -1
    repeat: Repeat | None = None
    uses: int = 1
    arrows: int = 1
    again: bool = False
    nodes: list[Node] = field(default_factory=list)
    next: Node | None = None
    last: Leaf | None = None


class Frame(NamedTuple):
    """A frame around boxes: of an open module, of a part that repeats, or of an open module that repeats."""

    parent: int
    group: Group | None
    repeat: Repeat | None


class Use(NamedTuple):
    """An arrow: input number `position` of the entry `head` is `edge`. One that goes `back` is the state of a loop."""

    tail: int
    head: int
    edge: Edge | None
    position: int
    back: bool = False


class View(NamedTuple):
    """All that could be drawn."""

    entries: list[Entry]
    uses: list[Use]
    frames: list[Frame]


class Choice(NamedTuple):
    """How much is shown: which groups are opened, and the items of a group, folded or not."""

    opened: Callable[[Group], bool]
    items: Callable[[Group], list[Item]]


def view(whole: Group, roots: Sequence[Edge], sources: Sequence[Source], choice: Choice) -> View:
    """What is shown of a graph.

    Args:
        whole: the tree of it. roots: its outputs. sources: what the model was given, if it is known.
        choice: how much is shown.
    """
    built = Builder(choice, sources)
    built.place(whole, -1)
    built.connect(whole.nodes, roots)
    return built.numbered()


class Builder:
    """Puts a view together."""

    def __init__(self, choice: Choice, sources: Sequence[Source]):
        self.choice, self.given = choice, sources
        self.sources: dict[Any, Source] = {each.edge.node: each for each in sources if each.edge is not None}
        self.frames: list[Frame] = []
        self.entries: list[Entry] = []  # without leaves
        self.leaves: dict[Entry, list[Entry]] = defaultdict(list)  # which stand right before an entry
        self.owner: dict[Node, Entry] = {}
        self.first: dict[Node, Node] = {}  # of the nodes of later turns the one at the same place in the first
        self.turns: dict[Node, tuple[tuple[Repeat, int], ...]] = {}  # outermost first
        self.last: dict[Leaf, Leaf] = {}  # of a leaf in the first turn, the one at the same place in the last
        self.links: dict[Any, tuple[Entry, Entry, Edge | None, int, bool]] = {}

    # -- where it stands ---------------------------------------------------------------------

    def place(self, group: Group, frame: int) -> None:
        """Makes entries and frames for what a group shows. What stands alone in a frame needs no frame."""
        items = self.choice.items(group)
        only = [item for item in items if item not in self.sources]
        for item in items:
            if only == [item] and isinstance(item, Group) and item.members and self.choice.opened(item):
                self.place(item, frame)
            else:
                self.put(item, frame, None)

    def put(self, item: Item, frame: int, repeat: Repeat | None) -> None:
        """Makes the entry or the frame of an item, which stands for the turns of `repeat`."""
        if isinstance(item, Repeat):
            self.put_repeat(item, frame)
        elif isinstance(item, Group) and item.members and self.choice.opened(item):
            if repeat is not None or self.several(item):
                self.frames.append(Frame(frame, item, repeat))
                frame = len(self.frames) - 1
            self.place(item, frame)
        else:
            thing = self.sources.get(item, item) if isinstance(item, Node) else item
            entry = Entry(thing, frame, repeat)
            self.entries.append(entry)
            self.owner.update(dict.fromkeys(nodes_of(item), entry))

    def several(self, group: Group) -> bool:
        """Whether more than one item is seen in an open group."""
        items = self.choice.items(group)
        only = items[0] if len(items) == 1 else None
        if isinstance(only, Group) and only.members and self.choice.opened(only):
            return self.several(only)
        return only is None

    def put_repeat(self, repeat: Repeat, frame: int) -> None:
        """Makes entries for the first turn, which the others share."""
        body = repeat.turns[0]
        if len(body) == 1 and not isinstance(body[0], Repeat):
            self.put(body[0], frame, repeat)
        else:
            self.frames.append(Frame(frame, None, repeat))
            around = len(self.frames) - 1
            for item in body:
                self.put(item, around, None)
        size = repeat.size
        for number, node in enumerate(repeat.nodes):
            turn, first = number // size, repeat.nodes[number % size]
            if turn:
                self.owner[node], self.first[node] = self.owner[first], first
                if turn == 1 and self.owner[first].thing is first:
                    self.owner[first].next = node
                self.turns[node] = ((repeat, turn), *self.turns[first][1:])
            else:
                self.turns[node] = ((repeat, 0), *self.turns.get(node, ()))

    # -- what leads to what ------------------------------------------------------------------

    def connect(self, nodes: Sequence[Node], roots: Sequence[Edge]) -> None:
        """Makes the arrows, and the entries of leaves and outputs."""
        readers: dict[Leaf, list[tuple[Entry, Edge, int]]] = {}
        uses: Counter[Any] = Counter(edge for node in nodes for edge in node.edges if type(edge) is Leaf)
        for node in nodes:
            head = self.owner[node]
            if isinstance(head.thing, Source):
                continue
            first = self.origin(node)
            hidden = parameters_of(head.thing)
            for i, edge in enumerate(node.edges):
                if type(edge) is Leaf:  # of a later turn that has another, the one of the first stands for both
                    shown = first.edges[i] if type(first.edges[i]) is Leaf else edge
                    if id(shown.variable) not in hidden:  # type: ignore[union-attr]
                        readers.setdefault(shown, []).append((head, edge, i))  # type: ignore[arg-type]
                        if shown is not edge:
                            self.last[shown] = edge  # type: ignore[index]
                elif edge is not None:
                    self.link(edge, node, head, i)
        for i, edge in enumerate(roots):
            head = Entry((i, edge))
            self.entries.append(head)
            if type(edge) is Leaf:
                readers.setdefault(edge, []).append((head, edge, 0))
            else:
                self.links[head] = (self.owner[edge.node], head, edge, 0, False)  # type: ignore[index]
        for leaf, found in readers.items():
            self.put_leaf(leaf, found, uses[leaf])

    def origin(self, node: Node) -> Node:
        """The node that stands at the same place in the first of all turns."""
        while node in self.first:
            node = self.first[node]
        return node

    def link(self, edge: Edge, node: Node, head: Entry, position: int) -> None:
        """Makes the arrow from what made an input to the operation that reads it."""
        made: Node = edge.node  # type: ignore[assignment]
        tail, back = self.owner[made], False
        for (one, turn), (other, later) in zip(self.turns.get(made, ()), self.turns.get(node, ()), strict=False):
            if one is not other:
                break
            if turn != later:  # from one turn to the next: a state, or what the next layer gets
                if not one.loop:
                    return
                back = True
        if tail is head and not back:
            return
        here = self.turns.get(node, ())
        every = any(each not in here for each in self.turns.get(made, ())) and not back  # one arrow for all turns
        into = position if isinstance(head.thing, Node) and not every else -1
        out = edge.index if isinstance(head.thing, Node) else 0
        self.links.setdefault((tail, head, out, into, back), (tail, head, edge, position, back))

    def put_leaf(self, leaf: Leaf, readers: Sequence[tuple[Entry, Edge, int]], uses: int) -> None:
        """Makes the entry of a leaf before its first use, or one before each of very many."""
        into = {(head, i if isinstance(head.thing, Node) else 0): edge for head, edge, i in readers}
        split = len(into) > MOST_SHARED
        entry: Entry | None = None
        for head, i in into:
            if entry is None or split:
                entry = Entry(leaf, head.frame, None, uses, again=entry is not None, last=self.last.get(leaf))
                self.leaves[head].append(entry)
            entry.frame, entry.arrows = self.common(entry.frame, head.frame), 1 if split else len(into)
            self.links[leaf, head, i] = (entry, head, leaf, i, False)

    def common(self, one: int, other: int) -> int:
        """The innermost frame in which two frames lie."""
        around = {-1} | self.frames_around(one)
        while other not in around:
            other = self.frames[other].parent
        return other

    def join(self) -> None:
        """Lets what several boxes of a frame read enter it at one point, and the state of a loop too."""
        around = {entry: self.frames_around(entry.frame) for entry in self.entries}
        order = {entry: i for i, entry in enumerate(self.entries)}
        for frame in reversed(range(len(self.frames))):  # those inside come before those around them
            entering: dict[Any, list[Any]] = defaultdict(list)
            for key, (tail, head, edge, _, back) in self.links.items():
                if edge is not None and tail in around and frame in around.get(head, ()):
                    inside = frame in around[tail]
                    if (inside and self.frames[frame].repeat is not None) if back else not inside:
                        entering[tail, edge.index, back].append(key)
            # By what reads it: what a loop begins with enters at the same point as its state.
            joints: dict[Any, Entry] = {}
            for (tail, _, back), keys in entering.items():
                heads = frozenset((self.links[key][1], self.links[key][3]) for key in keys)
                if len(heads) < 2:
                    continue
                edge = self.links[keys[0]][2]
                found = [self.links.pop(key) for key in keys]
                if heads not in joints:
                    joint = joints[heads] = Entry(Joint(), frame)
                    around[joint] = self.frames_around(frame)
                    order[joint] = min(order[head] for _, head, *_ in found)
                    self.leaves[self.entries[order[joint]]].insert(0, joint)
                    for _, head, edge, position, _ in found:
                        self.links[joint, head, position] = (joint, head, edge, position, False)
                self.links[tail, joints[heads], back] = (tail, joints[heads], edge, 0, back)

    def frames_around(self, frame: int) -> set[int]:
        """The frames in which one lies, and itself."""
        found = set()
        while frame != -1:
            found.add(frame)
            frame = self.frames[frame].parent
        return found

    # -- in order ----------------------------------------------------------------------------

    def numbered(self) -> View:
        """The view, with numbers in place of entries."""
        self.join()
        for node, entry in self.owner.items():
            entry.nodes.append(node)
        flow = Flow(self.given, Entry, self.link_constant)
        shown = flow.follow(self.entries)
        entries = [each for entry in shown for each in (*flow.before[entry], *self.leaves[entry], entry)]
        number = {entry: i for i, entry in enumerate(entries)}
        uses = [
            Use(number[tail], number[head], edge, i, back)
            for tail, head, edge, i, back in self.links.values()
            if tail in number and head in number
        ]
        return View(entries, sorted(uses, key=lambda use: (use.head, use.position)), self.frames)

    def link_constant(self, tail: Entry, head: Entry) -> None:
        """Makes the arrow for a constant from one module to another."""
        self.links.setdefault((tail, head, False), (tail, head, None, -1, False))


def parameters_of(thing: Thing) -> set[int]:
    """The parameters that a closed module hides."""
    return {id(parameter) for parameter in thing.parameters} if isinstance(thing, Group) else set()
