"""Joining, splitting, and widening at the borders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops._numpy.arguments import as_tensor
from tinygrad_dl.ops._numpy.moving import moved
from tinygrad_dl.ops.padding.pad import pad
from tinygrad_dl.ops.shape.joining import cat
from tinygrad_dl.ops.shape.splitting import tensor_split, unbind


def append(arr: Any, values: Any, axis: int | None = None) -> Tensor:
    """np.append: of flattened tensors, without an axis."""
    arr, values = as_tensor(arr), as_tensor(values)
    return cat([arr.reshape(-1), values.reshape(-1)], 0) if axis is None else cat([arr, values], axis)


def parts_along(default: int) -> Callable[..., Any]:
    """np.hsplit, np.vsplit and np.dsplit."""
    return lambda ary, indices_or_sections: NUMPY[np.split](
        ary, indices_or_sections, 0 if default == 1 and ary.ndim == 1 else default
    )


NUMPY[np.append] = append
NUMPY[np.hsplit], NUMPY[np.vsplit], NUMPY[np.dsplit] = parts_along(1), parts_along(0), parts_along(2)
NUMPY[np.array_split] = lambda ary, indices_or_sections, axis=0: list(
    tensor_split(ary, indices_or_sections if isinstance(indices_or_sections, int) else tuple(indices_or_sections), axis)
)
if hasattr(np, "unstack"):  # from NumPy 2.1 on
    NUMPY[np.unstack] = lambda x, *, axis=0: unbind(x, axis)


# -- blocks --------------------------------------------------------------------------------------------

NUMPY[np.block] = lambda arrays: _block(arrays, _depth(arrays))


def _depth(arrays: Any) -> int:
    return 1 + max(map(_depth, arrays)) if isinstance(arrays, list) else 0


def _block(arrays: Any, depth: int) -> Any:
    """np.block: nested lists joined along the last dimension, those of the next level along the one before."""
    if not isinstance(arrays, list):
        return as_tensor(arrays)
    parts = [_block(each, depth - 1) for each in arrays]
    ndim = max([depth, *(p.ndim for p in parts)])
    return cat([p.reshape((1,) * (ndim - p.ndim) + p.shape) for p in parts], -depth)


# -- borders -------------------------------------------------------------------------------------------

BY_OP = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
STATISTICS: dict[str, Callable[..., Any]] = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}


def padded(
    array: Any,
    pad_width: Any,
    mode: Any = "constant",
    *,
    constant_values: Any = 0,
    end_values: Any = 0,
    stat_length: Any = None,
    reflect_type: str = "even",
) -> Any:
    """np.pad: by the op where it has the mode, else elements moved, or borders computed and joined."""
    array = as_tensor(array)
    widths = pairs(pad_width, array.ndim)
    if any(w < 0 for pair in widths for w in pair):
        raise ValueError(f"got pad_width {pad_width}, expected no negative ones")
    plain = not isinstance(constant_values, Tensor) and np.ndim(constant_values) == 0
    if mode in BY_OP and reflect_type == "even" and (plain or mode != "constant") and fits(array, widths, mode):
        return pad(array, [n for pair in widths[::-1] for n in pair], BY_OP[mode], constant_values)
    if callable(mode):
        raise TypeError(f"got a function as mode, expected a mode by its name: {sorted({*BY_OP, *BORDERS, 'empty'})}")
    if mode == "empty":
        return pad(array, [n for pair in widths[::-1] for n in pair])
    if mode not in BORDERS or (mode in ("reflect", "symmetric") and reflect_type == "even"):
        return moved(lambda p: np.pad(p, widths, mode), array)
    options = {"constant": constant_values, "linear_ramp": end_values}.get(mode, stat_length)
    options = [options] * array.ndim if mode in ODD else pairs_of(options, array.ndim)
    for dim, (width, option) in enumerate(zip(widths, options, strict=True)):
        if any(width):
            array = BORDERS[mode](array, dim, width, option, mode)
    return array


def pairs(pad_width: Any, ndim: int) -> list[Any]:
    """The widths in front and behind of each dimension; NumPy takes a number, a pair, pairs, or a dictionary."""
    if isinstance(pad_width, dict):
        of = {dim % ndim: width for dim, width in pad_width.items()}
        return [pairs(of.get(dim, 0), 1)[0] for dim in range(ndim)]
    found: list[Any] = np.broadcast_to(np.asarray(pad_width), (ndim, 2)).tolist()
    return found


def pairs_of(values: Any, ndim: int) -> list[Any]:
    """The values in front and behind of each dimension, which may be tensors."""
    if values is None:
        return [(None, None)] * ndim
    wide = np.broadcast_to(values if isinstance(values, Tensor) else np.asarray(values), (ndim, 2))
    return [(wide[dim, 0], wide[dim, 1]) for dim in range(ndim)]


def fits(array: Any, widths: Any, mode: str) -> bool:
    """Whether the op has as much to mirror or to repeat as is asked for."""
    most = {"reflect": -1, "wrap": 0}.get(mode)
    return most is None or all(max(pair) <= n + most for pair, n in zip(widths, array.shape, strict=True))


def piece(array: Any, dim: int, start: int | None, stop: int | None) -> Any:
    """The slice of one dimension."""
    return array[(slice(None),) * dim + (slice(start, stop),)]


def wide(border: Any, array: Any, dim: int, width: int) -> Any:
    """A border, broadcast to its width."""
    return np.broadcast_to(border, [width if d == dim else n for d, n in enumerate(array.shape)]).astype(array.dtype)


def constants(array: Any, dim: int, width: Any, values: Any, mode: str) -> Any:
    """A value in front, and one behind."""
    front, back = (wide(value, array, dim, w) for value, w in zip(values, width, strict=True))
    return cat([front, array, back], dim)


def ramps(array: Any, dim: int, width: Any, ends: Any, mode: str) -> Any:
    """Straight lines from the edges to the values at the ends."""
    shape = [-1 if d == dim else 1 for d in range(array.ndim)]
    parts = []
    for w, end, edge in zip(width, ends, (piece(array, dim, 0, 1), piece(array, dim, -1, None)), strict=True):
        steps = np.arange(w).reshape(shape)
        line = end + (edge - end) * (steps / max(w, 1))
        line = np.floor(line) if array.dtype.kind in "iu" else line
        parts.append(wide(line, array, dim, w))
    return cat([parts[0], array, np.flip(parts[1], dim)], dim)


def statistics(array: Any, dim: int, width: Any, lengths: Any, mode: str) -> Any:
    """A statistic of the elements next to the border."""
    size, parts = array.shape[dim], []
    for w, length, front in zip(width, lengths, (True, False), strict=True):
        count = size if length is None else min(int(length), size)
        beside = piece(array, dim, 0, count) if front else piece(array, dim, size - count, None)
        value = STATISTICS[mode](beside, axis=dim, keepdims=True)
        parts.append(wide(np.round(value) if array.dtype.kind in "iu" else value, array, dim, w))
    return cat([parts[0], array, parts[1]], dim)


def odd(array: Any, dim: int, width: Any, option: Any, mode: str) -> Any:
    """Mirrored at the edges in both directions: 2 edge - element."""
    if array.shape[dim] == 1:  # nothing to mirror
        return constants(array, dim, width, (array, array), mode)
    most = array.shape[dim] - (mode == "reflect")
    if max(width) > most:
        raise ValueError(f"got a width of {max(width)} with reflect_type='odd', expected {most} at most")
    of_arrays: Any = np.pad  # its overloads know literal modes only
    even = moved(lambda p: of_arrays(p, [width if d == dim else (0, 0) for d in range(p.ndim)], mode), array)
    front, back = piece(even, dim, 0, width[0]), piece(even, dim, even.shape[dim] - width[1], None)
    return cat([2 * piece(array, dim, 0, 1) - front, array, 2 * piece(array, dim, -1, None) - back], dim)


ODD = {"reflect": odd, "symmetric": odd}
BORDERS = {"constant": constants, "linear_ramp": ramps, **dict.fromkeys(STATISTICS, statistics), **ODD}
NUMPY[np.pad] = padded
