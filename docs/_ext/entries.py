"""Entries of values with several names, by the option `also` of Sphinx's directives; types that are links."""

from __future__ import annotations

from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyClasslike, PyFunction, PyMethod, PyProperty, PyVariable


def with_other_names(base: Any) -> type:
    """A directive of the domain for Python that has the option."""

    class Directive(base):
        option_spec: ClassVar = {**base.option_spec, "also": directives.unchanged}

        def get_signatures(self) -> list[str]:
            others = self.options.get("also", "")
            return [*super().get_signatures(), *(name.strip() for name in others.split(";") if name.strip())]

        def add_target_and_index(self, name_cls: tuple[str, str], sig: str, signature: Any) -> None:
            place, _, short = name_cls[0].rpartition(".")
            self.options["no-index-entry"] = True  # it would say that what has no module is built in
            super().add_target_and_index(name_cls, sig, signature)
            self.indexnode["entries"].append(("single", f"{short} ({place})", signature["ids"][0], "", None))

        def before_content(self) -> None:
            self.names = [*self.names[1:], *self.names[:1]]  # members are those of the last name
            super().before_content()

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
    bases = {"function": PyFunction, "method": PyMethod, "class": PyClasslike, "exception": PyClasslike}
    for name, base in {**bases, "data": PyVariable, "property": PyProperty}.items():
        app.add_directive_to_domain("py", name, with_other_names(base), override=True)
    app.connect("doctree-read", unlink_other_types)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
