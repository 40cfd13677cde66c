"""1x1 and depthwise separable convolutions: accuracy against multiplications.

A 3x3 convolution from c to d channels multiplies 9 c d numbers for each pixel. MobileNet takes it apart: a depthwise
convolution filters each channel by itself (9 c), a pointwise one, 1x1, mixes the channels (c d). That is a share of
1/d + 1/9 of the work (Howard et al., 2017). A 1x1 convolution can also shrink the channels first: a bottleneck.

What to see:

- The course's 6x6x3 image and five 3x3 filters: 2160 multiplications, against 432 + 240 = 672 taken apart.
- Nets of three blocks on digits, by kind of block and by width: at equal width a separable net multiplies four to six
  times less and loses a point or two. At an equal number of multiplications it can have twice the channels, and scores
  about the same: on images this small and nets this narrow. The saving, 1/d + 1/9, grows with the width.
- The counts are those of the layers as they run, taken by a forward hook from the shapes that pass through.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import show
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tinygrad_dl as td
from tinygrad_dl import nn, viz


def full(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)]


def separable(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    """Depthwise, then pointwise."""
    return [
        nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, 1, bias=False),
    ]


def bottleneck(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    """1x1 down to a quarter of the channels, 3x3 there, 1x1 up again."""
    narrow = max(1, outputs // 4)
    return [
        nn.Conv2d(inputs, narrow, 1, bias=False),
        nn.BatchNorm2d(narrow),
        nn.ReLU(),
        nn.Conv2d(narrow, narrow, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(narrow),
        nn.ReLU(),
        nn.Conv2d(narrow, outputs, 1, bias=False),
    ]


BLOCKS: dict[str, Callable[[int, int, int], list[nn.Module]]] = {
    "full 3x3": full,
    "separable": separable,
    "bottleneck": bottleneck,
}


def net(kind: str, width: int) -> nn.Sequential:
    """A convolution, three blocks (the second halves the image), mean over the image, scores."""
    layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    for inputs, outputs, stride in ((width, width, 1), (width, 2 * width, 2), (2 * width, 2 * width, 1)):
        layers += [*BLOCKS[kind](inputs, outputs, stride), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 10))


def multiplications(model: nn.Module, x: td.Tensor) -> int:
    """How many numbers the convolutions and linear layers of a model multiply for one example."""
    counts: list[int] = []

    def count(layer: nn.Module, inputs: Any, output: td.Tensor) -> None:
        each = layer.weight[0].numel()  # the numbers that one output is made of
        counts.append(each * math.prod(output.shape[1:]))

    counted = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(count) for layer in counted]
    model.eval()
    with td.no_grad():
        model(x[:1])
    for handle in handles:
        handle.remove()
    return sum(counts)


def load(seed: int) -> tuple[td.Tensor, ...]:
    x, y = load_digits(return_X_y=True)
    train, test, train_y, test_y = train_test_split(x / 8 - 1, y, test_size=0.4, stratify=y, random_state=seed)
    images = (td.tensor(part).float().reshape(-1, 1, 8, 8) for part in (train, test))
    return *images, td.tensor(train_y), td.tensor(test_y)


def train(kind: str, width: int, seed: int, epochs: int) -> tuple[int, int, float]:
    """Returns multiplications, parameters and test accuracy."""
    x, test, y, test_y = load(seed)
    td.manual_seed(seed)
    model = net(kind, width)
    optimizer = td.optim.Adam(model.parameters(), lr=5e-3)
    schedule = td.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for rows in td.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        schedule.step()
    model.eval()
    with td.no_grad():
        accuracy = (model(test).argmax(1) == test_y).float().mean().item()
    return multiplications(model, x), sum(p.numel() for p in model.parameters()), accuracy


def main() -> None:
    options = show.options(__doc__)
    image = td.zeros(1, 3, 6, 6)
    whole = nn.Conv2d(3, 5, 3)
    apart = nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 5, 1))
    print("Five 3x3 filters over 6x6x3\n")
    counts = multiplications(whole, image), multiplications(apart, image)
    show.table(("", "multiplications", "course"), [("full", counts[0], 2160), ("separable", counts[1], 672)])

    epochs, count = (6, 2) if options.quick else (15, 3)
    widths = {kind: ((4, 8, 16) if kind == "full 3x3" else (8, 16, 32))[:count] for kind in BLOCKS}
    results = {kind: [train(kind, width, options.seed, epochs) for width in widths[kind]] for kind in BLOCKS}
    print(f"Digits, {epochs} epochs\n")
    rows = [
        (f"{kind}, {width}", f"{m:,}", f"{p:,}", f"{a:.1%}")
        for kind, found in results.items()
        for width, (m, p, a) in zip(widths[kind], found, strict=True)
    ]
    show.table(("block, width", "multiplications", "parameters", "test accuracy"), rows)

    figure, (ax,) = viz.figure(1, 1, title="Digits: accuracy against multiplications", size=(9, 6))
    for (kind, found), marker, line in zip(results.items(), "os^", ("-", "--", "-."), strict=True):
        counts, accuracies = [m for m, _, _ in found], [a for _, _, a in found]
        ax.plot(counts, accuracies, marker=marker, linestyle=line, label=kind)
        for width, m, a in zip(widths[kind], counts, accuracies, strict=True):
            ax.annotate(str(width), (m, a), (0, 7), textcoords="offset points", ha="center")
    viz.log_scale(ax, x=True)
    ax.set(xlabel="multiplications for one image (log scale)", ylabel="test accuracy")
    viz.legend(ax, title="block\n(numbers: width)")
    show.save(figure, options, "18_separable_convolutions.png")


if __name__ == "__main__":
    main()
