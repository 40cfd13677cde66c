"""Attention with several heads."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.device import check_device
from tinygrad_dl.nn import init
from tinygrad_dl.nn.checks import probability, whole
from tinygrad_dl.nn.layers.linear import NonDynamicallyQuantizableLinear, empty_parameter
from tinygrad_dl.nn.module import Module
from tinygrad_dl.nn.parameter import Parameter
from tinygrad_dl.ops.attention.multi_head import attend

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
        joined = self._qkv_same_embed_dim = self.kdim == self.vdim == width
        parts = {"q": width, "k": self.kdim, "v": self.vdim}
        self.register_parameter(
            "in_proj_weight", empty_parameter((3 * width, width), dtype, device) if joined else None
        )
        for name, size in parts.items():
            self.register_parameter(
                f"{name}_proj_weight", None if joined else empty_parameter((width, size), dtype, device)
            )
        self.register_parameter("in_proj_bias", empty_parameter((3 * width,), dtype, device) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(width, width, bias, dtype=dtype)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, empty_parameter((1, 1, width), dtype, device) if add_bias_kv else None)
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
        separate = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        return attend(
            "MultiheadAttention",
            (query, key, value),
            (self.embed_dim, self.kdim, self.vdim),
            self.num_heads,
            in_proj=separate if self.in_proj_weight is None else self.in_proj_weight,
            in_bias=self.in_proj_bias,
            more=(self.bias_k, self.bias_v),
            add_zero_attn=self.add_zero_attn,
            p=self.dropout if self.training else 0.0,
            project=self.out_proj,
            masks=(key_padding_mask, attn_mask, is_causal),
            need_weights=need_weights,
            average=average_attn_weights,
            batch_first=self.batch_first,
        )
