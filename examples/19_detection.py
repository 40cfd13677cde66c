"""Detection in one look (YOLO): a grid of cells, two anchors in each, and suppression of what is found twice.

The pictures are canvases of 48 by 48 pixels with two to four digits of scikit-learn, each stretched tall or wide. A
convolutional net halves the canvas three times, to 6 x 6 cells. Each cell says of each anchor, a tall and a wide box:
is the centre of a digit of about this shape in me (1 number), where exactly and how large (4), and which digit (10).

What to see:

- Why anchors: of two digits with their centres in one cell, such as a tall one across a wide one, a grid with one box
  per cell can only learn one. With two anchors there is room for both.
- A digit near the border of two cells is found by both. Non-max suppression keeps the surer box and drops those of the
  same digit that overlap it. (The course's note says that it keeps the box with the highest IoU. It is the one with
  the highest score; the IoU decides which others go.) It raises the precision by some 7 points, and costs a point of
  recall, where a digit lies on another of its kind.
- Mean average precision at an IoU of 0.5, the area under the curve of precision over recall: about 75 % on images that
  were never on the training canvases. Suppression hardly changes it, as second boxes have low scores and come late.

The course describes the method and reports no numbers.
"""

from __future__ import annotations

import numpy as np
import show
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tinygrad_dl as td
from tinygrad_dl import nn, vision, viz
from tinygrad_dl.data import DataLoader, TensorDataset
from tinygrad_dl.nn import functional as F
from tinygrad_dl.train import Schedule, fit, predict

SIZE, STRIDE = 48, 8
GRID = SIZE // STRIDE
ANCHORS = [(11.0, 19.0), (19.0, 11.0)]  # width and height: tall, wide
Canvases = tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]  # images, and the boxes and digits in each


def stretched(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The ink of an image, resized by linear interpolation."""
    rows, columns = (np.flatnonzero(image.max(axis=axis) > 3) for axis in (1, 0))
    ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / 16
    down, across = (
        np.maximum(0, 1 - abs(np.linspace(0, old - 1, new)[:, None] - np.arange(old)))
        for new, old in zip((height, width), ink.shape, strict=True)
    )
    return down @ ink @ across.T


def canvases(images: np.ndarray, digits: np.ndarray, count: int, rng: np.random.Generator) -> Canvases:
    """Canvases with two to four digits on a noisy ground; one in five lies across the one before."""
    sheets, boxes, labels = rng.normal(0, 0.05, (count, 1, SIZE, SIZE)).astype(np.float32), [], []
    for sheet in sheets:
        placed: list[tuple[float, ...]] = []
        found: list[int] = []
        for _ in range(rng.integers(2, 5)):
            w, h = size = rng.permutation([rng.integers(16, 23), rng.integers(9, 14)])
            x, y = rng.integers(0, SIZE + 1 - size)
            across = placed and rng.random() < 0.2
            if across:
                left, top, right, bottom = placed[-1]
                w, h = (max(size), min(size)) if right - left < bottom - top else (min(size), max(size))
                x, y = np.clip(((left + right - w) // 2, (top + bottom - h) // 2), 0, SIZE - max(size))
            box = (x, y, x + w, y + h)
            if placed and vision.box_iou([box], placed).max().item() > (0.5 if across else 0.2):
                continue
            chosen = rng.integers(len(images))
            part = sheet[0, y : y + h, x : x + w]
            np.maximum(part, stretched(images[chosen], h, w), out=part)
            placed.append(box)
            found.append(digits[chosen])
        boxes.append(np.array(placed, np.float32))
        labels.append(np.array(found))
    return sheets, boxes, labels


def encode(
    boxes: list[np.ndarray], labels: list[np.ndarray], anchors: list[tuple[float, float]]
) -> tuple[td.Tensor, int]:
    """What the net should say, (canvas, anchor, row, column, 6): taken or not, box, digit; and how many found no room.

    A digit belongs to the cell of its centre, and there to the anchor whose shape overlaps its own most.
    """
    target = np.zeros((len(boxes), len(anchors), GRID, GRID, 6), np.float32)
    shapes = [[0, 0, w, h] for w, h in anchors]
    lost = 0
    for canvas, (corners, digits) in enumerate(zip(boxes, labels, strict=True)):
        own = np.concatenate([np.zeros_like(corners[:, :2]), corners[:, 2:] - corners[:, :2]], axis=1)
        best = vision.box_iou(own, shapes).argmax(1).tolist()
        column, row = ((corners[:, :2] + corners[:, 2:]) / 2 // STRIDE).astype(int).T
        for place in zip(best, row, column, corners, digits, strict=True):
            anchor, r, c, box, digit = place
            lost += int(target[canvas, anchor, r, c, 0])
            target[canvas, anchor, r, c] = [1, *box, digit]
    return td.tensor(target), lost


def decode(output: td.Tensor) -> tuple[td.Tensor, td.Tensor, td.Tensor]:
    """From the net's numbers, (n, anchors * 15, rows, columns), to certainty, boxes and scores of the digits.

    The centre stays inside its cell, and the size is a factor times the anchor's.
    """
    n = len(output)
    output = output.reshape(n, len(ANCHORS), 15, GRID, GRID).permute(0, 1, 3, 4, 2)
    cell = td.stack(td.meshgrid(td.arange(GRID), td.arange(GRID), indexing="xy"), -1)
    centre = (output[..., 1:3].sigmoid() + cell) * STRIDE
    size = td.tensor(ANCHORS)[:, None, None] * output[..., 3:5].clamp(-3, 3).exp()
    return output[..., 0], td.cat([centre - size / 2, centre + size / 2], -1), output[..., 5:]


def detection_loss(output: td.Tensor, target: td.Tensor) -> td.Tensor:
    """Objectness everywhere; boxes and digits where there is something."""
    certainty, boxes, scores = decode(output)
    taken = target[..., 0] == 1
    there = F.binary_cross_entropy_with_logits(certainty, target[..., 0], reduction="sum")
    where = vision.generalized_box_iou_loss(boxes[taken], target[taken][:, 1:5], reduction="sum")
    which = F.cross_entropy(scores[taken], target[taken][:, 5].long(), reduction="sum")
    return (there + 2 * where + which) / taken.sum()


def detector() -> nn.Sequential:
    """48 x 48 pixels to 6 x 6 cells of 2 * 15 numbers, of which each sees 39 x 39 pixels."""
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((1, 16, 2), (16, 32, 2), (32, 64, 1), (64, 96, 2), (96, 96, 1)):
        conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(96, 15 * len(ANCHORS), 1))


def found_in(output: td.Tensor, least: float, suppress: bool = True) -> list[tuple[np.ndarray, ...]]:
    """Boxes, digits and scores for each canvas, the surest first."""
    certainty, boxes, scores = decode(output)
    probability, digit = scores.softmax(-1).max(-1)
    score = (certainty.sigmoid() * probability).flatten(1)
    found = []
    for s, b, d in zip(score, boxes.flatten(1, 3), digit.flatten(1), strict=True):
        sure = td.nonzero(s > least)[:, 0]
        keep = (
            sure[vision.batched_nms(b[sure], s[sure], d[sure], 0.4)]
            if suppress
            else sure[s[sure].argsort(descending=True)]
        )
        found.append((b[keep].numpy(), d[keep].numpy(), s[keep].numpy()))
    return found


def judged(found: list[tuple[np.ndarray, ...]], boxes: list[np.ndarray], labels: list[np.ndarray]) -> np.ndarray:
    """(score, digit, right or not) of all that was found, the surest first.

    Right is what has the digit and an IoU of 0.5 or more with a box that nothing surer has claimed.
    """
    rows = []
    for (b, d, s), truth, digits in zip(found, boxes, labels, strict=True):
        overlap = vision.box_iou(b, truth).numpy() * (d[:, None] == digits)
        free = np.ones(len(truth), bool)
        for score, digit, row in zip(s, d, overlap, strict=True):
            best = int(np.argmax(row * free))
            right = bool(row[best] >= 0.5 and free[best])
            free[best] &= not right
            rows.append((score, digit, right))
    result = np.array(rows).reshape(-1, 3)
    return result[np.argsort(-result[:, 0], kind="stable")]


def curve(right: np.ndarray, total: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Recall, precision (each the best at this recall or more) and the area under the curve."""
    hits = np.cumsum(right)
    recall, precision = hits / max(total, 1), hits / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return recall, precision, float(np.sum(np.diff(recall, prepend=0) * precision))


def measure(output: td.Tensor, boxes: list[np.ndarray], labels: list[np.ndarray], suppress: bool) -> dict[str, float]:
    """Mean average precision over the digits, and precision and recall of what has a score above 0.1."""
    rows = judged(found_in(output, 0.02, suppress), boxes, labels)
    digits = np.concatenate(labels)
    areas = [curve(rows[rows[:, 1] == d, 2], int((digits == d).sum()))[2] for d in range(10)]
    sure = rows[rows[:, 0] > 0.1, 2]
    return {
        "mAP": float(np.mean(areas)),
        "precision": float(sure.mean()) if sure.size else 0.0,
        "recall": float(sure.sum() / digits.size),
    }


def run(seed: int, count: int, epochs: int) -> dict:
    """Trains on `count` canvases and measures on a quarter as many with other digits."""
    td.manual_seed(seed)
    rng = np.random.default_rng(seed)
    data = load_digits()
    split = train_test_split(data.images, data.target, test_size=0.25, stratify=data.target, random_state=seed)
    images, boxes, labels = canvases(split[0], split[2], count, rng)
    tests = canvases(split[1], split[3], count // 4, rng)
    target, _ = encode(boxes, labels, ANCHORS)

    model = detector()
    optimizer = td.optim.Adam(model.parameters(), lr=4e-3)
    batches = DataLoader(TensorDataset(td.tensor(images), target), batch_size=32, shuffle=True)
    cosine = td.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * len(batches))
    history = fit(model, detection_loss, optimizer, batches, epochs=epochs, callbacks=[Schedule(cosine, every="batch")])
    output = predict(model, td.tensor(tests[0]).split(100))
    return {
        "loss": history["train_loss"],
        "with": measure(output, *tests[1:], suppress=True),
        "without": measure(output, *tests[1:], suppress=False),
        "lost": {len(a): encode(boxes, labels, a)[1] / sum(map(len, labels)) for a in (ANCHORS[:1], ANCHORS)},
        "output": output,
        "tests": tests,
    }


def main() -> None:
    options = show.options(__doc__, "200 canvases, too few for a net to find digits")
    found = run(options.seed, 200 if options.quick else 5000, 2 if options.quick else 7)

    show.table(
        ("boxes per cell", "digits without a place of their own"),
        [(f"{count} anchor{'s'[: count - 1]}", f"{share:.1%}") for count, share in found["lost"].items()],
    )
    names = ("mAP", "precision", "recall")
    show.table(
        ("new images, IoU 0.5, score 0.1", *names),
        [(f"{kind} suppression", *(f"{found[kind][n]:.1%}" for n in names)) for kind in ("with", "without")],
    )
    output, (images, boxes, labels) = found["output"], found["tests"]
    figure, axes = viz.figure(2, 4, title="Digits found in one look", size=(15, 8))
    twice = [found_in(output[:100], 0.1, suppress) for suppress in (False, True)]
    most = int(np.argmax([len(a[0]) - len(b[0]) for a, b in zip(*twice, strict=True)]))
    for ax, suppress in zip(axes[0, :2], (False, True), strict=True):
        b, d, s = twice[suppress][most]
        viz.plot_boxes(images[most], b, [f"{digit} {score:.2f}" for digit, score in zip(d, s, strict=True)], ax=ax)
        ax.set_title(f"{'after' if suppress else 'before'} suppression: {len(b)} boxes")
    for ax, i in zip((axes[0, 2], axes[0, 3], axes[1, 0], axes[1, 1]), range(1, 5), strict=True):
        b, d, s = found_in(output[i : i + 1], 0.3)[0]
        viz.plot_boxes(images[i], b, [f"{digit} {score:.2f}" for digit, score in zip(d, s, strict=True)], ax=ax)
        ax.set_title(f"there: {', '.join(map(str, sorted(labels[i])))}")
    viz.plot_curves({"loss": found["loss"]}, ax=axes[1, 2])
    total = sum(map(len, labels))
    ax = axes[1, 3]
    for kind, suppress in (("with suppression", True), ("without", False)):
        recall, precision, _ = curve(judged(found_in(output, 0.02, suppress), boxes, labels)[:, 2], total)
        ax.plot(recall, precision, label=kind)
    ax.set(xlabel="recall", ylabel="precision", ylim=(0, 1.02))
    viz.legend(ax)
    show.save(figure, options, "19_detection.png")


if __name__ == "__main__":
    main()
