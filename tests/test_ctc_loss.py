"""The CTC loss beside the sum over all paths, one by one; impossible targets; what is refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn.functional import ctc_loss

LOGITS = np.random.default_rng(0).standard_normal((4, 2, 3))


def by_paths(log_probs, target, blank):
    """The loss of (T, C) and labels: every path is tried."""
    total = 0.0
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        if [label for label, _ in itertools.groupby(path) if label != blank] == target:
            total += math.exp(sum(log_probs[t, label] for t, label in enumerate(path)))
    return -math.log(total) if total else math.inf


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("lengths", [(4, 4), (4, 3), (2, 1)])
def test_all_paths(blank, lengths):
    log_probs = td.tensor(LOGITS).log_softmax(-1)
    one, other = [1, 1 if blank == 0 else 0], [1]
    losses = ctc_loss(log_probs, td.tensor([one, [1, 1]]), lengths, (2, 1), blank, "none")
    expected = [
        by_paths(log_probs.numpy()[:n, i], each, blank)
        for i, (n, each) in enumerate(zip(lengths, (one, other), strict=True))
    ]
    np.testing.assert_allclose(losses.tolist(), expected, rtol=1e-12)
    row = ctc_loss(log_probs, td.tensor([*one, *other]), td.tensor(lengths), td.tensor([2, 1]), blank, "none")
    assert td.equal(row, losses)
    mean = nn.CTCLoss(blank)(log_probs, td.tensor([one, [1, 1]]), lengths, (2, 1)).item()
    assert mean == pytest.approx((expected[0] / 2 + expected[1]) / 2)


def test_gradients():
    x = td.tensor(LOGITS, requires_grad=True)
    targets = td.tensor([[1, 2], [2, 2]])
    assert td.testing.gradcheck(lambda x: ctc_loss(x, targets, (4, 3), (2, 1), reduction="none"), (x,))
    assert td.testing.gradgradcheck(lambda x: ctc_loss(x.log_softmax(-1), targets, (4, 3), (2, 2)), (x,))


def test_impossible_targets_are_infinite_or_zero_and_have_no_gradient():
    x = td.zeros(2, 1, 2, requires_grad=True)
    args = (x, td.tensor([[1, 1]]), [2], [2])
    assert ctc_loss(*args).item() == math.inf and ctc_loss(*args, zero_infinity=True).item() == 0
    for zero in (False, True):
        (g,) = td.autograd.grad(ctc_loss(*args, zero_infinity=zero), x)
        assert (g == 0).all()


def test_empty_sequences_and_one_without_a_batch():
    log_probs = td.full((3, 2, 2), 0.5).log()
    targets = td.tensor([[1], [1]])
    np.testing.assert_allclose(
        ctc_loss(log_probs, targets, (3, 0), (0, 0), reduction="none").tolist(), [3 * math.log(2), 0]
    )
    assert ctc_loss(log_probs, targets, (0, 3), (1, 1), reduction="none")[0].item() == math.inf
    single = ctc_loss(log_probs[:, 0], td.tensor([1]), td.tensor(3), td.tensor(1), reduction="none")
    assert single.shape == () and single.item() == pytest.approx(-math.log(6 / 8))


@pytest.mark.parametrize(
    "args, kind, match",
    [
        ((td.zeros(2, 1, 3), td.tensor([[1]]), [3], [1]), ValueError, r"input_lengths from 0 to 2, got \[3\]"),
        ((td.zeros(2, 1, 3), td.tensor([[1]]), [2], [2]), ValueError, r"target_lengths from 0 to 1, got \[2\]"),
        ((td.zeros(2, 1, 3), td.tensor([[3]]), [2], [1]), ValueError, "targets from 0 to 2"),
        ((td.zeros(2, 2, 3), td.tensor([1, 1]), [2, 2], [1, 0]), ValueError, "targets of 1 labels in a row, got 2"),
        ((td.zeros(2, 1, 3), td.tensor([[1], [1]]), [2], [1]), ValueError, r"targets of shape \(1, S\)"),
        ((td.zeros(2, 2, 3), td.tensor([[1], [1]]), [2], [1, 1]), ValueError, "input_lengths of 2 integers"),
        ((td.zeros(2, 1, 3), td.tensor([[1]]), [2], [1], 3), ValueError, "blank from 0 to 2, got 3"),
        ((td.zeros(2), td.tensor([[1]]), [2], [1]), ValueError, r"\(T, N, C\) or \(T, C\)"),
        ((td.zeros(2, 1, 3).half(), td.tensor([[1]]), [2], [1]), TypeError, "float32 or float64, got float16"),
        ((td.zeros(2, 1, 3), td.tensor([[1]]), [2], [1], 0, "all"), ValueError, "reduction among"),
    ],
)
def test_ctc_loss_refuses(args, kind, match):
    with pytest.raises(kind, match=match):
        ctc_loss(*args)
