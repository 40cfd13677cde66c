"""In-place changes: recorded where that is right, refused where the gradient would be wrong."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
from leaves import leaf

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.autograd.graph import saved_tensors_hooks
from tinygrad_dl.core.mutations import mutations
from tinygrad_dl.nn import functional as F


def test_in_place_operations_are_recorded():
    x = leaf(1, 2)
    y = x * 3
    y += x
    y.mul_(2)
    y.sum().backward()
    assert x.grad.tolist() == [8, 8]


def test_a_saved_value_changed_in_place_is_an_error_that_names_the_line():
    x = leaf(1, 2)
    y = x * 2
    z = y * y
    y.add_(1)
    with pytest.raises(
        RuntimeError, match=r"got a value of shape \(2,\) that was changed in place afterwards, by add_ at"
    ):
        z.sum().backward()


def test_a_change_through_a_view_is_noticed_too():
    buffer = td.ones(4)
    x = td.ones(4, requires_grad=True)
    z = x * buffer
    buffer[1:3] = 5
    with pytest.raises(RuntimeError, match="changed in place"):
        z.sum().backward()


def test_a_change_that_no_rule_needs_is_allowed():
    x = leaf(1, 2)
    y = x * 2
    z = y + 1
    y.mul_(5)
    z.sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_a_leaf_is_not_changed_while_recording():
    x = leaf(1, 2)
    with pytest.raises(RuntimeError, match=r"leaf tensor.*td\.no_grad\(\)"):
        x.add_(1)
    assert x.tolist() == [1, 2]
    with td.no_grad():
        x.add_(1)
    assert x.tolist() == [2, 3]


def test_views_and_their_base_follow_each_other():
    x = leaf(1, 2)
    y = x * 2
    view = y[:1]
    view.mul_(3)
    assert y.tolist() == [6, 4]
    y.mul_(5)  # the view shows the new values, and has their gradients
    (view * 1).sum().backward()
    assert x.grad.tolist() == [2 * 3 * 5, 0]


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.sin_(),
        lambda x: x.mul_(x),
        lambda x: nn.functional.elu(x, inplace=True),
        lambda x: nn.SiLU(inplace=True)(x),
        lambda x: nn.LeakyReLU(inplace=True)(x),
        lambda x: nn.Hardswish(inplace=True)(x),
        lambda x: nn.Threshold(0.5, 2.0, inplace=True)(x),
    ],
)
def test_a_change_whose_own_rule_reads_the_old_values(change):
    start = leaf(-1.5, 0.25, 2)
    x = start * 1
    changed = change(x)
    assert changed is x
    (g,) = td.autograd.grad(x.sum(), start, create_graph=True)
    slope = (change(start + 1e-3) - change(start - 1e-3)).detach().numpy() / 2e-3
    np.testing.assert_allclose(g.detach().numpy(), slope, atol=2e-3)
    if g.requires_grad:
        td.autograd.grad(g.sum(), start)


def test_in_place_results_must_fit():
    x = td.ones(2)
    with pytest.raises(
        RuntimeError, match=r"got a result of shape \(3, 2\), expected the tensor's shape \(2,\), into which it"
    ):
        x.add_(td.ones(3, 2))
    with pytest.raises(RuntimeError, match="got a result of dtype float32, expected one that can be stored in place"):
        td.tensor([1, 2]).add_(0.5)
    assert x.tolist() == [1, 1]


def test_overwriting_cuts_the_old_graph():
    x = leaf(1, 2)
    y = x * 2
    y.normal_()
    assert not y.requires_grad
    z, w = x * 2, x * 3
    z.copy_(x * 7)
    w.fill_(5)
    (z + w).sum().backward()
    assert x.grad.tolist() == [7, 7]
    with td.no_grad():
        w = x * 3
    w.zero_()
    assert w.tolist() == [0, 0]


def test_writing_into_integers_or_bools_records_nothing():
    x = leaf(1.5, 0)
    whole, truth, rows = td.zeros(2, dtype=td.int64), td.zeros(2, dtype=td.bool), td.zeros(2, 2, dtype=td.int32)
    whole.copy_(x)
    truth[...] = x
    rows[0] = x
    assert not (whole.requires_grad or truth.requires_grad or rows.requires_grad)
    assert whole.tolist() == [1, 0]
    assert truth.tolist() == [True, False]
    assert rows.tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize(
    "change",
    [
        lambda base, w: base.add_(w),
        lambda base, w: base.mul_(w),
        lambda base, w: base.copy_(td.ones(2, 2) * w),
        lambda base, w: base.__setitem__(0, w),
        lambda base, w: base[:1].masked_fill_(base[:1] == 0, w.sum()),
    ],
)
@pytest.mark.parametrize(
    "look", [lambda base: base[0], lambda base: base.T, lambda base: base.split(1)[1], lambda base: base[:1][0]]
)
def test_views_from_before_their_base_joined_the_graph_have_its_gradients(look, change):
    base, w = td.zeros(2, 2), leaf(1, 2)
    view = look(base)
    change(base, w)
    assert view.requires_grad
    weight = td.tensor([2.0, 3.0])
    (found,) = td.autograd.grad((view * weight).sum(), w, retain_graph=True)
    (expected,) = td.autograd.grad((look(base) * weight).sum(), w)
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("pieces", [lambda y: y.split(2), lambda y: y.chunk(2), lambda y: y.unbind()])
def test_a_recorded_change_of_one_of_several_views_is_refused(pieces):
    base, w = td.zeros(4), leaf(1)
    for piece in pieces(base):
        with pytest.raises(RuntimeError, match="one of several views that one operation made"):
            piece.add_(w)
        with pytest.raises(RuntimeError, match="one of several views that one operation made"):
            piece[...] = w
    assert base.tolist() == [0, 0, 0, 0]
    for piece in base.tensor_split(2):
        piece.add_(w)
    assert base.tolist() == [1, 1, 1, 1]
    base.sum().backward()
    assert w.grad.tolist() == [4]


def test_only_as_many_views_are_remembered_as_there_are():
    base = td.zeros(3)
    kept = [base[:1] for _ in range(20)]
    for _ in range(1000):
        base[1:]
    assert len(base._views) <= 2 * len(kept) + 16
    base.add_(leaf(1, 2, 3))
    assert all(view.requires_grad for view in kept)


def test_what_is_retained_is_the_gradient_of_the_newest_value():
    x = leaf(1, 2)
    a = x * 1
    a.retain_grad()
    a.mul_(2)
    a.sum().backward()
    assert a.grad.tolist() == [1, 1]
    assert x.grad.tolist() == [2, 2]
    var, mean = td.var_mean(leaf(1, 2, 6), dim=0)
    mean.retain_grad()
    mean.mul_(3)
    (mean + var).backward()
    assert mean.grad.item() == 1
    a = x * 1
    a.retain_grad()
    a.register_hook(lambda g: g * 5)  # what is retained has gone through all hooks
    a.sum().backward()
    assert a.grad.tolist() == [5, 5]


@pytest.mark.parametrize(
    "view", [lambda y: y[:1], lambda y: y[1:][:1], lambda y: y.detach()[:1], lambda y: y.view(2, 1)]
)
def test_a_change_under_no_grad_of_any_view_is_noticed(view):
    y = leaf(1, 2, 3, 4)[:2] * 2
    z = y * y
    with td.no_grad():
        view(y).zero_()
    with pytest.raises(RuntimeError, match="changed in place afterwards, by zero_"):
        z.sum().backward()


def test_a_change_before_the_operation_is_none_to_it():
    x, other = leaf(1, 2), td.zeros(1)
    y = x * 1
    with td.no_grad():
        y.mul_(3)
    z = y * y
    other.add_(1)  # a later change, so that the pass looks at all
    z.sum().backward()
    assert x.grad.tolist() == [6, 12]


def test_a_change_by_a_hook_during_the_pass_is_noticed():
    x = leaf(1, 2)
    y = x * 2
    z = y * y

    def spoil(g):
        y.detach().zero_()

    (z * 1).register_hook(spoil)
    last = z * 1
    last.register_hook(spoil)
    with pytest.raises(RuntimeError, match="changed in place afterwards, by zero_"):
        last.sum().backward()


def test_a_buffer_that_is_gone_leaves_nothing_in_the_log():
    before = len(mutations.log)
    changed = [td.zeros(3).add_(1) for _ in range(10)]
    assert len(mutations.log) == before + 10
    changed.clear()
    assert len(mutations.log) == before


@pytest.mark.parametrize("kind", [td.optim.SGD, td.optim.Adam])
def test_a_step_of_the_optimiser_between_forward_and_backward_is_noticed(kind):
    w, b = leaf(1, 2), leaf(3)  # two, which become pieces of one buffer
    optimizer = kind([w, b], lr=0.1)
    for _ in range(2):
        w.grad, b.grad = td.ones(2), td.ones(1)
        optimizer.step()
    loss = (w * w).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match=f"changed in place afterwards, by {kind.__name__}"):
        loss.backward()


def test_views_join_the_graph_with_their_base():
    base = td.ones(3)
    view = base[:2]
    base.requires_grad_()
    assert view.requires_grad
    assert not view.is_leaf
    (view * 2 + base[:2]).sum().backward()
    assert base.grad.tolist() == [3.0, 3.0, 0.0]
    with pytest.raises(RuntimeError, match="got a view of a leaf tensor that requires a gradient"):
        view.add_(1)
    with td.no_grad():
        view.add_(1)
    assert base.tolist() == [2, 2, 1]


@pytest.mark.parametrize(
    ("operation", "option", "expected"),
    [
        (lambda x, alpha: td.addmm(td.zeros(2, 2), x, td.ones(2, 2), alpha=alpha), 2.0, 4.0),
        (lambda x, slope: nn.functional.leaky_relu(-x, slope), 0.5, -0.5),
        (lambda x, value: td.addcdiv(td.zeros(2, 2), x, td.ones(2, 2), value=value), 3.0, 3.0),
    ],
    ids=["addmm", "leaky_relu", "addcdiv"],
)
def test_a_number_given_as_a_tensor_is_read_once(operation, option, expected):
    number, x = td.tensor(option), td.ones(2, 2, requires_grad=True)
    y = operation(x, number)
    number.add_(1)
    y.sum().backward()
    assert x.grad.tolist() == [[expected] * 2] * 2


def test_repeats_that_were_changed_are_noticed():
    repeats = td.tensor([2, 1])
    y = td.ones(2, 2, requires_grad=True).repeat_interleave(repeats, 0)
    repeats.copy_(td.tensor([1, 2]))
    with pytest.raises(RuntimeError, match="changed in place afterwards, by copy_ at"):
        y.sum().backward()


def test_what_is_expanded_to_nothing_may_be_changed_in_the_graph():
    x = td.ones(1, 3, requires_grad=True)
    y = 2 * x
    y.expand(0, 3).mul_(td.ones(3, requires_grad=True))
    assert td.autograd.grad(y.sum(), x)[0].tolist() == [[2.0, 2.0, 2.0]]


@pytest.mark.parametrize("kind", [td.nn.RNN, td.nn.LSTM, td.nn.GRU])
def test_the_last_state_of_a_recurrent_layer_can_leave_the_graph_in_place(kind):
    _, state = kind(2, 3)(td.ones(4, 1, 2))
    for each in state if isinstance(state, tuple) else (state,):
        assert each.requires_grad and not each._is_view()
        each.detach_()
        assert not each.requires_grad and each.grad_fn is None


RESULTS = {
    "div": lambda x: x / (x + 2),
    "erfinv": lambda x: td.erfinv(x / 4),
    "hardshrink": lambda x: td.hardshrink(x, 0.3),
    "hardtanh": lambda x: F.hardtanh(x, -0.5, 0.5),
    "relu6": lambda x: F.relu6(4 * x),
    "silu": F.silu,
    "softshrink": lambda x: F.softshrink(x, 0.3),
    "max_pool2d": lambda x: F.max_pool2d(x, 2),
    "adaptive_max_pool2d": lambda x: F.adaptive_max_pool2d(x, 3),
    **{
        f"{name}{' batch_first' * first}": lambda x, name=name, first=first: recurrent(name, first)(x[0])[0]
        for name in ("RNN", "LSTM", "GRU")
        for first in (False, True)
    },
}


def recurrent(name, batch_first):
    td.manual_seed(0)
    return getattr(nn, name)(4, 3, batch_first=batch_first).double()


def _under_no_grad(out):
    with td.no_grad():
        out.mul_(3.0)


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize(
    ("change", "scale"),
    [
        (lambda out: out.add_(1.0), 1.0),
        (lambda out: out.mul_(2.0), 2.0),
        (lambda out: out.view_as(out)[..., :].mul_(2.0), 2.0),
        (lambda out: out.__setitem__(..., out * 2.0), 2.0),
        (_under_no_grad, 1.0),
    ],
    ids=["add_", "mul_", "view", "setitem", "no_grad"],
)
@pytest.mark.parametrize("hooks", [False, True])
def test_results_that_pytorchs_rules_do_not_read_may_be_changed(name, change, scale, hooks):
    """Their own rules read them here, and get the values from before."""
    data = np.random.default_rng(1).uniform(-1, 1, (2, 3, 4, 4))
    x = td.tensor(data, requires_grad=True)
    RESULTS[name](x).sum().backward()
    expected, x.grad = x.grad * scale, None
    with saved_tensors_hooks(lambda t: t, lambda t: t) if hooks else nullcontext():
        out = RESULTS[name](x)
        change(out)
    out.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), expected.numpy(), rtol=1e-12)


def test_results_that_pytorchs_rules_read_may_not_be_changed():
    for function in (td.exp, td.tanh, td.sigmoid, td.relu, td.sqrt):
        out = function(td.ones(3, requires_grad=True) * 1)
        out.add_(1.0)
        with pytest.raises(RuntimeError, match="that was changed in place afterwards, by add_"):
            out.sum().backward()


def test_a_copy_is_kept_of_a_result_that_is_changed_and_of_no_other():
    x = td.rand(64, 64, requires_grad=True)
    left, changed = F.silu(x), F.silu(x)
    changed.add_(1.0)
    kept = [{id(a) for a in out.node.kept_arrays()} for out in (left._edge, changed._edge.edges[0])]
    assert id(left._data) in kept[0] and id(changed._data) not in kept[1]


def test_stack_keeps_no_tensors():
    leaves = [td.ones(2, requires_grad=True) for _ in range(2)]
    x, y = (each * 1 for each in leaves)
    out = td.stack([x, y])
    x.add_(1.0)
    assert not list(out._edge.kept_arrays())
    (out * td.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert [each.grad.tolist() for each in leaves] == [[1.0, 2.0], [3.0, 4.0]]
