"""Trains a classifier of handwritten digits: 1,797 real images of 8 by 8 pixels, from scikit-learn.

Run it with `python examples/digits.py`. It takes a few seconds, and shows what the library is for:

- before training, the gradients of the model are compared with central differences: every verdict should be "right";
- training stops when the loss on the development set has not fallen for a while, and the weights of the best epoch
  are kept; the test set is looked at once, at the end (expect 97 % or more), and the confusion matrix shows which
  digits are taken for which;
- `out/` then holds `digits.safetensors` (the weights, which PyTorch can load too), `curves.png` (losses and accuracies
  part where the model begins to learn by heart) and `graph.svg` (the graph of one loss, with the bytes it keeps).

The same seed gives the same numbers, to the last bit.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import tinygrad_dl as td
from tinygrad_dl import nn, viz
from tinygrad_dl.testing import check_module

BATCH, PATIENCE = 32, 12
Split = tuple[td.Tensor, td.Tensor]


class Classifier(nn.Module):
    """64 pixels -> 256 hidden units -> 128 hidden units -> a score for each of the ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(0.2), *self.block(64, 256), *self.block(256, 128), nn.Linear(128, 10))

    @staticmethod
    def block(inputs: int, outputs: int) -> list[nn.Module]:
        # Batch normalisation brings a bias of its own, so the layer before it needs none.
        return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(0.4)]

    def forward(self, x: td.Tensor) -> td.Tensor:
        return self.layers(x)


def load_data() -> dict[str, Split]:
    """Train, dev and test sets with the same share of every digit, standardised by the training set."""
    images, digits = load_digits(return_X_y=True)
    rest, test, rest_y, test_y = train_test_split(images, digits, test_size=0.2, stratify=digits, random_state=1)
    train, dev, train_y, dev_y = train_test_split(rest, rest_y, test_size=0.2, stratify=rest_y, random_state=1)
    mean, std = train.mean(axis=0), train.std(axis=0)
    std[std == 0] = 1  # pixels that are the same in every image
    splits = {"train": (train, train_y), "dev": (dev, dev_y), "test": (test, test_y)}
    return {name: (td.tensor((x - mean) / std).float(), td.tensor(y)) for name, (x, y) in splits.items()}


def check_gradients(model: nn.Module, x: td.Tensor, y: td.Tensor) -> None:
    """Compares the gradients of the loss with central differences, in float64 on a copy of the model."""
    model.train()
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()  # a random function has no derivative to compare with
    report = check_module(model, x, lambda scores: nn.functional.cross_entropy(scores, y))
    print(f"Gradients against central differences\n\n{report}\n")
    if not report.ok:
        raise SystemExit("the gradients are wrong: there is no use in training")


def evaluate(model: nn.Module, x: td.Tensor, y: td.Tensor) -> tuple[float, float, np.ndarray]:
    """Loss, accuracy and predicted digits, with dropout off."""
    model.eval()
    with td.no_grad():
        scores = model(x)
    predicted = scores.argmax(1)
    return nn.functional.cross_entropy(scores, y).item(), (predicted == y).float().mean().item(), predicted.numpy()


def train(model: nn.Module, data: dict[str, Split], epochs: int) -> tuple[np.ndarray, int]:
    """Trains until the dev loss stops falling; leaves the best weights in the model.

    Returns losses and accuracies, of shape (epochs, train and dev, loss and accuracy), and the epoch that was kept.
    """
    x, y = data["train"]
    optimizer = td.optim.Adam(model.parameters(), lr=2e-3)
    scheduler = td.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.95)
    history: list[list[tuple[float, float]]] = []
    kept, best = 0, model.state_dict()
    progress = tqdm(range(epochs), desc="training", unit="epoch")
    for epoch in progress:
        model.train()
        for batch in td.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch], label_smoothing=0.1)
            loss.backward()
            optimizer.step()
        scheduler.step()

        history.append([evaluate(model, *data[name])[:2] for name in ("train", "dev")])
        (train_loss, _), (dev_loss, _) = history[-1]
        progress.set_postfix(train=f"{train_loss:.4f}", dev=f"{dev_loss:.4f}")
        if dev_loss <= min(dev[0] for _, dev in history):
            kept, best = epoch, {name: value.clone() for name, value in model.state_dict().items()}
        elif epoch - kept >= PATIENCE:
            break
    progress.close()
    model.load_state_dict(best)
    return np.array(history), kept


def draw_curves(history: np.ndarray, kept: int, path: Path) -> None:
    """Draws the losses and accuracies by epoch, with a mark at the epoch whose weights were kept."""
    figure, (left, right) = viz.figure(1, 2)
    for number, (ax, name) in enumerate(((left, "cross-entropy"), (right, "accuracy, %"))):
        values = history[:, :, number].T * (100 if number else 1)
        viz.plot_curves(dict(zip(("train", "dev"), values, strict=True)), kept=kept, ylabel=name, ax=ax)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains a classifier of handwritten digits.")
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the order of the images and dropout")
    parser.add_argument("--epochs", type=int, default=100, help="at most; training may stop earlier")
    parser.add_argument("--out", type=Path, default=Path("out"), help="the folder that the files go to")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    td.manual_seed(options.seed)
    data = load_data()
    x, y = data["train"]
    model = Classifier()
    check_gradients(model, x[:20], y[:20])
    history, kept = train(model, data, options.epochs)

    print(f"\nWeights of epoch {kept + 1}, where the dev loss was lowest")
    for name, split in data.items():
        loss, accuracy, predicted = evaluate(model, *split)
        print(f"{name:>5}: {len(split[1]):4} images, loss {loss:.4f}, accuracy {accuracy:.2%}")
    matrix = confusion_matrix(data["test"][1].numpy(), predicted)
    print(f"\nConfusion matrix of the test set (row: the digit, column: what it was taken for)\n\n{matrix}\n")

    td.save(model.state_dict(), options.out / "digits.safetensors")
    draw_curves(history, kept, options.out / "curves.png")
    loss = nn.functional.cross_entropy(model.train()(x[:BATCH]), y[:BATCH])
    viz.graph(loss, model, title="The loss of one mini-batch", summary=True).save(options.out / "graph.svg")
    print(*(f"wrote {options.out / name}" for name in ("digits.safetensors", "curves.png", "graph.svg")), sep="\n")


if __name__ == "__main__":
    main()
