"""Weights travel between PyTorch and this library in safetensors files."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")


def test_weights_from_pytorch(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    safetensors.save_file(model.state_dict(), tmp_path / "model.safetensors")
    loaded = td.load(tmp_path / "model.safetensors")
    assert loaded.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(loaded[name].numpy(), tensor.numpy())
        assert loaded[name].shape == tuple(tensor.shape)


def test_weights_to_pytorch(tmp_path):
    weights = {"weight": td.randn(3, 4), "scale": td.tensor(2.0), "half": td.ones(3, dtype=td.float16)}
    weights["turned"] = td.from_numpy(np.arange(6.0).reshape(2, 3).T)
    td.save(weights, tmp_path / "model.safetensors")
    loaded = safetensors.load_file(tmp_path / "model.safetensors")
    assert loaded.keys() == weights.keys()
    for name, tensor in weights.items():
        np.testing.assert_array_equal(loaded[name].numpy(), tensor.numpy())


def test_bfloat16_both_ways(tmp_path):
    pytest.importorskip("ml_dtypes")
    path = tmp_path / "model.safetensors"
    safetensors.save_file({"a": torch.tensor([1.5, -2.0], dtype=torch.bfloat16)}, path)
    loaded = td.load(path)
    assert str(loaded["a"].dtype) == "bfloat16"
    td.save(loaded, path)
    assert safetensors.load_file(path)["a"].tolist() == [1.5, -2.0]
