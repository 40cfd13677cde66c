"""`explain`, which writes the backward pass of a loss as one page that plays it step by step, and the `Page`."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import tempfile
import webbrowser
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.viz.backward.trace import trace
from tinygrad_dl.viz.page.explained import Story
from tinygrad_dl.viz.texts import plural
from tinygrad_dl.viz.themes import DARK, LIGHT, Theme
from tinygrad_dl.writing import write_file

SCRIPTS = (
    "data", "groups", "layout", "picture", "steps", "paths", "arrays", "boxes", "view", "words", "intro", "chain",
    "panel", "tip", "main",
)  # fmt: skip
# The colour of gradients; that of values is the border of operations.
GRADIENT = {"light": "#b3452c", "dark": "#e98e6f"}


@composition
def explain(
    loss: Tensor, params: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | Any = None, *, title: str | None = None
) -> Page:
    """Explains the backward pass of a loss in one HTML page, step by step, with its graph and its numbers.

    The forward pass fills in values, the backward pass gradients. At each operation stand its formula, the gradient
    that arrives, the rule that is applied to it, and what is handed on; where a value was used several times, the sum.
    A parameter that is clicked is followed to the loss, by the chain rule. Modules fold and unfold. All of the page
    works by keyboard. It needs no network: `save` writes one file.

    Values, modules and lines of code are known if the loss was computed inside `viz.recording()`; without, the page
    shows gradients and what the operations keep for them. The graph and all `.grad` are left as they are.

    Args:
        loss: a tensor of one element with a graph that was not freed.
        params: names, as in `graph`; constants can be named too.
        title: what the page is called; the name of the loss if None.

    Returns:
        A `Page`: shown by notebooks, written by `save`, its text in `html`.

    Raises:
        RuntimeError: the loss has no graph, has several elements, or its graph was freed.
        TypeError: an argument is not one of those above.

    >>> w = td.tensor([1.0, -2.0], requires_grad=True)
    >>> with td.viz.recording():
    ...     loss = (w**2).sum()
    >>> td.viz.explain(loss, params={"w": w})
    <Page: 2 operations, 8 steps>
    """
    if title is not None and not isinstance(title, str):
        raise TypeError(f"title: got {type(title).__name__}, expected a str or None")
    if isinstance(loss, Tensor) and loss._edge is not None and loss.numel() != 1:
        raise RuntimeError(
            f"explain: got a tensor of shape {tuple(loss.shape)}, expected a loss of one element; reduce it with sum() "
            "or mean(), or see trace, which takes the gradient to start from"
        )
    steps = trace(loss, params=params)
    if not steps:
        raise RuntimeError("explain: got a leaf, expected a loss that operations computed")
    return Page(Story(loss, steps).data, title)


class Page:
    """The backward pass of a loss as a page that explains it.

    Attributes:
        html: the whole page as text. It asks nothing of the network.

    Notebooks show it in a frame.
    """

    def __init__(self, data: Mapping[str, Any], title: str | None = None):
        self._data = data
        nodes = data["nodes"]
        self._counts = f"{plural(len(data['backward']), 'operation')}, {plural(steps_of(data), 'step')}"
        parameters = sum(row[0] == 1 for row in nodes)
        counts = f"{plural(len(data['backward']), 'operation')} · {plural(parameters, 'parameter')}"
        self.html = written(data, data["title"] if title is None else title, counts)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes it to a file, whole or not at all. Folders are made as needed. Returns the path.

        Raises:
            ValueError: the name does not end in .html or .htm. OSError: the place can't be written to.
        """
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"Page.save: got {type(path).__name__}, expected a path, such as 'explained.html'")
        path = Path(path)
        if path.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"Page.save: got the path {str(path)!r}, expected one that ends in .html")
        write_file(path, self.html.encode(), "Page.save")
        return path

    def open(self) -> Path:
        """Opens it in the web browser, from a temporary file, whose path it returns."""
        folder = tempfile.mkdtemp(prefix="explain-")
        path = self.save(os.path.join(folder, "explain.html"))
        webbrowser.open(path.as_uri())
        return path

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts" title="backpropagation, step by step" '
            'style="width: 100%; height: 720px; border: 0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<Page: {self._counts}>"


def steps_of(data: Mapping[str, Any]) -> int:
    """How many steps there are with all modules unfolded: each operation twice, each leaf, the loss, start and end."""
    leaves = sum(row[0] in (1, 2) for row in data["nodes"])
    return 2 * len(data["backward"]) + leaves + 3


def written(data: Mapping[str, Any], title: str, counts: str) -> str:
    """The page with styles, scripts and data inside of it.

    Its policy allows just these scripts and styles, so nothing else could run even if a name in the data were markup.
    """
    folder = files("tinygrad_dl.viz.page")
    palettes = {"light": colours(LIGHT, "light"), "dark": colours(DARK, "dark")}
    style = filled((folder / "explain.css").read_text("utf-8"), palettes)
    parts = "\n".join((folder / f"{name}.js").read_text("utf-8") for name in SCRIPTS)
    script = f'(() => {{\n"use strict";\n{parts}\n}})();\n'
    sources = f"style-src {digest(style)}; script-src {digest(script)}"
    policy = f"default-src 'none'; {sources}; base-uri 'none'; form-action 'none'"
    inside = {
        "policy": policy,
        "title": html.escape(title),
        "counts": html.escape(counts),
        "style": style,
        "script": script,
        "data": as_json(data),
    }
    return filled((folder / "explain.html").read_text("utf-8"), inside)


def filled(template: str, values: Mapping[str, str]) -> str:
    """A template with its {{names}} replaced, in one pass: what is put in is not read again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], template)


def digest(text: str) -> str:
    """A script or style as the content security policy names it.

    Source: https://www.w3.org/TR/CSP3/#grammardef-hash-source
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def as_json(data: Any) -> str:
    """JSON that can stand in a script element: no character in it begins or ends markup."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def colours(theme: Theme, name: str) -> str:
    """The colours of a theme as CSS variables."""
    found = {
        "background": theme.graph["bgcolor"],
        "text": theme.graph["fontcolor"],
        "faint": theme.edge["color"],
        "gradient": GRADIENT[name],
    }
    for kind in ("op", "parameter", "input", "output"):
        box = getattr(theme, kind)
        found |= {f"{kind}-fill": box["fillcolor"], f"{kind}-border": box["color"]}
    return " ".join(f"--{name}: {value};" for name, value in found.items())


__all__ = ["Page", "explain"]
