"""The directive `drawing`: what the page's own code draws while the site is built, light and dark.

    ```{drawing} what the picture shows, for those who cannot see it
    td.viz.graph(loss, model, theme=theme)
    ```

All Python blocks above it on the page run first. The last line makes the drawing; the site does not show it.
"""

from __future__ import annotations

import ast
import contextlib
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
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
    """A figure for each theme, of which the browser shows the one that fits; of a page of its own, a frame with it."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        figure = nodes.container(classes=["drawing"])
        for theme in ("light", "dark"):
            drawing = self.drawn(theme)
            name = f"{self.env.docname.replace('/', '-')}-{self.lineno}-{theme}"
            if hasattr(drawing, "html"):
                figure += self.frame(drawing, name)
                break
            folder = Path(self.env.srcdir, FOLDER)
            folder.mkdir(exist_ok=True)
            drawing.save(folder / f"{name}.svg")
            figure += nodes.image(uri=f"/{FOLDER}/{name}.svg", alt=self.arguments[0], classes=[f"only-{theme}"])
        return [figure]

    def drawn(self, theme: str) -> Any:
        """What the last line makes after the blocks above it have run."""
        page = Path(self.env.doc2path(self.env.docname))
        above = "\n".join(page.read_text().split("\n")[: self.lineno])
        scope: dict[str, Any] = {"__name__": "page", "theme": theme}
        with contextlib.redirect_stdout(None), tempfile.TemporaryDirectory() as elsewhere, contextlib.chdir(elsewhere):
            for block in code_blocks(above):
                exec(compile(block.text, "example.py", "exec"), scope)
            return run("\n".join(self.content), scope, "example.py")

    def frame(self, page: Any, name: str) -> nodes.Node:
        """A frame with a page, and a link to it."""
        path = Path(self.env.app.outdir, FOLDER, f"{name}.html")
        path.parent.mkdir(parents=True, exist_ok=True)
        page.save(path)
        href = f"{'../' * self.env.docname.count('/')}{FOLDER}/{name}.html"
        title = escape(self.arguments[0])
        text = f'<iframe src="{href}" title="{title}" loading="lazy"></iframe>'
        return nodes.raw("", f'{text}<p><a href="{href}">The page by itself</a></p>', format="html")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("drawing", DrawingDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
