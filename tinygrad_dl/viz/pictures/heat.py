"""Boxes coloured by a quantity: the memory that operations keep, what they cost, or how large gradients are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tinygrad_dl.viz.costs import multiply_adds
from tinygrad_dl.viz.known.kept import kept_bytes
from tinygrad_dl.viz.pictures.boxes import Box
from tinygrad_dl.viz.texts import human_bytes, human_count


class Quantity(NamedTuple):
    """What colours mean.

    Attributes:
        title: its name, below the scale.
        write: an amount as text.
        logarithmic: whether equal steps of colour are equal factors.
    """

    title: str
    write: Callable[[float], str]
    logarithmic: bool = False


QUANTITIES = {
    "memory": Quantity("kept for backward", lambda amount: human_bytes(round(amount))),
    "cost": Quantity("multiply-adds", lambda amount: human_count(round(amount))),
    "gradient": Quantity("norm of the gradient", lambda amount: f"{amount:.2g}", logarithmic=True),
}
QUANTITIES["flops"] = QUANTITIES["cost"]


class Heat:
    """The amounts of a quantity at the nodes of a graph.

    Args:
        name: one of `QUANTITIES`.
        norms: of gradients, by node or leaf and number of the output.
    """

    def __init__(self, name: str, norms: Mapping[tuple[Any, int], float]):
        if name not in QUANTITIES:
            raise ValueError(f"heat: got {name!r}, expected one of {', '.join(map(repr, QUANTITIES))}")
        self.name, self.quantity, self.norms = name, QUANTITIES[name], norms

    def amount(self, things: Sequence[Any]) -> float | None:
        """That of a box that shows these nodes, or a leaf: the sum, of gradients the largest; None if it has none."""
        if self.name == "gradient":
            return max((norm for (place, _), norm in self.norms_of(things)), default=None)
        nodes = [thing for thing in things if hasattr(thing, "kept_arrays")]
        if not nodes:
            return None
        if self.name == "memory":
            return float(kept_bytes(nodes))
        return float(sum(map(multiply_adds, nodes)))

    def norms_of(self, things: Sequence[Any]) -> list[tuple[tuple[Any, int], float]]:
        """The norms at the outputs of these nodes."""
        keys = [(thing, i) for thing in things for i in range(len(thing.shape) if type(thing.dtype) is tuple else 1)]
        return [(key, self.norms[key]) for key in keys if key in self.norms]

    def coloured(self, boxes: Sequence[Box], amounts: Sequence[float | None]) -> list[Box]:
        """The boxes with their colours as parts of the scale, and a box that shows the scale."""
        known = [amount for amount in amounts if amount is not None and math.isfinite(amount)]
        if not known:
            return list(boxes)
        write, logarithmic = self.quantity.write, self.quantity.logarithmic
        low, high = (min((a for a in known if a > 0), default=0.0) if logarithmic else 0.0), max(known)

        def part(amount: float) -> float:
            if not amount > low or high == low:
                return float(amount >= high > 0)
            if not math.isfinite(amount):
                return 1.0
            return math.log(amount / low) / math.log(high / low) if logarithmic else amount / high

        found = [
            box if amount is None else box._replace(heat=part(amount), notes=self.noted(box, amount))
            for box, amount in zip(boxes, amounts, strict=True)
        ]
        title = f"{write(low)} … {write(high)}"
        return [*found, Box("heat", (title,), (self.quantity.title,), (self.quantity.title,))]

    def noted(self, box: Box, amount: float) -> tuple[str, ...]:
        """The notes of a box with the amount; that of memory may stand there already."""
        word = {"gradient": "gradient", "memory": "saves"}.get(self.name, self.quantity.title)
        if not amount or any("saves " in note for note in box.notes if self.name == "memory"):
            return box.notes
        return (*box.notes, f"{word} {self.quantity.write(amount)}")
