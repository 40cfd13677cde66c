"""NumPy's functions on tensors, called as NumPy's users call them.

`np.tile(t, reps=2)` reaches an op whose parameters are named as PyTorch names them. The signature of the NumPy function
says what each argument is called and where it stands; here it is told to the op by the op's own names. What an op does
not know is refused by name, unless it is NumPy's default or changes no values.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import DIRECT, NUMPY, called
from tinygrad_dl.core.lazy import load_name
from tinygrad_dl.core.modes import modes
from tinygrad_dl.core.tensor import Tensor, wrap

NONE: Any = np._NoValue  # NumPy's word for an argument that is not given
# NumPy's word -> ours, where the place in the signature does not say it.
SAME = {"axis": "dim", "keepdims": "keepdim"}
# Say how memory is laid out, or by which algorithm: the values are the same.
WITHOUT_EFFECT = frozenset({"order", "subok", "kind", "stable", "optimize", "like", "device"})
UFUNC_OPTIONS = {"casting": "same_kind", "order": "K", "subok": True, "signature": None, "sig": None}
METHODS = {
    "reduce": {"array": None, "axis": 0, "dtype": None, "out": None, "keepdims": False, "initial": None, "where": True},
    "accumulate": {"array": None, "axis": 0, "dtype": None, "out": None},
    "reduceat": {"array": None, "indices": None, "axis": 0, "dtype": None, "out": None},
}
# Functions whose results are positions, truths or constants: without a gradient, whoever requires one.
CONSTANT: set[Any] = {
    *(np.allclose, np.argpartition, np.array_equal, np.array_equiv, np.array_repr, np.array_str, np.can_cast),
    *(np.digitize, np.empty_like, np.flatnonzero, np.histogram_bin_edges, np.iscomplex, np.iscomplexobj, np.isin),
    *(np.isreal, np.isrealobj, np.lexsort, np.may_share_memory, np.nanargmax, np.nanargmin),
    *(np.nonzero, np.argwhere, np.ones_like, np.result_type, np.searchsorted, np.shares_memory),
}


def call(function: Any, fallback: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """The result of a NumPy function, ufunc, or method of a ufunc (given as a pair) that got a tensor."""
    if isinstance(function, tuple) and function[1] in ("outer", "at"):
        return (outer if function[1] == "outer" else add_at)(function[0], fallback, args, kwargs)
    args, kwargs = list(args), dict(kwargs)
    places = positional(function)
    if "out" in places and len(args) > places.index("out"):
        kwargs["out"] = args.pop(places.index("out"))
    elif isinstance(function, np.ufunc) and len(args) > function.nin:
        kwargs["out"] = tuple(args[function.nin :])
        del args[function.nin :]
    out = kwargs.pop("out", None)
    out = out[0] if isinstance(out, tuple) and len(out) == 1 else out
    load_name("numpy", called(function))
    if function in NUMPY:
        DIRECT[function] = direct(function)
        result = translated(function, args, kwargs, out)
    else:
        return without_graph(function, fallback, args, kwargs, out)
    return result if out is None else stored(result, out, called(function))


# -- functions that an op computes -------------------------------------------------------------------


# NumPy's functions in C say their signatures from NumPy 2.4 on.
IN_C: dict[Any, Callable[..., Any]] = {
    np.concatenate: lambda arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind": None,
    np.dot: lambda a, b, out=None: None,
    np.inner: lambda a, b, /: None,
    np.vdot: lambda a, b, /: None,
    np.where: lambda condition, x=None, y=None, /: None,
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
    if "._numpy." not in ours.__module__:  # where NumPy's word for "not given" is known
        plain -= {name for name, default in parameters(function).items() if default is NONE}
    return ours, [*same, False].index(False), frozenset(plain)


def translated(function: Any, args: list[Any], kwargs: dict[str, Any], out: Any) -> Any:
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
        args = []
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
            raise TypeError(
                f"{called(function)}: got {name}={value!r}, expected it left out: it is not supported with tensors; "
                "leave it out, or call it on t.detach().numpy()"
            )
    result = ours(*args, **passed)
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


def ufunc_call(ufunc: np.ufunc, ours: Any, args: list[Any], kwargs: dict[str, Any], out: Any) -> Any:
    """A ufunc with options: `dtype` is that of the computation, `where` says which elements of `out` are stored."""
    where, dtype = kwargs.pop("where", True), kwargs.pop("dtype", None)
    for name, value in kwargs.items():
        if name not in WITHOUT_EFFECT and not is_default(value, UFUNC_OPTIONS.get(name)):
            raise TypeError(
                f"{called(ufunc)}: got {name}={value!r}, expected it left out: it is not supported with tensors; leave "
                "it out, or call it on t.detach().numpy()"
            )
    if dtype is not None:
        wanted = np.dtype(dtype)
        args = [a.astype(wanted) if isinstance(a, np.ndarray | Tensor) else a for a in args]
    result = ours(*args)
    if where is True:
        return result
    if out is None:
        raise TypeError(
            f"{called(ufunc)}: got where= alone, which leaves elements of the result undefined, expected out= beside "
            "it; or write np.where(condition, result, other)"
        )
    return np.where(where, result, out)


def outer(ufunc: np.ufunc, fallback: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """ufunc.outer: every element of the first with every one of the second."""
    if ufunc not in NUMPY:
        return without_graph((ufunc, "outer"), fallback, args, kwargs, kwargs.pop("out", None))
    a, b = args
    dims = np.ndim(b)
    return ufunc(np.reshape(a, (*np.shape(a), *(1,) * dims)), b, **kwargs)


def add_at(ufunc: np.ufunc, fallback: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """ufunc.at: changes its first argument in place, element after element."""
    seen: list[Tensor] = []
    target, *rest = args
    plain = stripped(list(rest), seen)
    if not isinstance(target, Tensor):
        refuse_graph((ufunc, "at"), seen)
        return fallback(target, *plain, **kwargs)  # type: ignore[no-any-return]
    refuse_graph((ufunc, "at"), [target, *seen])
    changed = target._data.copy()
    fallback(changed, *plain, **kwargs)
    target._write(changed, f"{called((ufunc, 'at'))}")
    return None


# -- functions that no op computes -------------------------------------------------------------------


def without_graph(function: Any, fallback: Any, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> Any:
    """NumPy's own function on the data, if nothing asks for a gradient or there is none to have."""
    seen: list[Tensor] = []
    plain, options = stripped(list(args), seen), stripped(kwargs, seen)
    if function not in CONSTANT:
        refuse_graph(function, seen)
    if out is None:
        return rewrapped(fallback(*plain, **options))
    targets = out if isinstance(out, tuple) else (out,)
    copies = tuple(np.array(t._data if isinstance(t, Tensor) else t) if t is not None else None for t in targets)
    found = fallback(*plain, out=copies if isinstance(out, tuple) else copies[0], **options)
    made = found if isinstance(out, tuple) else (found,)
    stored_ones = [
        r if t is None else stored(wrap(np.asarray(r)), t, called(function)) for r, t in zip(made, targets, strict=True)
    ]
    return tuple(stored_ones) if isinstance(out, tuple) else stored_ones[0]


def refuse_graph(function: Any, tensors: Sequence[Tensor]) -> None:
    """Raises if a gradient would be lost without a word."""
    if modes.grad and any(t._edge is not None for t in tensors):
        name = called(function)
        raise TypeError(
            f"{name}: got a tensor that requires a gradient, expected one that does not: it has no gradient rule here; "
            f"call it on t.detach(), or declare an op for it with @td.op({name})"
        )


def stored(result: Any, out: Any, what: str) -> Any:
    """`out`, with the result written to it."""
    if isinstance(out, Tensor):
        return out._assign(result, f"{what}(out=...)")
    np.copyto(out, result.numpy() if isinstance(result, Tensor) else result)
    return out


def stripped(value: Any, seen: list[Tensor]) -> Any:
    """Arguments with arrays in the place of tensors."""
    if isinstance(value, Tensor):
        seen.append(value)
        return value._data
    if type(value) in (list, tuple):
        return type(value)(stripped(each, seen) for each in value)
    if type(value) is dict:
        return {key: stripped(each, seen) for key, each in value.items()}
    return value


def rewrapped(value: Any) -> Any:
    """Results with tensors in the place of arrays."""
    if isinstance(value, np.ndarray):
        return wrap(value) if value.dtype.kind in "biufcV" else value
    if isinstance(value, np.generic) and value.dtype.kind in "biufc":
        return wrap(np.asarray(value))
    if type(value) in (list, tuple):
        return type(value)(rewrapped(each) for each in value)
    return value
