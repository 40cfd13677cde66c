"""nn.utils: parameters that are computed from others, hooks on weights, fused layers, former names."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn import utils
from tinygrad_dl.nn.utils import parametrizations, parametrize


class Doubled(nn.Module):
    calls = 0

    def forward(self, x):
        type(self).calls += 1
        return x * 2


class Halves(Doubled):
    def right_inverse(self, x):
        return x / 2


def layer_with(values=((3.0, 4.0), (0.0, 2.0))):
    layer = nn.Linear(2, 2, bias=False)
    layer.weight = nn.Parameter(td.tensor(values))
    return layer


def test_a_parametrized_weight_is_computed_and_its_original_is_trained():
    layer = layer_with()
    original = layer.weight
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert layer.parametrizations.weight.original is original and list(layer.parameters()) == [original]
    assert layer(td.ones(1, 2)).tolist() == [[14.0, 4.0]]
    layer(td.ones(1, 2)).sum().backward()
    assert original.grad.tolist() == [[2.0, 2.0], [2.0, 2.0]]
    with pytest.raises(RuntimeError, match="right_inverse: got the parametrization Doubled without this method"):
        layer.weight = td.zeros(2, 2)


def test_assigning_sets_the_original():
    layer = parametrize.register_parametrization(layer_with(), "weight", Halves())
    assert layer.weight.tolist() == [[3.0, 4.0], [0.0, 2.0]]
    layer.weight = td.ones(2, 2)
    assert layer.parametrizations.weight.original.tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_inside_cached_a_tensor_is_computed_once():
    layer = parametrize.register_parametrization(layer_with(), "weight", Doubled())
    Doubled.calls = 0
    with parametrize.cached():
        first = layer.weight
        with parametrize.cached():
            assert layer.weight is first
        assert layer.weight is first
    assert Doubled.calls == 1 and layer.weight is not first and Doubled.calls == 2


def test_a_copy_has_parametrizations_of_its_own():
    layer = parametrize.register_parametrization(layer_with(), "weight", Doubled())
    copied = copy.deepcopy(layer)
    parametrize.remove_parametrizations(copied, "weight")
    assert type(copied) is nn.Linear and copied.weight.tolist() == [[6.0, 8.0], [0.0, 4.0]]
    assert parametrize.is_parametrized(layer) and layer.parametrizations.weight.original.tolist()[0] == [3.0, 4.0]
    with pytest.raises(RuntimeError, match="pickle: got a ParametrizedLinear, expected a module without"):
        pickle.dumps(layer)


def test_a_buffer_stays_one():
    layer = nn.BatchNorm1d(2)
    parametrize.register_parametrization(layer, "running_var", Doubled())
    assert layer.running_var.tolist() == [2.0, 2.0] and "weight" in dict(layer.named_parameters())
    parametrize.remove_parametrizations(layer, "running_var", leave_parametrized=False)
    assert dict(layer.named_buffers())["running_var"].tolist() == [1.0, 1.0]


class Returns(nn.Module):
    def __init__(self, value, back=None):
        super().__init__()
        self.value = value
        if back is not None:
            self.right_inverse = lambda x: back

    def forward(self, *args):
        return self.value


@pytest.mark.parametrize(
    "parametrization, match",
    [
        (Returns(td.ones(3)), r"got shape \(3,\) from forward, expected \(2, 2\); unsafe=True allows it"),
        (Returns(td.ones(2, 2, dtype=td.float64)), "got dtype float64 from forward, expected float32"),
        (Returns(1.0), "got a float from forward, expected a tensor"),
        (Returns(td.ones(3), td.zeros(2, 2)), r"got shape \(3,\) from forward, expected \(2, 2\)"),
        (Returns(td.ones(2, 2), 1.0), "got a float from"),
        (Returns(td.ones(2, 2), td.ones(2, 2, dtype=td.float64)), "got dtype float64 from right_inverse, expected"),
    ],
)
@pytest.mark.parametrize("second", [False, True])
def test_a_parametrization_that_does_not_fit_is_refused_and_changes_nothing(parametrization, match, second):
    layer = layer_with()
    if second:
        parametrize.register_parametrization(layer, "weight", Halves())
    with pytest.raises(ValueError, match=match.partition(" from it")[0]):
        parametrize.register_parametrization(layer, "weight", parametrization)
    assert layer.weight.tolist() == [[3.0, 4.0], [0.0, 2.0]]
    assert parametrize.is_parametrized(layer) == second


def test_parametrize_refuses_names_that_it_does_not_know():
    with pytest.raises(ValueError, match=r"got the name 'w', expected a parameter or buffer of Linear: \['weight'"):
        parametrize.register_parametrization(nn.Linear(2, 2), "w", Doubled())
    with pytest.raises(ValueError, match="got the name 'weight' of Linear, expected that of a parametrized tensor"):
        parametrize.remove_parametrizations(nn.Linear(2, 2), "weight")
    with pytest.raises(ValueError, match="computed from 2 tensors, expected one"):
        parametrize.remove_parametrizations(parametrizations.weight_norm(nn.Linear(2, 2)), "weight", False)
    with pytest.raises(ValueError, match="weight_norm: got the name 'w'"):
        parametrizations.weight_norm(nn.Linear(2, 2), "w")
    with pytest.raises(ValueError, match="got n_power_iterations=0, expected at least 1"):
        parametrizations.spectral_norm(nn.Linear(2, 2), n_power_iterations=0)


def test_weight_norm():
    layer = parametrizations.weight_norm(layer_with())
    assert layer.parametrizations.weight.original0.tolist() == [[5.0], [2.0]]
    layer.parametrizations.weight.original0.data = td.tensor([[10.0], [1.0]])
    np.testing.assert_allclose(layer.weight.tolist(), [[6.0, 8.0], [0.0, 1.0]], rtol=1e-6)


def test_spectral_norm():
    layer = parametrizations.spectral_norm(layer_with(((3.0, 0.0), (0.0, 4.0))), n_power_iterations=50)
    np.testing.assert_allclose(layer.weight.tolist(), [[0.75, 0.0], [0.0, 1.0]], atol=1e-5)
    before = layer.parametrizations.weight[0]._u.clone()
    layer.eval()
    assert (layer.parametrizations.weight[0]._u == before).all()
    vector = nn.Module()
    vector.weight = nn.Parameter(td.tensor([3.0, 4.0]))
    np.testing.assert_allclose(parametrizations.spectral_norm(vector).weight.tolist(), [0.6, 0.8], rtol=1e-6)


def test_backward_of_two_calls_of_a_layer_with_spectral_norm():
    layer = parametrizations.spectral_norm(layer_with())
    a, b = layer(td.ones(1, 2)), layer(td.zeros(1, 2))
    (a - b).sum().backward()
    assert layer.parametrizations.weight.original.grad.isfinite().all()


def test_hooks_on_weights():
    with pytest.warns(FutureWarning, match="weight_norm is deprecated, use nn.utils.parametrizations.weight_norm"):
        layer = utils.weight_norm(layer_with())
    assert layer.weight_g.tolist() == [[5.0], [2.0]] and [n for n, _ in layer.named_parameters()] == [
        "weight_g",
        "weight_v",
    ]
    layer.weight_g.data = td.tensor([[10.0], [1.0]])
    np.testing.assert_allclose(layer(td.eye(2)).T.tolist(), [[6.0, 8.0], [0.0, 1.0]], rtol=1e-6)
    utils.remove_weight_norm(layer)
    np.testing.assert_allclose(layer.weight.tolist(), [[6.0, 8.0], [0.0, 1.0]], rtol=1e-6)
    assert not layer._forward_pre_hooks and isinstance(layer.weight, nn.Parameter)
    with pytest.raises(ValueError, match="remove_weight_norm: got 'weight' of Linear, expected a weight with weight_"):
        utils.remove_weight_norm(layer)
    layer = utils.spectral_norm(layer_with())
    assert layer.weight.tolist() == [[3.0, 4.0], [0.0, 2.0]]  # divided at the first call
    for _ in range(30):
        layer(td.ones(1, 2))
    np.testing.assert_allclose(np.linalg.svd(layer.weight.detach().numpy())[1][0], 1.0, rtol=1e-5)
    with pytest.raises(RuntimeError, match="spectral_norm: got 'weight', which has this hook already"):
        utils.spectral_norm(layer)
    with pytest.raises(ValueError, match="spectral_norm: got the name 'w', expected one of the parameters"):
        utils.spectral_norm(layer_with(), "w")
    with pytest.raises(ValueError, match="spectral_norm: got n_power_iterations=0"):
        utils.spectral_norm(layer_with(), n_power_iterations=0)


def test_fusing_refuses():
    conv, norm = nn.Conv1d(1, 2, 1), nn.BatchNorm1d(2)
    with pytest.raises(ValueError, match="fuse_conv_bn_eval: got a module in training mode"):
        utils.fuse_conv_bn_eval(conv, norm)
    with pytest.raises(ValueError, match="a batch norm without running statistics"):
        utils.fuse_conv_bn_eval(conv.eval(), nn.BatchNorm1d(2, track_running_stats=False).eval())
    with pytest.raises(ValueError, match="fuse_linear_bn_eval: got a batch norm of 2 features, expected 3"):
        utils.fuse_linear_bn_eval(nn.Linear(2, 3), norm)


def test_skip_init_and_stateless():
    assert utils.skip_init(nn.Linear, 5, 1, bias=False).weight.shape == (1, 5)
    with pytest.raises(RuntimeError, match="expected a class of modules"):
        utils.skip_init(int)
    with pytest.raises(RuntimeError, match="got Returns, expected a class that takes the argument device="):
        utils.skip_init(Returns, 1)
    with pytest.warns(FutureWarning, match="use func.functional_call"):
        found = utils.stateless.functional_call(layer_with(), {"weight": td.eye(2)}, td.ones(1, 2))
    assert found.tolist() == [[1.0, 1.0]]


def test_orthogonal():
    for orthogonal_map in ("matrix_exp", "cayley", "householder"):
        layer = parametrizations.orthogonal(layer_with(((0.0, 2.0), (-2.0, 0.0))), orthogonal_map=orthogonal_map)
        np.testing.assert_allclose(layer.weight.tolist(), [[0.0, 1.0], [-1.0, 0.0]], atol=1e-6)
        assert layer.parametrizations.weight.original.tolist() == [[-1.0, 0.0], [0.0, -1.0]]
        layer.parametrizations.weight.original.data = td.tensor([[-1.0, 0.0], [0.5, -1.0]])
        cosine, sine = {
            "matrix_exp": (np.cos(0.5), np.sin(0.5)),
            "cayley": (0.9375 / 1.0625, 0.5 / 1.0625),
            "householder": (0.6, 0.8),
        }[orthogonal_map]
        np.testing.assert_allclose(layer.weight.tolist(), [[sine, cosine], [-cosine, sine]], atol=1e-6)
        layer.weight = td.tensor([[0.0, 1.0], [1.0, 0.0]])
        np.testing.assert_allclose(layer.weight.tolist(), [[0.0, 1.0], [1.0, 0.0]], atol=1e-6)
        assert list(layer.state_dict()) == ["parametrizations.weight.original", "parametrizations.weight.0.base"]
    layer = parametrizations.orthogonal(nn.Linear(3, 5))
    assert (layer.weight.T @ layer.weight - td.eye(3)).abs().max() < 1e-6
    with pytest.raises(
        NotImplementedError, match="got a value for a tensor by the map 'cayley' with use_trivialization"
    ):
        parametrizations.orthogonal(layer_with(), "weight", "cayley", use_trivialization=False).weight = td.eye(2)
    with pytest.raises(
        ValueError, match="orthogonal: got orthogonal_map='qr', expected one of matrix_exp, cayley, hous"
    ):
        parametrizations.orthogonal(layer_with(), orthogonal_map="qr")
    with pytest.raises(ValueError, match=r"orthogonal: got 'bias' of shape \(3,\), expected a matrix"):
        parametrizations.orthogonal(nn.Linear(2, 3), "bias")
    with pytest.raises(ValueError, match=r"orthogonal: got a value of shape \(3, 3\), expected \(2, 2\)"):
        parametrizations.orthogonal(layer_with()).weight = td.eye(3)


def test_convert_weights_to_channels_last():
    net = nn.Sequential(nn.Conv2d(2, 3, 2), nn.Sequential(nn.ConvTranspose2d(2, 3, 2), nn.Conv3d(2, 3, 2)))
    weights, values = [p for p in net.parameters() if p.ndim > 1], [p.tolist() for p in net.parameters() if p.ndim > 1]
    assert utils.convert_conv2d_weight_memory_format(net, td.channels_last) is net
    assert [w.stride() for w in weights] == [(8, 1, 4, 2), (12, 1, 6, 3), (16, 8, 4, 2, 1)]
    utils.convert_conv3d_weight_memory_format(net, td.channels_last_3d)
    assert weights[2].stride() == (16, 1, 8, 4, 2) and [w.tolist() for w in weights] == values


def test_clip_grad_norm_by_its_older_name():
    w = td.zeros(2, requires_grad=True)
    w.grad = td.tensor([3.0, 4.0])
    with pytest.warns(FutureWarning, match="clip_grad_norm is deprecated, use nn.utils.clip_grad_norm_"):
        assert utils.clip_grad_norm(w, 1.0).item() == 5.0
    np.testing.assert_allclose(w.grad.tolist(), [0.6, 0.8], rtol=1e-5)
