"""Learning-rate decay: large steps to get near, small ones to settle.

Small batches give noisy gradients. At a constant rate the parameters never come to rest: they wander around the
minimum, the farther the larger the rate. A small rate rests close to it, but is long on its way. Decay has both: the
course's forms are steps (halved every few epochs), exponential (0.95^epoch), 1 / (1 + decay * epoch), and
k / sqrt(epoch); cosine came later (Loshchilov and Hutter, 2016).

What to see:

- In a noisy bowl the constant rate ends far outside; every schedule that ends near zero ends near the minimum.
- On digits of which every fifth has a random label, so that no net fits them all: at the constant rate the loss jumps
  up and down by a quarter to the end; every schedule comes to rest lower, and gets more of the test digits right.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import show
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tinygrad_dl as td
from tinygrad_dl import nn, viz
from tinygrad_dl.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LambdaLR, LRScheduler, StepLR

Make = Callable[[td.optim.Optimizer, int], LRScheduler]
# Each takes the optimiser and the number of epochs, and is stepped once an epoch.
SCHEDULES: dict[str, Make] = {
    "constant": lambda optimizer, epochs: LambdaLR(optimizer, lambda epoch: 1.0),
    "steps": lambda optimizer, epochs: StepLR(optimizer, step_size=max(1, epochs // 6), gamma=0.5),
    "exponential": lambda optimizer, epochs: ExponentialLR(optimizer, gamma=0.01 ** (1 / epochs)),
    "1 / t": lambda optimizer, epochs: LambdaLR(optimizer, lambda epoch: 1 / (1 + 20 * epoch / epochs)),
    "1 / sqrt t": lambda optimizer, epochs: LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch) ** 0.5),
    "cosine": lambda optimizer, epochs: CosineAnnealingLR(optimizer, T_max=epochs),
}


def noisy_bowl(name: str, seed: int, steps: int = 200) -> np.ndarray:
    """The path of gradient descent where each gradient has noise added, as that of a small batch has."""
    noise = np.random.default_rng(seed).normal(size=(steps, 2))
    point = td.tensor([-8.0, 6.0], dtype=td.float64, requires_grad=True)
    optimizer = td.optim.SGD([point], lr=0.3)
    scheduler = SCHEDULES[name](optimizer, steps)
    path = [point.detach().numpy().copy()]
    for step in range(steps):
        optimizer.zero_grad()
        ((point * point).sum() / 2 + point @ td.tensor(3 * noise[step])).backward()
        optimizer.step()
        scheduler.step()
        path.append(point.detach().numpy().copy())
    return np.array(path)


def digits(name: str, seed: int, epochs: int) -> tuple[list[float], list[float], float]:
    """Trains a small net on noisy digits; returns the rate and the training loss by epoch, and the test accuracy."""
    images, labels = load_digits(return_X_y=True)
    train, test, train_y, test_y = train_test_split(
        images / 16, labels, test_size=0.3, stratify=labels, random_state=seed
    )
    rng = np.random.default_rng(seed)
    train_y = np.where(rng.random(len(train_y)) < 0.2, rng.integers(0, 10, len(train_y)), train_y)
    x, y, test, test_y = td.tensor(train).float(), td.tensor(train_y), td.tensor(test).float(), td.tensor(test_y)
    td.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    optimizer = td.optim.SGD(model.parameters(), lr=0.3)
    scheduler = SCHEDULES[name](optimizer, epochs)
    rates, losses = [], []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        for batch in td.randperm(len(x)).split(8):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        scheduler.step()
        with td.no_grad():
            losses.append(nn.functional.cross_entropy(model(x), y).item())
    with td.no_grad():
        return rates, losses, (model(test).argmax(1) == test_y).float().mean().item()


def main() -> None:
    options = show.options(__doc__)
    paths = {name: noisy_bowl(name, options.seed) for name in SCHEDULES}
    print("A noisy bowl: distance from the minimum, mean of the last 50 of 200 steps\n")
    rests = {name: np.linalg.norm(path[-50:], axis=1).mean() for name, path in paths.items()}
    show.table(("schedule", "distance"), [(name, f"{rest:.3f}") for name, rest in rests.items()])

    epochs = 4 if options.quick else 40
    runs = {name: digits(name, options.seed, epochs) for name in SCHEDULES}
    print(f"Digits, batches of 8, {epochs} epochs; jumps: the mean change of the loss by an epoch, in the last third\n")
    rows = []
    for name, (rates, losses, accuracy) in runs.items():
        late = np.abs(np.diff(losses[-epochs // 3 :])).mean()
        rows.append((name, f"{rates[-1]:.4f}", f"{losses[-1]:.5f}", f"{late:.5f}", f"{accuracy:.1%}"))
    show.table(("schedule", "last rate", "train loss", "jumps", "test accuracy"), rows)

    figure, axes = viz.figure(2, 2, title="Learning-rate decay", size=(14, 10))
    viz.plot_schedule({n: r for n, (r, _, _) in runs.items()}, xlabel="epoch", ax=axes[0, 0])
    axes[0, 0].set_title("Rates")
    viz.plot_curves({n: losses for n, (_, losses, _) in runs.items()}, log=True, ax=axes[0, 1])
    axes[0, 1].set_title("Training loss on digits (log scale)")
    for name, ax in (("constant", axes[1, 0]), ("cosine", axes[1, 1])):
        viz.plot_paths(lambda x, y: (x * x + y * y) / 2, {name: paths[name]}, minimum=(0.0, 0.0), ax=ax)
        ax.set_title(f"A noisy bowl, {name}")
    show.save(figure, options, "09_learning_rate_decay.png")


if __name__ == "__main__":
    main()
