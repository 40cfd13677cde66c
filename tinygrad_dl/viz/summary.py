"""`summary`: what a model is made of, layer by layer, with what each of them costs."""

from __future__ import annotations

from typing import Any, NamedTuple

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.graph import Node
from tinygrad_dl.core.mutations import buffer_owner
from tinygrad_dl.core.table import aligned, or_text, page
from tinygrad_dl.nn.module import Module
from tinygrad_dl.viz.costs import multiply_adds
from tinygrad_dl.viz.known.calls import run
from tinygrad_dl.viz.known.kept import kept_bytes
from tinygrad_dl.viz.known.recording import Call
from tinygrad_dl.viz.known.subject import check_inputs
from tinygrad_dl.viz.texts import human_bytes

HEAD = ("layer", "path", "output", "parameters", "multiply-adds", "memory", "trainable")
NUMBERS = range(3, 6)  # the columns of HEAD that stand right


class Layer(NamedTuple):
    """One call of a module, with the modules inside of it.

    Attributes:
        layer: the class. path: its name in the model, "" for the model itself. depth: how deep it stands in it.
        output: the shapes of the tensors that it returned.
        parameters: their elements, each once, of the modules inside too; 0 if the module was called before.
        multiply_adds: of products in its forward pass; elementwise work counts nothing.
        memory: the bytes that its operations keep for the backward pass if nothing is frozen, parameters aside; an
            array that several keep counts once.
        trainable: how many of `parameters` require a gradient.
    """

    layer: str
    path: str
    depth: int
    output: list[tuple[int, ...]]
    parameters: int
    multiply_adds: int
    memory: int
    trainable: int


class Summary:
    """What `summary` returns: it prints as a table, notebooks show it as one.

    Attributes:
        rows: a `Layer` for each call of a module, in the order of the calls; the first is the model.
    """

    def __init__(self, rows: list[Layer]):
        self.rows = rows

    def __str__(self) -> str:
        lines, widths = aligned([HEAD, *(cells(row, "  " * row.depth) for row in self.rows)], NUMBERS)
        rules = "  ".join("-" * width for width in widths)
        return "\n".join([lines[0], rules, *lines[1:], rules, self.total])

    @property
    def total(self) -> str:
        """The numbers of the whole model in one line."""
        whole = self.rows[0]
        frozen = whole.parameters - whole.trainable
        return (
            f"{whole.parameters:,} parameters{f' ({frozen:,} frozen)' if frozen else ''} · "
            f"{whole.multiply_adds:,} multiply-adds · {human_bytes(whole.memory)} kept for the backward pass"
        )

    def __repr__(self) -> str:
        return str(self)

    @or_text
    def _repr_html_(self) -> str:
        rows = [cells(row, "") for row in self.rows]
        return page(HEAD, rows, self.total, NUMBERS, [row.depth for row in self.rows])


@composition
def summary(model: Module, *inputs: Any, depth: int | None = None, **options: Any) -> Summary:
    """What a model is made of: layer, path, output's shape, parameters, multiply-adds, memory and trainable, by layer.

    The model is called once with the inputs, and left as it was: its buffers, what requires a gradient, and the
    generator of random numbers. A module that is called several times has a row for each call.

    Args:
        model: what is called.
        inputs, options: what it is called with: `model(*inputs, **options)`.
        depth: how many levels of modules are shown; all if it is None.

    Raises:
        TypeError: the model is no module. ValueError: `depth` is negative. Whatever the model raises.

    >>> model = td.nn.Sequential(td.nn.Linear(4, 8), td.nn.ReLU(), td.nn.Linear(8, 2))
    >>> td.viz.summary(model, td.ones(16, 4))
    layer       path  output   parameters  multiply-adds  memory  trainable
    ----------  ----  -------  ----------  -------------  ------  ---------
    Sequential        (16, 2)          58            768   768 B  yes
      Linear    0     (16, 8)          40            512   256 B  yes
      ReLU      1     (16, 8)           0              0   512 B
      Linear    2     (16, 2)          18            256   512 B  yes
    ----------  ----  -------  ----------  -------------  ------  ---------
    58 parameters · 768 multiply-adds · 768 B kept for the backward pass
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary: expected an nn.Module, got {type(model).__name__}")
    if depth is not None and depth < 0:
        raise ValueError(f"summary: expected a depth of 0 or more, or None, got {depth}")
    check_inputs("summary", model, inputs, options)
    seen = run(model, inputs, options)
    weights = {id(buffer_owner(parameter._data)) for parameter in model.parameters()}
    counted: set[int] = set()
    rows = []
    for call in seen.calls:
        if depth is None or call.depth <= depth:
            key = id(call.module or call)  # the module may be gone
            first = key not in counted
            counted.add(key)
            rows.append(layer_of(call, seen.nodes_of(call), weights, first))
    return Summary(rows)


def layer_of(call: Call, nodes: list[Node], weights: set[int], first: bool) -> Layer:
    """The row of a call, whose parameters count if it is the module's first one."""
    parameters = list(call.module.parameters()) if first and call.module is not None else []
    return Layer(
        layer=call.layer,
        path=call.path,
        depth=call.depth,
        output=[each.shape for each in call.outputs],
        parameters=sum(p.numel() for p in parameters),
        multiply_adds=sum(map(multiply_adds, nodes)),
        memory=kept_bytes(nodes, weights),
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
    )


def cells(row: Layer, indent: str) -> tuple[str, ...]:
    """A row as text, in the order of HEAD."""
    some = "yes" if row.trainable == row.parameters else f"{row.trainable:,}" if row.trainable else "no"
    return (
        f"{indent}{row.layer}",
        row.path,
        ", ".join(map(str, row.output)),
        f"{row.parameters:,}",
        f"{row.multiply_adds:,}",
        human_bytes(row.memory),
        some if row.parameters else "",
    )


__all__ = ["Layer", "Summary", "summary"]
