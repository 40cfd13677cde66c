"""`graph`, which draws the graph of a tensor, and the `Drawing` that it returns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn
from tinygrad_dl.viz import dot
from tinygrad_dl.viz.heat import Heat
from tinygrad_dl.viz.numbers import Numbers
from tinygrad_dl.viz.read import read
from tinygrad_dl.viz.render import RenderError, format_of, render
from tinygrad_dl.viz.texts import plural
from tinygrad_dl.viz.themes import THEMES, Theme
from tinygrad_dl.writing import replacing

DIRECTIONS = ("TB", "LR", "BT", "RL")


@composition
def graph(
    tensor: Tensor | Iterable[Tensor],
    params: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | Any = None,
    *,
    values: bool = False,
    gradients: bool = False,
    gradient: Any = None,
    heat: str | None = None,
    max_nodes: int = 500,
    show_saved: bool = True,
    show_shapes: bool = True,
    direction: str = "TB",
    theme: Theme | str = "light",
    title: str | None = None,
    summary: bool = False,
) -> Drawing:
    """Draws the graph of operations that led to a tensor, or to several.

    Each operation shows its output's shape and the bytes of the arrays that it keeps for its gradient.
    Constants are no part of the graph. A leaf that is used more than four times is drawn for each use.
    The text is the same in every run of the same program.

    Args:
        tensor: the output, or a tuple or list of them.
        params: names: a dict of name -> tensor, a module, or (name, tensor) pairs such as
            `model.named_parameters()`. Leaves that have no name and are no `nn.Parameter` are "input".
        values: whether boxes show the numbers: small arrays whole, of larger ones range and mean. Results that no
            operation keeps are known only of what was computed inside `td.viz.recording()`.
        gradients: whether boxes show the gradient that a backward pass brings; the graph and all `.grad` stay as is.
        gradient: of an output that is no scalar, its own gradient, as for `backward`; of several outputs a list.
        heat: what colours say: "memory", the bytes kept for the backward pass; "cost", multiplications each with an
            addition; "gradient", the norm of the gradient, on a scale of factors.
        max_nodes: of a larger graph, the nodes nearest to the output are drawn and a note says so.
        show_saved: whether operations show the bytes that they keep.
        show_shapes: whether shapes and dtypes are shown.
        direction: where the arrows run: "TB" from top to bottom, "LR", "BT" or "RL".
        theme: "light", "dark" or a `Theme`.
        title: a line above the picture.
        summary: whether a line above the picture counts operations, parameters and kept bytes.

    Returns:
        A `Drawing`: shown by notebooks, written by `save`, its text in `source`.

    Raises:
        RuntimeError: a tensor has no graph.
        TypeError, ValueError: an argument is not one of those above.
        RuntimeError: gradients are asked for of a graph that was freed.

    >>> w = td.tensor([1.0, 2.0], requires_grad=True)
    >>> drawing = td.viz.graph((w * 3).sum(), params={"w": w})
    >>> print(drawing.source.splitlines()[0])
    digraph {
    """
    outputs = checked_outputs(tensor)
    if direction not in DIRECTIONS:
        raise ValueError(f"direction: got {direction!r}, expected one of {', '.join(DIRECTIONS)}")
    if not isinstance(theme, Theme):
        if theme not in THEMES:
            raise ValueError(f"theme: got {theme!r}, expected {' or '.join(map(repr, THEMES))}, or a viz.Theme")
        theme = THEMES[theme]
    if max_nodes < 1:
        raise ValueError(f"max_nodes: got {max_nodes}, expected 1 or more")
    numbers = Numbers(outputs)
    if values:
        numbers.find_values()
        numbers.wanted["data"] = numbers.values
    heated = None if heat is None else Heat(heat, numbers.norms)
    if gradients or heat == "gradient":
        numbers.find_gradients(gradient)
    if gradients:
        numbers.wanted["grad"] = numbers.gradients
    picture = read(outputs, params, max_nodes, show_shapes, show_saved, numbers, heated)
    if picture.left_out:
        total = max_nodes + picture.left_out
        warn(
            f"the graph has {plural(total, 'node')}; the {max_nodes} nearest to the output are drawn and "
            f"{picture.left_out:,} left out; pass max_nodes={total} to draw them all"
        )
    captions = [*([title] if title else []), *([picture.summary] if summary else []), *picture.hints]
    return Drawing(dot.write(picture, theme, direction, captions), picture.summary)


def checked_outputs(tensor: Any) -> list[Tensor]:
    """The tensors to draw, each of which has a graph."""
    outputs = list(tensor) if isinstance(tensor, tuple | list) else [tensor]
    if not outputs:
        raise ValueError("there is nothing to draw: expected at least one tensor, got none")
    for i, output in enumerate(outputs):
        which = "the tensor" if len(outputs) == 1 else f"tensor {i}"
        if not isinstance(output, Tensor):
            raise TypeError(f"{which} to draw: expected a tinygrad_dl.Tensor, got {type(output).__name__}")
        if output._edge is None:
            raise RuntimeError(
                f"{which} has no graph to draw: got one computed from no tensor that requires a gradient, expected "
                f"another; make an input with requires_grad=True, and compute it outside no_grad()"
            )
    return outputs


class Drawing:
    """A drawn graph: DOT text, which Graphviz turns into a picture.

    Attributes:
        source: the text, in Graphviz's DOT language.
        summary: the number of operations and parameters, and the bytes kept for backward, in one line.

    Notebooks show it as a picture if a renderer is installed, else as its text.
    """

    def __init__(self, source: str, summary: str):
        self.source, self.summary = source, summary

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes it to a file as its name says: `.svg`, `.png`, `.pdf`, or the text as `.dot` or `.gv`.

        Folders are made as needed; the file is written whole or not at all. Returns the path.

        Raises:
            ValueError: the name has another ending. OSError: nothing can be written there.
            RenderError: no installed renderer makes this format, or it failed.
        """
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"Drawing.save: got {type(path).__name__}, expected a path, such as 'graph.svg'")
        path = Path(path)
        form = format_of(path)
        content = self.source.encode() if form == "text" else render(self.source, form)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path, "Drawing.save") as file:
                file.write(content)
        except OSError as error:
            if error.strerror is None:  # it says what is wrong in our words already
                raise
            raise type(error)(
                f"Drawing.save: got {path}, which cannot be written ({error.strerror}), expected a path in a folder "
                "where files may be made; choose another one"
            ) from error
        return path

    @cached_property
    def svg(self) -> str:
        """The picture as SVG text.

        Raises:
            RenderError: no renderer is installed, or it failed.
        """
        return render(self.source, "svg").decode()

    def _repr_svg_(self) -> str | None:
        try:
            return self.svg
        except Exception:  # whatever went wrong, a notebook still shows the text
            return None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        try:
            return {"image/svg+xml": self.svg, "text/plain": repr(self)}
        except Exception as error:
            return {"text/plain": f"{self.source}\n(shown as text: {error})"}

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        return f"<Drawing: {self.summary}>"


__all__ = ["Drawing", "RenderError", "graph"]
