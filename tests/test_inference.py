"""Inference mode: what its tensors are, and what they may not be used for."""

from __future__ import annotations

import threading

import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.core.graph import Node, observers
from tinygrad_dl.core.inference import memory
from tinygrad_dl.core.modes import recording
from tinygrad_dl.core.runtime import SCOPE


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    assert recording.inferring == 0 and not memory.known and not memory.noted and not memory.watching
    assert not observers.recorders and not observers.writers and SCOPE["new"] is object.__new__


def test_what_is_made_inside_is_an_inference_tensor():
    x = td.ones(2, 3, requires_grad=True)
    with td.inference_mode():
        made = [td.ones(2), td.rand(3), td.tensor([1.0]), td.randperm(4), x * 2, x.exp().sum(), *x.sort(dim=1)]
        made += [td.ones(2, requires_grad=True), made[0].view(-1), made[4][0], made[4].detach(), td.cat([x, x])]
        assert all(t.is_inference() and td.is_inference(t) for t in made)
        with td.inference_mode(False):
            assert not td.ones(2).is_inference() and (x * 2).requires_grad
        view = x.reshape(-1)
        assert not view.is_inference() and not x.is_inference()
    assert all(t.is_inference() for t in made) and not view.is_inference()
    assert not (made[0] + 1).is_inference() and not made[0].clone().is_inference()
    assert made[0].view(-1).is_inference()
    assert not td.ones(2).is_inference()


def test_what_was_made_before_stays_ordinary():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    with td.inference_mode():
        out = model.eval()(td.ones(2, 3))
        for parameter in model.parameters():
            parameter.mul_(0.5)
            assert not parameter.is_inference() and not parameter.detach().is_inference()
        state = model.state_dict()
    assert out.is_inference() and not any(t.is_inference() for t in state.values())
    model.train()(td.ones(2, 3)).sum().backward()
    assert all(p.grad is not None and not p.grad.is_inference() for p in model.parameters())


def test_what_they_may_not_be_used_for():
    x = td.ones(2, requires_grad=True)
    with td.inference_mode():
        y = td.ones(2)
        y.add_(1)
    assert (x + y).requires_grad  # nothing is saved
    assert not (y * y).requires_grad
    for use in (lambda: x * y, lambda: x.clone().mul_(y), lambda: x @ y.view(-1), lambda: x * y.detach()):
        with pytest.raises(RuntimeError, match=r"got an inference tensor of shape \(2,\), whose values its gradient"):
            use()
    with pytest.raises(RuntimeError, match="add_: got an inference tensor, expected a tensor that was made outside"):
        y.add_(1)
    with pytest.raises(RuntimeError, match="inference tensor"):
        y[0] = 1
    with pytest.raises(RuntimeError, match="requires_grad_: got an inference tensor"):
        y.requires_grad_()
    with pytest.raises(RuntimeError, match="_version: got an inference tensor"):
        _ = y._version
    assert y.requires_grad_(False) is y
    (x * y.clone()).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0] and type((x * 2)._edge) is Node
    with td.inference_mode():
        y.mul_(3)
    assert y.tolist() == [6.0, 6.0]


def test_functions_may_not_save_them_either():
    class Scale(td.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(y)
            return x * y

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0], None

    with td.inference_mode():
        y = td.ones(2)
    with pytest.raises(RuntimeError, match="whose values its gradient needs"):
        Scale.apply(td.ones(2, requires_grad=True), y)


def test_a_leaf_made_inside_may_get_a_gradient():
    with td.inference_mode():
        x = td.ones(2, requires_grad=True)
    w = td.ones(2, requires_grad=True)
    (x + w).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_nodes_are_looked_at_only_while_there_are_any():
    with td.inference_mode():
        y = td.ones(2)
    assert memory.known and memory.watching and "__init__" in vars(Node)
    del y
    assert not memory.known and "__init__" not in vars(Node)


def test_other_threads_are_not_in_the_mode():
    made = []
    with td.inference_mode():
        thread = threading.Thread(target=lambda: made.append(td.ones(2).exp()))
        thread.start()
        thread.join()
        inside = td.ones(2).exp()
    assert not made[0].is_inference() and inside.is_inference()


def test_many_temporaries_are_forgotten():
    with td.inference_mode():
        x = td.ones(2)
        for _ in range(2000):
            x = x + 1
        assert len(memory.noted) < 600 and x.is_inference()
    assert x.tolist() == [2001.0, 2001.0]


def test_decorated_and_nested():
    @td.inference_mode()
    def f(x):
        return x * 2

    with td.inference_mode(), td.inference_mode():
        assert td.is_inference_mode_enabled()
    assert f(td.ones(2, requires_grad=True)).is_inference() and not td.is_inference_mode_enabled()
    with pytest.raises(KeyError), td.inference_mode():
        raise KeyError
    assert not td.ones(1).is_inference()


@pytest.mark.parametrize("leaf", [False, True])
def test_views_of_ordinary_tensors_are_leaves_of_their_own(leaf):
    x = td.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x if leaf else x * 2
    with td.inference_mode():
        views = [y[:2], y.view(3)[:2], y.split([2, 1])[0], y.unbind()[0], y.unsqueeze(0).squeeze_(0).unsqueeze_(0)]
        for v in views:
            assert v.requires_grad and v.is_leaf and v.grad_fn is None and v._is_view() and not v.is_inference()
            assert not (v * 2).requires_grad
        assert not y.detach()[:2].requires_grad and not td.ones(3)[:2].requires_grad
        assert not td.ones(3, requires_grad=True)[:2].requires_grad  # of an inference tensor
        views[0].mul_(3)
        assert views[0].requires_grad and y._version == views[0]._version
    v = views[0]
    before = v.tolist()
    ((v * v).sum() + y.sum()).backward()
    assert v.grad.tolist() == [2 * each for each in before] and x.grad.tolist() == [[2.0] * 3, [1.0] * 3][leaf]
    assert views[0][:1].grad_fn is not None
    for change in (lambda: v.add_(1), lambda: v[:1].add_(1), lambda: v.unsqueeze_(0)):
        with pytest.raises(RuntimeError, match=r"got a (view|leaf)"):
            change()
    assert v.tolist() == before


@pytest.mark.parametrize("change", [lambda y: y.add_(1), lambda y: y.transpose_(0, 1), lambda y: y[0].mul_(2)])
def test_a_view_whose_base_is_changed_outside_of_the_mode_is_refused(change):
    x = td.ones(2, 2, requires_grad=True)
    y = x * 2
    with td.inference_mode():
        v = y.view(-1)
    change(y)
    assert v.requires_grad and "grad_fn=<View>" in repr(v)
    with pytest.raises(RuntimeError, match="grad_fn: got a view that was made under no_grad, whose base was changed"):
        _ = v.grad_fn
    with pytest.raises(RuntimeError, match="backward: got a view that was made under no_grad, whose base was changed"):
        v.sum().backward()
    y.sum().backward()
    assert x.grad is not None


def test_ordinary_tensors_changed_inside_stay_in_their_graph():
    x = td.ones(1, 2, 3, requires_grad=True)
    y = x * 2
    with td.inference_mode():
        y.add_(2).transpose_(0, 1)
        assert y.requires_grad and not y.is_inference() and y.view(-1).requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [[[2.0] * 3] * 2]
