"""Matrix products on one thread each, so that several threads can compute a piece of work each, products and all.

A job that alternates between copies and small matrix products keeps one core waiting during the copies if only
the products are split. Splitting the whole job is faster, but then the BLAS must not split the products again. Its
switch is part of the OpenBLAS that NumPy's wheels bring along; with another BLAS nothing is switched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.threads import Work, get_num_threads, spread

_lock = threading.Lock()
_state = {"users": 0, "before": 1}
_switch: list[Callable[..., Any]] = []  # get and set, once looked for; empty: not to be had


def _find() -> bool:
    """Looks for the switch; whether it is there."""
    import ctypes  # NumPy has imported it already

    # Where NumPy's core lies is no public knowledge, so nothing here may fail if it moves.
    core = getattr(getattr(np, "_core", None), "_multiarray_umath", None)
    try:
        library = ctypes.CDLL(core.__file__)  # type: ignore[union-attr]
    except (AttributeError, OSError, TypeError):
        return False
    for suffix in ("64_", ""):
        getter = getattr(library, f"scipy_openblas_get_num_threads{suffix}", None)
        setter = getattr(library, f"scipy_openblas_set_num_threads{suffix}", None)
        if getter is not None and setter is not None:
            setter.argtypes, setter.restype, getter.restype = [ctypes.c_int], None, ctypes.c_int
            _switch[:] = [getter, setter]
            return True
    return False


_found: list[bool] = []


def spread_products(work: Work, count: int, grain: int = 1) -> None:
    """`threads.spread` for work that contains matrix products; only this thread if nothing can be switched."""
    if get_num_threads() < 2 or count < 2 * grain:
        work(0, count)
        return
    if not _found:
        _found.append(_find())
    if not _found[0]:
        work(0, count)
        return
    getter, setter = _switch
    with _lock:
        if not _state["users"]:
            _state["before"] = getter()
            setter(1)
        _state["users"] += 1
    try:
        spread(work, count, grain)
    finally:
        with _lock:
            _state["users"] -= 1
            if not _state["users"]:
                setter(_state["before"])
