"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.viz.plots import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@composition
def plot_confusion_matrix(
    truth: Any, predicted: Any, *, names: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draws how often each class (row) was taken for each class (column).

    The number stands in each cell; the shade says which share of its row that is.

    Args:
        truth, predicted: n classes each, whole numbers from 0.
        names: what the classes are called; without names, those that occur are shown with their numbers.
        ax: the axes to draw on; by default new ones.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError, TypeError: different lengths, nothing to count, or a class without a name.

    >>> from tinygrad_dl import viz
    >>> ax = viz.plot_confusion_matrix([0, 0, 1], [0, 1, 1], names=["cat", "dog"])
    >>> [text.get_text() for text in ax.texts]
    ['1', '1', '0', '1']

    Source: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.confusion_matrix.html
    """
    truth, predicted = look.integers(truth, "truth"), look.integers(predicted, "predicted")
    if len(truth) != len(predicted) or not len(truth):
        raise ValueError(
            f"truth and predicted: expected as many of one as of the other, at least 1, got {len(truth)} and "
            f"{len(predicted)}"
        )
    found = np.union1d(truth, predicted)
    look.check_names(names, found.tolist())
    classes = found if names is None else np.arange(len(names))
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, (np.searchsorted(classes, truth), np.searchsorted(classes, predicted)), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    labels = [look.label_of(names, c) for c in classes.tolist()]
    side = min(max(3.4, 0.52 * len(classes) + 1.4), 14.0)
    ax = look.axes_for(ax, size=(side + 0.4, side))
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    cell = min(ax.bbox.width, ax.bbox.height) * 72 / ax.figure.dpi / len(classes)  # in points
    size = float(np.clip(0.35 * cell, 4.5, look.NORMAL))
    for (row, column), count in np.ndenumerate(counts):
        ax.text(
            column,
            row,
            str(count),
            ha="center",
            va="center",
            size=size,
            weight="bold" if row == column else "normal",
            color="white" if shares[row, column] > 0.55 else look.TEXT if count else look.FAINT,
        )
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="predicted", ylabel="truth")
    turned = max(map(len, labels)) > 4
    ax.set_xticks(
        range(len(classes)),
        labels,
        rotation=45 if turned else 0,
        ha="right" if turned else "center",
        rotation_mode="anchor",
    )
    ax.set_yticks(range(len(classes)), labels)
    return ax
