"""Hooks, leaves, walking the graph, and the thread-local grad mode."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from leaves import leaf

import tinygrad_dl as td


def test_hooks_see_and_replace_gradients():
    x = leaf(1, 2)
    y = x * 3
    seen = []
    handle = y.register_hook(seen.append)
    x.register_hook(lambda g: g * 10)
    y.sum().backward()
    assert seen[0].tolist() == [1, 1] and x.grad.tolist() == [30, 30]
    handle.remove()
    (x * 3).sum().backward()
    assert len(seen) == 1


def test_a_leaf_hook_is_called_once_with_the_whole_gradient():
    x = leaf(1)
    seen = []
    x.register_hook(lambda g: seen.append(g.item()))
    (x + x * 2).sum().backward()
    assert seen == [3]


def test_a_hook_of_the_wrong_shape_is_refused():
    x = leaf(1, 2)
    x.register_hook(lambda g: td.ones(3))
    with pytest.raises(RuntimeError, match=r"got shape \(3,\) from .*lambda.*, expected the gradient's shape \(2,\)"):
        x.sum().backward()


def test_retain_grad_keeps_the_gradient_of_a_computed_tensor():
    x = leaf(2)
    y = x * 3
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [12] and x.grad.tolist() == [36]


def test_leaves_and_grad_fn():
    x = leaf(1)
    y = x * 2
    assert x.is_leaf and x.grad_fn is None and x.requires_grad
    assert not y.is_leaf and y.grad_fn.name() == "MulBackward0" and repr(y.grad_fn) == "<MulBackward0>"
    assert td.ones(1).is_leaf
    (parent, index), *_ = (y + 1).grad_fn.next_functions
    assert parent is y.grad_fn and index == 0
    assert parent.next_functions[0][0].variable is x
    assert y.detach().is_leaf and np.shares_memory(y.detach().numpy(), y.detach().data.numpy())


def test_a_dropped_output_of_a_multi_output_op_does_no_harm():
    x = leaf(1, 2, 3, 4)
    first, _ = x.split(2)
    first.sum().backward()
    assert x.grad.tolist() == [1, 1, 0, 0]
    x.grad = None
    first, second = x.split(2)
    (first * second + second).sum().backward()
    assert x.grad.tolist() == [3, 4, 2, 3]


def test_grad_modes_nest_and_restore():
    x = leaf(1)
    with td.no_grad():
        assert not (x * 2).requires_grad
        with td.enable_grad():
            assert (x * 2).requires_grad
        assert not td.is_grad_enabled()
    assert td.is_grad_enabled()
    with td.inference_mode():
        assert td.is_inference_mode_enabled() and not (x * 2).requires_grad
    with pytest.raises(ZeroDivisionError), td.no_grad():
        raise ZeroDivisionError
    assert td.is_grad_enabled()


def test_set_grad_enabled_acts_at_once_and_as_a_context_manager():
    with td.set_grad_enabled(False):
        assert not td.is_grad_enabled()
    assert td.is_grad_enabled()
    td.set_grad_enabled(False)
    assert not td.is_grad_enabled()
    td.set_grad_enabled(True)


def test_grad_modes_as_decorators():
    @td.no_grad()
    def off():
        return td.is_grad_enabled()

    @td.set_grad_enabled(False)
    def also_off():
        return td.is_grad_enabled()

    assert not off() and not also_off() and td.is_grad_enabled() and off.__name__ == "off"


def test_threads_do_not_disturb_each_others_grad_mode():
    entered, leave = threading.Event(), threading.Event()
    modes = []

    def other():
        modes.append(td.is_grad_enabled())
        with td.no_grad():
            entered.set()
            leave.wait(10)

    with td.no_grad():
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait(10)
    modes.append(td.is_grad_enabled())
    leave.set()
    thread.join()
    assert modes == [True, True]


def test_threads_bring_gradients_to_the_same_leaf():
    x = td.zeros(1, dtype=td.float64, requires_grad=True)
    threads = [threading.Thread(target=lambda: [(x * 1).sum().backward() for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.grad.item() == 800


def test_the_class_of_a_node_has_its_name():
    class Double(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = td.ones(2, requires_grad=True)
    y = x * 3
    assert type(y.grad_fn).__name__ == "MulBackward0" and type(y.grad_fn) is type((y * y).grad_fn)
    assert type(y.grad_fn.next_functions[0][0]).__name__ == "AccumulateGrad"
    assert type(Double.apply(x).grad_fn).__name__ == "DoubleBackward"
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
