"""State dicts: extra state, overridden saving and loading, hooks, versions; and all attributes read when they count."""

from __future__ import annotations

import copy
import gc
import pickle
from collections import OrderedDict

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn


class Counting(nn.Module):
    def __init__(self, count=0):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.count = count

    def get_extra_state(self):
        return {"count": self.count}

    def set_extra_state(self, state):
        self.count = state["count"]


def test_extra_state_is_saved_and_loaded():
    model, other = nn.Sequential(Counting(7), Counting(8)), nn.Sequential(Counting(), Counting())
    state = model.state_dict()
    assert list(state)[:3] == ["0._extra_state", "0.layer.weight", "0.layer.bias"]
    assert other.load_state_dict(state) == ([], []) and (other[0].count, other[1].count) == (7, 8)
    del state["0._extra_state"]
    with pytest.raises(RuntimeError, match=r"does not fit Sequential: got one that differs, missing .*0\._extra_state"):
        other.load_state_dict(state)
    assert other.load_state_dict(state, strict=False).missing_keys == ["0._extra_state"]
    plain = nn.Sequential(nn.Linear(1, 1)).load_state_dict({"0._extra_state": 1}, strict=False)
    assert plain.unexpected_keys == ["0._extra_state"]


def test_a_refused_state_leaves_extra_state_alone():
    model = nn.Sequential(Counting(1), nn.Linear(1, 1))
    state = nn.Sequential(Counting(5), nn.Linear(1, 1)).state_dict()
    state["1.bias"] = td.zeros(2)
    with pytest.raises(RuntimeError, match=r"shape: 1\.bias has \(2,\) in the state, \(1,\) in the module"):
        model.load_state_dict(state)
    assert model[0].count == 1


class Renamed(nn.Linear):
    _version = 2

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "w"] = destination.pop(prefix + "weight")

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *more):
        self.version = local_metadata.get("version")
        if prefix + "w" in state_dict:
            state_dict[prefix + "weight"] = state_dict.pop(prefix + "w")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *more)


def test_overridden_saving_and_loading():
    model, other = nn.Sequential(Renamed(1, 1)), nn.Sequential(Renamed(1, 1))
    state = model.state_dict()
    assert list(state) == ["0.bias", "0.w"] and state._metadata == {"": {"version": 1}, "0": {"version": 2}}
    other.load_state_dict(state)
    assert list(state) == ["0.bias", "0.w"] and other[0].version == 2
    np.testing.assert_array_equal(other[0].weight.detach(), model[0].weight.detach())
    other.load_state_dict(dict(state))
    assert other[0].version is None


def test_an_overridden_loading_may_say_what_is_wrong():
    class Picky(nn.Linear):
        def _load_from_state_dict(self, *args):
            args[-1].append("not today")

    with pytest.raises(RuntimeError, match=r"does not fit Picky: got one that differs, not today"):
        Picky(1, 1).load_state_dict({})


def test_batch_norm_loads_what_was_saved_before_it_counted_batches():
    layer = nn.BatchNorm1d(1)
    state = dict(layer.state_dict())
    del state["num_batches_tracked"]
    assert layer.load_state_dict(state) == ([], [])
    now = layer.state_dict()
    del now["num_batches_tracked"]
    with pytest.raises(RuntimeError, match="num_batches_tracked"):
        layer.load_state_dict(now)


def test_hooks_on_state_dicts():
    model, seen = nn.Sequential(nn.Linear(1, 1)), []
    first = model[0].register_state_dict_pre_hook(lambda module, prefix, keep: seen.append((prefix, keep)))
    second = model.register_state_dict_post_hook(lambda module, state, prefix, meta: state.update(more=1))
    assert list(model.state_dict()) == ["0.weight", "0.bias", "more"] and seen == [("0.", False)]
    first.remove()
    second.remove()
    with model._register_state_dict_hook(lambda module, state, prefix, meta: {"all": state}):
        assert list(model.state_dict()) == ["all"]
    with model.register_state_dict_post_hook(lambda *_: {}), pytest.raises(RuntimeError, match="returns None"):
        model.state_dict()
    assert list(model.state_dict()) == ["0.weight", "0.bias"] and len(seen) == 1


def test_hooks_on_loading():
    model, seen = nn.Sequential(nn.Linear(1, 1)), []

    def rename(module, state, prefix, metadata, strict, missing, unexpected, errors):
        seen.append((type(module).__name__, prefix, strict))
        state[prefix + "weight"] = state.pop(prefix + "w")

    def forgive(module, keys):
        keys.missing_keys.clear()

    model[0].register_load_state_dict_pre_hook(rename)
    model.register_load_state_dict_post_hook(forgive)
    assert model.load_state_dict({"0.w": td.ones(1, 1) * 5}) == ([], [])
    assert seen == [("Linear", "0.", True)] and model[0].weight.item() == 5
    short = nn.Linear(1, 1)
    short._register_load_state_dict_pre_hook(lambda state, prefix, *_: state.update(weight=td.ones(1, 1) * 3))
    short.load_state_dict({"bias": td.zeros(1)})
    assert short.weight.item() == 3


def test_one_element_loads_into_a_0d_parameter_and_back():
    scalar, vector = nn.Module(), nn.Module()
    scalar.w, vector.w = nn.Parameter(td.tensor(1.0)), nn.Parameter(td.tensor([1.0]))
    scalar.load_state_dict({"w": td.tensor([5.0])})
    assert scalar.w.shape == () and scalar.w.item() == 5
    scalar.load_state_dict({"w": td.tensor([6.0])}, assign=True)
    assert scalar.w.shape == () and scalar.w.item() == 6 and scalar.w.requires_grad
    with pytest.raises(RuntimeError, match=r"shape: w has \(\) in the state, \(1,\) in the module"):
        vector.load_state_dict({"w": td.tensor(5.0)})  # as in PyTorch
    assert vector.w.item() == 1


def test_assign_takes_the_given_parameters():
    layer = nn.Linear(1, 1).requires_grad_(False)
    state = {"weight": nn.Parameter(td.ones(1, 1, dtype=td.float64)), "bias": td.ones(1)}
    layer.load_state_dict(state, assign=True)
    assert layer.weight is state["weight"] and not layer.weight.requires_grad and layer.weight.dtype == td.float64
    assert type(layer.bias) is nn.Parameter and not layer.bias.requires_grad


KINDS = {
    "parameter": lambda net: net.register_parameter("a", nn.Parameter(td.ones(1))),
    "buffer": lambda net: net.register_buffer("a", td.ones(1)),
    "module": lambda net: net.add_module("a", nn.ReLU()),
}


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
def test_one_name_is_of_one_kind(first, second):
    net = nn.Module()
    KINDS[first](net)
    if first == second:
        KINDS[second](net)
    else:
        with pytest.raises(KeyError, match="got the name 'a', which is an attribute already, expected another"):
            KINDS[second](net)
    assert [len(each) for each in (net._parameters, net._buffers, net._modules)].count(1) == 1


def test_copies_of_parameters_have_no_gradient_and_tensors_keep_what_hangs_on_them():
    layer = nn.Linear(1, 1)
    layer.weight.grad = td.ones(1, 1)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other.weight.grad is None and type(other.weight) is nn.Parameter and other.weight.requires_grad
    t = td.ones(1, requires_grad=True)
    t.note, t.grad = ["kept"], td.ones(1)
    other = copy.deepcopy(t)
    assert other.note == ["kept"] and other.note is not t.note and other.grad.tolist() == [1]


# -- attributes that are changed after construction ---------------------------------------------------


def test_batch_norm_that_stops_tracking_leaves_its_statistics():
    layer, x = nn.BatchNorm1d(2), td.tensor([[1.0, 2.0], [3.0, 6.0]])
    layer(x)
    layer.track_running_stats = False
    out = layer(x * 100)
    np.testing.assert_allclose(layer.running_mean.numpy(), [0.2, 0.4], rtol=1e-6)
    assert layer.num_batches_tracked.item() == 1
    np.testing.assert_allclose(out.detach().numpy(), [[-1, -1], [1, 1]], rtol=1e-5)
    layer.eval()  # with the statistics that are there
    np.testing.assert_allclose(layer(x)[0, 0].item(), (1 - 0.2) / (0.9 + 0.2 + 1e-5) ** 0.5, rtol=1e-5)


def test_instance_norm_that_stops_tracking_normalises_by_each_element():
    layer, x = nn.InstanceNorm1d(1, track_running_stats=True), td.tensor([[[1.0, 3.0]]])
    layer(x * 7)
    layer.eval().track_running_stats = False
    np.testing.assert_allclose(layer(x).numpy(), [[[-1, 1]]], rtol=1e-4)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (nn.Linear(2, 2), td.ones(1, 2)),
        (nn.Conv1d(2, 2, 1), td.ones(1, 2, 3)),
        (nn.ConvTranspose1d(2, 2, 1), td.ones(1, 2, 3)),
        (nn.BatchNorm1d(2), td.tensor([[1.0, 2.0], [3.0, 5.0]])),
        (nn.LayerNorm(2), td.tensor([[1.0, 2.0], [3.0, 5.0]])),
        (nn.GroupNorm(1, 2), td.tensor([[1.0, 2.0], [3.0, 5.0]])),
        (nn.Embedding(3, 2), td.tensor([0, 2])),
        (nn.PReLU(), td.tensor([-1.0])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_weight_computed_from_others_takes_the_parameters_place(layer, x):
    expected = layer(x)
    raw = nn.Parameter(layer.weight.detach() / 2)
    del layer.weight
    layer.raw = raw
    layer.weight = raw * 2
    out = layer(x)
    np.testing.assert_allclose(out.detach(), expected.detach(), rtol=1e-6)
    out.sum().backward()
    assert raw.grad is not None and "raw" in layer.state_dict() and "weight" not in layer.state_dict()


def test_recurrent_weights_may_be_computed_too():
    for layer, x in ((nn.LSTM(2, 3), td.ones(4, 1, 2)), (nn.GRUCell(2, 3), td.ones(1, 2))):
        name = next(iter(layer.state_dict()))
        weight = getattr(layer, name)
        first = layer(x)
        delattr(layer, name)
        setattr(layer, name, weight * 1)
        second = layer(x)
        a, b = (first, second) if isinstance(first, td.Tensor) else (first[0], second[0])
        np.testing.assert_array_equal(a.detach(), b.detach())


def test_a_recurrent_layer_refuses_another_number_of_directions():
    layer = nn.GRU(2, 3, num_layers=2, bidirectional=True)
    layer.bidirectional = False
    with pytest.raises(
        RuntimeError, match="got bidirectional=False, expected True, for which the parameters were made"
    ):
        layer(td.ones(4, 1, 2))


def test_modules_may_become_complex():
    layer = nn.Linear(2, 1).to(td.complex64)
    assert layer.weight.dtype == layer.bias.dtype == td.complex64
    norm = nn.BatchNorm1d(1).to(td.complex64)
    assert norm.running_mean.dtype == td.complex64 and norm.num_batches_tracked.dtype == td.int64
    assert layer.double().weight.dtype == td.complex64  # of floating parameters alone, as in PyTorch


# -- what PyTorch's programs rely on ------------------------------------------------------------------


def test_a_state_is_an_ordered_dict_with_the_versions():
    state = nn.Sequential(nn.BatchNorm1d(2)).state_dict()
    assert type(state) is OrderedDict and state._metadata == {"": {"version": 1}, "0": {"version": 2}}
    with pytest.warns(FutureWarning, match="state_dict: positional arguments are deprecated"):
        assert list(nn.Linear(1, 1, bias=False).state_dict({}, "a.")) == ["a.weight"]


def test_loading_leaves_no_cycles():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    state = copy.deepcopy(model).state_dict()
    gc.collect()
    gc.disable()
    try:
        model.load_state_dict(state)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_loading_one_module_not_strictly_finds_nothing_missing_or_unexpected():
    lists = [], [], []
    nn.Linear(1, 1)._load_from_state_dict({"other": td.ones(1)}, "", {}, False, *lists)
    assert lists == ([], [], [])
    nn.Linear(1, 1)._load_from_state_dict({"other": td.ones(1)}, "", {}, True, *lists)
    assert lists == (["weight", "bias"], ["other"], [])


def test_submodules_are_put_at_paths():
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2)), nn.ReLU())
    model.set_submodule("0.0", nn.Tanh())
    model.set_submodule("0.more", nn.ReLU())
    model.set_submodule("1", nn.Tanh(), strict=True)
    assert [name for name, _ in model.named_modules()] == ["", "0", "0.0", "0.more", "1"]
    assert isinstance(model[1], nn.Tanh) and isinstance(model[0][0], nn.Tanh)
    for target, module, error, text in [
        ("", nn.ReLU(), ValueError, "set_submodule: got .*'' and .*ReLU"),
        ("0", td.ones(1), ValueError, "expected a path and a Module"),
        ("5.0", nn.ReLU(), AttributeError, r"got submodule '5' \(in the path '5'\), expected one of \['0', '1'\]"),
        ("0.forward", nn.ReLU(), AttributeError, r"got 'forward' \(in the path '0\.forward'\), expected a submodule"),
    ]:
        with pytest.raises(error, match=text):
            model.set_submodule(target, module)
    with pytest.raises(AttributeError, match="got 'new'"):
        model.set_submodule("new", nn.ReLU(), strict=True)


def test_what_a_function_finds_in_all_modules():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model.again = model[0]
    model[1].frozen = {"a": 1, "b": None}
    found = model._named_members(lambda module: module.__dict__.get("frozen", {}).items(), prefix="m")
    assert list(found) == [("m.1.a", 1)]
    weights = model._named_members(lambda module: module._parameters.items(), remove_duplicate=False)
    assert [name for name, _ in weights] == ["0.weight", "0.bias", "again.weight", "again.bias"]


def test_prefixes_are_taken_off_a_state():
    inner = nn.Sequential(nn.BatchNorm1d(2))
    outer = nn.ModuleDict({"module": inner})
    state = outer.state_dict()
    nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    assert list(state) == list(inner.state_dict()) and state._metadata == inner.state_dict()._metadata
    assert repr(inner.load_state_dict(state)) == "<All keys matched successfully>"
