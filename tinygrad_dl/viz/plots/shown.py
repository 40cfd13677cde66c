"""Figures that notebooks show, also in place of one before; imported with the first figure, since matplotlib is."""

from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path
from typing import Any

from matplotlib import axes, figure

from tinygrad_dl.writing import replacing

SHARP = 2  # pixels of a picture for each of the figure's own, which are those it is shown in
Picture = tuple[bytes, dict[str, int]] | None


class Figure(figure.Figure):
    """A figure that is a picture at the end of a notebook's cell, without pyplot, which knows nothing of it."""

    def _repr_png_(self) -> Picture:
        try:
            picture = io.BytesIO()
            self.savefig(picture, format="png", dpi=SHARP * self.dpi)
            width, height = self.get_size_inches() * self.dpi
            return picture.getvalue(), {"width": round(width), "height": round(height)}
        except Exception:  # whatever went wrong, the notebook still shows the text
            return None


class Axes(axes.Axes):
    """Axes of such a figure, which are shown as the whole of it."""

    def _repr_png_(self) -> Picture:
        return self.figure._repr_png_() if isinstance(self.figure, Figure) else None


class Place:
    """Where a figure is shown again and again: a file, the output of a notebook's cell, or both.

    Args:
        path: the file, as its name says a .png, .svg or .pdf; None for none.
    """

    def __init__(self, path: Path | None):
        self.path = path
        self.handle: Any = None

    def show(self, drawn: figure.Figure) -> None:
        """Writes the figure over the one before, and puts it into the place of the one before."""
        if self.path is not None:
            with replacing(self.path, "Watch") as file:
                drawn.savefig(file, format=self.path.suffix[1:])
        if self.handle is not None:
            self.handle.update(drawn)
        elif in_notebook():
            self.handle = importlib.import_module("IPython.display").display(drawn, display_id=True)


def in_notebook() -> bool:
    """Whether the program runs in a notebook, whose cells can show pictures: a terminal's IPython has no kernel."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython.get_ipython() if ipython else None, "kernel", None) is not None
