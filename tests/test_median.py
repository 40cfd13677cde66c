"""median, nanmedian, quantiles, modes and isin."""

from __future__ import annotations

import numpy as np
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


ROWS = {"plain": lambda x: x, "ties": np.round, "nan": lambda x: np.where(np.abs(x) > 1.5, np.nan, x)}
ROWS["nothing"] = lambda x: np.where(np.arange(x.shape[-1]) < x.shape[-1] + 1, np.nan, x)


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("shape", [(700,), (30, 40), (3, 20, 30), (6,)], ids=str)
def test_ranks_of_many_elements_are_those_of_a_stable_sort(shape, kind):
    x = ROWS[kind](np.random.default_rng(0).standard_normal(shape))
    for dim in range(x.ndim):
        n = x.shape[dim]
        order = np.argsort(x, dim, kind="stable")
        for k in (1, n // 2 + 1, n):
            found = td.kthvalue(td.tensor(x), k, dim)
            np.testing.assert_array_equal(found.indices, order.take(k - 1, dim))
        gone = np.isnan(x).sum(dim)
        middle = np.where(gone > 0, n - gone, (n - 1) // 2)
        expected = np.take_along_axis(order, np.expand_dims(middle, dim), dim).squeeze(dim)
        np.testing.assert_array_equal(td.median(td.tensor(x), dim).indices, expected)
        middle = np.maximum(n - gone - 1, 0) // 2
        expected = np.take_along_axis(order, np.expand_dims(middle, dim), dim).squeeze(dim)
        np.testing.assert_array_equal(td.nanmedian(td.tensor(x), dim).indices, expected)


@pytest.mark.parametrize("kind", ["plain", "ties", "nan"])
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_quantiles_of_many_elements_are_numpys(name, kind):
    x = ROWS[kind](np.random.default_rng(0).standard_normal((30, 40)))
    q = [0.0, 0.3, 0.77, 1.0]
    for dim in (None, 0, 1):
        for way in ("linear", "lower", "higher", "midpoint", "nearest"):
            expected = getattr(np, name)(x, q, dim, method=way)
            found = getattr(td, name)(td.tensor(x), td.tensor(q, dtype=td.float64), dim, interpolation=way)
            np.testing.assert_allclose(found, expected, atol=1e-13)


def test_gradients_of_quantiles_go_to_the_neighbours_and_to_q():
    x = td.tensor([3.0, 1.0, 2.0, 7.0], dtype=td.float64, requires_grad=True)
    q = td.tensor(0.5, dtype=td.float64, requires_grad=True)
    td.quantile(x, q).backward()
    assert (x.grad.tolist(), q.grad.item()) == ([0.5, 0, 0.5, 0], 3)
    found = td.func.vmap(lambda part: td.quantile(x.detach(), part))(td.tensor([0.0, 0.5, 1.0], dtype=td.float64))
    assert found.tolist() == [1, 2.5, 7]


def test_modes_of_many_elements():
    x = np.round(np.random.default_rng(0).standard_normal((30, 40)) * 2)
    values, indices = td.mode(td.tensor(x), 1)
    for row, value, index in zip(x, values.tolist(), indices.tolist(), strict=True):
        known, counts = np.unique(row, return_counts=True)
        assert value == known[counts.argmax()] and index == np.flatnonzero(row == value)[-1]
    assert td.mode(td.tensor(np.full((2, 600), np.nan)), 1).indices.tolist() == [0, 0]
