"""`nn.Module` beside PyTorch's: attributes, names, conversions, states, hooks, copies."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict

import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")

CASES = {}
KINDS = AttributeError, KeyError, TypeError, ValueError, RuntimeError, NotImplementedError, AssertionError


def case(function):
    """A function of a library and its `nn` that does something to modules and returns what is to be the same."""
    CASES[function.__name__] = function
    return function


def plain(value):
    """Without what belongs to one of the libraries."""
    if isinstance(value, torch.Tensor | td.Tensor):
        return (
            str(value.dtype).rpartition(".")[2],
            tuple(value.shape),
            [round(x, 5) for x in value.detach().flatten().tolist()],
        )
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return str(value).replace("torch.", "").replace("tinygrad_dl.", "")


def outcome(function, library):
    try:
        return plain(function(library, library.nn))
    except KINDS as error:
        return {kind for kind in KINDS if isinstance(error, kind)}


def build(nn, *names):
    module = nn.Module()
    for name in names:
        setattr(module, name, nn.ReLU())
    return module


@case
def a_parameter_over_a_module(t, nn):
    module = build(nn, "a")
    module.a = nn.Parameter(t.ones(1))
    return list(module._modules), list(module._parameters)


@case
def a_tensor_over_a_parameter(t, nn):
    nn.Linear(1, 1).weight = t.ones(1)


@case
def a_module_over_a_buffer(t, nn):
    module = nn.Module()
    module.register_buffer("a", t.ones(1), persistent=False)
    module.a = nn.ReLU()
    return list(module._buffers), list(module._non_persistent_buffers_set), list(module._modules)


@case
def a_buffer_over_an_attribute(t, nn):
    module = nn.Module()
    module.a = 3
    module.a = nn.Buffer(t.ones(1))


@case
def a_number_over_a_module(t, nn):
    build(nn, "a").a = 3


@case
def none_over_members(t, nn):
    module = nn.Sequential(nn.Linear(2, 2))
    module[0].bias = None
    module.more = nn.ReLU()
    module.more = None
    return list(module[0]._parameters), [name for name, _ in module.named_children()], len(module), repr(module)


@case
def a_tensor_over_a_buffer_that_is_none(t, nn):
    module = nn.Module()
    module.register_buffer("a", None)
    before = list(module.state_dict())
    module.a = t.zeros(1)
    return before, list(module.state_dict())


@case
def names_with_a_dot(t, nn):
    nn.Module().add_module("a.b", nn.ReLU())


@case
def names_that_are_numbers(t, nn):
    nn.Module().add_module(3, nn.ReLU())


@case
def names_that_are_taken(t, nn):
    nn.Module().register_buffer("forward", t.ones(1))


@case
def a_hook_before_the_constructor(t, nn):
    nn.Module.__new__(nn.Module).register_forward_hook(print)


@case
def names_of_shared_members(t, nn):
    layer = nn.Linear(1, 1)
    module = nn.Sequential(layer, layer)
    memo = set()
    return (
        [name for name, _ in module.named_parameters("p")],
        [name for name, _ in module.named_parameters(remove_duplicate=False)],
        [name for name, _ in module.named_modules(remove_duplicate=False, prefix="m")],
        [name for name, _ in module.named_children()],
        [name for name, _ in module.named_modules(memo)] + [len(memo)],
        list(module.state_dict()),
    )


@case
def the_order_of_apply(t, nn):
    seen = []
    nn.Sequential(nn.Sequential(nn.ReLU()), nn.Tanh()).apply(lambda module: seen.append(type(module).__name__))
    return seen


@case
def conversions(t, nn):
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    module(t.ones(3, 2)).sum().backward()
    weight, grad = module[0].weight, module[0].weight.grad
    module.to("cpu", t.float64)
    found = [weight is module[0].weight, grad is weight.grad, weight.dtype, grad.dtype]
    for convert in (nn.Module.half, nn.Module.double, nn.Module.float, lambda m: m.to(t.ones(1, dtype=t.float64))):
        convert(module)
        found += [weight.dtype, module[1].running_mean.dtype, module[1].num_batches_tracked.dtype, weight.requires_grad]
    return found


@case
def to_integers(t, nn):
    nn.Linear(1, 1).to(t.int64)


@case
def type_of_integers(t, nn):
    module = nn.BatchNorm1d(1, affine=False).type(t.int32)
    return module.running_mean.dtype, module.num_batches_tracked.dtype


@case
def to_channels_last(t, nn):
    module = nn.Sequential(nn.Conv2d(3, 4, 2), nn.Linear(2, 3)).to(memory_format=t.channels_last)
    return module[0].weight.stride(), module[1].weight.stride()


@case
def zeros_in_gradients(t, nn):
    module = nn.Linear(1, 1)
    module.zero_grad(False)
    module(t.ones(1, 1)).sum().backward()
    grad = module.weight.grad
    module.zero_grad(set_to_none=False)
    return module.weight.grad, grad is module.weight.grad


@case
def text(t, nn):
    class Lines(nn.Module):
        def extra_repr(self):
            return "a=1\nb=2"

        def __repr__(self):
            return super().__repr__() + "\n\nend"

    parts = OrderedDict(a=nn.Linear(1, 1), b=nn.Sequential(nn.ReLU(), nn.Dropout(0.3)), c=Lines())
    return repr(nn.Sequential(parts)), repr(nn.Module()), [name in dir(nn.Sequential(parts)) for name in "abcd"]


@case
def paths(t, nn):
    module = nn.Sequential(nn.Sequential(nn.BatchNorm1d(1)))
    module.set_submodule("0.more", nn.ReLU())
    return module.get_parameter("0.0.weight"), module.get_buffer("0.0.running_var"), repr(module.get_submodule("0"))


@case
def a_path_to_nothing(t, nn):
    nn.Sequential(nn.ReLU()).set_submodule("q", nn.Tanh(), strict=True)


@case
def a_path_to_a_parameter(t, nn):
    nn.Linear(1, 1).get_submodule("weight")


@case
def states(t, nn):
    module = nn.Sequential(nn.BatchNorm1d(1))
    state = module.state_dict(prefix="p.", destination=OrderedDict())
    versions = {name: dict(each) for name, each in module.state_dict()._metadata.items()}
    return state, versions, module.state_dict(keep_vars=True)["0.weight"] is module[0].weight


@case
def a_state_for_a_parameter_that_is_none(t, nn):
    nn.Linear(1, 1, bias=False).load_state_dict({"weight": t.ones(1, 1), "bias": t.ones(1)})


@case
def states_that_do_not_fit(t, nn):
    nn.Linear(1, 1).load_state_dict({"weight": t.ones(2, 2), "bias": t.ones(1)}, strict=False)


@case
def states_with_renamed_entries(t, nn):
    module = nn.Sequential(nn.Linear(1, 1))

    def rename(layer, state, prefix, *lists):
        state[f"{prefix}weight"] = state.pop(f"{prefix}w")

    module[0].register_load_state_dict_pre_hook(rename)
    state = {"0.w": t.ones(1, 1, dtype=t.float64), "0.bias": t.ones(1, dtype=t.int64)}
    return repr(module.load_state_dict(state)), module.state_dict()


@case
def states_that_are_taken_over(t, nn):
    module, bias = nn.Linear(1, 1), t.ones(1, dtype=t.float64)
    weight = nn.Parameter(t.ones(1, 1), requires_grad=False)
    module.load_state_dict({"weight": weight, "bias": bias}, assign=True)
    same = module.bias.data_ptr() == bias.data_ptr()
    return module.weight is weight, weight.requires_grad, type(module.bias).__name__, module.bias.dtype, same


@case
def hooks_in_turn(t, nn):
    seen, module, x = [], nn.ReLU(), t.ones(2, requires_grad=True)

    def note(name):
        return lambda *_: seen.append(name)

    for prepend in (False, True):
        module.register_forward_pre_hook(note(f"pre {prepend}"), prepend=prepend)
        module.register_forward_hook(note(f"after {prepend}"), prepend=prepend)
        module.register_full_backward_pre_hook(note(f"back {prepend}"), prepend=prepend)
        module.register_full_backward_hook(note(f"done {prepend}"), prepend=prepend)
    module(x).sum().backward()
    return seen


@case
def hooks_with_names(t, nn):
    class Plus(nn.Module):
        def forward(self, x, more=0):
            return x + more

    module = Plus()
    module.register_forward_pre_hook(lambda module, args, kwargs: (args, {"more": 5}), with_kwargs=True)
    module.register_forward_hook(lambda module, args, kwargs, out: out * kwargs["more"], with_kwargs=True)
    return module(t.ones(1))


@case
def hooks_that_return_what_they_may_not(t, nn):
    module = nn.ReLU()
    module.register_forward_pre_hook(lambda module, args, kwargs: 3, with_kwargs=True)
    module(t.ones(1))


@case
def hooks_of_both_kinds(t, nn):
    module = nn.ReLU()
    module.register_backward_hook(print)
    module.register_full_backward_hook(print)


@case
def hooks_of_the_last_operation(t, nn):
    module, x, seen = nn.Sigmoid(), t.ones(2, requires_grad=True), []
    module.register_backward_hook(lambda module, inputs, outputs: (seen.append((inputs, outputs)), (inputs[0] * 2,))[1])
    module(x * 1).sum().backward()
    return seen, x.grad


@case
def copies(t, nn):
    class Own(nn.Parameter):
        pass

    layer = nn.Linear(1, 1)
    layer(t.ones(1, 1)).sum().backward()
    module = nn.Sequential(layer, layer)
    module.own = Own(t.ones(1))
    deep, shallow = copy.deepcopy(module), copy.copy(module)
    kept = pickle.loads(pickle.dumps(nn.Sequential(nn.BatchNorm1d(1))))
    shared = deep[0] is deep[1], shallow[0] is layer, shallow._modules is module._modules
    return shared, deep[0].weight.grad is None, type(deep.own).__name__, list(kept.state_dict())


@case
def parameters(t, nn):
    first = nn.Parameter(t.ones(1))
    second = nn.Parameter(first, requires_grad=False)
    found = [first.requires_grad, second.requires_grad, first.data_ptr() == second.data_ptr(), repr(first)]
    return [*found, isinstance(first + 1, nn.Parameter), nn.Parameter(t.ones(1, dtype=t.int64), False).dtype]


@case
def parameters_of_integers(t, nn):
    nn.Parameter(t.ones(1, dtype=t.int64))


@case
def tensors_without_a_shape(t, nn):
    tensor = nn.UninitializedParameter()
    found = [repr(tensor), repr(nn.UninitializedBuffer()), repr(nn.LazyLinear(3))]
    tensor.materialize((2, 3))
    return [*found, type(tensor).__name__, tensor.shape, tensor.requires_grad]


@case
def options_of_tensors(t, nn):
    return nn.factory_kwargs({"dtype": t.float64, "factory_kwargs": {"device": "cpu"}}), nn.factory_kwargs(None)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:Using a non-full backward hook")
@pytest.mark.filterwarnings("ignore:register_backward_hook is deprecated")
def test_the_same_as_pytorch(name):
    ours, theirs = outcome(CASES[name], td), outcome(CASES[name], torch)
    if isinstance(theirs, set):
        assert isinstance(ours, set) and ours & theirs  # an error that the same `except` catches
    else:
        assert ours == theirs


def test_types_in_signatures_have_pytorchs_names():
    names = [name for name in dir(torch.nn.common_types) if name.endswith("_t")]
    ours = td.nn.common_types
    assert len(names) > 20
    for name in names:
        wanted = str(getattr(torch.nn.common_types, name)).replace("torch.Tensor", "tinygrad_dl.core.tensor.Tensor")
        assert str(getattr(ours, name)) == wanted
