"""`graph`, which draws the graph of a tensor, and the `Drawing` that it returns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn
from tinygrad_dl.func.trees import flatten
from tinygrad_dl.nn.module import Module
from tinygrad_dl.viz.known.numbers import Numbers
from tinygrad_dl.viz.known.subject import computation, heading
from tinygrad_dl.viz.pictures import dot
from tinygrad_dl.viz.pictures.heat import Heat
from tinygrad_dl.viz.pictures.legend import with_legend
from tinygrad_dl.viz.pictures.read import Shown, read
from tinygrad_dl.viz.pictures.render import RenderError, format_of, render
from tinygrad_dl.viz.texts import plural
from tinygrad_dl.viz.themes import THEMES, Theme
from tinygrad_dl.writing import write_file

DIRECTIONS = ("TB", "LR", "BT", "RL")


Named: TypeAlias = Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | Any


@composition
def graph(
    tensor: Tensor | Iterable[Tensor] | Module,
    *inputs: Any,
    params: Named = None,
    options: Mapping[str, Any] | None = None,
    depth: int | None = None,
    expand: str | Iterable[str] = (),
    roll: bool | None = None,
    values: bool = False,
    gradients: bool = False,
    gradient: Any = None,
    heat: str | None = None,
    max_nodes: int = 500,
    show_saved: bool | None = None,
    show_shapes: bool = True,
    show_constants: bool = True,
    direction: str = "TB",
    theme: Theme | str = "light",
    title: str | None = None,
    summary: bool = False,
    legend: bool = False,
) -> Drawing:
    """Draws the graph of operations that led to a tensor, or to several, or that of a model.

    A model is called once with the inputs, and left as it was. Its modules are boxes, or frames around what is in
    them; those of a tensor too if it was computed inside `viz.recording()`. Layers of the same structure in a row are
    drawn once, with their number, and so is a loop over time, with its state as a dashed arrow back. As many levels of
    modules are opened as there is room for in a picture of about 1400 x 2000 points.

    Each operation shows its options, its output's shape and the bytes of the arrays that it keeps for its gradient, and
    whether it works in place, is a view, or was made by a recorded backward pass. Of a leaf with more than four arrows
    there is a box at each of its uses. The text is the same in every run of the same program.

    Args:
        tensor: the output, or a tuple or list of them; or a model.
        inputs: what the model is called with; after a tensor, one more is `params`.
        params: names: a dict of name -> tensor, a module, or (name, tensor) pairs such as
            `model.named_parameters()`. Other tensors have the names of variables if they are known, inside
            `viz.recording()`. Leaves that were given no name and are no `nn.Parameter` are inputs.
        options: what the model is called with by name: `model(*inputs, **options)`.
        depth: how many levels of modules are opened: of 0 the model is one box, of 1 the modules that it calls are.
        expand: paths of modules that are opened however deep they are, or patterns such as "blocks.0" or "*.attention".
        roll: whether what repeats is drawn once; if it is None, in a picture that were too large else, and at a `depth`
            where it takes half the boxes away.
        values: whether boxes show the numbers: small arrays whole, of larger ones range and mean. Results that no
            operation keeps are known only of a model, and of what was computed inside `td.viz.recording()`.
        gradients: whether boxes show the gradient that a backward pass brings; the graph and all `.grad` stay as is.
        gradient: of an output that is no scalar, its own gradient, as for `backward`; of several outputs a list.
        heat: what colours say: "memory", the bytes kept for the backward pass; "cost", multiplications each with an
            addition; "gradient", the norm of the gradient, on a scale of factors.
        max_nodes: of a larger picture, the boxes nearest to the output are drawn and a note says so.
        show_saved: whether operations show the bytes that they keep; if it is None, those of a tensor's graph do.
        show_shapes: whether shapes and dtypes are shown.
        show_constants: whether tensors without a gradient have boxes, as far as they are known: those that operations
            keep, and of a model, or inside `td.viz.recording()`, all. What was detached has a dashed arrow.
        direction: where the arrows run: "TB" from top to bottom, "LR", "BT" or "RL".
        theme: "light", "dark" or a `Theme`.
        title: a line above the picture; of a model its class and parameters if it is None, and none if it is "".
        summary: whether a line above the picture counts operations, parameters and kept bytes.
        legend: whether a frame beside the picture says what the kinds of boxes are, and the words in them mean.

    Returns:
        A `Drawing`: shown by notebooks, written by `save`, its text in `source`.

    Raises:
        RuntimeError: a tensor has no graph, the model failed or returned no tensor that has one, or gradients are asked
            for of a graph that was freed.
        TypeError, ValueError: an argument is not one of those above.

    >>> w = td.tensor([1.0, 2.0], requires_grad=True)
    >>> drawing = td.viz.graph((w * 3).sum(), params={"w": w})
    >>> print(drawing.source.splitlines()[0])
    digraph {
    >>> model = td.nn.Sequential(td.nn.Linear(4, 8), td.nn.ReLU(), td.nn.Linear(8, 2))
    >>> td.viz.graph(model, td.ones(16, 4), depth=1)
    <Drawing: 3 operations · 4 parameters · 960 B saved for backward>
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"direction: got {direction!r}, expected one of {', '.join(DIRECTIONS)}")
    if not isinstance(theme, Theme):
        if theme not in THEMES:
            raise ValueError(f"theme: got {theme!r}, expected {' or '.join(map(repr, THEMES))}, or a viz.Theme")
        theme = THEMES[theme]
    if max_nodes < 1:
        raise ValueError(f"max_nodes: got {max_nodes}, expected 1 or more")
    check_extent(depth, expand, roll)
    run, names, sources = computation(tensor, inputs, params, values, options)
    numbers = Numbers(leaf for leaf in flatten(run.output)[0] if isinstance(leaf, Tensor))
    if values:
        numbers.find_values()
        numbers.wanted["data"] = numbers.values
    heated = None if heat is None else Heat(heat, numbers.norms)
    if gradient is not None and not gradients and heat != "gradient":
        raise ValueError("gradient: got one, expected gradients=True or heat='gradient' with it, which it is for")
    if gradients or heat == "gradient":
        numbers.find_gradients(gradient)
    if gradients:
        numbers.wanted["grad"] = numbers.gradients
    of_model = isinstance(tensor, Module)
    show = Shown(
        depth=depth,
        expand=(expand,) if isinstance(expand, str) else tuple(expand),
        roll=roll,
        max_nodes=max_nodes,
        shapes=show_shapes,
        saved=not of_model if show_saved is None else show_saved,
        constants=show_constants,
        sideways=direction in ("LR", "RL"),
    )
    picture = read(run, names, sources, show, numbers, heated)
    if picture.left_out:
        total = max_nodes + picture.left_out
        warn(
            f"the graph has {plural(total, 'node')}; the {max_nodes} nearest to the output are drawn and "
            f"{picture.left_out:,} left out; pass max_nodes={total} to draw them all, or roll=True to draw once what "
            "repeats"
        )
    if title is None and isinstance(tensor, Module):
        title = heading(tensor)
    if legend:
        picture = with_legend(picture)
    captions = [*([title] if title else []), *([picture.summary] if summary else []), *picture.hints]
    return Drawing(dot.write(picture, theme, direction, captions), picture.summary)


def check_extent(depth: Any, expand: Any, roll: Any) -> None:
    """Refuses what says not how much is to be drawn."""
    if depth is not None and (not isinstance(depth, int) or isinstance(depth, bool) or depth < 0):
        raise ValueError(f"depth: got {depth!r}, expected how many levels of modules to open, 0 or more, or None")
    if roll is not None and not isinstance(roll, bool):
        raise ValueError(f"roll: got {roll!r}, expected True, False or None")
    if not isinstance(expand, str) and not (
        isinstance(expand, Iterable) and all(isinstance(each, str) for each in expand)
    ):
        raise TypeError(f"expand: got {expand!r}, expected the path of a module, or a list of paths")


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
        write_file(path, self.source.encode() if form == "text" else render(self.source, form), "Drawing.save")
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
