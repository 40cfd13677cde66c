"""Hooks of modules: backward hooks in higher orders, gradients that they replace, hooks of all modules."""

from __future__ import annotations

import numpy as np
import pytest
from leaves import leaf

import tinygrad_dl as td
from tinygrad_dl import autograd, nn
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
