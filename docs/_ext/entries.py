"""Entries of values with several names, by the option `also` of Sphinx's directives; types that are links."""

from __future__ import annotations

from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyClasslike, PyFunction, PyMethod


def with_other_names(base: Any) -> type:
    """A directive of the domain for Python that has the option."""

    class Directive(base):
        option_spec: ClassVar = {**base.option_spec, "also": directives.unchanged}

        def get_signatures(self) -> list[str]:
            others = self.options.get("also", "")
            return [*super().get_signatures(), *(name.strip() for name in others.split(";") if name.strip())]

        def _toc_entry_name(self, signature: Any) -> str:
            first = not any(child.tagname == "desc_signature" for child in signature.parent[:-1])
            return super()._toc_entry_name(signature) if first else ""

    return Directive


def unlink_other_types(app: Sphinx, doctree: nodes.document) -> None:
    """Types of Python, NumPy and others are no links: `bool` is not `td.bool`."""
    for reference in [*doctree.findall(addnodes.pending_xref)]:
        if reference.get("reftype") == "class" and not reference["reftarget"].startswith("td."):
            forms = [*reference.findall(addnodes.pending_xref_condition)]  # in short, and in full
            reference.replace_self(forms[0].children if forms else reference.children)


def setup(app: Sphinx) -> dict[str, bool]:
    for name, base in {
        "function": PyFunction,
        "method": PyMethod,
        "class": PyClasslike,
        "exception": PyClasslike,
    }.items():
        app.add_directive_to_domain("py", name, with_other_names(base), override=True)
    app.connect("doctree-read", unlink_other_types)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
