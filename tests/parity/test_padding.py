"""pad in every mode with positive, negative and mixed numbers, on dimensions of 0 to 4 elements, beside PyTorch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.nn import functional

torch = pytest.importorskip("torch")

SHAPES = [((2, 3, 0), 1), ((2, 0, 4), 1), ((0, 2, 3), 1), ((2, 1), 1), ((1, 2, 3, 1), 2), ((1, 2, 4, 3), 2)]


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("shape, dims", SHAPES)
def test_pad(shape, dims, mode):
    compared = 0
    array = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    for first in itertools.product(range(-3, 4), repeat=2):
        pad = first if dims == 1 else (*first, -1, 1)
        ours, theirs = td.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
        left = [shape[-1 - i // 2] + min(pad[i], 0) + min(pad[i + 1], 0) for i in range(0, 2 * dims, 2)]
        if mode == "circular" and any(n < max(pad[2 * i], pad[2 * i + 1]) for i, n in enumerate(left)):
            with pytest.raises(ValueError, match="pad: "):  # PyTorch reads memory that nobody wrote, or refuses
                functional.pad(ours, pad, mode=mode)
            continue
        try:
            b = torch.nn.functional.pad(theirs, pad, mode=mode)
        except RuntimeError:
            continue  # of empty dimensions we refuse less
        a = functional.pad(ours, pad, mode=mode)
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
        weights = np.random.default_rng(0).standard_normal(a.shape)
        (ga,) = td.autograd.grad((a**2 * td.tensor(weights)).sum(), ours, create_graph=True)
        (gb,) = torch.autograd.grad((b**2 * torch.tensor(weights)).sum(), theirs, create_graph=True)
        np.testing.assert_allclose(ga.detach().numpy(), gb.detach().numpy(), rtol=1e-12)
        (ha,), (hb,) = td.autograd.grad(ga.sum(), ours), torch.autograd.grad(gb.sum(), theirs)
        np.testing.assert_allclose(ha.numpy(), hb.numpy(), rtol=1e-12)
        compared += 1
    assert compared or 0 in shape
