"""How many multiplications, each with an addition, an operation of the graph takes: those of its products.

Elementwise work, sums and moves count nothing, as is usual: they are little arithmetic, if much memory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from tinygrad_dl.core.graph import Node

Shape = tuple[int, ...]


def multiply_adds(node: Node) -> int:
    """The multiplications of a node's operation, forward."""
    op = getattr(node.plan, "op", None)
    rule = RULES.get(getattr(op, "key", ""))
    return 0 if rule is None else rule(Shapes(node, op))


class Shapes:
    """The shapes that one call of an op had, by the names of its arguments; `out` is that of its first result."""

    def __init__(self, node: Node, op: Any):
        self.node, self.op = node, op
        multiple = op.outputs is not None
        self.out: Shape = node.shape[0] if multiple else node.shape

    def __getitem__(self, name: str) -> Shape:
        edge = self.node.edges[self.op.tensors.index(name)]
        if edge is not None:
            return tuple(edge.shape)
        kept = dict(zip(self.node.plan.saves, self.node.saved or (), strict=False))  # type: ignore[attr-defined]
        return tuple(kept[name].shape) if name in kept else tuple(kept[f"{name}_shape"])


def _product(inner: str) -> Callable[[Shapes], int]:
    """The rule of products of matrices: each element of the result sums over the last dimension of an argument."""
    return lambda s: math.prod(s.out) * (s[inner][-1] if s[inner] else 1)


def _convolution(s: Shapes) -> int:
    return math.prod(s.out) * math.prod(s["weight"][1:])


def _convolution_transpose(s: Shapes) -> int:
    return math.prod(s["input"]) * math.prod(s["weight"][1:])


def _attention(s: Shapes) -> int:
    """Scores, and the mean of the values by them."""
    query, key, value = s["query"], s["key"], s["value"]
    return math.prod(s.out[:-1]) * key[-2] * (query[-1] + value[-1])


def _recurrent(s: Shapes) -> int:
    """Each step of each sequence multiplies by all weights."""
    weights = [name for name in s.op.tensors if name.startswith("weight")]
    return math.prod(s.out[:-1]) * sum(math.prod(s[name]) for name in weights)


def _einsum(s: Shapes) -> int:
    """One product for each combination of the indices."""
    operands, equation = s.node.saved
    names = re.sub(r"\s|->.*", "", equation).split(",")
    sizes: dict[str, int] = {}
    rest = 0
    for name, operand in zip(names, operands, strict=True):
        front, dots, back = name.partition("...")
        shape = operand.shape
        sizes.update(zip(front, shape, strict=False))
        sizes.update(zip(reversed(back), reversed(shape), strict=False))
        rest = max(rest, math.prod(shape[len(front) : len(shape) - len(back)]) if dots else 1)
    return math.prod(sizes.values()) * max(rest, 1) if len(names) > 1 else 0


RULES: dict[str, Callable[[Shapes], int]] = {
    "linear": _product("input"),
    "linear_of_each": _product("input"),
    "matmul": _product("input"),
    "addmm": _product("mat1"),
    "baddbmm": _product("batch1"),
    "convolution": _convolution,
    "convolution_transpose": _convolution_transpose,
    "scaled_dot_product_attention": _attention,
    "rnn_layer": _recurrent,
    "gru_layer": _recurrent,
    "lstm_layer": _recurrent,
    "einsum": _einsum,
}
