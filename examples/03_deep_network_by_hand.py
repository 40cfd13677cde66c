"""A network of L layers, forward and backward by hand in NumPy, beside autograd.

[linear -> ReLU] x (L - 1) -> linear -> sigmoid, as in the course's "step by step": for each layer Z = W A + b going
forward; dW = dZ A^T / m, db = the mean of dZ, dA = W^T dZ coming back. Examples are columns there, rows in the
library. The data: is a handwritten digit (scikit-learn's, 8 by 8 pixels) odd? 200 images to learn from, sizes
64-20-7-5-1.

What to see:

- The ten lines of `backward` and one call of `loss.backward()` give the same gradients, to the last digits of
  float64; after thousands of steps the two costs still agree to twelve digits.
- The course writes the last layer's dA as -(Y / A - (1 - Y) / (1 - A)) and then multiplies by A (1 - A). Once a
  prediction has saturated (A is exactly 1) that is infinity times 0, and its cost has a log(0). The product is A - Y;
  written so, and with the cost taken from Z, both stay finite. That is what `binary_cross_entropy_with_logits` does.
- The course starts this network at 0.01 times random numbers. Through four layers the signal fades away: every
  gradient is a hundred thousand times smaller than from He's start, and nothing is learnt.
"""

from __future__ import annotations

import math

import numpy as np
import show
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tinygrad_dl as td
from tinygrad_dl import nn, viz

Array = np.ndarray
Layer = tuple[Array, Array]  # W of shape (outputs, inputs), b of shape (outputs, 1)
SIZES = (64, 20, 7, 5, 1)
RATE = 0.1


def load(seed: int) -> tuple[Array, Array, Array, Array]:
    """Images as columns (64, m) between 0 and 1, and 1 for odd digits (1, m); for training and for testing."""
    images, digits = load_digits(return_X_y=True)
    train, test, train_y, test_y = train_test_split(images / 16, digits % 2.0, train_size=200, random_state=seed)
    return train.T, train_y[None], test.T, test_y[None]


def initialise(seed: int, scale: float | None = None) -> list[Layer]:
    """Random weights times `scale`, or times sqrt(2 / inputs) as He has it; biases of zero."""
    rng = np.random.default_rng(seed)
    shapes = zip(SIZES[1:], SIZES[:-1], strict=True)
    return [
        (rng.standard_normal((n, before)) * (scale or math.sqrt(2 / before)), np.zeros((n, 1))) for n, before in shapes
    ]


def forward(layers: list[Layer], x: Array) -> tuple[Array, list[Array]]:
    """Z of the last layer, and the activations that went into each layer."""
    activations = [x]
    for w, b in layers[:-1]:
        activations.append(np.maximum(w @ activations[-1] + b, 0))
    w, b = layers[-1]
    return w @ activations[-1] + b, activations


def cost_of(z: Array, y: Array) -> float:
    """The mean cross-entropy, from Z: finite however large Z is."""
    return float(np.mean(np.logaddexp(0, z) - y * z))


def backward(layers: list[Layer], z: Array, activations: list[Array], y: Array) -> list[Layer]:
    """dW and db of each layer, from the last to the first by the chain rule."""
    m = y.shape[1]
    dz = sigmoid(z) - y
    gradients = []
    for (w, _), a in zip(reversed(layers), reversed(activations), strict=True):
        gradients.append((dz @ a.T / m, dz.mean(axis=1, keepdims=True)))
        dz = (w.T @ dz) * (a > 0)
    return gradients[::-1]


def sigmoid(z: Array) -> Array:
    return np.exp(-np.logaddexp(0, -z))


def as_model(layers: list[Layer]) -> nn.Sequential:
    """The same network, with the same weights, as layers of the library."""
    parts: list[nn.Module] = []
    for w, b in layers:
        linear = nn.Linear(w.shape[1], w.shape[0]).double()
        linear.load_state_dict({"weight": td.tensor(w), "bias": td.tensor(b.ravel())})
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def gradients_of(model: nn.Sequential, x: Array, y: Array) -> list[Layer]:
    """What autograd finds, in the shapes that `backward` has."""
    model.zero_grad()
    nn.functional.binary_cross_entropy_with_logits(model(td.tensor(x.T)), td.tensor(y.T)).backward()
    return [(layer.weight.grad.numpy(), layer.bias.grad.numpy()[:, None]) for layer in model[::2]]


def train_by_hand(layers: list[Layer], x: Array, y: Array, steps: int) -> tuple[list[Layer], list[float]]:
    costs = []
    for _ in range(steps):
        z, activations = forward(layers, x)
        costs.append(cost_of(z, y))
        gradients = backward(layers, z, activations, y)
        layers = [(w - RATE * dw, b - RATE * db) for (w, b), (dw, db) in zip(layers, gradients, strict=True)]
    return layers, costs


def train_by_autograd(model: nn.Sequential, x: Array, y: Array, steps: int) -> list[float]:
    inputs, targets = td.tensor(x.T), td.tensor(y.T)
    optimizer = td.optim.SGD(model.parameters(), lr=RATE)
    costs = []
    for _ in range(steps):
        optimizer.zero_grad()
        cost = nn.functional.binary_cross_entropy_with_logits(model(inputs), targets)
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
    return costs


def farthest(ours: list[Layer], theirs: list[Layer]) -> list[float]:
    """The largest difference in each layer, relative to the largest entry of dW or db."""
    return [
        max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in zip(one, other, strict=True))
        for one, other in zip(ours, theirs, strict=True)
    ]


def saturated() -> list[tuple[str, str, str]]:
    """Cost and gradient of one example with label 0 at Z = 40: the course's formulas, and those from Z."""
    z, y = np.float64(40.0), 0.0
    a = 1 / (1 + np.exp(-z))
    with np.errstate(all="ignore"):
        cost = -(y * np.log(a) + (1 - y) * np.log(1 - a))
        dz = -(y / a - (1 - y) / (1 - a)) * a * (1 - a)
    t = td.tensor(z, requires_grad=True)
    loss = nn.functional.binary_cross_entropy_with_logits(t, td.zeros_like(t))
    loss.backward()
    return [
        ("course: from A", f"{cost:g}", f"{dz:g}"),
        ("by hand: from Z", f"{cost_of(z, y):g}", f"{sigmoid(z) - y:g}"),
        ("the library", f"{loss.item():g}", f"{t.grad.item():g}"),
    ]


def main() -> None:
    options = show.options(__doc__)
    steps = 300 if options.quick else 2500
    x, y, test, test_y = load(options.seed)
    starts = {"He": initialise(options.seed), "0.01": initialise(options.seed, 0.01)}

    print(f"Gradients by hand against autograd, {y.size} images\n")
    hand = {name: backward(layers, *forward(layers, x), y) for name, layers in starts.items()}
    far = {name: farthest(hand[name], gradients_of(as_model(layers), x, y)) for name, layers in starts.items()}
    norms = {name: [float(np.linalg.norm(dw)) for dw, _ in gradients] for name, gradients in hand.items()}
    rows = [
        (i + 1, f"{w.shape}", f"{far['He'][i]:.0e}", f"{norms['He'][i]:.1e}", f"{norms['0.01'][i]:.1e}")
        for i, (w, _) in enumerate(starts["He"])
    ]
    show.table(("layer", "W", "hand - autograd", "|dW|, He's start", "|dW|, 0.01 x random"), rows)

    print("One saturated prediction: Z = 40, label 0\n")
    show.table(("", "cost", "dZ"), saturated())

    print(f"Training, {steps} steps at rate {RATE}\n")
    rows, curves = [], {}
    for name, layers in starts.items():
        trained, curves[f"{name}, by hand"] = train_by_hand(layers, x, y, steps)
        curves[f"{name}, autograd"] = train_by_autograd(as_model(layers), x, y, steps)
        ours, theirs = (np.array(curves[f"{name}, {way}"]) for way in ("by hand", "autograd"))
        right = [f"{np.mean((forward(trained, a)[0] > 0) == b):.1%}" for a, b in ((x, y), (test, test_y))]
        rows.append((name, f"{ours[-1]:.4f}", f"{theirs[-1]:.4f}", f"{np.abs(ours - theirs).max():.0e}", *right))
    show.table(("start", "cost by hand", "autograd", "farthest apart", "train", "test"), rows)

    figure, (left, right) = viz.figure(1, 2, title="A deep network by hand and by autograd")
    viz.plot_curves(curves, xlabel="step", ylabel="cost", ax=left)
    left.set_title("Two by two the curves are the same")
    numbers = np.arange(1, len(SIZES))
    viz.plot_curves({f"{n}": v for n, v in norms.items()}, x=numbers, xlabel="layer", ylabel="|dW|", log=True, ax=right)
    right.set(title="Size of the first gradient, by start", xticks=numbers)
    show.save(figure, options, "03_deep_network_by_hand.png")


if __name__ == "__main__":
    main()
