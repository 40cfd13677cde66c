"""Ufuncs on tensors with NumPy's options, and their methods, which are made of calls of the ufunc itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY, called
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.untracked import is_constant, is_tracked, refuse_graph, stripped, tensors_in, without_graph

NONE: Any = np._NoValue
METHODS: dict[str, dict[str, Any]] = {
    "reduce": {"array": None, "axis": 0, "dtype": None, "out": None, "keepdims": False, "initial": NONE, "where": True},
    "accumulate": {"array": None, "axis": 0, "dtype": None, "out": None},
    "reduceat": {"array": None, "indices": None, "axis": 0, "dtype": None, "out": None},
    "outer": {"A": None, "B": None},
    "at": {"a": None, "indices": None, "b": None},
}
WEAK = (int, float, complex)  # numbers that take the dtype of what stands beside them


# -- a call --------------------------------------------------------------------------------------------


def ufunc_call(ufunc: np.ufunc, ours: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], out: Any) -> Any:
    """A ufunc with options.

    `dtype`, `signature` and `casting` say in which dtypes it computes; `axes`, `axis` and `keepdims` which dimensions
    are those of its vectors or matrices; `where` which elements of `out` are stored.
    """
    where = kwargs.pop("where", True)
    args, back = core_last(ufunc, args, kwargs)
    args, dtypes = typed(ufunc, args, kwargs)
    if unknown := kwargs.keys() - {"order", "subok"}:
        raise TypeError(f"{called(ufunc)}: got {', '.join(sorted(unknown))}, expected arguments that NumPy knows")
    result = back(ours(*args))
    if dtypes is not None:
        result = each_of(lambda r, dtype: r if r.dtype == dtype else r.astype(dtype), result, dtypes)
    if where is True:
        return result
    if out is None:
        raise TypeError(
            f"{called(ufunc)}: got where= alone, which leaves elements of the result undefined, expected out= beside "
            "it; or write np.where(condition, result, other)"
        )
    return each_of(lambda r, o: r if o is None else np.where(where, r, o), result, out)


def each_of(change: Callable[[Any, Any], Any], results: Any, beside: Any) -> Any:
    """What `change` makes of a result, or of each of several, and what belongs to it."""
    if isinstance(results, tuple):
        return tuple(change(*pair) for pair in zip(results, beside, strict=True))
    return change(results, beside[0] if isinstance(beside, tuple) else beside)


def typed(ufunc: np.ufunc, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], Any]:
    """The arguments in the dtypes in which NumPy computes, and the dtypes of its results; None: nothing was asked."""
    asked = {name: kwargs.pop(name, None) for name in ("dtype", "sig", "signature")}
    casting = kwargs.pop("casting", "same_kind")
    given = asked["sig"] if asked["signature"] is None else asked["signature"]
    if asked["dtype"] is None and given is None and casting == "same_kind":
        return args, None
    if given is None:
        given = (None,) * ufunc.nin + (asked["dtype"],) * ufunc.nout
    letters = given.replace("->", "") if isinstance(given, str) else given
    wanted = tuple(each if each is None else np.dtype(each) for each in letters)
    args = [a if isinstance(a, Tensor) or type(a) in WEAK else np.asarray(a) for a in args]
    kinds = tuple(type(a) if type(a) in WEAK else np.dtype(a.dtype) for a in args)
    found = ufunc.resolve_dtypes((*kinds, *(None,) * ufunc.nout), signature=wanted, casting=casting)
    held = [a if type(a) in WEAK or a.dtype == d else a.astype(d) for a, d in zip(args, found, strict=False)]
    return held, found[ufunc.nin :]


def core_last(ufunc: np.ufunc, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], Callable[[Any], Any]]:
    """Arguments whose dimensions of vectors or matrices are the last ones, and what puts those of the result back."""
    axes, axis, keepdims = kwargs.pop("axes", None), kwargs.pop("axis", None), kwargs.pop("keepdims", False)
    if ufunc.signature is None or (axes is None and axis is None and not keepdims):
        return args, lambda result: result
    counts = [len(dims.split(",")) if dims else 0 for dims in re.findall(r"\(([^)]*)\)", ufunc.signature)]
    if axes is None:
        if max(counts) > 1 or counts[-1]:
            raise TypeError(f"{called(ufunc)}: got axis or keepdims, expected axes=, as it is of matrices")
        axes = [(-1 if axis is None else axis,) * n for n in counts]
    places = [(each,) if isinstance(each, int) else tuple(each) for each in axes]
    places += [()] * (len(counts) - len(places))
    moved = [np.moveaxis(a, p, tuple(range(-len(p), 0))) for a, p in zip(args, places, strict=False)]

    def back(result: Any) -> Any:
        own = places[-1]
        return np.expand_dims(result, places[0]) if keepdims else np.moveaxis(result, tuple(range(-len(own), 0)), own)

    return moved, back


# -- methods -------------------------------------------------------------------------------------------


def method_call(function: Any, fallback: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], out: Any) -> Any:
    """A method of a ufunc for which there is no op: calls of the ufunc, if a gradient is asked for."""
    ufunc, method = function
    tracked = not is_constant(function) and any(map(is_tracked, tensors_in((args, kwargs))))
    given = {**METHODS[method], **dict(zip(METHODS[method], args, strict=False)), **kwargs}
    given.pop("out", None)
    if method == "at":
        return at(ufunc, fallback, args, tracked)
    if not tracked or ufunc not in NUMPY or ufunc.nin != 2 or ufunc.nout != 1:
        return without_graph(function, fallback, args, kwargs, out)
    if method == "outer":
        a, b = given.pop("A"), given.pop("B")
        return ufunc(np.reshape(a, (*np.shape(a), *(1,) * np.ndim(b))), b, **given)
    array, dtype = given.pop("array"), given.pop("dtype")
    return MADE_OF_CALLS[method](ufunc, array if dtype is None else array.astype(np.dtype(dtype)), **given)


def reduce(ufunc: np.ufunc, array: Any, axis: Any, keepdims: bool, initial: Any, where: Any) -> Any:
    """ufunc.reduce: one slice after the other."""
    ufunc.reduce(np.ones((1,) * array.ndim, array.dtype), axis=axis)  # for NumPy's errors about the axis
    dims = range(array.ndim) if axis is None else np.atleast_1d(np.asarray(axis, int)).tolist()
    dims = tuple(d % array.ndim for d in dims)
    rest = [n for d, n in enumerate(array.shape) if d not in dims]

    def rows(value: Any) -> Any:
        return np.reshape(np.moveaxis(value, dims, tuple(range(len(dims)))), (-1, *rest))

    found = ufunc.identity if initial is NONE else initial
    if found is None and (where is not True or not array.numel()):
        what = "where=" if array.numel() else "no elements"
        raise ValueError(f"{called((ufunc, 'reduce'))}: got {what} without initial=, expected it: there is no identity")
    counts = None if where is True else rows(np.broadcast_to(where, array.shape))
    slices = rows(array)
    for i in range(len(slices)):
        after = slices[i] if found is None else ufunc(found, slices[i])
        found = after if counts is None else np.where(counts[i], after, found)
    found = found if np.shape(found) == tuple(rest) else np.broadcast_to(found, rest)
    return np.expand_dims(found, dims) if keepdims else found


def accumulate(ufunc: np.ufunc, array: Any, axis: int) -> Any:
    """ufunc.accumulate: every result on the way of `reduce`."""
    slices = np.moveaxis(array, axis, 0)
    found: list[Any] = []
    for i in range(len(slices)):
        found.append(ufunc(found[-1], slices[i]) if found else slices[i])
    return np.stack(found, axis) if found else array


def reduceat(ufunc: np.ufunc, array: Any, indices: Any, axis: int) -> Any:
    """ufunc.reduceat: from each index to the next, or where that is not behind it the element alone."""
    slices, starts = np.moveaxis(array, axis, 0), np.asarray(indices).tolist()
    ends = [*starts[1:], len(slices)]
    for start in starts:
        if not 0 <= start < len(slices):
            raise IndexError(f"{called((ufunc, 'reduceat'))}: got index {start}, expected 0 to {len(slices) - 1}")
    pieces = [
        ufunc.reduce(slices[start : max(end, start + 1)], axis=0, initial=None)
        for start, end in zip(starts, ends, strict=True)
    ]
    return np.stack(pieces, axis)


MADE_OF_CALLS: dict[str, Callable[..., Any]] = {"reduce": reduce, "accumulate": accumulate, "reduceat": reduceat}


def at(ufunc: np.ufunc, fallback: Callable[..., Any], args: Sequence[Any], tracked: bool) -> None:
    """ufunc.at: changes its first argument in place, an element as often as an index names it."""
    target, index, *rest = args
    plain = stripped([index], [])[0]
    if not isinstance(target, Tensor):
        refuse_graph((ufunc, "at"), tensors_in(args))
        return fallback(target, plain, *stripped(rest, []))  # type: ignore[no-any-return]
    name = called((ufunc, "at"))
    if not tracked:
        changed = target._data.copy()
        fallback(changed, plain, *stripped(rest, []))
        target._write(changed, name)
        return None
    if ufunc not in NUMPY:
        refuse_graph((ufunc, "at"), tensors_in(args))
    places = np.arange(target.numel()).reshape(target.shape)[plain]
    others = [np.reshape(np.broadcast_to(each, places.shape), -1) for each in rest]
    result, places = target.reshape(-1).clone(), places.reshape(-1)
    turns = occurrence(places)
    for turn in range(turns.max(initial=-1) + 1):
        now = np.flatnonzero(turns == turn)
        result[places[now]] = ufunc(result[places[now]], *[each[now] for each in others])
    target._assign(result.reshape(target.shape), name)
    return None


def occurrence(places: np.ndarray) -> np.ndarray:
    """How often each of them was there before: 0, 0, 1 of 5, 7, 5."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    first = np.searchsorted(ordered, ordered)
    found = np.empty(places.size, np.intp)
    found[order] = np.arange(places.size) - first
    return found
