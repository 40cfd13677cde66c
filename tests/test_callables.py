"""apply_, map_, map2_: a Python function of each element."""

from __future__ import annotations

import pytest

import tinygrad_dl as td


def test_the_tensor_is_changed_and_the_change_is_counted():
    base = td.tensor([[1.0, 2.0], [3.0, 4.0]])
    x = base[:, 0]
    before = base._version
    assert x.apply_(lambda value: value * 10) is x
    assert base.tolist() == [[10, 2], [30, 4]] and base._version == before + 1
    assert td.empty(0).apply_(abs).shape == (0,)


def test_elements_are_pythons_numbers_and_results_are_cast():
    seen = []
    assert td.tensor([1, 2]).apply_(lambda value: seen.append(value) or value / 2).tolist() == [0, 1]
    assert [type(value) for value in seen] == [int, int]
    assert td.tensor([1.5, 0.0], dtype=td.float16).apply_(lambda value: value + 1).tolist() == [2.5, 1.0]
    assert td.tensor([True, False]).apply_(lambda value: not value).tolist() == [False, True]


def test_others_broadcast_to_the_tensor():
    x, column, row = td.zeros(2, 3), td.tensor([[1.0], [2.0]]), td.arange(3.0)
    assert x.map2_(column, row, lambda x, a, b: a * 10 + b) is x
    assert x.tolist() == [[10, 11, 12], [20, 21, 22]]
    assert x.map_(row, lambda value, other: value - other).tolist() == [[10, 10, 10], [20, 20, 20]]


@pytest.mark.parametrize(
    ("call", "kind", "match"),
    [
        (lambda x: x.requires_grad_().apply_(abs), RuntimeError, "apply_: got a tensor that requires a gradient"),
        (lambda x: x.map_(td.ones(2, requires_grad=True), max), RuntimeError, r"use x.detach\(\).map_"),
        (lambda x: x.map_(td.ones(2).double(), max), TypeError, "got a tensor of dtype float64, expected .* float32"),
        (lambda x: x.apply_(lambda value: "no"), TypeError, "apply_: got the result 'no' of the function"),
        (lambda x: x.apply_(lambda value: 1j), TypeError, "complex"),
        (lambda x: td.vmap(lambda y: y.apply_(abs))(x), RuntimeError, "apply_: got a tensor inside of a transform"),
    ],
)
def test_refusals_leave_the_tensor_alone(call, kind, match):
    x = td.ones(2)
    with pytest.raises(kind, match=match):
        call(x)
    assert x.tolist() == [1, 1]
