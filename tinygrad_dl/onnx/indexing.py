"""Indexing with integers, slices and positions; gathering and scattering; diagonals and triangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.onnx.graph import INT64, LARGEST, Graph
from tinygrad_dl.onnx.pointwise import scaled, since
from tinygrad_dl.onnx.table import Unsupported, converter
from tinygrad_dl.onnx.values import Dim, Value, Varying, all_fixed, product

ARRAYS = (Value, np.ndarray)


def parts_of(index: Any, ndim: int) -> list[Any]:
    """An index as a list with one part for each dimension, and None for those that are new."""
    parts = list(index) if type(index) is tuple else [index]
    if any(isinstance(each, Varying) for each in parts):
        raise Unsupported("its index depends on the size of a dynamic axis")
    taken = sum([rank(each) for each in parts])
    full: list[Any] = [slice(None)] * (ndim - taken)
    if any(each is Ellipsis for each in parts):
        at = next(i for i, each in enumerate(parts) if each is Ellipsis)
        return [*parts[:at], *full, *parts[at + 1 :]]
    return parts + full


def is_whole(part: Any) -> bool:
    """Whether a part of an index is `:`."""
    return type(part) is slice and part == slice(None)


def rank(part: Any) -> int:
    """How many dimensions a part of an index is for."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, ARRAYS) and part.dtype.kind == "b" else 1


@converter("getitem")
def getitem(g: Graph, input: Value, index: Any) -> Value:
    """All slices are one Slice, integers too; what they leave of size 1 goes afterwards."""
    parts = parts_of(index, input.ndim)
    chosen = [i for i, part in enumerate(parts) if not is_whole(part)]
    if len(chosen) == 1:
        axis, part = chosen[0], parts[chosen[0]]
        if isinstance(part, int | Dim):
            return g.op("Gather", input, g.number(part), axis=axis)
    bounds: list[list[Any]] = [[], [], [], []]
    gone, new, axis, at = [], [], 0, 0
    start: Any
    stop: Any
    for part in parts:
        if part is None:
            new.append(at)
            at += 1
            continue
        if isinstance(part, int | Dim):
            gone.append(axis)
            start, stop, step = part, LARGEST if part == -1 else part + 1, 1
        else:
            start, stop, step = slice_bounds(part)
            at += 1
        if (start, stop, step) != (0, LARGEST, 1):
            for into, number in zip(bounds, (start, stop, axis, step), strict=True):
                into.append(number)
        axis += 1
    if bounds[0]:
        starts, ends, axes, steps = bounds
        more = [] if all(step == 1 for step in steps) else [g.ints(steps)]
        input = g.op("Slice", input, g.ints(starts), g.ints(ends), g.ints(axes), *more)
    return g.unsqueeze(g.squeeze(input, gone), new)


def slice_bounds(part: slice) -> tuple[Any, Any, Any]:
    """Start, end and step of a slice."""
    for each in (part.start, part.stop, part.step):
        if isinstance(each, Value):
            raise Unsupported("a bound of a slice is a tensor, on whose value the size of the result depends")
    step = 1 if part.step is None else part.step
    first, end = (0, LARGEST) if step > 0 else (LARGEST, -LARGEST)
    return first if part.start is None else part.start, end if part.stop is None else part.stop, step


def picks_of(g: Graph, parts: list[Any]) -> tuple[list[Any], int, list[Value]]:
    """An index with masks as positions; where those begin that are arrays, and these, broadcast."""
    found: list[Any] = []
    for part in parts:
        if isinstance(part, ARRAYS) and part.dtype.kind == "b":
            mask = part.array if isinstance(part, Value) else part
            if mask is None:
                raise Unsupported("how much a mask picks depends on its values; use td.where")
            if not mask.ndim:
                raise Unsupported("its index is a single truth value")
            found += [np.asarray(each) for each in mask.nonzero()]
        else:
            found.append(part)
    places = [i for i, part in enumerate(found) if isinstance(part, ARRAYS)]
    if places[-1] - places[0] >= len(places):
        raise Unsupported("slices stand between the positions of its index; index in two steps, x[:, a][..., b]")
    values = [
        part if isinstance(part, Value) else g.const(part, np.int64) for part in found[places[0] : places[-1] + 1]
    ]
    return found, places[0], [g.cast(each, INT64)._replace(shape=each.shape) for each in values]


@converter("index")
def index(g: Graph, input: Value, index: Any) -> Value:
    """Basic parts first, then the positions: one Gather, or with several of them GatherND."""
    parts, first, picks = picks_of(g, parts_of(index, input.ndim))
    basic = tuple([slice(None) if isinstance(part, ARRAYS) else part for part in parts])
    if not all(map(is_whole, basic)):
        removed = sum([isinstance(part, int) for part in basic[:first]])
        input = getitem(g, input, basic)._replace(shape=(None,) * (input.ndim + basic.count(None) - removed))
        first -= removed
        if any(isinstance(part, int) for part in basic[first + removed :]):
            raise Unsupported("integers stand beside the positions of its index; index in two steps")
    if len(picks) == 1:
        return g.op("Gather", input, picks[0], axis=first)
    ndim, count = input.ndim, len(picks)
    order = [*range(first, first + count), *range(first), *range(first + count, ndim)]
    joint = positions(g, picks)
    found = g.op("GatherND", g.transpose(input, order), joint)
    width = max(each.ndim for each in picks)
    back = [*range(width, width + first), *range(width), *range(width + first, width + ndim - count)]
    return g.transpose(found, back)


def positions(g: Graph, picks: list[Value]) -> Value:
    """Several arrays of positions, broadcast, as one with a last dimension for the arrays."""
    width = max(each.ndim for each in picks)
    shape = picks[0].shape if len(picks) == 1 else np.broadcast_shapes(*[fixed_shape(each) for each in picks])
    wide = [g.expand(each, shape) for each in picks]
    apart = [g.unsqueeze(each, [width]) for each in wide]
    return apart[0] if len(apart) == 1 else g.op("Concat", *apart, axis=width)


def fixed_shape(value: Value) -> tuple[int, ...]:
    """The shape, which has to be the same in all runs."""
    return all_fixed("index", value.shape)


@converter("setitem")
def setitem(g: Graph, input: Value, value: Value, index: Any) -> Value:
    """Written at the positions that the index picks, all of which are known when the model is exported."""
    value = g.cast(value, input.dtype)._replace(shape=value.shape)
    parts = parts_of(index, input.ndim)
    chosen = [i for i, part in enumerate(parts) if not is_whole(part)]
    if not chosen:
        return g.expand(shortened(g, value, input.ndim), input.shape)
    if len(chosen) == 1:
        axis, part = chosen[0], parts[chosen[0]]
        if isinstance(part, int | Dim | slice):
            return replaced(g, input, value, axis, part)
    for part in parts:
        if isinstance(part, Value) and part.array is None:
            return scattered(g, input, value, parts)
    known = tuple([part.array if isinstance(part, Value) else part for part in parts])
    shape = fixed_shape(input)
    everywhere = np.arange(product(shape)).reshape(shape)[known]
    flat = g.reshape(input, (-1,))
    wide = g.reshape(g.expand(shortened(g, value, everywhere.ndim), everywhere.shape), (-1,))
    last = {spot: i for i, spot in enumerate(everywhere.reshape(-1).tolist())}  # of several for one the last counts
    if len(last) < everywhere.size:
        wide = g.op("Gather", wide, g.const(list(last.values()), np.int64), axis=0)
    spots = g.const(list(last), np.int64)
    return g.reshape(g.op("ScatterElements", flat, spots, wide, axis=0), shape)


def shortened(g: Graph, value: Value, ndim: int) -> Value:
    """The value without ones in front for which there is no room."""
    extra = max(0, value.ndim - ndim)
    return g.squeeze(value, list(range(extra)))._replace(shape=value.shape[extra:])


def replaced(g: Graph, input: Value, value: Value, axis: int, part: Any) -> Value:
    """The input with what lies at one place, or in one slice, along an axis exchanged."""
    size = input.shape[axis]
    if isinstance(part, slice):
        start, stop, step = slice_bounds(part)
        if isinstance(size, Dim) or isinstance(start, Dim) or isinstance(stop, Dim):
            if step != 1 or (start != 0 and stop != LARGEST):
                raise Unsupported("it writes into a slice of a dynamic axis; build the tensor with td.cat")
            wide = (*input.shape[:axis], size - start if stop == LARGEST else stop, *input.shape[axis + 1 :])
            new = g.expand(shortened(g, value, input.ndim), wide)
            rest = g.slice(input, axis, 0, start) if stop == LARGEST else g.slice(input, axis, stop, LARGEST)
            return g.op("Concat", *((rest, new) if stop == LARGEST else (new, rest)), axis=axis)
        places: Any = np.arange(size)[part]
        shape = (*input.shape[:axis], len(places), *input.shape[axis + 1 :])
        new = g.expand(shortened(g, value, input.ndim), shape)
    else:
        places = g.ints([part])
        shape = (*input.shape[:axis], 1, *input.shape[axis + 1 :])
        value = shortened(g, value, input.ndim - 1)
        behind = input.ndim - 1 - axis
        if value.ndim > behind:  # it has dimensions on both sides of this one
            value = g.unsqueeze(value, [value.ndim - behind])._replace(shape=None)
        new = g.op("Expand", value, g.ints(list(shape)))
    order = [axis, *[each for each in range(input.ndim) if each != axis]]
    rows = places if isinstance(places, Value) else g.const(places, np.int64)
    made = g.op(
        "ScatterND", g.transpose(input, order), g.unsqueeze(rows, [1]), g.transpose(new, order), dtype=input.dtype
    )
    return g.transpose(made, np.argsort(order).tolist())


def scattered(g: Graph, input: Value, value: Value, parts: list[Any]) -> Value:
    """Written at positions that are computed."""
    found, first, picks = picks_of(g, parts)
    if first or not all(map(is_whole, found[len(picks) :])):
        raise Unsupported(
            "it writes at computed positions beside others; use td.scatter, or index the first dimensions"
        )
    joint = positions(g, picks)
    lead = picks[0].shape if len(picks) == 1 else np.broadcast_shapes(*[fixed_shape(each) for each in picks])
    shape = (*lead, *input.shape[len(picks) :])
    return g.op("ScatterND", input, joint, g.expand(shortened(g, value, len(shape)), shape))


# -- gather and scatter -----------------------------------------------------------------------------------


def wide(g: Graph, *values: Value) -> list[Value]:
    """0-d tensors as 1-d."""
    return [each if each.ndim else g.reshape(each, (1,)) for each in values]


def narrow(g: Graph, value: Value, like: Value) -> Value:
    """And back."""
    return value if like.ndim else g.reshape(value, ())


@converter("gather")
def gather(g: Graph, input: Value, index: Value, dim: int) -> Value:
    x, places = wide(g, input, g.cast(index, INT64)._replace(shape=index.shape))
    return narrow(g, g.op("GatherElements", x, places, axis=dim), index)


def scatter_with(g: Graph, input: Value, index: Value, src: Value, dim: int, reduction: str | None) -> Value:
    """ScatterElements; the source may be larger than the index, whose size counts."""
    x, places, new = wide(g, input, g.cast(index, INT64)._replace(shape=index.shape), src)
    if not src.ndim and index.ndim:
        new = g.expand(src, index.shape)._replace(shape=index.shape)
    for axis, (size, own) in enumerate(zip(places.shape, new.shape, strict=True)):
        if size != own:
            new = g.slice(new, axis, 0, size)
    if reduction in ("max", "min"):
        since(g, "ScatterElements with max or min")
    return narrow(g, g.op("ScatterElements", x, places, new, axis=dim, reduction=reduction), input)


@converter("scatter")
def scatter(g: Graph, input: Value, index: Value, src: Value, dim: int) -> Value:
    return scatter_with(g, input, index, src, dim, None)


@converter("scatter_add")
def scatter_add(g: Graph, input: Value, index: Value, src: Value, dim: int) -> Value:
    return scatter_with(g, input, index, src, dim, "add")


@converter("scatter_product")
def scatter_product(g: Graph, input: Value, index: Value, src: Value, dim: int) -> Value:
    return scatter_with(g, input, index, src, dim, "mul")


@converter("scatter_extreme")
def scatter_extreme(g: Graph, input: Value, index: Value, src: Value, dim: int, largest: bool) -> Value:
    return scatter_with(g, input, index, src, dim, "max" if largest else "min")


@converter("index_select")
def index_select(g: Graph, input: Value, index: Value, dim: int) -> Value:
    (x,) = wide(g, input)
    places = g.cast(index, INT64)
    return g.op("Gather", x, places if input.ndim else g.reshape(places, ()), axis=dim)


@converter("index_add")
def index_add(g: Graph, input: Value, index: Value, source: Value, dim: int, alpha: Any) -> Value:
    source = scaled(g, g.cast(source, input.dtype), alpha)._replace(shape=source.shape)
    x, places, new = wide(g, input, g.cast(index, INT64)._replace(shape=index.shape), source)
    dim %= x.ndim
    apart = g.unsqueeze(places, [i for i in range(x.ndim) if i != dim])
    spread = g.op("Expand", apart, g.ints(list(new.shape)))
    return narrow(g, g.op("ScatterElements", x, spread, new, axis=dim, reduction="add"), input)


# -- diagonals and triangles --------------------------------------------------------------------------------


@converter("tril")
def tril(g: Graph, input: Value, diagonal: int) -> Value:
    return triangle(g, input, diagonal, 0)


@converter("triu")
def triu(g: Graph, input: Value, diagonal: int) -> Value:
    return triangle(g, input, diagonal, 1)


def triangle(g: Graph, input: Value, diagonal: int, upper: int) -> Value:
    """Truth values as numbers, which all runtimes take."""
    numbers = g.cast(input, INT64) if input.dtype.kind == "b" else input
    return g.op("Trilu", numbers, g.const(diagonal, np.int64), upper=upper)


@converter("diagonal")
def diagonal(g: Graph, input: Value, offset: int, dim1: int, dim2: int) -> Value:
    """The two dimensions last and flattened, of which every so many-th element is on the diagonal."""
    dim1, dim2 = dim1 % input.ndim, dim2 % input.ndim
    rest = [i for i in range(input.ndim) if i not in (dim1, dim2)]
    rows, columns = all_fixed("matrix", (input.shape[dim1], input.shape[dim2]))
    shape = [input.shape[i] for i in rest]
    flat = g.reshape(g.transpose(input, [*rest, dim1, dim2])._replace(shape=None), (*shape, rows * columns))
    places = np.diagonal(np.arange(rows * columns).reshape(rows, columns), offset)
    return g.op("Gather", flat, g.const(places, np.int64), axis=len(rest))
