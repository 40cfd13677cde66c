"""Hooks of modules: backward hooks in higher orders, gradients that they replace, hooks of all modules."""

from __future__ import annotations

import collections
import contextlib
import copy
import pickle

import numpy as np
import pytest
from leaves import leaf

import tinygrad_dl as td
from tinygrad_dl import autograd, nn
from tinygrad_dl.core.hooks import Registered, RemovableHandle
from tinygrad_dl.nn.modules import module as every


class Two(nn.Module):
    def forward(self, x, y):
        return x * y, x + y


def test_a_backward_hook_is_not_called_by_a_second_derivative():
    layer, x, calls = nn.Tanh(), leaf(1, dtype="float64"), []

    def triple(module, grad_input, grad_output):
        calls.append(grad_output[0].tolist())
        return (grad_input[0] * 3,)

    layer.register_full_backward_hook(triple)
    (g,) = autograd.grad(layer(x).sum(), x, create_graph=True)
    g.sum().backward()
    slope = 1 - np.tanh(1) ** 2
    assert calls == [[1]] and g.item() == pytest.approx(3 * slope)
    np.testing.assert_allclose(x.grad.item(), 3 * -2 * np.tanh(1) * slope)


def test_a_backward_hook_is_called_once_a_pass():
    layer, x, calls = nn.Linear(2, 1), td.ones(1, 2, requires_grad=True), []
    layer.register_full_backward_hook(lambda *_: calls.append(1))
    y = layer(x).sum()
    for count in (1, 2):
        autograd.grad(y, x, retain_graph=True)
        assert len(calls) == count


def test_outputs_that_were_not_used_have_the_gradient_none():
    layer, seen = Two(), []
    layer.register_full_backward_hook(lambda module, inputs, outputs: seen.append((inputs, outputs)))
    a, b = leaf(1), leaf(1)
    layer(a * 2, b * 3)[0].sum().backward()
    ((grad_input, grad_output),) = seen
    assert [g.item() for g in grad_input] == [3, 2] and grad_output[0].item() == 1 and grad_output[1] is None
    assert (a.grad.item(), b.grad.item()) == (6, 6)


@pytest.mark.parametrize(
    ("returned", "error", "text"),
    [
        (5, TypeError, "got a int as grad_input from it, expected tensors"),
        ((td.ones(1), td.ones(1)), RuntimeError, "got 2 gradients as grad_input from it, expected 1"),
    ],
)
def test_what_a_backward_hook_may_not_return(returned, error, text):
    layer = nn.ReLU()
    layer.register_full_backward_hook(lambda *_: returned)
    with pytest.raises(error, match=text):
        layer(leaf(1)).sum().backward()


def test_backward_hooks_warn_of_an_output_that_they_cannot_see():
    class Named(nn.Module):
        def forward(self, x):
            return {"out": x * 2}

    layer, x = Named(), leaf(1)
    layer.register_full_backward_hook(lambda *_: pytest.fail("called"))
    with pytest.warns(UserWarning, match="backward hooks of Named are not called: its output is a dict"):
        out = layer(x)["out"]
    out.sum().backward()
    assert x.grad.item() == 2


def test_hooks_of_all_modules():
    model, seen = nn.Sequential(nn.ReLU()), []

    def note(kind):
        return lambda module, *_: seen.append((kind, type(module).__name__))

    handles = [
        every.register_module_forward_pre_hook(note("pre")),
        every.register_module_forward_hook(note("after")),
        every.register_module_full_backward_pre_hook(note("back")),
        every.register_module_full_backward_hook(note("done")),
    ]
    with model.register_forward_hook(note("own")):
        model(leaf(1)).sum().backward()
    assert seen == [
        ("pre", "Sequential"),
        ("pre", "ReLU"),
        ("after", "ReLU"),
        ("after", "Sequential"),
        ("own", "Sequential"),
        ("back", "Sequential"),
        ("back", "ReLU"),
        ("done", "ReLU"),
        ("done", "Sequential"),
    ]
    for handle in handles:
        handle.remove()
        handle.remove()
    model(leaf(1)).sum().backward()
    assert len(seen) == 9


def test_a_hook_of_all_modules_replaces_outputs():
    with every.register_module_forward_hook(lambda module, args, output: output * 2):
        assert nn.Identity()(td.ones(1)).item() == 2
    assert nn.Identity()(td.ones(1)).item() == 1


# -- where hooks are kept ------------------------------------------------------------------------------


def test_the_tables_of_hooks_have_pytorchs_names():
    layer = nn.ReLU()
    handle = layer.register_forward_hook(print, with_kwargs=True, always_call=True)
    assert (
        list(layer._forward_hooks.items()) == [(handle.id, print)] and handle.hooks_dict_ref() is layer._forward_hooks
    )
    assert list(layer._forward_hooks_with_kwargs) == list(layer._forward_hooks_always_called) == [handle.id]
    handle.remove()
    assert not layer._forward_hooks and not layer._forward_hooks_with_kwargs and not layer._forward_hooks_always_called
    layer.register_forward_pre_hook(lambda *_: pytest.fail("called"))
    layer._forward_pre_hooks.clear()
    assert layer(td.ones(1)).item() == 1


def test_a_table_of_hooks_can_be_replaced_and_deleted():
    layer = nn.ReLU()
    layer._forward_hooks = hooks = collections.OrderedDict()
    layer.register_forward_hook(lambda module, args, out: out + 1)
    assert len(hooks) == 1 and layer(td.ones(1)).item() == 2
    del layer._forward_hooks
    assert layer(td.ones(1)).item() == 1 and len(layer._forward_hooks) == 0
    with pytest.raises(AttributeError, match="got a module that is not set up"):
        _ = nn.Module.__new__(nn.Module)._forward_hooks


def test_copies_have_hooks_of_their_own():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0
            self.handle = self.register_forward_hook(self.count)

        def count(self, module, args, out):
            self.calls += 1

        def forward(self, x):
            return x

    first = Counting()
    second = copy.deepcopy(first)
    second(td.ones(1))
    assert (first.calls, second.calls) == (0, 1)
    second.handle.remove()
    second(td.ones(1)), first(td.ones(1))
    assert (first.calls, second.calls) == (1, 1)


def test_hooks_that_come_from_a_file_are_not_overwritten():
    table = pickle.loads(pickle.dumps(Registered({(n := next(RemovableHandle._numbers)) + 1: len})))
    handle = RemovableHandle(table, abs)
    assert list(table.values()) == [len, abs] and handle.id != n + 1


def test_hooks_of_all_modules_can_be_cleared():
    every.register_module_forward_hook(lambda *_: pytest.fail("called"))
    every._global_forward_hooks.clear()
    assert nn.ReLU()(td.ones(1)).item() == 1


def test_hooks_that_are_always_called_see_what_failed_and_may_fail_themselves():
    layer, seen = nn.Linear(2, 2), []

    def fail(*_):
        raise ZeroDivisionError("of the hook")

    layer.register_forward_pre_hook(fail)
    layer.register_forward_hook(lambda module, args, out: seen.append(out), always_call=True)
    layer.register_forward_hook(lambda *_: pytest.fail("called"))
    layer.register_forward_hook(fail, always_call=True)
    with (
        pytest.warns(UserWarning, match="always_call=True of Linear raised ZeroDivisionError"),
        pytest.raises(ZeroDivisionError, match="of the hook"),
    ):
        layer(td.ones(1, 2))
    assert seen == [None]


# -- backward hooks ------------------------------------------------------------------------------------


def test_hooks_of_the_last_operation():
    layer, x, seen = nn.Sigmoid(), leaf(0), []

    def double(module, grad_input, grad_output):
        seen.append((type(module).__name__, grad_input[0].item(), grad_output[0].item()))
        return (grad_input[0] * 2,)

    with layer.register_backward_hook(double):
        layer(x * 1).sum().backward()
    assert seen == [("Sigmoid", 0.25, 1.0)] and x.grad.item() == 0.5
    with every.register_module_backward_hook(double):
        layer(x * 1).sum().backward()
    assert len(seen) == 2 and x.grad.item() == 1.0
    layer(x).sum().backward()
    assert len(seen) == 2


class Twice(nn.Module):
    def __init__(self, between):
        super().__init__()
        self.between = between

    def forward(self, x):
        return self.between(x)


@pytest.mark.parametrize(
    ("between", "given", "text"),
    [
        (lambda x: [x * 2, x * 3], leaf(1), "does not return a single Tensor or a tuple of Tensors: grad_output lacks"),
        (lambda x: {"n": 1, "a": x * 2}, leaf(1), "does not return a single Tensor or a tuple of Tensors"),
        (lambda x: x[0] * 2, [leaf(1)], "does not take as input a single Tensor or a tuple of Tensors: grad_input"),
        (lambda x: (x * 2, x * 3), leaf(1), "outputs are generated by different autograd Nodes"),
        (lambda x: x * 2 * 3, leaf(1), "forward contains multiple autograd Nodes"),
    ],
)
def test_hooks_of_the_last_operation_warn_of_what_they_miss(between, given, text):
    layer, seen = Twice(between), []
    layer.register_backward_hook(lambda module, *gradients: seen.append(gradients))
    with pytest.warns(FutureWarning, match=f"register_backward_hook is deprecated: got Twice, a module .*{text}"):
        out = layer(given)
    first = out["a"] if isinstance(out, dict) else out if isinstance(out, td.Tensor) else out[0]
    first.sum().backward()
    assert len(seen) == 1


def test_both_kinds_of_backward_hooks_are_not_mixed():
    layer = nn.ReLU()
    assert layer._is_full_backward_hook is None
    with layer.register_backward_hook(print):
        assert layer._is_full_backward_hook is False
        with pytest.raises(RuntimeError, match="register_full_backward_hook: got a module with hooks of register_b"):
            layer.register_full_backward_hook(print)
    with layer.register_full_backward_hook(print):
        assert layer._is_full_backward_hook is True
        with pytest.raises(RuntimeError, match="register_backward_hook: got a module with hooks of register_full_b"):
            layer.register_backward_hook(print)
    with every.register_module_full_backward_hook(print), pytest.raises(RuntimeError, match="got a process with hooks"):
        every.register_module_backward_hook(print)


def test_a_backward_hook_gives_no_gradient_where_no_input_requires_one():
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: (td.ones(1, 2),))
    with pytest.raises(RuntimeError, match="got gradients from it where no input requires a gradient, expected None"):
        layer(td.ones(1, 2)).sum().backward()


def test_what_backward_hooks_watch_is_not_changed_in_place():
    layer = Twice(lambda x: x.add_(1).clone())
    layer.register_full_backward_hook(lambda *_: None)
    with pytest.raises(RuntimeError, match="got a view that a Function returned"):
        layer(leaf(1) * 1)


# -- hooks on registration -----------------------------------------------------------------------------


def test_hooks_on_registration_see_and_replace_members():
    seen = []

    def note(module, name, member):
        seen.append((type(module).__name__, name, type(member).__name__))

    registering = (
        every.register_module_parameter_registration_hook,
        every.register_module_buffer_registration_hook,
        every.register_module_module_registration_hook,
    )
    with contextlib.ExitStack() as stack:
        for register in registering:
            stack.enter_context(register(note))
        model = nn.Sequential(nn.BatchNorm1d(2))
        model.scale = nn.Buffer(td.ones(1))
        model.scale = td.zeros(1)
        model[0] = nn.Identity()
    assert seen == [
        *(("BatchNorm1d", name, "Parameter") for name in ("weight", "bias")),
        *(("BatchNorm1d", name, "Tensor") for name in ("running_mean", "running_var", "num_batches_tracked")),
        ("Sequential", "0", "BatchNorm1d"),
        ("Sequential", "scale", "Buffer"),
        ("Sequential", "scale", "Tensor"),
        ("Sequential", "0", "Identity"),
    ]
    with every.register_module_module_registration_hook(lambda module, name, child: nn.Tanh()):
        assert isinstance(nn.Sequential(nn.ReLU())[0], nn.Tanh)
    assert isinstance(nn.Sequential(nn.ReLU())[0], nn.ReLU)
