"""Draws the graph of a small model's loss, and walks the same graph by hand.

Run it with `python examples/draw_graph.py`; the pictures land in `out/`. What to see: operations grouped by the layer
that made them, the bytes that each keeps for the backward pass, and the same nodes in the printed tree.
"""

from __future__ import annotations

from typing import Any

import tinygrad_dl as td
from tinygrad_dl import nn, viz


class Classifier(nn.Module):
    """Two layers with batch normalisation between them."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(16, 32)
        self.norm = nn.BatchNorm1d(32)
        self.out = nn.Linear(32, 3)

    def forward(self, x: td.Tensor) -> td.Tensor:
        return self.out(nn.functional.relu(self.norm(self.hidden(x))))


def walk(node: Any, depth: int = 0) -> None:
    """Prints a node and what it came from, as `grad_fn` and `next_functions` tell it."""
    print("  " * depth + repr(node), getattr(node, "shape", ""))
    for parent, _ in node.next_functions:
        if parent is not None:  # None stands for an argument that needs no gradient
            walk(parent, depth + 1)


def main() -> None:
    td.manual_seed(0)
    model = Classifier()
    loss = nn.functional.cross_entropy(model(td.randn(8, 16)), td.randint(0, 3, (8,)))

    for theme in ("light", "dark"):
        drawing = viz.graph(loss, model, theme=theme, title="Loss of a small classifier", summary=True)
        print("wrote", drawing.save(f"out/classifier-{theme}.dot"))  # the text needs no renderer
        try:
            print("wrote", drawing.save(f"out/classifier-{theme}.svg"))
        except viz.RenderError as error:
            print(f"no picture: {error}")

    print()
    walk(loss.grad_fn)


if __name__ == "__main__":
    main()
