"""Logistic regression: one neuron, trained three ways, and what a loop in Python costs.

569 tumours, 30 measurements each (scikit-learn's breast cancer data): benign or malignant? The model is y^ =
sigmoid(w.x + b), its cost the mean cross-entropy -(y log y^ + (1 - y) log(1 - y^)).

What to see:

- The same gradient from two nested loops over examples and features, from one matrix product, and from autograd: the
  three agree to the last digits, and the loop takes hundreds of times as long. The course shows it on a product of
  two vectors of a million numbers: 406.5 ms in a loop, 4.04 ms in one call.
- With inputs on one scale, gradient descent gets more than 95 % of new tumours right, at learning rates a hundred
  apart.
- Why not the squared error? Behind a sigmoid it is not convex: its slope comes back to 0 where the prediction is
  worst, and descent stays there. The cross-entropy of the same prediction keeps a slope of -1.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import show
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import tinygrad_dl as td
from tinygrad_dl import nn, viz

Gradient = tuple[float, np.ndarray, float]  # the cost, dw, db


def load(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test examples, both scaled by the mean and standard deviation of the training set alone."""
    x, y = load_breast_cancer(return_X_y=True)
    train, test, train_y, test_y = train_test_split(x, y.astype(float), test_size=0.25, stratify=y, random_state=seed)
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    return (train - mean) / deviation, train_y, (test - mean) / deviation, test_y


def gradient_in_loops(w: np.ndarray, b: float, x: np.ndarray, y: np.ndarray) -> Gradient:
    """Cost and gradient, a number at a time: a loop over examples, in it one over features."""
    m, n = x.shape
    cost, dw, db = 0.0, np.zeros(n), 0.0
    for i in range(m):
        z = b
        for j in range(n):
            z += w[j] * x[i, j]
        prediction = 1 / (1 + math.exp(-z))
        cost -= y[i] * math.log(prediction) + (1 - y[i]) * math.log(1 - prediction)
        error = prediction - y[i]
        for j in range(n):
            dw[j] += x[i, j] * error / m
        db += error / m
    return cost / m, dw, db


def gradient_in_one_go(w: np.ndarray, b: float, x: np.ndarray, y: np.ndarray) -> Gradient:
    """The same with all examples at once: two matrix products, no loop."""
    z = x @ w + b
    error = 1 / (1 + np.exp(-z)) - y
    return float(np.mean(np.logaddexp(0, z) - y * z)), x.T @ error / len(y), float(error.mean())


def gradient_by_autograd(w: np.ndarray, b: float, x: np.ndarray, y: np.ndarray) -> Gradient:
    """The same from the cost alone: nobody writes down a derivative."""
    weight, bias = td.tensor(w, requires_grad=True), td.tensor(b, dtype=td.float64, requires_grad=True)
    cost = nn.functional.binary_cross_entropy_with_logits(td.tensor(x) @ weight + bias, td.tensor(y))
    cost.backward()
    return cost.item(), weight.grad.numpy(), bias.grad.item()


def milliseconds(function: Callable[[], object], repeat: int) -> float:
    """The shortest of a few runs: what the work takes when nothing else is in the way."""
    best = math.inf
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def dot_in_a_loop(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


def accuracy(model: nn.Module, x: td.Tensor, y: td.Tensor) -> float:
    with td.no_grad():
        return ((model(x) > 0).float() == y).float().mean().item()


def train(seed: int, rate: float, epochs: int) -> tuple[list[float], float, float]:
    """Gradient descent on the whole training set; returns the cost by epoch and both accuracies."""
    x, y, test, test_y = (td.tensor(array).float() for array in load(seed))
    y, test_y = y.unsqueeze(1), test_y.unsqueeze(1)
    td.manual_seed(seed)
    model = nn.Linear(30, 1)
    nn.init.zeros_(model.weight)  # one neuron has no symmetry to break: zeros are a fine start here
    optimizer = td.optim.SGD(model.parameters(), lr=rate)
    costs = []
    for _ in range(epochs):
        optimizer.zero_grad()
        cost = nn.functional.binary_cross_entropy_with_logits(model(x), y)
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
    return costs, accuracy(model, x, y), accuracy(model, test, test_y)


def slopes(weights: np.ndarray) -> dict[str, np.ndarray]:
    """The derivatives of both costs of y^ = sigmoid(w), with label 1, at each w: autograd at its plainest."""
    w = td.tensor(weights, requires_grad=True)
    costs = {
        "cross-entropy": nn.functional.binary_cross_entropy_with_logits(w, td.ones_like(w), reduction="sum"),
        "squared error": ((w.sigmoid() - 1) ** 2).sum() / 2,
    }
    return {name: td.autograd.grad(cost, w)[0].numpy() for name, cost in costs.items()}


def main() -> None:
    options = show.options(__doc__)
    x, y, _, _ = load(options.seed)
    rng = np.random.default_rng(options.seed)
    w, b = 0.1 * rng.standard_normal(30), 0.1

    ways = {
        "two nested loops": gradient_in_loops,
        "matrix product": gradient_in_one_go,
        "autograd": gradient_by_autograd,
    }
    reference = gradient_in_loops(w, b, x, y)
    times = {n: milliseconds(lambda f=f: f(w, b, x, y), 3 if f is gradient_in_loops else 50) for n, f in ways.items()}
    print(f"One gradient of logistic regression, {len(y)} examples of 30 features\n")
    rows = []
    for name, f in ways.items():
        cost, dw, db = f(w, b, x, y)
        far = max(np.abs(dw - reference[1]).max(), abs(db - reference[2]), abs(cost - reference[0]))
        rows.append((name, f"{times[name]:.3f}", f"{times['two nested loops'] / times[name]:.0f} x", f"{far:.0e}"))
    show.table(("", "ms", "faster than loops", "farthest from the loops"), rows)

    size = 100_000 if options.quick else 1_000_000
    a, c = rng.random(size), rng.random(size)
    slow, fast = milliseconds(lambda: dot_in_a_loop(a, c), 1), milliseconds(lambda: np.dot(a, c), 10)
    print(f"The product of two vectors of {size:,} numbers\n")
    rows = [("loop", f"{slow:.1f}", "406.5"), ("np.dot", f"{fast:.3f}", "4.04"), ("ratio", f"{slow / fast:.0f}", "101")]
    show.table(("", "ms", "course, ms"), rows)
    print("The course timed a single first call of np.dot, which pays for starting up; here the best of ten counts.\n")

    epochs = 200 if options.quick else 2000
    found = {rate: train(options.seed, rate, epochs) for rate in (0.001, 0.01, 0.1)}
    print(f"Gradient descent, {epochs} epochs\n")
    rows = [(f"{rate:g}", f"{c[-1]:.4f}", f"{t:.1%}", f"{u:.1%}") for rate, (c, t, u) in found.items()]
    show.table(("learning rate", "cost", "train", "test"), rows)

    figure, (left, middle, right) = viz.figure(1, 3, title="Logistic regression on breast cancer data")
    bars = left.barh(list(times), list(times.values()), color="#0072b2")
    left.bar_label(bars, [f"{t:.3f} ms" for t in times.values()], padding=3)
    viz.log_scale(left, x=True)
    left.set(xlabel="ms for one gradient", xlim=(0.005, 50), title="The same gradient, three ways")
    left.invert_yaxis()
    curves = {f"rate {rate:g}": costs for rate, (costs, _, _) in found.items()}
    viz.plot_curves(curves, ylabel="cross-entropy", ax=middle)
    middle.set_title("Cost on the training set")
    weights = np.linspace(-8, 4, 200)
    viz.plot_curves(slopes(weights), x=weights, xlabel="weight", ylabel="slope of the cost", ax=right)
    right.set_title("One example with label 1")
    show.save(figure, options, "01_logistic_regression.png")


if __name__ == "__main__":
    main()
