"""How many threads the BLAS behind NumPy uses: its switch, where there is one.

The OpenBLAS that NumPy's wheels bring along has one, and no other BLAS is asked: then nothing is switched.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np


class _Held:
    """Whether the BLAS is held to one thread, by how many, until when, and what its number was before."""

    held, users, last, before = False, 0, 0.0, 1


_lock = threading.Lock()
_held = _Held()
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
    """Lets the BLAS use so many threads, once it is released if it is held to one."""
    if not switch():
        return
    with _lock:
        if _held.held:
            _held.before = number
        else:
            switch()[1](number)


def is_quiet() -> bool:
    """Whether the BLAS leaves the cores to others between its products: it has one thread, or is held to one."""
    return _held.held or (bool(switch()) and switch()[0]() == 1)


def hold() -> bool:
    """Holds the BLAS to one thread until `rest` is called and nobody has held it for a while.

    A thread of OpenBLAS goes on for some 20 ms after a product, looking for the next one, and is in the way of other
    threads meanwhile. So it is not let go after every use, but when there has been none for longer than that.

    Returns:
        Whether it was not held before: somebody has to call `rest` from then on.
    """
    getter, setter = switch()
    with _lock:
        _held.users += 1
        if _held.held:
            return False
        _held.before, _held.held = getter(), True
        setter(1)
        return True


def let_go() -> None:
    """Ends one `hold`."""
    with _lock:
        _held.users -= 1
        _held.last = time.monotonic()


def rest(seconds: float = 0.0) -> bool:
    """Gives the BLAS its threads back if nobody holds it, and nobody has for so long; whether it has them now."""
    with _lock:
        if _held.held and not _held.users and time.monotonic() - _held.last >= seconds:
            switch()[1](_held.before)
            _held.held = False
        return not _held.held


def forget() -> None:
    """In a forked child nobody holds the BLAS, and nobody the lock."""
    global _lock
    _lock = threading.Lock()
    _held.users = 0
    if _held.held:
        rest()
