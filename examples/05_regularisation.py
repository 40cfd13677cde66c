"""Seven ways to train one network on few, noisy points: nothing, L1, L2, dropout, early stopping, more data.

The course's network 2-20-3-1 at its rate of 0.3, on 100 points of scikit-learn's moons with so much noise that about
one in ten lies on the wrong side. The course's own points, a football pitch, are not to be had; so the numbers
differ, the order does not.

What to see:

- Without regularisation the network is best on the points that it has seen and worst on new ones: the boundary bends
  around single points. Every other row gives up some of the first and gains on the second.
- L2 (course: lambda = 0.7) adds lambda / 2m |W|^2 to the cost, which shrinks all weights at each step: their norm is
  halved.
- L1 adds lambda / m |W|. Here each step ends by pulling every weight towards 0 by the same amount and stopping there,
  so that many are exactly 0; plain gradient descent would let them hop around 0 for ever.
- Dropout has a keep-probability for each layer, here 0.8 after both: a layer with more weights can be given a lower
  one, and 1 switches it off. It is for training alone: `model.eval()` before anything is measured. In the course it is
  the best of three; here it stays behind L2, as a layer of three units has none to spare.
- Early stopping needs points of its own to watch, here 100; it keeps the weights from the step where their cost was
  lowest.
- Data augmentation: each step sees the points moved a little, as the course flips and crops its pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import show
from sklearn.datasets import make_moons

import tinygrad_dl as td
from tinygrad_dl import nn, viz

SIZES = (2, 20, 3, 1)
Data = tuple[td.Tensor, td.Tensor]


class Way(NamedTuple):
    """How to regularise; by default not at all."""

    l1: float = 0.0
    l2: float = 0.0
    keep: Sequence[float] = (1.0, 1.0)  # after the first and the second hidden layer
    patience: int | None = None  # stop when the dev cost has not fallen for so many looks
    jitter: float = 0.0  # how far augmentation moves the points


WAYS = {
    "none": Way(),
    "L1": Way(l1=0.5),
    "L2": Way(l2=0.7),
    "dropout": Way(keep=(0.8, 0.8)),
    "early stopping": Way(patience=20),
    "augmentation": Way(jitter=0.2),
    "L2 and augmentation": Way(l2=0.3, jitter=0.2),
}
COURSE = {"none": ("95%", "91.5%"), "L2": ("94%", "93%"), "dropout": ("93%", "95%")}
LOOK_EVERY = 25


def moons(seed: int, size: int) -> Data:
    points, labels = make_moons(size, noise=0.3, random_state=seed)
    return td.tensor(points).float(), td.tensor(labels).float().unsqueeze(1)


def data(seed: int, size: int = 100) -> dict[str, Data]:
    """Points to train on, 100 for early stopping to watch, 2,000 to judge by."""
    return {"train": moons(seed, size), "dev": moons(seed + 10_000, 100), "test": moons(seed + 20_000, 2000)}


def network(keep: Sequence[float]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairwise(SIZES)):
        linear = nn.Linear(inputs, outputs)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers.append(linear)
        if number < len(keep):
            layers += [nn.ReLU(), nn.Dropout(1 - keep[number])]
    return nn.Sequential(*layers)


def weights_of(model: nn.Module) -> list[td.Tensor]:
    """The matrices: the course leaves the biases as they are."""
    return [p for p in model.parameters() if p.ndim == 2]


def cost_of(model: nn.Module, points: Data) -> td.Tensor:
    return nn.functional.binary_cross_entropy_with_logits(model(points[0]), points[1])


def train(
    way: Way, seed: int, steps: int, size: int = 100, watch: Callable[[int, nn.Module], None] | None = None
) -> nn.Sequential:
    """Gradient descent on `size` training points; `watch` is called now and then with the step and the model."""
    points, m = data(seed, size), size
    x, y = points["train"]
    td.manual_seed(seed)
    model = network(way.keep)
    weights, biases = weights_of(model), [p for p in model.parameters() if p.ndim == 1]
    rate = 0.3
    # weight_decay adds lambda / m W to the gradient: the derivative of lambda / 2m |W|^2.
    optimizer = td.optim.SGD([{"params": weights, "weight_decay": way.l2 / m}, {"params": biases}], lr=rate)
    lowest, best, waited = math.inf, model.state_dict(), 0
    for step in range(1, steps + 1):
        moved = x + way.jitter * td.randn_like(x) if way.jitter else x
        optimizer.zero_grad()
        cost_of(model, (moved, y)).backward()
        optimizer.step()
        if way.l1:
            with td.no_grad():
                for w in weights:
                    w.copy_(nn.functional.softshrink(w, rate * way.l1 / m))
        if step % LOOK_EVERY:
            continue
        model.eval()
        with td.no_grad():
            if watch:
                watch(step, model)
            if way.patience:
                cost = cost_of(model, points["dev"]).item()
                if cost < lowest:
                    lowest, best, waited = cost, {k: v.clone() for k, v in model.state_dict().items()}, 0
                elif (waited := waited + 1) == way.patience:
                    break
        model.train()
    if way.patience:
        model.load_state_dict(best)
    return model.eval()


def predict(model: nn.Module, points: td.Tensor) -> td.Tensor:
    with td.no_grad():
        return (model(points) > 0).long().squeeze(1)


class Result(NamedTuple):
    """Accuracies, the norm of all weights, and how many of them are exactly 0."""

    train: float
    test: float
    norm: float
    zeros: int


def measure(model: nn.Module, seed: int, size: int = 100) -> Result:
    points = data(seed, size)
    right = [
        (predict(model, points[name][0]) == points[name][1].squeeze(1)).float().mean().item()
        for name in ("train", "test")
    ]
    flat = td.cat([w.detach().ravel() for w in weights_of(model)])
    return Result(*right, norm=flat.norm().item(), zeros=int((flat == 0).sum().item()))


def main() -> None:
    options = show.options(__doc__, "one seed and a sixth of the steps, before the plain network has learnt the noise")
    steps, seeds = (700, [options.seed]) if options.quick else (4000, range(options.seed, options.seed + 5))
    models, rows = {}, []
    for name, way in WAYS.items():
        trained = [train(way, seed, steps) for seed in seeds]
        models[name] = trained[-1]  # for the picture
        mean = Result(*np.mean([measure(m, s) for m, s in zip(trained, seeds, strict=True)], axis=0).tolist())
        course = COURSE.get(name, ("-", "-"))
        rows.append((name, f"{mean.train:.1%}", f"{mean.test:.1%}", *course, f"{mean.norm:.1f}", f"{mean.zeros:.0f}"))
    count = sum(w.numel() for w in weights_of(models["none"]))
    print(f"Noisy moons, {steps:,} steps, means over seeds {[*seeds]}\n")
    show.table(("", "train", "test", "course: train", "test", "|W|", f"zeros of {count}"), rows)

    curves: dict[str, list[float]] = {"train": [], "dev": []}
    points = data(seeds[0])

    def watch(step: int, model: nn.Module) -> None:
        for name, curve in curves.items():
            curve.append(cost_of(model, points[name]).item())

    train(WAYS["none"], seeds[0], steps, watch=watch)

    figure, axes = viz.figure(2, 4, title=f"One network, 100 noisy points (seed {seeds[-1]})")
    points = data(seeds[-1])
    x, y = points["train"][0].numpy(), points["train"][1].numpy().ravel().astype(int)
    for (name, model), ax in zip(models.items(), axes.flat, strict=False):
        viz.plot_decision_boundary(
            lambda grid, model=model: predict(model, td.tensor(grid).float()).numpy(), x, y, ax=ax
        )
        ax.get_legend().remove()
        ax.set_title(f"{name}: test {measure(model, seeds[-1]).test:.1%}")
    looks = np.arange(1, len(curves["dev"]) + 1) * LOOK_EVERY
    viz.plot_curves(curves, kept=int(np.argmin(curves["dev"])), x=looks, xlabel="step", ylabel="cost", ax=axes[1, 3])
    axes[1, 3].set_title(f"Where early stopping keeps (seed {seeds[0]})")
    show.save(figure, options, "05_regularisation.png")


if __name__ == "__main__":
    main()
