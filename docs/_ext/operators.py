"""Writes the pages of operators, a chapter each, from the registry: what an op declares is read, or tried."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections import defaultdict
from functools import cache
from typing import Any

import numpy as np
from make_operations import CHAPTERS, TORCH

from _ext.api import entry_text, unique
from _ext.docstrings import escaped, markdown, text_of
from _ext.dtypes import accepted
from _ext.names import OPS, Entry, entries, first_line, title_of
from _ext.sources import ROOT
from tinygrad_dl.core.declaration import REGISTRY
from tinygrad_dl.core.declared import MEANINGS, source_of
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.func.batched import KINDS
from tinygrad_dl.func.tangents import carriers

INTRODUCTION = """# Operators

Each operation is declared in one place: a function of arrays, and rules that name what they read. These pages are
written from the declarations whenever the site is built: the rules below are the source that runs, the dtypes were
tried on legal arguments, and what [differs from PyTorch](../differences.md) is repeated at the operations it names.

In a rule, `g` is the gradient of the output, `out` the output, `t` the tangent of an argument, `<argument>_shape` a
shape, and every other name an argument. What a rule reads is what a call keeps until its backward pass.
[How it works](../how_it_works.md) explains both passes, [Contributing](../contributing.md) how to add an operation.
"""


def pages() -> dict[str, str]:
    """All pages of operators, by their paths in the site."""
    chapters: dict[str, dict[str, list[Entry]]] = {name: defaultdict(list) for name in CHAPTERS}
    for entry in unique(entries().values()):
        place, _, chapter = entry.page.partition("/")
        if place == "operators":
            chapters[chapter][entry.module].append(entry)
    for op in REGISTRY.values():  # what layers and other functions call
        chapter, _, file = op.home.removeprefix(OPS).rpartition(".")[0].partition(".")
        if file and op.home.startswith(OPS):  # users declare ops, too
            chapters[chapter].setdefault(f"{OPS}{chapter}.{file}", [])
    made = {f"operators/{name}.md": page(name, found) for name, found in chapters.items() if found}
    rows = ["| chapter | in PyTorch's documentation | operations |", "|---|---|---|"]
    for name, found in chapters.items():
        if found:
            title, where = CHAPTERS[name]
            count = sum(len(shown) + len(ops_behind(module)) for module, shown in found.items())
            rows.append(f"| [{name.capitalize()}]({name}.md) | [{title}]({TORCH}{where}) | {count} |")
    toctree = ["```{toctree}", ":hidden:", "", *[name for name, found in chapters.items() if found], "```"]
    return {"operators/index.md": "\n".join([INTRODUCTION, *rows, "", *toctree, ""]), **made}


def page(chapter: str, files: dict[str, list[Entry]]) -> str:
    """A chapter: a section for each file."""
    title, where = CHAPTERS[chapter]
    lines = [f"# {chapter.capitalize()}", "", f"PyTorch's chapter: [{title}]({TORCH}{where}).", ""]
    for module in sorted(files, key=lambda name: ("._" in name, name)):  # helpers last
        behind = ops_behind(module)
        if not files[module] and not behind:
            continue
        lines += [f"## {title_of(module)}", "", escaped(first_line(module)), ""]
        for entry in sorted(files[module], key=lambda entry: entry.names[0].split(".")[-1].lower()):
            op = op_of(entry)
            more = declared(op, entry) if op is not None else differences(entry)
            lines += [entry_text(entry, f"operators/{chapter}", more), ""]
        for op in behind:
            lines += [
                f"### {op.name} (behind other functions)",
                "",
                markdown(text_of(op.function)),
                "",
                declared(op),
                "",
            ]
    return "\n".join(lines)


def ops_behind(module: str) -> list[Any]:
    """The ops that a file declares and that have no public name: functions call them."""
    shown = {id(op_of(entry)) for entry in entries().values()}
    found = [op for op in REGISTRY.values() if op.home.rpartition(".")[0] == module and id(op) not in shown]
    return sorted(found, key=lambda op: op.name)


def op_of(entry: Entry) -> Any:
    """The op that a public function is, or that it calls under its own name; None if it is made of several."""
    place, _, chapter = entry.page.partition("/")
    if place != "operators":
        return None
    op = getattr(entry.value, "op", None) or REGISTRY.get(entry.names[0].rpartition(".")[2])
    return op if op is not None and op.home.startswith(f"{OPS}{chapter}.") else None


def declared(op: Any, entry: Entry | None = None) -> str:
    """What the declaration says of an op."""
    facts = [f"**Kind**: {op.kind}: {MEANINGS[op.kind]}."]
    if op.linear:
        facts.append(f"**Linear in** {names(op.linear)}.")
    dtypes = accepted(op, entry.value) if entry else ""
    facts += [*([f"**dtypes**: {dtypes}"] if dtypes else []), *transforms(op)]
    numpy = sorted(
        {f"np.{f.__name__}" for f, function in NUMPY.items() if function is op.function and hasattr(np, f.__name__)}
    )
    if numpy:
        facts.append(f"**NumPy**: {names(numpy)} of tensors.")
    source = rules(op)
    if source:
        source = f"**Gradients**\n\n```python\n{source}\n```"
    elif not op.records:
        facts.append("**Gradients**: none; the result is a constant.")
    facts_list = "\n".join(f"- {fact}" for fact in facts)
    return "\n\n".join(part for part in (source, facts_list, differences(entry) if entry else "") if part)


def rules(op: Any) -> str:
    """The rules of gradients as they are declared: lambdas in their place, and functions below."""
    found = dict(op.rules)
    if op.joint is not None:
        found |= dict.fromkeys(op.joint[0], op.joint[1])
    if not any(found.values()):
        return ""
    texts = {name: "None" if rule is None else source_of(rule) for name, rule in found.items()}
    named = {rule: rule.__name__ for name, rule in found.items() if rule and not texts[name].startswith("lambda")}
    lines = [f"    {name}={named.get(found[name], text)}," for name, text in texts.items()]
    return "\n\n".join(["\n".join([f"{op.name}.vjp(", *lines, ")"]), *[definition(rule) for rule in named]])


def definition(rule: Any) -> str:
    """The source of a function; of one that was made by another, what it is called."""
    text = textwrap.dedent(inspect.getsource(rule)).strip()
    return text if text.startswith(("def ", "@")) else f"# {source_of(rule)}"


def transforms(op: Any) -> list[str]:
    """How the op goes through forward mode and vmap."""
    lines = []
    if op.records and op.differentiable:
        found = carriers(op, op.differentiable)
        if found is None:
            how = "through the gradient rules, backwards twice"
        elif op.tangents or op.joint_tangents or op.value_with_tangent:
            how = "rules of its own"
        elif op.linear:
            how = "the op itself on the tangents, as it is linear"
        else:
            how = f"the gradient rules, as of every op of the kind {op.kind}"
        lines.append(f"**Forward mode**: {how}.")
    if op.decomposed is not None:
        how = "as the operations that it stands for"
    elif op.batching is not None:
        how = "a rule of its own"
    elif op.kind in KINDS:
        how = f"that of the kind {op.kind}"
    else:
        how = "one example after the other, with a warning"
    return [*lines, f"**vmap**: {how}."]


@cache
def difference_rows() -> list[tuple[frozenset[str], str]]:
    """The rows of docs/differences.md: the names in code in the first cell, and the row as a sentence."""
    rows = []
    for line in (ROOT / "docs" / "differences.md").read_text().split("\n"):
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 3 and cells[0] != "here":
            words = {word for code in re.findall(r"`([^`]+)`", cells[0]) for word in re.findall(r"[A-Za-z_]\w*", code)}
            rows.append((frozenset(words), f"{cells[0]}. *PyTorch*: {cells[1]}. *Why*: {cells[2]}."))
    return rows


def differences(entry: Entry) -> str:
    """The differences from PyTorch that name the operation."""
    own = {name.rpartition(".")[2] for name in entry.names}
    found = [text for words, text in difference_rows() if words & own]
    return "**Differs from PyTorch**\n\n" + "\n".join(f"- {text}" for text in found) if found else ""


def names(found: Any) -> str:
    """Names in code, with commas."""
    return ", ".join(f"`{name}`" for name in found)
