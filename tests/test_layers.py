"""Layers, their start values, batch norm's statistics, dropout, embedding, and helpers for training."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn import functional, init, utils

# -- constructors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, kind, match",
    [
        (lambda: nn.Linear(-1, 2), ValueError, "Linear: expected in_features >= 0, got -1"),
        (lambda: nn.Linear(2.5, 2), TypeError, "Linear: expected an integer for in_features, got 2.5"),
        (lambda: nn.Linear(2, True), TypeError, "expected an integer for out_features"),
        (lambda: nn.Bilinear(0, 2, 2), ValueError, "in1_features >= 1"),
        (lambda: nn.Dropout(1.5), ValueError, "Dropout: expected p between 0 and 1, got 1.5"),
        (lambda: nn.Dropout("half"), TypeError, "expected a number between 0 and 1 for p, got"),
        (lambda: nn.BatchNorm1d(-1), ValueError, "num_features >= 0"),
        (lambda: nn.BatchNorm1d(2, momentum=2), ValueError, "momentum between 0 and 1"),
        (lambda: nn.BatchNorm1d(2, eps=-1.0), ValueError, "eps >= 0"),
        (lambda: nn.LayerNorm(()), ValueError, "got an empty normalized_shape"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), ValueError, "padding_idx between -3 and 2, got 3"),
        (lambda: nn.Embedding.from_pretrained(td.ones(3)), ValueError, "2 dimensions"),
        (lambda: nn.MSELoss(reduction="average"), ValueError, "MSELoss: expected a reduction among"),
        (lambda: nn.CrossEntropyLoss(label_smoothing=2.0), ValueError, "label_smoothing between 0 and 1"),
        (lambda: nn.Unflatten(1, 3), TypeError, "expected a tuple of sizes"),
        (lambda: nn.Unflatten(1, (2, 5.0)), TypeError, "expected sizes that are integers, got 5.0"),
        (lambda: nn.PReLU(-1), ValueError, "num_parameters >= 0"),
    ],
)
def test_constructors_say_what_is_wrong(make, kind, match):
    with pytest.raises(kind, match=match):
        make()


def test_linear_says_which_width_it_expects():
    with pytest.raises(ValueError, match=r"expected in_features=4 .* got an input of shape \(2, 3\)"):
        nn.Linear(4, 1)(td.ones(2, 3))
    with pytest.raises(TypeError, match="same dtype, got float64 and float32"):
        nn.Linear(4, 1)(td.ones(2, 4, dtype=td.float64))


@pytest.mark.parametrize("shape", [(4,), (0, 4), (2, 4), (2, 0, 4), (2, 3, 4)])
def test_linear_takes_any_leading_dimensions(shape):
    layer = nn.Linear(4, 2)
    x = td.randn(*shape, requires_grad=True)
    out = layer(x)
    assert out.shape == (*shape[:-1], 2)
    out.sum().backward()
    assert x.grad.shape == shape
    expected = np.broadcast_to(layer.weight.detach().numpy().sum(0), shape)
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_linears_gradients_are_arrays_of_their_own():
    layer = nn.Linear(4, 2)
    layer(td.randn(3, 4)).sum().backward()
    for parameter in layer.parameters():
        assert parameter.grad._data.base is None and parameter.grad._data.flags.c_contiguous
        assert parameter.grad._data.flags.writeable


def test_bilinear_is_the_bilinear_form():
    layer = nn.Bilinear(2, 3, 4)
    a, b = td.randn(5, 2), td.randn(5, 3)
    expected = np.einsum("ni,kij,nj->nk", a.numpy(), layer.weight.detach().numpy(), b.numpy())
    expected += layer.bias.detach().numpy()
    np.testing.assert_allclose(layer(a, b).detach().numpy(), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="expected 3 features"):
        layer(a, a)


# -- start values --------------------------------------------------------------------------------------


def test_linear_starts_like_pytorchs():
    td.manual_seed(0)
    layer = nn.Linear(100, 400)
    bound = 1 / math.sqrt(100)
    for parameter in layer.parameters():
        values = parameter.detach().numpy()
        assert abs(values).max() <= bound and abs(values).max() > 0.95 * bound
        assert abs(values.std() - bound / math.sqrt(3)) < 0.1 * bound
    assert (nn.Linear(0, 3).bias == 0).all()


@pytest.mark.parametrize(
    "fill, mean, std",
    [
        (lambda w: init.uniform_(w, -1, 3), 1.0, 4 / math.sqrt(12)),
        (lambda w: init.normal_(w, 2.0, 0.5), 2.0, 0.5),
        (lambda w: init.xavier_uniform_(w, gain=2.0), 0.0, 2 * math.sqrt(2 / 500)),
        (lambda w: init.xavier_normal_(w), 0.0, math.sqrt(2 / 500)),
        (lambda w: init.kaiming_uniform_(w, nonlinearity="relu"), 0.0, math.sqrt(2 / 200)),
        (lambda w: init.kaiming_normal_(w, mode="fan_out", nonlinearity="linear"), 0.0, math.sqrt(1 / 300)),
        (lambda w: init.orthogonal_(w), 0.0, 1 / math.sqrt(300)),
    ],
)
def test_start_values_have_their_mean_and_deviation(fill, mean, std):
    td.manual_seed(0)
    weight = nn.Parameter(td.empty(300, 200))
    assert fill(weight) is weight and weight.requires_grad
    values = weight.detach().numpy()
    assert values.dtype == np.float32
    assert abs(values.mean() - mean) < 0.02 * max(std, 0.1) + 0.02 * abs(mean)
    assert abs(values.std() - std) < 0.02 * std


def test_start_values_of_other_kinds():
    assert np.array_equal(init.eye_(td.empty(2, 3)).numpy(), np.eye(2, 3))
    assert (init.constant_(td.empty(2), 3.0) == 3).all() and (init.ones_(td.empty(2)) == 1).all()
    truncated = init.trunc_normal_(td.empty(1000), std=2.0).numpy()
    assert abs(truncated).max() <= 2.0
    columns = init.sparse_(td.empty(10, 4), 0.35).numpy()
    assert ((columns == 0).sum(0) == 4).all()
    kernel = init.dirac_(td.empty(4, 4, 3)).numpy()
    assert np.array_equal(kernel[:, :, 1], np.eye(4)) and kernel.sum() == 4
    q = init.orthogonal_(td.empty(3, 5)).numpy()
    np.testing.assert_allclose(q @ q.T, np.eye(3), atol=1e-6)


@pytest.mark.parametrize(
    "mean, std, a, b, expected_mean, expected_std",
    [
        (0.0, 1.0, -2.0, 2.0, 0.0, 0.8796),
        (1.0, 2.0, -3.0, 2.0, 0.1085, 1.2273),
        (0.0, 1.0, 2.0, 4.0, 2.3706, 0.3310),
        (0.0, 1.0, 2.0, math.inf, 2.3732, 0.3381),
        (0.0, 0.5, -math.inf, -20.0, -20.0125, 0.0125),
        (0.0, 1.0, 90.0, 91.0, 90.0111, 0.0111),
    ],
)
def test_truncated_normal_numbers_have_the_moments_of_their_distribution(mean, std, a, b, expected_mean, expected_std):
    td.manual_seed(0)
    values = init.trunc_normal_(td.empty(100, 200, dtype=td.float64), mean, std, a, b).numpy()
    assert a <= values.min() and values.max() <= b
    assert abs(values.mean() - expected_mean) < 0.03 * expected_std
    assert abs(values.std() - expected_std) < 0.03 * expected_std


@pytest.mark.parametrize(
    "old, args",
    [
        ("constant", (3.0,)),
        ("dirac", ()),
        ("eye", ()),
        ("kaiming_normal", ()),
        ("kaiming_uniform", ()),
        ("normal", (1.0, 0.5)),
        ("orthogonal", ()),
        ("sparse", (0.5,)),
        ("uniform", (2.0, 3.0)),
        ("xavier_normal", ()),
        ("xavier_uniform", ()),
    ],
)
def test_former_names_warn_and_do_the_same(old, args):
    shape = (3, 3, 3) if old == "dirac" else (3, 4)
    td.manual_seed(0)
    expected = getattr(init, f"{old}_")(td.empty(shape), *args)
    td.manual_seed(0)
    with pytest.warns(FutureWarning, match=rf"nn\.init\.{old} is deprecated, use nn\.init\.{old}_$"):
        assert (getattr(init, old)(td.empty(shape), *args) == expected).all()


def test_the_mode_of_kaiming_may_be_written_in_capitals():
    td.manual_seed(0)
    values = init.kaiming_normal_(td.empty(400, 100), mode="FAN_OUT", nonlinearity="linear")
    assert abs(values.std().item() - 0.05) < 0.001


def test_weights_without_elements_are_left_with_a_warning():
    for draw in (init.kaiming_uniform_, init.kaiming_normal_):
        with pytest.warns(
            UserWarning, match=rf"{draw.__name__}: got a tensor of shape \(0, 4\), which has no elements"
        ):
            assert draw(weight := td.empty(0, 4)) is weight


def test_the_parts_of_start_values_have_pytorchs_names():
    weight = td.empty(4, 3, 2, 5)
    assert init._calculate_fan_in_and_fan_out(weight) == (30, 40)
    assert init._calculate_correct_fan(weight, "fan_in") == 30 and init._calculate_correct_fan(weight, "FAN_OUT") == 40
    with pytest.raises(ValueError, match="_calculate_correct_fan: expected mode 'fan_in' or 'fan_out', got 'fan'"):
        init._calculate_correct_fan(weight, "fan")
    with pytest.raises(ValueError, match=r"_calculate_fan_in_and_fan_out: got a tensor of shape \(3,\)"):
        init._calculate_fan_in_and_fan_out(td.empty(3))
    assert (init._no_grad_fill_(weight, 2.0) == 2).all() and (init._no_grad_zero_(weight) == 0).all()
    assert (init._no_grad_uniform_(weight, 1.0, 2.0) >= 1).all() and init._no_grad_normal_(weight, 0.0, 1.0) is weight
    assert (init._no_grad_trunc_normal_(weight, 0.0, 1.0, -0.5, 0.5).abs() <= 0.5).all()


def test_what_is_drawn_needs_a_range_and_floats():
    with pytest.raises(ValueError, match="uniform_: got a=2 and b=1, expected a <= b"):
        init.uniform_(td.empty(3), 2, 1)
    for draw in (init.uniform_, init.normal_):
        with pytest.raises(TypeError, match=rf"{draw.__name__}: got a tensor of dtype int64, expected a floating one"):
            draw(td.empty(3, dtype=td.int64))


def test_the_same_generator_state_gives_the_same_values():
    a, b = (init.normal_(td.empty(5), generator=td.Generator().manual_seed(3)) for _ in range(2))
    assert (a == b).all()


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: init.kaiming_uniform_(td.empty(3)), r"expected a weight of at least 2 dimensions"),
        (lambda: init.kaiming_normal_(td.empty(3, 3), mode="in"), "expected mode 'fan_in' or 'fan_out'"),
        (
            lambda: init.calculate_gain("swish"),
            "got nonlinearity 'swish', expected one of linear, conv1d, conv2d, conv3d",
        ),
        (lambda: init.calculate_gain("leaky_relu", True), "negative slope"),
        (lambda: init.trunc_normal_(td.empty(3), a=2.0, b=1.0), "expected a < b"),
        (lambda: init.normal_(td.empty(3), std=-1), "std >= 0"),
        (lambda: init.eye_(td.empty(3)), "2 dimensions"),
        (lambda: init.dirac_(td.empty(3, 3)), "3, 4 or 5 dimensions"),
        (
            lambda: init.dirac_(td.empty(3, 3, 1), groups=2),
            "got size 3 of dimension 0, expected a multiple of groups=2",
        ),
        (lambda: init.orthogonal_(td.empty(3)), "at least 2 dimensions"),
        (lambda: init.sparse_(td.empty(3, 3), 2.0), "sparsity between 0 and 1"),
        (lambda: init.sparse_(td.empty(3), 0.5), "2 dimensions"),
    ],
)
def test_start_values_refuse(call, match):
    with pytest.raises(ValueError, match=match):
        call()


# -- batch norm ----------------------------------------------------------------------------------------


def test_running_statistics():
    layer = nn.BatchNorm1d(2)
    mean, var = layer.running_mean, layer.running_var
    x = td.tensor([[1.0, 0.0], [3.0, 4.0]])
    layer(x)
    assert layer.running_mean is mean and layer.running_var is var
    np.testing.assert_allclose(mean.numpy(), [0.2, 0.2], rtol=1e-6)
    np.testing.assert_allclose(var.numpy(), [0.9 + 0.1 * 2, 0.9 + 0.1 * 8], rtol=1e-6)
    assert layer.num_batches_tracked.item() == 1
    layer.eval()
    layer(x)
    assert layer.num_batches_tracked.item() == 1
    layer.reset_running_stats()
    assert (mean == 0).all() and (var == 1).all() and layer.num_batches_tracked.item() == 0


def test_cumulative_average():
    layer = nn.BatchNorm1d(1, momentum=None)
    batches = [td.randn(6, 1) for _ in range(3)]
    for batch in batches:
        layer(batch)
    np.testing.assert_allclose(layer.running_mean.item(), np.mean([b.numpy().mean() for b in batches]), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.item(), np.mean([b.numpy().var(ddof=1) for b in batches]), rtol=1e-5)


def test_without_running_statistics_the_batch_is_used_in_evaluation_too():
    layer = nn.BatchNorm1d(3, affine=False, track_running_stats=False).eval()
    assert list(layer.state_dict()) == []
    out = layer(td.randn(8, 3)).numpy()
    np.testing.assert_allclose(out.mean(0), 0, atol=1e-6)


def test_a_backward_in_evaluation_survives_a_later_change_of_the_statistics():
    layer = nn.BatchNorm1d(3).eval()
    x = td.randn(8, 3, requires_grad=True)
    out = layer(x).sum()
    layer.train()(td.randn(8, 3) * 100)
    out.backward()
    np.testing.assert_allclose(x.grad.numpy(), 1 / math.sqrt(1 + 1e-5), rtol=1e-6)


def test_running_statistics_keep_their_dtype():
    layer = nn.BatchNorm1d(3).double()
    layer(td.randn(8, 3, dtype=td.float64))
    assert layer.running_mean.dtype == td.float64 == layer.running_var.dtype


@pytest.mark.parametrize(
    "kind, shape",
    [
        (nn.BatchNorm1d, (2, 3)),
        (nn.BatchNorm1d, (2, 3, 4)),
        (nn.BatchNorm2d, (2, 3, 4, 5)),
        (nn.BatchNorm3d, (2, 3, 2, 2, 2)),
    ],
)
def test_batch_norm_of_every_shape(kind, shape):
    td.manual_seed(0)
    x = td.randn(*shape)
    out = kind(3)(x).detach().numpy()
    axes = (0, *range(2, len(shape)))
    np.testing.assert_allclose(out.mean(axes), 0, atol=1e-5)
    np.testing.assert_allclose(out.var(axes), 1, atol=1e-2)


def test_batch_norm_refuses():
    with pytest.raises(ValueError, match=r"expected an input of shape \(N, C\) or \(N, C, L\) with C=3"):
        nn.BatchNorm1d(3)(td.ones(2, 4))
    with pytest.raises(ValueError, match="expected more than one value per channel"):
        nn.BatchNorm1d(3)(td.ones(1, 3))
    with pytest.raises(ValueError, match="got training=False without running_mean and running_var, expected both"):
        functional.batch_norm(td.ones(2, 3), None, None)


def test_layer_norm_is_exact_for_large_offsets():
    x = td.tensor([[1e4, 1e4 + 1, 1e4 + 2]])
    np.testing.assert_allclose(nn.LayerNorm(3)(x).detach().numpy(), [[-1.2247, 0, 1.2247]], atol=1e-3)


# -- dropout -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_dropout_drops_its_share_and_scales_the_rest(p):
    td.manual_seed(0)
    x = td.ones(200, 500, requires_grad=True)
    out = functional.dropout(x, p)
    values = out.detach().numpy()
    assert set(np.unique(values)) == {np.float32(0), np.float32(1 / (1 - p))}
    assert abs((values == 0).mean() - p) < 0.01
    out.sum().backward()
    assert np.array_equal(x.grad.numpy(), values)


def test_dropout_at_its_ends():
    x = td.randn(5, requires_grad=True)
    assert functional.dropout(x, 0.0) is x and nn.Dropout(0.5).eval()(x) is x
    out = functional.dropout(x, 1.0)
    out.sum().backward()
    assert (out == 0).all() and (x.grad == 0).all()
    with pytest.raises(ValueError, match=r"between 0 and 1, got -0\.1"):
        functional.dropout(x, -0.1)
    with pytest.raises(TypeError, match="expected a floating tensor, got int64"):
        functional.dropout(td.ones(3, dtype=td.int64))


def test_dropout_is_repeatable_and_takes_a_generator():
    x = td.ones(64)
    td.manual_seed(5)
    a = functional.dropout(x)
    td.manual_seed(5)
    assert (functional.dropout(x) == a).all()
    b, c = (functional.dropout(x, generator=td.Generator().manual_seed(1)) for _ in range(2))
    assert (b == c).all()


def test_alpha_dropout_keeps_mean_and_variance():
    F = td.nn.functional
    td.manual_seed(0)
    x = td.randn(200, 200)
    out = F.alpha_dropout(x, 0.3, training=True)
    assert abs(out.mean().item()) < 0.02 and abs(out.var().item() - 1) < 0.03
    lowest = -1.7580993408473766
    scale = ((1 - 0.3) * (1 + 0.3 * lowest**2)) ** -0.5
    dropped = (out - (scale * lowest - scale * 0.3 * lowest)).abs() < 1e-5
    assert abs(dropped.float().mean().item() - 0.3) < 0.01
    np.testing.assert_allclose(out[~dropped], (x * scale - scale * 0.3 * lowest)[~dropped], rtol=1e-5, atol=1e-5)
    channels = F.feature_alpha_dropout(td.zeros(2, 50, 3), 0.5, training=True)
    assert bool((channels == channels[..., :1]).all()) and len(set(channels.flatten().tolist())) == 2
    assert F.alpha_dropout(x) is x and F.alpha_dropout(x, 1.0, training=True).abs().max() == 0
    assert td.nn.AlphaDropout(0.3).eval()(x) is x
    assert repr(td.nn.AlphaDropout(0.3)) == "AlphaDropout(p=0.3, inplace=False)"
    assert F.alpha_dropout(x, 0.5, True, inplace=True) is x
    with pytest.raises(ValueError, match=r"alpha_dropout: got p=2\.0, expected a probability"):
        F.alpha_dropout(x, 2.0, True)
    with pytest.raises(ValueError, match=r"feature_alpha_dropout: got an input of shape \(3,\)"):
        F.feature_alpha_dropout(td.ones(3), 0.5, True)


def test_dropout_in_place():
    x = td.ones(100)
    assert functional.dropout(x, 0.5, inplace=True) is x and (x == 0).any()


# -- embedding -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [10, 1000])
def test_embedding_adds_up_the_gradients_of_a_row(count):
    layer = nn.Embedding(count, 3, padding_idx=-1)
    assert layer.padding_idx == count - 1 and (layer.weight[count - 1] == 0).all()
    index = td.tensor([[1, 2, 1], [count - 1, 0, 1]])
    (layer(index) * td.arange(6.0).reshape(2, 3, 1)).sum().backward()
    grad = layer.weight.grad.numpy()
    assert grad[1, 0] == 0 + 2 + 5 and grad[2, 0] == 1 and grad[0, 0] == 4 and grad[count - 1, 0] == 0


def test_embedding_refuses():
    layer = nn.Embedding(3, 2)
    with pytest.raises(IndexError, match=r"got index 3 at position \(1,\), expected 0 to 2 \(num_embeddings=3\)"):
        layer(td.tensor([0, 3]))
    with pytest.raises(IndexError, match="index -1 at position"):
        layer(td.tensor([-1]))
    with pytest.raises(TypeError, match="indices that are integers"):
        layer(td.tensor([1.0]))


def test_embedding_limits_norms():
    layer = nn.Embedding(4, 3, max_norm=1.0)
    layer.weight.data = td.ones(4, 3) * 5
    layer(td.tensor([1, 2]))
    norms = np.linalg.norm(layer.weight.detach().numpy(), axis=1)
    np.testing.assert_allclose(norms, [75**0.5, 1, 1, 75**0.5], rtol=1e-5)


def test_embedding_from_a_table():
    table = td.randn(4, 2)
    layer = nn.Embedding.from_pretrained(table)
    assert not layer.weight.requires_grad and (layer(td.tensor([2])) == table[2:3]).all()
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad


def test_one_hot():
    assert functional.one_hot(td.tensor([1, 0])).tolist() == [[0, 1], [1, 0]]
    with pytest.raises(ValueError, match="pass num_classes"):
        functional.one_hot(td.zeros(0, dtype=td.int64))


# -- text ----------------------------------------------------------------------------------------------

BATCH_NORM = "BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)"


@pytest.mark.parametrize(
    "module, text",
    [
        (nn.Linear(2, 3, bias=False), "Linear(in_features=2, out_features=3, bias=False)"),
        (nn.BatchNorm1d(3), BATCH_NORM),
        (nn.LayerNorm(3), "LayerNorm((3,), eps=1e-05, elementwise_affine=True, bias=True)"),
        (nn.Embedding(3, 2, padding_idx=1), "Embedding(3, 2, padding_idx=1)"),
        (nn.LeakyReLU(0.2, inplace=True), "LeakyReLU(negative_slope=0.2, inplace=True)"),
        (nn.ReLU(inplace=True), "ReLU(inplace=True)"),
        (nn.Softmax(dim=1), "Softmax(dim=1)"),
        (nn.GELU(), "GELU(approximate='none')"),
        (nn.Flatten(), "Flatten(start_dim=1, end_dim=-1)"),
        (nn.CrossEntropyLoss(), "CrossEntropyLoss()"),
    ],
)
def test_texts_are_pytorchs(module, text):
    assert repr(module) == text


# -- helpers for training ------------------------------------------------------------------------------


def with_gradients(*values):
    parameters = [nn.Parameter(td.zeros(len(v))) for v in values]
    for parameter, value in zip(parameters, values, strict=True):
        parameter.grad = td.tensor(value)
    return parameters


@pytest.mark.parametrize("norm_type, norm", [(2.0, 13.0), (1.0, 19.0), (float("inf"), 12.0)])
def test_clip_grad_norm(norm_type, norm):
    parameters = with_gradients([3.0, 4.0], [-12.0])
    total = utils.clip_grad_norm_(iter(parameters), norm / 2, norm_type=norm_type)
    np.testing.assert_allclose(total.item(), norm, rtol=1e-6)
    np.testing.assert_allclose(parameters[1].grad.item(), -6.0, rtol=1e-5)
    before = parameters[0].grad.numpy().copy()
    utils.clip_grad_norm_(parameters, 1000.0)
    assert np.array_equal(parameters[0].grad.numpy(), before)


def test_clip_grad_norm_at_extremes():
    assert utils.clip_grad_norm_([], 1.0).item() == 0
    huge = with_gradients([1e30, 1e30])
    np.testing.assert_allclose(utils.clip_grad_norm_(huge, 1.0).item(), 2**0.5 * 1e30, rtol=1e-6)
    np.testing.assert_allclose(huge[0].grad.numpy(), 0.5**0.5, rtol=1e-5)
    with pytest.raises(
        RuntimeError, match=r"got gradients whose total norm of order 2\.0 is nan, expected a finite one"
    ):
        utils.clip_grad_norm_(with_gradients([float("nan")]), 1.0, error_if_nonfinite=True)
    with pytest.raises(ValueError, match="expected a number as norm_type, got nan"):
        utils.clip_grad_norm_(with_gradients([1.0]), 1.0, norm_type=float("nan"))


def test_clip_grad_value():
    (parameter,) = with_gradients([3.0, -0.5, -4.0])
    utils.clip_grad_value_(parameter, 1.0)
    assert parameter.grad.tolist() == [1.0, -0.5, -1.0]


def test_parameters_as_a_vector():
    layer = nn.Linear(2, 3)
    vector = utils.parameters_to_vector(layer.parameters())
    assert vector.shape == (9,) and vector.requires_grad
    utils.vector_to_parameters(td.arange(9.0), layer.parameters())
    assert layer.bias.tolist() == [6.0, 7.0, 8.0]
    with pytest.raises(ValueError, match="expected a vector of 9 elements"):
        utils.vector_to_parameters(td.ones(3), layer.parameters())
    with pytest.raises(TypeError, match="expected a Tensor"):
        utils.vector_to_parameters([1], layer.parameters())
