"""Attention with several heads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.core.device import check_device
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.nn import init
from tinygrad_dl.nn.checks import probability, whole
from tinygrad_dl.nn.layers.linear import NonDynamicallyQuantizableLinear, empty_parameter
from tinygrad_dl.nn.module import Module
from tinygrad_dl.nn.parameter import Parameter
from tinygrad_dl.ops.activation.softmax import softmax
from tinygrad_dl.ops.attention.attention import scaled_dot_product_attention
from tinygrad_dl.ops.dropout.dropout import dropout
from tinygrad_dl.ops.linear.linear import linear
from tinygrad_dl.ops.shape.joining import cat

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Projects queries, keys and values, attends in each of several heads, and projects what they found.

    Args:
        embed_dim: the width E of queries and results; each head gets E / num_heads of it.
        num_heads: how many heads.
        dropout: the probability with which each weight is dropped in training.
        bias: whether the projections add one.
        add_bias_kv: whether a learned key and value are put after the others.
        add_zero_attn: whether a key and a value of zeros are put after the others.
        kdim, vdim: the widths of keys and values, E unless given.
        batch_first: the batch is dimension 0 of inputs and result, else dimension 1.

    Raises:
        ValueError: `embed_dim` is no multiple of `num_heads`, or inputs or masks have other shapes.

    >>> attention = td.nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x = td.ones(4, 5, 8)
    >>> out, weights = attention(x, x, x)
    >>> out.shape, weights.shape
    ((4, 5, 8), (4, 5, 5))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html (Vaswani et al., 2017)
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        check_device(device)
        self.embed_dim = width = whole(self, "embed_dim", embed_dim, 1)
        self.num_heads = whole(self, "num_heads", num_heads, 1)
        if width % self.num_heads:
            raise ValueError(
                f"MultiheadAttention: expected an embed_dim that is a multiple of num_heads, got {width} and "
                f"{self.num_heads}"
            )
        self.kdim = width if kdim is None else whole(self, "kdim", kdim)
        self.vdim = width if vdim is None else whole(self, "vdim", vdim)
        self.dropout, self.batch_first = probability(self, "dropout", dropout), batch_first
        self.head_dim, self.add_zero_attn = width // self.num_heads, add_zero_attn
        joined = self.kdim == self.vdim == width
        parts = {"q": width, "k": self.kdim, "v": self.vdim}
        self.register_parameter("in_proj_weight", empty_parameter((3 * width, width), dtype) if joined else None)
        for name, size in parts.items():
            self.register_parameter(f"{name}_proj_weight", None if joined else empty_parameter((width, size), dtype))
        self.register_parameter("in_proj_bias", empty_parameter((3 * width,), dtype) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(width, width, bias, dtype=dtype)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, empty_parameter((1, 1, width), dtype) if add_bias_kv else None)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draws the weights anew; biases 0."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Any, Any]:
        """The attended values and, if `need_weights`, the weights (else None, which is faster).

        Args:
            query: (N, L, E) if `batch_first`, (L, N, E) if not, (L, E) without a batch.
            key, value: likewise, with their own length S and widths `kdim` and `vdim`.
            key_padding_mask: (N, S), or (S,) without a batch; bool, True where a key is to be ignored, or floats
                that are added to the scores.
            attn_mask: (L, S) or (N * num_heads, L, S); bool, True where a key may not be seen, or floats.
            average_attn_weights: weights of shape (N, L, S), not (N, num_heads, L, S).
            is_causal: says that `attn_mask` is the causal one; it has to be given all the same.
        """
        self._check(query, key, value)
        if is_causal and attn_mask is None:
            raise ValueError(
                "MultiheadAttention: got is_causal=True without attn_mask, expected the causal mask too; pass "
                "attn_mask=nn.Transformer.generate_square_subsequent_mask(length)"
            )
        batched = query.ndim == 3
        same = query is key is value, key is value
        if not batched:
            query, key, value = query.unsqueeze(0), key.unsqueeze(0), value.unsqueeze(0)
            key_padding_mask = None if key_padding_mask is None else as_tensor(key_padding_mask).unsqueeze(0)
        elif not self.batch_first:
            query, key, value = query.transpose(0, 1), key.transpose(0, 1), value.transpose(0, 1)
        n, length, width = query.shape
        q, k, v = self._projected(query, key, value, *same)
        if self.bias_k is not None and self.bias_v is not None:
            k = cat([k, self.bias_k.expand((n, 1, width))], 1)
            v = cat([v, self.bias_v.expand((n, 1, width))], 1)
        if self.add_zero_attn:
            zeros = wrap(np.zeros((n, 1, width), k.dtype))
            k, v = cat([k, zeros], 1), cat([v, zeros], 1)
        mask = self._mask(attn_mask, key_padding_mask, n, length, key.shape[1], k.shape[1] - key.shape[1])
        q, k, v = (x.reshape(n, x.shape[1], self.num_heads, self.head_dim).transpose(1, 2) for x in (q, k, v))
        p = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            mixed, weights = weighted(q, k, v, mask, p)
            weights = weights.mean(1) if average_attn_weights else weights
            weights = weights if batched else weights[0]
        else:
            mixed = scaled_dot_product_attention(q, k, v, mask, p)
        out = self.out_proj(mixed.transpose(1, 2).reshape(n, length, width))
        if not batched:
            return out[0], weights
        return (out if self.batch_first else out.transpose(0, 1)), weights

    def _check(self, query: Any, key: Any, value: Any) -> None:
        """Raises unless the three have shapes that go together."""
        shapes = f"got shapes {query.shape}, {key.shape} and {value.shape}"
        if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
            raise ValueError(f"MultiheadAttention: expected query, key and value all 2-D or all 3-D, {shapes}")
        for name, x, width in (("query", query, self.embed_dim), ("key", key, self.kdim), ("value", value, self.vdim)):
            if x.shape[-1] != width:
                raise ValueError(f"MultiheadAttention: expected a {name} of width {width}, {shapes}")
        batch = 0 if self.batch_first else 1
        if key.shape[:-1] != value.shape[:-1]:
            raise ValueError(f"MultiheadAttention: expected a key for each value, {shapes}")
        if query.ndim == 3 and query.shape[batch] != key.shape[batch]:
            raise ValueError(
                f"MultiheadAttention: expected the same batch size in dimension {batch}, {shapes}; the batch is "
                f"dimension {batch} because batch_first={self.batch_first}"
            )

    def _projected(self, query: Any, key: Any, value: Any, all_same: bool, two_same: bool) -> Any:
        """Queries, keys and values of all heads, with as few products as there are different inputs."""
        width, bias, weight = self.embed_dim, self.in_proj_bias, self.in_proj_weight
        if weight is None:
            weights: Any = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        elif all_same:
            return linear(query, weight, bias).split(width, dim=-1)
        elif two_same:
            first, others = weight.split([width, 2 * width])
            b, bs = (None, None) if bias is None else bias.split([width, 2 * width])
            return [linear(query, first, b), *linear(key, others, bs).split(width, dim=-1)]
        else:
            weights = weight.split(width)
        biases = (None, None, None) if bias is None else bias.split(width)
        return [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]

    def _mask(self, attn_mask: Any, padding: Any, n: int, length: int, keys: int, more: int) -> Any:
        """The two masks as one for `scaled_dot_product_attention`: there True says that a key is seen."""
        found = []
        if attn_mask is not None:
            mask = as_tensor(attn_mask)
            shapes = (length, keys), (n * self.num_heads, length, keys)
            if mask.shape not in shapes:
                raise ValueError(
                    f"MultiheadAttention: expected attn_mask of shape {shapes[0]} or {shapes[1]}, got {mask.shape}"
                )
            found.append(mask if mask.ndim == 2 else mask.reshape(n, self.num_heads, length, keys))
        if padding is not None:
            mask = as_tensor(padding)
            if mask.shape != (n, keys):
                raise ValueError(
                    f"MultiheadAttention: expected key_padding_mask of shape {(n, keys)}, got {mask.shape}"
                )
            found.append(mask.reshape(n, 1, 1, keys))
        for mask in found:
            if mask.dtype.kind not in "bfV":
                raise TypeError(f"MultiheadAttention: expected masks of bools or floats, got {mask.dtype}; use .bool()")
        if not found:
            return None
        if more:  # the added keys are seen by all
            found = [cat([m, wrap(np.zeros((*m.shape[:-1], more), m.dtype))], -1) for m in found]
        if all(mask.dtype == bool for mask in found):
            hidden = found[0] if len(found) == 1 else found[0].logical_or(found[1])
            return hidden.logical_not()
        dtype = self.out_proj.weight.dtype
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
