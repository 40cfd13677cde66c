"""Max pooling over one, two or three dimensions, by one implementation.

Forward, the maximum is taken along one dimension after the other. The backward pass finds again, offset by offset,
which element of each window is the first that equals the maximum: nothing but input and output is kept.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import add_at, at_hand, contiguous, like, module_of
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, drawn, error, integers, one_of, real
from tinygrad_dl.ops.pointwise._selection import finite, select, straight
from tinygrad_dl.ops.pooling._cases import WINDOWS, naive_give_back, naive_pick, naive_positions
from tinygrad_dl.ops.pooling._windows import Windows, adaptive_windows, elements, in_blocks, sliding_windows, sweep

MANY = 64  # elements in a window, from which on scattering by index is faster than one pass for each
BITS: dict[int, Any] = {2: np.dtype(np.int16), 4: np.dtype(np.int32), 8: np.dtype(np.int64)}


def _least(dtype: Any) -> Any:
    return np.iinfo(dtype).min if dtype.kind in "iu" else -math.inf


def largest(input: Any, windows: Windows) -> Any:
    """The maximum of each window."""
    least = _least(input.dtype)

    def work(out: Any, x: Any) -> None:
        for dim, axis in enumerate(windows.axes, -windows.dims):
            x = sweep(x, dim, axis, np.maximum, least)
        out[...] = x

    return in_blocks(work, windows.empty(input), (input,), windows.dims)


def chosen(x: Any, top: Any, windows: Windows) -> Any:
    """For each window, the number of the first offset whose element is the maximum, in small integers."""
    even = windows.even
    module = module_of(top)
    code = module.zeros(top.shape, np.uint8 if windows.count < 256 else np.int64)
    waiting = module.ones(top.shape, bool)
    for to, of in windows.offsets:
        here = waiting[to]
        np.greater(here, elements(x, of, even) == top[to], here)
        code += waiting.view(np.uint8)
    if not at_hand(waiting) or waiting.any():  # what equals nothing, not even itself
        for number in range(windows.count - 1, -1, -1):
            to, of = windows.offsets[number]
            found = waiting[to] & np.isnan(elements(x, of, even))
            code[to][found] = number
            waiting[to] &= ~found
    return code


def positions(code: Any, windows: Windows) -> Any:
    """Where in the flattened last dimensions the chosen elements stand."""
    index: Any = 0
    places = np.unravel_index(code, [len(axis.parts) for axis in windows.axes])
    for dim, (axis, place) in enumerate(zip(windows.axes, places, strict=True), 1):
        shape = (-1,) + (1,) * (windows.dims - dim)
        spots = like(axis.starts, code).reshape(shape) + place * axis.dilation
        if not axis.even:  # a shorter window has seen its last element more than once
            spots = np.minimum(spots, like(axis.parts[-1][1], code).reshape(shape))
        index = index * axis.size + spots
    return index


def _give_back(gx: Any, g: Any, x: Any, top: Any, windows: Windows) -> None:
    """Writes into gx each window's gradient at the place of its maximum."""
    code = chosen(x, top, windows)
    if windows.count >= MANY or not windows.even:
        gx[...] = 0
        lead = math.prod(gx.shape[: gx.ndim - windows.dims])
        flat = positions(code, windows).reshape(lead, -1)
        flat = flat + module_of(gx).arange(0, gx.size, gx.size // lead)[:, None]
        add_at(gx.reshape(-1), flat.reshape(-1), g.reshape(-1))
        return
    # Masks of bits, not products with 0 and 1: 0 * inf would be nan.
    bits = BITS[g.dtype.itemsize]
    gx_bits, g_bits = gx.view(bits), g.view(bits)
    if not windows.tiles:
        gx[...] = 0
    for number, (to, of) in enumerate(windows.offsets):
        mask = np.negative((code[to] == number).view(np.int8), dtype=bits, casting="safe")
        if windows.tiles:
            np.bitwise_and(mask, g_bits[to], gx_bits[of])
        else:
            mask &= g_bits[to]
            gx[of] += mask.view(g.dtype)


def give_back(g: Any, input: Any, top: Any, windows: Windows) -> Any:
    """Zeros of the input's shape, with each window's gradient added at the place of its maximum."""
    gx = module_of(g).empty(input.shape, g.dtype)
    if not g.size:
        gx[...] = 0
        return gx
    arrays = [contiguous(each) for each in (g, input, top)]
    work = functools.partial(_give_back, windows=windows)
    return in_blocks(work, gx, tuple(arrays), windows.dims)


def _pick(out: Any, values: Any, top: Any, x: Any, windows: Windows) -> None:
    """Writes into out the element of `values` at the place of each window's maximum."""
    code = chosen(x, top, windows)
    if windows.count >= MANY or not windows.even or values.dtype.itemsize not in BITS:
        lead = out.shape[: out.ndim - windows.dims]
        flat = positions(code, windows).reshape(*lead, math.prod(windows.counts))
        found = np.take_along_axis(values.reshape(*lead, math.prod(x.shape[len(lead) :])), flat, -1)
        out[...] = found.reshape(out.shape)
        return
    bits = BITS[values.dtype.itemsize]
    out_bits, values_bits = out.view(bits), values.view(bits)
    out_bits[...] = 0
    for number, (to, of) in enumerate(windows.offsets):
        mask = np.negative((code[to] == number).view(np.int8), dtype=bits, casting="safe")
        mask &= values_bits[of]
        out_bits[to] |= mask


def pick(values: Any, input: Any, top: Any, windows: Windows) -> Any:
    """The elements of `values` at the places of the maxima of `input`."""
    arrays = tuple(contiguous(each) for each in (values, top, input))
    return in_blocks(
        functools.partial(_pick, windows=windows),
        module_of(values).empty(top.shape, values.dtype),
        arrays,
        windows.dims,
    )


def _largest_and_pick(out: Any, picked: Any, values: Any, x: Any, windows: Windows) -> None:
    """Writes the maximum of each window into `out`, and the element of `values` at its place into `picked`."""
    for dim in range(-1, -windows.dims - 1, -1):  # the last dimension first: of equal elements the first one counts
        after = (slice(None),) * (-1 - dim)
        parts = [(..., of, *after) for _, of in windows.axes[dim].parts]
        top, own = x[parts[0]].copy(), values[parts[0]].copy()
        for part in parts[1:]:  # copied, since each is read several times, and steps and short rows are slow to read
            other = x[part].copy()
            own = select(other > top, values[part].copy(), own)
            np.maximum(top, other, out=top)
        x, values = top, own
    out[...], picked[...] = x, values


def largest_and_pick(values: Any, input: Any, windows: Windows) -> Any:
    """The maxima of `input`, and the elements of `values` at their places; None where the two gain nothing together."""
    if not windows.even or not all(axis.whole for axis in windows.axes) or input.dtype.kind != "f" or not input.size:
        return None
    out, picked = windows.empty(input), windows.empty(values)
    arrays = picked, contiguous(values), contiguous(input)
    in_blocks(functools.partial(_largest_and_pick, windows=windows), out, arrays, windows.dims, 1 << 20, 1 << 16)
    return (out, picked) if finite(out) else None  # no comparison finds a nan


# -- ops -------------------------------------------------------------------------------------------


def _windows(shape: Any, options: Any) -> Windows:
    """The windows that the options of `max_pool` or the sizes of `adaptive_max_pool` describe."""
    return adaptive_windows(shape, *options) if len(options) == 1 else sliding_windows("max_pool", shape, *options)


def _pooled(rng: Any, input: Any, options: Any) -> Any:
    return largest(input, _windows(input.shape, options))


def _like_pooled(rng: Any, input: Any, options: Any) -> Any:
    return np.asarray(rng.uniform(0.5, 2.0, _pooled(rng, input, options).shape), input.dtype)


@op(
    kind="batched",
    keeps_format=True,
    name="max_pool",
    changeable=True,
    namespace="rules",
    exact=True,
    real=True,
    inputs=WINDOWS,
    errors=[error(ValueError, "at most half the window", array(1, 4), ((2,), (2,), (2,), (1,), False))],
    reference=lambda input, options: naive_pick(input, input, options),
)
def pool_max(input: Array, options: Any) -> Array:
    """The maximum of each window; `options`: kernel_size, stride, padding, dilation, ceil_mode, or the sizes alone."""
    return largest(input, _windows(input.shape, options))


@op(
    kind="batched",
    linear=("g",),
    namespace="rules",
    inputs=[
        {"input": c["input"], "options": c["options"], "top": drawn(_pooled), "g": drawn(_like_pooled)} for c in WINDOWS
    ],
    errors=[error(ValueError, "larger than", array(1), array(1), array(1), ((2,), (2,), (0,), (1,), False))],
    reference=lambda g, input, top, options: naive_give_back(g, input, options),
)
def max_pool_backward(g: Array, input: Array, top: Array, options: Any) -> Array:
    """The gradient of `max_pool`."""
    return give_back(g, input, top, _windows(input.shape, options))


@op(
    kind="batched",
    linear=("values",),
    namespace="rules",
    exact=True,
    inputs=[
        {
            "input": c["input"],
            "options": c["options"],
            "top": drawn(_pooled),
            "values": drawn(lambda rng, input: np.asarray(rng.uniform(0.5, 2.0, input.shape), input.dtype)),
        }
        for c in WINDOWS
    ],
    errors=[error(ValueError, "larger than", array(1), array(1), array(1), ((2,), (2,), (0,), (1,), False))],
    reference=lambda values, input, top, options: naive_pick(values, input, options),
)
def max_pool_pick(values: Array, input: Array, top: Array, options: Any) -> Array:
    """The elements of `values` at the places of the maxima of `input`."""
    return pick(values, input, top, _windows(input.shape, options))


pool_max.vjp(input=lambda g, input, out, options: straight(max_pool_backward.generic(g, input, out, options), input))
pool_max.jvp(input=lambda t, input, out, options: max_pool_pick.generic(t, input, out, options))


@pool_max.value_and_jvp
def _max_pool_and_tangent(t: Any, input: Any, options: Any) -> Any:
    found = largest_and_pick(t[0], input, _windows(input.shape, options))
    return NotImplemented if found is None else found


max_pool_backward.vjp(
    g=lambda g, input, top, options: max_pool_pick.generic(g, input, top, options), input=None, top=None
)
max_pool_pick.vjp(
    values=lambda g, input, top, options: max_pool_backward.generic(g, input, top, options), input=None, top=None
)


@op(
    kind="batched",
    keeps_format=True,
    namespace="rules",
    differentiable=False,
    exact=True,
    real=True,
    inputs=WINDOWS,
    errors=[error(ValueError, "larger than", array(1), ((2,), (2,), (0,), (1,), False))],
    reference=naive_positions,
)
def max_pool_indices(input: Array, options: Any) -> Array:
    """Where the maxima stand, as indices into the flattened last dimensions."""
    windows = _windows(input.shape, options)
    return positions(chosen(input, largest(input, windows), windows), windows)


# -- what stands at given places -------------------------------------------------------------------


def _naive_elements(input: Any, indices: Any, dims: int) -> Any:
    found = np.empty(indices.shape, input.dtype)
    for at in np.ndindex(found.shape):
        found[at] = input[at[:-dims]].reshape(-1)[indices[at]]
    return found


def _naive_added(values: Any, indices: Any, sizes: Any) -> Any:
    total = np.zeros((*values.shape[: -len(sizes)], *sizes), values.dtype)
    for at in np.ndindex(values.shape):
        total[(*at[: -len(sizes)], *np.unravel_index(indices[at], sizes))] += values[at]
    return total


@op(
    kind="batched",
    linear=("input",),
    namespace="rules",
    exact=True,
    keeps_format=True,
    inputs=[
        {"input": real(shape="... 2 3"), "indices": integers(0, 5, shape="... 2 4"), "dims": one_of(2)},
        {"input": real(shape="... 5"), "indices": integers(0, 4, shape="... n"), "dims": one_of(1)},
    ],
    errors=[error(IndexError, "index", array(1, 1), array(1, 1, dtype="int64"), 2)],
    reference=_naive_elements,
)
def elements_at(input: Array, indices: Array, dims: int) -> Array:
    """The elements of the last `dims` dimensions, flattened, that an index of as many dimensions names."""
    lead = input.shape[: input.ndim - dims]
    flat = input.reshape(*lead, math.prod(input.shape[len(lead) :]))
    places = indices.reshape(*lead, math.prod(indices.shape[len(lead) :]))
    return np.take_along_axis(flat, places, -1).reshape(indices.shape)


@op(
    kind="batched",
    linear=("values",),
    namespace="rules",
    inputs=[
        {"values": real(shape="... 2 4"), "indices": integers(0, 5, shape="... 2 4"), "sizes": one_of((2, 3))},
        {"values": real(shape="... n"), "indices": integers(0, 4, shape="... n"), "sizes": one_of((5,))},
    ],
    errors=[error(IndexError, "index", array(1, 2), array(1, 2, dtype="int64"), (1,))],
    reference=_naive_added,
)
def added_at(values: Array, indices: Array, sizes: tuple[int, ...]) -> Array:
    """Zeros of these last sizes, to which the values are added at the places that the indices name."""
    lead, size = values.shape[: values.ndim - len(sizes)], math.prod(sizes)
    count = math.prod(lead)
    total = module_of(values).zeros(count * size, values.dtype)
    if values.size:
        first = module_of(values).arange(0, count * size, size)[:, None]
        places = indices.reshape(count, values.size // count) + first
        add_at(total, places.reshape(-1), values.reshape(-1))
    return total.reshape(*lead, *sizes)


elements_at.vjp(
    input=lambda g, indices, input_shape, dims: added_at.generic(g, indices, tuple(input_shape[-dims:])), indices=None
)
added_at.vjp(values=lambda g, indices, sizes: elements_at.generic(g, indices, len(sizes)), indices=None)
