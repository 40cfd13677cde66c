"""Attention and transformers: refusals, dropout, memory, threads; the values are compared in tests/parity."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from cores import on_one_and_on_three

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn import functional as F

attention = F.scaled_dot_product_attention


def test_refusals_of_the_function():
    x = td.ones(2, 3, 4)
    with pytest.raises(ValueError, match="both attn_mask and is_causal"):
        attention(x, x, x, td.ones(3, 3), is_causal=True)
    with pytest.raises(ValueError, match="probability dropout_p between 0 and 1"):
        attention(x, x, x, dropout_p=1.5)
    with pytest.raises(ValueError, match=r"broadcasts to .* = \(2, 3, 3\), got \(2, 3\)"):
        attention(x, x, x, td.ones(2, 3))
    with pytest.raises(TypeError, match=r"a mask of bools .* or floats, got int64"):
        attention(x, x, x, td.ones(3, 3).long())
    with pytest.raises(ValueError, match="enable_gqa=True"):
        attention(td.ones(2, 4, 3, 4), td.ones(2, 2, 3, 4), td.ones(2, 2, 3, 4))
    with pytest.raises(
        ValueError, match=r"got shapes \(2, 3, 3, 4\) and \(2, 4, 3, 4\), expected a number of key heads"
    ):
        attention(td.ones(2, 4, 3, 4), td.ones(2, 3, 3, 4), td.ones(2, 3, 3, 4), enable_gqa=True)


def test_refusals_of_the_layer():
    with pytest.raises(ValueError, match="an embed_dim that is a multiple of num_heads, got 8 and 3"):
        nn.MultiheadAttention(8, 3)
    with pytest.raises(TypeError, match="expected an integer for num_heads"):
        nn.MultiheadAttention(8, 2.0)
    with pytest.raises(ValueError, match="dropout between 0 and 1"):
        nn.MultiheadAttention(8, 2, dropout=2.0)
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    x = td.ones(3, 5, 8)
    with pytest.raises(ValueError, match="got is_causal=True without attn_mask, expected the causal mask too"):
        layer(x, x, x, is_causal=True)
    with pytest.raises(ValueError, match=r"attn_mask of shape \(5, 5\) or \(6, 5, 5\), got \(5, 4\)"):
        layer(x, x, x, attn_mask=td.ones(5, 4))
    with pytest.raises(ValueError, match=r"key_padding_mask of shape \(3, 5\), got \(5, 3\)"):
        layer(x, x, x, key_padding_mask=td.ones(5, 3))
    with pytest.raises(TypeError, match="masks of bools or floats, got int64"):
        layer(x, x, x, attn_mask=td.ones(5, 5).long())
    with pytest.raises(ValueError, match="a key of width 8"):
        layer(x, td.ones(3, 5, 7), x)
    with pytest.raises(ValueError, match="all 2-D or all 3-D"):
        layer(x, x[0], x)
    with pytest.raises(ValueError, match="a key for each value"):
        layer(x, x, td.ones(3, 4, 8))
    with pytest.raises(ValueError, match="the same batch size in dimension 0"):
        layer(td.ones(2, 5, 8), x, x)
    with pytest.raises(ValueError, match="got activation='tanh', expected 'relu', 'gelu' or a function"):
        nn.TransformerEncoderLayer(8, 2, activation="tanh")
    with pytest.raises(ValueError, match="num_layers"):
        nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 8), -1)
    with pytest.raises(ValueError, match="width d_model=8"):
        nn.Transformer(8, 2, 1, 1, 8)(td.ones(3, 2, 8), td.ones(3, 2, 4))


def test_dropout_of_weights():
    td.manual_seed(0)
    q, k = td.zeros(1, 400, 4), td.zeros(1, 50, 4)
    v = td.ones(1, 50, 1)
    out = attention(q, k, v, dropout_p=0.5)
    assert abs(out.mean().item() - 1) < 0.02 and out.std().item() > 0.05
    assert attention(q, k, v, dropout_p=1.0).abs().sum().item() == 0
    td.manual_seed(1)
    first = attention(q, k, v, dropout_p=0.3)
    td.manual_seed(1)
    assert td.equal(first, attention(q, k, v, dropout_p=0.3))


@pytest.mark.parametrize("need_weights", [False, True])
def test_the_layer_drops_in_training_only(need_weights):
    td.manual_seed(0)
    layer = nn.MultiheadAttention(8, 2, dropout=0.5)
    x = td.randn(6, 3, 8)
    a, b = (layer(x, x, x, need_weights=need_weights)[0] for _ in range(2))
    assert not td.allclose(a, b)
    layer.eval()
    a, b = (layer(x, x, x, need_weights=need_weights)[0] for _ in range(2))
    assert td.equal(a, b)


def test_both_ways_of_the_layer_agree():
    td.manual_seed(0)
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    x = td.randn(3, 5, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    slow, weights = layer(x, x, x, attn_mask=mask)
    quick, none = layer(x, x, x, attn_mask=mask, need_weights=False)
    assert none is None and td.allclose(slow, quick, atol=1e-6)
    assert td.allclose(weights.sum(-1), td.ones(3, 5)) and weights.triu(1).abs().sum().item() == 0


def test_no_copy_of_heads_cut_from_one_projection():
    qkv = td.randn(2, 5, 24)
    q, k, v = (part.reshape(2, 5, 2, 4).transpose(1, 2) for part in qkv.split(8, dim=-1))
    out = attention(q, k, v)
    joined = out.transpose(1, 2).reshape(2, 5, 8)
    assert np.shares_memory(joined.numpy(), out.numpy())


@pytest.mark.parametrize(
    "shape", [(4, 3, 70, 16), (8, 4, 70, 16), (1, 6, 70, 16), (5, 70, 16), (2, 600, 16), (3, 1200, 4)]
)
def test_threads_change_nothing(shape):
    td.manual_seed(0)
    x = [td.randn(shape, requires_grad=True) for _ in range(3)]

    def run():
        out = attention(*x, is_causal=True)
        return [out, *td.autograd.grad((out * out).sum(), x)]

    for a, b in zip(*on_one_and_on_three(run), strict=True):
        assert td.equal(a, b)


def gradients_of(function, tensors, g):
    """The result, and the gradients of the tensors."""
    given = [x.detach().requires_grad_() for x in tensors]
    out = function(*given)
    return [each.numpy() for each in (out.detach(), *td.autograd.grad(out, given, g))]


@pytest.mark.parametrize("keys", [600, 400, 800])
def test_causal_tiles(keys):
    """Long sequences are worked on tile by tile: as with the mask, and dropout drops the same."""
    td.manual_seed(0)
    shapes = (2, 600, 16), (2, keys, 16), (2, keys, 8)
    tensors, g = [3 * td.randn(*shape, dtype=td.float64) for shape in shapes], td.randn(2, 600, 8, dtype=td.float64)
    mask = td.ones(600, keys).tril().bool()
    for p in (0.0, 0.25):
        found = []
        for options in ({"is_causal": True}, {"attn_mask": mask}):
            td.manual_seed(1)
            found.append(gradients_of(partial(attention, dropout_p=p, **options), tensors, g))
        for ours, expected in zip(*found, strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("causal", [False, True])
def test_long_sequences_keep_no_weights(causal):
    """They are made again in the backward pass; with a mask they are kept."""
    td.manual_seed(0)
    shapes = (3, 1200, 4), (3, 1250, 4), (3, 1250, 2)
    tensors, g = [3 * td.randn(*shape, dtype=td.float64) for shape in shapes], td.randn(3, 1200, 2, dtype=td.float64)
    mask = td.ones(1200, 1250).tril(0 if causal else 1250).bool()
    long, masked = partial(attention, is_causal=causal), partial(attention, attn_mask=mask)
    for ours, expected in zip(*(gradients_of(function, tensors, g) for function in (long, masked)), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-11)
    t = [td.randn(*shape, dtype=td.float64) for shape in shapes]
    (_, ours), (_, expected) = (td.func.jvp(function, tuple(tensors), tuple(t)) for function in (long, masked))
    np.testing.assert_allclose(ours.numpy(), expected.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_what_causal_tiles_hide_spoils_nothing():
    """Keys and values that are not finite reach the queries that see them, and those alone."""
    td.manual_seed(0)
    query, key, value = (td.randn(1, 600, 4) for _ in range(3))
    right = attention(query, key, value, is_causal=True).numpy()
    key[0, 300], value[0, 400] = td.nan, td.inf
    found = attention(query, key, value, is_causal=True).numpy()
    np.testing.assert_allclose(found[0, :300], right[0, :300], rtol=1e-5, atol=1e-6)
    assert np.isnan(found[0, 300:]).all()


def test_encoder_layers_begin_alike_and_learn_apart():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.0), 2)
    a, b = (layer.linear1.weight for layer in encoder.layers)
    assert td.equal(a, b)
    encoder(td.randn(4, 3, 8)).square().sum().backward()
    assert not td.equal(a.grad, b.grad)


def test_a_function_as_activation():
    td.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation=td.tanh)
    assert layer(td.randn(4, 3, 8)).shape == (4, 3, 8)


def test_where_one_key_has_all_the_weight_the_scores_have_no_gradient():
    """Its slope less the mean of all slopes is exactly 0: nothing is left of numbers as large as the values."""
    random = np.random.default_rng(0)
    query, key, value = (td.tensor(random.standard_normal((2, 5, 8)), dtype=td.float32) for _ in range(3))
    key, value = key * 1e4, value * 1e4
    for x in (query, key, value):
        x.requires_grad_()
    out = td.nn.functional.scaled_dot_product_attention(query, key, value)
    out.backward(td.tensor(random.standard_normal((2, 5, 8)), dtype=td.float32))
    assert (query.grad == 0).all() and (key.grad == 0).all()
    assert (value.grad != 0).any()


def test_several_heads_as_a_function_with_given_keys():
    x, eye = td.tensor([[[1.0, 0.0]]]), td.eye(2)
    keys, values = td.tensor([[[0.0], [0.0]], [[0.0], [0.0]]]), td.tensor([[[2.0], [4.0]], [[6.0], [10.0]]])
    parts = td.cat([eye, eye, eye]), None, None, None, False, 0.0, eye, None
    out, weights = nn.functional.multi_head_attention_forward(x, x, x, 2, 2, *parts, static_k=keys, static_v=values)
    assert out.tolist() == [[[3.0, 8.0]]] and weights.tolist() == [[[0.5, 0.5]]]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"embed_dim_to_check": 4}, "expected a query of width 4"),
        ({"in_proj_weight": None}, "got None, expected in_proj_weight, as use_separate_proj_weight=False"),
        ({"use_separate_proj_weight": True}, "got None, expected q_proj_weight, k_proj_weight and v_proj_weight"),
        ({"static_k": td.ones(2, 1, 2)}, r"got static keys or values of shape \(2, 1, 2\), expected .* \(2, S, 1\)"),
        ({"is_causal": True}, "got is_causal=True without attn_mask"),
        ({"attn_mask": td.ones(3, 3)}, r"expected attn_mask of shape \(1, 1\) or \(2, 1, 1\), got \(3, 3\)"),
    ],
)
def test_several_heads_as_a_function_refuse(change, text):
    x, eye = td.ones(1, 1, 2), td.eye(2)
    given = {"query": x, "key": x, "value": x, "embed_dim_to_check": 2, "num_heads": 2, "bias_k": None, "bias_v": None}
    given |= {"in_proj_weight": td.cat([eye, eye, eye]), "in_proj_bias": None, "add_zero_attn": False, "dropout_p": 0.0}
    given |= {"out_proj_weight": eye, "out_proj_bias": None}
    with pytest.raises(ValueError, match=f"multi_head_attention_forward: {text}"):
        nn.functional.multi_head_attention_forward(**(given | change))
