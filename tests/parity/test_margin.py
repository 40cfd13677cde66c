"""The margin losses beside PyTorch's: values and gradients, as functions and as modules."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
X, CLASSES, WEIGHT = RNG.standard_normal((4, 5)), RNG.integers(0, 5, 4), abs(RNG.standard_normal(5))
LISTS = np.array([[3, 0, -1, 1, 2], [-1, 0, 0, 0, 0], [0, 1, 2, 3, 4], [2, -1, -1, -1, -1]])
OTHERS = [X + RNG.standard_normal((4, 5)), X - RNG.standard_normal((4, 5))]

CASES = [
    *[
        ("multi_margin_loss", "MultiMarginLoss", [x], [y], {"p": p, "margin": 0.7, "weight": w})
        for x, y in ((X, CLASSES), (X[0], np.array(3)))
        for p in (1, 2)
        for w in (None, WEIGHT)
    ],
    ("multilabel_margin_loss", "MultiLabelMarginLoss", [X], [LISTS], {}),
    ("multilabel_margin_loss", "MultiLabelMarginLoss", [X[0]], [LISTS[0]], {}),
    ("multilabel_soft_margin_loss", "MultiLabelSoftMarginLoss", [X], [(X > 0.2) * 1.0], {}),
    ("multilabel_soft_margin_loss", "MultiLabelSoftMarginLoss", [X], [(X > 0.2) * 1.0], {"weight": WEIGHT}),
    ("triplet_margin_with_distance_loss", "TripletMarginWithDistanceLoss", [X, *OTHERS], [], {"swap": False}),
    ("triplet_margin_with_distance_loss", "TripletMarginWithDistanceLoss", [X, *OTHERS], [], {"swap": True}),
]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(("name", "module", "arrays", "constants", "options"), CASES)
def test_margin_losses(name, module, arrays, constants, options, reduction):
    results = []
    for lib, make in ((td, td.tensor), (torch, torch.tensor)):
        given = {key: make(v) if isinstance(v, np.ndarray) else v for key, v in options.items()}
        for call in ("function", "module"):
            tensors = [make(a, requires_grad=True) for a in arrays]
            others = [make(c) for c in constants]
            if call == "function":
                loss = getattr(lib.nn.functional, name)(*tensors, *others, reduction=reduction, **given)
            else:
                loss = getattr(lib.nn, module)(reduction=reduction, **given)(*tensors, *others)
            loss.sum().backward()
            results.append([loss.detach().numpy(), *(t.grad.numpy() for t in tensors)])
    for other in results[:3]:
        for a, b in zip(other, results[3], strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-12)


def test_refusals():
    function = td.nn.functional
    x = td.zeros(2, 3)
    with pytest.raises(IndexError, match="got index 3 at position"):
        function.multi_margin_loss(x, td.tensor([0, 3]))
    with pytest.raises(TypeError, match="class indices, which are integers"):
        function.multi_margin_loss(x, td.zeros(2))
    with pytest.raises(ValueError, match=r"a target of shape \(2,\) for an input of \(2, 3\), got \(3,\)"):
        function.multi_margin_loss(x, td.tensor([0, 1, 2]))
    with pytest.raises(ValueError, match=r"\(N, C\) or \(C,\), got \(1, 2, 3\)"):
        function.multi_margin_loss(td.zeros(1, 2, 3), td.tensor([[0, 1]]))
    with pytest.raises(ValueError, match="p = 1 or 2, got 3"):
        function.multi_margin_loss(x, td.tensor([0, 1]), p=3)
    with pytest.raises(ValueError, match="p = 1 or 2, got 3"):
        td.nn.MultiMarginLoss(p=3)
    with pytest.raises(ValueError, match=r"a weight for each class, of shape \(3,\), got \(2,\)"):
        function.multi_margin_loss(x, td.tensor([0, 1]), weight=td.ones(2))
    with pytest.raises(IndexError, match="got index 3 at position"):
        function.multilabel_margin_loss(x, td.tensor([[0, 3, -1], [0, 1, 2]]))
    with pytest.raises(ValueError, match="margin > 0, got 0"):
        function.triplet_margin_with_distance_loss(x, x, x, margin=0)
    with pytest.raises(ValueError, match="margin > 0, got 0"):
        td.nn.TripletMarginWithDistanceLoss(margin=0)
