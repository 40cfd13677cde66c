"""How many threads the BLAS behind NumPy uses: its switch, where there is one.

The OpenBLAS that NumPy's wheels bring along has one, and no other BLAS is asked: then nothing is switched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

_lock = threading.Lock()
_held = {"users": 0, "before": 1}
_switch: list[Callable[..., Any]] | None = None  # get and set; empty: there is none; None: not looked for yet


def switch() -> list[Callable[..., Any]]:
    """The functions that get and set the number of threads; empty if there are none."""
    global _switch
    if _switch is None:
        _switch = _find()
    return _switch


def _find() -> list[Callable[..., Any]]:
    import ctypes  # NumPy has imported it already

    # Where NumPy's core lies is no public knowledge, so nothing here may fail if it moves.
    core = getattr(getattr(np, "_core", None), "_multiarray_umath", None)
    try:
        library = ctypes.CDLL(core.__file__)  # type: ignore[union-attr]
    except (AttributeError, OSError, TypeError):
        return []
    for suffix in ("64_", ""):
        getter = getattr(library, f"scipy_openblas_get_num_threads{suffix}", None)
        setter = getattr(library, f"scipy_openblas_set_num_threads{suffix}", None)
        if getter is not None and setter is not None:
            setter.argtypes, setter.restype, getter.restype = [ctypes.c_int], None, ctypes.c_int
            return [getter, setter]
    return []


def set_threads(number: int) -> None:
    """Lets the BLAS use so many threads, from the end of `one_thread` on if that is under way."""
    if not switch():
        return
    with _lock:
        if _held["users"]:
            _held["before"] = number
        else:
            switch()[1](number)


@contextmanager
def one_thread() -> Iterator[None]:
    """Each product on one thread meanwhile, in all threads of the process."""
    getter, setter = switch()
    with _lock:
        if not _held["users"]:
            _held["before"] = getter()
            setter(1)
        _held["users"] += 1
    try:
        yield
    finally:
        with _lock:
            _held["users"] -= 1
            if not _held["users"]:
                setter(_held["before"])
