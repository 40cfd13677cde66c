"""`utils.checkpoint`: the same gradients with less memory, whatever the function does."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.utils.checkpoint import (
    CheckpointError,
    checkpoint,
    checkpoint_sequential,
    set_checkpoint_debug_enabled,
    set_checkpoint_early_stop,
)

WAYS = pytest.mark.parametrize("reentrant", [False, True])


def network(layers=6):
    td.manual_seed(0)
    steps = [step for _ in range(layers) for step in (nn.Linear(8, 8), nn.Tanh())]
    return nn.Sequential(*steps)


def gradients(model, x, run):
    model.zero_grad()
    x.grad = None
    run(x).square().sum().backward()
    return [p.grad.numpy().copy() for p in (x, *model.parameters())]


@WAYS
def test_gradients_are_those_of_the_plain_function(reentrant):
    model, x = network(), td.randn(3, 8, requires_grad=True)
    right = gradients(model, x, model)
    for got, expected in zip(
        gradients(model, x, lambda x: checkpoint(model, x, use_reentrant=reentrant)), right, strict=True
    ):
        assert np.array_equal(got, expected)
    for segments in (1, 2, 5):
        run = lambda x, n=segments: checkpoint_sequential(model, n, x, use_reentrant=reentrant)  # noqa: E731
        for got, expected in zip(gradients(model, x, run), right, strict=True):
            assert np.array_equal(got, expected)


@WAYS
def test_the_function_runs_twice_and_keeps_nothing_in_between(reentrant):
    runs = []

    def f(x):
        runs.append(td.is_grad_enabled())
        return x.exp().sin().exp()

    x = td.randn(100, requires_grad=True)
    y = checkpoint(f, x, use_reentrant=reentrant)
    assert len(runs) == 1
    nodes, kept = [y.grad_fn], 0
    while nodes:
        node = nodes.pop()
        kept += getattr(node, "nbytes", 0)
        nodes += [n for n, _ in node.next_functions if n is not None]
    assert kept <= x.nbytes
    y.sum().backward()
    assert len(runs) == 2 and runs[1]
    expected = x.detach().requires_grad_()
    f(expected).sum().backward()
    assert np.array_equal(x.grad.numpy(), expected.grad.numpy())


@WAYS
def test_random_numbers_are_the_same_in_both_runs(reentrant):
    drop = nn.Dropout(0.5)
    x = td.ones(1000, requires_grad=True)
    td.manual_seed(3)
    y = checkpoint(lambda x: drop(x) * x, x, use_reentrant=reentrant)
    after = td.rand(1).item()
    td.manual_seed(4)
    y.sum().backward()
    number = td.rand(1).item()
    td.manual_seed(4)
    assert td.rand(1).item() == number
    assert np.array_equal(x.grad.numpy(), 2 * y.detach().numpy())
    td.manual_seed(3)
    drop(x)
    assert td.rand(1).item() == after


def test_without_the_random_state_they_differ():
    td.manual_seed(0)
    x = td.ones(1000, requires_grad=True)
    y = checkpoint(lambda x: nn.functional.dropout(x, 0.5) * x, x, use_reentrant=False, preserve_rng_state=False)
    y.sum().backward()
    assert not np.array_equal(x.grad.numpy(), 2 * y.detach().numpy())


def test_early_stop_ends_the_second_run_when_all_is_known():
    log = []

    def f(x):
        log.append("start")
        y = x.exp()
        log.append("end")
        return y + 1

    x = td.tensor(0.0, requires_grad=True)
    checkpoint(f, x, use_reentrant=False).backward()
    assert log == ["start", "end", "start"]
    log.clear()
    checkpoint(f, x, use_reentrant=False, early_stop=False).backward()
    assert log == ["start", "end"] * 2
    log.clear()
    with set_checkpoint_early_stop(False):
        y = checkpoint(f, x, use_reentrant=False)
    y.backward()
    assert log == ["start", "end"] * 2


@pytest.mark.parametrize("early_stop", [True, False])
def test_nested(early_stop):
    runs = {"outer": 0, "inner": 0}

    def inner(x, w):
        runs["inner"] += 1
        return (x * w).exp().sin()

    def outer(x, w):
        runs["outer"] += 1
        y = checkpoint(inner, x.sin(), w, use_reentrant=False)
        return checkpoint(inner, y, w, use_reentrant=False).cos()

    x, w = td.randn(5, requires_grad=True), td.randn(5, requires_grad=True)
    right = td.autograd.grad(((x.sin() * w).exp().sin() * w).exp().sin().cos().sum(), (x, w))
    with set_checkpoint_early_stop(early_stop):
        y = checkpoint(outer, x, w, use_reentrant=False)
        found = td.autograd.grad(y.sum(), (x, w))
    for got, expected in zip(found, right, strict=True):
        np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-6)
    assert runs["outer"] >= 2 and runs["inner"] >= 4


def test_backward_inside_of_the_function():
    def slope(x):
        (g,) = td.autograd.grad((x**4).sum(), x, create_graph=True)
        return g

    for early_stop in (True, False):
        x = td.tensor([1.0, 2.0], requires_grad=True)
        y = checkpoint(slope, x, use_reentrant=False, early_stop=early_stop)
        y.sum().backward()
        assert x.grad.tolist() == [12.0, 48.0]


def test_second_order_and_grad():
    x = td.tensor([1.0, 2.0], requires_grad=True)
    y = checkpoint(lambda x: x**4, x, use_reentrant=False)
    (g,) = td.autograd.grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [4.0, 32.0]
    assert td.autograd.grad(g.sum(), x)[0].tolist() == [12.0, 48.0]


def test_a_graph_may_be_gone_through_twice():
    runs = []
    x = td.tensor([1.0, 2.0], requires_grad=True)
    y = checkpoint(lambda x: runs.append(1) or x.exp().exp(), x, use_reentrant=False).sum()
    y.backward(retain_graph=True)
    first = x.grad.numpy().copy()
    y.backward()
    assert np.array_equal(x.grad.numpy(), 2 * first) and len(runs) == 3


def test_arguments_and_results_of_any_kind():
    def f(x, n, *, scale, w):
        return {"a": x * w * scale}, n

    x, w = td.tensor([1.0], requires_grad=True), td.tensor([5.0], requires_grad=True)
    found, n = checkpoint(f, x, "text", use_reentrant=False, scale=3, w=w)
    found["a"].backward()
    assert n == "text" and x.grad.item() == 15 and w.grad.item() == 3
    y, n = checkpoint(lambda x, n, t: (x * n, n), x, 7, None, use_reentrant=True)
    y.backward()
    assert n == 7 and x.grad.item() == 22


def test_contexts_for_both_runs():
    log = []

    @contextlib.contextmanager
    def note(what):
        log.append(what)
        yield
        log.append(f"end of {what}")

    x = td.tensor(0.0, requires_grad=True)
    y = checkpoint(lambda x: x.exp(), x, use_reentrant=False, context_fn=lambda: (note("first"), note("second")))
    assert log == ["first", "end of first"]
    with contextlib.suppress(BaseException):
        y.backward()
    assert log[2] == "second" and x.grad.item() == 1


def test_a_second_run_that_differs_is_noticed():
    runs = []

    def more(x):
        runs.append(1)
        return x.exp().exp() if len(runs) == 1 else x.exp().exp().exp()

    def other(x):
        runs.append(1)
        return (x if len(runs) == 1 else x[:1]).exp().exp()

    def fewer(x):
        runs.append(1)
        return x.exp().exp() if len(runs) == 1 else x.exp()

    x = td.tensor([0.1, 0.2], requires_grad=True)
    for function, text in ((other, "got other tensors"), (fewer, "another number of tensors"), (more, "3, expected")):
        runs.clear()
        y = checkpoint(function, x, use_reentrant=False, early_stop=False)
        with pytest.raises(CheckpointError, match=text):
            y.sum().backward()
    runs.clear()
    with set_checkpoint_debug_enabled(True):
        y = checkpoint(other, x, use_reentrant=False)
    with pytest.raises(CheckpointError) as caught:
        y.sum().backward()
    assert "saved tensor 0: got float32 (1,), expected float32 (2,)" in str(caught.value)
    assert "first run: float32 (2,), float32 (2,)" in str(caught.value)
    runs.clear()
    y = checkpoint(more, x, use_reentrant=False, determinism_check="none", early_stop=False)
    y.sum().backward()
    assert x.grad is not None


def test_values_are_computed_again_after_a_parameter_was_changed():
    w, x = td.tensor([2.0], requires_grad=True), td.tensor([1.0], requires_grad=True)
    y = checkpoint(lambda x: (x * w).exp() * x, x, use_reentrant=False)
    td.autograd.grad(y, w, retain_graph=True)
    with td.no_grad():
        w += 1
    with contextlib.suppress(RuntimeError):
        y.backward(retain_graph=True)
    assert x.grad is None or np.allclose(x.grad.numpy(), np.exp(3) * 4)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: checkpoint(td.exp, x, use_reentrant=True, k=1), ValueError, "got k with use_reentrant=True"),
        (lambda x: checkpoint(td.exp, x, use_reentrant=True, debug=True), ValueError, "expected use_reentrant=False"),
        (lambda x: checkpoint(td.exp, x, use_reentrant=False, determinism_check="x"), ValueError, "'default', 'none'"),
        (lambda x: checkpoint_sequential([td.exp], 1, x, use_reentrant=False, k=1), ValueError, "got k, expected"),
        (
            lambda x: td.autograd.grad(checkpoint(td.exp, x, use_reentrant=True).sum(), x),
            RuntimeError,
            r"got autograd.grad\(\), or backward\(inputs=...\), with use_reentrant=True",
        ),
        (
            lambda x: checkpoint(lambda x: x.detach() * 2, x, use_reentrant=True).sum().backward(),
            RuntimeError,
            "none of the outputs requires a gradient",
        ),
    ],
)
def test_misuse_is_explained(call, error, text):
    x = td.ones(2, requires_grad=True)
    with pytest.raises(error, match=text):
        call(x)
    checkpoint(td.exp, x, use_reentrant=True).sum().backward()  # it works afterwards
    assert x.grad is not None


def test_warnings():
    x = td.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="use_reentrant should be passed"):
        checkpoint(td.exp, x)
    with pytest.warns(UserWarning, match="use_reentrant should be passed"):
        checkpoint_sequential([td.exp], 1, x)
    with pytest.warns(UserWarning, match="no argument requires a gradient"):
        checkpoint(td.exp, td.ones(2), use_reentrant=True)
    with td.no_grad():
        assert not checkpoint(td.exp, x, use_reentrant=False).requires_grad
