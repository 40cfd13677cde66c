"""Segmentation: a class for every pixel, with a small U-Net and transposed convolutions.

The net shrinks the image twice, to see more of it at once, and grows it again with transposed convolutions, whose
strides put pixels in between. What was lost on the way down comes back through connections that carry the maps of the
same size across (Ronneberger et al., 2015).

What to see:

- Canvases of 32 x 32 with digits on noise; each pixel is background or one of four digits. Answering background
  everywhere gets nine pixels in ten right: the measure is the intersection over union, class by class.
- Without the connections the net knows about where a digit is, not which strokes it has: half of the score is gone.
  Growing by bilinear interpolation has fewer parameters, and does nearly as well as transposed convolutions.
- A transposed convolution is the gradient of a convolution: the two, with the same weights, are each other's adjoints.
"""

from __future__ import annotations

import numpy as np
import show
from sklearn.datasets import load_digits
from sklearn.metrics import jaccard_score

import tinygrad_dl as td
from tinygrad_dl import nn, viz

SIZE, DIGITS = 32, (0, 1, 4, 7)
NAMES = ["background", *(f"digit {digit}" for digit in DIGITS)]


def convolutions(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions with batch normalisation."""
    return nn.Sequential(
        *(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()),
        *(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()),
    )


class UNet(nn.Module):
    """Down to 8 x 8 and up again; `across`: with connections, `transposed`: or else by interpolation."""

    def __init__(self, width: int = 8, across: bool = True, transposed: bool = True) -> None:
        super().__init__()
        self.down1, self.down2 = convolutions(1, width), convolutions(width, 2 * width)
        self.bottom = convolutions(2 * width, 4 * width)
        self.pool, self.across = nn.MaxPool2d(2), across
        self.grow2, self.grow1 = (
            nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
            if transposed
            else nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(2 * channels, channels, 1))
            for channels in (2 * width, width)
        )
        both = 2 if across else 1
        self.up2, self.up1 = convolutions(both * 2 * width, 2 * width), convolutions(both * width, width)
        self.head = nn.Conv2d(width, len(NAMES), 1)

    def join(self, grown: td.Tensor, same_size: td.Tensor) -> td.Tensor:
        return td.cat([grown, same_size], dim=1) if self.across else grown

    def forward(self, x: td.Tensor) -> td.Tensor:
        large = self.down1(x)
        middle = self.down2(self.pool(large))
        x = self.grow2(self.bottom(self.pool(middle)))
        x = self.grow1(self.up2(self.join(x, middle)))
        return self.head(self.up1(self.join(x, large)))


def load(seed: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Images and classes (1 to 4) of the four digits, to draw training and test canvases from."""
    x, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(np.isin(y, DIGITS)))
    x, y = x[rows].reshape(-1, 8, 8).astype(np.float32) / 16, np.searchsorted(DIGITS, y[rows]) + 1
    return (x[:500], y[:500]), (x[500:], y[500:])


def canvases(
    digits: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[td.Tensor, td.Tensor]:
    """Images (count, 1, 32, 32) with four digits each, some over others, and the class of every pixel."""
    images = np.abs(rng.normal(0, 0.15, (count, SIZE, SIZE))).astype(np.float32)
    masks = np.zeros((count, SIZE, SIZE), np.int64)
    for image, mask in zip(images, masks, strict=True):
        for number in rng.integers(0, len(digits), 4):
            top, left = rng.integers(0, SIZE - 7, 2)
            window = slice(top, top + 8), slice(left, left + 8)
            ink = digits[number] > 0.3
            image[window] = np.where(ink, digits[number], image[window])
            mask[window] = np.where(ink, labels[number], mask[window])
    return td.tensor(images[:, None]), td.tensor(masks)


def train(model: nn.Module, seed: int, steps: int) -> list[float]:
    """Trains on new canvases at every step; returns the losses."""
    rng = np.random.default_rng(seed)
    (digits, labels), _ = load(seed)
    optimizer = td.optim.Adam(model.parameters(), lr=4e-3)
    schedule = td.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses = []
    for _ in range(steps):
        x, y = canvases(digits, labels, 16, rng)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def segment(model: nn.Module, x: td.Tensor) -> np.ndarray:
    """The class of every pixel."""
    model.eval()
    with td.no_grad():
        return model(x).argmax(1).numpy()


def adjoint(seed: int) -> float:
    """<conv(x), y> - <x, conv_transpose(y)> with the same weights: zero if each is the other's adjoint."""
    td.manual_seed(seed)
    x, y, weight = (td.randn(*s, dtype=td.float64) for s in ((1, 2, 8, 8), (1, 3, 4, 4), (3, 2, 2, 2)))
    down = nn.functional.conv2d(x, weight, stride=2)
    up = nn.functional.conv_transpose2d(y, weight, stride=2)
    return ((down * y).sum() - (x * up).sum()).abs().item()


def main() -> None:
    options = show.options(__doc__, "25 steps tell digits from the ground, and not from each other")
    steps = 25 if options.quick else 400
    print(f"<conv(x), y> and <x, transposed(y)> differ by {adjoint(options.seed):.0e}\n")

    ways = {"U-Net": {}, "no connections": {"across": False}, "interpolation": {"transposed": False}}
    if options.quick:
        del ways["interpolation"]
    _, held_out = load(options.seed)
    x, y = canvases(*held_out, 100, np.random.default_rng(options.seed + 1))
    truth = y.numpy()
    rows, losses, masks = [], {}, {"background everywhere": np.zeros_like(truth)}
    for name, changes in ways.items():
        td.manual_seed(options.seed)
        model = UNet(**changes)
        losses[name] = train(model, options.seed, steps)
        masks[name] = segment(model, x)
    for name, mask in masks.items():
        by_class = jaccard_score(truth.ravel(), mask.ravel(), average=None, zero_division=0)
        rows.append((name, f"{(mask == truth).mean():.1%}", *(f"{v:.2f}" for v in (by_class.mean(), *by_class))))
    print(f"100 canvases of digits not trained on: pixels right, intersection over union; {steps} steps\n")
    show.table(("", "pixels", "mean IoU", *NAMES), rows)

    figure, axes = viz.figure(2, 4, title="Segmentation of digits on noise", size=(17, 8))
    for row, image in enumerate((0, 1)):
        viz.plot_boxes(x[image, 0], [], ax=axes[row, 0])  # no boxes: the image alone
        axes[row, 0].set_title("a canvas")
        for ax, (name, mask) in zip(axes[row, 1:3], {"truth": truth, "U-Net": masks["U-Net"]}.items(), strict=True):
            viz.plot_segmentation(x[image, 0], mask[image], NAMES, ax=ax)
            ax.set_title(name)
    viz.plot_segmentation(x[0, 0], masks["no connections"][0], NAMES, ax=axes[0, 3])
    axes[0, 3].set_title("no connections")
    smooth = {name: np.convolve(values, np.ones(10) / 10, "valid") for name, values in losses.items()}
    viz.plot_curves(smooth, xlabel="step", ylabel="loss (mean of ten)", log=True, ax=axes[1, 3])
    show.save(figure, options, "20_segmentation.png")


if __name__ == "__main__":
    main()
