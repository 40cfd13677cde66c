"""Lazy layers: what they become, when, and how their state is saved and loaded before."""

from __future__ import annotations

import copy
import pickle

import pytest

import tinygrad_dl as td
from tinygrad_dl import nn

LAYERS = [
    (lambda: nn.LazyLinear(2), lambda: nn.Linear(4, 2), (3, 4)),
    (lambda: nn.LazyLinear(2, bias=False), lambda: nn.Linear(4, 2, bias=False), (3, 4)),
    (lambda: nn.LazyConv1d(4, 3, groups=2), lambda: nn.Conv1d(2, 4, 3, groups=2), (3, 2, 5)),
    (lambda: nn.LazyConv2d(4, 3, bias=False), lambda: nn.Conv2d(2, 4, 3, bias=False), (2, 5, 5)),
    (lambda: nn.LazyConv3d(1, 1), lambda: nn.Conv3d(2, 1, 1), (1, 2, 2, 2, 2)),
    (lambda: nn.LazyConvTranspose1d(4, 2, 2), lambda: nn.ConvTranspose1d(2, 4, 2, 2), (3, 2, 5)),
    (lambda: nn.LazyConvTranspose2d(2, 2), lambda: nn.ConvTranspose2d(3, 2, 2), (1, 3, 2, 2)),
    (lambda: nn.LazyConvTranspose3d(1, 1), lambda: nn.ConvTranspose3d(2, 1, 1), (1, 2, 2, 2, 2)),
    (lambda: nn.LazyBatchNorm1d(), lambda: nn.BatchNorm1d(4), (3, 4)),
    (lambda: nn.LazyBatchNorm2d(affine=False), lambda: nn.BatchNorm2d(4, affine=False), (3, 4, 2, 2)),
    (lambda: nn.LazyBatchNorm3d(track_running_stats=False), None, (3, 4, 1, 2, 2)),
    (lambda: nn.LazyInstanceNorm1d(), lambda: nn.InstanceNorm1d(4, affine=True, track_running_stats=True), (4, 3)),
    (lambda: nn.LazyInstanceNorm2d(), None, (3, 4, 2, 2)),
    (lambda: nn.LazyInstanceNorm3d(), None, (3, 4, 1, 2, 2)),
]


@pytest.mark.parametrize("make, full, shape", LAYERS, ids=lambda each: "")
def test_the_first_call_makes_it_what_it_is_to_be(make, full, shape):
    x = td.randn(*shape)
    lazy = make()
    tensors = [*lazy.parameters(), *(b for b in lazy.buffers() if b is not lazy._buffers.get("num_batches_tracked"))]
    assert all(repr(each) == f"<{type(each).__name__}>" for each in tensors) == lazy.has_uninitialized_params()
    td.manual_seed(3)
    out = lazy(x)
    assert type(lazy) is type(lazy).__mro__[0] and not type(lazy).__name__.startswith("Lazy")
    assert [type(each) for each in lazy.parameters()] == [nn.Parameter] * len(list(lazy.parameters()))
    assert all(a is b for a, b in zip(tensors, [*lazy.parameters(), *lazy.buffers()], strict=False))
    assert not hasattr(lazy, "given")
    if full is not None:
        td.manual_seed(3)
        other = full()
        assert (
            td.equal(out, other(x))
            and repr(lazy) == repr(other)
            and list(lazy.state_dict()) == list(other.state_dict())
        )


def test_text_and_state_before():
    layer = nn.Sequential(nn.LazyConv2d(3, 2), nn.LazyBatchNorm2d())
    assert repr(layer[0]) == "LazyConv2d(0, 3, kernel_size=(2, 2), stride=(1, 1))"
    assert repr(layer[1]).startswith("LazyBatchNorm2d(0, eps=1e-05")
    state = layer.state_dict()
    assert repr(state["0.weight"]) == "<UninitializedParameter>" and state["1.num_batches_tracked"].item() == 0
    assert repr(state["1.running_mean"]) == "<UninitializedBuffer>"
    with pytest.raises(RuntimeError, match="UninitializedParameter: got an uninitialized parameter"):
        _ = layer[0].weight.shape


def test_state_gives_shapes_or_leaves_them_open():
    lazy, full = nn.LazyLinear(2), nn.Linear(3, 2)
    assert repr(lazy.load_state_dict(nn.LazyLinear(2).state_dict())) == "<All keys matched successfully>"
    assert lazy.has_uninitialized_params()
    weight = lazy.weight
    lazy.load_state_dict(full.state_dict())
    assert lazy.weight is weight and type(weight) is nn.Parameter and not lazy.has_uninitialized_params()
    x = td.randn(4, 3)
    assert td.equal(lazy(x), full(x)) and type(lazy) is nn.Linear and lazy.in_features == 3
    with pytest.raises(RuntimeError, match="weight has"):
        full.load_state_dict(nn.LazyLinear(2).state_dict())


def test_what_does_not_fit_changes_nothing():
    model = nn.Sequential(nn.LazyLinear(2), nn.Linear(2, 2))
    state = nn.Sequential(nn.Linear(3, 2), nn.Linear(5, 2)).state_dict()
    with pytest.raises(RuntimeError, match="nothing was changed"):
        model.load_state_dict(state)
    assert model[0].has_uninitialized_params()
    with pytest.raises(RuntimeError, match="missing"):
        nn.LazyLinear(2).load_state_dict({"bias": td.zeros(2)})


def test_dtype_copies_and_training():
    layer = nn.LazyLinear(1).double()
    other = copy.deepcopy(layer)
    optimizer = td.optim.SGD(layer.parameters(), lr=1.0)
    x = td.ones(2, 3, dtype=td.float64)
    before = layer(x)
    assert before.dtype == td.float64 and other.has_uninitialized_params()
    before.sum().backward()
    optimizer.step()
    assert td.allclose(layer(x), before - 2 * 4)  # the slope of each of the three weights, and of the bias, is 2
    assert other(td.ones(1, 2, dtype=td.float64)).shape == (1, 1)


@pytest.mark.parametrize(
    "run, match",
    [
        (lambda: nn.LazyConv2d(3, 2)(td.ones(2, 2)), r"LazyConv2d: expected an input of 4 dimensions, or 3 without a"),
        (lambda: nn.LazyConv1d(4, 1, groups=2)(td.ones(1, 3, 2)), "in_channels divisible by groups=2, got 3"),
        (lambda: nn.LazyBatchNorm1d()(td.ones(2)), r"LazyBatchNorm1d: expected an input of shape \(N, C\)"),
        (lambda: nn.LazyLinear(-1), "LazyLinear: expected out_features >= 0, got -1"),
    ],
)
def test_lazy_layers_refuse(run, match):
    with pytest.raises(ValueError, match=match):
        run()


def test_a_refused_call_leaves_it_lazy():
    layer = nn.LazyConv1d(4, 1, groups=2)
    with pytest.raises(ValueError, match="divisible"):
        layer(td.ones(1, 3, 2))
    assert layer(td.ones(1, 2, 2)).shape == (1, 4, 2) and type(layer) is nn.Conv1d


class Scale(nn.modules.lazy.LazyModuleMixin, nn.Module):
    """A lazy module as users write it."""

    def __init__(self):
        super().__init__()
        self.weight = nn.UninitializedParameter()
        self.register_buffer("calls", nn.UninitializedBuffer(dtype=td.int64))

    def initialize_parameters(self, x, factor=1.0):
        if self.has_uninitialized_params():
            self.weight.materialize(x.shape[-1:])
            nn.init.constant_(self.weight, factor)
            self.calls.materialize(())
            self.calls.zero_()

    def forward(self, x, factor=1.0):
        return x * self.weight


def test_a_lazy_module_of_the_users():
    layer = Scale()
    assert layer.has_uninitialized_params() and [*layer.state_dict()] == ["weight", "calls"]
    copies = copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))
    assert layer(td.ones(2, 3), factor=4.0).tolist() == [[4.0] * 3] * 2
    assert type(layer) is Scale and not layer.has_uninitialized_params() and layer.calls.dtype == td.int64
    assert layer._hooks is None and not hasattr(layer, "_initialize_hook")
    for other in copies:
        assert type(other.calls) is nn.UninitializedBuffer and other.calls.dtype == td.int64
        assert other(td.ones(5)).shape == (5,)
    assert layer(td.ones(3)).shape == (3,)


def test_a_lazy_module_must_initialize_all():
    class Half(Scale):
        def initialize_parameters(self, x):
            self.weight.materialize((1,))

    with pytest.raises(RuntimeError, match=r"Half: got parameters without a shape after initialize_parameters\(\)"):
        Half()(td.ones(1))

    class Neither(nn.modules.lazy.LazyModuleMixin):
        pass

    with pytest.raises(NotImplementedError, match=r"Neither: got a lazy module without initialize_parameters\(\)"):
        Neither()(td.ones(1))


@pytest.mark.parametrize(
    "run",
    [lambda p: p + p, lambda p: td.add(p, 1), lambda p: td.empty_like(p), lambda p: p.sum(), lambda p: p.tolist()],
    ids=["+", "add", "empty_like", "sum", "tolist"],
)
def test_operations_refuse_tensors_without_a_shape(run):
    with pytest.raises(ValueError, match="got an uninitialized parameter or buffer of a lazy layer"):
        run(nn.LazyLinear(2).weight)


def test_casts_of_tensors_without_a_shape():
    layer = nn.LazyBatchNorm1d().double().to(td.float16)
    weight, mean = layer.weight, layer.running_mean
    assert type(weight) is nn.UninitializedParameter and weight.dtype == td.float16 and weight.requires_grad
    assert type(mean) is nn.UninitializedBuffer and mean.dtype == td.float16 and not mean.requires_grad
    assert weight.detach() is weight and weight.data is weight and weight.is_floating_point()
    layer.requires_grad_(False)
    assert not layer.weight.requires_grad
    assert layer(td.ones(2, 3, dtype=td.float16)).dtype == td.float16 and layer.weight is weight
    assert type(weight) is nn.Parameter and weight.shape == (3,) and not weight.requires_grad


def test_norms_of_weights_refuse_tensors_without_a_shape():
    with pytest.raises(ValueError, match="got an uninitialized parameter or buffer"):
        nn.utils.spectral_norm(nn.LazyLinear(2))
    with pytest.warns(FutureWarning), pytest.raises(ValueError, match="got an uninitialized parameter or buffer"):
        nn.utils.weight_norm(nn.LazyLinear(2))


@pytest.mark.parametrize("kind", ["SGD", "Adam", "Adagrad", "RMSprop", "LBFGS"])
def test_optimisers_take_parameters_without_a_shape(kind):
    layer = nn.LazyLinear(2, bias=False)
    optimizer = getattr(td.optim, kind)(layer.parameters(), lr=0.5)
    layer.weight.materialize((2, 3))
    nn.init.ones_(layer.weight)
    layer.weight.grad = td.ones(2, 3)
    optimizer.step(lambda: 1.0)
    assert (layer.weight < 1).all()
