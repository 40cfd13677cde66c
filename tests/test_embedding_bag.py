"""Bags of rows of a table: sums, means, maxima, their gradients, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn.functional import embedding_bag

TABLE = td.arange(12.0).reshape(6, 2)
X = td.tensor([1, 2, 4, 5, 3])


@pytest.mark.parametrize(
    "mode, expected",
    [
        ("sum", [[6.0, 8.0], [0.0, 0.0], [24.0, 27.0]]),
        ("mean", [[3.0, 4.0], [0.0, 0.0], [8.0, 9.0]]),
        ("max", [[4.0, 5.0], [0.0, 0.0], [10.0, 11.0]]),
    ],
)
def test_bags_of_several_lengths(mode, expected):
    assert embedding_bag(X, TABLE, td.tensor([0, 2, 2]), mode=mode).tolist() == expected
    last = embedding_bag(X, TABLE, td.tensor([0, 2, 2, 5]), mode=mode, include_last_offset=True)
    assert last.tolist() == expected
    cut = embedding_bag(X, TABLE, td.tensor([0, 2]), mode=mode, include_last_offset=True)
    assert cut.tolist() == expected[:1]


@pytest.mark.parametrize("mode, expected", [("sum", [0, 2]), ("mean", [0, 2]), ("max", [0, 2])])
def test_padding_is_in_no_bag(mode, expected):
    out = embedding_bag(td.tensor([[2, 2], [2, 1]]), TABLE, mode=mode, padding_idx=-4)
    assert out[:, 0].tolist() == expected
    flat = embedding_bag(td.tensor([2, 2, 2, 1]), TABLE, td.tensor([0, 2]), mode=mode, padding_idx=2)
    assert td.equal(out, flat)


def test_gradients():
    weight = td.zeros(3, 1, requires_grad=True)
    bags = td.tensor([[0, 1, 1], [2, 2, 0]])
    for mode, expected in (("sum", [2.0, 2.0, 2.0]), ("mean", [2 / 3, 2 / 3, 2 / 3]), ("max", [1.0, 0.0, 1.0])):
        for args in ((bags, weight), (bags.flatten(), weight, td.tensor([0, 3]))):
            (g,) = td.autograd.grad(embedding_bag(*args, mode=mode).sum(), weight)
            np.testing.assert_allclose(g.flatten().tolist(), expected, rtol=1e-6)
    table = TABLE.double().requires_grad_()
    factors = td.tensor([0.5, 2.0, -1.0, 0.0, 3.0], dtype=td.float64, requires_grad=True)
    offsets = td.tensor([0, 2, 2])
    assert td.testing.gradcheck(
        lambda w, f: embedding_bag(X, w, offsets, mode="sum", per_sample_weights=f, padding_idx=2), (table, factors)
    )


def test_the_layer():
    layer = nn.EmbeddingBag(4, 3, padding_idx=-1, mode="sum", max_norm=2.0)
    assert repr(layer) == "EmbeddingBag(4, 3, max_norm=2.0, mode='sum', padding_idx=3)"
    assert list(layer.state_dict()) == ["weight"] and layer.weight[3].tolist() == [0.0] * 3
    frozen = nn.EmbeddingBag.from_pretrained(TABLE, mode="max")
    assert not frozen.weight.requires_grad and frozen(X, td.tensor([0])).tolist() == [[10.0, 11.0]]
    assert not isinstance(layer, nn.Embedding)
    assert nn.EmbeddingBag(3, 2)(td.zeros(0, 3, dtype=td.int64)).shape == (0, 2)
    assert nn.EmbeddingBag(3, 2)(td.zeros(0, dtype=td.int64), td.tensor([0, 0])).tolist() == [[0.0, 0.0]] * 2


def test_bags_inside_of_vmap():
    bags = td.tensor([[[0, 1], [2, 2]], [[5, 3], [2, 1]]])
    for mode in ("sum", "mean", "max"):
        out = td.func.vmap(lambda x, mode=mode: embedding_bag(x, TABLE, mode=mode, padding_idx=2))(bags)
        assert td.equal(out, td.stack([embedding_bag(x, TABLE, mode=mode, padding_idx=2) for x in bags]))


@pytest.mark.parametrize(
    "run, kind, match",
    [
        (lambda: embedding_bag(X, TABLE), ValueError, r"2 dimensions, or of 1 with offsets, got shape \(5,\) and no"),
        (lambda: embedding_bag(X[None], TABLE, X), ValueError, "or of 1 with offsets"),
        (lambda: embedding_bag(X, TABLE, td.tensor([1, 2])), ValueError, "offsets that begin with 0, got 1"),
        (lambda: embedding_bag(X, TABLE, td.tensor([0, 6])), ValueError, "at most the input's length 5, got"),
        (lambda: embedding_bag(X, TABLE, td.tensor([0, 3, 2])), ValueError, "offsets that rise"),
        (lambda: embedding_bag(X, TABLE, td.tensor([0.0])), ValueError, "offsets of one dimension that are integers"),
        (lambda: embedding_bag(X[None], TABLE, mode="min"), ValueError, "embedding_bag: expected a mode among"),
        (lambda: embedding_bag(X[None] + 1, TABLE), IndexError, "index 6 at position"),
        (lambda: embedding_bag(X[None].float(), TABLE), TypeError, "integers"),
        (lambda: embedding_bag(X[None], TABLE, mode="max", sparse=True), ValueError, "expected neither"),
        (lambda: embedding_bag(X[None], TABLE, padding_idx=6), ValueError, "padding_idx between -6 and 5, got 6"),
        (
            lambda: embedding_bag(X, TABLE, td.tensor([0]), mode="sum", per_sample_weights=td.ones(5).double()),
            TypeError,
            "of the table's dtype float32, got float64",
        ),
        (lambda: embedding_bag(X[None], TABLE, per_sample_weights=X), NotImplementedError, "expected mode 'sum'"),
        (
            lambda: embedding_bag(X[None], TABLE, mode="sum", per_sample_weights=td.ones(5)),
            ValueError,
            r"the input's shape \(1, 5\), got \(5,\)",
        ),
        (lambda: nn.EmbeddingBag(3, 2, mode="min"), ValueError, "EmbeddingBag: expected a mode among"),
        (lambda: nn.EmbeddingBag(3, 2, padding_idx=3), ValueError, "padding_idx between -3 and 2, got 3"),
        (lambda: nn.EmbeddingBag(3, 2, _weight=td.ones(2, 2)), ValueError, r"_weight of shape \(3, 2\)"),
    ],
)
def test_bags_refuse(run, kind, match):
    with pytest.raises(kind, match=match):
        run()


@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_divided_by_how_often_a_row_is_named(sparse):
    bags = td.tensor([[0, 1], [1, 1]])
    weight = td.ones(4, 1, requires_grad=True)

    def gradient(out):
        return td.autograd.grad(out.sum(), weight)[0].flatten().tolist()

    options = {"scale_grad_by_freq": True, "sparse": sparse}
    assert gradient(nn.functional.embedding(bags, weight, **options)) == [1.0, 1.0, 0.0, 0.0]
    assert gradient(nn.functional.embedding(bags, weight, 0, sparse=sparse)) == [0.0, 3.0, 0.0, 0.0]
    assert gradient(embedding_bag(bags, weight, mode="mean", **options)) == [0.5, 0.5, 0.0, 0.0]
    factors = td.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert gradient(embedding_bag(bags, weight, mode="sum", per_sample_weights=factors, **options)) == [1, 3, 0, 0]
    each = td.func.vmap(lambda x: td.func.grad(lambda w: nn.functional.embedding(x, w, **options).sum())(weight))(bags)
    assert each[..., 0].tolist() == [[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]


def test_options_of_tables():
    layer = nn.Embedding.from_pretrained(TABLE.clone(), False, 1, 5.0, 1.0, True, True)
    text = "Embedding(6, 2, padding_idx=1, max_norm=5.0, norm_type=1.0, scale_grad_by_freq=True, sparse=True)"
    assert repr(layer) == text and layer.weight.requires_grad
    bags = nn.EmbeddingBag(6, 2, 1.0, 3.0, True, "sum", True, _weight=TABLE)
    assert repr(bags) == "EmbeddingBag(6, 2, max_norm=1.0, norm_type=3.0, scale_grad_by_freq=True, mode='sum')"
    assert not nn.Embedding(6, 2, _weight=TABLE, _freeze=True).weight.requires_grad
    with pytest.raises(ValueError, match=r"Embedding: expected a _weight of shape \(6, 3\), got \(6, 2\)"):
        nn.Embedding(6, 3, _weight=TABLE)
    integers = nn.Embedding.from_pretrained(TABLE.long())
    assert integers(X).dtype == td.int64
    empty = nn.Embedding(0, 0)
    empty(td.zeros(0, dtype=td.int64)).sum().backward()
    assert empty.weight.grad.shape == (0, 0)


def test_max_norm_in_forward_mode_changes_the_values_and_not_the_tangent():
    weight = td.tensor([[3.0, 4.0], [0.3, 0.4]])
    rows = td.tensor([0, 1])
    limited = nn.functional.embedding
    out, tangent = td.func.jvp(lambda w: limited(rows, w, max_norm=1.0), (weight,), (td.ones(2, 2),))
    assert td.allclose(out, td.tensor([[0.6, 0.8], [0.3, 0.4]])) and td.allclose(weight, out)
    assert tangent.tolist() == [[1.0, 1.0], [1.0, 1.0]]
