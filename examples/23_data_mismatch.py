"""Wrong labels, data that differ from what the model will meet, errors taken apart, and labels that are missing.

What to see (the course's chapter on structuring projects; it gives rules there, and only the F1 below as a number):

- Wrong labels: as many of them at random hardly hurt, and hurt much where they follow a rule, because then they can be
  learnt. The rule is like the course's "all white dogs are called cats": digits with much ink get a wrong label.
- Data mismatch: the model learns from clean digits and will meet noisy ones. A train-dev set, held back from the
  clean ones, tells two gaps apart: train to train-dev is variance, train-dev to dev is mismatch. More clean data would
  not help; noise added to the training images does, as well as the real noise would, which nobody has: what then
  remains of the gap is how hard noisy digits are. One and the same noise on all images does little: the model learns
  that one by heart.
- Errors taken apart: which digits lose precision (others are taken for them), which recall (they are missed), and which
  confusion to work on first: its share of all errors is the most that can be gained there.
- Many labels an image, most of them missing: the loss is the mean over those that are there. One network for all
  tasks learns from every image; taking a missing label for "no" teaches it to say no.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import show
from sklearn.datasets import load_digits
from sklearn.metrics import precision_recall_fscore_support
from sklearn.model_selection import train_test_split

import tinygrad_dl as td
from tinygrad_dl import nn, viz
from tinygrad_dl.data import DataLoader, TensorDataset, transforms
from tinygrad_dl.train import fit, predict

Transform = Callable[..., object]
TASKS = {"even": (0, 2, 4, 6, 8), "5 or more": (5, 6, 7, 8, 9), "has a loop": (0, 6, 8, 9), "prime": (2, 3, 5, 7)}
REAL = transforms.GaussianNoise(mean=0.1, sigma=0.3)  # what the model will meet


class Digits(NamedTuple):
    """Images (N, 1, 8, 8) from 0 to 1 and the digits on them."""

    images: np.ndarray
    labels: np.ndarray


def digits(seed: int) -> dict[str, Digits]:
    """Train and train-dev, dev and test."""
    images, labels = load_digits(return_X_y=True)
    rest = Digits((images / 16).astype("float32").reshape(-1, 1, 8, 8), labels)
    parts = {}
    for name, size in (("test", 400), ("dev", 300), ("train-dev", 200)):
        split = train_test_split(*rest, test_size=size, stratify=rest.labels, random_state=seed)
        rest, parts[name] = Digits(split[0], split[2]), Digits(split[1], split[3])
    return {"train": rest, **{name: parts[name] for name in ("train-dev", "dev", "test")}}


def network(outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, outputs))


def train(
    images: np.ndarray,
    targets: np.ndarray,
    outputs: int,
    loss: Callable[[td.Tensor, td.Tensor], td.Tensor],
    seed: int,
    epochs: int,
    transform: Transform | None = None,
) -> nn.Sequential:
    td.manual_seed(seed)
    model = network(outputs)
    loader = DataLoader(TensorDataset(images, targets, transform=transform), batch_size=64, shuffle=True)
    fit(model, loss, td.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05), loader, epochs=epochs)
    return model


def classify(model: nn.Module, images: np.ndarray) -> np.ndarray:
    return predict(model, images).argmax(1).numpy()


def error(model: nn.Module, data: Digits) -> float:
    return float(np.mean(classify(model, data.images) != data.labels))


# -- wrong labels ------------------------------------------------------------------------------------


def wrong_labels(data: Digits, share: float, systematic: bool, seed: int) -> np.ndarray:
    """The labels with this share of them moved on to another digit: at random, or for the digits with most ink."""
    rng, count = np.random.default_rng(seed), round(share * len(data.labels))
    labels = data.labels.copy()
    if systematic:
        chosen = np.argsort(data.images.sum(axis=(1, 2, 3)))[len(labels) - count :]
        labels[chosen] = (labels[chosen] + 1) % 10
    else:
        chosen = rng.permutation(len(labels))[:count]
        labels[chosen] = (labels[chosen] + rng.integers(1, 10, count)) % 10
    return labels


def label_noise(share: float, systematic: bool, seed: int, epochs: int) -> float:
    """The error on a test set whose labels are right."""
    data = digits(seed)
    labels = wrong_labels(data["train"], share, systematic, seed)
    model = train(data["train"].images, labels, 10, nn.CrossEntropyLoss(), seed, epochs)
    return error(model, data["test"])


# -- data mismatch -----------------------------------------------------------------------------------


def one_noise(seed: int) -> Transform:
    """The same noise for every image: one recording of a car, laid under all of the speech."""
    noise = td.tensor(np.random.default_rng(seed).normal(0.1, 0.3, (1, 1, 8, 8))).float()
    return lambda images, labels: ((images + noise).clamp(0, 1), labels)


def remedies(seed: int) -> dict[str, Transform | None]:
    # Near the truth, not the truth itself: nobody knows the real noise.
    fresh = transforms.GaussianNoise(mean=0.05, sigma=(0.0, 0.5))
    return {"clean images": None, "one noise for all": one_noise(seed), "fresh noise": fresh, "the real noise": REAL}


def mismatch(remedy: str, seed: int, epochs: int) -> tuple[nn.Module, dict[str, Digits], dict[str, float]]:
    """Trains on clean digits, with the remedy; returns the model, the sets, and the error on each of them."""
    data = digits(seed)
    td.manual_seed(seed + 1000)
    for name in ("dev", "test"):
        data[name] = Digits(REAL(data[name].images), data[name].labels)
    clean = data["train"]
    model = train(clean.images, clean.labels, 10, nn.CrossEntropyLoss(), seed, epochs, remedies(seed)[remedy])
    return model, data, {name: error(model, part) for name, part in data.items()}


# -- labels that are missing -------------------------------------------------------------------------


def masked(output: td.Tensor, target: td.Tensor) -> td.Tensor:
    """The mean of the binary cross-entropy over the labels that are there; a missing one is nan."""
    there = ~target.isnan()
    return nn.functional.binary_cross_entropy_with_logits(output[there], target[there])


def as_no(output: td.Tensor, target: td.Tensor) -> td.Tensor:
    return nn.functional.binary_cross_entropy_with_logits(output, target.nan_to_num(0.0))


def answers(labels: np.ndarray) -> np.ndarray:
    """Yes or no for every task."""
    return np.stack([np.isin(labels, members) for members in TASKS.values()], axis=1).astype("float32")


def multi_task(way: str, seed: int, epochs: int, size: int = 300, missing: float = 0.7) -> float:
    """The error over all tasks on the test set, learnt from few images with most labels missing."""
    data = digits(seed)
    images, targets = data["train"].images[:size], answers(data["train"].labels[:size])
    targets[np.random.default_rng(seed).random(targets.shape) < missing] = np.nan
    if way == "a network each":
        scores = []
        for task in range(len(TASKS)):
            there = ~np.isnan(targets[:, task])
            model = train(images[there], targets[there, task : task + 1], 1, masked, seed, epochs)
            scores.append(predict(model, data["test"].images).numpy())
        output = np.concatenate(scores, axis=1)
    else:
        model = train(images, targets, len(TASKS), masked if way == "one, masked" else as_no, seed, epochs)
        output = predict(model, data["test"].images).numpy()
    return float(np.mean((output > 0) != answers(data["test"].labels)))


def main() -> None:
    options = show.options(__doc__, "one seed and few epochs, in which training on fresh noise does not pay yet")
    quick = options.quick
    seeds = range(options.seed, options.seed + (1 if quick else 5))
    epochs = 8 if quick else 40
    print(f"Means over {len(seeds)} seed{'s' * (len(seeds) > 1)}; errors in percent\n")

    shares = (0.0, 0.2) if quick else (0.0, 0.05, 0.1, 0.2, 0.3, 0.4)
    noise = {
        kind: [
            float(np.mean([label_noise(share, kind == "a rule", seed, epochs) for seed in seeds])) for share in shares
        ]
        for kind in ("at random", "a rule")
    }
    rows = [
        (f"{share:.0%}", *(f"{100 * noise[kind][place]:.1f}" for kind in noise)) for place, share in enumerate(shares)
    ]
    show.table(("wrong labels", "at random", "by a rule"), rows)

    rows, models, sets = [], {}, {}
    for remedy in remedies(0):
        runs = [mismatch(remedy, seed, epochs) for seed in seeds]
        models[remedy], sets, _ = runs[0]
        mean = {name: 100 * np.mean([errors[name] for _, _, errors in runs]) for name in sets}
        gaps = mean["train-dev"] - mean["train"], mean["dev"] - mean["train-dev"]
        rows.append((remedy, *(f"{value:.1f}" for value in (*mean.values(), *gaps))))
    show.table(("trained on", *sets, "variance", "mismatch"), rows)

    truth = sets["dev"].labels
    found = {remedy: classify(model, sets["dev"].images) for remedy, model in models.items()}
    measures = {remedy: precision_recall_fscore_support(truth, found[remedy]) for remedy in found}
    before, after = measures["clean images"], measures["fresh noise"]
    rows = []
    for digit in range(10):
        numbers = [part[number][digit] for part in (before, after) for number in range(3)]
        rows.append((str(digit), *(f"{100 * number:.0f}" for number in numbers)))
    means = [100 * np.mean(part[number]) for part in (before, after) for number in range(3)]
    rows.append(("mean", *(f"{number:.0f}" for number in means)))
    print("The dev set, digit by digit, trained on clean images and with fresh noise")
    show.table(("digit", "precision", "recall", "F1", "precision", "recall", "F1"), rows)
    precision, recall = 0.95, 0.9
    print(f"(The course's classifier A: precision 95, recall 90: F1 {200 / (1 / precision + 1 / recall):.1f}.)\n")

    wrong = found["clean images"] != truth
    pairs, counts = np.unique(np.stack([truth, found["clean images"]])[:, wrong], axis=1, return_counts=True)
    rows = []
    for place in np.argsort(-counts)[:4]:
        rows.append(
            (f"{pairs[0, place]} taken for {pairs[1, place]}", int(counts[place]), f"{counts[place] / wrong.sum():.0%}")
        )
    show.table(("trained on clean images", "errors", "of all: the most to gain"), rows)

    ways = ("a network each", "one, masked", "one, missing is no")
    errors = {way: np.mean([multi_task(way, seed, epochs) for seed in seeds]) for way in ways}
    rows = [(way, f"{100 * value:.1f}") for way, value in errors.items()]
    show.table(("four yes-or-no labels, 70 % missing", "error"), rows)

    figure, axes = viz.figure(2, 2, title="Labels and images that are not what the model will meet")
    percent = {f"wrong {kind}": [100 * value for value in values] for kind, values in noise.items()}
    percent = {name.replace("wrong a rule", "wrong by a rule"): values for name, values in percent.items()}
    viz.plot_curves(
        percent, x=[100 * s for s in shares], xlabel="wrong labels, %", ylabel="test error, %", ax=axes[0, 0]
    )
    axes[0, 0].set_title("Random errors average out, rules are learnt")
    examples = np.concatenate([sets["train"].images[:6], sets["dev"].images[:6]])[:, 0]
    framed = np.pad(examples, ((0, 0), (1, 1), (1, 1))).reshape(2, 6, 10, 10)
    viz.plot_boxes(-framed.transpose(0, 2, 1, 3).reshape(20, 60), [], ax=axes[0, 1])  # no boxes: the images alone
    axes[0, 1].set_title("To train on (above), to be met (below)")
    for remedy, ax in zip(("clean images", "fresh noise"), axes[1], strict=True):
        viz.plot_confusion_matrix(truth, found[remedy], ax=ax)
        ax.set_title(f"Dev set, trained on {remedy}")
    show.save(figure, options, "23_data_mismatch.png")


if __name__ == "__main__":
    main()
