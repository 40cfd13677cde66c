"""Trains a step with the installed package, in an environment that has only what the package asks for."""

from __future__ import annotations

import tinygrad_dl as td
from tinygrad_dl import nn

assert "site-packages" in td.__file__, td.__file__
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 3))
optimizer = td.optim.Adam(model.parameters())
x, y = td.randn(16, 4), td.randint(0, 3, (16,))
before = nn.functional.cross_entropy(model(x), y)
for _ in range(50):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
assert loss.item() < before.item()
assert "digraph" in td.viz.graph(loss, model).source
try:
    td.testing.check_op(td.exp)
except ImportError as error:
    assert "pip install" in str(error), error
else:
    raise AssertionError("hypothesis is not installed here, and check_op did not say so")
print("the installed wheel trains, draws, and says what is missing")
