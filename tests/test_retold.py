"""docs/engine_in_200_lines.py tells the truth: its gradients are those of the real engine."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import tinygrad_dl as td

PATH = Path(__file__).parent.parent / "docs" / "engine_in_200_lines.py"
spec = importlib.util.spec_from_file_location("retold", PATH)
retold = importlib.util.module_from_spec(spec)
spec.loader.exec_module(retold)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, w: np.sum(np.tanh(x * w) * np.exp(x)),
        lambda x, w: np.sum(np.sum(x * x, axis=0) * w + 2.0 - w),
        lambda x, w: np.sum(np.exp(x.reshape((3, 2))) * 0.5) * np.sum(w),
    ],
)
def test_first_and_second_order_agree_with_the_engine(f):
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal((2, 3)), rng.standard_normal(3)
    theirs = [retold.Tensor(a, requires_grad=True) for a in arrays]
    ours = [td.tensor(a, requires_grad=True) for a in arrays]
    out = f(*theirs)
    first = retold.propagate(out.edge, np.ones(()), recorded=True)
    second = retold.propagate(np.sum(first[theirs[0].edge]).edge, np.ones(()))
    expected = td.autograd.grad(f(*ours), ours, create_graph=True)
    for tensor, g in zip(theirs, expected, strict=True):
        np.testing.assert_allclose(first[tensor.edge].data, g.detach().numpy(), rtol=1e-12)
    again = td.autograd.grad(expected[0].sum(), ours, materialize_grads=True)
    np.testing.assert_allclose(second[theirs[0].edge], again[0].numpy(), rtol=1e-12)


def test_it_stays_within_its_lines():
    assert len(PATH.read_text().splitlines()) <= 200
