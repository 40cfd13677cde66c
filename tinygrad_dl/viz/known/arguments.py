"""The arguments of an operation that have no gradient: constants and options.

A node that was made inside `recording` remembers all of them; else those are known that its rules read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.autograd.saved import PackedNode
from tinygrad_dl.core.graph import Node
from tinygrad_dl.core.layout import preserve_format
from tinygrad_dl.viz.known.recording import place_of
from tinygrad_dl.viz.known.values import Values

SHORT = 24  # characters of an option, from which on its value is left out
# Operations that are written with a sign between their two arguments.
SIGNS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "matmul": "@", "remainder": "%",
}  # fmt: skip
# Options that the ops of a family take in one tuple.
PARTS = {
    "max_pool": ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "avg_pool": ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
}
PART_DEFAULTS = {
    "padding": 0, "dilation": 1, "ceil_mode": False, "count_include_pad": True, "divisor_override": None,
    "memory_format": repr(preserve_format),
}  # fmt: skip
BY_DIMENSION = {"stride", "padding", "dilation", "kernel_size", "scales"}  # one number, or one for each dimension
# What the shapes say already, or is no argument of the user's.
UNSAID = {"shape", "size", "counts", "normalized_shape", "observe", "by_use", "factors", "strides", "path"}
SHORTER = {"split_size_or_sections": "size", "negative_slope": "slope", "kernel_size": "kernel"}
NAMELESS = {"index", "equation", "dtype"}  # whose value says what it is


def stored(node: Any) -> Any:
    """What a place in the graph keeps, None once it was freed; what hooks on saved tensors made of arrays as it is."""
    return node.packed if isinstance(node, PackedNode) else node.saved


def kept(node: Node) -> dict[str, Any]:
    """What a node keeps for its rules, by name; nothing once it was freed."""
    return dict(zip(getattr(node.plan, "saves", ()), stored(node) or (), strict=False))


def known(node: Node) -> dict[str, Any]:
    """The arguments without a gradient that are known, by name."""
    place = place_of(node)
    return kept(node) if place is None else place.arguments


def held(node: Node, name: str) -> Any:
    """The array that was given for an argument without a gradient; None if it is gone, or not known."""
    place = place_of(node)
    array = None if place is None else place.arrays.get(name)
    return kept(node).get(name) if array is None else array()


def options(node: Node) -> dict[str, Any]:
    """The arguments that are no tensors, of those that are known, where they are not the defaults."""
    op = getattr(node.plan, "op", None)
    if op is None:
        return {}
    values = known(node)
    by_position, by_name = op.defaults
    defaults = {**dict(zip(reversed(op.positional), reversed(by_position or ()), strict=False)), **(by_name or {})}
    return {
        name: values[name]
        for name in op.parameters
        if name in values and name not in op.tensors and not same(values[name], defaults.get(name, values))
    }


def constants(node: Node) -> dict[int, tuple[str, np.ndarray | Values]]:
    """The tensors without a gradient that an operation took, as far as they are known, by their positions."""
    op = getattr(node.plan, "op", None)
    if op is None:
        return {}
    values = known(node)
    found = {}
    for position, edge in enumerate(node.edges):
        name = node.plan.argument(position)
        value = values.get(name)
        if value is None and op.sequence in values:
            value = values[op.sequence][position]
        if edge is None and name not in UNSAID and isinstance(value, np.ndarray | Values):
            found[position] = name, value
    return found


def phrases(node: Node) -> list[str]:
    """What an operation does in particular, in a few short texts: `x ** 3`, or `stride 2`, `padding 1`."""
    op = getattr(node.plan, "op", None)
    if op is None:
        return []
    numbers = {name: number(value) for name, value in constants(node).values()}
    operands = [numbers.get(name) for name in op.tensors]
    if op.key in SIGNS and any(operands):
        return [f" {SIGNS[op.key]} ".join(each or "x" for each in operands)]
    found = [f"{name} {text}" for name, text in numbers.items() if text]
    if op.key == "dropout" and dropped(node) is not None:
        found.append(f"p {dropped(node):.2g}")
    given = named_parts(options(node))
    if {"dim0", "dim1"} <= set(given):
        found.append(f"dims {given.pop('dim0')}, {given.pop('dim1')}")
    for name, value in given.items():
        if value is True:
            found.append(name)
        elif name not in UNSAID:
            text = (
                value.removeprefix("tinygrad_dl.")
                if isinstance(value, str)
                else written(alike(value) if name in BY_DIMENSION else value)
            )
            found.append(text if name in NAMELESS else f"{SHORTER.get(name, name)} {text}")
    return found


def named_parts(values: dict[str, Any]) -> dict[str, Any]:
    """Options by their own names, where an op takes several in one tuple, and without those that are as usual."""
    whole: Any = values.get("options")
    names = next((names for names in PARTS.values() if isinstance(whole, tuple) and len(names) == len(whole)), None)
    if names is not None:
        values = {**dict(zip(names, whole, strict=True)), **{n: v for n, v in values.items() if n != "options"}}
        if same(values["stride"], values["kernel_size"]):
            del values["stride"]
    usual = {**PART_DEFAULTS, "stride": None if names else 1}
    return {name: v for name, v in values.items() if name not in usual or not same(alike(v), usual[name])}


def dropped(node: Node) -> float | None:
    """The probability with which a node of dropout left an element out, from the factors of the others."""
    factors = known(node).get("factors")
    high = factors.high if isinstance(factors, Values) else float(factors.max()) if factors is not None else None
    return 1 - 1 / high if high else None


def alike(value: Any) -> Any:
    """One number for a tuple, of tuples too, in which all are equal.

    >>> alike(((1, 1), (1, 1))), alike((2, 3))
    (1, (2, 3))
    """
    if isinstance(value, tuple) and value:
        parts = [alike(each) for each in value]
        if all(same(each, parts[0]) for each in parts):
            return parts[0]
    return value


def same(a: Any, b: Any) -> bool:
    """Whether two options are equal, of whatever type they are; of arrays nobody asks."""
    if type(a) is not type(b) or isinstance(a, np.ndarray | Values):
        return False
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def number(array: Any) -> str | None:
    """A constant of one element as it is written in a program; None for others."""
    if isinstance(array, Values):
        array = array.array
    if not isinstance(array, np.ndarray) or array.ndim:
        return None
    return f"{array.item():g}" if array.dtype.kind == "f" else str(array.item())


def written(value: Any) -> str:
    """An option as text; what is long is left out."""
    if isinstance(value, slice):
        ends = ["" if end is None else str(end) for end in (value.start, value.stop, value.step)]
        return ":".join(ends if value.step is not None else ends[:2])
    if isinstance(value, np.ndarray | Values):
        return number(value) or f"array{tuple(value.shape)}"
    if isinstance(value, np.dtype):
        return str(value)
    if isinstance(value, tuple) and any(isinstance(each, slice | np.ndarray | Values) for each in value):
        return f"({', '.join(map(written, value))})"
    text = "..." if value is Ellipsis else f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= SHORT else "…"
