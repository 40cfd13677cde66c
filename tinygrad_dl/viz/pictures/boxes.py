"""What stands in each box of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from tinygrad_dl.core.graph import Edge, Leaf, Node, saved_arrays
from tinygrad_dl.viz.known.arguments import constants, dropped, phrases, stored
from tinygrad_dl.viz.known.names import Names, kind_of
from tinygrad_dl.viz.known.numbers import Numbers, key
from tinygrad_dl.viz.known.recording import place_of
from tinygrad_dl.viz.known.subject import Source
from tinygrad_dl.viz.pictures.constants import Constant
from tinygrad_dl.viz.pictures.view import Use
from tinygrad_dl.viz.texts import human_bytes, shortened, text_of

MOST_CELLS = 8  # of more inputs or outputs, none is named: the box would be too wide
# Operations whose inputs may change places, so that their names say nothing.
SYMMETRIC = {"add", "mul", "maximum", "minimum", "fmax", "fmin", "logaddexp", "hypot"}
CHANGES = {"copy_slices", "setitem"}  # operations that are only made by changing a tensor in place
LONGEST_LINE, LONGEST_NOTE = 32, 24
NONE: Mapping[int, str] = MappingProxyType({})


class Box(NamedTuple):
    """One box. Its kind is a field of `Theme`: that of an operation "op", or "gradient" if a backward pass made it."""

    kind: str
    lines: tuple[str, ...]  # the first is the title
    details: tuple[str, ...]  # shown under the pointer
    notes: tuple[str, ...] = ()  # lines of less weight, below the others
    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()  # numbers, each with their heading
    inputs: Mapping[int, str] = NONE  # cells at the edge where arrows arrive, by the keys that arrows have
    outputs: Mapping[int, str] = NONE  # cells at the edge where they leave
    heat: float | None = None  # its colour between the ends of the scale, from 0 to 1


class Artist:
    """Writes what stands in each box."""

    def __init__(
        self,
        names: Names,
        show_shapes: bool,
        show_saved: bool,
        roots: Sequence[Edge],
        leaves: Sequence[Leaf],
        nodes: Sequence[Node],
        numbers: Numbers,
        keys: Mapping[Edge, str],
    ):
        self.names, self.show_shapes, self.show_saved, self.roots = names, show_shapes, show_saved, roots
        self.numbers, self.keys = numbers, keys
        self.titles = {node.seq: node.title for node in nodes}
        self.unnamed: dict[Leaf, str] = {}
        for kind in ("input", "parameter"):
            group = [leaf for leaf in leaves if names.find(leaf) is None and kind_of(leaf, names) == kind]
            self.unnamed |= {leaf: kind if len(group) == 1 else f"{kind} {i}" for i, leaf in enumerate(group)}

    def box(self, item: Any, into: Sequence[Use]) -> Box:
        """The box of an item, into which the given uses lead."""
        if type(item) is Leaf:
            return self.leaf(item)
        return self.output(*item) if type(item) is tuple else self.operation(item, into)

    def operation(self, node: Node, into: Sequence[Use]) -> Box:
        name = None if node in self.roots else self.names.find(node)  # else the output's box shows it
        lines = [node.title if name is None else f"{node.title} → {shortened(name)}"]
        said = phrases(node)
        if said:
            lines.append(fitting(said))
        multiple = type(node.dtype) is tuple
        outputs = self.outputs(node) if multiple else NONE
        if self.show_shapes and not multiple:
            lines.append(str(node.shape))
        elif multiple and not outputs:
            lines.append(f"{len(node.shape)} outputs")
        place = place_of(node)
        notes = self.marks(node)
        if self.show_saved and stored(node) is None:
            notes.append("saved values freed")
        elif self.show_saved and node.nbytes:
            notes.append(f"saves {human_bytes(node.nbytes)}")
        if multiple:
            texts = [text_of(s, d) for s, d in zip(node.shape, node.dtype, strict=True)]
            details = [node.title, *(f"{output_name(node, i)}: {text}" for i, text in enumerate(texts))]
        else:
            details = [f"{node.title}: {text_of(node.shape, node.dtype)}"]
        details += [*(", ".join(said),) * bool(said), *saved_values(node)]
        columns = () if multiple else self.numbers.columns(key(node))
        kind = "gradient" if place is not None and place.gradient_of is not None else "op"
        return Box(kind, tuple(lines), tuple(details), in_lines(notes), columns, self.inputs(node, into), outputs)

    def marks(self, node: Node) -> list[str]:
        """What is out of the ordinary about an operation, in a word or two each."""
        op, place = getattr(node.plan, "op", None), place_of(node)
        found = []
        if place is not None and place.gradient_of is not None:
            found.append("gradient" if (of := self.titles.get(place.gradient_of)) is None else f"gradient of {of}")
        if (place is not None and place.inplace) or getattr(op, "key", "") in CHANGES:
            found.append("in place")
        if op is not None and op.view and op.key != "view":
            found.append("view")
        if op is not None and "factors" in op.parameters and dropped(node) is not None:
            found.append("training only")
        return found

    def facts(self, node: Node) -> tuple[str, ...]:
        """The options and marks of the only operation of a module, in a line if they fit."""
        said = phrases(node)
        return in_lines([*([fitting(said)] if said else []), *self.marks(node)])

    def inputs(self, node: Node, into: Sequence[Use]) -> Mapping[int, str]:
        """The names of the inputs, by their positions, as far as they say something."""
        op = getattr(node.plan, "op", None)
        if op is not None and op.key in SYMMETRIC:
            return NONE
        found = {use.position: self.argument(use, node) for use in into}
        found = {position: text for position, text in found.items() if text}
        # A lone name says nothing: the other inputs say by their names what they are, or there are none.
        return found if 1 < len(found) <= MOST_CELLS else NONE

    def argument(self, use: Use, head: Node) -> str:
        """The name of the input that a use leads to, unless that stands in the used tensor's name."""
        argument = head.plan.argument(use.position)
        argument = argument[argument.find("[") :] if argument.endswith("]") else argument  # one of a sequence
        name = self.names.find(use.edge) if type(use.edge) is Leaf else None
        if use.edge is None and use.position in (found := constants(head)):  # whose box has the argument's name
            name = self.names.of.get(id(found[use.position][1]), argument)
        return "" if name is not None and name.rpartition(".")[2] == argument else argument

    def outputs(self, node: Node) -> Mapping[int, str]:
        """The names of the outputs of a node that has several, and their shapes."""
        if len(node.shape) > MOST_CELLS:
            return NONE
        found = {}
        for i, shape in enumerate(node.shape):
            lines = [output_name(node, i), *([str(tuple(shape))] if self.show_shapes else [])]
            for heading, numbers in self.numbers.columns((node, i)):
                lines += [heading, *numbers]
            found[i] = "\n".join(lines)
        return found

    def leaf(self, leaf: Leaf) -> Box:
        kind = kind_of(leaf, self.names)
        box = self.tensor(kind, self.names.find(leaf) or self.unnamed.get(leaf, kind), leaf)
        return box._replace(columns=self.numbers.columns(key(leaf)))

    def output(self, index: int, edge: Edge) -> Box:
        name = self.keys.get(edge) or self.names.find(edge) or ("output" if len(self.roots) == 1 else f"output {index}")
        return self.tensor("output", name, edge)

    def constant(self, constant: Constant) -> Box:
        """The box of a tensor without a gradient."""
        name = self.names.of.get(id(constant.array)) if constant.array is not None else None
        box = self.tensor("constant", name or constant.name, constant)
        return box._replace(
            notes=("detached",) if constant.detached else (), columns=self.numbers.of_constant(constant.value)
        )

    def tensor(self, kind: str, name: str, edge: Edge | Source | Constant) -> Box:
        text = text_of(edge.shape, edge.dtype)
        return Box(kind, (shortened(name), text) if self.show_shapes else (shortened(name),), (f"{name}: {text}",))


def fitting(texts: Sequence[str]) -> str:
    """As many of the texts as fit into a line, the first in any case.

    >>> fitting(["stride 2", "padding 1", "dilation (1, 2)", "groups 4"])
    'stride 2, padding 1, …'
    """
    line = ", ".join(texts)
    while len(line) > LONGEST_LINE and len(texts) > 1:
        texts = texts[:-1]
        line = ", ".join([*texts, "…"])
    return shortened(line)


def in_lines(texts: Sequence[str]) -> tuple[str, ...]:
    """Short texts in as few lines as they fit into.

    >>> in_lines(["in place", "view", "saved values freed"])
    ('in place · view', 'saved values freed')
    """
    lines: list[str] = []
    for text in texts:
        longer = f"{lines[-1]} · {text}" if lines else text
        lines[-1:] = [longer] if len(longer) <= LONGEST_NOTE or not lines else [lines[-1], text]
    return tuple(lines)


def output_name(node: Any, index: int) -> str:
    """The name of one output of a node that has several, or its number."""
    op = getattr(node.plan, "op", None)
    names: Sequence[str] = getattr(op, "output_names", ())
    return names[index] if names else f"output {index}"


def saved_values(node: Node) -> list[str]:
    """What a node keeps for its rules, a line for each array."""
    values = stored(node)
    if values is None:
        return ["saved values freed by backward"]
    names = getattr(node.plan, "saves", ("",) * len(values))
    lines = []
    for name, value in zip(names, values, strict=False):
        lines += [f"saves {name} {text_of(a.shape, a.dtype)}".replace("  ", " ") for a in saved_arrays((value,))]
    return lines
