"""Checkpoints that keep the results of some operations: utils.checkpoint.create_selective_checkpoint_contexts."""

from __future__ import annotations

import functools

import pytest

import tinygrad_dl as td
from tinygrad_dl.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts


def f(x, w):
    return td.matmul(td.matmul(x, w).sin(), w).exp()


@pytest.fixture
def calls(monkeypatch):
    """Counts how often products and sines are computed."""
    counts = {"matmul": 0, "sin": 0}
    for op in (td.matmul.op, td.sin.op):

        def counted(*args, forward=op.forward, name=op.name):
            counts[name] += 1
            return forward(*args)

        monkeypatch.setattr(op, "forward", counted)
        monkeypatch.setitem(op.function.__globals__, "forward", counted)
    return counts


def run(policy, calls, **options):
    """The gradients with a policy, and how often was computed what in the second run."""
    td.manual_seed(0)
    x, w = td.rand(2, 3, requires_grad=True), td.rand(3, 3, requires_grad=True)
    context_fn = functools.partial(create_selective_checkpoint_contexts, policy, **options)
    out = checkpoint(f, x, w, use_reentrant=False, context_fn=context_fn)
    before = dict(calls)
    out.sum().backward()
    again = {name: calls[name] - before[name] for name in calls}
    expected = td.autograd.grad(f(x, w).sum(), [x, w])
    assert td.equal(x.grad, expected[0]) and td.equal(w.grad, expected[1])
    return again


def test_what_a_list_names_is_not_computed_again(calls):
    assert run([td.matmul], calls) == {"matmul": 0, "sin": 1}
    assert run([td.sin, td.matmul], calls) == {"matmul": 0, "sin": 0}
    assert run([], calls) == {"matmul": 2, "sin": 1}


def test_policies(calls):
    seen = []

    def policy(ctx, op, *args, **kwargs):
        seen.append((op.__name__, ctx.is_recompute, [tuple(a.shape) for a in args]))
        return CheckpointPolicy.MUST_SAVE if op is td.matmul else CheckpointPolicy.PREFER_RECOMPUTE

    assert run(policy, calls) == {"matmul": 0, "sin": 1}
    assert seen == [
        ("matmul", False, [(2, 3), (3, 3)]),
        ("sin", False, [(2, 3)]),
        ("matmul", False, [(2, 3), (3, 3)]),
        ("exp", False, [(2, 3)]),
    ]
    turns = iter([True, False, False, False])
    assert run(lambda ctx, op, *args: next(turns), calls) == {"matmul": 1, "sin": 1}
    assert (
        "forward" in td.exp.op.function.__globals__ and td.exp.op.function.__globals__["forward"] is td.exp.op.forward
    )


def test_a_second_pass_computes_again(calls):
    x, w = td.rand(2, 3, requires_grad=True), td.rand(3, 3)
    context_fn = functools.partial(create_selective_checkpoint_contexts, [td.matmul])
    out = checkpoint(f, x, w, use_reentrant=False, context_fn=context_fn)
    first = td.autograd.grad(out.sum(), x, retain_graph=True)[0]
    before = calls["matmul"]
    assert td.equal(td.autograd.grad(out.sum(), x)[0], first) and calls["matmul"] > before


def test_what_was_kept_and_changed_is_noticed():
    def g(x):
        return x.sin().mul_(2).cos().exp()

    for allowed in (False, True):
        x = td.tensor([0.5, 1.0], requires_grad=True)
        context_fn = functools.partial(
            create_selective_checkpoint_contexts, [td.sin], allow_cache_entry_mutation=allowed
        )
        out = checkpoint(g, x, use_reentrant=False, context_fn=context_fn)
        if allowed:
            out.sum().backward()
        else:
            with pytest.raises(RuntimeError, match="got a result of sin that was kept and has been changed"):
                out.sum().backward()


def test_several_results():
    def g(x):
        values, _ = x.sort()
        return values * values

    x = td.tensor([3.0, 1.0], requires_grad=True)
    context_fn = functools.partial(create_selective_checkpoint_contexts, [td.sort])
    checkpoint(g, x, use_reentrant=False, context_fn=context_fn).sum().backward()
    assert x.grad.tolist() == [6.0, 2.0]


def test_refusals():
    with pytest.raises(ValueError, match="got 2 in the list, expected operations"):
        create_selective_checkpoint_contexts([2])
    with pytest.raises(TypeError, match="got int, expected a function or a list of operations"):
        create_selective_checkpoint_contexts(2)
