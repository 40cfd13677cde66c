"""Where to start: zeros, large random numbers, Xavier and He, on two circles that no line can divide.

The course's experiment: 300 points of scikit-learn's circles, a network of three layers (2-10-5-1) with ReLU,
gradient descent at a rate of 0.01 for 15,000 steps. The biases start at 0 everywhere.

What to see:

- Zeros: all units of a layer get the same gradient, here none at all, and the cost stays at log 2 = 0.693.
- 10 times random numbers: the first scores are in the thousands, and the cost in the hundreds. Descent repairs much
  of that, but never all.
- He's sqrt(2 / inputs) gets 98 to 99 %; Xavier's sqrt(1 / inputs), made for tanh, is a little slower to get there.
- The course calls the cost of a saturated prediction infinite: log(0). That is the formula's fault, not the
  network's: taken from the score before the sigmoid, the same cost is a plain number, and so is its gradient.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import show
from sklearn.datasets import make_circles

import tinygrad_dl as td
from tinygrad_dl import nn, viz

SIZES = (2, 10, 5, 1)
STARTS = ("zeros", "large random", "Xavier", "He")
COURSE = {"zeros": "50%", "large random": "83%", "He": "99%"}
Data = tuple[td.Tensor, td.Tensor]


def circles(seed: int, size: int = 300) -> Data:
    """Points (size, 2) on two circles, and their labels (size, 1)."""
    points, labels = make_circles(size, noise=0.05, random_state=seed)
    return td.tensor(points).float(), td.tensor(labels).float().unsqueeze(1)


def network(start: str, seed: int) -> nn.Sequential:
    """2-10-5-1 with ReLU, its weights drawn as `start` says."""
    td.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(SIZES):
        linear = nn.Linear(inputs, outputs)
        std = {"zeros": 0.0, "large random": 10.0, "Xavier": math.sqrt(1 / inputs), "He": math.sqrt(2 / inputs)}[start]
        nn.init.normal_(linear.weight, std=std)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train(start: str, seed: int, steps: int, rate: float = 0.01) -> tuple[nn.Sequential, list[float]]:
    """Gradient descent on all points; returns the network and the cost before each step."""
    x, y = circles(seed)
    model = network(start, seed)
    optimizer = td.optim.SGD(model.parameters(), lr=rate)
    costs = []
    for _ in range(steps):
        optimizer.zero_grad()
        cost = nn.functional.binary_cross_entropy_with_logits(model(x), y)
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
    return model, costs


def predict(model: nn.Module, points: td.Tensor) -> td.Tensor:
    with td.no_grad():
        return (model(points) > 0).long().squeeze(1)


def accuracy(model: nn.Module, data: Data) -> float:
    points, labels = data
    return (predict(model, points) == labels.squeeze(1)).float().mean().item()


def first_costs(start: str, seed: int) -> tuple[float, float]:
    """The cost before training: by the formula with log(y^), and from the scores."""
    x, y = circles(seed)
    with td.no_grad():
        scores = network(start, seed)(x)
        stable = nn.functional.binary_cross_entropy_with_logits(scores, y).item()
    predicted, truth = scores.sigmoid().numpy(), y.numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = -np.mean(truth * np.log(predicted) + (1 - truth) * np.log(1 - predicted))
    return float(plain), stable


def main() -> None:
    options = show.options(__doc__)
    steps, rate = (1000, 0.1) if options.quick else (15_000, 0.01)
    seen, new = circles(options.seed), circles(options.seed + 1, 1000)
    found = {start: train(start, options.seed, steps, rate) for start in STARTS}

    print(f"Two circles, {steps:,} steps at rate {rate}\n")
    rows, reached = [], {}
    for start, (model, costs) in found.items():
        reached[start] = accuracy(model, seen)
        right = f"{reached[start]:.1%}", f"{accuracy(model, new):.1%}"
        rows.append((start, f"{costs[0]:.3f}", f"{costs[-1]:.3f}", *right, COURSE.get(start, "-")))
    show.table(("start", "first cost", "last cost", "train", "new points", "course, train"), rows)

    print("The first cost, by two formulas\n")
    rows = [(start, *(f"{cost:.3f}" for cost in first_costs(start, options.seed))) for start in STARTS]
    show.table(("start", "with log(y^)", "from the scores"), rows)

    figure, axes = viz.figure(2, 3, title="Four ways to start the same network")
    viz.plot_curves({start: costs for start, (_, costs) in found.items()}, xlabel="step", log=True, ax=axes[0, 0])
    axes[0, 0].locator_params(axis="x", nbins=4)
    axes[0, 0].set_title("Cost on the training set")
    points, labels = seen[0].numpy(), seen[1].numpy().ravel().astype(int)
    for (start, (model, _)), ax in zip(found.items(), axes.flat[1:], strict=False):
        viz.plot_decision_boundary(
            lambda grid, model=model: predict(model, td.tensor(grid).float()).numpy(), points, labels, ax=ax
        )
        ax.set_title(f"{start}: {reached[start]:.1%}")
        ax.get_legend().remove()
    ax = axes[1, 2]
    scores = {start: network(start, options.seed)(seen[0]).detach().abs().max().item() for start in STARTS}
    ax.bar_label(ax.barh(list(scores), list(scores.values()), color="#0072b2"), fmt="%.4g", padding=3)
    ax.set(xscale="symlog", xlim=(0, 1e5), xlabel="largest |score| before training", title="How far off the start is")
    ax.invert_yaxis()
    show.save(figure, options, "04_initialisation.png")


if __name__ == "__main__":
    main()
