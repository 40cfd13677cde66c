"""Tables of rows, and classes as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.onnx.graph import INT64, Graph
from tinygrad_dl.onnx.table import converter, without
from tinygrad_dl.onnx.values import Value, fixed


@converter("embedding")
def embedding(g: Graph, input: Value, weight: Value) -> Value:
    places = input if input.dtype in (np.int32, np.int64) else g.cast(input, INT64)
    return g.op("Gather", weight, places, axis=0, dtype=weight.dtype)


@converter("one_hot")
def one_hot(g: Graph, tensor: Value, out: Any) -> Value:
    classes = fixed("number of classes", out[0][1][-1])
    return g.compare("Equal", g.unsqueeze(g.cast(tensor, INT64), [tensor.ndim]), g.const(np.arange(classes)))


without("it is the gradient of an embedding", "embedding_backward")
