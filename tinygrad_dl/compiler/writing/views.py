"""How views are written: from the array of the whole buffer, by what a reader would write."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tinygrad_dl.compiler.arrays import shown
from tinygrad_dl.compiler.passes.uses import contiguous, whole
from tinygrad_dl.compiler.program import Buffer, View


class Written(NamedTuple):
    """An array and the text that makes it; `ending`: what to call it, behind the name of the whole."""

    text: str
    array: np.ndarray
    ending: str = ""


def whole_of(buffer: Buffer, views: list[View]) -> View:
    """The view by which a buffer is introduced: the first that shows all of it in rows, or else one row."""
    for view in views:
        if contiguous(view) and whole(view):
            return view
    for view in views:
        if whole(view) and not view.offset and min(view.strides, default=1) > 0:  # in another order
            order = sorted(range(len(view.shape)), key=lambda axis: (-view.strides[axis], axis))
            shape, strides = ([part[axis] for axis in order] for part in (view.shape, view.strides))
            return view._replace(shape=tuple(shape), strides=tuple(strides))
    dtype = min((view.dtype for view in views), key=lambda dtype: dtype.itemsize)
    if buffer.nbytes % dtype.itemsize:
        dtype = np.dtype(np.uint8)
    return View(buffer, 0, (buffer.nbytes // dtype.itemsize,), (dtype.itemsize,), dtype)


def written(view: View, name: str, base: np.ndarray, dtype_name: str) -> Written:
    """The text for a view of the buffer that `name`, the array `base`, shows in rows from its beginning."""
    dtype = view.dtype
    text, array, ending = name, base, ""
    if dtype != base.dtype:
        flat = name if base.ndim == 1 else f"{name}.reshape(-1)"
        if base.nbytes % dtype.itemsize:
            flat, array = "", base[:0]  # no such array
        else:
            text, array, ending = f"{flat}.view({dtype_name})", base.reshape(-1).view(dtype), f"_{dtype_name}"
    found = _from(view, Written(text, array, ending))
    if found is not None and _same(found.array, view, base):
        return found
    text = f"strided({name}, {view.offset}, {view.shape}, {view.strides}, {dtype_name})"
    return Written(text, shown(view, base), ending + "_part")


def _same(array: np.ndarray, view: View, base: np.ndarray) -> bool:
    """Whether an array shows what the view means, the strides of single elements aside."""
    if array.shape != view.shape or array.dtype != view.dtype:
        return False
    if 0 in view.shape:
        return True
    address = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    strides = zip(view.shape, array.strides, view.strides, strict=True)
    return address == view.offset and all(a == b or n == 1 for n, a, b in strides)


def _from(view: View, base: Written) -> Written | None:
    """The view as a slice, reshaped, transposed and repeated, in this order; None if it is something else."""
    if view == (view.buffer, 0, base.array.shape, base.array.strides, base.array.dtype):
        return base
    if 0 in view.shape or min(view.strides, default=0) < 0 or view.offset % view.dtype.itemsize:
        return None
    repeated = [
        axis for axis, (n, stride) in enumerate(zip(view.shape, view.strides, strict=True)) if n > 1 and not stride
    ]
    kept = [axis for axis in range(len(view.shape)) if axis not in repeated]
    order = sorted(kept, key=lambda axis: (-view.strides[axis], axis)) if _turned(view, kept) else kept
    shape, strides = tuple(view.shape[axis] for axis in order), tuple(view.strides[axis] for axis in order)
    found = _rows(base, view.offset, shape, strides)
    if found is None:
        return None
    if order != kept:
        found = _transposed(found, [order.index(axis) for axis in kept])
    if repeated:
        here = tuple(1 if axis in repeated else n for axis, n in enumerate(view.shape))
        text, array = found.text, found.array
        if here[len(here) - array.ndim :] != array.shape or any(n != 1 for n in here[: len(here) - array.ndim]):
            text, array = f"{text}.reshape{here}", array.reshape(here)
        found = Written(
            f"broadcast_to({text}, {view.shape})", np.broadcast_to(array, view.shape), f"{found.ending}_wide"
        )
    return found


def _turned(view: View, axes: list[int]) -> bool:
    strides = [view.strides[axis] for axis in axes if view.shape[axis] != 1]
    return strides != sorted(strides, reverse=True)


def _transposed(found: Written, axes: list[int]) -> Written:
    array = found.array.transpose(axes)
    ending = found.ending + "_T"
    if axes == list(range(len(axes)))[::-1]:
        return Written(f"{found.text}.T", array, ending)
    moved = [axis for axis, other in enumerate(axes) if axis != other]
    if len(moved) == 2:
        return Written(f"{found.text}.swapaxes({moved[0]}, {moved[1]})", array, ending)
    return Written(f"{found.text}.transpose({', '.join(map(str, axes))})", array, ending)


def _rows(base: Written, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Written | None:
    """Elements in order of memory: all of them or a range, in another shape, or slices along the base's dimensions."""
    array, itemsize = base.array, base.array.itemsize
    size, start = math.prod(shape), offset // itemsize
    step = itemsize
    in_rows = True
    for n, stride in zip(reversed(shape), reversed(strides), strict=True):
        in_rows = in_rows and (n == 1 or stride == step)
        step *= n
    if in_rows:
        if size == array.size:
            if shape == array.shape:
                return base
            return Written(
                f"{base.text}.reshape{_tuple(shape)}", array.reshape(shape), f"{base.ending}_{_sizes(shape)}"
            )
        row = array[0].size if array.ndim > 1 else 1
        if not start % row and not size % row:
            start, stop = start // row, (start + size) // row
            text, part = f"{base.text}[{start}:{stop}]", array[start:stop]
            if shape == array.shape[1:]:
                return Written(f"{base.text}[{start}]", array[start], f"{base.ending}_{start}")
        else:
            stop = start + size
            text, part = f"{base.text}.reshape(-1)[{start}:{stop}]", array.reshape(-1)[start:stop]
        ending = f"{base.ending}_{start}_{stop}"
        if part.shape == shape:
            return Written(text, part, ending)
        return Written(f"{text}.reshape{_tuple(shape)}", part.reshape(shape), ending)
    return _slices(base, start, shape, tuple(stride // itemsize for stride in strides))


def _slices(base: Written, start: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Written | None:
    """A slice or an index for each dimension of the base."""
    steps = [stride // base.array.itemsize for stride in base.array.strides]
    parts: list[str] = []
    index: list[slice | int] = []
    axis = 0
    for n, step in zip(base.array.shape, steps, strict=True):
        here, start = divmod(start, step) if step else (0, start)
        left = len(base.array.shape) - len(index) - 1
        if axis < len(shape) and strides[axis] and not strides[axis] % step and strides[axis] < step * max(n, 2):
            by = strides[axis] // step
            stop = here + (shape[axis] - 1) * by + 1
            if stop > n:
                return None
            index.append(slice(here, stop, by))
            ends = f"{here or ''}:{'' if stop == n else stop}"
            parts.append(ends + (f":{by}" if by != 1 else ""))
            axis += 1
        elif left >= len(shape) - axis and here < n:
            index.append(here)
            parts.append(str(here))
        else:
            return None
    if axis != len(shape) or start:
        return None
    while parts and parts[-1] == ":":
        parts.pop()
    array = base.array[tuple(index)]
    ending = "_".join(part.replace(":", "to").strip("_") for part in parts if part != ":")
    return Written(f"{base.text}[{', '.join(parts)}]", array, f"{base.ending}_{ending}")


def _tuple(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape)) or '()'})"


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) if shape else "scalar"
