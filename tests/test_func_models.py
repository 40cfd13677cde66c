"""Layers that keep something, or look at values, inside of transforms."""

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.func import functional_call, grad, jvp, stack_module_state, vmap

X = td.tensor([[[1.0, 4.0], [3.0, 0.0], [5.0, 2.0]], [[0.0, 1.0], [2.0, 1.0], [1.0, 7.0]]])  # two batches of (3, 2)


def test_each_model_of_an_ensemble_moves_its_own_statistics():
    layer = nn.BatchNorm1d(2, momentum=0.5)
    params, buffers = stack_module_state([layer, layer])
    out = vmap(lambda p, b, x: functional_call(layer, (p, b), x))(params, buffers, X)
    assert buffers["running_mean"].tolist() == [[1.5, 1.0], [0.5, 1.5]]
    assert buffers["running_var"].tolist() == [[0.5 + 2.0, 0.5 + 2.0], [0.5 + 0.5, 0.5 + 6.0]]
    assert buffers["num_batches_tracked"].tolist() == [1, 1]
    assert layer.running_mean.tolist() == [0, 0] and layer.num_batches_tracked.item() == 0
    for i in range(2):
        alone = nn.BatchNorm1d(2, momentum=0.5)
        assert np.allclose(out[i].detach().numpy(), alone(X[i]).detach().numpy(), atol=1e-6)
        assert np.allclose(buffers["running_var"][i].numpy(), alone.running_var.numpy())


def test_the_average_of_all_batches_inside():
    layer = nn.BatchNorm1d(2, momentum=None)
    params, buffers = stack_module_state([layer, layer])
    for batch in (X, 3 * X):
        vmap(lambda p, b, x: functional_call(layer, (p, b), x))(params, buffers, batch)
    assert buffers["running_mean"].tolist() == [[6, 4], [2, 6]]


def test_statistics_of_all_examples_together_are_not_moved_by_one():
    layer = nn.BatchNorm1d(2)
    params = dict(layer.named_parameters())
    with pytest.raises(RuntimeError, match="got an input inside of vmap and running statistics from outside"):
        vmap(lambda x: functional_call(layer, params, x))(X)
    out = vmap(lambda x: functional_call(layer.eval(), params, x))(X)
    assert np.allclose(out.detach().numpy(), X.numpy() / np.sqrt(1 + 1e-5))
    instance = nn.InstanceNorm1d(2, track_running_stats=True)
    with pytest.raises(RuntimeError, match="instance_norm: got an input inside of vmap and running statistics"):
        vmap(instance)(X.transpose(1, 2).unsqueeze(1))


def test_forward_mode_moves_the_statistics_once():
    layer = nn.BatchNorm1d(2, momentum=0.5)
    out, tangent = jvp(layer, (X[0],), (td.ones(3, 2),))
    assert layer.running_mean.tolist() == [1.5, 1.0] and layer.num_batches_tracked.item() == 1
    assert np.allclose(tangent.detach().numpy(), 0, atol=1e-6)  # a shift of all changes nothing
    assert np.allclose(out.detach().numpy(), nn.BatchNorm1d(2)(X[0]).detach().numpy())


def test_instance_statistics_of_an_ensemble():
    layer = nn.InstanceNorm1d(2, momentum=1.0, track_running_stats=True)
    _, buffers = stack_module_state([layer, layer])
    x = X.transpose(1, 2).unsqueeze(1)  # (models, batch of one, channels, length)
    vmap(lambda b, x: functional_call(layer, b, x))(buffers, x)
    assert buffers["running_mean"].tolist() == [[3, 2], [1, 3]]
    assert buffers["running_var"].tolist() == [[4, 4], [1, 12]]


def test_dropout_of_a_model_asks_for_randomness():
    model = nn.Sequential(nn.Linear(2, 64), nn.Dropout(0.5))
    params = {name: p.detach() for name, p in model.named_parameters()}

    def loss(params, x):
        return functional_call(model, params, x).sum()

    with pytest.raises(RuntimeError, match="got a random operation with randomness='error'"):
        vmap(grad(loss), in_dims=(None, 0))(params, X[0])
    bias = vmap(grad(loss), in_dims=(None, 0), randomness="different")(params, X[0])["0.bias"].numpy()
    assert set(bias.ravel()) == {0.0, 2.0} and len({row.tobytes() for row in bias}) == 3
    same = vmap(grad(loss), in_dims=(None, 0), randomness="same")(params, X[0])["0.bias"].numpy()
    assert (same == same[:1]).all()
    model.eval()
    assert (vmap(grad(loss), in_dims=(None, 0))(params, X[0])["0.bias"].numpy() == 1).all()


def test_the_model_is_as_it_was_after_an_error_inside():
    layer = nn.Linear(2, 2)
    weight = layer.weight
    with pytest.raises(RuntimeError, match="numbers are needed"):
        vmap(lambda w: float(functional_call(layer, {"weight": w}, td.ones(2)).sum()))(td.ones(3, 2, 2))
    assert layer.weight is weight
