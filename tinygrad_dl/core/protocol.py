"""NumPy's functions on tensors, called as NumPy's users call them.

`np.tile(t, reps=2)` reaches an op whose parameters are named as PyTorch names them. The signature of the NumPy function
says what each argument is called and where it stands; here it is told to the op by the op's own names. What an op does
not know is left to NumPy, and refused by name where a gradient would be lost.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import DIRECT, NUMPY, called
from tinygrad_dl.core.lazy import load_name
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.ufuncs import METHODS, method_call, ufunc_call
from tinygrad_dl.core.untracked import refuse_graph, stored, tensors_in, without_graph

NONE: Any = np._NoValue  # NumPy's word for an argument that is not given
# NumPy's word -> ours, where the place in the signature does not say it.
SAME = {"axis": "dim", "keepdims": "keepdim"}
# Say how memory is laid out, or by which algorithm: the values are the same.
WITHOUT_EFFECT = frozenset({"order", "subok", "kind", "stable", "optimize", "like", "device", "overwrite_input"})


def call(function: Any, fallback: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """The result of a NumPy function, ufunc, or method of a ufunc (given as a pair) that got a tensor."""
    args, kwargs = list(args), dict(kwargs)
    places = positional(function)
    if "out" in places and len(args) > places.index("out"):
        kwargs["out"] = args.pop(places.index("out"))
    elif isinstance(function, np.ufunc) and len(args) > function.nin:
        kwargs["out"] = tuple(args[function.nin :])
        del args[function.nin :]
    out = kwargs.pop("out", None)
    out = out[0] if isinstance(out, tuple) and len(out) == 1 else out
    name = called(function)
    load_name("numpy", name)
    if function in NUMPY:
        DIRECT[function] = direct(function)
        result = translated(function, fallback, args, kwargs, out)
    elif isinstance(function, tuple):
        load_name("numpy", called(function[0]))
        result = method_call(function, fallback, args, kwargs, out)
    else:
        result = without_graph(function, fallback, args, kwargs, out)
    return result if out is None or result is out else stored(result, out, name)


# -- functions that an op computes -------------------------------------------------------------------


# NumPy's functions in C say their signatures from NumPy 2.4 on.
IN_C: dict[Any, Callable[..., Any]] = {
    np.concatenate: lambda arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind": None,
    np.dot: lambda a, b, out=None: None,
    np.inner: lambda a, b, /: None,
    np.vdot: lambda a, b, /: None,
    np.where: lambda condition, x=None, y=None, /: None,
    np.bincount: lambda x, /, weights=None, minlength=0: None,
    np.copyto: lambda dst, src, casting="same_kind", where=True: None,
    np.putmask: lambda a, /, mask, values: None,
}


def signature(function: Any) -> inspect.Signature:
    """The signature of one of NumPy's functions; where it says none and is not known, any arguments."""
    try:
        return inspect.signature(IN_C.get(function, function))
    except ValueError:
        return inspect.signature(lambda *args, **kwargs: None)


@functools.cache
def parameters(function: Any) -> dict[str, Any]:
    """A NumPy function's parameters and their defaults, in order; a ufunc has none to name."""
    if isinstance(function, tuple):
        return dict(METHODS.get(function[1], {}))
    if isinstance(function, np.ufunc):
        return {}
    found = signature(function).parameters
    return {name: p.default for name, p in found.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}


@functools.cache
def positional(function: Any) -> tuple[str, ...]:
    """The names of the parameters that may be given by their place; without those behind `*args` or `*`."""
    if isinstance(function, tuple | np.ufunc):
        return tuple(parameters(function))
    found = signature(function).parameters
    return tuple(name for name, p in found.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))


@functools.cache
def spelling(function: Any) -> tuple[tuple[str, ...] | None, dict[str, str], frozenset[str]]:
    """NumPy's positional parameters (None: any number of them), what ours calls each, and all names that ours knows."""
    ours = list(inspect.signature(NUMPY[function]).parameters.values())
    known = {p.name for p in ours if p.kind is not p.VAR_POSITIONAL}
    places = [p.name for p in ours if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    theirs = parameters(function)
    free = {name: name for name in theirs if name in known}
    free |= {name: SAME[name] for name in theirs if name not in known and SAME.get(name) in known}
    for place, name in zip(places, positional(function), strict=False):
        if name not in free and place not in free.values() and place not in theirs:
            free[name] = place
    if isinstance(function, np.ufunc) or any(p.kind is p.VAR_POSITIONAL for p in ours):
        return None, free, frozenset(known)
    return positional(function), free, frozenset(known)


def direct(function: Any) -> tuple[Any, int, frozenset[str]]:
    """Our operation, and what needs no translation: the number of places, and the names."""
    ours = NUMPY[function]
    if isinstance(function, np.ufunc):
        return ours, function.nin, frozenset()
    theirs, names, _ = spelling(function)
    places = [p.name for p in inspect.signature(ours).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    same = [names.get(name) == place for name, place in zip(theirs or (), places, strict=False)]
    plain = {name for name in names if names[name] == name}
    if ours is getattr(getattr(ours, "op", None), "function", None):  # generated: it knows NumPy's words for `dim`
        plain |= {name for name in names if names[name] == SAME.get(name)}
    known = {"keepdims"} if "._numpy." in ours.__module__ else set()  # which know NumPy's word for "not given"
    plain -= {name for name, default in parameters(function).items() if default is NONE} - known
    return ours, [*same, False].index(False), frozenset(plain)


def translated(function: Any, fallback: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], out: Any) -> Any:
    """Our operation with the arguments of a NumPy call."""
    ours = NUMPY[function]
    if isinstance(function, np.ufunc):
        return ufunc_call(function, ours, args, kwargs, out)
    theirs, names, known = spelling(function)
    given = dict(kwargs)
    if theirs is not None:
        given |= zip(theirs, args, strict=False)
        if len(args) > len(theirs):
            raise TypeError(f"{called(function)} got {len(args)} arguments, expected {len(theirs)} at most")
    defaults = parameters(function)
    passed, dtype, casting = {}, None, "same_kind"
    for name, value in given.items():
        if name in names:
            if value is not NONE:
                passed[names[name]] = value
        elif name in known:
            passed[name] = value
        elif name == "dtype":
            dtype = value
        elif name == "casting":
            casting = value
        elif name not in WITHOUT_EFFECT and not is_default(value, defaults.get(name)):
            refuse_graph(function, tensors_in((args, kwargs)), f"{name}={value!r}")
            return without_graph(function, fallback, args, kwargs, out)
    result = ours(*(args if theirs is None else ()), **passed)
    return result if dtype is None else cast(result, dtype, casting, called(function))


def is_default(value: Any, default: Any) -> bool:
    """Whether an argument is what it would be if left out."""
    if isinstance(value, np.ndarray | Tensor):
        return False
    return value is default or value is NONE or (type(value) is type(default) and value == default)


def cast(result: Tensor, dtype: Any, casting: Any, what: str) -> Tensor:
    """A result in the dtype that was asked for, if NumPy's casting rule allows it."""
    wanted = np.dtype(dtype)
    if not np.can_cast(result.dtype, wanted, casting):
        raise TypeError(
            f"{what}: got a result of {result.dtype}, expected one that casts to {wanted} by the rule "
            f"casting={casting!r}"
        )
    return result.astype(wanted)
