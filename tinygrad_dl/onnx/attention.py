"""Scaled dot-product attention, as the products and the softmax that it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.onnx.graph import BOOL, Graph
from tinygrad_dl.onnx.pointwise import scaled
from tinygrad_dl.onnx.table import converter
from tinygrad_dl.onnx.values import Value, fixed


@converter("scaled_dot_product_attention")
def attention(
    g: Graph,
    query: Value,
    key: Value,
    value: Value,
    mask: Value | None,
    factors: Value | None,
    is_causal: bool,
    scale: float | None,
) -> Value:
    order = [*range(key.ndim - 2), key.ndim - 1, key.ndim - 2]
    factor = 1 / math.sqrt(fixed("width", query.shape[-1])) if scale is None else scale
    scores = g.op("MatMul", scaled(g, query, factor), g.transpose(key, order))
    if is_causal:
        scores = g.op("Add", scores, causal(g, query.shape[-2], key.shape[-2], query.dtype))
    elif mask is not None and mask.dtype == BOOL:
        scores = g.where(mask, scores, g.like(-np.inf, scores))
    elif mask is not None:
        scores = g.op("Add", scores, g.cast(mask, scores.dtype))
    weights = g.op("Softmax", scores, axis=-1)
    if mask is not None:  # what may see nothing gets zeros
        weights = g.where(g.op("IsNaN", weights, dtype=BOOL), g.like(0, weights), weights)
    if factors is not None:
        weights = g.op("Mul", weights, g.cast(factors, weights.dtype))
    return g.op("MatMul", weights, value)


def causal(g: Graph, rows: Any, columns: Any, dtype: Any) -> Value:
    """0 where a query may look, -inf behind its own place; one for all layers."""

    def make() -> Value:
        hidden = g.expand(g.const(np.full((), -np.inf, dtype)), (rows, columns))
        above = g.op("Trilu", g.expand(g.const(np.ones((), dtype)), (rows, columns)), g.const(1, np.int64), upper=1)
        return g.where(g.cast(above, BOOL), hidden, g.const(np.zeros((), dtype)))

    return g.once(("causal", rows, columns, dtype), make)
