"""Module and its surface: attributes, state, hooks, containers, text."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.BatchNorm1d(4)])
        self.register_buffer("scale", td.ones(1))
        self.register_buffer("cache", td.zeros(1), persistent=False)

    def forward(self, x):
        x = self.first(x)
        for layer in self.layers:
            x = layer(x)
        return x * self.scale


NAMES = ["first.weight", "first.bias", "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]


# -- attributes ------------------------------------------------------------------------------------


def test_members_are_found_in_the_order_of_assignment():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert [name for name, _ in net.named_children()] == ["first", "layers"]
    assert [name for name, _ in net.named_modules()] == ["", "first", "layers", "layers.0", "layers.1"]
    assert [name for name, _ in net.named_buffers()][:2] == ["scale", "cache"]


def test_assigning_again_keeps_the_place():
    net = Net()
    net.first = nn.Linear(3, 4)
    assert [name for name, _ in net.named_children()] == ["first", "layers"]


def test_a_shared_parameter_counts_once():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    assert len(list(net.parameters())) == 3
    assert len(list(net.named_parameters(remove_duplicate=False))) == 4
    shared = nn.Sequential(net[0], net[0])
    assert len(list(shared.modules())) == 2
    assert len(list(shared.named_modules(remove_duplicate=False))) == 3
    assert "1.weight" in shared.state_dict()


def test_a_typo_raises():
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'frist'"):
        _ = Net().frist


@pytest.mark.parametrize("value", [nn.Parameter(td.ones(1)), nn.Identity()])
def test_assigning_before_init_says_so(value):
    class Late(nn.Module):
        def __init__(self):
            self.member = value

    with pytest.raises(AttributeError, match=r"got a \w+ for 'member' before super\(\)\.__init__\(\) was"):
        Late()


def test_reading_before_init_says_so():
    class Never(nn.Module):
        def __init__(self):
            pass

    with pytest.raises(AttributeError, match="got a module that is not set up, expected that its __init__ calls"):
        _ = Never()._parameters


def test_a_registered_name_keeps_its_kind():
    net = Net()
    with pytest.raises(TypeError, match="got weight=3, expected a Parameter or None, as weight is registered as one"):
        net.first.weight = 3
    with pytest.raises(TypeError, match="got module 'first' = 'layer', expected a Module"):
        net.first = "layer"
    with pytest.raises(TypeError, match=r"got scale=1\.0, expected a Tensor or None"):
        net.scale = 1.0
    net.scale = td.zeros(1)
    assert "scale" in net.state_dict()
    net.first.bias = None
    assert list(net.first.state_dict()) == ["weight"]


def test_a_name_moves_between_kinds_and_is_deleted():
    net = nn.Module()
    net.x = 5
    net.x = nn.Parameter(td.ones(1))
    assert "x" not in net.__dict__ and list(net.state_dict()) == ["x"]
    with pytest.raises(TypeError, match=r"got a Identity for 'x', expected a Parameter or None, as it is registered"):
        net.x = nn.Identity()
    assert list(net.state_dict()) == ["x"]
    del net.x
    net.x = nn.Identity()
    assert list(net.state_dict()) == [] and isinstance(net.x, nn.Identity)
    net.x = nn.Parameter(td.zeros(1))
    assert list(net.state_dict()) == ["x"] and list(net.children()) == []
    del net.x
    assert not hasattr(net, "x")
    with pytest.raises(AttributeError):
        del net.x


def test_names_that_are_not_allowed():
    net = Net()
    with pytest.raises(KeyError, match="got 'a\\.b', expected one that is not empty and contains no dot"):
        net.register_buffer("a.b", td.ones(1))
    with pytest.raises(KeyError, match="got the name 'forward', which is an attribute already"):
        net.add_module("forward", nn.Identity())
    with pytest.raises(TypeError, match="expected a Parameter or None, got Tensor"):
        net.register_parameter("p", td.ones(1))
    with pytest.raises(TypeError, match="expected a Tensor or None, got float"):
        net.register_buffer("p", 1.0)
    with pytest.raises(TypeError, match="got module 'p' = 1, expected a Module"):
        net.add_module("p", 1)
    with pytest.raises(ValueError, match="got a computed tensor, expected a leaf"):
        net.register_parameter("p", computed())


def computed():
    parameter = nn.Parameter(td.ones(1))
    parameter._edge = (td.ones(1, requires_grad=True) * 2)._edge
    return parameter


def test_dir_lists_members():
    assert {"first", "layers", "scale", "forward"} <= set(dir(Net()))


def test_buffer_class_registers():
    net = nn.Module()
    net.kept = nn.Buffer(td.ones(1))
    net.passing = nn.Buffer(td.ones(1), persistent=False)
    assert list(net.state_dict()) == ["kept"] and len(list(net.buffers())) == 2


def test_paths():
    net = Net()
    assert net.get_submodule("layers.0") is net.layers[0]
    assert net.get_parameter("layers.0.bias") is net.layers[0].bias
    assert net.get_buffer("layers.1.running_mean") is net.layers[1].running_mean
    assert net.get_submodule("") is net
    with pytest.raises(AttributeError, match=r"got submodule '7' \(in the path 'layers\.7'\), expected one of"):
        net.get_submodule("layers.7")
    with pytest.raises(AttributeError, match=r"got parameter 'wait' \(in the path 'first\.wait'\), expected one of"):
        net.get_parameter("first.wait")


def test_options_of_tensors_out_of_keyword_arguments():
    given = {"dtype": td.float64, "factory_kwargs": {"device": "cpu"}}
    assert nn.factory_kwargs(given) == {"device": "cpu", "dtype": td.float64} and nn.factory_kwargs(None) == {}
    assert "factory_kwargs" in given
    with pytest.raises(TypeError, match="factory_kwargs: got 'bias', expected device, dtype and memory_format"):
        nn.factory_kwargs({"bias": True})
    with pytest.raises(TypeError, match="factory_kwargs: got 'dtype' twice"):
        nn.factory_kwargs({"dtype": td.float64, "factory_kwargs": {"dtype": td.float32}})


def test_buffers_by_the_users_own_method():
    class Old(nn.Module):
        def register_buffer(self, name, tensor):
            self._buffers[name] = tensor
            self.last = name

    module = Old()
    module.kept = nn.Buffer(td.ones(1))
    assert module.last == "kept" and list(module.state_dict()) == ["kept"]
    with pytest.raises(RuntimeError, match="got a buffer 'passing' with persistent=False, expected a persistent one"):
        module.passing = nn.Buffer(td.ones(1), persistent=False)


def test_a_buffer_stays_what_it_is():
    module = nn.Module()
    module.register_buffer("passing", td.ones(1), persistent=False)
    module.passing = td.zeros(1)
    assert list(module.state_dict()) == [] and [name for name, _ in module.named_buffers()] == ["passing"]
    module.layer, module.number = nn.ReLU(), 3
    with pytest.raises(KeyError, match="got the name 'number', which is an attribute already"):
        module.number = nn.Buffer(td.ones(1))
    with pytest.raises(TypeError, match="got a Buffer for 'layer', expected a Module or None, as it is registered as"):
        module.layer = nn.Buffer(td.ones(1))


def test_arguments_for_the_next_class():
    class Named:
        def __init__(self, name=""):
            self.name = name

    class Model(nn.Module, Named):
        call_super_init = True

        def __init__(self):
            super().__init__(name="model")
            self.layer = nn.ReLU()

    assert Model().name == "model" and isinstance(Model().layer, nn.ReLU)
    with pytest.raises(TypeError, match=r"got \(3, bias=True\) for Module.__init__, expected no arguments"):
        nn.Module(3, bias=True)


# -- changing it as a whole --------------------------------------------------------------------------


def test_train_eval_and_apply():
    net = Net()
    assert net.eval() is net and not any(m.training for m in net.modules())
    assert all(m.training for m in net.train().modules())
    seen = []
    net.apply(seen.append)
    assert seen[-1] is net and len(seen) == 5
    with pytest.raises(ValueError, match="got mode=1, expected True or False"):
        net.train(1)


def test_submodules_decide_how_they_train():
    class Frozen(nn.Sequential):
        def train(self, mode=True):
            return super().train(False)

    net = nn.Sequential(nn.Sequential(Frozen(nn.ReLU())), nn.ReLU()).train()
    assert [module.training for module in net.modules()] == [True, True, False, False, True]


def test_conversions_go_through_apply():
    class Holding(nn.Module):
        def __init__(self):
            super().__init__()
            self.mine = td.ones(1)

        def _apply(self, fn, recurse=True):
            super()._apply(fn, recurse)
            self.mine = fn(self.mine)
            return self

    net = nn.Sequential(Holding())
    for convert, dtype in [
        (nn.Module.double, td.float64),
        (nn.Module.half, td.float16),
        (lambda m: m.to(td.float32), td.float32),
    ]:
        assert convert(net) is net and net[0].mine.dtype == dtype


def test_gradients_are_converted_where_they_are():
    layer = nn.Linear(2, 1)
    layer(td.ones(1, 2)).sum().backward()
    weight, gradient = layer.weight, layer.weight.grad
    layer.double()
    assert layer.weight is weight and weight.grad is gradient and gradient.dtype == td.float64


def test_types_of_integers_and_new_memory():
    layer = nn.BatchNorm1d(2, affine=False)
    assert {b.dtype for b in layer.type(td.int32).buffers()} == {td.int32}
    with pytest.raises(RuntimeError, match="expected a floating or complex one, as the tensor requires a gradient"):
        nn.Linear(1, 1).type(td.int64)
    linear = nn.Linear(2, 3)
    weight = linear.weight
    assert linear.to_empty(device="cpu") is linear and linear.weight is weight and weight.shape == (3, 2)
    with pytest.raises(ValueError, match="unknown device: got 'meta'"):
        linear.to_empty(device="meta")
    assert linear.compile(fullgraph=True) is None
    for elsewhere in ("cuda", "ipu", "mtia", "xpu"):
        with pytest.raises(ValueError, match=f"unknown device: got '{elsewhere}', expected 'cpu'"):
            getattr(linear, elsewhere)()


def test_requires_grad_and_zero_grad():
    net = Net()
    net(td.randn(5, 3)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert all((p.grad == 0).all() for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.requires_grad_(False)
    assert not net(td.randn(5, 3)).requires_grad


@pytest.mark.parametrize(
    "cast, dtype",
    [
        (lambda m: m.double(), td.float64),
        (lambda m: m.half(), td.float16),
        (lambda m: m.to(td.float64), td.float64),
        (lambda m: m.to("cpu", td.float64), td.float64),
        (lambda m: m.double().float(), td.float32),
        (lambda m: m.to(td.zeros(1, dtype=td.float64)), td.float64),
        (lambda m: m.to("cpu"), td.float32),
    ],
)
def test_casts_keep_the_parameters(cast, dtype):
    net = Net()
    before = list(net.parameters())
    assert cast(net) is net
    assert all(a is b for a, b in zip(before, net.parameters(), strict=True))
    assert {p.dtype for p in net.parameters()} == {dtype}
    assert net.layers[1].running_mean.dtype == dtype and net.layers[1].num_batches_tracked.dtype == td.int64
    net(td.randn(5, 3, dtype=dtype)).sum().backward()
    assert {p.grad.dtype for p in net.parameters()} == {dtype}


def test_to_refuses_what_it_cannot_do():
    with pytest.raises(TypeError, match="got dtype int64, expected a floating or complex one for a module"):
        nn.Linear(1, 1).to(td.int64)
    with pytest.raises(ValueError, match="tensors live on the CPU"):
        nn.Linear(1, 1).to("cuda")


def test_deepcopy_and_pickle():
    net = Net()
    net.tied = net.first
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other.tied is other.first and other.first.weight is not net.first.weight
        assert isinstance(other.first.weight, nn.Parameter) and other.first.weight.requires_grad
        x = td.randn(4, 3)
        net.eval(), other.eval()
        assert (net(x) == other(x)).all()
        assert "cache" not in other.state_dict()


# -- state -------------------------------------------------------------------------------------------


def test_state_dict_shares_memory_and_has_pytorchs_keys():
    net = Net()
    state = net.state_dict(prefix="net.")
    assert list(state)[:3] == ["net.scale", "net.first.weight", "net.first.bias"]
    assert "net.layers.1.num_batches_tracked" in state and "net.cache" not in state
    assert state["net.first.weight"]._data is net.first.weight._data
    assert not state["net.first.weight"].requires_grad
    assert net.state_dict(keep_vars=True)["first.weight"] is net.first.weight


def test_load_state_dict_copies_and_casts():
    a, b = Net(), Net().double()
    weight = b.first.weight
    assert repr(b.load_state_dict(a.state_dict())) == "<All keys matched successfully>"
    assert b.first.weight is weight and weight.dtype == td.float64
    assert np.array_equal(weight.detach().numpy(), a.first.weight.detach().numpy())


def test_load_state_dict_lists_all_problems_and_changes_nothing():
    net = Net()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    state = {name: t + 1 for name, t in before.items()}
    del state["scale"]
    state["extra"] = td.ones(1)
    state["first.weight"] = td.ones(7, 7)
    state["first.bias"] = "text"
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    text = str(caught.value)
    for part in (
        "missing (in the module, not in the state): scale",
        "unexpected (in the state, not in the module): extra",
        "first.weight has (7, 7) in the state, (4, 3) in the module",
        "first.bias is str",
        "nothing was changed",
    ):
        assert part in text
    assert all((net.state_dict()[name] == t).all() for name, t in before.items())


def test_load_state_dict_not_strict():
    net = nn.Linear(2, 1)
    found = net.load_state_dict({"weight": np.zeros((1, 2)), "other": 1}, strict=False)
    assert found.missing_keys == ["bias"] and found.unexpected_keys == ["other"]
    assert (net.weight == 0).all()
    with pytest.raises(RuntimeError, match="shape: weight"):
        net.load_state_dict({"weight": np.zeros((2, 2))}, strict=False)
    with pytest.raises(TypeError, match="expected a mapping"):
        net.load_state_dict([1])


# -- hooks -------------------------------------------------------------------------------------------


def test_forward_hooks_change_arguments_and_result():
    layer = nn.Identity()
    order = []
    pre = layer.register_forward_pre_hook(lambda m, args: (order.append("pre"), args[0] + 1)[1])
    post = layer.register_forward_hook(lambda m, args, out: (order.append("post"), out * 10)[1])
    first = layer.register_forward_pre_hook(lambda m, args: order.append("first"), prepend=True)
    assert layer(td.zeros(1)).item() == 10.0 and order == ["first", "pre", "post"]
    for handle in (pre, post, first, first):
        handle.remove()
    assert layer(td.zeros(1)).item() == 0.0 and not layer._forward_pre_hooks and not layer._forward_hooks


def test_hooks_with_kwargs():
    class Add(nn.Module):
        def forward(self, x, y=0.0):
            return x + y

    layer, seen = Add(), []
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {"y": 5.0}), with_kwargs=True)
    layer.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True)
    assert layer(td.zeros(1), y=1.0).item() == 5.0 and seen == [{"y": 5.0}]
    layer.register_forward_pre_hook(lambda m, args, kwargs: 3, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"got a int from it, expected None or a tuple \(args, kwargs\)"):
        layer(td.zeros(1))


def test_a_hook_that_is_always_called():
    seen = []
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(ValueError, match="in_features"):
        layer(td.ones(1, 3))
    assert seen == [None]


def test_full_backward_hooks_see_and_change_gradients():
    layer = nn.Linear(2, 1, bias=False)
    nn.init.ones_(layer.weight)
    seen = []
    layer.register_full_backward_pre_hook(lambda m, grad_output: (grad_output[0] * 2,))
    handle = layer.register_full_backward_hook(lambda m, gi, go: (seen.append((gi[0], go[0])), (gi[0] * 10,))[1])
    x = td.ones(3, 2, requires_grad=True)
    layer(x).sum().backward()
    assert (seen[0][1] == 2).all() and (seen[0][0] == 2).all()
    assert (x.grad == 20).all() and (layer.weight.grad == 6).all()
    handle.remove()


def test_full_backward_hook_without_gradient_at_the_input():
    layer, seen = nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    layer(td.ones(3, 2)).sum().backward()
    assert seen[0][0] == (None,) and seen[0][1][0].shape == (3, 1)


def test_a_hook_must_be_callable():
    with pytest.raises(TypeError, match="got 3, expected a callable"):
        nn.Identity().register_forward_hook(3)


# -- errors and text ---------------------------------------------------------------------------------


def test_an_error_names_the_module_and_its_path():
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 6))

        def forward(self, x):
            return self.body(x)

    model = nn.Sequential(nn.Identity(), Inner())
    with pytest.raises(ValueError, match="expected in_features=5 in the last dimension") as caught:
        model(td.ones(2, 3))
    notes = [note for note in caught.value.__notes__ if note.startswith("in module")]
    assert notes == ["in module Linear(in_features=5, out_features=6, bias=True) at Sequential.1.body.1"]


def test_a_module_without_forward_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match=r"got a module without forward\(\), expected one"):
        Empty()(1)


def test_repr():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.ModuleDict({"a": nn.Dropout(0.1)}))
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Linear(in_features=4, out_features=8, bias=True)\n"
        "  (1): ReLU()\n"
        "  (2): ModuleDict(\n"
        "    (a): Dropout(p=0.1, inplace=False)\n"
        "  )\n"
        ")"
    )
    layers = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh()])
    assert repr(layers) == "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Tanh()\n)"
    assert repr(nn.Parameter(td.ones(1))) == "Parameter containing:\ntensor([1.], requires_grad=True)"


# -- containers --------------------------------------------------------------------------------------


def test_sequential_like_a_list():
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU())
    model.append(nn.Linear(2, 3)).insert(1, nn.Tanh()).extend([nn.Identity()])
    assert [type(m).__name__ for m in model] == ["Linear", "Tanh", "ReLU", "Linear", "Identity"]
    assert len(model[1:3]) == 2 and isinstance(model[1:3], nn.Sequential) and model[-1] is model[4]
    del model[0]
    assert list(model._modules) == ["0", "1", "2", "3"]
    model[0] = nn.Sigmoid()
    assert type(model.pop(0)) is nn.Sigmoid and len(model) == 3
    assert len(model + model) == 6
    with pytest.raises(IndexError, match="got index 9, expected -3 to 2"):
        _ = model[9]
    with pytest.raises(TypeError, match="got module '0' = 3, expected a Module"):
        nn.Sequential(3)


def test_sequential_by_name():
    model = nn.Sequential({"a": nn.Linear(1, 2), "b": nn.ReLU()})
    assert list(model.state_dict()) == ["a.weight", "a.bias"] and model.b is model[1]
    assert list(model[:1].state_dict()) == ["a.weight", "a.bias"]


def test_module_list_and_dict():
    layers = nn.ModuleList([nn.Linear(1, 1)])
    layers += [nn.Identity()]
    assert len(layers + nn.ModuleList([nn.Tanh()])) == 3 and isinstance(layers[:1], nn.ModuleList)
    table = nn.ModuleDict({"x": nn.Linear(1, 1)})
    table.update({"y": nn.Identity()})
    assert list(table) == ["x", "y"] and "x" in table and len(table) == 2
    table.pop("x")
    with pytest.raises(KeyError, match="got key 'x', expected one of \\['y'\\]"):
        _ = table["x"]
    table.clear()
    assert not len(table)


def test_parameter_list_and_dict():
    params = nn.ParameterList([td.ones(2), nn.Parameter(td.zeros(1))])
    params.append(td.ones(3))
    params[0] = td.zeros(4)
    assert [p.shape for p in params] == [(4,), (1,), (3,)] and list(params.state_dict()) == ["0", "1", "2"]
    assert all(isinstance(p, nn.Parameter) for p in params) and len(params[1:]) == 2
    named = nn.ParameterDict({"a": td.ones(2)})
    named["b"] = td.ones(1)
    assert list(named.keys()) == ["a", "b"] and "float32, shape (2,)" in repr(named)
    with pytest.raises(KeyError, match="got key 'c', expected one of \\['a', 'b'\\]"):
        _ = named["c"]


def test_a_parameter_shares_memory():
    data = td.ones(2)
    parameter = nn.Parameter(data, requires_grad=False)
    assert parameter._data is data._data and not parameter.requires_grad
    assert isinstance(copy.deepcopy(parameter), nn.Parameter)
