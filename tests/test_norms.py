"""RMSNorm, LocalResponseNorm and SyncBatchNorm, activations that draw numbers, and pools by norms."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn import functional


def test_rms_norm():
    layer = nn.RMSNorm(2, eps=0.0)
    assert list(layer.state_dict()) == ["weight"] and layer.weight.tolist() == [1.0, 1.0]
    x = td.tensor([[1.0, 7.0], [-3.0, -3.0]], requires_grad=True)
    out = layer(x)
    np.testing.assert_allclose(out.tolist(), [[0.2, 1.4], [-1.0, -1.0]], rtol=1e-6)
    out[0, 0].backward()  # the slope of x / r, r = sqrt((x² + y²) / 2) = 5: y² / (2 r³), -x y / (2 r³)
    np.testing.assert_allclose(x.grad.tolist(), [[49 / 250, -7 / 250], [0.0, 0.0]], rtol=1e-5, atol=1e-7)
    assert repr(layer) == "RMSNorm((2,), eps=0.0, elementwise_affine=True)"


def test_rms_norm_is_computed_in_32_bits_or_more():
    x = td.tensor([300.0, -300.0], dtype=td.float16)
    assert td.rms_norm(x, (2,)).tolist() == [1.0, -1.0] and td.rms_norm(x, (2,)).dtype == td.float16
    tiny = td.tensor([1e-3], dtype=td.float64)
    assert td.rms_norm(tiny, (1,)).item() == pytest.approx(1e-3 / math.sqrt(1e-6 + 2**-52))
    assert td.rms_norm(tiny.float(), (1,)).item() == pytest.approx(1e-3 / math.sqrt(1e-6 + 2**-23), rel=1e-5)


@pytest.mark.parametrize(
    "run, kind, match",
    [
        (lambda: nn.RMSNorm(()), ValueError, "RMSNorm: got an empty normalized_shape"),
        (lambda: td.rms_norm(td.ones(2, 3), (2,)), ValueError, r"ends in the normalized shape \(2,\), got \(2, 3\)"),
        (lambda: td.rms_norm(td.ones(2, 3), (3,), td.ones(2)), ValueError, r"weight of shape \(3,\), got \(2,\)"),
        (lambda: td.rms_norm(td.tensor([1, 2]), (2,)), TypeError, "rms_norm: expected a floating tensor, got int64"),
        (lambda: nn.LocalResponseNorm(0), ValueError, "size >= 1"),
        (lambda: functional.local_response_norm(td.ones(2, 3), 1), ValueError, r"\(N, C, ...\), got \(2, 3\)"),
        (lambda: functional.rrelu(td.ones(2), 0.5, 0.1), ValueError, "lower <= upper, got lower=0.5 and upper=0.1"),
        (lambda: functional.rrelu(td.tensor([1])), TypeError, "rrelu: expected a floating tensor"),
        (lambda: functional.gumbel_softmax(td.tensor([1])), TypeError, "expected floating logits, got int64"),
        (lambda: nn.LPPool1d(2, 0), ValueError, "LPPool1d: .*kernel_size"),
        (lambda: nn.SyncBatchNorm(2)(td.ones(2)), ValueError, r"SyncBatchNorm: .* \(N, C, ...\) with C=2"),
    ],
)
def test_more_layers_refuse(run, kind, match):
    with pytest.raises(kind, match=match):
        run()


def test_local_response_norm():
    out = nn.LocalResponseNorm(2, alpha=2.0, beta=1.0)(td.tensor([[[1.0], [2.0], [3.0]]]))
    np.testing.assert_allclose(out.flatten().tolist(), [1 / 2, 2 / 6, 3 / 14], rtol=1e-6)


def test_one_process_has_its_batch_norms_in_step():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    norm, state = model[1], model.state_dict()
    assert nn.SyncBatchNorm.convert_sync_batchnorm(model) is model and type(model[1]) is nn.SyncBatchNorm
    assert model[1].weight is norm.weight and model[1].running_mean is norm.running_mean
    assert [*model.state_dict()] == [*state] and type(norm) is nn.BatchNorm1d
    assert nn.SyncBatchNorm.convert_sync_batchnorm(model[1]) is model[1]
    assert type(nn.SyncBatchNorm.convert_sync_batchnorm(norm)) is nn.SyncBatchNorm
    x = td.randn(4, 3, 5)
    assert td.equal(nn.SyncBatchNorm(3)(x), nn.BatchNorm1d(3)(x))
    assert isinstance(nn.SyncBatchNorm(3), nn._BatchNorm)


# -- random activations, pools by norms ------------------------------------------------------------------


def test_random_slopes_are_one_for_each_element_and_their_own_gradient():
    td.manual_seed(0)
    x = td.tensor([2.0, *[-1.0] * 500], requires_grad=True)
    layer = nn.RReLU(0.2, 0.4)
    out = layer(x)
    out.sum().backward()
    slopes = -out.detach().numpy()[1:]
    assert out[0].item() == 2.0 and x.grad[0].item() == 1.0
    assert slopes.min() >= 0.2 and slopes.max() <= 0.4 and abs(slopes.mean() - 0.3) < 0.01 and slopes.std() > 0.05
    assert np.array_equal(x.grad.numpy()[1:], slopes)
    np.testing.assert_allclose(layer.eval()(x)[:2].tolist(), [2.0, -0.3], rtol=1e-6)
    changed = td.tensor([-1.0])
    assert functional.rrelu(changed, 0.5, 0.5, training=True, inplace=True) is changed and changed.item() == -0.5


def test_hard_samples_are_one_hot_and_have_the_gradient_of_soft_ones():
    logits = td.tensor([[0.0, 1.0, 2.0]] * 4, requires_grad=True)
    samples = [
        functional.gumbel_softmax(logits, 0.5, hard, generator=td.Generator().manual_seed(1)) for hard in (True, False)
    ]
    hard, soft = samples
    assert hard.sum(-1).tolist() == [1.0] * 4 and set(hard.flatten().tolist()) <= {0.0, 1.0}
    assert hard.argmax(-1).tolist() == soft.argmax(-1).tolist()
    slopes = [td.autograd.grad(each[:, 0].sum(), logits)[0] for each in samples]
    assert td.equal(*slopes) and slopes[0].abs().sum() > 0


def test_gumbel_softmax_says_that_eps_does_nothing():
    with pytest.warns(UserWarning, match="eps has no effect"):
        functional.gumbel_softmax(td.zeros(2), eps=1.0)


def test_pools_by_norms():
    x = td.tensor([[3.0, 4.0, 0.0, 0.0]], requires_grad=True)
    out = nn.LPPool1d(2, 2)(x)
    assert out.tolist() == [[5.0, 0.0]]
    out.sum().backward()
    np.testing.assert_allclose(x.grad.tolist(), [[0.6, 0.8, 0.0, 0.0]], rtol=1e-6)
    assert nn.LPPool1d(float("inf"), 2)(-x).tolist() == [[4.0, 0.0]]
    assert functional.lp_pool2d(td.ones(1, 2, 2), 1, 2).tolist() == [[[4.0]]]


def test_older_names_of_interpolate_warn():
    x = td.tensor([[[[1.0, 3.0]]]])
    for name, options in (("upsample", {"size": (1, 4)}), ("upsample_nearest", {"scale_factor": (1, 2)})):
        with pytest.warns(UserWarning, match=f"nn.functional.{name} is deprecated"):
            assert getattr(functional, name)(x, **options).tolist() == [[[[1.0, 1.0, 3.0, 3.0]]]]
    with pytest.warns(UserWarning, match="deprecated"):
        assert functional.upsample_bilinear(x, size=(1, 3)).tolist() == [[[[1.0, 2.0, 3.0]]]]


def test_random_layers_inside_of_vmap():
    x = td.randn(3, 5)
    for layer in (
        lambda row: functional.gumbel_softmax(row, hard=True),
        lambda row: functional.rrelu(row, training=True),
    ):
        out = td.func.vmap(layer, randomness="different")(x)
        assert out.shape == (3, 5)
    assert (
        td.func.vmap(lambda row: functional.gumbel_softmax(row, hard=True), randomness="same")(td.zeros(2, 4)).sum()
        == 2
    )


def test_instance_norm_without_parameters_takes_any_number_of_channels():
    x = td.tensor(np.random.default_rng(0).standard_normal((2, 3, 4, 4)))
    with pytest.warns(UserWarning, match="with C=8 channels, got .2, 3, 4, 4.; without affine and track_running_stats"):
        found = nn.InstanceNorm2d(8)(x)
    np.testing.assert_array_equal(found.numpy(), nn.InstanceNorm2d(3)(x).numpy())
    for options in ({"affine": True}, {"track_running_stats": True}):
        with pytest.raises(ValueError, match=r"InstanceNorm2d: expected an input of shape .* with C=8 channels"):
            nn.InstanceNorm2d(8, **options)(x)


def test_long_rows_lose_no_digits():
    x = np.random.default_rng(0).random((2, 300_000)) + 10
    exact = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    given = td.tensor(x, dtype=td.float32)
    for found in (
        functional.layer_norm(given, (300_000,), eps=0.0),
        functional.group_norm(given.reshape(2, 3, -1), 1, eps=0.0),
    ):
        assert np.abs(found.numpy().reshape(2, -1) - exact).max() < 5e-6
