"""median, nanmedian and isin."""

from __future__ import annotations

import pytest

import tinygrad_dl as td

NAN = float("nan")


def test_the_lower_of_two_in_the_middle():
    x = td.tensor([[3.0, 1.0, 2.0, 4.0], [8.0, 8.0, 5.0, 8.0]], requires_grad=True)
    assert x.median().item() == 4 and td.median(td.tensor([3, 1, 2])).item() == 2
    values, indices = x.median(1)
    assert values.tolist() == [2, 8] and indices.tolist() == [2, 0]
    assert td.median(x, 0, keepdim=True).values.tolist() == [[3, 1, 2, 4]]
    values.sum().backward()
    assert x.grad.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
    with pytest.raises(ValueError, match="median: got no elements"):
        td.median(td.zeros(0))


def test_equal_elements_share_the_gradient():
    x = td.tensor([1.0, 0.0, 1.0, 0.0, 1.0], requires_grad=True)
    x.median().backward()
    assert x.grad.tolist() == pytest.approx([1 / 3, 0, 1 / 3, 0, 1 / 3])


def test_nan():
    x = td.tensor([[3.0, NAN, 1.0], [NAN, NAN, NAN]], requires_grad=True)
    assert x.median().isnan() and x.median(1).values.isnan().all() and x.median(1).indices.tolist() == [1, 0]
    assert td.nanmedian(x).item() == 1 and x.nanmedian(1).values[0].item() == 1
    assert x.nanmedian(1).values[1].isnan() and x.nanmedian(1).indices[0].item() == 2
    y = td.tensor([NAN, NAN, NAN], requires_grad=True)
    for of_all in (td.median, td.nanmedian):
        y.grad = None
        of_all(y).backward()
        assert y.grad.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3])


def test_inside_of_transforms():
    x = td.tensor([[3.0, 1.0, 2.0], [5.0, 4.0, 6.0]])
    assert td.vmap(td.median)(x).tolist() == [2, 5]
    assert td.vmap(lambda x: td.median(x, 0).indices)(x).tolist() == [2, 0]
    out, tangent = td.func.jvp(td.median, (x,), (td.tensor([[0.0, 0.0, 10.0], [0.0, 7.0, 0.0]]),))
    assert out.item() == 3 and tangent.item() == 0
    assert td.func.jvp(lambda x: td.median(x, 1).values, (x,), (x * 10,))[1].tolist() == [20, 50]


def test_which_elements_are_among_others():
    x = td.tensor([[1, 2], [3, 4]])
    assert td.isin(x, td.tensor([2, 3])).tolist() == [[False, True], [True, False]]
    assert td.isin(x, 4, invert=True).tolist() == [[True, True], [True, False]]
    assert td.isin(3, x).item() is True and td.isin(td.ones(2, requires_grad=True), x).requires_grad is False
    assert td.vmap(lambda x: td.isin(x, td.tensor([2, 3])))(x).tolist() == [[False, True], [True, False]]
    assert td.vmap(lambda x: td.isin(x, td.tensor([2, 3]), invert=True))(x).tolist() == [[True, False], [False, True]]
