"""How many threads the BLAS behind NumPy uses: its switch, where there is one.

The OpenBLAS that NumPy's wheels bring along has one, and no other BLAS is asked: then nothing is switched. The number
belongs to the process and everything in it, so it is changed for the length of a call and then set back.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np


class _Held:
    """By how many calls the BLAS is held to one thread now, and what its number was before the first of them."""

    users, before = 0, 1


_lock = threading.RLock()  # the handler of a signal may multiply, too
_held = _Held()
_switch: list[Callable[..., Any]] | None = None  # get and set; empty: there is none; None: not looked for yet


def switch() -> list[Callable[..., Any]]:
    """The functions that get and set the number of threads; empty if there are none."""
    global _switch
    if _switch is None:
        _switch = _find()
    return _switch


def library(kind: str) -> Any:
    """NumPy's compiled core by ctypes, as "PyDLL" or as "CDLL": its BLAS is among its functions. None if it moved."""
    import ctypes  # NumPy has imported it already

    # Where NumPy's core lies is no public knowledge, so nothing here may fail if it moves.
    core = getattr(getattr(np, "_core", None), "_multiarray_umath", None)
    try:
        return getattr(ctypes, kind)(core.__file__)  # type: ignore[union-attr]
    except (AttributeError, OSError, TypeError):
        return None


def _find() -> list[Callable[..., Any]]:
    from ctypes import c_int

    core = library("PyDLL")
    for suffix in ("64_", ""):
        getter = getattr(core, f"scipy_openblas_get_num_threads{suffix}", None)
        setter = getattr(core, f"scipy_openblas_set_num_threads{suffix}", None)
        if getter is not None and setter is not None:
            setter.restype, getter.restype = None, c_int  # no argtypes: ints pass faster without
            return [getter, setter]
    return []


def functions(name: str, signature: Callable[[Any, Any, Any], list[Any]]) -> dict[Any, Callable[..., Any]]:
    """The BLAS's function of this name for each real dtype for which there is one; other threads run during its calls.

    Args:
        name: as in CBLAS, without the letter of the dtype.
        signature: gives the types of the arguments, from those of integers, of numbers and of arrays.
    """
    import ctypes

    found: dict[Any, Callable[..., Any]] = {}
    core = library("CDLL")
    for letter, kind, real in (("s", np.float32, ctypes.c_float), ("d", np.float64, ctypes.c_double)):
        for suffix, integer in (("64_", ctypes.c_int64), ("", ctypes.c_int32)):
            function = getattr(core, f"scipy_cblas_{letter}{name}{suffix}", None)
            if function is not None:
                function.argtypes, function.restype = signature(integer, real, ctypes.c_void_p), None
                found[np.dtype(kind)] = function
                break
    return found


def allowed() -> int:
    """How many threads others let the BLAS have, `threadpool_limits` for example; a large number if nobody can tell."""
    if not switch():
        return 2**31
    with _lock:
        return _held.before if _held.users else switch()[0]()


class Single:
    """While a call is inside, the BLAS uses the calling thread alone. May be entered again, and by several threads.

    A number that another library sets meanwhile stays, but for 1, which can't be told from ours.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        functions = switch() if _switch is None else _switch
        if functions:
            with _lock:
                _held.users += 1  # first, so that a signal's handler in between finds the BLAS held
                if _held.users == 1:
                    _held.before = functions[0]()
                    if _held.before != 1:
                        functions[1](1)

    def __exit__(self, *_: object) -> None:
        functions = _switch
        if functions:
            with _lock:
                before = _held.before
                _held.users -= 1
                if not _held.users and before != 1 and functions[0]() == 1:
                    functions[1](before)


single = Single()


def _forget() -> None:
    """In a forked child there is one thread, which was not in here, and a lock may be held by none."""
    global _lock
    _lock = threading.RLock()
    if _held.users:
        _held.users = 0
        switch()[1](_held.before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
