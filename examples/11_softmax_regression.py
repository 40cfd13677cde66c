"""Softmax regression: several classes, straight borders, and a gradient that is just p - y.

Without a hidden layer, the score of a class is linear in the inputs. The border between two classes is where their
scores are equal, and so a straight line, however many classes there are. Hidden layers bend it.

What to see:

- 3, 4, 5 and 6 classes: regions with straight borders that meet in points.
- Classes that wind around each other: softmax regression gets about half of the points, a net with one or two
  hidden layers nearly all.
- The gradient of the loss with respect to the scores is p - y: from autograd, from the course's formula, and by central
  differences. The loss of the course's example, p = (0.3, 0.2, 0.1, 0.4) and class 1, is -log 0.2 = 1.609.
- Scores of a thousand overflow exp; cross_entropy takes the scores, shifts them, and stays finite.
"""

from __future__ import annotations

import numpy as np
import show
from sklearn.datasets import make_blobs

import tinygrad_dl as td
from tinygrad_dl import nn, viz
from tinygrad_dl.testing import gradcheck

Points = tuple[np.ndarray, np.ndarray]


def blobs(classes: int, seed: int) -> Points:
    """Classes of 60 points each around the corners of a regular polygon."""
    angles = 2 * np.pi * np.arange(classes) / classes + 0.3
    centers = 4 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    x, y = make_blobs(60 * classes, centers=centers, cluster_std=1.0, random_state=seed)
    return x / 4, y


def spirals(seed: int, classes: int = 4) -> Points:
    """Arms that wind around each other: 100 points each."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(classes), 100)
    radius = np.tile(np.linspace(0.1, 1, 100), classes)
    angle = 4 * radius + 2 * np.pi * label / classes + rng.normal(0, 0.12, radius.size)
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1), label


def softmax_net(hidden: list[int], classes: int) -> nn.Sequential:
    """Softmax regression if `hidden` is empty."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip([2, *hidden], hidden, strict=False):
        layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(hidden[-1] if hidden else 2, classes))


def train(points: Points, hidden: list[int], seed: int, steps: int) -> tuple[nn.Module, float]:
    """Full-batch Adam; returns the model and its accuracy on the same points."""
    td.manual_seed(seed)
    x, y = td.tensor(points[0]).float(), td.tensor(points[1])
    model = softmax_net(hidden, int(points[1].max()) + 1)
    optimizer = td.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    with td.no_grad():
        return model, (model(x).argmax(1) == y).float().mean().item()


def gradient_of_scores(scores: list[float], label: int) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of one example's loss, from autograd and as p - y."""
    z = td.tensor([scores], dtype=td.float64, requires_grad=True)
    nn.functional.cross_entropy(z, td.tensor([label])).backward()
    p = np.exp(scores) / np.exp(scores).sum()
    return z.grad.numpy()[0], p - np.eye(len(scores))[label]


def main() -> None:
    options = show.options(__doc__)
    steps = 150 if options.quick else 1000

    scores = np.log([0.3, 0.2, 0.1, 0.4]).tolist()  # softmax gives these probabilities back
    found, formula = gradient_of_scores(scores, 1)
    loss = nn.functional.cross_entropy(td.tensor([scores]), td.tensor([1])).item()
    print(f"p = (0.3, 0.2, 0.1, 0.4), class 1: loss {loss:.4f}; the gradient of the scores\n")
    rows = [("autograd", *(f"{v:+.4f}" for v in found)), ("p - y", *(f"{v:+.4f}" for v in formula))]
    show.table(("", "z0", "z1", "z2", "z3"), rows)
    z = td.randn(5, 4, dtype=td.float64, requires_grad=True)
    agree = gradcheck(lambda z: nn.functional.cross_entropy(z, td.tensor([0, 1, 2, 3, 0])), [z])
    print(f"Five random examples against central differences: {'all entries agree' if agree else 'wrong'}\n")
    large = td.tensor([[1000.0, 0.0, -1000.0]], requires_grad=True)
    wrong = nn.functional.cross_entropy(large, td.tensor([1]))
    wrong.backward()
    print(f"scores of 1000, 0, -1000 and class 1: loss {wrong.item():g}, gradient {large.grad.numpy()[0]}\n")

    tasks = [(f"{n} classes", blobs(n, options.seed), []) for n in (3, 4, 5, 6)]
    winding = spirals(options.seed)
    tasks += [("arms, no hidden layer", winding, []), ("arms, hidden layer of 8", winding, [8])]
    tasks += [("arms, hidden layer of 32", winding, [32]), ("arms, two hidden layers of 16", winding, [16, 16])]
    figure, axes = viz.figure(2, 4, title="Borders of softmax regression, and of nets with hidden layers", size=(17, 9))
    rows = []
    for (name, points, hidden), ax in zip(tasks, axes.flat, strict=True):
        model, accuracy = train(points, hidden, options.seed, steps if not hidden else 2 * steps)
        rows.append((name, f"{accuracy:.1%}"))

        def predict(x: np.ndarray, model: nn.Module = model) -> np.ndarray:
            with td.no_grad():
                return model(td.tensor(x).float()).argmax(1).numpy()

        viz.plot_decision_boundary(predict, *points, ax=ax)
        ax.set_title(f"{name}: {accuracy:.0%}")
    show.table(("task", "accuracy"), rows)
    show.save(figure, options, "11_softmax_regression.png")


if __name__ == "__main__":
    main()
