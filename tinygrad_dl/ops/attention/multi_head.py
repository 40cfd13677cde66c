"""Attention in several heads: projections, masks and the attention between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.ops.activation.softmax import softmax
from tinygrad_dl.ops.attention.attention import scaled_dot_product_attention
from tinygrad_dl.ops.dropout.dropout import dropout
from tinygrad_dl.ops.linear.linear import linear
from tinygrad_dl.ops.shape.joining import cat

NAMES = ("query", "key", "value")


@composition
def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What `nn.MultiheadAttention` computes, with its parameters as arguments and the batch in dimension 1.

    Args:
        query: (L, N, E), or (L, E) without a batch.
        key, value: likewise, with their own length S and widths.
        embed_dim_to_check: E.
        num_heads: how many heads; each gets D = E / num_heads of the width.
        in_proj_weight: (3 E, E), the weights of query, key and value one below the other.
        in_proj_bias: (3 E,).
        bias_k, bias_v: (1, 1, E), a key and a value that are put after the others.
        add_zero_attn: whether a key and a value of zeros are put after the others.
        dropout_p: the probability with which each weight is dropped if `training`.
        out_proj_weight, out_proj_bias: (E, E) and (E,), of the last projection.
        key_padding_mask: (N, S), or (S,) without a batch; bool, True where a key is to be ignored, or floats that are
            added to the scores.
        need_weights: whether to return the weights.
        attn_mask: (L, S) or (N * num_heads, L, S); bool, True where a key may not be seen, or floats.
        use_separate_proj_weight: take the three weights that follow in place of `in_proj_weight`.
        q_proj_weight, k_proj_weight, v_proj_weight: (E, E), (E, width of keys) and (E, width of values).
        static_k, static_v: (N * num_heads, S, D), keys and values that are projected already.
        average_attn_weights: weights of shape (N, L, S), not (N, num_heads, L, S).
        is_causal: says that `attn_mask` is the causal one; it has to be given all the same.

    Returns:
        (L, N, E), and the weights or None.

    Raises:
        ValueError: the shapes do not go together.

    >>> x, eye = td.ones(5, 2, 4), td.eye(4)
    >>> out, weights = td.nn.functional.multi_head_attention_forward(
    ...     x, x, x, 4, 2, td.cat([eye, eye, eye]), None, None, None, False, 0.0, eye, None
    ... )
    >>> out.shape, weights.shape
    ((5, 2, 4), (2, 5, 5))
    """
    name = "multi_head_attention_forward"
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    given = separate if use_separate_proj_weight else (in_proj_weight,)
    if any(weight is None for weight in given):
        wanted = "q_proj_weight, k_proj_weight and v_proj_weight" if use_separate_proj_weight else "in_proj_weight"
        raise ValueError(f"{name}: got None, expected {wanted}, as use_separate_proj_weight={use_separate_proj_weight}")
    widths = tuple(w.shape[-1] for w in separate if w is not None) if use_separate_proj_weight else ()
    return attend(
        name,
        (query, key, value),
        widths or (embed_dim_to_check,) * 3,
        num_heads,
        in_proj=separate if use_separate_proj_weight else in_proj_weight,
        in_bias=in_proj_bias,
        more=(bias_k, bias_v),
        add_zero_attn=add_zero_attn,
        p=dropout_p if training else 0.0,
        project=lambda mixed: linear(mixed, out_proj_weight, out_proj_bias),
        masks=(key_padding_mask, attn_mask, is_causal),
        need_weights=need_weights,
        average=average_attn_weights,
        static=(static_k, static_v),
    )


def attend(
    name: str,
    inputs: tuple[Any, Any, Any],
    widths: tuple[int, ...],
    num_heads: int,
    *,
    in_proj: Any,
    in_bias: Any,
    more: tuple[Any, Any],
    add_zero_attn: bool,
    p: float,
    project: Callable[[Any], Any],
    masks: tuple[Any, Any, bool],
    need_weights: bool,
    average: bool,
    batch_first: bool = False,
    static: tuple[Any, Any] = (None, None),
) -> tuple[Any, Any]:
    """The attended values and the weights or None: `multi_head_attention_forward`, with the batch where it is.

    Args:
        name: what errors call it.
        widths: those that query, key and value should have.
        in_proj: one weight for all three, or three.
        more: `bias_k` and `bias_v`.
        project: the last projection.
        masks: `key_padding_mask`, `attn_mask`, `is_causal`.
    """
    check(name, inputs, widths, 0 if batch_first else 1, batch_first)
    padding, attn_mask, is_causal = masks
    if is_causal and attn_mask is None:
        raise ValueError(
            f"{name}: got is_causal=True without attn_mask, expected the causal mask too; pass "
            "attn_mask=nn.Transformer.generate_square_subsequent_mask(length)"
        )
    query, key, value = inputs
    batched = query.ndim == 3
    same = query is key is value, key is value
    if not batched:
        query, key, value = query.unsqueeze(0), key.unsqueeze(0), value.unsqueeze(0)
        padding = None if padding is None else as_tensor(padding).unsqueeze(0)
    elif not batch_first:
        query, key, value = query.transpose(0, 1), key.transpose(0, 1), value.transpose(0, 1)
    n, length, width = query.shape
    projected = projections(width, (query, key, value), in_proj, in_bias, *same)
    q, k, v = [
        by_head(name, x, fixed, extra, num_heads)
        for x, fixed, extra in zip(projected, (None, *static), (None, *more), strict=True)
    ]
    added = (more[0] is not None) + add_zero_attn
    if add_zero_attn:
        zeros = wrap(module_of(k).zeros((n, num_heads, 1, width // num_heads), k.dtype))
        k, v = cat([k, zeros], 2), cat([v, zeros], 2)
    mask = joined_mask(name, attn_mask, padding, (n, num_heads, length, k.shape[2] - added), added, q.dtype)
    weights = None
    if need_weights:
        mixed, weights = weighted(q, k, v, mask, p)
        weights = weights.mean(1) if average else weights
        weights = weights if batched else weights[0]
    else:
        mixed = scaled_dot_product_attention(q, k, v, mask, p)
    out = project(mixed.transpose(1, 2).reshape(n, length, width))
    if not batched:
        return out[0], weights
    return (out if batch_first else out.transpose(0, 1)), weights


def check(name: str, inputs: tuple[Any, ...], widths: tuple[int, ...], batch: int, batch_first: bool) -> None:
    """Raises unless query, key and value have shapes that go together."""
    query, key, value = inputs
    shapes = f"got shapes {query.shape}, {key.shape} and {value.shape}"
    if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
        raise ValueError(f"{name}: expected query, key and value all 2-D or all 3-D, {shapes}")
    for what, x, width in zip(NAMES, inputs, widths, strict=True):
        if x.shape[-1] != width:
            raise ValueError(f"{name}: expected a {what} of width {width}, {shapes}")
    if key.shape[:-1] != value.shape[:-1]:
        raise ValueError(f"{name}: expected a key for each value, {shapes}")
    if query.ndim == 3 and query.shape[batch] != key.shape[batch]:
        raise ValueError(
            f"{name}: expected the same batch size in dimension {batch}, {shapes}; the batch is dimension {batch} "
            f"because batch_first={batch_first}"
        )


def projections(width: int, inputs: tuple[Any, ...], weight: Any, bias: Any, all_same: bool, two_same: bool) -> Any:
    """Queries, keys and values of all heads, with as few products as there are different inputs."""
    if isinstance(weight, tuple):
        weights: Any = weight
    elif all_same:
        return linear(inputs[0], weight, bias).split(width, dim=-1)
    elif two_same:
        first, others = weight.split([width, 2 * width])
        b, bs = (None, None) if bias is None else bias.split([width, 2 * width])
        return [linear(inputs[0], first, b), *linear(inputs[1], others, bs).split(width, dim=-1)]
    else:
        weights = weight.split(width)
    biases = (None, None, None) if bias is None else bias.split(width)
    return [linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True)]


def by_head(name: str, x: Any, fixed: Any, extra: Any, num_heads: int) -> Any:
    """Projections (N, L, E) as (N, num_heads, L, D): with `extra`, (1, 1, E), behind them, or `fixed` for them."""
    n, length, width = x.shape
    if fixed is None:
        if extra is not None:
            x, length = cat([x, extra.expand((n, 1, width))], 1), length + 1
        return x.reshape(n, length, num_heads, width // num_heads).transpose(1, 2)
    if extra is not None or fixed.ndim != 3 or fixed.shape[::2] != (n * num_heads, width // num_heads):
        raise ValueError(
            f"{name}: got static keys or values of shape {fixed.shape}{' and a bias' * (extra is not None)}, "
            f"expected (N * num_heads, S, D) = ({n * num_heads}, S, {width // num_heads}) without a bias"
        )
    return fixed.reshape(n, num_heads, *fixed.shape[1:])


def joined_mask(name: str, attn_mask: Any, padding: Any, sizes: tuple[int, ...], added: int, dtype: Any) -> Any:
    """The two masks as one for `scaled_dot_product_attention`: there True says that a key is seen."""
    n, num_heads, length, keys = sizes
    found = []
    if attn_mask is not None:
        mask = as_tensor(attn_mask)
        shapes = (length, keys), (n * num_heads, length, keys)
        if mask.shape not in shapes:
            raise ValueError(f"{name}: expected attn_mask of shape {shapes[0]} or {shapes[1]}, got {mask.shape}")
        found.append(mask if mask.ndim == 2 else mask.reshape(n, num_heads, length, keys))
    if padding is not None:
        mask = as_tensor(padding)
        if mask.shape != (n, keys):
            raise ValueError(f"{name}: expected key_padding_mask of shape {(n, keys)}, got {mask.shape}")
        found.append(mask.reshape(n, 1, 1, keys))
    for mask in found:
        if mask.dtype.kind not in "bfV":
            raise TypeError(f"{name}: expected masks of bools or floats, got {mask.dtype}; use .bool()")
    if not found:
        return None
    if added:  # the added keys are seen by all
        found = [cat([m, wrap(module_of(m).zeros((*m.shape[:-1], added), m.dtype))], -1) for m in found]
    if all(mask.dtype == bool for mask in found):
        hidden = found[0] if len(found) == 1 else found[0].logical_or(found[1])
        return hidden.logical_not()
    floats = [to_scores(mask, dtype) for mask in found]
    return floats[0] if len(floats) == 1 else floats[0] + floats[1]


def as_tensor(mask: Any) -> Tensor:
    """A mask as a tensor."""
    return mask if isinstance(mask, Tensor) else wrap(np.asarray(mask))


def to_scores(mask: Tensor, dtype: Any) -> Tensor:
    """A mask as what is added to the scores: -inf where a bool is True."""
    if mask.dtype != bool:
        return mask.to(dtype)
    return wrap(np.where(mask._data, -np.inf, 0.0).astype(dtype))


def weighted(q: Any, k: Any, v: Any, mask: Any, p: float) -> tuple[Any, Any]:
    """Attention step by step, which leaves the weights to be returned."""
    scores = (q * (1 / math.sqrt(q.shape[-1]))) @ k.transpose(-2, -1)
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), -math.inf) if mask.dtype == bool else scores + mask
    weights = softmax(scores, -1)
    if p:
        weights = dropout(weights, p)
    return weights @ v, weights
