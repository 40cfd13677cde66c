"""Reshaping, reordering, repeating, joining and splitting; padding and windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.onnx.graph import LARGEST, Graph
from tinygrad_dl.onnx.table import Unsupported, converter, without
from tinygrad_dl.onnx.values import Value, all_fixed, fixed


@converter("reshape", "view")
def reshape(g: Graph, input: Value, out: Any) -> Value:
    return g.reshape(input, out[0][1])


@converter("moved_to")
def moved_to(g: Graph, input: Value) -> Value:
    """A model in ONNX says nothing of devices."""
    return input


@converter("unsqueeze")
def unsqueeze(g: Graph, input: Value, dim: Any) -> Value:
    dims = dim if isinstance(dim, tuple | list) else (dim,)
    ndim = input.ndim + len(dims)
    return g.unsqueeze(input, [each % ndim for each in dims])


@converter("squeeze")
def squeeze(g: Graph, input: Value, dim: Any) -> Value:
    dims = range(input.ndim) if dim is None else dim if isinstance(dim, tuple | list) else (dim,)
    chosen = [each % input.ndim for each in dims] if input.ndim else []
    return g.squeeze(input, [each for each in chosen if input.shape[each] == 1])


@converter("transpose")
def transpose(g: Graph, input: Value, dim0: int, dim1: int) -> Value:
    order = list(range(input.ndim))
    if order:
        order[dim0], order[dim1] = order[dim1], order[dim0]
    return g.transpose(input, order)


@converter("permute")
def permute(g: Graph, input: Value, dims: Any) -> Value:
    dims = dims[0] if len(dims) == 1 and isinstance(dims[0], tuple | list) else dims
    return g.transpose(input, [each % input.ndim for each in dims])


@converter("expand")
def expand(g: Graph, input: Value, out: Any) -> Value:
    return g.expand(input, out[0][1])


@converter("copy")
def copy(g: Graph, value: Value, out: Any) -> Value:
    """What is stored: in front it may have ones more than there is room for."""
    (dtype, shape) = out[0]
    extra = value.ndim - len(shape)
    if extra > 0:
        value = g.squeeze(value, list(range(extra)))._replace(shape=value.shape[extra:])
    return g.expand(g.cast(value, dtype), shape)


@converter("repeat")
def repeat(g: Graph, input: Value, repeats: Any) -> Value:
    times = repeats[0] if len(repeats) == 1 and isinstance(repeats[0], tuple | list) else repeats
    if not times:
        return input
    lead = len(times) - input.ndim
    return g.op("Tile", g.unsqueeze(input, list(range(lead))), g.ints(list(times)))


@converter("repeat_interleave")
def repeat_interleave(g: Graph, input: Value, repeats: Any, dim: Any, out: Any) -> Value:
    if repeats is None:
        raise Unsupported("the size of its result depends on values")
    if dim is None:
        input, dim = g.reshape(input, (-1,))._replace(shape=(LARGEST,)), 0
    dim %= max(input.ndim, 1)
    if isinstance(repeats, Value):
        if repeats.array is None:
            raise Unsupported("the size of its result depends on values")
        repeats = repeats.array
    if np.ndim(repeats) and np.size(repeats) > 1:
        places = np.repeat(np.arange(len(repeats)), repeats)
        return g.op("Gather", input, g.const(places, np.int64), axis=dim)
    times = int(np.reshape(repeats, ())) if np.ndim(repeats) else repeats
    apart = g.unsqueeze(input, [dim + 1])
    ones = [1] * (input.ndim + 1)
    ones[dim + 1] = times
    return g.reshape(g.op("Expand", apart, g.ints(ones)), out[0][1])


@converter("flip")
def flip(g: Graph, input: Value, dims: Any) -> Value:
    dims = dims[0] if isinstance(dims, tuple | list) and dims and isinstance(dims[0], tuple | list) else dims
    axes = [each % input.ndim for each in (dims if isinstance(dims, tuple | list) else (dims,))] if input.ndim else []
    if not axes:
        return input
    bounds = [[-1] * len(axes), [-LARGEST] * len(axes), axes, [-1] * len(axes)]
    return g.op("Slice", input, *[g.const(each, np.int64) for each in bounds])


@converter("roll")
def roll(g: Graph, input: Value, shifts: Any, dims: Any, out: Any) -> Value:
    if dims is None or dims == ():
        flat = g.reshape(input, (-1,))
        size: Any = 1
        for each in input.shape:
            size = each * size
        return g.reshape(rolled(g, flat, 0, shifts if not isinstance(shifts, tuple) else shifts[0], size), input.shape)
    pairs = [(shifts, dims)] if not isinstance(dims, tuple | list) else list(zip(shifts, dims, strict=True))
    for shift, dim in pairs:
        input = rolled(g, input, dim, shift, out[0][1][dim])
    return input


def rolled(g: Graph, value: Value, axis: int, shift: Any, size: Any) -> Value:
    """The last elements along an axis before the others."""
    if size == 0:
        return value
    cut = (-shift) % size
    return g.op("Concat", g.slice(value, axis, cut, LARGEST), g.slice(value, axis, 0, cut), axis=axis)


@converter("cat")
def cat(g: Graph, tensors: list[Value], dim: int) -> Value:
    several = [each for each in tensors if each.shape != (0,)] or tensors[:1]  # as in PyTorch, these do not count
    return several[0] if len(several) == 1 else g.op("Concat", *several, axis=dim)


@converter("stack")
def stack(g: Graph, tensors: list[Value], dim: int) -> Value:
    dim %= tensors[0].ndim + 1
    apart = [g.unsqueeze(each, [dim]) for each in tensors]
    return apart[0] if len(apart) == 1 else g.op("Concat", *apart, axis=dim)


@converter("split")
def split(g: Graph, input: Value, dim: int, out: Any) -> Any:
    sizes = [shape[dim] for _, shape in out]
    if len(out) == 1:
        return [input]
    return g.several(len(out), "Split", input, g.ints(sizes), axis=dim)


@converter("unbind")
def unbind(g: Graph, input: Value, dim: int, out: Any) -> Any:
    if len(out) < 2:
        return [g.squeeze(input, [dim % input.ndim]) for _ in out]
    parts = g.several(len(out), "Split", input, g.const([1] * len(out), np.int64), axis=dim)
    return [g.squeeze(each, [dim % input.ndim]) for each in parts]


MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@converter("pad")
def pad(g: Graph, input: Value, pad: Any, mode: str, value: Any) -> Value:
    """The widths are told from the last dimension on; ONNX has those before all dimensions first."""
    sides = len(pad) // 2
    before, after = [0] * input.ndim, [0] * input.ndim
    for side in range(sides):
        before[-1 - side], after[-1 - side] = pad[2 * side], pad[2 * side + 1]
    if mode == "circular" and g.opset < 19:
        for axis in range(input.ndim):
            parts = [input]
            if before[axis]:
                parts.insert(0, g.slice(input, axis, -before[axis], LARGEST))
            if after[axis]:
                parts.append(g.slice(input, axis, 0, after[axis]))
            input = parts[0] if len(parts) == 1 else g.op("Concat", *parts, axis=axis)
        return input
    if mode != "constant":
        all_fixed("padding", pad)
        for axis in range(input.ndim):  # what is cut off first, so that the rest is only added to
            cut = max(0, -before[axis]), max(0, -after[axis])
            if any(cut):
                input = g.slice(input, axis, cut[0], -cut[1] if cut[1] else LARGEST)._replace(shape=input.shape)
                before[axis], after[axis] = before[axis] + cut[0], after[axis] + cut[1]
    fill = g.like(value or 0, input) if mode == "constant" and value else None
    return g.op("Pad", input, g.ints([*before, *after]), fill, mode=MODES[mode])


@converter("unfold_dimension")
def unfold_dimension(g: Graph, input: Value, dimension: int, size: int, step: int, out: Any) -> Value:
    """Windows by their places; each is a new last dimension."""
    if not input.ndim:
        return g.reshape(input, out[0][1])
    dimension %= input.ndim
    length = fixed("size", input.shape[dimension])
    starts = np.arange((length - size) // step + 1) * step
    picked = g.op("Gather", input, g.const(starts[:, None] + np.arange(size), np.int64), axis=dimension)
    order = [*range(dimension + 1), *range(dimension + 2, input.ndim + 1), dimension + 1]
    return g.transpose(picked, order)


@converter("as_strided")
def as_strided(g: Graph, input: Value, size: Any, stride: Any, start: int) -> Value:
    """The elements by their places in the row-major order in which ONNX has all tensors."""
    all_fixed("size", input.shape)
    places: Any = np.asarray(start or 0)
    for n, step in zip(size, stride, strict=True):
        places = places[..., None] + np.arange(n) * step
    return g.op("Gather", g.reshape(input, (-1,)), g.const(places, np.int64), axis=0)


without("ONNX has no operator that reads the bytes of elements", "view_bytes")
