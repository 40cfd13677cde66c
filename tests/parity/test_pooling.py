"""Pooling, interpolation, shuffles and norms within a batch's elements, beside PyTorch's."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import tinygrad_dl as td
from parity.test_modules import both, close, draw, module_pair
from tinygrad_dl import nn
from tinygrad_dl.nn import functional

torch = pytest.importorskip("torch")

SHAPES = {1: (2, 3, 9), 2: (2, 3, 7, 8), 3: (1, 2, 5, 4, 6)}
TIES = np.random.default_rng(1)


def equal(ours, theirs):
    np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_max_pool_with_all_its_arguments(dims):
    name, compared = f"max_pool{dims}d", 0
    kernels, strides = (1, 2, 3, (2, 3, 1)[:dims]), (None, 1, 3)
    for kernel, stride, padding, dilation, ceil in product(kernels, strides, (0, 1), (1, 2), (False, True)):
        values = TIES.integers(0, 4, SHAPES[dims]).astype(np.float32)  # many equal elements
        x, y = td.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
        args = (kernel, stride, padding, dilation, ceil, True)
        try:
            expected, places = getattr(torch.nn.functional, name)(y, *args)
        except RuntimeError:
            with pytest.raises(ValueError):
                getattr(functional, name)(x, *args)
            continue
        out, index = getattr(functional, name)(x, *args)
        equal(out, expected)
        equal(index, places)
        g = draw(*out.shape)
        out.backward(td.tensor(g))
        expected.backward(torch.tensor(g))
        close(x.grad.numpy(), y.grad.numpy())
        compared += 1
    assert compared > 40


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_avg_pool_with_all_its_arguments(dims):
    name, compared = f"avg_pool{dims}d", 0
    kernels, divisors = (1, 2, 3, (2, 3, 1)[:dims]), (None,) if dims == 1 else (None, 5)
    for kernel, stride, padding, ceil, count, divisor in product(
        kernels, (None, 1, 3), (0, 1), (False, True), (True, False), divisors
    ):
        args = (kernel, stride, padding, ceil, count, divisor)[: 5 if dims == 1 else 6]
        x = draw(*SHAPES[dims])
        try:
            getattr(torch.nn.functional, name)(torch.tensor(x), *args)
        except RuntimeError:
            with pytest.raises(ValueError):
                getattr(functional, name)(td.tensor(x), *args)
            continue
        both(
            lambda t, a=args: getattr(functional, name)(t, *a),
            lambda t, a=args: getattr(torch.nn.functional, name)(t, *a),
            [x],
        )
        compared += 1
    assert compared > 40


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("batch", [True, False])
def test_adaptive_pools(dims, batch):
    shape = SHAPES[dims] if batch else SHAPES[dims][1:]
    for size in (1, 2, 3, 7, (3, None, 2)[-dims:] if dims > 1 else 4):
        for kind in ("avg", "max"):
            name = f"adaptive_{kind}_pool{dims}d"
            pair = getattr(functional, name), getattr(torch.nn.functional, name)
            both(lambda t, f=pair[0], s=size: f(t, s), lambda t, f=pair[1], s=size: f(t, s), [draw(*shape)])
        values = TIES.integers(0, 4, shape).astype(np.float32)
        out, index = pair[0](td.tensor(values), size, return_indices=True)
        expected, places = pair[1](torch.tensor(values), size, return_indices=True)
        equal(out, expected)
        equal(index, places)


@pytest.mark.parametrize("align", [None, False, True])
@pytest.mark.parametrize(
    "mode, dims",
    [
        *[(mode, dims) for mode in ("nearest", "nearest-exact", "area") for dims in (1, 2, 3)],
        ("linear", 1),
        ("bilinear", 2),
        ("bicubic", 2),
        ("trilinear", 3),
    ],
)
def test_interpolate(mode, dims, align):
    if align is not None and mode in ("nearest", "nearest-exact", "area"):
        return
    shape = SHAPES[dims]
    many = [{"size": 1}, {"size": 5}, {"size": 13}, {"size": shape[2:]}, {"size": (4, 9, 2)[:dims]}]
    many += [{"scale_factor": f} for f in (2, 3.0, 0.5, 1.7, (2.5, 0.6, 1.0)[:dims])]
    many += [{"scale_factor": 1.7, "recompute_scale_factor": True}]
    for options in many:
        options = {**options, "mode": mode, "align_corners": align}
        both(
            lambda t, o=options: functional.interpolate(t, **o),
            lambda t, o=options: torch.nn.functional.interpolate(t, **o),
            [draw(*shape)],
        )


@pytest.mark.parametrize(
    "mode, align", [("bilinear", False), ("bilinear", True), ("bicubic", False), ("lanczos", None)]
)
def test_antialiased_interpolate(mode, align):
    for options in ({"size": 1}, {"size": 5}, {"size": (13, 2)}, {"scale_factor": 0.4}, {"scale_factor": (1.7, 0.3)}):
        options = {**options, "mode": mode, "align_corners": align, "antialias": True}
        both(
            lambda t, o=options: functional.interpolate(t, **o),
            lambda t, o=options: torch.nn.functional.interpolate(t, **o),
            [draw(*SHAPES[2])],
        )


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_interpolate_of_bytes_is_equal(mode, antialias):
    rng = np.random.default_rng(1)
    for channels, (h, w), size in (3, (20, 31), (7, 40)), (5, (9, 12), (9, 5)), (1, (3, 4), (11, 1)):
        for align in (False, True):
            x = rng.integers(0, 256, (2, channels, h, w)).astype(np.uint8)
            options = {"size": size, "mode": mode, "align_corners": align, "antialias": antialias}
            expected = torch.nn.functional.interpolate(torch.tensor(x), **options)
            assert functional.interpolate(td.tensor(x), **options).tolist() == expected.tolist()


MODULES = [
    ("MaxPool1d", (2,), {}, (2, 3, 8)),
    ("MaxPool2d", (2,), {}, (2, 3, 8, 6)),
    ("MaxPool2d", ((3, 2),), {"stride": (2, 1), "padding": (1, 0), "ceil_mode": True}, (2, 3, 8, 6)),
    ("MaxPool3d", (2,), {"dilation": 2, "stride": 1}, (3, 4, 4, 5)),
    ("AvgPool1d", (2,), {}, (2, 3, 8)),
    ("AvgPool1d", (3,), {"stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False}, (2, 3, 8)),
    ("AvgPool2d", (2,), {}, (2, 3, 8, 6)),
    ("AvgPool2d", ((2, 3),), {"stride": 1, "divisor_override": 3}, (3, 8, 6)),
    ("AvgPool3d", (2,), {}, (2, 3, 4, 4, 5)),
    ("AdaptiveAvgPool1d", (3,), {}, (2, 3, 8)),
    ("AdaptiveAvgPool2d", ((1, 1),), {}, (2, 3, 8, 6)),
    ("AdaptiveAvgPool2d", ((None, 4),), {}, (2, 3, 8, 6)),
    ("AdaptiveAvgPool3d", (2,), {}, (2, 3, 4, 4, 5)),
    ("AdaptiveMaxPool1d", (3,), {}, (2, 3, 8)),
    ("AdaptiveMaxPool2d", (4,), {}, (2, 3, 8, 6)),
    ("AdaptiveMaxPool3d", ((1, 2, 3),), {}, (2, 3, 4, 4, 5)),
    ("Upsample", (), {"scale_factor": 2}, (2, 3, 4, 5)),
    ("Upsample", (), {"size": (7, 9), "mode": "bilinear", "align_corners": True}, (2, 3, 4, 5)),
    ("Upsample", (), {"scale_factor": (1.5, 2.0), "mode": "bicubic"}, (2, 3, 4, 5)),
    ("UpsamplingNearest2d", (), {"scale_factor": 3}, (2, 3, 4, 5)),
    ("UpsamplingBilinear2d", (), {"size": 9}, (2, 3, 4, 5)),
    ("PixelShuffle", (2,), {}, (2, 8, 3, 4)),
    ("PixelUnshuffle", (2,), {}, (2, 3, 4, 6)),
    ("ChannelShuffle", (2,), {}, (2, 6, 3, 2)),
    ("GroupNorm", (2, 6), {}, (3, 6, 4, 5)),
    ("GroupNorm", (6, 6), {"eps": 0.1}, (3, 6, 4)),
    ("GroupNorm", (2, 8), {"affine": False}, (3, 8)),
    ("InstanceNorm1d", (3,), {}, (2, 3, 5)),
    ("InstanceNorm1d", (3,), {"affine": True, "track_running_stats": True}, (2, 3, 5)),
    ("InstanceNorm2d", (3,), {"affine": True}, (2, 3, 4, 5)),
    ("InstanceNorm2d", (3,), {"track_running_stats": True}, (3, 4, 5)),
    ("InstanceNorm3d", (3,), {}, (2, 3, 2, 2, 5)),
]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name, args, kwargs, shape", MODULES, ids=[f"{m[0]}{m[1]}{m[2]}" for m in MODULES])
def test_module(name, args, kwargs, shape, training):
    ours, theirs = module_pair(name, args, kwargs)
    for parameter, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        values = draw(*parameter.shape)
        with td.no_grad(), torch.no_grad():
            parameter.copy_(td.tensor(values))
            other.copy_(torch.tensor(values))
    ours.train(training), theirs.train(training)
    for _ in range(2):  # twice, for running statistics
        both(ours, theirs, [draw(*shape)])
    for parameter, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(parameter.grad.numpy(), other.grad.numpy(), 1e-4)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, tensor in theirs.state_dict().items():
        if key != "num_batches_tracked":
            close(ours.state_dict()[key].numpy(), tensor.numpy())
    assert repr(ours) == repr(theirs)


def test_max_pool_modules_return_indices():
    x = draw(2, 3, 6, 6)
    for name, args in (("MaxPool2d", (2,)), ("AdaptiveMaxPool2d", (4,))):
        ours, theirs = (
            getattr(nn, name)(*args, return_indices=True),
            getattr(torch.nn, name)(*args, return_indices=True),
        )
        for mine, other in zip(ours(td.tensor(x)), theirs(torch.tensor(x)), strict=True):
            equal(mine, other)
