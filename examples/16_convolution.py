"""Convolution by hand: edge filters, padding, stride, the size of what comes out; then LeNet on images.

A filter slides over the image; at each place the numbers under it are multiplied with its own and added up.
(Mathematicians would flip the filter first; in deep learning nobody does.) Its numbers can be learnt.

What to see:

- The course's 6 x 6 image, bright on the left and dark on the right, and its vertical edge filter: four loops and
  `conv2d` give the same 4 x 4 with 30 where the edge is. Learnt from examples alone, the filter comes out the same.
- (n + 2p - f) / s + 1, rounded down, for every combination. "same" padding is p = (f - 1) / 2. Over three channels a
  filter is a 3 x 3 x 3 block; two of them turn 6 x 6 x 3 into 4 x 4 x 2.
- LeNet on digits: the first filters and what they make of an image. A linear layer with as many outputs as LeNet's
  first has 700 times its parameters. With `--data FOLDER` the images are Fashion-MNIST's.
"""

from __future__ import annotations

import numpy as np
import show
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tinygrad_dl as td
from tinygrad_dl import data, nn, train, viz

F = nn.functional
VERTICAL = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]], np.float32)
SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)


def conv2d_in_loops(image: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    """(channels, n, n) with (filters, channels, f, f), number by number."""
    image = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    size = (image.shape[1] - kernel.shape[2]) // stride + 1
    out = np.zeros((len(kernel), size, size), np.float32)
    for filter_ in range(len(kernel)):
        for row in range(size):
            for column in range(size):
                top, left = row * stride, column * stride
                window = image[:, top : top + kernel.shape[2], left : left + kernel.shape[3]]
                out[filter_, row, column] = (window * kernel[filter_]).sum()
    return out


def sizes(seed: int) -> list[tuple[object, ...]]:
    """Input, filter, padding, stride; the formula's size, that of `conv2d`, and how far the loops are from it."""
    rng = np.random.default_rng(seed)
    rows = []
    for n, f, p, s in ((6, 3, 0, 1), (6, 3, 1, 1), (7, 3, 0, 2), (8, 3, 1, 2), (9, 5, 2, 1), (10, 4, 0, 3)):
        image = rng.normal(size=(3, n, n)).astype(np.float32)
        kernel = rng.normal(size=(2, 3, f, f)).astype(np.float32)
        out = F.conv2d(td.tensor(image), td.tensor(kernel), stride=s, padding=p)
        far = np.abs(out.numpy() - conv2d_in_loops(image, kernel, s, p)).max()
        shapes = f"{n} x {n} x 3", f"{f} x {f} x 3", p, s, (n + 2 * p - f) // s + 1
        rows.append((*shapes, " x ".join(map(str, (*out.shape[1:], out.shape[0]))), f"{far:.0e}"))
    return rows


def learn_the_filter(seed: int, steps: int = 200) -> np.ndarray:
    """Finds a 3 x 3 filter from random images and what the vertical filter makes of them."""
    td.manual_seed(seed)
    images = td.randn(16, 1, 12, 12)
    wanted = F.conv2d(images, td.tensor(VERTICAL)[None, None])
    layer = nn.Conv2d(1, 1, 3, bias=False)
    optimizer = td.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        F.mse_loss(layer(images), wanted).backward()
        optimizer.step()
    return layer.weight.detach().numpy()[0, 0]


def lenet(classes: int = 10) -> nn.Sequential:
    """LeNet-5's shape with today's parts: ReLU and max pooling (LeCun et al., 1998)."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),  # 28 x 28 x 1 -> 14 x 14 x 6
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),  # -> 10 x 10 x 16 -> 5 x 5 x 16
        nn.Flatten(),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes)),
    )


def load(folder: str | None, seed: int) -> tuple[data.Dataset, data.Dataset]:
    """Training and test images of 28 x 28: Fashion-MNIST from a folder, or scikit-learn's digits made larger."""
    if folder:
        return data.FashionMNIST(folder, train=True), data.FashionMNIST(folder, train=False)
    images, labels = load_digits(return_X_y=True)
    images = F.interpolate(td.tensor(images / 16).float().reshape(-1, 1, 8, 8), size=(28, 28), mode="bilinear")
    rows = train_test_split(np.arange(len(labels)), test_size=0.3, stratify=labels, random_state=seed)
    return tuple(data.TensorDataset(images[r], td.tensor(labels[r])) for r in rows)


def accuracy(scores: td.Tensor, labels: td.Tensor) -> td.Tensor:
    return (scores.argmax(1) == labels).float().mean()


def main() -> None:
    options = show.options(__doc__, data=None)
    image = np.repeat(np.array([[10, 10, 10, 0, 0, 0]], np.float32), 6, axis=0)
    by_layer = F.conv2d(td.tensor(image)[None, None], td.tensor(VERTICAL)[None, None])[0, 0]
    by_loops = conv2d_in_loops(image[None], VERTICAL[None, None])[0]
    print(
        f"The course's edge: a row of the 4 x 4 result is {by_loops[0]}; equal: {(by_layer.numpy() == by_loops).all()}"
    )
    print(f"the filter, learnt from examples:\n{learn_the_filter(options.seed).round(2)}\n")
    show.table(("image", "filter", "p", "s", "formula", "conv2d", "loops differ by"), sizes(options.seed))

    td.manual_seed(options.seed)
    training, test = load(options.data, options.seed)
    batches = data.DataLoader(training, batch_size=64, shuffle=True)
    model = lenet()
    optimizer = td.optim.Adam(model.parameters(), lr=2e-3)
    history = train.fit(
        model,
        F.cross_entropy,
        optimizer,
        batches,
        data.DataLoader(test, batch_size=256),
        epochs=4 if options.quick else 10,
        metrics={"accuracy": accuracy},
    )
    first = model[0].weight.numel() + model[0].bias.numel()
    dense = 28 * 28 * 28 * 28 * 6 + 28 * 28 * 6
    total = sum(p.numel() for p in model.parameters())
    print(f"LeNet: {total:,} parameters, {first} in the first layer (a linear layer would have {dense:,})")
    show.table(
        ("epoch", "train loss", "test loss", "test accuracy"),
        [
            (epoch + 1, f"{a:.4f}", f"{b:.4f}", f"{c:.2%}")
            for epoch, (a, b, c) in enumerate(
                zip(history["train_loss"], history["dev_loss"], history["dev_accuracy"], strict=True)
            )
        ],
    )

    figure, axes = viz.figure(2, 3, title="Convolution", size=(15, 9))
    digit = test[0][0]
    with td.no_grad():
        edges = F.conv2d(digit[None], td.tensor(np.stack([SOBEL, SOBEL.T]))[:, None], padding="same")[0]
        maps = model[1](model[0](digit[None]))[0]
    viz.plot_boxes(-digit[0], [], ax=axes[0, 0])  # no boxes: the image alone, its ink black
    axes[0, 0].set_title("An image")
    viz.plot_feature_maps(edges, ax=axes[0, 1])
    axes[0, 1].set_title("Sobel's filters: upright and level edges")
    viz.plot_filters(td.tensor(np.stack([VERTICAL, SOBEL, SOBEL.T, learn_the_filter(options.seed)])), ax=axes[0, 2])
    axes[0, 2].set_title("Filters: by hand; the last one learnt")
    viz.plot_filters(model[0].weight, ax=axes[1, 0])
    axes[1, 0].set_title("LeNet's first filters")
    viz.plot_feature_maps(maps, ax=axes[1, 1])
    axes[1, 1].set_title("What they see in the image")
    viz.plot_curves({"train": history["train_loss"], "test": history["dev_loss"]}, ax=axes[1, 2])
    axes[1, 2].set_title("LeNet's loss")
    show.save(figure, options, "16_convolution.png")


if __name__ == "__main__":
    main()
