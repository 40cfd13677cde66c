"""Messages are long lines, which the site breaks; tables and all other outputs scroll."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx

LONG = 120


def mark(app: Sphinx, doctree: nodes.document) -> None:
    """Gives outputs with a line that is a sentence the class `message`."""
    for block in doctree.findall(nodes.literal_block):
        if block.get("language") == "output" and max(map(len, block.astext().split("\n"))) > LONG:
            block["classes"].append("message")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
