"""Normalisation of batches, layers and groups."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.onnx.graph import Graph
from tinygrad_dl.onnx.table import converter, rewriting
from tinygrad_dl.onnx.values import Value, all_fixed


def full(g: Graph, value: Value | None, shape: Any, number: float, dtype: Any) -> Value:
    """A parameter, or one that changes nothing in its place."""
    return value if value is not None else g.const(np.full(all_fixed("parameters", shape), number, dtype))


@converter("batch_norm_eval")
def batch_norm_eval(
    g: Graph,
    input: Value,
    running_mean: Value,
    running_var: Value,
    weight: Value | None,
    bias: Value | None,
    eps: float,
) -> Value:
    channels = input.shape[1:2]
    scale = full(g, weight, channels, 1.0, input.dtype)
    shift = full(g, bias, channels, 0.0, input.dtype)
    return g.op("BatchNormalization", input, scale, shift, running_mean, running_var, epsilon=float(eps))


@rewriting("batch_norm")
def batch_norm(input: Any, weight: Any, bias: Any, eps: float) -> Any:
    """By the statistics of the batch."""
    dims, shape = (0, *range(2, input.ndim)), (1, -1, *(1,) * (input.ndim - 2))
    away = input - input.mean(dims, keepdim=True)
    out = away / (away.square().mean(dims, keepdim=True) + eps).sqrt()
    out = out if weight is None else out * weight.reshape(shape)
    return out if bias is None else out + bias.reshape(shape)


@converter("layer_norm")
def layer_norm(
    g: Graph, input: Value, normalized_shape: Any, weight: Value | None, bias: Value | None, eps: float
) -> Value:
    shape = normalized_shape if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    scale = full(g, weight, shape, 1.0, input.dtype)
    return g.op("LayerNormalization", input, scale, bias, axis=-len(shape), epsilon=float(eps))


@converter("group_norm")
def group_norm(g: Graph, input: Value, num_groups: int, weight: Value | None, bias: Value | None, eps: float) -> Value:
    """GroupNormalization has a factor for each channel from operator set 21 on; before, groups go as instances."""
    channels = input.shape[1:2]
    if g.opset >= 21 and input.ndim > 2:
        scale = full(g, weight, channels, 1.0, input.dtype)
        shift = full(g, bias, channels, 0.0, input.dtype)
        return g.op("GroupNormalization", input, scale, shift, num_groups=num_groups, epsilon=float(eps))
    groups = g.op("Reshape", input, g.const([0, num_groups, -1], np.int64))
    ones, zeros = (g.const(np.full(num_groups, number, input.dtype)) for number in (1.0, 0.0))
    made = g.reshape(g.op("InstanceNormalization", groups, ones, zeros, epsilon=float(eps)), input.shape)
    trailing = list(range(1, input.ndim - 1))
    if weight is not None:
        made = g.op("Mul", made, g.unsqueeze(weight, trailing))
    return made if bias is None else g.op("Add", made, g.unsqueeze(bias, trailing))
