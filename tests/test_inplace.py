"""In-place changes: recorded where that is right, refused where the gradient would be wrong."""

from __future__ import annotations

import numpy as np
import pytest
from leaves import leaf

import tinygrad_dl as td
from tinygrad_dl import nn


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
    with pytest.raises(RuntimeError, match=r"gradient of Mul needs a value.*by add_ at .*test_inplace\.py:\d+.*clone"):
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


def test_recorded_changes_of_views_are_refused_rather_than_wrong():
    x = leaf(1, 2)
    y = x * 2
    view = y[:1]
    with pytest.raises(RuntimeError, match="in-place change of a view is not supported"):
        view.mul_(3)
    assert y.tolist() == [2, 4]
    y.mul_(3)  # now `view` shows other values than its graph says
    with pytest.raises(RuntimeError, match="view whose base was changed in place"):
        view.sum().backward()


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
    with pytest.raises(RuntimeError, match=r"shape \(3, 2\), which does not fit in place into shape \(2,\)"):
        x.add_(td.ones(3, 2))
    with pytest.raises(RuntimeError, match="float32 can't be stored in place in dtype int64"):
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
