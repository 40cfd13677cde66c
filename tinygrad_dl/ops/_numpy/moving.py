"""Functions that only move elements: NumPy's own, run on their places, says where each comes from."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.untracked import refuse_graph, stripped, tensors_in
from tinygrad_dl.ops._numpy.arguments import as_tensor, numbers
from tinygrad_dl.ops.shape.joining import cat


def moved(move: Callable[..., Any], *sources: Any) -> Any:
    """The elements of tensors where `move` puts their places."""
    tensors = [as_tensor(each) for each in sources]
    ends = itertools.accumulate(t.numel() for t in tensors)
    places = [np.arange(end - t.numel(), end).reshape(t.shape) for t, end in zip(tensors, ends, strict=True)]
    found = np.asarray(move(*places))
    flat = [t.reshape(-1) for t in tensors]
    return (flat[0] if len(flat) == 1 else cat(flat, 0))[found]


def inserted(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """np.insert."""
    arr = as_tensor(arr)
    return moved(lambda a, v: np.insert(a, plain(obj), v, axis), arr, as_tensor(values).astype(arr.dtype))


def resized(a: Any, new_shape: Any) -> Any:
    """np.resize: the elements over and over, in a new shape."""
    a = as_tensor(a)
    return moved(lambda p: np.resize(p, new_shape), a) if a.numel() else np.zeros_like(a, shape=new_shape)


def plain(value: Any) -> Any:
    """Places and conditions as NumPy takes them."""
    return stripped(value, [])


NUMPY[np.insert], NUMPY[np.resize] = inserted, resized
NUMPY[np.delete] = lambda arr, obj, axis=None: moved(lambda p: np.delete(p, plain(obj), axis), arr)
NUMPY[np.compress] = lambda condition, a, axis=None: moved(lambda p: np.compress(plain(condition), p, axis), a)
NUMPY[np.extract] = lambda condition, arr: moved(lambda p: np.extract(plain(condition), p), arr)


# -- in place ------------------------------------------------------------------------------------------


def changing(function: Any, change: Callable[..., None]) -> Callable[..., None]:
    """A function that writes values into its first argument.

    Args:
        change: the same on places: of the target, of the values, then the other arguments.
    """

    def found(target: Any, values: Any, **options: Any) -> None:
        options = plain(options)
        if not isinstance(target, Tensor):
            refuse_graph(function, tensors_in([values]))
            change(target, plain(values), **options)
            return

        def move(places: np.ndarray, others: np.ndarray) -> np.ndarray:
            change(places, others, **options)
            return places

        result = moved(move, target, as_tensor(values).astype(target.dtype))
        target._assign(result, f"np.{function.__name__}")

    return found


put = changing(np.put, lambda a, v, ind, mode: np.put(a, ind, v, mode))
place = changing(np.place, lambda a, v, mask: np.place(a, mask, v))
putmask = changing(np.putmask, lambda a, v, mask: np.putmask(a, mask, v))
copyto = changing(np.copyto, lambda a, v, where, casting: np.copyto(a, v, where=where, casting=casting))
fill_diagonal = changing(np.fill_diagonal, lambda a, v, wrap: np.fill_diagonal(a, v, wrap))
put_along = changing(np.put_along_axis, lambda a, v, ind, axis: np.put_along_axis(a, ind, v, axis))


def copied(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    """np.copyto, of what may be cast."""
    given = src.dtype if isinstance(src, Tensor | np.ndarray) else None
    if given is not None and not np.can_cast(given, dst.dtype, casting):
        raise TypeError(f"got values of {given}, expected what casts to {dst.dtype} by the rule casting={casting!r}")
    copyto(dst, src, where=where, casting=casting if not isinstance(dst, Tensor) else "same_kind")


NUMPY[np.put] = lambda a, ind, v, mode="raise": put(a, v, ind=ind, mode=mode)
NUMPY[np.place] = lambda arr, mask, vals: place(arr, vals, mask=mask)
NUMPY[np.putmask] = lambda a, mask, values: putmask(a, values, mask=mask)
NUMPY[np.copyto] = copied
NUMPY[np.fill_diagonal] = lambda a, val, wrap=False: fill_diagonal(a, val, wrap=wrap)
NUMPY[np.put_along_axis] = lambda arr, indices, values, axis: put_along(arr, values, ind=indices, axis=axis)


# -- by values -----------------------------------------------------------------------------------------


def partition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect") -> Any:
    """np.partition."""
    a = as_tensor(a).reshape(-1) if axis is None else as_tensor(a)
    axis = -1 if axis is None else axis
    return np.take_along_axis(a, np.argpartition(numbers(a), plain(kth), axis), axis)


def trimmed(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """np.trim_zeros: without the zeros in front ("f") and at the back ("b")."""
    filt = as_tensor(filt)
    found = np.argwhere(numbers(filt))
    start = found.min(0) if len(found) else np.zeros(filt.ndim, int)
    stop = found.max(0) + 1 if len(found) else start
    dims = range(filt.ndim) if axis is None else [d % filt.ndim for d in np.atleast_1d(axis).tolist()]
    sides = trim.lower()
    part = [
        slice(int(start[d]) if "f" in sides or not len(found) else None,
              int(stop[d]) if "b" in sides or not len(found) else None) if d in dims else slice(None)
        for d in range(filt.ndim)
    ]  # fmt: skip
    return filt[tuple(part)]


def sort_complex(a: Any) -> Any:
    """np.sort_complex: sorted by the real part, then by the imaginary one; the result is complex."""
    a = as_tensor(a)
    ordered = np.take_along_axis(a, np.argsort(numbers(a), -1), -1)
    wanted = np.sort_complex(module_of(a).empty(0, a.dtype)).dtype
    return ordered if ordered.dtype == wanted else ordered.astype(wanted)


NUMPY[np.partition], NUMPY[np.trim_zeros], NUMPY[np.sort_complex] = partition, trimmed, sort_complex
