"""Training steps that tests of `td.compile` share, and comparisons of what came of them."""

from __future__ import annotations

import numpy as np

import tinygrad_dl as td
from tinygrad_dl import nn

F = nn.functional


def mlp(width=8, classes=3, optimizer=td.optim.Adam, layers=(), **options):
    """A step of a small network, its model and its optimiser; the same numbers each time."""
    td.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, width), nn.ReLU(), *layers, nn.Linear(width, classes))
    made = optimizer(model.parameters(), **options)

    def step(x, y):
        made.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        made.step()
        return loss

    return step, model, made


def batches(count, size=5, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return [
        (td.from_numpy(rng.standard_normal((size, 6), dtype=np.float32)), td.from_numpy(rng.integers(0, classes, size)))
        for _ in range(count)
    ]


def same(a, b):
    """The same bits in both, wherever tensors are."""
    if isinstance(a, dict):
        assert list(a) == list(b)
        return [same(a[key], b[key]) for key in a]
    if isinstance(a, list | tuple):
        return [same(x, y) for x, y in zip(a, b, strict=True)]
    if isinstance(a, td.Tensor):
        assert a.dtype == b.dtype
        return np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    assert a == b or (a is None and b is None)


def same_models(a, b):
    same(a.state_dict(), b.state_dict())
    same([p.grad for p in a.parameters()], [p.grad for p in b.parameters()])
