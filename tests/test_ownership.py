"""Who holds a gradient's array: nothing that a user, a rule or a hook can hold is ever added into."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leaves import leaf

import tinygrad_dl as td
from tinygrad_dl.core.engine import held_alone

KEPT = np.array([4.0, 4.0])


class Rule(td.autograd.Function):
    """Adds its two arguments; `kind` says which arrays its gradients are. Each is worth g * 2 where g is ones."""

    @staticmethod
    def forward(ctx: Any, a: Any, b: Any, kind: str) -> Any:
        ctx.kind = kind
        ctx.save_for_backward(a)
        return a + b

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        if ctx.kind == "passed on":
            return g, g, None
        if ctx.kind == "one array twice":
            made = g * 2
            return made, made, None
        if ctx.kind == "kept":
            return td.from_numpy(KEPT), td.from_numpy(KEPT), None
        if ctx.kind == "views":
            made = td.from_numpy(np.concatenate([g.numpy(), g.numpy()]))
            return made[:2], made[2:], None
        if ctx.kind == "saved":
            (a,) = ctx.saved_tensors
            return a, a, None
        return g * 2, g * 2, None


KINDS = ["passed on", "one array twice", "kept", "views", "saved", "made"]


@pytest.mark.parametrize("kind", KINDS)
def test_two_leaves_never_share_an_array_and_passes_add_up(kind):
    a, b = leaf(1, 1), leaf(1, 1)
    Rule.apply(a, b, kind).sum().backward()
    once = a.grad.tolist()
    assert b.grad.tolist() == once
    assert not np.shares_memory(a.grad.numpy(), b.grad.numpy())
    for _ in range(2):
        Rule.apply(a, b, kind).sum().backward()
    assert a.grad.tolist() == b.grad.tolist() == [3 * each for each in once]
    assert KEPT.tolist() == [4, 4]
    assert a.tolist() == [1, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_results_of_grad_belong_to_the_caller_alone(kind):
    a, b, start = leaf(1, 1), leaf(1, 1), td.ones(2, dtype=td.float64)
    middle = Rule.apply(a, b, kind)
    for recorded in (False, True):
        results = td.autograd.grad(middle, (a, b, middle), start, create_graph=recorded, retain_graph=True)
        values = [each.tolist() for each in results]
        with td.no_grad():
            results[0].mul_(100)
        assert results[1].tolist() == values[1]
        assert results[2].tolist() == start.tolist() == [1, 1]
        assert KEPT.tolist() == [4, 4]
        assert a.tolist() == [1, 1]


def test_a_gradient_that_a_hook_keeps_is_its_own():
    x, kept = leaf(1, 2), []
    handle = x.register_hook(kept.append)
    for _ in range(3):
        (x * 4).sum().backward()
    assert [g.tolist() for g in kept] == [[4, 4]] * 3
    assert x.grad.tolist() == [12, 12]
    handle.remove()
    x.grad = None
    y = x * 1
    z = y + x  # one gradient for both
    y.register_hook(lambda g: g.mul_(10))
    z.sum().backward()
    assert x.grad.tolist() == [11, 11]


def test_recorded_passes_leave_each_leaf_a_gradient_of_its_own():
    x, y = leaf(1, 2), leaf(3, 4)
    (x + y).sum().backward(create_graph=True)
    assert x.grad is not y.grad
    (x + y).sum().backward()
    assert x.grad.tolist() == y.grad.tolist() == [2, 2]


def test_a_grad_that_was_computed_with_and_then_added_to_is_noticed():
    x, w = leaf(1, 2), leaf(3, 4)
    x.sum().backward()
    product = (x.grad * w).sum()
    x.sum().backward()
    with pytest.raises(RuntimeError, match=r"changed in place afterwards, by backward, which added to a \.grad"):
        product.backward()


def test_a_backward_keeps_the_grad_tensor_and_adds_into_it():
    x = leaf(1, 2)
    x.sum().backward()
    first = x.grad
    x.sum().backward()
    assert x.grad is first
    assert first.tolist() == [2, 2]


def test_held_alone_knows_every_other_holder():
    holder = {0: np.zeros(2)}
    assert held_alone(holder, 0)
    other = holder[0]
    assert not held_alone(holder, 0)
    del other
    assert held_alone(holder, 0)
    view = holder[0][:1]
    assert not held_alone(holder, 0)
    holder[1] = view
    del view
    assert not held_alone(holder, 1)
    both = [holder[0], holder[0]]
    assert not held_alone(holder, 0)
    both.clear()
    holder[0].flags.writeable = False
    del holder[1]
    assert not held_alone(holder, 0)


@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6),
    picks=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=6, max_size=6),
    hooked=st.sets(st.integers(0, 7), max_size=3),
    passes=st.integers(1, 3),
)
def test_whole_graphs_give_the_sum_over_paths_and_change_nothing_held(kinds, picks, hooked, passes):
    values = [leaf(1, 1), leaf(1, 1)]
    made = []
    for kind, (i, j) in zip(kinds, picks, strict=False):
        i, j = i % len(values), j % len(values)
        values.append(Rule.apply(values[i], values[j], kind))
        made.append((kind, i, j))
    seen: list[tuple[Any, list[float]]] = []
    for i in hooked:
        if i < len(values):
            values[i].register_hook(lambda g: seen.append((g, g.tolist())))
    start = td.ones(2, dtype=td.float64)
    for _ in range(passes):
        values[-1].backward(start, retain_graph=True)

    # The same by numbers that nothing can share.
    slopes = [0.0] * len(values)
    slopes[-1] = 1.0
    numbers = [1.0, 1.0]
    for _, i, j in made:
        numbers.append(numbers[i] + numbers[j])
    for place in reversed(range(len(made))):
        (kind, i, j), g = made[place], slopes[place + 2]
        if g:
            each = {"passed on": g, "views": g, "kept": 4.0, "saved": numbers[i]}.get(kind, 2 * g)
            slopes[i] += each
            slopes[j] += each
    for x, slope in zip(values[:2], slopes, strict=False):
        assert (x.grad is None and not slope) or x.grad.tolist() == [passes * slope] * 2
    assert start.tolist() == [1, 1]
    assert KEPT.tolist() == [4, 4]
    assert [value.tolist() for value in values] == [[n, n] for n in numbers]
    assert all(g.tolist() == before for g, before in seen)


def test_what_a_hook_kept_and_what_is_retained_are_two_arrays():
    x, kept = leaf(1, 2), []
    y = x * 3
    y.register_hook(kept.append)
    y.retain_grad()
    (y * 2).sum().backward()
    y.grad.zero_()
    assert kept[0].tolist() == [2, 2] and x.grad.tolist() == [6, 6]


def test_a_recorded_grad_that_somebody_holds_is_not_added_into():
    x = leaf(2)
    (x**3).backward(td.ones(1), create_graph=True)
    first = x.grad
    (x**3).backward(td.ones(1))
    assert (first.item(), x.grad.item()) == (12, 24)
    assert td.autograd.grad(first, x)[0].item() == 12


def test_of_leaves_with_one_gradient_the_last_has_it_uncopied():
    seen = []

    class Sum(td.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a + b

        @staticmethod
        def backward(ctx, g):
            seen.append(g.data_ptr())
            return g, g

    a, b = td.zeros(5, requires_grad=True), td.zeros(5, requires_grad=True)
    Sum.apply(a, b)[1].backward()
    places = [a.grad.data_ptr(), b.grad.data_ptr()]
    assert places[0] != places[1] and places.count(seen[0]) == 1
    a.grad.add_(1)
    assert a.grad.tolist() == [1.0, 2.0, 1.0, 1.0, 1.0] and b.grad.tolist() == [0.0, 1.0, 0.0, 0.0, 0.0]
