"""AdaptiveLogSoftmaxWithLoss: probabilities, targets in all clusters, predictions, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn


def test_probabilities():
    layer = nn.AdaptiveLogSoftmaxWithLoss(16, 12, [3, 7], div_value=2.0, head_bias=True)
    assert list(layer.state_dict()) == ["head.weight", "head.bias"] + [
        f"tail.{i}.{j}.weight" for i in (0, 1) for j in (0, 1)
    ]
    assert [tuple(p.shape) for p in layer.tail.parameters()] == [(8, 16), (4, 8), (4, 16), (5, 4)]
    x, target = td.randn(12, 16), td.arange(12)
    log_prob = layer.log_prob(x)
    np.testing.assert_allclose(log_prob.exp().sum(1).tolist(), np.ones(12), rtol=1e-5)
    output, loss = layer(x, target)
    np.testing.assert_allclose(output.tolist(), log_prob.diagonal().tolist(), rtol=1e-5)
    assert loss.item() == pytest.approx(-np.mean(output.tolist()), rel=1e-5)
    assert layer.predict(x).tolist() == log_prob.argmax(1).tolist()
    single = layer(x[8], target[8])
    assert single.output.shape == () and single.output.item() == pytest.approx(output[8].item(), rel=1e-5)


@pytest.mark.parametrize("cutoffs", [[], [0], [3, 3], [4, 2], [5]])
def test_cutoffs_are_refused(cutoffs):
    with pytest.raises(ValueError, match="cutoffs that ascend from 1 to n_classes - 1 = 4, got"):
        nn.AdaptiveLogSoftmaxWithLoss(4, 5, cutoffs)


def test_targets_are_refused():
    layer = nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])
    with pytest.raises(ValueError, match=r"integers from 0 to 4 as targets, got \[5\]"):
        layer(td.ones(1, 4), td.tensor([5]))
    with pytest.raises(ValueError, match=r"a target of shape \(N,\), got \(2, 4\) and \(1,\)"):
        layer(td.ones(2, 4), td.tensor([1]))
