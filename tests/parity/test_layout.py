"""Memory formats of results and of the gradients of leaves, and the strides of new tensors, as PyTorch has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import tinygrad_dl as td


def means_and_roots(lib: Any, x: Any, training: bool) -> Any:
    return lib.nn.functional.batch_norm(x, lib.zeros(8), lib.ones(8), lib.ones(8), lib.zeros(8), training)


def unpooled(lib: Any, x: Any) -> Any:
    places = (lib.arange(36).reshape(6, 6) * 4).expand(2, 8, 6, 6)
    return lib.nn.functional.max_unpool2d(x, places, 2)


PICTURES = {
    "max_pool": lambda lib, x: lib.nn.functional.max_pool2d(x, 2, return_indices=True),
    "avg_pool": lambda lib, x: lib.nn.functional.avg_pool2d(x, 2),
    "lp_pool": lambda lib, x: lib.nn.functional.lp_pool2d(x, 2.0, 2),
    "adaptive_avg_pool": lambda lib, x: lib.nn.functional.adaptive_avg_pool2d(x, 4),
    "adaptive_max_pool": lambda lib, x: lib.nn.functional.adaptive_max_pool2d(x, 3, return_indices=True),
    "max_unpool": unpooled,
    "nearest": lambda lib, x: lib.nn.functional.interpolate(x, scale_factor=2.0),
    "bilinear": lambda lib, x: lib.nn.functional.interpolate(x, 5, mode="bilinear"),
    "bicubic": lambda lib, x: lib.nn.functional.interpolate(x, 5, mode="bicubic", antialias=True),
    "area": lambda lib, x: lib.nn.functional.interpolate(x, 5, mode="area"),
    "pixel_shuffle": lambda lib, x: lib.nn.functional.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda lib, x: lib.nn.functional.pixel_unshuffle(x, 2),
    "channel_shuffle": lambda lib, x: lib.nn.functional.channel_shuffle(x, 2),
    "group_norm": lambda lib, x: lib.nn.functional.group_norm(x, 2, lib.ones(8), lib.zeros(8)),
    "batch_norm": lambda lib, x: means_and_roots(lib, x, True),
    "batch_norm_eval": lambda lib, x: means_and_roots(lib, x, False),
    "local_response_norm": lambda lib, x: lib.nn.functional.local_response_norm(x, 2),
    "pad": lambda lib, x: lib.nn.functional.pad(x, (1, 1, 1, 1)),
    "reflect": lambda lib, x: lib.nn.functional.pad(x, (1, 1, 1, 1), "reflect"),
    "replicate": lambda lib, x: lib.nn.functional.pad(x, (1, 1, 1, 1), "replicate"),
    "relu": lambda lib, x: lib.nn.functional.relu(x),
    "gelu": lambda lib, x: lib.nn.functional.gelu(x),
    "dropout": lambda lib, x: lib.nn.functional.dropout(x, 0.0),
    "flip": lambda lib, x: x.flip(2),
    "sort": lambda lib, x: lib.sort(x, 1),
    "half": lambda lib, x: lib.nn.functional.max_pool2d(x.half(), 2).float(),
}
VOLUMES = {
    "max_pool": lambda lib, x: lib.nn.functional.max_pool3d(x, 2),
    "nearest": lambda lib, x: lib.nn.functional.interpolate(x, scale_factor=2.0),
    "trilinear": lambda lib, x: lib.nn.functional.interpolate(x, 5, mode="trilinear"),
    "pad": lambda lib, x: lib.nn.functional.pad(x, (1, 1, 1, 1, 1, 1)),
    "group_norm": lambda lib, x: lib.nn.functional.group_norm(x, 2),
}
CASES = [
    *[((2, 8, 6, 6), "channels_last", name, f) for name, f in PICTURES.items()],
    *[((2, 8, 4, 6, 2), "channels_last_3d", name, f) for name, f in VOLUMES.items()],
]


@pytest.mark.parametrize("shape, last, name, f", CASES, ids=[f"{len(case[0])}-{case[2]}" for case in CASES])
def test_formats_of_results_and_gradients(shape, last, name, f):
    array = np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape).astype(np.float32) / 100
    for name in ("contiguous_format", last):
        found = []
        for lib in (td, torch):
            format = getattr(lib, name)
            x = lib.tensor(array).contiguous(memory_format=format).requires_grad_()
            results = f(lib, x)
            results = results if isinstance(results, tuple) else (results,)
            results[0].sum().backward()
            formats = [result.is_contiguous(memory_format=format) for result in (*results, x.grad)]
            found.append((formats, [result.detach().numpy() for result in (*results, x.grad)]))
        assert found[0][0] == found[1][0] == [True] * len(found[0][0])
        for ours, theirs in zip(found[0][1], found[1][1], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_formats_are_read_from_strides():
    """Where a size of 1, a gap or a slice leaves the order open, or does not."""
    for lib in (td, torch):
        x = lib.zeros(2, 5, 8, 8).contiguous(memory_format=lib.channels_last)
        kept = [
            x,
            x[:, :, 1:-1, 1:-1],
            x[:, :, ::2, ::2],
            x[:, 1:4],
            x[:1],
            x[0][None],
            x[:, :, :1, :1],
            x.expand(2, 5, 8, 8),
            x.transpose(1, 2),
            lib.zeros(2, 1, 4, 4).expand(2, 5, 4, 4),
        ]
        found = [lib.nn.functional.pad(each, (1, 1, 1, 1)).is_contiguous() for each in kept]
        assert found == [False, False, False, False, False, True, False, False, True, True]


def test_new_tensors_and_gradients_lie_as_what_they_are_made_like():
    for lib in (td, torch):
        x = lib.zeros(2, 5, 3, 4).contiguous(memory_format=lib.channels_last)
        for like in (x, lib.zeros(3, 4).t(), lib.zeros(2, 3, 4).permute(1, 0, 2), lib.zeros(4, 6)[:, ::2]):
            dense = like.stride() if like.shape != (4, 3) or like.stride() != (6, 2) else (3, 1)
            for make in ("zeros_like", "ones_like", "empty_like", "rand_like", "randn_like"):
                assert getattr(lib, make)(like).stride() == dense
            assert lib.full_like(like, 2.0).stride() == lib.randint_like(like, 5).stride() == dense
            like.requires_grad_()
            (like * 2).sum().backward()
            (like * 2).sum().backward()
            assert like.grad.stride() == dense and (like.grad == 4).all()
        assert lib.zeros_like(x, memory_format=lib.contiguous_format).is_contiguous()
