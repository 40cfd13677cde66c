"""scatter_reduce and index_reduce."""

from __future__ import annotations

import pytest

import tinygrad_dl as td
from tinygrad_dl.testing import gradcheck, gradgradcheck

X, INDEX, SRC = td.tensor([1.0, 2.0, 9.0]), td.tensor([0, 0, 1]), td.tensor([3.0, 5.0, 4.0])


@pytest.mark.parametrize(
    ("reduce", "whole", "apart"),
    [
        ("sum", [9, 6, 9], [8, 4, 9]),
        ("prod", [15, 8, 9], [15, 4, 9]),
        ("mean", [3, 3, 9], [4, 4, 9]),
        ("amax", [5, 4, 9], [5, 4, 9]),
        ("amin", [1, 2, 9], [3, 4, 9]),
    ],
)
def test_values_and_gradients(reduce, whole, apart):
    for dtype in (td.float64, td.float32, td.int64):
        x, src = X.to(dtype), SRC.to(dtype)
        assert td.scatter_reduce(x, 0, INDEX, src, reduce).tolist() == whole
        found = x.scatter_reduce(0, INDEX, src, reduce, include_self=False)
        assert found.tolist() == apart and found.dtype == dtype
    x, src = (each.double().requires_grad_() for each in (X, SRC))
    for include_self in (True, False):
        f = lambda x, src, i=include_self: td.scatter_reduce(x, 0, INDEX, src, reduce, include_self=i)  # noqa: E731
        assert gradcheck(f, (x, src), check_forward_ad=True, check_batched_grad=True)
        assert gradgradcheck(f, (x, src))
        assert td.vmap(f)(td.stack([x, x]), td.stack([src, src]))[1].tolist() == (whole if include_self else apart)
    y = X.clone()
    assert y.scatter_reduce_(0, INDEX, SRC, reduce) is y and y.tolist() == whole


def test_equal_extreme_elements_share_the_gradient():
    x, src = td.tensor([2.0, 7.0], requires_grad=True), td.tensor([2.0, 1.0, 2.0, 7.0], requires_grad=True)
    td.scatter_reduce(x, 0, td.tensor([0, 0, 0, 1]), src, "amax").sum().backward()
    assert x.grad.tolist() == pytest.approx([1 / 3, 0.5]) and src.grad.tolist() == pytest.approx([1 / 3, 0, 1 / 3, 0.5])


def test_products_with_zeros():
    x, src = td.tensor([2.0, 5.0], requires_grad=True), td.tensor([0.0, 3.0, 0.0, 0.0], requires_grad=True)
    index = td.tensor([0, 0, 1, 1])
    out = td.scatter_reduce(x, 0, index, src, "prod")
    out.sum().backward()
    assert out.tolist() == [0, 0] and x.grad.tolist() == [0, 0] and src.grad.tolist() == [6, 0, 0, 0]
    three = td.zeros(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="got a second derivative of a product with more than two zeros"):
        out = td.scatter_reduce(x, 0, index[:3] * 0, three, "prod")
        td.autograd.grad(out.sum(), three, create_graph=True)


@pytest.mark.parametrize("values", [(2, 0, -3, 4), (0, 3, 0, -2), (0, 0, 5, 7), (1, 2, 3, 0), (0, -1, 2, 3)])
def test_second_derivatives_of_products_with_zeros(values):
    x = td.tensor(values, dtype=td.float64, requires_grad=True)
    index = td.tensor([0, 0, 0])

    def second(product):
        (slope,) = td.autograd.grad(product, x, create_graph=True)
        return slope, [td.autograd.grad(each, x, retain_graph=True)[0] for each in slope]

    found, expected = second(td.scatter_reduce(x[:1], 0, index, x[1:], "prod")[0]), second(td.prod(x))
    assert found[0].tolist() == expected[0].tolist()
    assert [row.tolist() for row in found[1]] == [row.tolist() for row in expected[1]]


def test_slices():
    x = td.ones(2, 3)
    source = td.tensor([[2.0, 3.0], [4.0, 5.0]])
    assert td.index_reduce(x, 1, td.tensor([2, 2]), source, "prod").tolist() == [[1, 1, 6], [1, 1, 20]]
    assert x.index_reduce(1, td.tensor([0, 2]), source, "amin", include_self=False).tolist() == [[2, 1, 3], [4, 1, 5]]
    assert td.index_reduce(td.zeros(2), 0, td.tensor([1, 1]), td.tensor([2.0, 4.0]), "mean").tolist() == [0, 2]


def test_nothing_goes_nowhere():
    x, index = td.ones(1, 1, 0), td.zeros(1, 1, 0, dtype=td.int64)
    for reduce in ("sum", "prod", "mean", "amax"):
        assert x.scatter_reduce(0, index, x, reduce).shape == (1, 1, 0)
    assert td.ones(1, 0, 1).scatter(2, td.zeros(1, 0, 0, dtype=td.int64), 2, reduce="add").shape == (1, 0, 1)


def test_smaller_indices_and_refusals():
    src = td.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert td.scatter_reduce(td.zeros(2, 2), 0, td.tensor([[1]]), src, "sum").tolist() == [[0, 0], [1, 0]]
    assert td.scatter_reduce(td.tensor(1.0), 0, td.tensor(0), td.tensor(5.0), "amax").item() == 5
    with pytest.raises(ValueError, match="scatter_reduce: got reduce='max', expected one of 'sum', 'prod'"):
        td.scatter_reduce(X, 0, INDEX, SRC, "max")
    with pytest.raises(ValueError, match="index_reduce: got reduce='sum', expected one of 'prod', 'mean'"):
        td.index_reduce(X, 0, INDEX, SRC, "sum")
    with pytest.raises(IndexError, match="out of range"):
        td.scatter_reduce(X, 0, td.tensor([3]), SRC[:1], "amax")


@pytest.mark.parametrize(("reduce", "expected"), [("add", [9.0, 6.0, 9.0]), ("multiply", [15.0, 8.0, 9.0])])
def test_scatter_joins(reduce, expected):
    assert td.scatter(X, 0, INDEX, SRC, reduce=reduce).tolist() == expected
    x, src = (each.double().requires_grad_() for each in (X, SRC))
    f = lambda x, src: td.scatter(x, 0, INDEX, src, reduce=reduce)  # noqa: E731
    assert gradcheck(f, (x, src), check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(f, (x, src))
    y = X.clone()
    assert y.scatter_(0, INDEX, 2, reduce=reduce) is y and y[1] == {"add": 4, "multiply": 4}[reduce]
    with pytest.raises(ValueError, match="scatter: got reduce='sum', expected 'add', 'multiply' or None"):
        td.scatter(X, 0, INDEX, SRC, reduce="sum")


@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "max", "min"])
def test_segments_have_derivatives_of_both_orders(reduce):
    x = td.tensor([[3.0, 1.0], [1.0, 2.0], [2.0, 4.0], [5.0, 3.0]], dtype=td.float64, requires_grad=True)
    f = lambda x: td.segment_reduce(x, reduce, offsets=td.tensor([0, 1, 3]), initial=1.5)  # noqa: E731
    assert gradcheck(f, (x,), check_forward_ad=True, check_batched_grad=True) and gradgradcheck(f, (x,))
    assert f(x).shape == (2, 2)
    with pytest.raises(ValueError, match=r"got lengths \[1, 1\], expected numbers of 0 or more that add up to 4"):
        td.segment_reduce(x, reduce, lengths=td.tensor([1, 1]))
