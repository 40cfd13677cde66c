"""Transformers: encoder, decoder and both together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core import dtypes, promotion
from tinygrad_dl.core.device import check_device, module_for
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.nn import functional, init
from tinygrad_dl.nn.checks import LAYERS, whole
from tinygrad_dl.nn.containers import ModuleList
from tinygrad_dl.nn.layers.attention import MultiheadAttention
from tinygrad_dl.nn.layers.dropout import Dropout
from tinygrad_dl.nn.layers.linear import Linear
from tinygrad_dl.nn.layers.normalization import LayerNorm
from tinygrad_dl.nn.module import Module

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]

Activation = str | Callable[[Any], Any]


def activation_named(owner: object, activation: Activation) -> Callable[[Any], Any]:
    """The function that `activation` names, or is."""
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise ValueError(
            f"{type(owner).__name__}: got activation={activation!r}, expected 'relu', 'gelu' or a function"
        )
    found: Callable[[Any], Any] = getattr(functional, activation)
    return found


def copies(layer: Module, number: int) -> ModuleList:
    """So many layers that start alike and share nothing."""
    from copy import deepcopy  # here: imports stay fast

    return ModuleList([deepcopy(layer) for _ in range(number)])


class TransformerEncoderLayer(Module):
    """Self-attention, then a perceptron on each place; each is added to its input and normalised.

    Args:
        d_model: the width of inputs and results.
        nhead: how many heads the attention has.
        dim_feedforward: the width inside the perceptron.
        dropout: the probability of dropping attention weights, and elements of the two results and inside.
        activation: "relu", "gelu" or a function, inside the perceptron.
        batch_first: (N, L, d_model) instead of (L, N, d_model).
        norm_first: normalise what attention and perceptron get, not what comes out: deep models train better.
        bias: whether the linear layers and norms have one.

    >>> layer = td.nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    >>> layer(td.ones(4, 5, 8)).shape
    (4, 5, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        check_device(device)
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        self.activation = activation_named(self, activation)

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        """The layer's result, of the shape of `src`; the masks are those of `MultiheadAttention`."""
        masks = src_mask, src_key_padding_mask, is_causal
        if self.norm_first:
            src = src + self._attended(self.norm1(src), *masks)
            return src + self._perceived(self.norm2(src))
        src = self.norm1(src + self._attended(src, *masks))
        return self.norm2(src + self._perceived(src))

    def _attended(self, x: Any, mask: Any, padding: Any, is_causal: bool) -> Any:
        return self.dropout1(self.self_attn(x, x, x, padding, False, mask, is_causal=is_causal)[0])

    def _perceived(self, x: Any) -> Any:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoder(Module):
    """Encoder layers one after the other.

    Args:
        encoder_layer: copied `num_layers` times; all begin with the same weights.
        norm: a layer that comes last, if any.
        enable_nested_tensor, mask_check: accepted, and change nothing: padded places are computed like others.

    >>> layer = td.nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    >>> td.nn.TransformerEncoder(layer, 2)(td.ones(4, 5, 8)).shape
    (4, 5, 8)
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ):
        super().__init__()
        self.num_layers = whole(self, "num_layers", num_layers, most=LAYERS)
        self.layers = copies(encoder_layer, self.num_layers)
        self.norm = norm

    def forward(
        self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None
    ) -> Any:
        """The last layer's result, of the shape of `src`; the masks are those of `MultiheadAttention`."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoderLayer(Module):
    """Self-attention, attention to an encoder's result, then a perceptron; each added to its input and normalised.

    The arguments are those of `TransformerEncoderLayer`.

    >>> layer = td.nn.TransformerDecoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    >>> layer(td.ones(4, 5, 8), td.ones(4, 3, 8)).shape
    (4, 5, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        check_device(device)
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1, self.dropout2, self.dropout3 = Dropout(dropout), Dropout(dropout), Dropout(dropout)
        self.activation = activation_named(self, activation)

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Any:
        """The layer's result, of the shape of `tgt`; `memory` is what the encoder gave."""

        def own(x: Any) -> Any:
            masks = tgt_key_padding_mask, False, tgt_mask
            return self.dropout1(self.self_attn(x, x, x, *masks, is_causal=tgt_is_causal)[0])

        def other(x: Any) -> Any:
            masks = memory_key_padding_mask, False, memory_mask
            return self.dropout2(self.multihead_attn(x, memory, memory, *masks, is_causal=memory_is_causal)[0])

        def perceived(x: Any) -> Any:
            return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        for norm, part in ((self.norm1, own), (self.norm2, other), (self.norm3, perceived)):
            tgt = tgt + part(norm(tgt)) if self.norm_first else norm(tgt + part(tgt))
        return tgt


class TransformerDecoder(Module):
    """Decoder layers one after the other.

    Args:
        decoder_layer: copied `num_layers` times; all begin with the same weights.
        norm: a layer that comes last, if any.

    >>> layer = td.nn.TransformerDecoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    >>> td.nn.TransformerDecoder(layer, 2)(td.ones(4, 5, 8), td.ones(4, 3, 8)).shape
    (4, 5, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None):
        super().__init__()
        self.num_layers = whole(self, "num_layers", num_layers, most=LAYERS)
        self.layers = copies(decoder_layer, self.num_layers)
        self.norm = norm

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """The last layer's result, of the shape of `tgt`."""
        masks = tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask
        for layer in self.layers:
            tgt = layer(tgt, memory, *masks, bool(tgt_is_causal), memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder and a decoder that attends to its result; embeddings and the last linear layer are the user's.

    Args:
        d_model, nhead, dim_feedforward, dropout, activation, batch_first, norm_first, bias: those of the layers.
        num_encoder_layers, num_decoder_layers: how many.
        custom_encoder, custom_decoder: modules to use instead.

    >>> model = td.nn.Transformer(8, 2, 1, 1, dim_feedforward=16, batch_first=True)
    >>> model(td.ones(4, 3, 8), td.ones(4, 5, 8)).shape
    (4, 5, 8)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Transformer.html (Vaswani et al., 2017)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        shape = d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias
        last = {"eps": layer_norm_eps, "bias": bias, "dtype": dtype}
        if custom_encoder is None:
            layer: Module = TransformerEncoderLayer(*shape, device, dtype)
            custom_encoder = TransformerEncoder(layer, num_encoder_layers, LayerNorm(d_model, **last))
        self.encoder = custom_encoder
        if custom_decoder is None:
            layer = TransformerDecoderLayer(*shape, device, dtype)
            custom_decoder = TransformerDecoder(layer, num_decoder_layers, LayerNorm(d_model, **last))
        self.decoder = custom_decoder
        for p in self.parameters():
            if p.ndim > 1:
                init.xavier_uniform_(p)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """The decoder's result for `tgt`, of its shape, given the encoder's for `src`."""
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise ValueError(
                f"Transformer: expected src and tgt of width d_model={self.d_model}, got {src.shape} and {tgt.shape}"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        masks = tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask
        return self.decoder(tgt, memory, *masks, tgt_is_causal, memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """The causal mask: -inf where a later place would be seen, else 0; (sz, sz)."""
        check_device(device)
        found = promotion.default.dtype if dtype is None else dtypes.as_dtype(dtype)
        return wrap(np.triu(module_for(device).full((sz, sz), -np.inf), 1).astype(found))
