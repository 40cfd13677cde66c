"""How a picture looks, as data: Graphviz attributes for each kind of box.

What computes has round corners, and another colour if a recorded backward pass made it; tensors have square ones, and
their border says which they are (plain: parameter, dashed: input, double: output). So a picture reads as well without
its colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

Attributes: TypeAlias = Mapping[str, str]

SHAPE_OF = {
    "op": {"shape": "box", "style": "rounded,filled"},
    "gradient": {"shape": "box", "style": "rounded,filled"},
    "parameter": {"shape": "box", "style": "filled"},
    "input": {"shape": "box", "style": "filled,dashed"},
    "output": {"shape": "box", "style": "filled", "peripheries": "2"},
    "note": {"shape": "note", "style": "filled"},
    "heat": {"shape": "box", "style": "filled", "width": "1.6"},
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
    note: Attributes
    heat: Attributes  # of the scale of colours, whose ends are those of its fill


def theme(background: str, text: str, faint: str, boxes: Mapping[str, tuple[str, str]]) -> Theme:
    """A theme from its colours; `boxes` gives each kind of box its fill and its border."""
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
    )


LIGHT = theme(
    background="#ffffff",
    text="#1f2430",
    faint="#66707f",
    boxes={
        "op": ("#e9eff8", "#54719e"),
        "gradient": ("#fbebe7", "#b0604a"),
        "parameter": ("#fcf1dc", "#b5802a"),
        "input": ("#e6f4ea", "#3f8a55"),
        "output": ("#f1e9f7", "#7c57a3"),
        "note": ("#fff8c5", "#9a7d0a"),
        "heat": ("#fdf3e7:#ee8a5f", "#b0604a"),
    },
)
DARK = theme(
    background="#1b1e25",
    text="#e6e9ef",
    faint="#9aa4b5",
    boxes={
        "op": ("#2a3547", "#7f9fd0"),
        "gradient": ("#47302a", "#d88d77"),
        "parameter": ("#3d3220", "#d6a550"),
        "input": ("#213a2b", "#6dbb85"),
        "output": ("#382c47", "#b391da"),
        "note": ("#45401f", "#d9c452"),
        "heat": ("#262a33:#a8431f", "#d88d77"),
    },
)
THEMES = {"light": LIGHT, "dark": DARK}
