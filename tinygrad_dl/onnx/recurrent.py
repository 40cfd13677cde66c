"""Recurrent layers: one node for each layer and direction.

PyTorch and ONNX have the gates of a layer in different orders; parameters are put into ONNX's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.onnx.graph import Graph
from tinygrad_dl.onnx.table import converter
from tinygrad_dl.onnx.values import Value

# The blocks of rows in ONNX's order: input, output, forget, cell; update, reset, hidden.
LSTM, GRU, RNN = (0, 3, 1, 2), (1, 0, 2), (0,)


def turned(g: Graph, value: Value, order: tuple[int, ...]) -> Value:
    """A parameter with its blocks of rows in another order, and ONNX's dimension for directions in front."""
    if value.array is not None:
        rows = np.split(value.array, len(order))
        return g.const(np.concatenate([rows[i] for i in order])[None], name=g.unique(f"{value.name}.onnx"))
    if len(order) > 1:
        sizes = g.const([value.shape[0] // len(order)] * len(order), np.int64)
        blocks = g.several(len(order), "Split", value, sizes, axis=0)
        value = g.op("Concat", *[blocks[i] for i in order], axis=0)
    return g.unsqueeze(value, [0])


def layer(
    g: Graph,
    type: str,
    order: tuple[int, ...],
    input: Value,
    states: list[Value | None],
    weights: list[Value],
    biases: list[Value | None],
    reverse: bool,
    lengths: Any,
    **attributes: Any,
) -> list[Value]:
    """The node, and its results without the dimension for directions."""
    weight_ih, weight_hh = [turned(g, each, order) for each in weights]
    both = [turned(g, each, order) for each in biases if each is not None]
    bias = None
    if both:
        known = [each.array for each in both]
        if all(each is not None for each in known):
            bias = g.const(np.concatenate(known, 1), name=f"{weight_ih.name}.bias")
        else:
            bias = g.op("Concat", *both, axis=1)
    if lengths is not None:
        lengths = g.cast(lengths if isinstance(lengths, Value) else g.tensor(lengths, np.int64), np.int32)
    first = [None if each is None else g.unsqueeze(each, [0]) for each in states]
    found = g.several(
        1 + len(states),
        type,
        input,
        weight_ih,
        weight_hh,
        bias,
        lengths,
        *first,
        hidden_size=weights[1].shape[1],
        direction="reverse" if reverse else "forward",
        **attributes,
    )
    return [g.squeeze(each, [1 if i == 0 else 0]) for i, each in enumerate(found)]


@converter("lstm_layer")
def lstm_layer(
    g: Graph,
    input: Value,
    h0: Any,
    c0: Any,
    weight_ih: Value,
    weight_hh: Value,
    bias_ih: Any,
    bias_hh: Any,
    reverse: bool,
    lengths: Any,
) -> list[Value]:
    weights, biases = [weight_ih, weight_hh], [bias_ih, bias_hh]
    return layer(g, "LSTM", LSTM, input, [h0, c0], weights, biases, reverse, lengths)


@converter("gru_layer")
def gru_layer(
    g: Graph,
    input: Value,
    h0: Any,
    weight_ih: Value,
    weight_hh: Value,
    bias_ih: Any,
    bias_hh: Any,
    reverse: bool,
    lengths: Any,
) -> list[Value]:
    weights, biases = [weight_ih, weight_hh], [bias_ih, bias_hh]
    return layer(g, "GRU", GRU, input, [h0], weights, biases, reverse, lengths, linear_before_reset=1)


@converter("rnn_layer")
def rnn_layer(
    g: Graph,
    input: Value,
    h0: Any,
    weight_ih: Value,
    weight_hh: Value,
    bias_ih: Any,
    bias_hh: Any,
    nonlinearity: str,
    reverse: bool,
    lengths: Any,
) -> list[Value]:
    weights, biases = [weight_ih, weight_hh], [bias_ih, bias_hh]
    kind = [nonlinearity.capitalize()]
    return layer(g, "RNN", RNN, input, [h0], weights, biases, reverse, lengths, activations=kind)
