"""Exponentially weighted averages, and the three optimisers that are made of them.

v = beta v + (1 - beta) x keeps one number and averages about the last 1 / (1 - beta) values. It starts from 0, so
its first values are too small; dividing by 1 - beta^t, the weight that has been given out so far, corrects that.

What to see:

- On a year of daily temperatures: beta = 0.5 follows every day, 0.9 averages ten days, 0.98 fifty, and lags behind.
  Without the correction the last one starts near 0 degrees and needs three months to recover.
- The course's sales of five days. Its corrected values (10, 11.2) feed the corrected average of one day into the
  next and divide a part of the sum only. The correction belongs on the result: (10, 11.33, 12.86, ...).
- Momentum is the average of the gradient, RMSprop divides by the root of the average of its square (RMS is the root of
  the mean square; nothing is transmitted), Adam does both and corrects both, with the power t of the step. Each,
  written in two lines from one function, takes the very same steps as the optimiser of the library.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import show

import tinygrad_dl as td
from tinygrad_dl import viz

STEPS, START = 60, (-9.0, 2.0)


class Average:
    """An exponentially weighted average: call it with a value, get the average so far."""

    def __init__(self, beta: float, corrected: bool = False) -> None:
        self.beta, self.corrected, self.value, self.steps = beta, corrected, 0.0, 0

    def __call__(self, x: np.ndarray | float) -> np.ndarray | float:
        self.steps += 1
        self.value = self.beta * self.value + (1 - self.beta) * x
        return self.value / (1 - self.beta**self.steps) if self.corrected else self.value


def temperatures(seed: int) -> np.ndarray:
    """A year of daily temperatures, from the first of January: a season and the weather."""
    rng = np.random.default_rng(seed)
    season = 11 - 7 * np.cos(2 * np.pi * (np.arange(365) - 20) / 365)
    weather = Average(0.7)  # a warm day is likely to follow a warm day
    return season + np.array([weather(x) for x in rng.normal(0, 8, 365)])


def bowl(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A long valley: thirty times as steep across as along."""
    return 0.05 * x**2 + 1.5 * y**2


def momentum(rate: float) -> Callable[[np.ndarray], np.ndarray]:
    average = Average(0.9)
    return lambda g: rate * average(g)


def rmsprop(rate: float) -> Callable[[np.ndarray], np.ndarray]:
    squares = Average(0.99)
    return lambda g: rate * g / (np.sqrt(squares(g * g)) + 1e-8)


def adam(rate: float) -> Callable[[np.ndarray], np.ndarray]:
    average, squares = Average(0.9, corrected=True), Average(0.999, corrected=True)
    return lambda g: rate * average(g) / (np.sqrt(squares(g * g)) + 1e-8)


def by_hand(step: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The path of a rule down the valley: points of shape (steps + 1, 2)."""
    path = [np.array(START)]
    for _ in range(STEPS):
        x, y = path[-1]
        path.append(path[-1] - step(np.array([0.1 * x, 3 * y])))
    return np.array(path)


def by_library(make: Callable[[list[td.Tensor]], td.optim.Optimizer]) -> np.ndarray:
    """The path of an optimiser of the library, with autograd's gradients."""
    point = td.tensor(START, dtype=td.float64, requires_grad=True)
    optimizer = make([point])
    path = [point.detach().numpy().copy()]
    for _ in range(STEPS):
        optimizer.zero_grad()
        bowl(*point.unbind()).backward()
        optimizer.step()
        path.append(point.detach().numpy().copy())
    return np.array(path)


# PyTorch's momentum has no factor 1 - beta: v = beta v + g. At a tenth of the rate, its steps are the average's.
PAIRS = {
    "gradient descent": (lambda: lambda g: 0.4 * g, lambda p: td.optim.SGD(p, lr=0.4)),
    "momentum": (lambda: momentum(0.4), lambda p: td.optim.SGD(p, lr=0.04, momentum=0.9)),
    "RMSprop": (lambda: rmsprop(0.2), lambda p: td.optim.RMSprop(p, lr=0.2)),
    "Adam": (lambda: adam(0.4), lambda p: td.optim.Adam(p, lr=0.4)),
}


def main() -> None:
    options = show.options(__doc__)
    days = temperatures(options.seed)
    averages = {}
    for beta, corrected in ((0.5, True), (0.9, True), (0.98, True), (0.98, False)):
        average = Average(beta, corrected)
        averages[f"{beta:g}" + ("" if corrected else ", uncorrected")] = np.array([average(x) for x in days])
    print("Averages of daily temperatures: day 1, day 10, and how rough each is (mean change from day to day)\n")
    rows = [("the days themselves", days[0], days[9], np.abs(np.diff(days)).mean())]
    rows += [(f"beta {name}", a[0], a[9], np.abs(np.diff(a)).mean()) for name, a in averages.items()]
    show.table(("", "day 1", "day 10", "change a day"), [(n, *(f"{v:.2f}" for v in values)) for n, *values in rows])

    print("The course's sales, beta 0.5\n")
    plain, corrected = Average(0.5), Average(0.5, corrected=True)
    course = ("10", "11.2", "", "", "")
    rows = [
        (x, f"{plain(x):.4f}", f"{corrected(x):.4f}", theirs)
        for x, theirs in zip((10, 12, 14, 16, 18), course, strict=True)
    ]
    show.table(("sales", "average", "corrected", "course's corrected"), rows)

    print(f"Down a valley in {STEPS} steps, from averages by hand and with the library\n")
    rows, paths = [], {}
    for name, (rule, make) in PAIRS.items():
        ours, theirs = by_hand(rule()), by_library(make)
        paths[name] = ours
        rows.append((name, f"{bowl(*ours[10]):.4f}", f"{bowl(*ours[-1]):.2e}", f"{np.abs(ours - theirs).max():.0e}"))
    show.table(("", "height, step 10", f"height, step {STEPS}", "farthest apart"), rows)

    figure, (left, right) = viz.figure(1, 2, title="Exponentially weighted averages", size=(13, 5))
    left.plot(np.arange(1, 366), days, ".", color="0.7", markersize=3, zorder=0)
    viz.plot_curves({f"beta {n}": a for n, a in averages.items()}, xlabel="day", ylabel="temperature", ax=left)
    left.set_title("A year of temperatures")
    viz.plot_paths(bowl, paths, minimum=(0.0, 0.0), ax=right)
    right.set_title("Optimisers made of averages")
    show.save(figure, options, "08_weighted_averages.png")


if __name__ == "__main__":
    main()
