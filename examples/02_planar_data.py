"""One hidden layer on planar data: a flower that no straight line can divide, with 1 to 50 hidden units.

The flower is the rose r = 4 sin(4 a) with some noise: eight petals, four of each class. The network is the course's
first with a hidden layer: 2 inputs, tanh units, one sigmoid output; 2-4-1 in the course's own table of shapes.

What to see:

- Logistic regression draws one line and gets about half of the points right.
- One and two hidden units bend that line once; from three or four on, the petals are separated.
- Twenty and fifty units hardly help: the few points that they gain are noise, and on new points of the same flower
  the accuracy stays where it was.
- In the pictures, how the boundary follows the petals; the figures above each say how many points are right.
"""

from __future__ import annotations

import numpy as np
import show

import tinygrad_dl as td
from tinygrad_dl import nn, viz

SIZES = (1, 2, 3, 4, 5, 20, 50)


def flower(seed: int, size: int = 400) -> tuple[td.Tensor, td.Tensor]:
    """Points (size, 2) on a rose, and their labels (size, 1): 0 in the first half turn, 1 in the second."""
    rng = np.random.default_rng(seed)
    label = np.arange(size) % 2
    angle = np.pi * (label + rng.random(size)) + rng.normal(0, 0.2, size)
    radius = 4 * np.sin(4 * angle) + rng.normal(0, 0.2, size)
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    return td.tensor(points).float(), td.tensor(label).float().unsqueeze(1)


def network(hidden: int) -> nn.Module:
    """`hidden` tanh units before the output; with 0, logistic regression."""
    if not hidden:
        return nn.Linear(2, 1)
    model = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 1))
    for layer in (model[0], model[2]):
        nn.init.normal_(layer.weight, std=0.01)  # small: tanh starts where it is steep; with zeros all units stay equal
        nn.init.zeros_(layer.bias)
    return model


def train(hidden: int, seed: int, epochs: int) -> nn.Module:
    """Gradient descent on the whole flower, at the course's rate of 1.2."""
    x, y = flower(seed)
    td.manual_seed(seed)
    model = network(hidden)
    optimizer = td.optim.SGD(model.parameters(), lr=1.2)
    for _ in range(epochs):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(x), y).backward()
        optimizer.step()
    return model


def predict(model: nn.Module, points: td.Tensor) -> td.Tensor:
    with td.no_grad():
        return (model(points) > 0).long().squeeze(1)


def accuracy(model: nn.Module, data: tuple[td.Tensor, td.Tensor]) -> float:
    points, labels = data
    return (predict(model, points) == labels.squeeze(1)).float().mean().item()


def main() -> None:
    options = show.options(__doc__)
    epochs = 1000 if options.quick else 5000
    seen, new = flower(options.seed), flower(options.seed + 1, 4000)
    models = {hidden: train(hidden, options.seed, epochs) for hidden in (0, *SIZES)}
    found = {hidden: (accuracy(model, seen), accuracy(model, new)) for hidden, model in models.items()}

    print(f"The flower, {epochs} epochs of gradient descent\n")
    rows = []
    for hidden, (train_accuracy, test_accuracy) in found.items():
        count = sum(p.numel() for p in models[hidden].parameters())
        rows.append((hidden or "none: a line", count, f"{train_accuracy:.1%}", f"{test_accuracy:.1%}"))
    show.table(("hidden units", "parameters", "400 points", "4,000 new points"), rows)

    figure, axes = viz.figure(2, 4, title="One hidden layer on planar data")
    points, labels = seen[0].numpy(), seen[1].numpy().ravel().astype(int)
    for (hidden, model), ax in zip(models.items(), axes.flat, strict=True):
        viz.plot_decision_boundary(
            lambda grid, model=model: predict(model, td.tensor(grid).float()).numpy(), points, labels, ax=ax
        )
        ax.get_legend().remove()
        ax.set_title(f"{hidden or 'no'} hidden unit{'s' * (hidden != 1)}: {found[hidden][0]:.1%}")
    show.save(figure, options, "02_planar_data.png")


if __name__ == "__main__":
    main()
