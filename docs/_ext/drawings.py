"""The directive `drawing`: a picture that the page's own code makes while the site is built, light and dark.

    ```{drawing} what the picture shows, for those who cannot see it
    td.viz.graph(loss, model, theme=theme)
    ```

All Python blocks above it on the page have run before. The last line makes the drawing, and is not shown.
"""

from __future__ import annotations

import ast
import contextlib
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from _ext.blocks import code_blocks

FOLDER = "_drawings"


def run(text: str, scope: dict[str, Any], name: str) -> Any:
    """Runs a block; returns the value of its last line if that is an expression."""
    tree = ast.parse(text)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        return exec(compile(tree, name, "exec"), scope)
    exec(compile(ast.Module(tree.body[:-1], []), name, "exec"), scope)
    return eval(compile(ast.Expression(last.value), name, "eval"), scope)


class DrawingDirective(SphinxDirective):
    """A figure for each theme; the browser shows the one that fits."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {"width": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        page = Path(self.env.doc2path(self.env.docname))
        above = "\n".join(page.read_text().split("\n")[: self.lineno])
        folder = Path(self.env.srcdir, FOLDER)
        folder.mkdir(exist_ok=True)
        figure = nodes.container(classes=["drawing"])
        for theme in ("light", "dark"):
            scope: dict[str, Any] = {"__name__": "page", "theme": theme}
            with contextlib.redirect_stdout(None):
                for block in code_blocks(above):
                    exec(compile(block.text, str(page), "exec"), scope)
            drawing = run("\n".join(self.content), scope, str(page))
            name = f"{self.env.docname.replace('/', '-')}-{self.lineno}-{theme}.svg"
            drawing.save(folder / name)
            image = nodes.image(uri=f"/{FOLDER}/{name}", alt=self.arguments[0], classes=[f"only-{theme}"])
            if "width" in self.options:
                image["width"] = self.options["width"]
            figure += image
        return [figure]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("drawing", DrawingDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
