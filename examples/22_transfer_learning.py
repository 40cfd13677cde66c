"""Transfer learning: what a net learnt on one task, used for another one with little data.

A net is trained to tell the digits 0 to 4 apart, somewhere on a noisy canvas. Its first layers then know strokes and
bows wherever they are, and the digits 5 to 9 are made of those too. It gets a new last layer and learns from a few
examples of the new task: with all other layers frozen, with the last ones free, or with all of them free
(fine-tuning). Beside it learns a net that starts from scratch.

What to see:

- The course's three conditions hold: the same kind of input, far more data for the first task, shared low-level
  features. With one to ten examples of a class the net from scratch hardly does better than guessing (20 %).
- The fewer the examples, the fewer layers should be trained; with many, training all of them, from the transferred
  weights or from scratch, is as good or better.
"""

from __future__ import annotations

import numpy as np
import show
from sklearn.datasets import load_digits

import tinygrad_dl as td
from tinygrad_dl import nn, viz

WAYS = {"scratch": 3e-3, "frozen": 5e-3, "last layers": 1e-3, "all layers": 1e-3}  # and the learning rate of each
Data = tuple[td.Tensor, td.Tensor]


class Net(nn.Module):
    """Two convolutions and a hidden layer (the body), and a linear layer (the head)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(288, 64), nn.ReLU()),
        )
        self.head = nn.Linear(64, 5)

    def forward(self, x: td.Tensor) -> td.Tensor:
        return self.head(self.body(x))


def canvases(digits: np.ndarray, rng: np.random.Generator) -> td.Tensor:
    """Puts each digit somewhere on a noisy canvas of 12 x 12."""
    return td.tensor(show.canvases(digits, rng, noise=0.15))


def load(seed: int) -> tuple[tuple[np.ndarray, np.ndarray], list[tuple[np.ndarray, np.ndarray]]]:
    """The digits 0 to 4 in any order, and the digits 5 to 9 class by class."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    x, y = x[order].reshape(-1, 8, 8) / 16, y[order]
    return (x[y < 5], y[y < 5]), [(x[y == digit], y[y == digit] - 5) for digit in range(5, 10)]


def step(model: nn.Module, optimizer: td.optim.Optimizer, x: td.Tensor, y: td.Tensor) -> None:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()


def pretrain(digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator, steps: int) -> dict[str, td.Tensor]:
    """Learns the first task, with new canvases for each batch; returns the weights."""
    model = Net()
    optimizer = td.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(steps):
        rows = rng.integers(0, len(digits), 64)
        step(model, optimizer, canvases(digits[rows], rng), td.tensor(labels[rows]))
    return model.state_dict()


def transfer(way: str, weights: dict[str, td.Tensor], few: Data, test: Data, steps: int) -> float:
    """Learns the second task from a few canvases, one of four ways; returns the test accuracy."""
    model = Net()
    if way != "scratch":
        body = {name: value for name, value in weights.items() if name.startswith("body")}
        model.load_state_dict(body, strict=False)  # the head stays new
    trained = {"frozen": [model.head], "last layers": [model.body[5], model.head]}.get(way, [model])
    model.requires_grad_(False)
    for part in trained:
        part.requires_grad_(True)
    optimizer = td.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=WAYS[way])
    for _ in range(steps):
        rows = td.randint(0, len(few[0]), (32,))
        step(model, optimizer, few[0][rows], few[1][rows])
    with td.no_grad():
        return (model(test[0]).argmax(1) == test[1]).float().mean().item()


def compare(seed: int, numbers: list[int], steps: int) -> dict[str, list[float]]:
    """The accuracy of each way, by the number of examples of each class."""
    rng = np.random.default_rng(seed)
    td.manual_seed(seed)
    first, second = load(seed)
    weights = pretrain(*first, rng, 6 * steps)

    def draw(begin: int, end: int) -> Data:
        labels = np.concatenate([y[begin:end] for _, y in second])
        return canvases(np.concatenate([x[begin:end] for x, _ in second]), rng), td.tensor(labels)

    test = draw(90, 180)
    sets = [draw(0, number) for number in numbers]
    return {way: [transfer(way, weights, few, test, steps) for few in sets] for way in WAYS}


def main() -> None:
    options = show.options(__doc__, "two sizes of the new task and a quarter of the steps")
    numbers, steps, seeds = ([2, 20], 40, 1) if options.quick else ([1, 2, 5, 10, 20, 50, 90], 150, 2)
    runs = [compare(options.seed + number, numbers, steps) for number in range(seeds)]
    scores = {way: np.mean([run[way] for run in runs], axis=0) for way in WAYS}
    print(f"Test accuracy on the digits 5 to 9 by examples of each class (means over {seeds} seeds)\n")
    rows = [(way, *(f"{score:.1%}" for score in found)) for way, found in scores.items()]
    show.table(("", *map(str, numbers)), rows)

    figure, (ax,) = viz.figure(1, 1, title="From the digits 0 to 4 to the digits 5 to 9", size=(9, 6))
    viz.plot_curves(scores, x=numbers, xlabel="examples of each class (log scale)", ylabel="test accuracy", ax=ax)
    viz.log_scale(ax, x=True)
    ax.set_xticks(numbers, [str(number) for number in numbers])
    ax.minorticks_off()
    show.save(figure, options, "22_transfer_learning.png")


if __name__ == "__main__":
    main()
