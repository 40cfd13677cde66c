"""`td.compile`: a step recorded once and written as a program over NumPy arrays; what PyTorch has in `torch.compiler`.

`compiled.py` is what users meet: a function with its programs. Of a call for which there is none, `touched.py` finds
what it may read and write, as conditions (`checks.py`) that are looked at before each run; `making.py` has it recorded
(`recording/`), improved (`passes/`) and written (`writing/`), in terms of `program.py`; `replay.py` runs it and brings
about what a program of arrays does not: `.grad`, the log of changes in place, what the function returns.

Source: https://docs.pytorch.org/docs/stable/torch.compiler_api.html
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

from tinygrad_dl.compiler.now import now

# fmt: off
__all__ = [
    "CompileError", "Compiled", "OptimizedModule", "allow_in_graph", "assume_constant_result", "compile", "disable",
    "is_compiling", "is_dynamo_compiling", "reset",
]
# fmt: on

# Loaded at first use: modules and optimisers come along.
ELSEWHERE = {
    "CompileError": "compiled",
    "Compiled": "compiled",
    "OptimizedModule": "modules",
    "compile": "modules",
    "reset": "compiled",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name in ELSEWHERE:
        return getattr(importlib.import_module(f"tinygrad_dl.compiler.{ELSEWHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """A function that runs eagerly, and so do compiled functions that it calls; without one, a decorator.

    A compiled function that calls it has no program: it runs eagerly as a whole.

    Args:
        fn: the function or module.
        recursive: True; False is accepted and means the same.
        reason: why, for those who read the program.

    >>> import tinygrad_dl as td
    >>> @td.compiler.disable
    ... def triple(x):
    ...     return x * 3
    >>> triple(td.ones(1))
    tensor([3.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.compiler.disable.html
    """
    if fn is None:
        return functools.partial(disable, recursive=recursive, reason=reason)
    if not callable(fn):
        raise TypeError(f"compiler.disable: got a {type(fn).__name__}, expected a function or module")

    @functools.wraps(fn, updated=())
    def eager(*args: Any, **kwargs: Any) -> Any:
        if now.recording:
            refused = importlib.import_module("tinygrad_dl.compiler.recording").Unrecordable
            raise refused(f"{getattr(fn, '__name__', 'a function')} is called, which is not to be compiled")
        now.disabled += 1
        try:
            return fn(*args, **kwargs)
        finally:
            now.disabled -= 1

    return eager


def allow_in_graph(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself: what it computes is recorded as of any other."""
    return fn


def assume_constant_result(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself."""
    return fn


def is_compiling() -> bool:
    """Whether the code that asks is being recorded for a program.

    >>> import tinygrad_dl as td
    >>> td.compiler.is_compiling()
    False
    """
    return bool(now.recording)


is_dynamo_compiling = is_exporting = is_compiling


def is_compile_supported(device_type: str) -> bool:
    """Whether code for a device can be compiled: for the CPU."""
    return device_type == "cpu"


def cudagraph_mark_step_begin() -> None:
    """Does nothing: there are no graphs of a GPU."""


def _assert(condition: Any, message: Any = "") -> None:
    """Python's assert statement, as a function.

    >>> import tinygrad_dl as td
    >>> td._assert(1 > 2, "1 is smaller")
    Traceback (most recent call last):
        ...
    AssertionError: 1 is smaller
    """
    assert condition, message
