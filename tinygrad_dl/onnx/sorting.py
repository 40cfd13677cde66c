"""Sorting and the largest elements."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.onnx.graph import INT64, Graph
from tinygrad_dl.onnx.reduction import ordered
from tinygrad_dl.onnx.table import converter, without
from tinygrad_dl.onnx.values import Value


def first(g: Graph, input: Value, count: Any, dim: int, largest: bool) -> list[Value]:
    """So many of the largest or smallest elements along a dimension, in order, and where they are."""
    if not input.ndim:
        found = first(g, g.reshape(input, (1,)), 1, 0, largest)
        return [g.reshape(each._replace(shape=None), ()) for each in found]
    values, places = g.several(2, "TopK", ordered(g, input), g.ints([count]), axis=dim, largest=int(largest), sorted=1)
    return [values, places._replace(dtype=INT64)]


@converter("topk")
def topk(g: Graph, input: Value, k: int, dim: int, largest: bool) -> list[Value]:
    return first(g, input, k, dim, largest)


@converter("sort")
def sort(g: Graph, input: Value, dim: int, descending: bool) -> list[Value]:
    return first(g, input, input.shape[dim] if input.ndim else 1, dim, descending)


@converter("argsort")
def argsort(g: Graph, input: Value, dim: int, descending: bool) -> Value:
    return sort(g, input, dim, descending)[1]


@converter("kthvalue")
def kthvalue(g: Graph, input: Value, k: int, dim: int, keepdim: bool, out: Any) -> list[Value]:
    found = first(g, input, k, dim, False)
    if not input.ndim:
        return found
    last = [g.slice(each, dim, k - 1, k) for each in found]
    return last if keepdim else [g.squeeze(each, [dim % input.ndim]) for each in last]


without("ONNX has no operator for it", "cummax", "cummin", "logcumsumexp", "mode", "quantile_neighbours")
