"""Attention and transformers beside PyTorch's: values, weights, gradients, state, with every kind of mask."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn

torch = pytest.importorskip("torch")
# PyTorch says which of its own fast paths it does not take.
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor")

RNG = np.random.default_rng(0)
N, L, S, E, H = 3, 4, 5, 8, 2


def draw(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(dtype)


def close(ours, theirs, tolerance=2e-5):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=tolerance, atol=tolerance)


def pair(name, *args, **kwargs):
    """The same module from both libraries, PyTorch's with our state."""
    ours, theirs = getattr(nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    for p in ours.parameters():  # norms and biases too, which begin at 0 and 1
        with td.no_grad():
            p += td.tensor(draw(*p.shape) * np.float32(0.1), dtype=p.dtype)
    theirs.load_state_dict({key: torch.tensor(np.array(t.numpy())) for key, t in ours.state_dict().items()})
    return ours, theirs


def same(ours, theirs, arrays, **options):
    """Compares results and all gradients; options are masks as arrays, and switches."""
    mine, others = [], []
    for name, kept, make in (("ours", mine, td.tensor), ("theirs", others, torch.tensor)):
        module = ours if name == "ours" else theirs
        tensors = [make(a, requires_grad=True) for a in arrays]
        given = {k: make(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
        if len(arrays) == 1 and isinstance(module, nn.MultiheadAttention | torch.nn.MultiheadAttention):
            result = module(*tensors * 3, **given)
        else:
            result = module(*tensors, **given)
        outs = [r for r in (result if isinstance(result, tuple) else (result,)) if r is not None]
        total = sum(((i + 1) * r * r).sum() for i, r in enumerate(outs))
        for p in module.parameters():
            p.grad = None
        total.backward()
        kept += [r.detach().numpy() for r in outs] + [t.grad.numpy() for t in tensors]
        kept += [None if p.grad is None else p.grad.numpy() for p in module.parameters()]
    assert len(mine) == len(others)
    for a, b in zip(mine, others, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.shape == tuple(b.shape)
            close(a, b, 1e-4)


PADDING = np.array([[False, False, False, False, True], [False] * 5, [False, False, True, True, True]])
CAUSAL = np.triu(np.ones((L, S), bool), 1)


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"key_padding_mask": PADDING},
        {"attn_mask": CAUSAL},
        {"attn_mask": np.where(CAUSAL, np.float32(-np.inf), np.float32(0.3))},
        {"attn_mask": CAUSAL, "key_padding_mask": PADDING},
        {"attn_mask": np.repeat(CAUSAL[None], N * H, 0)},
        {"attn_mask": draw(N * H, L, S)},
        {"attn_mask": draw(L, S), "key_padding_mask": draw(N, S)},
        {"average_attn_weights": False},
    ],
    ids=lambda options: "+".join(options) or "plain",
)
@pytest.mark.parametrize("batch_first", [False, True])
def test_multihead(options, batch_first, need_weights):
    ours, theirs = pair("MultiheadAttention", E, H, batch_first=batch_first)
    order = (0, 1, 2) if batch_first else (1, 0, 2)
    arrays = [draw(N, L, E).transpose(order), draw(N, S, E).transpose(order), draw(N, S, E).transpose(order)]
    same(ours, theirs, arrays, need_weights=need_weights, **options)


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {"kdim": 6},
        {"vdim": 3},
        {"kdim": 6, "vdim": 3, "bias": False},
        {"bias": False},
        {"add_bias_kv": True},
        {"add_zero_attn": True},
        {"add_bias_kv": True, "add_zero_attn": True, "kdim": 7},
    ],
    ids=lambda settings: "+".join(settings),
)
def test_multihead_settings(settings, need_weights):
    ours, theirs = pair("MultiheadAttention", E, H, batch_first=True, **settings)
    arrays = [draw(N, L, E), draw(N, S, settings.get("kdim", E)), draw(N, S, settings.get("vdim", E))]
    same(ours, theirs, arrays, need_weights=need_weights, key_padding_mask=PADDING)
    same(ours, theirs, [a[0] for a in arrays], need_weights=need_weights, key_padding_mask=PADDING[0])


def test_multihead_of_one_input():
    ours, theirs = pair("MultiheadAttention", E, H)
    same(ours, theirs, [draw(L, N, E)])
    same(ours, theirs, [draw(L, E)], need_weights=False)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_encoder_layer(norm_first, activation, batch_first):
    options = {"activation": activation, "batch_first": batch_first, "norm_first": norm_first}
    ours, theirs = pair("TransformerEncoderLayer", E, H, 12, 0.0, **options)
    x = draw(N, S, E) if batch_first else draw(S, N, E)
    same(ours, theirs, [x])
    mask = np.triu(np.full((S, S), -np.inf, np.float32), 1)
    same(ours, theirs, [x], src_mask=mask, is_causal=True)
    same(ours, theirs, [x], src_key_padding_mask=PADDING)


def test_encoder_layer_without_bias():
    ours, theirs = pair("TransformerEncoderLayer", E, H, 12, 0.0, bias=False)
    same(ours, theirs, [draw(S, N, E)])


def test_encoder():
    settings = E, H, 12, 0.0
    ours = nn.TransformerEncoder(nn.TransformerEncoderLayer(*settings, batch_first=True), 2, nn.LayerNorm(E))
    layer = torch.nn.TransformerEncoderLayer(*settings, batch_first=True)
    theirs = torch.nn.TransformerEncoder(layer, 2, torch.nn.LayerNorm(E))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({key: torch.tensor(np.array(t.numpy())) for key, t in ours.state_dict().items()})
    same(ours, theirs, [draw(N, S, E)])
    same(ours, theirs, [draw(N, S, E)], src_key_padding_mask=PADDING)
    mask = np.triu(np.full((S, S), -np.inf, np.float32), 1)
    same(ours, theirs, [draw(N, S, E)], mask=mask, is_causal=True)
    first, second = (layer.linear1.weight.detach().numpy() for layer in ours.layers)
    assert np.array_equal(first, second) and not np.shares_memory(first, second)


@pytest.mark.parametrize("norm_first", [False, True])
def test_decoder_and_whole(norm_first):
    options = {"batch_first": True, "norm_first": norm_first}
    ours, theirs = pair("TransformerDecoderLayer", E, H, 12, 0.0, **options)
    arrays = [draw(N, L, E), draw(N, S, E)]
    masks = {"tgt_mask": np.triu(np.ones((L, L), bool), 1), "memory_key_padding_mask": PADDING}
    same(ours, theirs, arrays, **masks)
    ours, theirs = pair("Transformer", E, H, 2, 2, 12, 0.0, **options)
    same(ours, theirs, [draw(N, S, E), draw(N, L, E)], src_key_padding_mask=PADDING, **masks)
    made = nn.Transformer.generate_square_subsequent_mask(4).numpy()
    np.testing.assert_array_equal(made, torch.nn.Transformer.generate_square_subsequent_mask(4).numpy())


def extreme():
    """Scores beyond what exp can hold; and rows whose largest score is far below the others'."""
    q, k, v = (draw(2, 3, 20, 8, dtype=np.float64) for _ in range(3))
    q *= 1000
    q[:, :, 1] = 0
    return q, k, v


@pytest.mark.parametrize("causal", [False, True])
def test_large_and_extreme_scores(causal):
    """In double precision: in single, both libraries' own rounding of such scores is above these bounds."""
    q, k, v = extreme()
    function, reference = (m.nn.functional.scaled_dot_product_attention for m in (td, torch))
    mine = [td.tensor(a, requires_grad=True) for a in (q, k, v)]
    other = [torch.tensor(a, requires_grad=True) for a in (q, k, v)]
    a, b = function(*mine, is_causal=causal), reference(*other, is_causal=causal)
    close(a.detach().numpy(), b.detach().numpy())
    a.sum().backward()
    b.sum().backward()
    for x, y in zip(mine, other, strict=True):
        close(x.grad.numpy(), y.grad.numpy(), 1e-3)


@pytest.mark.parametrize("causal", [False, True])
def test_large_scores_in_single_precision_are_off_by_their_rounding_alone(causal):
    q, k, v = (a.astype(np.float32) for a in extreme())
    exact = torch.nn.functional.scaled_dot_product_attention(
        *(torch.tensor(a, dtype=torch.float64) for a in (q, k, v)), is_causal=causal
    ).numpy()
    tensors = [td.tensor(a, requires_grad=True) for a in (q, k, v)]
    out = td.nn.functional.scaled_dot_product_attention(*tensors, is_causal=causal)
    # A score is off by so much at most; a weight by twice that, relatively; the result by that times the values.
    score = 9 * np.finfo(np.float32).eps * (abs(q) @ abs(k).swapaxes(-1, -2)).max() / np.sqrt(8)
    assert abs(out.detach().numpy() - exact).max() <= 2 * score * abs(v).max()
    out.sum().backward()
    assert all(np.isfinite(t.grad.numpy()).all() for t in tensors)


def test_grouped_queries_and_broadcast_batches():
    function, reference = (m.nn.functional.scaled_dot_product_attention for m in (td, torch))
    q, k, v = draw(2, 4, 5, 8), draw(2, 2, 6, 8), draw(2, 2, 6, 8)
    ours = function(td.tensor(q), td.tensor(k), td.tensor(v), enable_gqa=True)
    close(ours.numpy(), reference(torch.tensor(q), torch.tensor(k), torch.tensor(v), enable_gqa=True).numpy())
    ours = function(td.tensor(q), td.tensor(k[:1, :1]), td.tensor(v[:1, :1]))
    close(ours.numpy(), reference(torch.tensor(q), torch.tensor(k[:1, :1]), torch.tensor(v[:1, :1])).numpy())


def test_a_query_that_sees_nothing():
    mask = np.array([[True, False, True], [False, False, False]])
    q, k, v = draw(1, 2, 4), draw(1, 3, 4), draw(1, 3, 4)
    ours = [td.tensor(a, requires_grad=True) for a in (q, k, v)]
    theirs = [torch.tensor(a, requires_grad=True) for a in (q, k, v)]
    a = nn.functional.scaled_dot_product_attention(*ours, td.tensor(mask))
    b = torch.nn.functional.scaled_dot_product_attention(*theirs, torch.tensor(mask))
    close(a.detach().numpy(), b.detach().numpy())
    a.sum().backward()
    b.sum().backward()
    for x, y in zip(ours, theirs, strict=True):
        close(x.grad.numpy(), y.grad.numpy())


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize(
    ("settings", "static", "mask"),
    [
        ({}, False, False),
        ({"bias": False, "add_zero_attn": True}, False, True),
        ({"kdim": 5, "vdim": 6, "add_bias_kv": True}, False, True),
        ({"add_zero_attn": True}, True, True),
    ],
)
def test_multihead_as_a_function(settings, static, mask, need_weights):
    ours, theirs = pair("MultiheadAttention", E, H, **settings)
    query, key, value = draw(L, N, E), draw(S, N, ours.kdim), draw(S, N, ours.vdim)
    fixed = {f"static_{name}": draw(N * H, S, E // H) for name in "kv"} if static else {}
    hidden = {"key_padding_mask": RNG.random((N, S)) < 0.3, "attn_mask": RNG.random((L, S)) < 0.3} if mask else {}
    for each in hidden.values():
        each[:, 0] = False  # every query sees a key
    found = []
    for library, layer in ((td, ours), (torch, theirs)):
        x, k, v = (library.tensor(each, requires_grad=True) for each in (query, key, value))
        separate = {f"{name}_proj_weight": getattr(layer, f"{name}_proj_weight") for name in "qkv"}
        out, weights = library.nn.functional.multi_head_attention_forward(
            *(x, k, v, E, H, layer.in_proj_weight, layer.in_proj_bias, layer.bias_k, layer.bias_v),
            *(layer.add_zero_attn, 0.5, layer.out_proj.weight, layer.out_proj.bias),
            training=False,
            need_weights=need_weights,
            use_separate_proj_weight=layer.in_proj_weight is None,
            average_attn_weights=False,
            **separate,
            **{name: library.tensor(each) for name, each in (fixed | hidden).items()},
        )
        out.sin().sum().backward()
        found.append((out, weights, x.grad, k.grad, v.grad, layer.out_proj.weight.grad))
    for a, b in zip(*found, strict=True):
        if b is None or (not need_weights and a is None):
            assert (a is None or (a == 0).all()) and b is None
        else:
            close(a.detach().numpy(), b.detach().numpy())
