"""Pooling, and what shares its linear maps along the last dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.onnx.graph import INT64, Graph
from tinygrad_dl.onnx.pointwise import scaled
from tinygrad_dl.onnx.table import Unsupported, converter, without
from tinygrad_dl.onnx.values import Value, all_fixed, fixed, product
from tinygrad_dl.ops.pooling._windows import adaptive_edges
from tinygrad_dl.ops.pooling.avg_pool import adaptive_plan, pooling_plan


def planes(g: Graph, input: Value, dims: int) -> Value:
    """The input as (N, C, sides), which ONNX's operators take."""
    lead = input.ndim - dims
    if lead == 2:
        return input
    if lead < 2:
        shape = (*(1,) * (2 - lead), *input.shape)
        return g.unsqueeze(input, list(range(2 - lead)))._replace(shape=shape)
    return g.reshape(input, (product(input.shape[:lead]), 1, *input.shape[lead:]))


def back(g: Graph, made: Value, input: Value, dims: int, out: Any) -> Value:
    """A result of `planes` in the shape that is wanted."""
    return made if input.ndim - dims == 2 else g.reshape(made._replace(shape=None), out[0][1])


def resampled(g: Graph, input: Value, plan: Any) -> Value:
    """Linear maps along the last dimensions, each as a product with its matrix, and a factor."""
    dims = len(plan.maps)
    for axis, along in enumerate(plan.maps, input.ndim - dims):
        matrix = along.dense()
        if axis == input.ndim - 1:
            input = g.op("MatMul", input, g.const(matrix.T, input.dtype))._replace(shape=input.shape)
            continue
        order = [i for i in range(input.ndim) if i != axis]
        order.insert(input.ndim - 2, axis)
        made = g.op("MatMul", g.const(matrix, input.dtype), g.transpose(input, order))
        input = g.transpose(made, np.argsort(order).tolist())._replace(shape=input.shape)
    if isinstance(plan.factor, np.ndarray):
        return g.op("Mul", input, g.const(plan.factor, input.dtype))
    return scaled(g, input, plan.factor)


def sides_of(input: Value, dims: int) -> tuple[int, ...]:
    """The sizes of the last dimensions, which have to be fixed."""
    return all_fixed("size", input.shape[input.ndim - dims :])


@converter("avg_pool")
def avg_pool(g: Graph, input: Value, options: Any, out: Any) -> Value:
    kernel, stride, padding, ceil_mode, include_pad, divisor = options
    dims = len(kernel)
    if ceil_mode or divisor is not None:  # of which runtimes have ideas of their own
        return resampled(g, input, pooling_plan((*(1,) * (input.ndim - dims), *sides_of(input, dims)), options))
    made = g.op(
        "AveragePool",
        planes(g, input, dims),
        kernel_shape=list(kernel),
        strides=list(stride),
        pads=[*padding, *padding],
        count_include_pad=int(include_pad),
    )
    return back(g, made, input, dims, out)


@converter("adaptive_avg_pool")
def adaptive_avg_pool(g: Graph, input: Value, sizes: Any, out: Any) -> Value:
    dims = len(sizes)
    if all(size == 1 for size in sizes):
        if input.ndim == dims + 2:
            return g.op("GlobalAveragePool", input)
        return g.reduce("ReduceMean", input, [*range(input.ndim - dims, input.ndim)], True)
    if sizes == input.shape[input.ndim - dims :]:
        return input
    sides = sides_of(input, dims)
    if any(not count or size % count for size, count in zip(sides, sizes, strict=True)):
        return resampled(g, input, adaptive_plan((*(1,) * (input.ndim - dims), *sides), sizes))
    kernel = [size // count for size, count in zip(sides, sizes, strict=True)]
    made = g.op("AveragePool", planes(g, input, dims), kernel_shape=kernel, strides=kernel)
    return back(g, made, input, dims, out)


def max_options(input: Value, options: Any) -> dict[str, Any]:
    """The attributes of MaxPool; of adaptive pooling those that mean the same, if the parts are of one size."""
    if len(options) > 1:
        kernel, stride, padding, dilation, ceil_mode = options
        return {
            "kernel_shape": list(kernel),
            "strides": list(stride),
            "pads": [*padding, *padding],
            "dilations": list(dilation),
            "ceil_mode": int(ceil_mode),
        }
    (sizes,) = options
    sides = sides_of(input, len(sizes))
    if any(not count or size % count for size, count in zip(sides, sizes, strict=True)):
        raise Unsupported(f"adaptive pooling of {sides} to {tuple(sizes)} has parts of different sizes, which overlap")
    kernel = [size // count for size, count in zip(sides, sizes, strict=True)]
    return {"kernel_shape": kernel, "strides": kernel}


def largest_parts(g: Graph, input: Value, counts: Any) -> Value:
    """Adaptive pooling into parts of different sizes, gathered; the shorter ones have their last element twice."""
    for axis, count in enumerate(counts, input.ndim - len(counts)):
        starts, ends = adaptive_edges(fixed("size", input.shape[axis]), count)
        places = np.minimum(starts[:, None] + np.arange((ends - starts).max()), ends[:, None] - 1)
        parts = g.op("Gather", input, g.const(places, np.int64), axis=axis)
        input = g.reduce("ReduceMax", parts, [axis + 1])._replace(shape=input.shape)
    return input


@converter("max_pool")
def max_pool(g: Graph, input: Value, options: Any, out: Any) -> Value:
    dims = len(options[0])
    if len(options) == 1 and all(size == 1 for size in options[0]):
        return g.reduce("ReduceMax", input, [*range(input.ndim - dims, input.ndim)], True)
    if len(options) == 1 and any(n % m for n, m in zip(sides_of(input, dims), options[0], strict=True)):
        return largest_parts(g, input, options[0])
    if input.dtype.kind != "f":
        raise Unsupported(f"MaxPool of ONNX takes no {input.dtype}; convert to float first")
    made = g.op("MaxPool", planes(g, input, dims), **max_options(input, options))
    return back(g, made, input, dims, out)


@converter("max_pool_indices")
def max_pool_indices(g: Graph, input: Value, options: Any, out: Any) -> Value:
    """ONNX counts through the whole tensor, here each plane begins anew."""
    dims = len(options[0])
    x = planes(g, input, dims)
    _, places = g.several(2, "MaxPool", x, **max_options(input, options))
    size = g.const(product(sides_of(input, dims)), np.int64)
    return back(g, g.op("Mod", places._replace(dtype=INT64), size), input, dims, out)


def flattened(g: Graph, value: Value, dims: int) -> Value:
    """The last dimensions as one."""
    lead = value.shape[: value.ndim - dims]
    return g.reshape(value, (*lead, product(value.shape[value.ndim - dims :])))


@converter("elements_at")
def elements_at(g: Graph, input: Value, indices: Value, dims: int, out: Any) -> Value:
    lead = input.ndim - dims
    found = g.op("GatherElements", flattened(g, input, dims), flattened(g, indices, dims), axis=lead)
    return g.reshape(found._replace(shape=None), out[0][1])


@converter("added_at")
def added_at(g: Graph, values: Value, indices: Value, sizes: Any, out: Any) -> Value:
    lead = values.ndim - len(sizes)
    shape = (*values.shape[:lead], product(sizes))
    zeros = g.expand(g.const(np.zeros((), values.dtype)), shape)
    flat = [flattened(g, each, len(sizes)) for each in (indices, values)]
    made = g.op("ScatterElements", zeros, *flat, axis=lead, reduction="add", dtype=values.dtype)
    return g.reshape(made, out[0][1])


without("it is a part of the gradient of pooling", "max_pool_backward", "max_pool_pick")
without("ONNX has no operator for it", "fractional_max_indices")
