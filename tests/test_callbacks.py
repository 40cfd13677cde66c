"""Callbacks that a backward pass calls at its end: `td.autograd.Variable._execution_engine.queue_callback`."""

from __future__ import annotations

import threading

import pytest

import tinygrad_dl as td

queue_callback = td.autograd.Variable._execution_engine.queue_callback


class Queues(td.autograd.Function):
    """The identity, whose backward queues a callback."""

    @staticmethod
    def forward(ctx, x, callback):
        ctx.callback = callback
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        queue_callback(ctx.callback)
        return g, None


@pytest.mark.parametrize("asked_for", ["backward", "backward of inputs", "grad", "create_graph"])
def test_a_callback_is_called_once_when_all_gradients_are_there(asked_for):
    seen = []
    x, w = td.tensor([1.0, 2.0], requires_grad=True), td.tensor(3.0, requires_grad=True)
    y = (Queues.apply(x, lambda: seen.append((x.grad, w.grad))) * w).sum()
    if asked_for == "grad":
        assert [g.tolist() for g in td.autograd.grad(y, (x, w))] == [[3.0, 3.0], 3.0]
        assert seen == [(None, None)]
    elif asked_for == "backward of inputs":
        y.backward(inputs=[x])
        assert len(seen) == 1 and seen[0][0].tolist() == [3.0, 3.0] and seen[0][1] is None
    else:
        y.backward(create_graph=asked_for == "create_graph")
        assert [(a.tolist(), b.tolist()) for a, b in seen] == [([3.0, 3.0], 3.0)]
    (x * 2).sum().backward()
    assert len(seen) == 1  # another pass is not its own


def test_callbacks_are_called_in_order_and_queue_others():
    order = []

    def first():
        order.append("first")
        queue_callback(lambda: order.append("third"))

    x = td.ones(2, requires_grad=True)
    Queues.apply(Queues.apply(x, lambda: order.append("second")), first).sum().backward()
    assert order == ["first", "second", "third"]


def test_a_pass_inside_of_another_has_its_own_callbacks():
    order = []

    class Reenters(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            queue_callback(lambda: order.append("outer"))
            with td.enable_grad():
                inner = Queues.apply(g.detach().requires_grad_(), lambda: order.append("inner")).sum()
            inner.backward()
            order.append("between")
            return g

    x = td.ones(2, requires_grad=True)
    Reenters.apply(x).sum().backward()
    assert order == ["inner", "between", "outer"] and x.grad.tolist() == [1.0, 1.0]


def test_hooks_queue_callbacks_and_a_pass_that_raises_calls_none():
    called = []
    x = td.ones(2, requires_grad=True)

    def fails(g):
        queue_callback(lambda: called.append(1))
        raise ValueError("no")

    with x.register_hook(fails), pytest.raises(ValueError, match="no"):
        x.sum().backward()
    with x.register_hook(lambda g: queue_callback(lambda: called.append(2))):
        x.sum().backward()
    assert called == [2]


def test_without_a_pass_in_this_thread_it_is_refused():
    raised = []

    def elsewhere():
        try:
            queue_callback(print)
        except RuntimeError as error:
            raised.append(str(error))

    def hook(g):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    x = td.ones(2, requires_grad=True)
    x.register_hook(hook)
    x.sum().backward()
    elsewhere()
    assert len(raised) == 2 and all(
        "queue_callback: got a callback outside of a backward pass" in each for each in raised
    )
    with pytest.raises(TypeError, match="queue_callback: got 3"):
        queue_callback(3)
