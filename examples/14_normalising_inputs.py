"""Normalising inputs: one scale for every feature, taken from the training set alone.

Wine comes with 13 measurements: proline counts in thousands, hue in ones. A weight on proline moves the prediction
a thousand times as much as one on hue, so the cost over the weights is a narrow valley: the rate that does not
overshoot across it is far too small along it.

What to see:

- The condition number of the cost (the largest curvature by the smallest) and the number of steps that gradient
  descent takes, at the best of many rates: raw inputs get nowhere, min-max and z-score are there in a few steps.
- Mean and deviation belong to the training set. A shifted test set that is scaled by its own numbers hides the shift,
  and a single example scaled by itself is all zeros: the accuracy drops to a guess.
- The notes of the course divide by the variance in one place. Dividing by its root, the deviation, gives variance 1.
- The contour of the cost over two weights, before (a valley) and after (a bowl), with the path of descent.
"""

from __future__ import annotations

import numpy as np
import show
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

import tinygrad_dl as td
from tinygrad_dl import nn, viz

SCALERS = {"raw": FunctionTransformer, "min-max": MinMaxScaler, "z-score": StandardScaler}
RATES = [10.0**power for power in range(-7, 2)]
GOAL = 0.1  # a training loss, reached when the model knows most wines


def load(seed: int) -> list[np.ndarray]:
    """Train and test inputs, train and test labels."""
    x, y = load_wine(return_X_y=True)
    return train_test_split(x, y, test_size=0.3, stratify=y, random_state=seed)


def steps_to_goal(x: np.ndarray, y: np.ndarray, rate: float, most: int) -> tuple[int, nn.Module]:
    """Gradient descent on softmax regression; returns the steps until the loss is below GOAL (or `most`)."""
    x, y = td.tensor(x).float(), td.tensor(y)
    model = nn.Linear(x.shape[1], 3)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    optimizer = td.optim.SGD(model.parameters(), lr=rate)
    for step in range(most):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        if loss.item() < GOAL:
            return step, model
        loss.backward()
        optimizer.step()
    return most, model


def condition(x: np.ndarray) -> float:
    """Of the inputs' second moments: how many times steeper the cost is in one direction than in another."""
    values = np.linalg.eigvalsh(x.T @ x / len(x))
    return float(values[-1] / values[0])


def accuracy(model: nn.Module, x: np.ndarray, y: np.ndarray) -> float:
    with td.no_grad():
        return float((model(td.tensor(x).float()).argmax(1).numpy() == y).mean())


def compare(seed: int, most: int) -> dict[str, tuple[float, float, int, float]]:
    """For each scaling: the condition number, the best rate, its steps to the goal, and the test accuracy."""
    train, test, train_y, test_y = load(seed)
    found = {}
    for name, scaler in SCALERS.items():
        fitted = scaler().fit(train)
        scaled = fitted.transform(train)
        runs = {rate: steps_to_goal(scaled, train_y, rate, most) for rate in RATES}
        best = min(RATES, key=lambda rate: (runs[rate][0], -accuracy(runs[rate][1], scaled, train_y)))
        found[name] = condition(scaled), best, runs[best][0], accuracy(runs[best][1], fitted.transform(test), test_y)
    return found


def test_statistics(seed: int) -> dict[str, float]:
    """Test accuracy by where the mean and the deviation come from."""
    train, test, train_y, test_y = load(seed)
    fitted = StandardScaler().fit(train)
    _, model = steps_to_goal(fitted.transform(train), train_y, 1.0, 1000)
    alone = np.concatenate([StandardScaler().fit_transform(row[None]) for row in test])
    first = test_y == 0  # a test set of one kind of wine, as one producer would send
    return {
        "training set's": accuracy(model, fitted.transform(test), test_y),
        "each example's own": accuracy(model, alone, test_y),
        "training set's, one kind of wine": accuracy(model, fitted.transform(test[first]), test_y[first]),
        "its own, one kind of wine": accuracy(model, StandardScaler().fit_transform(test[first]), test_y[first]),
    }


def descent(features: np.ndarray, target: np.ndarray, rate: float, steps: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Least squares with two weights: the path of descent, and the minimum."""
    x, y = td.tensor(features), td.tensor(target)
    minimum = np.linalg.lstsq(features, target, rcond=None)[0]
    start = minimum + 3 * np.abs(minimum) * [1, -1]
    w = td.tensor(start, requires_grad=True)
    optimizer = td.optim.SGD([w], lr=rate)
    path = [start]
    for _ in range(steps):
        optimizer.zero_grad()
        (x @ w - y).square().mean().backward()
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.array(path), minimum


def main() -> None:
    options = show.options(__doc__)
    most = 300 if options.quick else 5000
    print(f"Softmax regression on wine: steps of gradient descent until the loss is {GOAL}\n")
    rows = []
    for name, (number, rate, steps, score) in compare(options.seed, most).items():
        reached = str(steps) if steps < most else f"not in {most}"
        rows.append((name, f"{number:.1e}", f"{rate:g}", reached, f"{score:.1%}"))
    show.table(("inputs", "condition number", "best rate", "steps", "test accuracy"), rows)

    print("Whose mean and deviation scale the test examples?\n")
    show.table(("", "test accuracy"), [(n, f"{score:.1%}") for n, score in test_statistics(options.seed).items()])

    train, _, labels, _ = load(options.seed)
    x = train - train.mean(axis=0)
    print("Variance of the scaled inputs, smallest and largest of 13\n")
    rows = [
        (name, *(f"{value:.3g}" for value in (np.var(x / by, axis=0).min(), np.var(x / by, axis=0).max())))
        for name, by in (
            ("divided by the variance (a slip)", x.var(axis=0)),
            ("divided by the deviation", x.std(axis=0)),
        )
    ]
    show.table(("", "smallest", "largest"), rows)

    figure, axes = viz.figure(1, 2, title="Squared error over two weights, and gradient descent", size=(13, 5.5))
    pair = train[:, [0, 6]]  # alcohol, about 13; flavanoids, about 2
    target = np.where(labels == 0, 1.0, -1.0)
    for ax, name, inputs in zip(axes, ("raw", "z-score"), (pair, StandardScaler().fit_transform(pair)), strict=True):
        largest = np.linalg.eigvalsh(inputs.T @ inputs / len(inputs))[-1]
        path, minimum = descent(inputs, target, 0.9 / largest)  # 1 / largest is where it begins to diverge

        def cost(a: np.ndarray, b: np.ndarray, inputs: np.ndarray = inputs) -> np.ndarray:
            weights = np.stack([a.ravel(), b.ravel()])
            return np.square(inputs @ weights - target[:, None]).mean(axis=0).reshape(a.shape)

        viz.plot_paths(cost, {f"rate {0.9 / largest:.2g}": path}, minimum=tuple(minimum), ax=ax)
        ax.set(title=f"{name}: condition number {condition(inputs):.3g}", xlabel="weight of alcohol")
        ax.set_ylabel("weight of flavanoids")
    show.save(figure, options, "14_normalising_inputs.png")


if __name__ == "__main__":
    main()
