"""From the recorded graph to boxes and arrows: what is drawn, before a word of how it is written.

Boxes are numbered in the order in which the program made them, each leaf right before its first use, so
that the same program gives the same picture in every run.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tinygrad_dl.core.graph import Edge, Leaf, Node, Output, saved_arrays, topological
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn.parameter import Parameter

# A leaf that is used more often is drawn once for each use, lest its arrows tangle the picture.
MOST_SHARED = 4
LONGEST_NAME = 48


class Box(NamedTuple):
    """One box: its kind is "op", "parameter", "input", "output" or "note"."""

    kind: str
    lines: tuple[str, ...]
    details: tuple[str, ...]  # shown under the pointer


class Arrow(NamedTuple):
    """From one box to another, by their numbers."""

    tail: int
    head: int
    label: str
    cut: bool = False  # it stands for boxes that are not drawn


class Picture(NamedTuple):
    """All boxes and arrows of a picture, and what they count in the whole graph."""

    boxes: list[Box]
    arrows: list[Arrow]
    operations: int
    parameters: int
    saved: int  # bytes; an array that two operations saved counts once
    left_out: int

    @property
    def summary(self) -> str:
        """The counts in one line."""
        counts = f"{plural(self.operations, 'operation')} · {plural(self.parameters, 'parameter')}"
        return f"{counts} · {human_bytes(self.saved)} saved for backward"


class Use(NamedTuple):
    """An arrow of the whole graph: input number `position` of the box `head` is `edge`."""

    tail: int
    head: int
    edge: Edge
    position: int


class Names:
    """The names that the caller gave to tensors."""

    def __init__(self, params: Any):
        self.of: dict[int, str] = {}  # the id of a tensor, which `held` keeps alive, or of its edge
        self.held: list[Tensor] = []
        for name, tensor in named(params):
            self.held.append(tensor)
            for key in {id(tensor), id(tensor._edge)} if tensor._edge is not None else {id(tensor)}:
                self.of[key] = f"{self.of[key]}, {name}" if key in self.of else name

    def find(self, edge: Edge) -> str | None:
        """The name of the tensor at this edge, if it has one."""
        variable = edge.variable if type(edge) is Leaf else None
        return self.of.get(id(edge)) or (None if variable is None else self.of.get(id(variable)))


def named(params: Any) -> Iterable[tuple[str, Tensor]]:
    """The (name, tensor) pairs of a dict, of a module, or of an iterable of pairs."""
    if params is None:
        return []
    if isinstance(params, Mapping):
        pairs = params.items()
    elif hasattr(params, "named_parameters"):
        pairs = params.named_parameters()
    else:
        pairs = params
    found = []
    try:
        for name, tensor in pairs:
            if not isinstance(tensor, Tensor):
                raise TypeError(f"got a {type(tensor).__name__} named {name!r}, expected a tensor")
            found.append((str(name), tensor))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"params: expected a dict of name -> tensor, a module, or (name, tensor) pairs, got "
            f"{type(params).__name__} ({error}); pass model.named_parameters() or dict(w=w)"
        ) from None
    return found


def read(outputs: Sequence[Tensor], params: Any, max_nodes: int, show_shapes: bool, show_saved: bool) -> Picture:
    """The picture of all that led to the outputs; of the boxes nearest to them if there are too many."""
    names = Names(params)
    roots = [edge for edge in (output._edge for output in outputs) if edge is not None]
    nodes = [node for node in reversed(topological(roots)) if isinstance(node, Node)]
    items, uses = arrange(nodes, roots)
    kept = nearest(items, uses, len(roots), max_nodes)
    number = {item: i for i, item in enumerate(kept)}
    leaves = list({id(item): item for item in items if type(item) is Leaf}.values())
    draw = Artist(names, show_shapes, show_saved, roots, leaves)
    boxes = [draw.box(items[item]) for item in kept]
    shown = [use for use in uses if use.head in number]
    # A lone label says nothing: the other inputs say by their names what they are, or there are none.
    labelled = Counter(use.head for use in shown if draw.argument(use, items[use.head]))
    arrows = [
        Arrow(number[use.tail], number[use.head], draw.label(use, items[use.head], labelled[use.head] > 1))
        for use in shown
        if use.tail in number
    ]
    left_out = len(items) - len(kept)
    if left_out:
        cut = dict.fromkeys(number[use.head] for use in shown if use.tail not in number)
        arrows = [*(Arrow(len(boxes), head, "", cut=True) for head in cut), *arrows]
        lines = (f"{plural(left_out, 'more node')} not drawn", f"to see all: max_nodes={len(items)}")
        boxes.append(Box("note", lines, lines))
    parameters = sum(kind_of(leaf, names) == "parameter" for leaf in leaves)
    return Picture(boxes, arrows, len(nodes), parameters, saved_bytes(nodes), left_out)


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


def kind_of(leaf: Leaf, names: Names) -> str:
    """Whether a leaf is a parameter (it was named, or is an `nn.Parameter`) or an input."""
    known = isinstance(leaf.variable, Parameter) or names.find(leaf) is not None
    return "parameter" if known else "input"


class Artist:
    """Writes what stands in each box and at each arrow."""

    def __init__(
        self, names: Names, show_shapes: bool, show_saved: bool, roots: Sequence[Edge], leaves: Sequence[Leaf]
    ):
        self.names, self.show_shapes, self.show_saved, self.roots = names, show_shapes, show_saved, roots
        self.unnamed: dict[Leaf, str] = {}
        for kind in ("input", "parameter"):
            group = [leaf for leaf in leaves if names.find(leaf) is None and kind_of(leaf, names) == kind]
            self.unnamed |= {leaf: kind if len(group) == 1 else f"{kind} {i}" for i, leaf in enumerate(group)}

    def box(self, item: Any) -> Box:
        if type(item) is Leaf:
            return self.leaf(item)
        return self.output(*item) if type(item) is tuple else self.operation(item)

    def operation(self, node: Node) -> Box:
        name = None if node in self.roots else self.names.find(node)  # else the output's box shows it
        lines = [node.title if name is None else f"{node.title} → {shortened(name)}"]
        multiple = type(node.dtype) is tuple
        shapes = [text_of(s, d) for s, d in zip(node.shape, node.dtype, strict=True)] if multiple else []
        if self.show_shapes and multiple:
            shown = [f"{output_name(node, i)}: {shape}" for i, shape in enumerate(node.shape)]
            lines += shown if len(shown) <= 4 else [*shown[:3], f"… {len(shown)} outputs"]
        elif self.show_shapes:
            lines.append(str(node.shape))
        if self.show_saved and node.saved is None:
            lines.append("saved values freed")
        elif self.show_saved and node.nbytes:
            lines.append(f"saves {human_bytes(node.nbytes)}")
        result = [f"{output_name(node, i)}: {text}" for i, text in enumerate(shapes)]
        title = node.title if multiple else f"{node.title}: {text_of(node.shape, node.dtype)}"
        return Box("op", tuple(lines), (title, *result, *saved_values(node)))

    def leaf(self, leaf: Leaf) -> Box:
        kind = kind_of(leaf, self.names)
        name = self.names.find(leaf) or self.unnamed.get(leaf, kind)
        text = text_of(leaf.shape, leaf.dtype)
        return Box(kind, (shortened(name), text) if self.show_shapes else (shortened(name),), (f"{name}: {text}",))

    def output(self, index: int, edge: Edge) -> Box:
        name = self.names.find(edge) or ("output" if len(self.roots) == 1 else f"output {index}")
        text = text_of(edge.shape, edge.dtype)
        return Box("output", (shortened(name), text) if self.show_shapes else (shortened(name),), (f"{name}: {text}",))

    def argument(self, use: Use, head: Any) -> str:
        """The name of the input that a use leads to, unless that stands in the used tensor's name."""
        if type(head) is tuple:
            return ""
        argument: str = head.plan.argument(use.position)
        name = self.names.find(use.edge) if type(use.edge) is Leaf else None
        return "" if name is not None and name.rpartition(".")[2] == argument else argument

    def label(self, use: Use, head: Any, several: bool) -> str:
        """Which output an arrow leaves from and, if there are several inputs, which one it leads to."""
        left = output_name(use.edge.node, use.edge.index) if type(use.edge) is Output else ""
        right = self.argument(use, head) if several else ""
        return f"{left} → {right}" if left and right else left or right


def output_name(node: Any, index: int) -> str:
    """The name of one output of a node that has several, or its number."""
    op = getattr(node.plan, "op", None)
    names: Sequence[str] = getattr(op, "output_names", ())
    return names[index] if names else f"output {index}"


def saved_values(node: Node) -> list[str]:
    """What a node keeps for its rules, a line for each array."""
    if node.saved is None:
        return ["saved values freed by backward"]
    names = getattr(node.plan, "saves", ("",) * len(node.saved))
    lines = []
    for name, value in zip(names, node.saved, strict=False):
        lines += [f"saves {name} {text_of(a.shape, a.dtype)}".replace("  ", " ") for a in saved_arrays((value,))]
    return lines


def text_of(shape: Any, dtype: Any) -> str:
    """A shape and dtype as a box shows them."""
    return f"{tuple(shape)} {dtype}"


def shortened(name: str) -> str:
    """A name that fits into a box: its end says more than its middle."""
    if len(name) <= LONGEST_NAME:
        return name
    head = LONGEST_NAME // 3
    return f"{name[:head]}…{name[head + 1 - LONGEST_NAME :]}"


def human_bytes(count: int) -> str:
    """1536 -> "1.5 kB"."""
    if count < 1000:
        return f"{count} B"
    size = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1000
        if size < 999.5 or unit == "TB":
            break
    return f"{size:.1f} {unit}" if size < 99.95 else f"{size:.0f} {unit}"


def plural(count: int, word: str) -> str:
    """A count with its word."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
