"""Batch normalisation: by hand and as a layer, at training and at test time, and what it is good for.

z_norm = (z - mean) / sqrt(variance + eps) over the batch, feature by feature, then gamma z_norm + beta, both learnt.

What to see:

- Four lines by hand give what the layer gives, forward and backward. With gamma = sqrt(variance + eps) and beta = mean
  the layer is the identity: nothing a net could do without it is lost.
- A bias before it is useless: the mean takes it away again, and its gradient is zero.
- At test time one example has no variance. The layer then uses running averages of its batches' numbers, and gives
  for one example what it gives for the same one among many. In training mode it refuses a single example.
- It speeds training up: four layers of sigmoids, which stand still without it, learn.
- Covariate shift, the course's black cats and coloured cats, is here one of sharp and faded digits. Both nets lose;
  but with new running averages, from a few unlabelled batches, the one with batch normalisation gets it all back.
- It regularises slightly, by the noise in its batches' numbers: batches of 25 generalise a little better than 200. At 5
  the noise does more harm than good.
"""

from __future__ import annotations

import numpy as np
import show
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tinygrad_dl as td
from tinygrad_dl import nn, viz


def by_hand(z: td.Tensor, gamma: td.Tensor, beta: td.Tensor, eps: float = 1e-5) -> td.Tensor:
    mean = z.mean(0)
    variance = (z - mean).square().mean(0)
    return gamma * (z - mean) / (variance + eps).sqrt() + beta


def same_as_layer(seed: int) -> dict[str, float]:
    """The largest differences between the formula and the layer: results, and gradients of input, gamma and beta."""
    td.manual_seed(seed)
    layer = nn.BatchNorm1d(5, dtype=td.float64)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    z = 3 * td.randn(16, 5, dtype=td.float64) + 2
    weights = td.randn(16, 5, dtype=td.float64)  # of a sum, so that every entry has a gradient of its own
    results = []
    for function in (layer, lambda z: by_hand(z, layer.weight, layer.bias)):
        z = z.detach().requires_grad_()
        out = function(z)
        results.append((out, *td.autograd.grad((out * weights).sum(), [z, layer.weight, layer.bias])))
    names = ("output", "input's gradient", "gamma's gradient", "beta's gradient")
    return {n: (a - b).abs().max().item() for n, a, b in zip(names, *results, strict=True)}


def identity_and_bias(seed: int) -> dict[str, float]:
    """How far the layer is from the identity, and what a bias before it changes and gets."""
    td.manual_seed(seed)
    z = 3 * td.randn(64, 5, dtype=td.float64) + 2
    identity = nn.BatchNorm1d(5, dtype=td.float64)
    with td.no_grad():
        identity.weight.copy_((z.var(0, correction=0) + identity.eps).sqrt())
        identity.bias.copy_(z.mean(0))
    bias = td.randn(5, dtype=td.float64, requires_grad=True)
    norm = nn.BatchNorm1d(5, dtype=td.float64)
    changed = norm(z + bias)
    (gradient,) = td.autograd.grad(changed.square().sum() + changed[0].sum(), bias)
    return {
        "distance from the identity": (identity(z) - z).abs().max().item(),
        "change by a bias before it": (changed - norm(z)).abs().max().item(),
        "gradient of that bias": gradient.abs().max().item(),
    }


def load(seed: int, train_size: int = 1000) -> tuple[td.Tensor, ...]:
    x, y = load_digits(return_X_y=True)
    train, test, train_y, test_y = train_test_split(x / 16, y, train_size=train_size, stratify=y, random_state=seed)
    return td.tensor(train).float(), td.tensor(train_y), td.tensor(test).float(), td.tensor(test_y)


def net(norm: bool, activation: type[nn.Module] = nn.Sigmoid) -> nn.Sequential:
    """Four layers; the slopes of sigmoids vanish where their inputs are large or all alike."""
    parts: list[nn.Module] = []
    for _ in range(4):
        parts.append(nn.Linear(64, 64, bias=not norm))
        parts += [nn.BatchNorm1d(64), activation()] if norm else [activation()]
    return nn.Sequential(*parts, nn.Linear(64, 10))


def accuracy(model: nn.Module, x: td.Tensor, y: td.Tensor) -> float:
    model.eval()
    with td.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def train(model: nn.Module, data: tuple[td.Tensor, ...], rate: float, epochs: int, batch: int = 50) -> list[float]:
    """SGD with momentum; returns the loss on the training set, in batches as trained, by epoch."""
    x, y, _, _ = data
    optimizer = td.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    losses = []
    for _ in range(epochs):
        model.train()
        total = 0.0
        for rows in td.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / len(x))
    return losses


def shifted(seed: int, norm: bool, epochs: int) -> tuple[float, float, float]:
    """Accuracy on test images as trained on, on faded ones, and there with new running averages."""
    data = load(seed)
    td.manual_seed(seed)
    model = net(norm, nn.ReLU)
    train(model, data, 0.05, epochs)
    _, _, test, test_y = data
    faded = 0.4 * test + 0.3  # less contrast, and a grey background
    before, after = accuracy(model, test, test_y), accuracy(model, faded, test_y)
    model.train()
    with td.no_grad():  # no labels are used: the batches only move the running averages
        for _ in range(10):
            for rows in td.randperm(len(faded)).split(100):
                model(faded[rows])
    return before, after, accuracy(model, faded, test_y)


def regularised(seed: int, batch: int, steps: int) -> tuple[float, float]:
    """Few examples, equal numbers of steps: accuracy on training and test images by the size of the batch."""
    data = load(seed, 200)
    td.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 10))
    train(model, data, 0.05, steps * batch // 200, batch)
    x, y, test, test_y = data
    return accuracy(model, x, y), accuracy(model, test, test_y)


def main() -> None:
    options = show.options(__doc__)
    epochs = 3 if options.quick else 20
    print("By hand and as a layer: the largest difference\n")
    show.table(("", "difference"), [(n, f"{v:.0e}") for n, v in same_as_layer(options.seed).items()])
    show.table(("a layer", "size"), [(n, f"{v:.0e}") for n, v in identity_and_bias(options.seed).items()])

    data = load(options.seed)
    curves, rows = {}, []
    for rate in (0.05, 0.5):
        for norm in (False, True):
            td.manual_seed(options.seed)
            model = net(norm)
            name = f"{'batch norm' if norm else 'plain'}, rate {rate:g}"
            curves[name] = train(model, data, rate, epochs)
            rows.append((name, f"{curves[name][-1]:.4f}", f"{accuracy(model, *data[2:]):.1%}"))
    print(f"Four layers of sigmoids on digits, {epochs} epochs\n")
    show.table(("", "loss", "test accuracy"), rows)

    _, _, test, _ = data
    model.eval()
    with td.no_grad():
        alone, among = model(test[:1]), model(test)[:1]
    print(f"One example alone and among {len(test)}, in evaluation: differ by {(alone - among).abs().max().item():.0e}")
    try:
        model.train()(test[:1])
    except ValueError as error:
        print(f"The same in training mode: {str(error).splitlines()[0]}\n")

    print("Covariate shift: accuracy on faded images\n")
    rows = [
        (name, *(f"{v:.1%}" for v in shifted(options.seed, norm, epochs)))
        for name, norm in (("plain", False), ("batch norm", True))
    ]
    show.table(("", "as trained on", "faded", "faded, new running averages"), rows)

    steps, seeds = (40, 1) if options.quick else (400, 5)
    scores = {b: np.mean([regularised(s, b, steps) for s in range(seeds)], axis=0) for b in (5, 10, 25, 50, 100, 200)}
    print(f"200 training images, {steps} steps, by size of the batch (means over {seeds} seeds)\n")
    show.table(("batch", "train", "test"), [(b, f"{t:.1%}", f"{d:.2%}") for b, (t, d) in scores.items()])

    figure, (left, right) = viz.figure(1, 2, title="Batch normalisation", size=(14, 5))
    viz.plot_curves(curves, ylabel="training loss (log scale)", log=True, ax=left)
    left.set_title("Four layers of sigmoids on digits")
    sizes = list(scores)
    viz.plot_curves(
        {"test": [scores[b][1] for b in sizes]}, x=sizes, xlabel="size of the batch", ylabel="accuracy", ax=right
    )
    right.set(title="200 training images, by size of the batch")
    viz.log_scale(right, x=True)
    show.save(figure, options, "10_batch_normalisation.png")


if __name__ == "__main__":
    main()
