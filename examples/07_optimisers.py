"""Nine ways downhill: batch, stochastic and mini-batch descent, momentum, Nesterov, AdaGrad, AdaDelta, RMSprop, Adam.

Two moons with noise (scikit-learn's, 300 points), a network 2-10-5-1 from He's start, one learning rate of 0.0007 and
mini-batches of 64, as in the course. Its figures: plain mini-batch descent 79.7 %, momentum 79.7 %, Adam 94 %.

What to see:

- The course's momentum is a moving average of gradients (`SGD(momentum=0.9, dampening=0.9)`), so its steps are as
  long as without, only smoother: the same 79 %. Summed up, as most write it and as PyTorch does by default, the steps
  grow ten times as long.
- Adam, RMSprop and AdaDelta divide by the size of recent gradients, so a small learning rate does not hold them back.
  AdaGrad divides by the size of all gradients so far: its steps become ever smaller. AdaDelta has to find its step
  first: in the valley of the picture it has hardly left the start when the others arrive.
- An epoch of stochastic descent makes 300 steps, one of batch descent a single one: at the same rate it gets further,
  in more time, and along a path that never settles.
- The slips of the course's notes, built right in the library: its listing of Adam corrects the bias with fixed
  powers, 1 - b1^2 and 1 - b2, in place of 1 - b^t, which in the end makes steps six times too short (the row "Adam as
  listed"); its formula has e inside the root, where the paper has it outside; its AdaDelta sums the steps, where the
  paper averages their squares.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import show
from sklearn.datasets import make_moons

import tinygrad_dl as td
from tinygrad_dl import nn, optim, viz

SIZES = (2, 10, 5, 1)
RATE = 0.0007
Data = tuple[td.Tensor, td.Tensor]
Maker = Callable[[Iterable[td.Tensor], float], optim.Optimizer]


class AdamAsListed(optim.Optimizer):
    """Adam with the bias correction of the course's listing: the powers do not grow with the steps."""

    def __init__(self, params: Iterable[td.Tensor], lr: float):
        super().__init__(params, {"lr": lr})

    @td.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                m = state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * p.grad
                v = state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * p.grad**2
                p -= group["lr"] * (m / (1 - 0.9**2)) / (v / (1 - 0.999) + 1e-8).sqrt()


OPTIMISERS: dict[str, Maker] = {
    "mini-batch descent": lambda p, lr: optim.SGD(p, lr=lr),
    "momentum, averaged": lambda p, lr: optim.SGD(p, lr=lr, momentum=0.9, dampening=0.9),
    "momentum, summed": lambda p, lr: optim.SGD(p, lr=lr, momentum=0.9),
    "Nesterov": lambda p, lr: optim.SGD(p, lr=lr, momentum=0.9, nesterov=True),
    "AdaGrad": lambda p, lr: optim.Adagrad(p, lr=lr),
    "AdaDelta": lambda p, lr: optim.Adadelta(p),  # needs no rate: it takes the size of its own last steps
    "RMSprop": lambda p, lr: optim.RMSprop(p, lr=lr, alpha=0.9),
    "Adam": lambda p, lr: optim.Adam(p, lr=lr),
    "Adam as listed": AdamAsListed,
}
COURSE = {"mini-batch descent": "79.7%", "momentum, averaged": "79.7%", "Adam": "94%"}


def moons(seed: int) -> Data:
    points, labels = make_moons(300, noise=0.2, random_state=seed)
    return td.tensor(points).float(), td.tensor(labels).float().unsqueeze(1)


def network() -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(SIZES):
        linear = nn.Linear(inputs, outputs)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train(make: Maker, seed: int, epochs: int, batch: int = 64, rate: float = RATE) -> tuple[nn.Module, list[float]]:
    """Trains from the same start and in the same order for every optimiser; returns the cost after each epoch."""
    x, y = moons(seed)
    td.manual_seed(seed)
    model = network()
    optimizer = make(model.parameters(), rate)
    costs = []
    for _ in range(epochs):
        for chosen in td.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(model(x[chosen]), y[chosen]).backward()
            optimizer.step()
        with td.no_grad():
            costs.append(nn.functional.binary_cross_entropy_with_logits(model(x), y).item())
    return model, costs


def predict(model: nn.Module, points: td.Tensor) -> td.Tensor:
    with td.no_grad():
        return (model(points) > 0).long().squeeze(1)


def accuracy(model: nn.Module, data: Data) -> float:
    return (predict(model, data[0]) == data[1].squeeze(1)).float().mean().item()


def walk(make: Maker, rate: float, steps: int) -> np.ndarray:
    """The path of an optimiser down a long, narrow valley, x^2 / 20 + y^2."""
    place = td.tensor([-8.0, 2.5], requires_grad=True)
    optimizer = make([place], rate)
    path = [place.tolist()]
    for _ in range(steps):
        optimizer.zero_grad()
        valley(*place).backward()
        optimizer.step()
        path.append(place.tolist())
    return np.array(path)


def valley(x: td.Tensor, y: td.Tensor) -> td.Tensor:
    """Of tensors to walk on, of arrays to draw."""
    return x**2 / 20 + y**2


def fit_line(batch: int, seed: int, epochs: int) -> tuple[np.ndarray, Callable[..., np.ndarray]]:
    """Descent on the slope and intercept of a line through 64 noisy points: its path, and the cost over both."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, 64)
    y = 2 * x + 1 + rng.normal(0, 0.8, 64)
    data, weights = td.tensor(np.stack([x, y])).float(), td.tensor([-2.0, -1.0], requires_grad=True)
    optimizer = optim.SGD([weights], lr=0.1)
    td.manual_seed(seed)
    path = [weights.tolist()]
    for _ in range(epochs):
        for chosen in td.randperm(64).split(batch):
            optimizer.zero_grad()
            inputs, targets = data[:, chosen]
            ((weights[0] * inputs + weights[1] - targets) ** 2).mean().backward()
            optimizer.step()
            path.append(weights.tolist())
    return np.array(path), lambda a, b: ((a[..., None] * x + b[..., None] - y) ** 2).mean(axis=-1)


def main() -> None:
    options = show.options(__doc__)
    seed, seeds = options.seed, range(options.seed, options.seed + (1 if options.quick else 5))
    epochs = 60 if options.quick else 500
    data = moons(seed)

    rows, curves, models = [], {}, {}
    for name, make in OPTIMISERS.items():
        trained = [train(make, s, epochs) for s in seeds]
        models[name], curves[name] = trained[0]
        right = np.mean([accuracy(model, moons(s)) for (model, _), s in zip(trained, seeds, strict=True)])
        cost = np.mean([costs[-1] for _, costs in trained])
        rows.append((name, f"{cost:.3f}", f"{right:.1%}", COURSE.get(name, "-")))
    print(f"Moons, {epochs} epochs of mini-batches of 64 at rate {RATE}; means over seeds {[*seeds]}\n")
    show.table(("", "cost", "accuracy", "course"), rows)

    epochs = 20 if options.quick else 100
    rows = []
    for name, batch in (("batch", 300), ("mini-batch", 64), ("stochastic", 1)):
        start = time.perf_counter()
        model, costs = train(OPTIMISERS["mini-batch descent"], seed, epochs, batch)
        seconds, steps = f"{time.perf_counter() - start:.2f}", -(-300 // batch) * epochs
        rows.append((name, batch, steps, seconds, f"{costs[-1]:.3f}", f"{accuracy(model, data):.1%}"))
    print(f"Plain descent, {epochs} epochs at rate {RATE}\n")
    show.table(("", "examples a step", "steps", "seconds", "cost", "accuracy"), rows)

    figure, axes = viz.figure(2, 3, title="Nine ways downhill", size=(16, 8))
    viz.plot_curves({n: c for n, c in curves.items() if n != "Nesterov"}, ylabel="cost", ax=axes[0, 0])
    axes[0, 0].set_title("Moons: cost on all points")
    names = {"descent": "mini-batch descent", "momentum": "momentum, summed", "Nesterov": "Nesterov"}
    rates = {"descent": 0.9, "momentum": 0.09, "Nesterov": 0.09}
    paths = {name: walk(OPTIMISERS[names[name]], rate, 40) for name, rate in rates.items()}
    viz.plot_paths(valley, paths, ax=axes[0, 1])
    axes[0, 1].set_title("A valley: one rate for all directions")
    rates = {"AdaGrad": 1.0, "AdaDelta": 1.0, "RMSprop": 0.3, "Adam": 0.5}
    paths = {name: walk(OPTIMISERS[name], rate, 60) for name, rate in rates.items()}
    viz.plot_paths(valley, paths, ax=axes[0, 2])
    axes[0, 2].set_title("A valley: a rate for each direction")
    lines = {name: fit_line(batch, seed, 5) for name, batch in (("stochastic", 1), ("mini-batch", 8), ("batch", 64))}
    viz.plot_paths(lines["batch"][1], {name: path for name, (path, _) in lines.items()}, ax=axes[1, 0])
    axes[1, 0].set(title="A line through points, 5 epochs", xlabel="slope", ylabel="intercept")
    points, labels = data[0].numpy(), data[1].numpy().ravel().astype(int)
    for name, ax in zip(("momentum, averaged", "Adam"), axes[1, 1:], strict=True):
        viz.plot_decision_boundary(
            lambda grid, name=name: predict(models[name], td.tensor(grid).float()).numpy(), points, labels, ax=ax
        )
        ax.get_legend().remove()
        ax.set_title(f"{name}: {accuracy(models[name], data):.1%}")
    show.save(figure, options, "07_optimisers.png")


if __name__ == "__main__":
    main()
