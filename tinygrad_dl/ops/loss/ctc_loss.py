"""Connectionist temporal classification: the probability of a sequence of labels, however they stand in time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.ops.loss._reduction import REDUCTIONS, reduce_losses
from tinygrad_dl.ops.pointwise.where import where
from tinygrad_dl.ops.reduction.logsumexp import logsumexp
from tinygrad_dl.ops.shape.joining import cat, stack


@composition
def ctc_loss(
    log_probs: Array,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the sum of the probabilities of all paths that give the target.

    Such a path goes through its labels in order, each once or repeated, with blanks around and between them: at least
    one between equal labels.

    Args:
        log_probs: logarithms of the probabilities of classes at each time, (T, N, C), or (T, C) without a batch.
        targets: labels, (N, S), or those of all sequences in a row, (sum of target_lengths,).
        input_lengths, target_lengths: how much of each sequence counts, N integers each.
        blank: the class that is no label.
        reduction: "none", "sum", or "mean": of the losses divided by the lengths of their targets.
        zero_infinity: give 0 where no path is possible, as too short an input has none, instead of inf.

    Raises:
        ValueError: shapes, lengths or classes that do not fit. TypeError: log_probs are not floating.

    >>> log_probs = td.full((2, 1, 2), 0.5).log()
    >>> td.nn.functional.ctc_loss(log_probs, td.tensor([[1]]), [2], [1]).exp()  # all paths but one, 1 / (3 / 4)
    tensor(1.3333)

    Source: https://www.cs.toronto.edu/~graves/icml_2006.pdf (section 4.1)
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"ctc_loss: expected a reduction among {REDUCTIONS}, got {reduction!r}")
    if log_probs.ndim not in (2, 3):
        raise ValueError(f"ctc_loss: expected log_probs of shape (T, N, C) or (T, C), got {log_probs.shape}")
    if log_probs.dtype.kind != "f" or log_probs.dtype.itemsize < 4:
        raise TypeError(f"ctc_loss: expected log_probs of float32 or float64, got {log_probs.dtype}")
    whole: Any = log_probs if log_probs.ndim == 3 else log_probs.unsqueeze(1)
    steps, count, classes = whole.shape
    times = _lengths("input_lengths", input_lengths, count, steps)
    labels, sizes = _labels(as_array(targets), target_lengths, count, classes)
    if not 0 <= blank < classes:
        raise ValueError(f"ctc_loss: expected a blank from 0 to {classes - 1}, got {blank}")

    # The states: blank, first label, blank, second label, ... blank. A step stays, goes on by one, or, to a label that
    # differs from the one before, by two.
    states = np.full((count, 2 * labels.shape[1] + 1), blank)
    states[:, 1::2] = labels
    jumps = np.zeros(states.shape, bool)
    jumps[:, 2:] = (states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2])
    emitted = whole.gather(2, wrap(np.broadcast_to(states, (steps, *states.shape)).copy()))
    # Before the first step as if in a state before the first: from there one goes to the first blank or label.
    nothing = whole.new_full((count, 1), -math.inf)
    start = module_of(log_probs).full(states.shape, -math.inf, log_probs.dtype)
    alpha: Any = wrap(start)
    for t in range(steps):
        if t == 0:
            start[:, :2] = 0
            reached: Any = wrap(start)
        else:
            by_one = cat([nothing, alpha[:, :-1]], 1)
            by_two = cat([nothing, by_one[:, :-1]], 1)
            reached = logsumexp(stack([alpha, by_one, where(wrap(jumps), by_two, -math.inf)]), 0)
        alpha = where(wrap((t < times)[:, None]), reached + emitted[t], alpha)
    ends = np.stack([2 * sizes, np.maximum(2 * sizes - 1, 0)], 1)
    last: Any = alpha.gather(1, wrap(ends))
    last = where(wrap(np.stack([sizes >= 0, sizes > 0], 1)), last, -math.inf)
    losses: Any = -logsumexp(last, 1)
    if (times == 0).any():  # nothing is the one target of nothing
        losses = where(wrap(times == 0), wrap(np.where(sizes == 0, 0.0, math.inf).astype(log_probs.dtype)), losses)
    if zero_infinity:
        losses = where(losses == math.inf, 0.0, losses)
    if reduction == "mean":
        losses = losses / wrap(np.maximum(sizes, 1).astype(log_probs.dtype))
    if log_probs.ndim == 2:
        losses = losses.squeeze(0)
    return reduce_losses(losses, reduction)


def _lengths(name: str, given: Any, count: int, most: int) -> np.ndarray:
    """The lengths as an array, none above `most`."""
    lengths = as_array(given).reshape(-1)
    if lengths.shape != (count,) or lengths.dtype.kind not in "iu":
        raise ValueError(f"ctc_loss: expected {name} of {count} integers, got shape {lengths.shape}, {lengths.dtype}")
    if ((lengths < 0) | (lengths > most)).any():
        raise ValueError(f"ctc_loss: expected {name} from 0 to {most}, got {lengths.tolist()}")
    return lengths


def _labels(targets: np.ndarray, target_lengths: Any, count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The labels of each sequence, (N, S) with 0 after its end, and their numbers."""
    sizes = _lengths("target_lengths", target_lengths, count, targets.shape[-1] if targets.ndim else 0)
    if targets.ndim == 1:
        if sizes.sum() != len(targets) and count != 1:
            raise ValueError(f"ctc_loss: expected targets of {sizes.sum()} labels in a row, got {len(targets)}")
        first = np.cumsum(sizes) - sizes
    elif targets.ndim == 2 and len(targets) == count:
        first = np.arange(count) * targets.shape[1]
    else:
        raise ValueError(f"ctc_loss: expected targets of shape ({count}, S), or in a row, got {targets.shape}")
    inside = np.arange(sizes.max(initial=0)) < sizes[:, None]
    found = np.zeros(inside.shape, np.int64)
    found[inside] = targets.reshape(-1)[(first[:, None] + np.arange(inside.shape[1]))[inside]]
    if ((found < 0) | (found >= classes)).any():
        raise ValueError(f"ctc_loss: expected targets from 0 to {classes - 1}, got {found.min()} to {found.max()}")
    return found, sizes
