"""The numbers in a graph: what results were, and what the gradients at them are, as far as that is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

from tinygrad_dl.autograd import starts
from tinygrad_dl.core.engine import propagate
from tinygrad_dl.core.graph import Edge, Leaf, Node, topological
from tinygrad_dl.core.mutations import buffer_owner, mutations
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.viz.known.arguments import kept, stored
from tinygrad_dl.viz.known.recording import place_of
from tinygrad_dl.viz.known.values import Values, values_of
from tinygrad_dl.viz.texts import plural

Key: TypeAlias = tuple[Any, int]
NARROW = "\u00a0"  # half as wide as a digit
LARGEST = 6  # rows and columns up to which all numbers are shown
DIGITS = 4  # that count, of the largest number


class Numbers:
    """Values and gradients by places in the graph.

    Attributes:
        values, gradients: by place, see `key`. A gradient is missing where none arrived.
    """

    def __init__(self, outputs: Iterable[Tensor]):
        self.values: dict[Key, Values] = {}
        self.gradients: dict[Key, Values] = {}
        self.norms: dict[Key, float] = {}  # of the gradients
        self.wanted: dict[str, dict[Key, Values]] = {}  # what is to be shown, by its heading
        self.outputs = [output for output in outputs if output._edge is not None]
        self.unknown = 0  # values that were asked for in vain

    @property
    def hints(self) -> tuple[str, ...]:
        """A line that says what could be shown but is not known."""
        what = f"{plural(self.unknown, 'value')} not known (?): compute inside td.viz.recording() to see"
        return (f"{what} {'it' if self.unknown == 1 else 'them'}",) if self.unknown else ()

    def find_values(self) -> None:
        """Finds what is known of the values: from a recording, the outputs, the leaves, and what nodes keep."""
        nodes = [node for node in topological(self.roots) if isinstance(node, Node)]
        self.values.update(values_at(nodes, self.outputs))

    def find_gradients(self, gradient: Any = None) -> None:
        """Finds the gradients at all places, given those of the outputs, which are 1 for scalars.

        Raises:
            RuntimeError: there is none for an output of several elements, or one of another shape; the graph was freed.
            ValueError: there are more or fewer than outputs. TypeError: one is no tensor.
        """
        wide = next((output for output in self.outputs if gradient is None and output._data.size != 1), None)
        if wide is not None:
            raise RuntimeError(
                f"gradients: got an output of shape {tuple(wide.shape)}, expected a scalar, from which they start "
                "by themselves; reduce it with sum() or mean(), or pass gradient=, a tensor of its shape"
            )
        roots, seeds = starts(self.outputs, gradient, False, "gradient")
        for edge, g in gradients_at(roots, seeds).items():
            self.gradients[key(edge)] = values_of(g)
            self.norms[key(edge)] = float(
                np.linalg.norm(g.ravel().astype(np.float64 if g.dtype.kind == "f" else g.dtype))
            )

    @property
    def roots(self) -> list[Edge]:
        """The places of the outputs."""
        return [output._edge for output in self.outputs if output._edge is not None]

    def columns(self, place: Key) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The numbers to show of a place, each with its heading."""
        if "data" in self.wanted and place not in self.values:
            self.unknown += 1
        return tuple(
            (heading, tuple(written(found[place])) if place in found else ("?" if heading == "data" else "none",))
            for heading, found in self.wanted.items()
        )

    def of_constant(self, value: np.ndarray | Values) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The numbers to show of a tensor without a gradient."""
        if "data" not in self.wanted:
            return ()
        return (("data", tuple(written(value if isinstance(value, Values) else values_of(value)))),)


def key(edge: Edge) -> Key:
    """A place in the graph: the node, or leaf, and which of its outputs."""
    return edge.node, edge.index


def values_at(nodes: Sequence[Node], tensors: Iterable[Any]) -> dict[Key, Values]:
    """What is known of results and leaves: from a recording, from tensors that still live, and from what nodes keep."""
    noted = {node: place.values for node in nodes if (place := place_of(node)) is not None and place.values is not None}
    found: dict[Key, Any] = {}
    for node in nodes:
        values = kept(node)
        for position, edge in enumerate(node.edges):
            if type(edge) is Leaf and edge.variable is not None:
                found[key(edge)] = edge.variable._data
            elif edge is not None and edge.node not in noted and found.get(key(edge)) is None:
                found[key(edge)] = unchanged(argument_kept(node, position, values), node, edge.shape)
        if node not in noted and found.get(key(node)) is None and type(node.dtype) is not tuple:
            found[key(node)] = unchanged(values.get("out"), node, node.shape)
    edges = ((getattr(tensor, "_edge", None), tensor) for tensor in tensors)
    found |= {key(edge): tensor._data for edge, tensor in edges if edge is not None and edge.node not in noted}
    result = {place: values_of(array) for place, array in found.items() if array is not None}
    for node, several in noted.items():
        result |= {(node, i): each for i, each in enumerate((several,) if isinstance(several, Values) else several)}
    return result


def argument_kept(node: Node, position: int, values: dict[str, Any]) -> Any:
    """The value of an input of a node, if the node keeps it for its rules."""
    op = getattr(node.plan, "op", None)
    if op is None:
        return None
    value = values.get(op.sequence or node.plan.argument(position))
    return value[position] if op.sequence and value is not None else value


def unchanged(array: Any, node: Node, shape: Sequence[int]) -> np.ndarray | None:
    """An array that a node keeps of a result of this shape, unless it was changed in place afterwards."""
    if not isinstance(array, np.ndarray) or array.shape != tuple(shape):
        return None
    entry = mutations.log.get(id(buffer_owner(array)))
    return None if entry is not None and entry[0] > node.seq else array


def gradients_at(roots: Sequence[Edge], seeds: Sequence[np.ndarray]) -> dict[Edge, np.ndarray]:
    """The gradients at all places that the roots reach, by a backward pass that leaves the graph and all `.grad` as is.

    Raises:
        RuntimeError: the graph was freed.
    """
    places = topological(roots)
    gone = next((place for place in places if stored(place) is None), None)
    if gone is not None:
        raise RuntimeError(
            f"gradients: got a graph whose saved values a backward pass has freed (at {gone.title}), expected one that "
            "was not gone through; draw it before backward(), or call backward(retain_graph=True)"
        )
    with retaining_nothing(places):
        return propagate(roots, seeds, [place for place in places if type(place.dtype) is not tuple], retain=True)


@contextmanager
def retaining_nothing(places: Iterable[Edge]) -> Iterator[None]:
    """Inside, a pass adds nothing to the `.grad` of tensors for which `retain_grad` was called."""
    hooks = [place.hooks for place in places if place.hooks is not None and place.hooks.kept is not None]
    keepers = [each.kept for each in hooks]
    for each in hooks:
        each.kept = None
    try:
        yield
    finally:
        for each, keeper in zip(hooks, keepers, strict=True):
            each.kept = keeper


def written(values: Values) -> list[str]:
    """An array as lines of text: whole if it is small, else its range and mean.

    >>> [line.split() for line in written(values_of(np.array([[1.0, -0.5], [12.0, 0.25]])))]
    [['1.00', '-0.50'], ['12.00', '0.25']]
    >>> written(values_of(np.arange(100)))
    ['0 … 99', 'mean 49.5']
    """
    array = values.array
    if array is not None and array.ndim <= 2 and all(size <= LARGEST for size in array.shape):
        return grid(np.atleast_2d(array)) if array.size else ["empty"]
    lines = ["no finite number"]
    if values.low is not None:
        low, high, mean = (f"{number:.3g}" for number in (values.low, values.high, values.mean))
        lines = [f"{low} … {high}", f"mean {mean}"] if low != high else [f"all {low}"]
    return [*lines, f"{values.not_finite} not finite"] if values.not_finite and values.low is not None else lines


def grid(array: np.ndarray) -> list[str]:
    """The rows of a matrix, with all columns equally wide."""
    decimals = decimals_of(array)
    cells = [[number(each, decimals) for each in row] for row in array.tolist()]
    while decimals and all(cell[-1] in "0nf" for row in cells for cell in row):  # nan and inf have none anyway
        decimals -= 1
        cells = [[number(each, decimals) for each in row] for row in array.tolist()]
    wide = max(width(cell) for row in cells for cell in row) if array.size > 1 else 0
    return [(NARROW * 2).join(NARROW * (wide - width(cell)) + cell for cell in row) for row in cells]


def width(cell: str) -> int:
    """About how wide a number is, in halves of a digit."""
    return sum(1 if c in "-.," + NARROW else 2 for c in cell)


def decimals_of(array: np.ndarray) -> int | None:
    """How many decimals the numbers of an array have; None if they differ too much for that, or are too large."""
    if array.dtype.kind not in "f":
        return 0 if array.dtype.kind in "iub" else None
    sizes = np.abs(array[np.isfinite(array)]).astype(np.float64)
    sizes = sizes[sizes > 0]
    if not sizes.size or (np.equal(sizes, np.rint(sizes)).all() and sizes.max() < 1e6):
        return 0
    if sizes.max() >= 1e6 or sizes.max() < 1e-3:
        return None
    decimals = int(np.clip(DIGITS - 1 - np.floor(np.log10(sizes.max())), 0, 5))
    return decimals if sizes.min() >= 0.5 * 10.0**-decimals else None


def number(value: Any, decimals: int | None) -> str:
    """A number as text."""
    if isinstance(value, bool):
        return str(value)
    value += 0.0 if value == 0 else 0  # without the sign of a zero
    if isinstance(value, complex) or decimals is None:
        return f"{value:.3g}"
    return f"{value:.{decimals}f}"


__all__ = ["Numbers", "gradients_at", "grid", "written"]
