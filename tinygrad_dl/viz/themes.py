"""How a picture looks, as data: Graphviz attributes for each kind of box.

What computes has round corners, and another colour if a recorded backward pass made it; tensors have square ones, and
their border says which they are (plain: parameter, dashed: input, dotted: without a gradient, double: output). So a
picture reads as well without its colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

Attributes: TypeAlias = Mapping[str, str]

SHAPE_OF = {
    "op": {"shape": "box", "style": "rounded,filled"},
    "gradient": {"shape": "box", "style": "rounded,filled"},
    "parameter": {"shape": "box", "style": "filled"},
    "input": {"shape": "box", "style": "filled,dashed"},
    "output": {"shape": "box", "style": "filled", "peripheries": "2"},
    "constant": {"shape": "box", "style": "filled,dotted"},
    "note": {"shape": "note", "style": "filled"},
    "heat": {"shape": "box", "style": "filled", "width": "1.6"},
    "module": {"shape": "box", "style": "rounded,filled"},
    "again": {"shape": "box", "style": "filled,dotted"},
}
FONT = "Helvetica,Arial,Liberation Sans,Nimbus Sans,DejaVu Sans Condensed,sans-serif"


class Theme(NamedTuple):
    """Graphviz attributes of the picture, of every box and arrow, and of each kind of box.

    Make your own from one that is there:

    >>> from tinygrad_dl import viz
    >>> bold = viz.LIGHT._replace(edge={**viz.LIGHT.edge, "penwidth": "2"})

    Source: https://graphviz.org/doc/info/attrs.html
    """

    graph: Attributes
    node: Attributes
    edge: Attributes
    op: Attributes
    gradient: Attributes
    parameter: Attributes
    input: Attributes
    output: Attributes
    constant: Attributes
    note: Attributes
    heat: Attributes  # of the scale of colours, whose ends are those of its fill
    module: Attributes = MappingProxyType({})  # a module that is not opened
    again: Attributes = MappingProxyType({})  # a leaf that another box shows too
    frame: Attributes = MappingProxyType({})  # around an open module
    repeated: Attributes = MappingProxyType({})  # around a part that repeats
    joint: Attributes = MappingProxyType({})  # a point where an arrow into a frame forks


def theme(
    background: str, text: str, faint: str, frames: tuple[str, str], boxes: Mapping[str, tuple[str, str]]
) -> Theme:
    """A theme from its colours; `boxes` gives each kind of box its fill and its border, `frames` those of frames."""
    frame = {
        "bgcolor": frames[0],
        "color": frames[1],
        "fontcolor": faint,
        "fontsize": "10",
        "labeljust": "l",
        "margin": "12",
        "penwidth": "1",
        "style": "rounded",
    }
    kinds = {kind: {**SHAPE_OF[kind], "fillcolor": fill, "color": border} for kind, (fill, border) in boxes.items()}
    return Theme(
        graph={
            "bgcolor": background,
            "fontcolor": text,
            "fontname": FONT,
            "fontsize": "13",
            "labelloc": "t",
            "nodesep": "0.3",
            "pad": "0.4,0.25",
            "ranksep": "0.4",
        },
        node={
            "fontcolor": text,
            "fontname": FONT,
            "fontsize": "11",
            "height": "0.4",
            "margin": "0.2,0.08",
            "penwidth": "1.2",
        },
        edge={
            "arrowsize": "0.6",
            "color": faint,
            "fontcolor": faint,
            "fontname": FONT,
            "fontsize": "9",
            "penwidth": "1.1",
        },
        **kinds,
        frame=frame,
        joint={"shape": "point", "width": "0.06", "height": "0.06", "color": faint},
        repeated={**frame, "penwidth": "1.6", "style": "rounded,dashed"},
    )


LIGHT = theme(
    background="#ffffff",
    text="#1f2430",
    faint="#66707f",
    frames=("#f7f9fc", "#b9c4d6"),
    boxes={
        "op": ("#e9eff8", "#54719e"),
        "gradient": ("#fbebe7", "#b0604a"),
        "parameter": ("#fcf1dc", "#b5802a"),
        "input": ("#e6f4ea", "#3f8a55"),
        "output": ("#f1e9f7", "#7c57a3"),
        "constant": ("#f6f7f9", "#8b94a3"),
        "note": ("#fff8c5", "#9a7d0a"),
        "heat": ("#fdf3e7:#ee8a5f", "#b0604a"),
        "module": ("#dbe6f5", "#3f5f92"),
        "again": ("#fdf8ec", "#b5802a"),
    },
)
DARK = theme(
    background="#1b1e25",
    text="#e6e9ef",
    faint="#9aa4b5",
    frames=("#20242d", "#4a566b"),
    boxes={
        "op": ("#2a3547", "#7f9fd0"),
        "gradient": ("#47302a", "#d88d77"),
        "parameter": ("#3d3220", "#d6a550"),
        "input": ("#213a2b", "#6dbb85"),
        "output": ("#382c47", "#b391da"),
        "constant": ("#23272f", "#7b8594"),
        "note": ("#45401f", "#d9c452"),
        "heat": ("#262a33:#a8431f", "#d88d77"),
        "module": ("#2c3d58", "#8fb0e3"),
        "again": ("#2e281c", "#d6a550"),
    },
)
THEMES = {"light": LIGHT, "dark": DARK}
