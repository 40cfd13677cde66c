"""The types of arrays that tensors hold: NumPy's, and those of other modules that speak NumPy's protocols.

A NumPy function finds the module of its arrays by itself: `np.exp(x)` is CuPy's for arrays of CuPy. What has no array
among its arguments cannot: whoever makes an array asks `module_of` what to make it with.

Code that reads memory, or relies on what NumPy's arrays alone are, asks first: `type(x) is np.ndarray`. Everything
else is written in functions that each module has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = [
    "MODULES",
    "accumulate",
    "add_at",
    "array_from",
    "at_hand",
    "contiguous",
    "has_own_elements",
    "is_array",
    "like",
    "module_of",
    "reduce",
    "register",
    "share_memory",
    "strided_view",
    "to_numpy",
    "truth",
]

MODULES: dict[type, Any] = {np.ndarray: np}  # by the type of arrays


def register(module: Any) -> None:
    """Lets tensors hold the arrays of a module that has NumPy's names: `module.ndarray`, `module.zeros` and so on."""
    MODULES[module.ndarray] = module


def module_of(first: Any, *more: Any) -> Any:
    """The module that makes arrays like these: that of the first which is not NumPy's, NumPy if there is none.

    Of a tensor it is the module of the array that it holds; numbers, None and shapes count for nothing.

    >>> import numpy as np
    >>> module_of(np.ones(2), 1.0).__name__
    'numpy'
    """
    if type(first) is np.ndarray and not more:
        return np
    for value in (first, *more):
        if type(value) is not np.ndarray:
            found = MODULES.get(type(value)) or getattr(value, "_module", np)
            if found is not np:
                return found
    return np


def is_array(value: Any) -> bool:
    """Whether it is an array that a tensor can hold."""
    return isinstance(value, np.ndarray) or type(value) in MODULES


def array_from(value: Any) -> Any:
    """What a function of arrays has returned as an array: of sums and the like NumPy makes numbers."""
    return value if type(value) in MODULES else np.asarray(value)


def like(value: Any, array: Any, dtype: Any = None) -> Any:
    """A number, or an array of NumPy's, as one of the same module as another array; nowhere else is this done.

    Args:
        dtype: its own by default.
    """
    module = module_of(array)
    if module is np:
        return np.asarray(value, dtype)
    if type(value) is module.ndarray:
        return value if dtype is None else value.astype(dtype, copy=False)
    made = np.asarray(value, dtype)
    return module.full((), made.item(), made.dtype) if not made.ndim else module.asarray(made)


def to_numpy(array: Any) -> np.ndarray:
    """The array, or its elements copied into one of NumPy's."""
    return array if isinstance(array, np.ndarray) else array.get()


def at_hand(*values: Any) -> bool:
    """Whether looking at values costs nothing: those on another device would be waited for.

    What is only faster if values are so and so, asks first. What is wrong if they are not, asks `truth`.
    """
    return module_of(*values) is np


def truth(value: Any) -> bool:
    """Whether the one element of an array is true, from whatever device: that is waited for."""
    return bool(value) if isinstance(value, np.ndarray | np.generic | bool) else bool(value.item())


def contiguous(array: Any) -> Any:
    """The array if it lies in row-major order, else a copy that does."""
    return np.ascontiguousarray(array) if type(array) is np.ndarray else module_of(array).ascontiguousarray(array)


def has_own_elements(array: Any) -> bool:
    """Whether each element has a place of its own to be written to: not so after `broadcast_to`.

    NumPy notes it of its arrays, which may be read-only for other reasons too; of others the steps tell it.
    """
    if isinstance(array, np.ndarray):
        return array.flags.writeable
    return all(step or size < 2 for step, size in zip(array.strides, array.shape, strict=True))


METHODS = {np.maximum: "max", np.minimum: "min", np.logical_and: "all", np.logical_or: "any"}


def reduce(ufunc: Any, array: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`ufunc.reduce` for one of those in METHODS, which CuPy has as methods of its arrays alone."""
    if type(array) is np.ndarray:
        return ufunc.reduce(array, axis, None, None, keepdims)
    return getattr(array, METHODS[ufunc])(axis, keepdims=keepdims)


def accumulate(ufunc: Any, array: Any, axis: int, dtype: Any = None) -> Any:
    """`ufunc.accumulate`. Where a module has none, each round combines runs of twice the length."""
    if type(array) is np.ndarray or ufunc is np.add or ufunc is np.multiply:
        return ufunc.accumulate(array, axis, dtype)
    out = array.copy() if dtype is None else array.astype(dtype)
    rows, step = out.swapaxes(axis, 0), 1
    while step < len(rows):
        rows[step:] = ufunc(rows[:-step], rows[step:])
        step *= 2
    return out


def share_memory(a: Any, b: Any) -> bool:
    """Whether two arrays of one module may show the same memory."""
    return module_of(a) is module_of(b) and bool(module_of(a).may_share_memory(a, b))


def strided_view(array: Any, shape: Sequence[int], strides: Sequence[int], start: int = 0) -> Any:
    """A view with these steps in bytes; it starts so many elements into an array, which is in row-major order then."""
    if type(array) is np.ndarray:
        if array.flags.c_contiguous:  # whose base the view then has, by which it is known as one
            return np.ndarray(shape, array.dtype, array, start * array.itemsize, strides)
        return np.lib.stride_tricks.as_strided(array, shape, strides)
    return module_of(array).lib.stride_tricks.as_strided(array[start:] if start else array, shape, strides)


def add_at(array: Any, index: Any, values: Any) -> None:
    """Adds values where an index leads, to a place as often as it is named: `np.add.at`.

    CuPy has it for some dtypes; integers of others are added as such of 64 bits without a sign, which end the same.
    """
    if type(array) is np.ndarray or array.dtype.kind in "fc":
        np.add.at(array, index, values)
        return
    wide = array.astype(np.uint64)
    np.add.at(wide, index, values.astype(np.uint64))
    array[...] = wide.astype(array.dtype)
