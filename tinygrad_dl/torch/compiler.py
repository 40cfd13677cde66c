"""`torch.compile` and `torch.compiler` where nothing is compiled: functions run as they are written.

Source: https://docs.pytorch.org/docs/stable/torch.compiler_api.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["allow_in_graph", "assume_constant_result", "compile", "disable", "is_compiling", "is_dynamo_compiling"]


def compile(model: Any = None, **options: Any) -> Any:
    """The function or module itself; with options alone, a decorator that gives back what it decorates.

    Args:
        model: a function or a module.
        options: PyTorch's (`fullgraph`, `dynamic`, `backend`, `mode`, `options`, `disable`), accepted.

    >>> import tinygrad_dl as td
    >>> @td.compile(mode="max-autotune")
    ... def double(x):
    ...     return x * 2
    >>> double(td.ones(1))
    tensor([2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.compile.html
    """
    unknown = sorted(set(options) - {"fullgraph", "dynamic", "backend", "mode", "options", "disable"})
    if unknown:
        raise TypeError(
            f"compile: got the option {unknown[0]!r}, expected fullgraph, dynamic, backend, mode or options"
        )
    return (lambda model: model) if model is None else model


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function itself; called without one, a decorator that gives back what it decorates."""
    return (lambda fn: fn) if fn is None else fn


def allow_in_graph(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself."""
    return fn


def assume_constant_result(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself."""
    return fn


def is_compiling() -> bool:
    """Whether the code is being compiled: False."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def is_compile_supported(device_type: str) -> bool:
    """Whether code for a device can be compiled: False."""
    return False


def reset() -> None:
    """Does nothing: nothing is kept between calls."""


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
