"""Sums, means, extrema and their like over dimensions; scans along one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.onnx.graph import BOOL, INT64, Graph
from tinygrad_dl.onnx.table import Unsupported, converter, rewriting, without
from tinygrad_dl.onnx.values import Dim, Value, product
from tinygrad_dl.ops.indexing.slices import index_select
from tinygrad_dl.ops.pointwise.arithmetic import lerp
from tinygrad_dl.ops.reduction.quantile import ROUNDED
from tinygrad_dl.ops.reduction.statistics import options
from tinygrad_dl.ops.shape.joining import cat
from tinygrad_dl.ops.sorting.sort import sort
from tinygrad_dl.ops.sorting.topk import kthvalue


def axes_of(dim: Any, ndim: int) -> list[int]:
    """The dimensions meant, all of them by None and by none."""
    if dim is None or dim == () or dim == []:
        return list(range(ndim))
    return [each % max(ndim, 1) for each in (dim if isinstance(dim, tuple | list) else (dim,))]


def over(g: Graph, type: str, input: Value, dim: Any, keepdim: Any = False) -> Value:
    """A reduction; of a 0-d tensor that of its one element."""
    if not input.ndim:
        return g.reduce(type, g.unsqueeze(input, [0]), [0])
    return g.reduce(type, input, axes_of(dim, input.ndim), bool(keepdim))


@converter("sum")
def total(g: Graph, input: Value, dim: Any, keepdim: bool, out: Any) -> Value:
    return over(g, "ReduceSum", counted(g, input, out), dim, keepdim)


@converter("mean")
def mean(g: Graph, input: Value, dim: Any, keepdim: bool, out: Any) -> Value:
    return over(g, "ReduceMean", counted(g, input, out), dim, keepdim)


@converter("prod")
def prod(g: Graph, input: Value, dim: Any, keepdim: bool, out: Any) -> Value:
    return over(g, "ReduceProd", counted(g, input, out), dim, keepdim)


def counted(g: Graph, input: Value, out: Any) -> Value:
    """The input in the dtype of the result, in which it is added up."""
    return g.cast(input, out[0][0])._replace(shape=input.shape)


def _extreme(key: str, type: str) -> None:
    @converter(key)
    def convert(g: Graph, input: Value, dim: Any, keepdim: bool) -> Value:
        return over(g, type, ordered(g, input), dim, keepdim)


def ordered(g: Graph, input: Value) -> Value:
    """The input as numbers: truth values as 0 and 1."""
    return g.cast(input, np.int32)._replace(shape=input.shape) if input.dtype == BOOL else input


_extreme("amax", "ReduceMax")
_extreme("amin", "ReduceMin")


def _truth(key: str, type: str) -> None:
    @converter(key)
    def convert(g: Graph, input: Value, dim: Any, keepdim: bool) -> Value:
        numbers = g.cast(g.cast(input, BOOL), np.int32)._replace(shape=input.shape)
        return g.cast(over(g, type, numbers, dim, keepdim), BOOL)


_truth("any", "ReduceMax")
_truth("all", "ReduceMin")


@converter("count_nonzero")
def count_nonzero(g: Graph, input: Value, dim: Any) -> Value:
    numbers = g.cast(g.cast(input, BOOL), INT64)._replace(shape=input.shape)
    return over(g, "ReduceSum", numbers, dim)


def place(g: Graph, type: str, input: Value, dim: Any, keepdim: Any) -> Value:
    """Where the largest or smallest element is."""
    input = ordered(g, input)
    if dim is None or not input.ndim:
        flat: Value = g.op(type, g.reshape(input, (-1,)), axis=0, keepdims=0, dtype=INT64)
        return g.reshape(flat, (1,) * input.ndim) if keepdim else flat
    return g.op(type, input, axis=dim, keepdims=int(bool(keepdim)), dtype=INT64)


@converter("argmax")
def argmax(g: Graph, input: Value, dim: Any, keepdim: bool) -> Value:
    return place(g, "ArgMax", input, dim, keepdim)


@converter("argmin")
def argmin(g: Graph, input: Value, dim: Any, keepdim: bool) -> Value:
    return place(g, "ArgMin", input, dim, keepdim)


@converter("max_dim")
def max_dim(g: Graph, input: Value, dim: Any, keepdim: bool) -> list[Value]:
    return [over(g, "ReduceMax", ordered(g, input), dim, keepdim), place(g, "ArgMax", input, dim, keepdim)]


@converter("min_dim")
def min_dim(g: Graph, input: Value, dim: Any, keepdim: bool) -> list[Value]:
    return [over(g, "ReduceMin", ordered(g, input), dim, keepdim), place(g, "ArgMin", input, dim, keepdim)]


def variance(g: Graph, input: Value, dim: Any, unbiased: Any, keepdim: Any, correction: Any) -> Value:
    """The mean of the squared differences from the mean, or their sum over their number less the correction."""
    dim, less = options(dim, unbiased, correction, input.ndim)
    axes = axes_of(dim, input.ndim)
    away = g.op("Sub", input, g.reduce("ReduceMean", input, axes, True))
    sums = g.reduce("ReduceSum", g.op("Mul", away, away), axes, bool(keepdim))
    count = product([input.shape[axis] for axis in axes])
    if isinstance(count, Dim):
        divisor = g.cast(g.number(count), input.dtype)
        return g.op("Div", sums, g.op("Max", g.op("Sub", divisor, g.like(less, input)), g.like(0, input)))
    return g.op("Div", sums, g.like(max(count - less, 0), input))


@converter("var")
def var(g: Graph, input: Value, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> Value:
    return variance(g, input, dim, unbiased, keepdim, correction)


@converter("std")
def std(g: Graph, input: Value, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> Value:
    return g.op("Sqrt", variance(g, input, dim, unbiased, keepdim, correction))


@converter("norm")
def norm(g: Graph, input: Value, p: Any, dim: Any, keepdim: bool, out: Any) -> Value:
    input = g.cast(input, out[0][0])._replace(shape=input.shape)
    if p in (1, 2, "fro", None):
        return over(g, "ReduceL1" if p == 1 else "ReduceL2", input, dim, keepdim)
    if isinstance(p, str):
        raise Unsupported(f"the norm {p!r} needs singular values, which ONNX has no operator for")
    size = g.op("Abs", input)._replace(shape=input.shape)
    if math.isinf(p):
        return over(g, "ReduceMax" if p > 0 else "ReduceMin", size, dim, keepdim)
    if p == 0:
        there = g.cast(g.cast(input, BOOL), input.dtype)._replace(shape=input.shape)
        return over(g, "ReduceSum", there, dim, keepdim)
    powers = g.op("Pow", size, g.like(p, input))._replace(shape=input.shape)
    return g.op("Pow", over(g, "ReduceSum", powers, dim, keepdim), g.like(1 / p, input))


@converter("logsumexp")
def logsumexp(g: Graph, input: Value, dim: Any, keepdim: bool) -> Value:
    return over(g, "ReduceLogSumExp", input, dim, keepdim)


@rewriting("median_dim")
def median_dim(input: Any, dim: Any, keepdim: bool, ignore_nan: bool) -> Any:
    """The lower of the two in the middle."""
    if ignore_nan:
        return NotImplemented
    return kthvalue(input, (input.shape[dim] + 1) // 2 if input.ndim else 1, dim, keepdim)


@rewriting("median")
def median(input: Any, dim: Any, keepdim: bool, ignore_nan: bool) -> Any:
    if dim is not None:
        found = median_dim(input, dim, keepdim, ignore_nan)
        return found if found is NotImplemented else found[0]
    flat = input.reshape(-1)
    found = median_dim(flat, 0, False, ignore_nan)
    return found if found is NotImplemented else found[0].reshape((1,) * input.ndim if keepdim else ())


@rewriting("quantile")
def quantile(input: Any, q: Any, interpolation: str, ignore_nan: bool) -> Any:
    """Of rows without nan: the elements in order, and what lies between two of them."""
    if ignore_nan or q.ndim > 1:
        return NotImplemented
    values = sort(input, -1).values
    rank = q * (input.shape[-1] - 1)
    if interpolation in ROUNDED:
        return index_select(values, -1, ROUNDED[interpolation](rank).long().reshape(-1)).reshape(
            (*input.shape[:-1], *q.shape)
        )
    low = np.floor(rank)
    below, above = (index_select(values, -1, place.long().reshape(-1)) for place in (low, np.ceil(rank)))
    found = lerp(below, above, (rank - low).reshape(-1) if interpolation == "linear" else 0.5)
    return found.reshape((*input.shape[:-1], *q.shape))


# -- scans -------------------------------------------------------------------------------------------------


@converter("cumsum")
def cumsum(g: Graph, input: Value, dim: Any, out: Any) -> Value:
    input = g.cast(input, out[0][0])._replace(shape=input.shape)
    return along(g, input, dim, lambda x, axis: g.op("CumSum", x, g.const(axis, np.int64)))


def along(g: Graph, input: Value, dim: Any, make: Callable[[Value, int], Value]) -> Value:
    """What is made along one dimension; of all elements in order if it is None."""
    if dim is None or not input.ndim:
        return g.reshape(make(g.reshape(input, (-1,)), 0), input.shape if dim is not None or not input.ndim else (-1,))
    return make(input, dim)


@rewriting("cumprod")
def cumprod(input: Any, dim: Any, dtype: Any) -> Any:
    """Each element times the one 1, 2, 4, ... places before: as many products as the size has binary digits."""
    if dim is None:
        input, dim = input.reshape(-1), 0
    input = input if dtype is None else input.to(dtype)
    input = input.long() if dtype is None and not input.is_floating_point() else input
    if not input.ndim:
        return input.clone()
    step, size = 1, input.shape[dim]
    while step < size:
        first, rest = input.narrow(dim, 0, step), input.narrow(dim, step, size - step)
        input = cat([first, rest * input.narrow(dim, 0, size - step)], dim)
        step *= 2
    return input


without("ONNX has no operator that reads the bits of elements", "hash_tensor")
