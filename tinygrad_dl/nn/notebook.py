"""A module as notebooks show it: a tree that folds, with shapes and numbers of parameters; loaded at first use."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import Any

from tinygrad_dl.core.table import or_text
from tinygrad_dl.nn.parameter import is_lazy

OPEN, MOST = 2, 200  # how many levels are open at first, and how many parts of a module are shown


@or_text
def module_page(module: Any) -> str:
    """The tree of a module as HTML; neighbours that are alike stand once, with their number."""
    return branch("", module, inside(module, 0), 0)


def branch(label: str, module: Any, text: str, depth: int) -> str:
    """A module under the name that it has in another, with what `inside` says of it; if it holds anything, it folds."""
    title, _, parts = text.partition("\n")
    line = f"<code>{escape(label)}{title}"
    if not parts:
        return f'<div style="margin-left: {2.4 if depth else 0}em">{line}</div>'
    state = " open" if depth < OPEN and module._modules else ""
    return f'<details{state} style="margin-left: {1.4 if depth else 0}em"><summary>{line}</summary>\n{parts}</details>'


def inside(module: Any, depth: int) -> str:
    """What a module is, without the name that it has in another, in one line, and below it what it contains."""
    title = f"<b>{escape(module._get_name())}</b>({escape(' '.join(module.extra_repr().split()))})"
    parts = [*tensors(module), *children(module, depth + 1)]
    left_out = [f"<div>and {len(parts) - MOST:,} more</div>"] if len(parts) > MOST else []
    return "\n".join([f"{title}</code> {size(module)}".rstrip(), *parts[:MOST], *left_out])


def size(module: Any) -> str:
    """The number of parameters in a module, each once, and of those that are frozen."""
    parameters = list(module.parameters())
    known = [p for p in parameters if not is_lazy(p)]
    total, frozen = sum(p.numel() for p in known), sum(p.numel() for p in known if not p.requires_grad)
    words = [f"{total:,} parameter{'s' * (total != 1)}"] if known else []
    words += [f"{frozen:,} frozen"] if frozen else []
    words += [f"{len(parameters) - len(known):,} without a shape yet"] if len(known) < len(parameters) else []
    return " \u00b7 ".join(words)


def tensors(module: Any) -> Iterator[str]:
    """The lines of a module's own parameters and buffers."""
    for kind, found in (("", module._parameters), ("buffer", module._buffers)):
        for name, tensor in found.items():
            if tensor is None:
                continue
            words = ["no shape yet" if is_lazy(tensor) else str(tuple(tensor.shape)), tensor.dtype.name]
            words += [kind or "frozen"] if kind or not tensor.requires_grad else []
            text = f"<code>{escape(name)}</code> {escape(' '.join(words))}"
            yield f'<div style="margin-left: 2.8em">{text}</div>'


def children(module: Any, depth: int) -> Iterator[str]:
    """The branches of the modules inside; of neighbours that read alike, the first, with their names and number."""
    found = [(name, child, inside(child, depth)) for name, child in module._modules.items() if child is not None]
    for text, group in groupby(found, key=lambda each: each[2]):
        alike = list(group)
        first, last = alike[0], alike[-1]
        label = f"({first[0]}): " if first is last else f"({first[0]}-{last[0]}): {len(alike)} x "
        yield branch(label, first[1], text, depth)


__all__ = ["module_page"]
