"""`torch.jit` where nothing is compiled: what PyTorch would compile is Python, and runs as it is.

Source: https://docs.pytorch.org/docs/stable/jit.html
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

__all__ = ["Final", "export", "ignore", "is_scripting", "is_tracing", "script", "script_if_tracing", "unused"]

T = TypeVar("T")
# What programs import from `torch.jit.annotations`.
Dict, List, Tuple = dict, list, tuple
BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = list


def script(obj: T, *args: Any, **kwargs: Any) -> T:
    """The function, class or module itself.

    >>> import tinygrad_dl as td
    >>> @td.jit.script
    ... def double(x: td.Tensor) -> td.Tensor:
    ...     return x * 2
    >>> double(td.ones(1))
    tensor([2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.jit.script.html
    """
    return obj


def script_if_tracing(fn: T) -> T:
    """The function itself."""
    return fn


_script_if_tracing = script_if_tracing


def export(fn: T) -> T:
    """The method itself."""
    return fn


_overload = _overload_method = export


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """The method itself; called with options, a decorator that gives it back."""
    return drop if callable(drop) else lambda fn: fn


def unused(fn: T) -> T:
    """The method itself."""
    return fn


def interface(obj: T) -> T:
    """The class itself."""
    return obj


def annotate(the_type: Any, the_value: T) -> T:
    """The value itself."""
    return the_value


def is_scripting() -> bool:
    """Whether the code is compiled: False."""
    return False


def is_tracing() -> bool:
    """Whether the operations are being recorded for a compiler: False."""
    return False


def trace(func: T, example_inputs: Any = None, *args: Any, **kwargs: Any) -> T:
    """The function or module itself; it is not called with the example inputs.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.jit.trace.html
    """
    return func


class ScriptModule:
    """What a compiler would make of a module, for programs that ask: nothing is one."""


class ScriptFunction:
    """What a compiler would make of a function, for programs that ask: nothing is one."""
