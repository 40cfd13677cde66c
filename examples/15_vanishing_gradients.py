"""Vanishing and exploding gradients in 50 plain layers, seen layer by layer, and what cures them.

Going back through a layer multiplies the gradient by its weights and by the slope of its activation. Fifty factors a
little below one make nothing, fifty a little above one make everything: 0.5^49 is 2e-15, 1.5^49 is 4e8.

What to see:

- The course's network of 1.5 or 0.5 times the identity: outputs and gradients are those powers, to the digit.
- The gradient of each of 50 layers at the start. A layer's gradient is what comes back times what came forward, and
  both have passed through as many factors as there are layers: with weights of 0.7 of the right size all layers
  get 1e-9, with 1.15 a thousand; behind sigmoids nothing comes back. Xavier's and He's initialisation keep it near
  one. Batch normalisation brings it back too (but grows it towards the first layers), and so do residual connections.
- What that means for learning digits: where nothing arrives, nothing is learnt, at any rate. Clipping the norm of the
  gradient lets the net of relus learn at a rate at which it breaks down otherwise; what has vanished it can't
  bring back. The way around the layers wins by far.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import show
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tinygrad_dl as td
from tinygrad_dl import nn, viz

DEPTH, WIDTH = 50, 64


class Plain(nn.Module):
    """Fifty times linear, (batch norm) and activation, perhaps with a way around each pair of layers."""

    def __init__(
        self,
        deviation: float,
        activation: Callable[[td.Tensor], td.Tensor] = td.relu,
        norm: bool = False,
        residual: bool = False,
    ) -> None:
        """`deviation` is that of the weights, in units of 1 / sqrt(inputs)."""
        super().__init__()
        sizes = [64] + [WIDTH] * DEPTH
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm1d(WIDTH) if norm else nn.Identity() for _ in range(DEPTH))
        self.head = nn.Linear(WIDTH, 10)
        self.activation, self.residual = activation, residual
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=deviation / math.sqrt(layer.in_features))
            nn.init.zeros_(layer.bias)

    def forward(self, x: td.Tensor) -> td.Tensor:
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            out = self.activation(norm(layer(x)))
            # With a way around, a layer adds a little to what it got; the sum grows slowly with depth.
            x = x + 0.1 * out if self.residual and number else out
        return self.head(x)


HE = math.sqrt(2)  # relu passes half of the numbers on: their squares, doubled, keep the size
MODELS: dict[str, tuple[Callable[[], Plain], float]] = {  # and the largest norm of a gradient in training
    "sigmoid": (lambda: Plain(1.0, td.sigmoid), math.inf),
    "tanh, too small": (lambda: Plain(0.7, td.tanh), math.inf),
    "tanh, too small, batch norm": (lambda: Plain(0.7, td.tanh, norm=True), math.inf),
    "tanh, Xavier": (lambda: Plain(1.0, td.tanh), math.inf),
    "relu, too large": (lambda: Plain(1.15 * HE), math.inf),
    "relu, He": (lambda: Plain(HE), math.inf),
    "relu, He, clipped": (lambda: Plain(HE), 1.0),
    "relu, too small": (lambda: Plain(0.7 * HE), math.inf),
    "relu, too small, residual": (lambda: Plain(0.7 * HE, residual=True), math.inf),
}
RATES = (0.003, 0.01)


def load(seed: int) -> tuple[td.Tensor, ...]:
    x, y = load_digits(return_X_y=True)
    train, test, train_y, test_y = train_test_split(x / 8 - 1, y, test_size=0.3, stratify=y, random_state=seed)
    return td.tensor(train).float(), td.tensor(train_y), td.tensor(test).float(), td.tensor(test_y)


def gradients_by_layer(name: str, seed: int) -> list[float]:
    """The norm of the gradient of each layer's weights, on the first batch."""
    x, y, _, _ = load(seed)
    td.manual_seed(seed)
    model = MODELS[name][0]()
    nn.functional.cross_entropy(model(x[:128]), y[:128]).backward()
    return [layer.weight.grad.norm().item() for layer in model.layers]


def learn(name: str, seed: int, epochs: int, rate: float) -> float:
    """Trains; returns the test accuracy."""
    x, y, test, test_y = load(seed)
    td.manual_seed(seed)
    make, limit = MODELS[name]
    model = make()
    optimizer = td.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    for _ in range(epochs):
        for batch in td.randperm(len(x)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            if limit < math.inf:
                nn.utils.clip_grad_norm_(model.parameters(), limit)
            optimizer.step()
    model.eval()
    with td.no_grad():
        return (model(test).argmax(1) == test_y).float().mean().item()


def identities(factor: float) -> tuple[float, float]:
    """The course's example: 50 layers without activation whose weights are `factor` times the identity."""
    x = td.ones(2, dtype=td.float64, requires_grad=True)
    weights = factor * td.eye(2, dtype=td.float64)
    out = x
    for _ in range(DEPTH - 1):
        out = weights @ out
    out[0].backward()
    return out[0].item(), x.grad[0].item()


def main() -> None:
    options = show.options(__doc__)
    print("49 layers of a multiple of the identity\n")
    rows = [(f"{f:g}", *(f"{value:.3e}" for value in (*identities(f), f**49))) for f in (1.5, 1.0, 0.5)]
    show.table(("weights", "output", "gradient", "power"), rows)

    epochs, rates = (0, ()) if options.quick else (10, RATES)  # the gradients at the start need no training
    curves = {name: gradients_by_layer(name, options.seed) for name in MODELS if "clipped" not in name}
    trained = f", and the test accuracy after {epochs} epochs on digits (a guess: 10 %)" if rates else ""
    print(f"50 layers: gradients at the start{trained}\n")
    rows = []
    for name in MODELS:
        norms = curves[name.removesuffix(", clipped")]
        with np.errstate(all="ignore"):  # some of them are meant to explode
            scores = [f"{learn(name, options.seed, epochs, rate):.1%}" for rate in rates]
        rows.append((name, f"{norms[0]:.1e}", f"{norms[-1]:.1e}", *scores))
    show.table(("", "first layer", "last layer", *(f"rate {rate:g}" for rate in rates)), rows)

    figure, (ax,) = viz.figure(1, 1, title="The gradient of each of 50 layers before training", size=(10, 6))
    viz.plot_curves(curves, xlabel="layer", ylabel="norm of the gradient (log scale)", log=True, ax=ax)
    show.save(figure, options, "15_vanishing_gradients.png")


if __name__ == "__main__":
    main()
