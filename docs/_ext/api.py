"""Writes the pages of the API, one for each namespace, and the entry of each public name."""

from __future__ import annotations

import inspect
import os
import types
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from _ext.docstrings import escaped, first_sentence, markdown, text_of
from _ext.names import NAMESPACES, Entry, entries, first_line, module_of, place_of, public_names, qualified, title_of
from _ext.signatures import signature
from _ext.sources import page_of


def pages() -> dict[str, str]:
    """All pages of the API, by their paths in the site."""
    here = [name for name in NAMESPACES if module_of(name) is not None]
    homes: dict[str, list[Entry]] = defaultdict(list)
    for entry in unique(entries().values()):
        homes[entry.page].append(entry)
    made = {f"{path_of(name)}.md": page(name, homes[path_of(name)]) for name in here}
    return {"api/index.md": index(here), **made}


def path_of(namespace: str) -> str:
    """The page of a namespace."""
    return f"api/{namespace.removeprefix('td.')}"


def unique(found: Iterable[Entry]) -> list[Entry]:
    """Each entry once."""
    return list({id(entry): entry for entry in found}.values())


def index(here: list[str]) -> str:
    """The list of namespaces."""
    count = len(entries())
    lines = [
        "# API",
        "",
        f"Every public name, {count:,} of them, has an entry: its signature with types, what it does, what it takes,",
        "returns and refuses, and an example that the tests run. `td` is `tinygrad_dl`. Operations stand in the",
        "chapters of [Operators](../operators/index.md), with their gradient rules; the pages here list them too.",
        "",
        "| namespace | what is in it | names |",
        "|---|---|---|",
    ]
    for name in here:
        page = path_of(name).removeprefix("api/")
        lines.append(f"| [`{name}`]({page}.md) | {NAMESPACES[name]} | {len(public_names(name))} |")
    toctree = [path_of(name).removeprefix("api/") for name in here]
    return "\n".join([*lines, "", "```{toctree}", ":hidden:", "", *toctree, "```", ""])


def page(namespace: str, own: list[Entry]) -> str:
    """A page: what the namespace is, a table of all its names, and the entries that have their home here."""
    value = module_of(namespace)
    is_class = inspect.isclass(value)
    lines = [f"# {namespace}", "", f"**{NAMESPACES[namespace]}.**", ""]
    if not is_class:
        lines += [
            f"```{{py:module}} {namespace}",
            "```",
            "```{py:currentmodule} None",
            "```",
            "",
            markdown(text_of(value)),
            "",
        ]
    else:
        lines += [
            f"Class {{py:class}}`{namespace}` itself is described [there](td.md); here is what its tensors can do.",
            "",
        ]
    lines += ["## All names", "", *table(namespace), ""]
    by_module: dict[str, list[Entry]] = defaultdict(list)
    for entry in own:
        by_module[entry.module].append(entry)
    several = len(by_module) > 1
    for module in sorted(by_module, key=lambda name: (not name, name)):
        if not several:
            lines += ["## Entries", ""]
        elif module in ("", namespace.replace("td", "tinygrad_dl", 1)):
            lines += ["## In the package itself" if module else "## Constants and modules", ""]
        else:
            lines += [f"## {title_of(module)}", "", escaped(first_line(module)), ""]
        for entry in sorted(by_module[module], key=lambda entry: entry.names[0].lower()):
            lines += [entry_text(entry, path_of(namespace)), ""]
    return "\n".join(lines)


def table(namespace: str) -> list[str]:
    """A row for each public name of a namespace: the link to its entry, and its first sentence."""
    lines = ["| name | what it is |", "|---|---|"]
    for name, value in sorted(public_names(namespace).items(), key=lambda pair: pair[0].lower()):
        full = f"{namespace}.{name}"
        if full in NAMESPACES:
            lines.append(f"| [`{name}`]({path_of(full).removeprefix('api/')}.md) | {NAMESPACES[full]} |")
            continue
        text = first_sentence(text_of(value)) if has_text(value) else shown(value)
        lines.append(f"| {{py:obj}}`{name} <{full}>` | {escaped(text)} |")
    return lines


def has_text(value: Any) -> bool:
    """Whether a value has a docstring of its own, and not that of its class."""
    return callable(value) or isinstance(value, property | types.ModuleType)


def shown(value: Any) -> str:
    """A constant."""
    return f"`{value!r}`"


def entry_text(entry: Entry, page: str, more: str = "") -> str:
    """The entry of a name: signatures, the docstring, what `more` adds, and the members of a class."""
    value, (name, *others) = entry.value, entry.names
    if inspect.isclass(value):
        kind, first = "exception" if issubclass(value, BaseException) else "class", name + qualified(signature(value))
    elif isinstance(value, property):
        kind, first, others = "property", name, []
    elif isinstance(value, types.ModuleType) or not callable(value):
        kind, first, others = "data", name, []
    else:
        method = name.startswith("td.Tensor.")
        kind, first = "method" if method else "function", name + qualified(signature(value, bound=method))
        others = [f"{other}{'()' if '.Tensor.' in other else ''}" for other in others]
    text = markdown(text_of(value)) if has_text(value) else shown(value)
    body = [text, more, *[member_text(name, *member, page) for member in entry.members], source(value, page)]
    return directive(kind, first, others, [part for part in body if part], ":" * 6)


def member_text(owner: str, name: str, value: Any, page: str) -> str:
    """The entry of a method or property inside of its class."""
    inner = getattr(value, "__func__", value)
    if isinstance(value, property):
        return directive("property", f"{owner}.{name}", [], [markdown(text_of(value))], ":" * 5)
    kind = "staticmethod" if isinstance(value, staticmethod) else "classmethod" if inner is not value else "method"
    head = f"{owner}.{name}{qualified(signature(inner, bound=kind != 'staticmethod'))}"
    return directive(kind, head, [], [markdown(text_of(inner))], ":" * 5)


def directive(kind: str, head: str, others: list[str], body: list[str], fence: str) -> str:
    """A description in Sphinx's domain for Python."""
    also = f":also: {'; '.join(others)}\n" if others else ""
    return f"{fence}{{py:{kind}}} {head}\n{also}\n" + "\n\n".join(body) + f"\n{fence}"


def source(value: Any, page: str) -> str:
    """The link to the lines where it is written."""
    found = place_of(value)
    if found is None:
        return ""
    path, line = found
    href = os.path.relpath(page_of(path), PurePosixPath(page).parent)
    return f'<p class="source-link"><a class="source" href="{href}.html#L{line}">{path}</a></p>'
