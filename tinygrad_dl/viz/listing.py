"""Graphs as text: `text`, a line for each operation, and `memory`, a line for each array that a graph keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.graph import Node
from tinygrad_dl.core.mutations import buffer_owner
from tinygrad_dl.core.table import aligned, or_text, page
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.viz.backward.formulas import Numbered, expression
from tinygrad_dl.viz.known.kept import kept_bytes, kept_memory
from tinygrad_dl.viz.known.names import kind_of
from tinygrad_dl.viz.known.recording import place_of
from tinygrad_dl.viz.known.subject import checked_outputs
from tinygrad_dl.viz.texts import human_bytes, plural, text_of

Named = Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | Any


class Listing:
    """Lines of text, which print as they are; notebooks show them as a table.

    Attributes:
        rows: the cells of each line. head: the names of the columns. total: a line below them.
    """

    def __init__(self, head: Sequence[str], rows: Sequence[Sequence[str]], total: str):
        self.head, self.rows, self.total = list(head), [list(row) for row in rows], total

    def __str__(self) -> str:
        return "\n".join([*aligned([self.head, *self.rows])[0], self.total])

    def __repr__(self) -> str:
        return str(self)

    @or_text
    def _repr_html_(self) -> str:
        return page(self.head, self.rows, self.total)


@composition
def text(tensor: Tensor | Iterable[Tensor], params: Named = None) -> Listing:
    """The graph of a tensor, or of several, as numbered lines: what each operation took, and the shape of its result.

    Of constants and options those are shown that the operation keeps for its gradient; `_` stands for other constants.
    Of operations that were made inside of `recording` all are, and their modules and lines of the program.

    Args:
        tensor: the output, or a tuple or list of them.
        params: names, as in `graph`.

    Returns:
        A `Listing`.

    Raises:
        RuntimeError: a tensor has no graph. TypeError: an argument is not one of those above.

    >>> w = td.tensor([1.0, 2.0], requires_grad=True)
    >>> td.viz.text((w**3).sum(), params={"w": w})
    name  operation  result        saves
    w     parameter  (2,) float32
    %1    w ** 3     (2,) float32  12 B
    %2    sum(%1)    () float32
    2 operations, 12 B saved for backward
    """
    numbered = Numbered(checked_outputs(tensor), params)
    head = ["name", "operation", "result", "saves"]
    rows = [
        [numbered.of[leaf], kind_of(leaf, numbered.names), text_of(leaf.shape, leaf.dtype), ""]
        for leaf in numbered.leaves
    ]
    for node in numbered.nodes:
        several = type(node.dtype) is tuple
        shapes = zip(node.shape, node.dtype, strict=True) if several else [(node.shape, node.dtype)]
        result = ", ".join(text_of(shape, dtype) for shape, dtype in shapes)
        saves = "freed" if node.saved is None else human_bytes(node.nbytes) if node.nbytes else ""
        rows.append([numbered.of[node], expression(node, numbered), result, saves])
    places = [*(None for _ in numbered.leaves), *map(place_of, numbered.nodes)]
    more = {
        "module": [place.calls[-1].path if place is not None and place.calls else "" for place in places],
        "line": [str(place.line) if place is not None and place.line is not None else "" for place in places],
    }
    for name, column in more.items():
        if any(column):
            head.append(name)
            rows = [[*row, cell] for row, cell in zip(rows, column, strict=True)]
    foot = f"{plural(len(numbered.nodes), 'operation')}, {human_bytes(kept_bytes(numbered.nodes))} saved for backward"
    return Listing(head, rows, foot)


@composition
def memory(tensor: Tensor | Iterable[Tensor], params: Named = None) -> Listing:
    """What the graph of a tensor keeps alive until its backward pass, largest first, and which operations need it.

    An array that several operations keep, or views of it, counts once. Parameters live on anyway, so they stand apart
    in the last line.

    Args:
        tensor: the output, or a tuple or list of them.
        params: names, as in `graph`.

    Returns:
        A `Listing`; the names of operations are those of `text`.

    Raises:
        RuntimeError: a tensor has no graph. TypeError: an argument is not one of those above.

    >>> x, w = td.ones(100, 2), td.tensor([[1.0], [2.0]], requires_grad=True)
    >>> td.viz.memory(((x @ w).tanh() ** 2).mean(), params={"w": w})
    memory  array             kept by
    800 B   (100, 2) float32  input of %1 matmul
    400 B   (100, 1) float32  out of %2 tanh, input of %3 square
    1.2 kB in 2 arrays; parameters: 0 B
    """
    numbered = Numbered(checked_outputs(tensor), params)
    parameters = {id(buffer_owner(leaf.variable._data)) for leaf in numbered.leaves if leaf.variable is not None}
    found = kept_memory(numbered.nodes)
    others = sorted((k for place, k in found.items() if place not in parameters), key=lambda k: -k.nbytes)
    rows = [
        [human_bytes(k.nbytes), text_of(k.shape, k.dtype), ", ".join(keeper(*each, numbered) for each in k.keepers)]
        for k in others
    ]
    own = sum(k.nbytes for place, k in found.items() if place in parameters)
    total = f"{human_bytes(sum(k.nbytes for k in others))} in {plural(len(others), 'array')}"
    return Listing(("memory", "array", "kept by"), rows, f"{total}; parameters: {human_bytes(own)}")


def keeper(node: Node, name: str, numbered: Numbered) -> str:
    """What keeps an array: which argument of which operation."""
    operation = f"{numbered.of[node]} {getattr(getattr(node.plan, 'op', None), 'name', node.title)}"
    return f"{name} of {operation}" if name else operation


__all__ = ["Listing", "memory", "text"]
