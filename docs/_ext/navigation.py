"""The list of pages beside each page, made of titles alone.

Sphinx makes it for each page from all entries of all pages, of which the theme then shows the titles: half of the time
that writing took.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sphinx import addnodes
from sphinx.application import Sphinx


class Titles:
    """The pages as a tree, with their titles as HTML."""

    def __init__(self, app: Sphinx):
        self.builder, self.env = app.builder, app.env
        self.title = cache(self._title)

    def _title(self, page: str) -> str:
        found = "".join(self.builder.render_partial(child)["fragment"] for child in self.env.titles[page].children)
        return found.strip()

    def below(self, pages: list[str], here: str, level: int) -> str:
        """A list of pages, and of those below them; the classes are those that the theme knows."""
        items = []
        for page in pages:
            children = self.env.toctree_includes.get(page, [])
            inner = self.below(children, here, level + 1) if children else ""
            current = " current" if page == here or here in children else ""
            href = "#" if page == here else self.builder.get_relative_uri(here, page)
            link = f'<a class="reference internal{current}" href="{href}">{self.title(page)}</a>'
            items.append(f'<li class="toctree-l{level}{current}">{link}{inner}</li>')
        return f"<ul>{''.join(items)}</ul>"

    def whole(self, here: str) -> str:
        """The list of all pages, under the captions of the first page."""
        parts = []
        for node in self.env.master_doctree.findall(addnodes.toctree):
            parts.append(f'<p class="caption" role="heading"><span class="caption-text">{node["caption"]}</span></p>')
            parts.append(self.below([page for _, page in node["entries"]], here, 1))
        return "\n".join(parts)


@cache
def titles(app: Sphinx) -> Titles:
    """Those of a build."""
    return Titles(app)


def replace(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Called before the theme asks for the list."""
    if "toctree" in context:
        context["toctree"] = lambda **options: titles(app).whole(page)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", replace, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
