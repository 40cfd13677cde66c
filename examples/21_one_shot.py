"""One-shot recognition: telling digits apart that were never trained on, from one example of each.

A classifier has an output for each class it knows. Here a net learns a distance instead: an embedding in which two
pictures of one digit are near and two of different digits far apart. The triplet loss (Schroff et al., 2015) asks of an
anchor, a positive and a negative that d(A, P) + margin <= d(A, N). It trains on the digits 0 to 5; the digits 6 to 9
are then recognised by the nearest of four examples, one of each.

What to see:

- The digits lie somewhere on a noisy canvas. The nearest picture, pixel by pixel, is little better than a guess (25 %);
  the embedding gets half as many again right, of digits it has never seen, and more with five examples of each.
- Which negatives? Any will do at first. Always the nearest one asks for the hardest cases before there is any order:
  the net escapes to giving every picture the same point. FaceNet's way is the nearest of those that are farther away
  than the positive ("semi-hard").
"""

from __future__ import annotations

import numpy as np
import show
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import tinygrad_dl as td
from tinygrad_dl import nn, viz

KNOWN, NEW = range(6), range(6, 10)
# The margin for each way to choose negatives: any; the nearest; the nearest of those farther away than the positive.
WAYS = {"random": 0.5, "hardest": 0.5, "semi-hard": 0.5}


class Embedding(nn.Module):
    """A canvas becomes a point on a sphere in 32 dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(288, 64), nn.ReLU(), nn.Linear(64, 32)),
        )

    def forward(self, x: td.Tensor) -> td.Tensor:
        return nn.functional.normalize(self.body(x))


def load(seed: int) -> dict[int, np.ndarray]:
    """The images of each digit, in random order."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    x, y = x[order].reshape(-1, 8, 8) / 16, y[order]
    return {digit: x[y == digit] for digit in range(10)}


def canvases(digits: np.ndarray, rng: np.random.Generator) -> td.Tensor:
    """Puts each digit somewhere on a noisy canvas of 12 x 12."""
    return td.tensor(show.canvases(digits, rng, noise=0.1))


def distances(a: td.Tensor, b: td.Tensor) -> np.ndarray:
    """Between all points of two sets on the sphere: (n, m), for choosing; the loss has its own."""
    return 2 - 2 * (a.detach().numpy() @ b.detach().numpy().T)


def choose(z: td.Tensor, digits: np.ndarray, rng: np.random.Generator, way: str) -> tuple[np.ndarray, np.ndarray]:
    """For each point of a batch any other one of its digit, and one of another digit: see `WAYS`."""
    same = digits[:, None] == digits
    positive = np.where(same & ~np.eye(len(digits), dtype=bool), rng.random(same.shape), np.inf).argmin(axis=1)
    if way == "random":
        return positive, np.where(same, np.inf, rng.random(same.shape)).argmin(axis=1)
    order = distances(z, z)
    if way == "semi-hard":  # those nearer than the positive come after all others
        order = order + 10 * (order <= order[np.arange(len(digits)), positive][:, None])
    return positive, np.where(same, np.inf, order).argmin(axis=1)


def train(images: dict[int, np.ndarray], seed: int, steps: int, margin: float, way: str) -> Embedding:
    """Trains on batches of eight pictures of each known digit."""
    rng = np.random.default_rng(seed)
    td.manual_seed(seed)
    model = Embedding()
    optimizer = td.optim.Adam(model.parameters(), lr=2e-3)
    digits = np.repeat(KNOWN, 8)
    for _ in range(steps):
        z = model(canvases(np.concatenate([rng.choice(images[d], 8) for d in KNOWN]), rng))
        positive, negative = choose(z, digits, rng, way)
        optimizer.zero_grad()
        nn.functional.triplet_margin_loss(z, z[positive], z[negative], margin=margin).backward()
        optimizer.step()
    return model


def recognise(embed: nn.Module, images: dict[int, np.ndarray], seed: int, shots: int, trials: int = 100) -> float:
    """The share of new digits recognised by the nearest mean of `shots` examples, in many draws of the examples."""
    rng = np.random.default_rng(seed + 1000)
    queries = canvases(np.concatenate([images[d][50:] for d in NEW]), rng)
    truth = np.concatenate([np.full(len(images[d][50:]), d) for d in NEW])
    with td.no_grad():
        points = embed(queries)
        right = []
        for _ in range(trials):
            chosen = np.concatenate([images[d][rng.choice(50, shots, replace=False)] for d in NEW])
            examples = embed(canvases(chosen, rng)).reshape(len(NEW), shots, -1).mean(1)
            nearest = distances(points, nn.functional.normalize(examples)).argmin(axis=1)
            right.append((nearest + NEW.start == truth).mean())
    return float(np.mean(right))


class Pixels(nn.Module):
    """What there is without learning: the canvas itself, as a point on a sphere."""

    def forward(self, x: td.Tensor) -> td.Tensor:
        return nn.functional.normalize(x.flatten(1))


def compare(seed: int, steps: int) -> dict[str, tuple[float, float, nn.Module]]:
    """Accuracy with one and with five examples of each new digit, and the embedding, by how it was trained."""
    images = load(seed)
    models = {
        "pixels": Pixels(),
        "untrained": Embedding(),
        **{way: train(images, seed, steps, margin, way) for way, margin in WAYS.items()},
    }
    return {n: (recognise(m, images, seed, 1), recognise(m, images, seed, 5), m) for n, m in models.items()}


def main() -> None:
    options = show.options(__doc__, "30 steps, in which no way of choosing negatives beats another")
    steps = 30 if options.quick else 500
    found = compare(options.seed, steps)
    print("Digits never trained on, 6 to 9: accuracy with one and with five examples of each\n")
    show.table(("", "one", "five"), [(n, f"{one:.1%}", f"{five:.1%}") for n, (one, five, _) in found.items()])

    images = load(options.seed)
    rng = np.random.default_rng(options.seed)
    shown = canvases(np.concatenate([images[d][:60] for d in NEW]), rng)
    figure, axes = viz.figure(
        1, 3, title="Pictures of the digits 6 to 9, on the plane where they differ most", size=(16, 5)
    )
    for ax, (name, (_, _, model)) in zip(axes, list(found.items())[::2], strict=True):
        with td.no_grad():
            flat = PCA(2, random_state=0).fit_transform(model(shown).numpy())
        for digit, points, marker in zip(NEW, np.split(flat, 4), "os^D", strict=True):
            ax.plot(*points.T, marker, label=str(digit), markersize=5, alpha=0.8)
        ax.set_title(name)
        viz.legend(ax, title="digit")
    show.save(figure, options, "21_one_shot.png")


if __name__ == "__main__":
    main()
