"""The cases of `benchmarks/cases.py` compute on both libraries the same, forward and backward."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from benchmark_cases import cases

import tinygrad_dl as td

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

CASES = cases.CASES

LARGE = (
    "ResNet-18",
    "ResNeXt-50",
    "MobileNetV2",
    "1024-2048",
)  # seconds a step; compare.py checks these when it measures them


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].same and not name.startswith(LARGE)])
def test_same_losses(name: str) -> None:
    """The second loss comes after an update, so it tells the gradients too."""
    steps = [CASES[name].case(lib) for lib in (td, torch)]
    for tolerance in (1e-5, 2e-4):
        ours, theirs = (step().item() for step in steps)
        np.testing.assert_allclose(ours, theirs, rtol=tolerance)


def test_weights_and_budgets() -> None:
    """Weights are the same numbers on both sides, not what the libraries draw; budgets are shares of PyTorch's time."""
    cases = sys.modules["cases"]
    mine, other = (cases.same_weights(lib, lib.nn.Linear(3, 2)) for lib in (td, torch))
    np.testing.assert_array_equal(mine.weight.detach().numpy(), other.weight.detach().numpy())
    np.testing.assert_array_equal(mine.bias.detach().numpy(), np.zeros(2))
    assert CASES["U-Net 48x52"].budget == (1.0, 1.15)
    assert all(0 < limit <= 1.25 for each in CASES.values() if each.budget for limit in each.budget)
