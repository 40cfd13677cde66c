"""Flags that belong to a thread: whether operations are recorded.

Threads do not see each other's flags, so one can evaluate under `no_grad` while another trains.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class _Modes(threading.local):
    grad: bool = True
    inference: bool = False


class _Elsewhere:
    """How many threads do not record. While it is 0, an operation need not read its own thread's flag, which takes
    three times as long as reading this."""

    __slots__ = ("not_recording",)

    def __init__(self) -> None:
        self.not_recording = 0


modes = _Modes()
threads = _Elsewhere()
_counting = threading.Lock()


def _set_grad(value: bool) -> None:
    """Sets this thread's flag, and counts. A thread that ends without recording stays counted: slower, not wrong."""
    if value != modes.grad:
        with _counting:
            threads.not_recording += -1 if value else 1
        modes.grad = value


class _Switch:
    """A context manager and decorator that sets the grad mode and puts the old one back."""

    grad: bool
    inference: bool | None = None

    def __enter__(self) -> None:
        self._push()

    def _push(self) -> None:
        # A stack, so that one object can be entered again inside itself.
        self.__dict__.setdefault("_before", []).append((modes.grad, modes.inference))
        _set_grad(self.grad)
        if self.inference is not None:
            modes.inference = self.inference

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        grad, modes.inference = self.__dict__["_before"].pop()
        _set_grad(grad)

    def __call__(self, function: F) -> F:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]

    def _fresh(self) -> _Switch:
        return type(self)()


class no_grad(_Switch):
    """Nothing inside is recorded: results do not require a gradient.

    A context manager and a decorator. Thread-local.

    >>> import tinygrad_dl as td
    >>> x = td.ones(2, requires_grad=True)
    >>> with td.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False

    Source: https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
    """

    grad = False


class enable_grad(_Switch):
    """Records again inside `no_grad`. A context manager and a decorator. Thread-local.

    >>> import tinygrad_dl as td
    >>> x = td.ones(2, requires_grad=True)
    >>> with td.no_grad(), td.enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.enable_grad.html
    """

    grad = True


class inference_mode(_Switch):
    """`no_grad` that also answers `is_inference_mode_enabled()`. `inference_mode(False)` records.

    >>> import tinygrad_dl as td
    >>> with td.inference_mode():
    ...     td.is_grad_enabled(), td.is_inference_mode_enabled()
    (False, True)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
    """

    def __init__(self, mode: bool = True):
        self.grad = not mode
        self.inference = mode

    def _fresh(self) -> _Switch:
        return inference_mode(bool(self.inference))


class set_grad_enabled(_Switch):
    """Sets the grad mode at once; as a context manager, puts the old one back at the end.

    >>> import tinygrad_dl as td
    >>> with td.set_grad_enabled(False):
    ...     td.is_grad_enabled()
    False

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.set_grad_enabled.html
    """

    def __init__(self, mode: bool):
        self.grad = mode
        self._push()

    def __enter__(self) -> None:
        pass  # __init__ has set the mode already

    def __call__(self, function: F) -> F:
        self.__exit__(None, None, None)  # as a decorator it must not change the mode around it
        return super().__call__(function)

    def _fresh(self) -> _Switch:
        return enable_grad() if self.grad else no_grad()


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread.

    >>> import tinygrad_dl as td
    >>> with td.no_grad():
    ...     td.is_grad_enabled()
    False

    Source: https://docs.pytorch.org/docs/stable/generated/torch.is_grad_enabled.html
    """
    return modes.grad


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`.

    >>> import tinygrad_dl as td
    >>> with td.inference_mode():
    ...     td.is_inference_mode_enabled()
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.is_inference_mode_enabled.html
    """
    return modes.inference
