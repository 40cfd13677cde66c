"""What checkers and editors see: a user's program, which mypy checks with the package, and the methods' signatures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import assert_type

import numpy as np

import tinygrad_dl as td
from tinygrad_dl import Tensor, nn
from tinygrad_dl.nn import functional as F

SCRIPT = Path(__file__).parent.parent / "docs" / "make_signatures.py"


def test_operations_and_methods_return_tensors() -> None:
    x = td.tensor([[3.0, 1.0], [2.0, 4.0]], requires_grad=True)
    assert_type(x, Tensor)
    assert_type(td.exp(x), Tensor)
    assert_type(td.add(x, 1, alpha=2), Tensor)
    assert_type(td.maximum(x, x), Tensor)
    assert_type(x + 1, Tensor)
    assert_type(x[0], Tensor)
    assert_type(x.sum(), Tensor)
    assert_type(x.mean(dim=1, keepdim=True), Tensor)
    assert_type(x.sum(axis=0), Tensor)
    assert_type(x.reshape(4, 1).T, Tensor)
    assert_type(x.add(x, alpha=0.5).clamp(min=0), Tensor)
    assert_type(x.detach().clone().mul_(2).to(td.float64), Tensor)
    assert_type(x.allclose(x), bool)
    assert_type(F.gelu(x), Tensor)
    assert_type(F.relu(x), Tensor)
    assert_type(F.softmax(x, dim=1), Tensor)
    ordered, places = x.sort(dim=1)
    assert ordered.tolist() == [[1.0, 3.0], [2.0, 4.0]] and places.tolist() == [[1, 0], [0, 1]]


def test_dtypes_and_shapes_are_typed() -> None:
    x = td.ones(2, 3)
    assert_type(x.dtype, td.dtype)
    assert_type(x.shape[1:], td.Size)
    assert_type(x.shape[0], int)
    assert np.zeros(2, dtype=x.dtype).astype(td.float64).dtype == td.float64
    assert x.dtype.is_floating_point and x.shape.numel() == 6


def test_a_training_step_is_typed() -> None:
    model = nn.Linear(2, 1)
    optimizer = td.optim.SGD(model.parameters(), lr=0.1)
    x, y = td.ones(4, 2), td.zeros(4, 1)
    loss: Tensor = F.mse_loss(model(x), y)
    loss.backward()
    before = loss.item()
    optimizer.step()
    assert_type(model.weight.grad, Tensor | None)
    assert F.mse_loss(model(x), y).item() < before


def test_the_signatures_of_methods_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("make_signatures", SCRIPT)
    assert spec is not None and spec.loader is not None
    signatures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(signatures)
    assert signatures.STUB.read_text() == signatures.stub(), "run: python docs/make_signatures.py"
