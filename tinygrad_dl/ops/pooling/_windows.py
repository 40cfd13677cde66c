"""Windows that slide along dimensions: where they stand, and how their elements are gone through.

Pooling looks at its windows one offset at a time: the first element of all windows, the second, and so on. Each is
one slice with a step, so a window of k elements costs k NumPy calls however many windows there are. Offsets that
fall into the padding are left out, and no padded copy is made.
"""

import functools
import itertools
import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.backends.arrays import like, module_of
from tinygrad_dl.backends.threads import parallel_for

# Bytes of input that are worked on at a time, so that they stay in the cache, and elements worth a thread.
BLOCK, GRAIN = 1 << 19, 1 << 17


class Axis(NamedTuple):
    """The windows along one dimension."""

    size: int
    """The elements of the dimension."""
    windows: int
    """The windows."""
    starts: Any
    """Where each window begins; below 0 in the padding."""
    dilation: int
    """The distance between neighbours in a window."""
    parts: tuple[tuple[Any, Any], ...]
    """For each offset: the windows that have it, and where in the dimension their elements stand."""
    whole: bool
    """Whether all windows have all offsets."""
    tiles: bool
    """Whether each element is in exactly one window."""
    even: bool
    """Whether the parts are slices, not indices."""


@functools.lru_cache(maxsize=256)
def sliding(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> Axis:
    """Windows of `kernel` elements, every `stride` elements."""
    count = window_count(size, kernel, stride, padding, dilation, ceil_mode)
    parts = []
    for offset in range(kernel):
        first = offset * dilation - padding  # where the first window has this element
        low = max(0, -(first // stride))
        high = max(low, min(count, (size - 1 - first) // stride + 1))
        start = low * stride + first
        parts.append((slice(low, high), slice(start, start + max(0, (high - low - 1) * stride + 1), stride)))
    whole = all(to == slice(0, count) for to, _ in parts)
    tiles = whole and stride == kernel and dilation == 1 and count * kernel == size
    return Axis(size, count, np.arange(count) * stride - padding, dilation, tuple(parts), whole, tiles, True)


def window_count(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """How many windows fit; below 1 if none does."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    # The last window must begin inside the input or its left padding.
    return count - 1 if (count - 1) * stride >= size + padding else count


def adaptive_edges(size: int, count: int) -> tuple[Any, Any]:
    """Where each of `count` windows that divide a dimension about evenly begins and ends."""
    places = np.arange(count)
    return places * size // count, -(-(places + 1) * size // count)


@functools.lru_cache(maxsize=256)
def adaptive(size: int, count: int) -> Axis:
    """`count` windows that cover the dimension; where it does not divide, they differ in length and overlap."""
    if count and size % count == 0:
        return sliding(size, size // count, size // count, 0, 1, False)
    starts, ends = adaptive_edges(size, count)
    longest = int((ends - starts).max()) if count else 0
    # A shorter window looks at its last element again, which changes no maximum.
    parts = tuple([(slice(0, count), np.minimum(starts + offset, ends - 1)) for offset in range(longest)])
    return Axis(size, count, starts, 1, parts, True, False, False)


class Windows:
    """The windows along the last dimensions of an array, and what is asked of them more than once."""

    __slots__ = ("axes", "count", "counts", "dims", "even", "offsets", "tiles")

    def __init__(self, axes: tuple[Axis, ...]):
        self.axes, self.dims = axes, len(axes)
        self.counts = tuple([axis.windows for axis in axes])
        self.count = math.prod(len(axis.parts) for axis in axes)  # the elements of a window
        self.tiles = all(axis.tiles for axis in axes)
        self.even = all(axis.even for axis in axes)
        # For each offset, last dimension fastest: the windows that have it, and where their elements stand.
        self.offsets = [
            ((..., *[to for to, _ in parts]), (..., *[of for _, of in parts]))
            for parts in itertools.product(*(axis.parts for axis in axes))
        ]

    def empty(self, like: Any, dtype: Any = None) -> Any:
        """An array with one element for each window."""
        shape = like.shape[: like.ndim - self.dims] + self.counts
        return module_of(like).empty(shape, like.dtype if dtype is None else dtype)


def elements(x: Any, of: tuple[Any, ...], even: bool) -> Any:
    """The elements of x at one offset of all windows."""
    if even:
        return x[of]
    for dim, index in enumerate(of[:0:-1], 1):
        x = x[(..., like(index, x) if isinstance(index, np.ndarray) else index, *(slice(None),) * (dim - 1))]
    return x


def sweep(x: Any, dim: int, axis: Axis, ufunc: Any, start: Any) -> Any:
    """Reduces the windows along one dimension, counted from the end, by `ufunc`, whose neutral element is `start`."""
    after, parts = (slice(None),) * (-1 - dim), axis.parts
    if not axis.even:
        parts = tuple([(to, like(of, x)) for to, of in parts])
    if axis.whole:
        out = x[(..., parts[0][1], *after)]
        if len(parts) > 1:
            out = ufunc(out, x[(..., parts[1][1], *after)])
        parts = parts[2:]
    else:
        shape = list(x.shape)
        shape[dim] = axis.windows
        out = module_of(x).full(shape, start, x.dtype)
    for to, of in parts:
        here = out[(..., to, *after)]
        ufunc(here, x[(..., of, *after)], out=here)
    return out


def in_blocks(
    work: Callable[..., Any], out: Any, arrays: tuple[Any, ...], dims: int, block: int = BLOCK, grain: int = GRAIN
) -> Any:
    """Calls `work(out, *arrays)` on blocks of the leading dimensions of all, on several threads; returns `out`."""
    size = max(out.size, arrays[-1].size)
    if size * out.itemsize <= min(block, grain * out.itemsize) or type(out) is not np.ndarray:
        if out.size:
            work(out, *arrays)
        return out
    lead = math.prod(out.shape[:-dims])
    rows = [each.reshape(lead, *each.shape[-dims:]) for each in (out, *arrays)]
    each_size = size // lead
    step = max(1, block // (each_size * out.itemsize))

    def blocks(start: int, stop: int) -> None:
        for first in range(start, stop, step):
            work(*[each[first : min(first + step, stop)] for each in rows])

    parallel_for(blocks, lead, max(1, grain // each_size))
    return out


# -- arguments -------------------------------------------------------------------------------------


def per_dim(name: str, what: str, value: Any, dims: int, least: int) -> tuple[int, ...]:
    """`value`, a whole number or one for each dimension, as a tuple of at least `least` each."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    if len(values) == 1:
        values *= dims
    if len(values) != dims:
        raise ValueError(f"{name}: expected {what} as one number or {dims}, got {value!r}")
    try:
        numbers = tuple([operator.index(each) for each in values])
    except TypeError:
        raise TypeError(f"{name}: {what}: expected whole numbers, got {value!r}") from None
    if min(numbers) < least:
        raise ValueError(f"{name}: expected {what} of at least {least}, got {value!r}")
    return numbers


def check_dims(name: str, shape: tuple[int, ...], dims: int, filled: int | None = None) -> None:
    """Refuses an input that has not the `dims` dimensions that windows slide along, channels, and maybe a batch.

    The dimensions from `filled` on, by default all but that of the batch, must have elements.
    """
    if len(shape) not in (dims + 1, dims + 2):
        raise ValueError(
            f"{name}: expected an input of {dims + 2} dimensions, or {dims + 1} without a batch, got shape {shape}; "
            f"use unsqueeze() or reshape()"
        )
    if 0 in shape[len(shape) - dims - 1 if filled is None else filled :]:
        raise ValueError(f"{name}: expected an input with elements, but for an empty batch, got shape {shape}")


def require_floating(name: str, dtype: Any) -> None:
    """Refuses integers and bools."""
    if dtype.kind in "biu":
        raise TypeError(f"{name}: expected a floating tensor, got {dtype}; convert it first with .float()")


@functools.lru_cache(maxsize=256)
def sliding_windows(
    name: str, shape: tuple[int, ...], kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Windows:
    """The windows along the last dimensions of an input of that shape, one dimension for each number of `kernel`.

    Raises:
        ValueError: more padding than half a window, or no window fits.
    """
    sizes = shape[len(shape) - len(kernel) :]
    found = []
    for size, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True):
        if 2 * p > d * (k - 1) + 1:
            raise ValueError(
                f"{name}: expected a padding of at most half the window, got padding {padding} for kernel_size {kernel}"
                + (f" with dilation {dilation}" if max(dilation) > 1 else "")
                + "; a window could lie in the padding alone"
            )
        if size < 1 or window_count(size, k, s, p, d, ceil_mode) < 1:
            raise ValueError(
                f"{name}: the window is larger than the padded input: got kernel_size {kernel}, padding {padding}, "
                f"dilation {dilation} for an input of shape {shape}, expected a window that fits; use a smaller one, "
                f"or a larger input"
            )
        found.append(sliding(size, k, s, p, d, bool(ceil_mode)))
    return Windows(tuple(found))


@functools.lru_cache(maxsize=256)
def adaptive_windows(shape: tuple[int, ...], counts: tuple[int, ...]) -> Windows:
    """The windows that cut the last dimensions into so many parts."""
    sizes = shape[len(shape) - len(counts) :]
    return Windows(tuple([adaptive(n, m) for n, m in zip(sizes, counts, strict=True)]))


def sizes_of(name: str, shape: tuple[int, ...], output_size: Any, dims: int) -> tuple[int, ...]:
    """The output sizes that adaptive pooling is asked for, with None as the input's own."""
    values = tuple(output_size) if isinstance(output_size, tuple | list) else (output_size,) * dims
    own = shape[len(shape) - dims :]
    if len(values) != dims:
        raise ValueError(f"{name}: expected output_size as one number or {dims}, got {output_size!r}")
    if min(own) < 1:
        raise ValueError(f"{name}: expected an input with elements in its last {dims} dimensions, got shape {shape}")
    return per_dim(name, "output_size", [n if v is None else v for v, n in zip(values, own, strict=True)], dims, 0)
