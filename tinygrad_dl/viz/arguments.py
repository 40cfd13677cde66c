"""What a node of the graph still knows of the arguments of its operation: constants and options that its rules read."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.graph import Node

SHORT = 24  # characters of an option, from which on its value is left out


def kept(node: Node) -> dict[str, Any]:
    """What a node keeps for its rules, by name; nothing once it was freed."""
    return dict(zip(getattr(node.plan, "saves", ()), node.saved or (), strict=False))


def options(node: Node) -> dict[str, Any]:
    """The arguments that are no tensors, of those that the node keeps, where they are not the defaults."""
    op = getattr(node.plan, "op", None)
    if op is None:
        return {}
    values = kept(node)
    by_position, by_name = op.defaults
    defaults = {**dict(zip(reversed(op.positional), reversed(by_position or ()), strict=False)), **(by_name or {})}
    return {
        name: values[name]
        for name in op.parameters
        if name in values and name not in op.tensors and not same(values[name], defaults.get(name, values))
    }


def same(a: Any, b: Any) -> bool:
    """Whether two options are equal, of whatever type they are."""
    return type(a) is type(b) and not isinstance(a, np.ndarray) and bool(a == b)


def number(array: Any) -> str | None:
    """A constant of one element as it is written in a program; None for others."""
    if not isinstance(array, np.ndarray) or array.ndim:
        return None
    return f"{array.item():g}" if array.dtype.kind == "f" else str(array.item())


def written(value: Any) -> str:
    """An option as text; what is long is left out."""
    if isinstance(value, slice):
        ends = ["" if end is None else str(end) for end in (value.start, value.stop, value.step)]
        return ":".join(ends if value.step is not None else ends[:2])
    if isinstance(value, np.ndarray):
        return number(value) or f"array{value.shape}"
    if isinstance(value, tuple) and any(isinstance(each, slice | np.ndarray) for each in value):
        return f"({', '.join(map(written, value))})"
    text = "..." if value is Ellipsis else repr(value)
    return text if len(text) <= SHORT else "…"
