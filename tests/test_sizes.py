"""Tensors of no dimension and dimensions of size 0: results in literal values from PyTorch, and what is refused."""

from __future__ import annotations

import math

import pytest

import tinygrad_dl as td
import tinygrad_dl.nn.functional as F

X = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("sum", 21.0), ("mean", 3.5), ("amax", 6.0), ("amin", 1.0), ("var", 3.5), ("norm", math.sqrt(91))],
)
def test_no_dimensions_are_all_of_them(name, expected):
    function, x = getattr(td, name), td.tensor(X)
    assert function(x, dim=()).item() == pytest.approx(expected)
    kept = function(x, dim=(), keepdim=True)
    assert kept.shape == (1, 1) and kept.item() == pytest.approx(expected)
    assert function(x, dim=[]).shape == ()


def test_the_gradient_over_no_dimensions():
    x = td.tensor(X, requires_grad=True)
    x.sum(dim=()).backward()
    assert x.grad.tolist() == [[1.0] * 3] * 2
    x.grad = None
    x.amax(dim=()).backward()
    assert x.grad.tolist() == [[0, 0, 0], [0, 0, 1]]


def test_a_tensor_of_no_dimension_has_0_and_minus_1_once():
    x = td.tensor(2.0)
    for name in ("sum", "mean", "amax", "amin", "logsumexp", "prod", "cumsum", "cumprod"):
        for dim in (0, -1):
            assert getattr(td, name)(x, dim).item() == 2.0
        with pytest.raises((IndexError, ValueError)):
            getattr(td, name)(x, 1)
    for name in ("sum", "mean", "amax", "amin", "logsumexp", "norm", "all", "any", "std"):
        for dims in ((0, 0), (0, -1)):
            with pytest.raises(ValueError, match="expected different ones"):
                getattr(td, name)(x, dim=dims)


def test_gather_and_its_kin_take_no_dimension_as_one_element():
    x, first = td.tensor(5.0, requires_grad=True), td.tensor(0)
    assert x.gather(0, first).shape == () and x.gather(0, td.tensor([0, 0])).tolist() == [5.0, 5.0]
    assert x.index_select(0, td.tensor([0])).shape == ()
    assert x.take(td.tensor([0])).tolist() == [5.0]
    assert x.scatter(0, first, 2.0).item() == 2.0
    assert x.scatter_add(0, first, td.tensor(2.0)).item() == 7.0
    assert x.index_fill(0, first, 3.0).item() == 3.0
    assert x.masked_select(td.tensor(True)).tolist() == [5.0]
    x.gather(0, td.tensor([0, 0])).sum().backward()
    assert x.grad.item() == 2.0
    with pytest.raises(IndexError):
        x.gather(0, td.tensor(1))
    with pytest.raises(IndexError):
        x.gather(1, first)


def test_ravel_shows_the_same_memory_only_if_it_has_no_gaps():
    x = td.arange(6).reshape(2, 3)
    for gaps in (x.t(), x[:, :2], x[::2, ::2]):
        flat = gaps.ravel()
        assert flat.tolist() == [each for row in gaps.tolist() for each in row]
        flat[0] = 99
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]
    x.ravel()[0] = 7
    assert x[0, 0].item() == 7
    assert td.tensor(3.0).ravel().tolist() == [3.0] and td.zeros(0, 3).ravel().shape == (0,)


def test_empty_groups_and_layers_stay_in_the_graph():
    for function, shape in (
        (lambda x: F.group_norm(x, 2), (0, 4, 3)),
        (lambda x: F.layer_norm(x, (0,)), (3, 0)),
        (lambda x: F.layer_norm(x, (3,)), (0, 3)),
    ):
        x = td.zeros(*shape, requires_grad=True)
        (g,) = td.autograd.grad(function(x).sum(), x, create_graph=True)
        g.pow(2).sum().backward()
        assert x.grad.shape == shape


def test_no_labels_without_classes():
    with pytest.raises(ValueError, match="at least one class"):
        F.multilabel_margin_loss(td.zeros(2, 0), td.zeros(2, 0, dtype=td.int64))


def test_a_size_is_the_shape_of_a_new_tensor_and_a_tuple_its_data():
    x = td.ones(2, 3, dtype="float64")
    assert x.new(x[0, 0].size()).shape == () and x.new(x[0, 0].size()).dtype == x.dtype
    assert x.new(x.size()).shape == (2, 3) and td.Tensor(td.Size([0, 2])).shape == (0, 2)
    assert x.new(()).shape == (0,) and x.new().shape == (0,) and x.new((4, 5)).tolist() == [4.0, 5.0]
