"""How a tensor gets its gradient: the part of a backward pass that leads there, and the chain rule written out."""

from __future__ import annotations

import html
import textwrap
from itertools import pairwise
from typing import Any

from tinygrad_dl.core.table import or_text
from tinygrad_dl.viz.backward.steps import LeafGradient, Step
from tinygrad_dl.viz.backward.telling import WIDTH, equation, handed_on, in_words, parts_of, wrapped

MOST = 4  # products that are written out


class Chain:
    """The way of a gradient from the loss to a tensor, as the chain rule has it. It prints as a text.

    Attributes:
        name: the tensor's. loss: the name of the loss.
        steps: those through which its gradient went, from the tensor to the loss.
        ways: the names of the tensors on each way from the loss to this one, on which a gradient went; four at most.
        count: how many ways there are: the gradient is the sum of as many products.
    """

    def __init__(self, loss: str, place: Step | LeafGradient, steps: list[Step], shared: set[str]):
        self.loss, self.name, self.steps = loss, place.name, steps
        self._place, self._shared = place, shared
        target: Any = place.name if isinstance(place, LeafGradient) else place.number
        counts: dict[Any, int] = {target: 1}
        ways: dict[Any, list[list[str]]] = {target: [[place.name]]}
        for step in steps:
            origins = [each.origin for each in step.inputs if each.argument in step.outgoing and each.origin in counts]
            counts[step.number] = sum(counts[origin] for origin in origins)
            ways[step.number] = [[step.name, *way] for origin in origins for way in ways[origin]][:MOST]
        end = steps[-1].number if steps else target
        self.count, self.ways = counts[end], ways[end]

    @property
    def product(self) -> str:
        """The derivative as a sum of products of the derivatives of the steps."""
        products = [" · ".join(f"∂{a}/∂{b}" for a, b in pairwise(way)) or "1" for way in self.ways]
        if self.count > len(products):
            products.append(f"{self.count - len(products):,} more products")
        return f"∂{self.loss}/∂{self.name} = {' + '.join(products)}"

    def __str__(self) -> str:
        lines = textwrap.wrap(self.product, WIDTH, subsequent_indent=" " * (len(self.loss) + len(self.name) + 6))
        inside = {step.number for step in self.steps}
        for step in reversed(self.steps):
            lines += ["", *wrapped(f"{step.number}. {step.name} = {step.formula}")]
            for name, values in zip(step.outputs, step.incoming, strict=True):
                lines += equation(f"{name}.grad", [in_words(values)]) if values is not None else []
            for found in step.sums:
                lines += parts_of(found)
            for given in step.inputs:
                if given.argument in step.rules and (given.origin in inside or given.name == self.name):
                    lines += handed_on(step, given, self._shared)
        place = self._place
        sums = place.sums if isinstance(place, Step) else [place.sum] if place.sum is not None else []
        for found in sums:
            lines += ["", *equation(f"{self.name}.grad", [in_words(found.total)]), *parts_of(found)]
        return "\n".join(lines)

    __repr__ = __str__

    @or_text
    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"
