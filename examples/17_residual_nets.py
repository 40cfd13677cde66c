"""Plain against residual nets as depth grows: the way around that makes depth harmless.

A deeper plain net could do all that a shallower one does, its further layers being the identity. But it does not find
that: from some depth on even its training error rises. A residual block computes x + F(x), and is the identity when F
gives zero, which is an easy thing to learn or to begin with (He et al., 2015).

What to see:

- Training loss and test accuracy over depth on digits: as the course draws it, plain nets get worse from some depth
  on, residual nets do not.
- Both have the same parameters and take the same time: the way around costs an addition.
"""

from __future__ import annotations

import show
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tinygrad_dl as td
from tinygrad_dl import nn, viz

CHANNELS = 8


class Block(nn.Module):
    """Two convolutions with batch normalisation; with `residual`, what came in is added to what they make of it."""

    def __init__(self, residual: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(CHANNELS)
        self.conv2 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(CHANNELS)
        self.residual = residual
        if residual:
            nn.init.zeros_(self.bn2.weight)  # so that each block begins as the identity (Goyal et al., 2017)

    def forward(self, x: td.Tensor) -> td.Tensor:
        out = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (out + x if self.residual else out).relu()


def net(depth: int, residual: bool) -> nn.Sequential:
    """A net of `depth` layers with weights: one convolution, blocks of two, one linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, CHANNELS, 3, padding=1, bias=False),
        nn.BatchNorm2d(CHANNELS),
        nn.ReLU(),
        *(Block(residual) for _ in range((depth - 2) // 2)),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * CHANNELS, 10),
    )


def load(seed: int) -> tuple[td.Tensor, ...]:
    x, y = load_digits(return_X_y=True)
    train, test, train_y, test_y = train_test_split(x / 8 - 1, y, test_size=0.3, stratify=y, random_state=seed)
    images = (td.tensor(part).float().reshape(-1, 1, 8, 8) for part in (train, test))
    return *images, td.tensor(train_y), td.tensor(test_y)


def train(depth: int, residual: bool, seed: int, epochs: int) -> tuple[list[float], float]:
    """Returns the mean loss of each epoch, and the test accuracy."""
    x, test, y, test_y = load(seed)
    td.manual_seed(seed)
    model = net(depth, residual)
    optimizer = td.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for rows in td.randperm(len(x)).split(64):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / len(x))
    model.eval()
    with td.no_grad():
        return losses, (model(test).argmax(1) == test_y).float().mean().item()


def main() -> None:
    options = show.options(__doc__)
    depths, epochs = ([8, 24], 3) if options.quick else ([4, 8, 16, 32], 6)
    results = {(depth, kind): train(depth, kind, options.seed, epochs) for depth in depths for kind in (False, True)}
    print(f"Digits, {epochs} epochs: loss in the last epoch and test accuracy\n")
    rows = []
    for depth in depths:
        (plain, plain_score), (residual, residual_score) = results[depth, False], results[depth, True]
        count = sum(p.numel() for p in net(depth, True).parameters())
        scores = f"{plain_score:.1%}", f"{residual_score:.1%}"
        rows.append((depth, f"{count:,}", f"{plain[-1]:.4f}", f"{residual[-1]:.4f}", *scores))
    show.table(("layers", "parameters", "loss, plain", "loss, residual", "test, plain", "test, residual"), rows)

    figure, (left, right) = viz.figure(1, 2, title="Plain and residual nets", size=(14, 5))
    kinds = {"plain": False, "residual": True}
    ends = {name: [results[depth, kind][0][-1] for depth in depths] for name, kind in kinds.items()}
    viz.plot_curves(ends, x=depths, xlabel="layers", ylabel="training loss", ax=left)
    left.set_title("Loss after training, over depth")
    deepest = {f"{name}, {depth}": results[depth, kind][0] for name, kind in kinds.items() for depth in (8, depths[-1])}
    viz.plot_curves(deepest, ylabel="training loss (log scale)", log=True, ax=right)
    right.set_title("Loss by epoch")
    show.save(figure, options, "17_residual_nets.png")


if __name__ == "__main__":
    main()
