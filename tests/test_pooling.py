"""Pooling, interpolation, shuffles, group norm and dropped channels: refusals, ties, edges, layouts and memory."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn import functional as F

X = td.ones(2, 4, 6, 6)


@pytest.mark.parametrize(
    "call, kind, match",
    [
        (lambda: F.max_pool2d(X, 7), ValueError, r"larger than the padded input: got kernel_size \(7, 7\)"),
        (lambda: F.avg_pool2d(X, (1, 9)), ValueError, r"larger than the padded input.*shape \(2, 4, 6, 6\)"),
        (lambda: F.max_pool2d(X, 4, dilation=2), ValueError, r"dilation \(2, 2\)"),
        (lambda: F.max_pool2d(X, 2, padding=2), ValueError, "padding of at most half the window, got padding"),
        (lambda: F.avg_pool2d(X, 3, padding=2), ValueError, "padding of at most half the window"),
        (lambda: F.max_pool2d(td.ones(4, 4), 2), ValueError, "max_pool2d: expected an input of 4 dimensions, or 3"),
        (lambda: F.avg_pool1d(X, 2), ValueError, "avg_pool1d: expected an input of 3 dimensions, or 2"),
        (lambda: F.max_pool2d(X, (2, 2, 2)), ValueError, "kernel_size as one number or 2"),
        (lambda: F.max_pool2d(X, 0), ValueError, "kernel_size of at least 1, got 0"),
        (lambda: F.max_pool2d(X, 2, stride=0), ValueError, "stride of at least 1"),
        (lambda: F.max_pool2d(X, 2.5), TypeError, "kernel_size: expected whole numbers"),
        (lambda: F.avg_pool2d(X, 2, divisor_override=0), ValueError, "got divisor_override=0"),
        (lambda: F.avg_pool2d(X.int(), 2), TypeError, "floating tensor, got int32"),
        (lambda: F.adaptive_avg_pool2d(X, (1, 2, 3)), ValueError, "output_size as one number or 2"),
        (lambda: F.adaptive_max_pool2d(X, -1), ValueError, "output_size of at least 0"),
        (lambda: F.adaptive_avg_pool2d(td.ones(1, 1, 0, 2), 1), ValueError, "with elements in its last 2 dimensions"),
        (lambda: nn.MaxPool2d(0), ValueError, "MaxPool2d: expected kernel_size of at least 1"),
        (lambda: nn.MaxPool3d((2, 2)), ValueError, "MaxPool3d: expected kernel_size as one number or 3"),
        (lambda: nn.AvgPool2d(2, padding=-1), ValueError, "AvgPool2d: expected padding of at least 0"),
        (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), ValueError, "AdaptiveAvgPool2d: expected output_size"),
        (lambda: F.interpolate(X), ValueError, "one of size and scale_factor, got none"),
        (lambda: F.interpolate(X, 3, 2.0), ValueError, "got both"),
        (lambda: F.interpolate(X, 3, mode="box"), ValueError, "expected a mode among"),
        (lambda: F.interpolate(X, 3, mode="lanczos"), ValueError, "expected antialias=True without align_corners"),
        (
            lambda: F.interpolate(X, 3, mode="linear"),
            ValueError,
            "expected 3 dimensions, with batch and channels, for mode 'linear'",
        ),
        (lambda: F.interpolate(X, 3, align_corners=True), ValueError, "got align_corners with mode"),
        (lambda: F.interpolate(X, (3, 3, 3)), ValueError, "size as one number or 2"),
        (lambda: F.interpolate(X, scale_factor=0.1), ValueError, "sizes of at least 1"),
        (lambda: F.interpolate(X, 3, antialias=True), ValueError, "antialias=True with mode 'nearest'"),
        (lambda: F.interpolate(X, 3, recompute_scale_factor=True), ValueError, "expected a scale_factor"),
        (lambda: F.interpolate(X, (3.0, 3)), TypeError, "size: expected whole numbers"),
        (lambda: F.interpolate(X.long(), 3, mode="bilinear"), TypeError, "floating tensor or uint8, got int64"),
        (lambda: F.interpolate(X.int(), 3), TypeError, "floating tensor or uint8, got int32"),
        (lambda: F.interpolate(X[0].byte(), 3, mode="linear"), TypeError, "floating tensor in mode 'linear'"),
        (lambda: F.fractional_max_pool2d(X, 2), ValueError, "neither output_size nor output_ratio"),
        (lambda: F.fractional_max_pool2d(X, 3, 5), ValueError, r"got \(5, 5\) and \(3, 3\)"),
        (lambda: F.fractional_max_pool2d(X, 2, output_ratio=(0.5,)), ValueError, "output_ratio as one number or 2"),
        (lambda: F.fractional_max_pool2d(X.long(), 2, 2), TypeError, "expected a floating tensor, got int64"),
        (lambda: F.fractional_max_pool2d(X, 2, 2, None, False, td.ones(1, 4, 2)), ValueError, "_random_samples of"),
        (lambda: nn.FractionalMaxPool2d(2), ValueError, "got neither of output_size and output_ratio"),
        (lambda: nn.FractionalMaxPool2d(2, 2, 0.5), ValueError, "got both"),
        (lambda: nn.FractionalMaxPool3d(2, output_ratio=1.0), ValueError, "output_ratio between 0 and 1, got 1.0"),
        (lambda: nn.PixelShuffle(0), ValueError, "upscale_factor >= 1"),
        (lambda: F.pixel_shuffle(X, 3), ValueError, "channels that 9 divides, got 4"),
        (lambda: F.pixel_unshuffle(X, 4), ValueError, "height and width that 4 divides"),
        (lambda: F.channel_shuffle(X, 3), ValueError, "3 groups divide"),
        (lambda: nn.GroupNorm(3, 4), ValueError, "GroupNorm: expected num_channels that num_groups=3 divides, got 4"),
        (lambda: F.group_norm(X, 3), ValueError, "channels that num_groups=3 divides, got 4"),
        (lambda: nn.GroupNorm(2, 6)(X), ValueError, r"a weight of shape \(4,\)"),
        (lambda: nn.InstanceNorm2d(3, affine=True)(X), ValueError, "C=3 channels"),
        (lambda: nn.InstanceNorm2d(4)(td.ones(1, 4, 1, 1)), ValueError, "more than one value per channel"),
        (lambda: nn.Dropout2d(1.5), ValueError, "p between 0 and 1"),
        (lambda: F.dropout2d(X, -1.0), ValueError, "dropout2d: expected a probability"),
        (
            lambda: F.dropout2d(td.ones(3)),
            ValueError,
            r"dropout2d: got an input of shape \(3,\), exp",
        ),
        (lambda: F.dropout2d(X.long()), TypeError, "dropout2d: expected a floating tensor"),
    ],
)
def test_refusals_say_what_is_wrong(call, kind, match):
    with pytest.raises(kind, match=match):
        call()


def test_of_equal_elements_the_first_in_the_window_gets_the_gradient():
    x = td.tensor([[[0.0, 5.0, 1.0, 1.0], [5.0, 5.0, 1.0, 1.0]]], requires_grad=True)
    F.max_pool2d(x, 2).backward(td.tensor([[[2.0, 3.0]]]))
    assert x.grad.tolist() == [[[0, 2, 3, 0], [0, 0, 0, 0]]]


def test_overlapping_windows_add_their_gradients():
    x = td.tensor([[1.0, 9.0, 2.0, 3.0]], requires_grad=True)
    F.max_pool1d(x, 2, 1).sum().backward()
    assert x.grad.tolist() == [[0, 2, 0, 1]]


def test_an_infinite_gradient_stays_where_it_is():
    x = td.tensor([[1.0, 9.0, 2.0, 3.0]], requires_grad=True)
    F.max_pool1d(x, 2).backward(td.tensor([[float("inf"), 1.0]]))
    assert x.grad.tolist() == [[0, float("inf"), 0, 1]]


def test_nan_and_windows_of_minus_infinity():
    x = td.tensor([[[1.0, float("nan")], [float("-inf"), float("-inf")]]], requires_grad=True)
    out, index = F.max_pool2d(x, (1, 2), return_indices=True)
    assert np.isnan(out.tolist()[0][0][0]) and out.tolist()[0][1][0] == float("-inf")
    assert index.tolist() == [[[1], [2]]]
    out.sum().backward()
    assert x.grad.tolist() == [[[0, 1], [1, 0]]]


def test_padding_is_never_the_maximum():
    assert F.max_pool1d(td.full((1, 4), -3.0), 3, padding=1).tolist() == [[-3.0, -3.0]]
    assert F.max_pool1d(td.tensor([[-3, -2, -5, -7]]), 2, padding=1).tolist() == [[-3, -2, -7]]


@pytest.mark.parametrize(
    "pool",
    [
        lambda x: F.max_pool2d(x, 3, 2, 1),
        lambda x: F.max_pool2d(x, 2),
        lambda x: F.avg_pool2d(x, 2),
        lambda x: F.avg_pool2d(x, 3, 2, 1),
        lambda x: F.adaptive_avg_pool2d(x, 5),
        lambda x: F.adaptive_max_pool2d(x, 5),
        lambda x: F.interpolate(x, scale_factor=2),
    ],
)
def test_large_inputs_in_blocks_are_what_their_parts_are(pool):
    values = np.random.default_rng(0).standard_normal((24, 16, 32, 32)).astype(np.float32)
    whole = td.tensor(values, requires_grad=True)
    out = pool(whole)
    weights = td.randn(*out.shape)
    out.backward(weights)
    for part in (slice(0, 1), slice(23, 24)):
        x = td.tensor(values[part], requires_grad=True)
        mine = pool(x)
        mine.backward(weights[part])
        # Adaptive means are matrix products, which the BLAS may sum in another order for another number of rows.
        np.testing.assert_allclose(mine.detach().numpy(), out.detach().numpy()[part], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(x.grad.numpy(), whole.grad.numpy()[part], rtol=1e-5, atol=1e-7)


def test_a_window_of_many_elements():
    values = np.random.default_rng(0).standard_normal((2, 3, 20, 20)).astype(np.float32)
    x = td.tensor(values, requires_grad=True)
    out, index = F.max_pool2d(x, 20, return_indices=True)
    assert (index.numpy().ravel() == values.reshape(6, 400).argmax(1)).all()
    out.sum().backward()
    assert (x.grad.numpy() == (values == values.max((2, 3), keepdims=True))).all()


def test_what_has_no_batch_and_no_elements():
    assert F.max_pool2d(td.ones(0, 3, 4, 4), 2).shape == (0, 3, 2, 2)
    x = td.ones(0, 3, 4, 4, requires_grad=True)
    for out in (F.max_pool2d(x, 2), F.avg_pool2d(x, 2), F.interpolate(x, 2), F.adaptive_avg_pool2d(x, 1)):
        out.sum().backward()
    assert x.grad.shape == (0, 3, 4, 4)
    assert F.adaptive_avg_pool2d(td.ones(3, 4, 4), 0).shape == (3, 0, 0)


def test_turned_inputs():
    x = td.randn(2, 6, 5, 3)
    turned = x.permute(0, 3, 1, 2)
    for pool in (F.max_pool2d, F.avg_pool2d):
        expected = pool(turned.contiguous(), 2)
        np.testing.assert_array_equal(pool(turned, 2).numpy(), expected.numpy())


def test_half_precision_is_averaged_in_single():
    x = td.full((1, 1, 16, 16), 3000.0, dtype=td.float16)
    assert F.adaptive_avg_pool2d(x, 1).item() == 3000 and F.avg_pool2d(x, 8).dtype == td.float16


def test_dropout_drops_whole_channels():
    td.manual_seed(0)
    for dims, drop in ((1, nn.Dropout1d), (2, nn.Dropout2d), (3, nn.Dropout3d)):
        x = td.ones(50, 40, *[3] * dims, requires_grad=True)
        out = drop(0.25)(x)
        by_channel = out.detach().numpy().reshape(2000, -1)
        assert (by_channel == by_channel[:, :1]).all()
        kept = by_channel[:, 0] > 0
        np.testing.assert_allclose(by_channel[kept], 4 / 3, rtol=1e-6)
        assert abs(kept.mean() - 0.75) < 0.04
        out.sum().backward()
        np.testing.assert_array_equal(x.grad.numpy(), out.detach().numpy())
        assert drop(0.25).eval()(x) is x
        assert (drop(1.0)(x) == 0).all()


@pytest.mark.parametrize(
    ("drop", "shape", "front", "warns"),
    [
        (F.dropout1d, (300, 3), 1, False),
        (F.dropout2d, (20, 30), 2, True),
        (F.dropout2d, (20, 30, 4), 2, True),
        (F.dropout2d, (20, 30, 2, 2, 2), 2, True),
        (F.dropout3d, (300, 3, 2), 1, True),
        (F.dropout3d, (300, 2, 3, 2), 1, False),
        (F.feature_alpha_dropout, (20, 30), 2, False),
    ],
)
def test_dropout_of_channels_with_other_dimensions(drop, shape, front, warns):
    context = pytest.warns(UserWarning, match="dropped are the parts") if warns else contextlib.nullcontext()
    with context:
        out = drop(td.ones(shape), 0.5, True).reshape(*shape[:front], -1)
    assert (out == out[..., :1]).all() and 0.3 < (out[..., 0] > 1).float().mean() < 0.7


def test_dropout_keeps_the_order_in_memory():
    x = td.ones(2, 3, 4, 5).to(memory_format=td.channels_last)
    assert F.dropout(x, 0.5).is_contiguous(memory_format=td.channels_last)
    assert F.dropout(x[..., ::2], 0.5).is_contiguous(memory_format=td.channels_last)
    assert F.dropout(x.permute(3, 0, 1, 2), 0.5).stride() == x.permute(3, 0, 1, 2).stride()


def test_dropout_of_channels_in_place():
    x = td.ones(2, 3, 2, 2)
    assert F.dropout2d(x, 1.0, inplace=True) is x and (x == 0).all()


def test_instance_norms_running_statistics_serve_in_evaluation():
    layer = nn.InstanceNorm1d(2, track_running_stats=True, affine=True)
    x = td.randn(8, 2, 16) * 3 + 1
    for _ in range(100):
        layer(x)
    np.testing.assert_allclose(layer.running_mean.numpy(), x.numpy().mean((0, 2)), rtol=1e-3)
    out = layer.eval()(x).detach().numpy()
    mean, var = layer.running_mean.numpy()[:, None], layer.running_var.numpy()[:, None]
    np.testing.assert_allclose(out, (x.numpy() - mean) / np.sqrt(var + 1e-5), rtol=1e-4, atol=1e-5)


def test_group_norm_of_nothing():
    x = td.ones(0, 4, 2, requires_grad=True)
    nn.GroupNorm(2, 4)(x).sum().backward()
    assert x.grad.shape == (0, 4, 2)


def test_max_pooling_keeps_its_input_and_output_alone():
    x = td.randn(2, 3, 8, 8, requires_grad=True)
    out = F.max_pool2d(x, 2)
    saved = [each for each in out._edge.saved if isinstance(each, np.ndarray)]
    assert all(each is x._data or each is out._data for each in saved)
    assert not [each for each in F.avg_pool2d(x, 2)._edge.saved if isinstance(each, np.ndarray)]


def test_antialiased_pictures_are_means_of_all_that_a_result_stands_for():
    x = td.arange(8.0).reshape(1, 1, 1, 8)
    assert td.allclose(
        F.interpolate(x, (1, 2), mode="bilinear", antialias=True), td.tensor([1.8929, 5.1071]), atol=1e-4
    )
    assert td.allclose(F.interpolate(x, (1, 2), mode="bicubic", antialias=True), td.tensor([1.6801, 5.3199]), atol=1e-4)
    assert td.allclose(F.interpolate(x, (1, 2), mode="lanczos", antialias=True), td.tensor([1.5853, 5.4147]), atol=1e-4)
    for mode in ("bilinear", "bicubic", "lanczos"):
        smooth = F.interpolate(td.ones(2, 3, 9, 7), (4, 11), mode=mode, antialias=True)
        assert td.allclose(smooth, td.ones(2, 3, 4, 11))


def test_pictures_of_bytes_are_rounded_and_stay_bytes():
    x = td.tensor([[0, 255], [100, 7]], dtype=td.uint8).reshape(1, 1, 2, 2)
    assert F.interpolate(x, 3, mode="bilinear").tolist() == [[[[0, 128, 255], [50, 91, 131], [100, 54, 7]]]]
    steep = F.interpolate(x, (2, 8), mode="bicubic")[0, 0, 0]  # cut where cubic curves go beyond 0 and 255
    assert steep.dtype == td.uint8 and steep.tolist() == [0, 0, 27, 92, 163, 228, 255, 255]
    assert F.interpolate(x, (2, 1), mode="bilinear", antialias=True).tolist() == [[[[128], [54]]]]


def test_only_the_elements_that_are_seen_are_read():
    x = td.zeros(1, 1, 2**20, dtype=td.float64)
    x[..., -1] = 2.0
    x.requires_grad_()
    y = F.interpolate(x, 2, mode="linear", align_corners=True)
    y.sum().backward()
    assert y.tolist() == [[[0.0, 2.0]]] and x.grad[0, 0].nonzero().flatten().tolist() == [0, 2**20 - 1]


def test_fractional_windows_stand_where_the_samples_say():
    x = td.arange(11.0).reshape(1, 1, 1, 11)
    for u, expected in (
        (0.0, [0, 3, 6, 10]),
        (0.35, [0, 3, 6, 10]),
        (0.9, [0, 4, 7, 10]),
    ):  # 10 / 3 from one to the next
        out, index = F.fractional_max_pool2d_with_indices(x, 1, (1, 4), _random_samples=td.tensor([[[u, 0.0]]]))
        assert index.flatten().tolist() == out.flatten().tolist() == expected
