"""Flags that belong to a thread: whether operations are recorded.

Threads do not see each other's flags, so one can evaluate under `no_grad` while another trains.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from tinygrad_dl.core.warning import warn

F = TypeVar("F", bound=Callable[..., Any])


class _Modes(threading.local):
    grad: bool = True
    inference: bool = False


class _Recording:
    """How many threads do not record, and how many are in inference mode. While it is 0, an operation need not read its
    own thread's flag, which takes three times as long as reading this."""

    __slots__ = ("inferring", "on_inference", "stopped")

    def __init__(self) -> None:
        self.stopped = 0
        self.inferring = 0
        # Called with True when the first thread enters inference mode, with False when the last leaves it.
        self.on_inference: list[Callable[[bool], None]] = []


modes = _Modes()
recording = _Recording()
_counting = threading.RLock()  # the handler of a signal may switch, too


def _set_grad(value: bool) -> None:
    """Sets this thread's flag, and counts. A thread that ends without recording stays counted: slower, not wrong."""
    if value != modes.grad:
        with _counting:
            recording.stopped += -1 if value else 1
        modes.grad = value


def _set_inference(value: bool) -> None:
    """Sets this thread's flag, counts, and tells who listens."""
    if value != modes.inference:
        with _counting:
            recording.inferring += 1 if value else -1
            modes.inference = value
            if recording.inferring == int(value):
                for listener in recording.on_inference:
                    listener(value)


GENERATOR = 0x20  # the flag of a generator function's code


def _count_anew() -> None:
    """In a forked child there is one thread, and the lock may be held by none."""
    global _counting
    _counting = threading.RLock()
    recording.stopped = int(not modes.grad)
    recording.inferring = int(modes.inference)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_anew)


class _Switch:
    """A context manager and decorator that sets the grad mode and puts the old one back."""

    grad: bool
    inference: bool | None = None

    def __new__(cls, function: Any = None) -> Any:
        """An object of the class; of the bare decorator `@td.no_grad` the decorated function."""
        if function is None:
            return object.__new__(cls)
        if not callable(function):
            raise TypeError(
                f"{cls.__name__}: expected no argument, or a function to decorate, got {type(function).__name__}"
            )
        return cls()(function)

    def __enter__(self) -> None:
        # A stack, so that one object can be entered again inside itself; one for each thread, which may share it.
        stacks = self.__dict__.setdefault("_before", {})
        stacks.setdefault(threading.get_ident(), []).append((modes.grad, modes.inference))
        _set_grad(self.grad)
        if self.inference is not None:
            _set_inference(self.inference)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stacks, thread = self.__dict__["_before"], threading.get_ident()
        grad, inference = stacks[thread].pop()
        if not stacks[thread]:
            del stacks[thread]
        _set_grad(grad)
        _set_inference(inference)

    def __call__(self, function: F) -> F:
        if isinstance(function, type):
            warn(
                f"{type(self).__name__} decorates a class: its instances are made in that mode, but its methods run as "
                f"without it; decorate the methods instead",
                FutureWarning,
            )
        code = getattr(getattr(function, "func", function), "__code__", None)
        if code is not None and code.co_flags & GENERATOR:
            return self._generator(function)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]

    def _generator(self, function: F) -> F:
        """A generator function whose body runs in this mode, and the code that it yields to does not."""

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                running = function(*args, **kwargs)
            resume, value = running.send, None
            while True:
                try:
                    with self._fresh():
                        item = resume(value)
                except StopIteration as end:
                    return end.value
                try:
                    resume, value = running.send, (yield item)
                except GeneratorExit:
                    with self._fresh():
                        running.close()
                    raise
                except BaseException as error:  # thrown in at the yield: the body's own matter
                    resume, value = running.throw, error

        return wrapped  # type: ignore[return-value]

    def _fresh(self) -> _Switch:
        new: _Switch = type(self)()
        return new


class no_grad(_Switch):
    """Nothing inside is recorded: results do not require a gradient.

    A context manager and a decorator. Thread-local.

    >>> x = td.ones(2, requires_grad=True)
    >>> with td.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    grad = False


class enable_grad(_Switch):
    """Records again inside `no_grad`. A context manager and a decorator. Thread-local.

    >>> x = td.ones(2, requires_grad=True)
    >>> with td.no_grad(), td.enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """

    grad = True


class inference_mode(_Switch):
    """`no_grad` whose results, inference tensors, can never become part of a graph that needs their values.

    So a result that was meant for evaluation alone does not slip into training: outside, an operation that would save
    an inference tensor for backward raises, and so do in-place changes of it and `requires_grad_`. Its `clone()` made
    there is an ordinary tensor. What was made before is not affected; views of it are no inference tensors.
    `inference_mode(False)` records.

    >>> x = td.ones(2, requires_grad=True)
    >>> with td.inference_mode():
    ...     y = x * 2
    >>> y.is_inference()
    True
    >>> x * y  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    RuntimeError: Mul: got an inference tensor of shape (2,), whose values its gradient needs
    >>> (x * y.clone()).sum()
    tensor(4., grad_fn=<SumBackward0>)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
    """

    def __new__(cls, mode: Any = True) -> Any:
        return super().__new__(cls, None if isinstance(mode, bool) else mode)

    def __init__(self, mode: bool = True):
        self.grad = not mode
        self.inference = mode

    def _fresh(self) -> _Switch:
        return inference_mode(bool(self.inference))


class set_grad_enabled(_Switch):
    """Sets the grad mode at once; as a context manager, puts the old one back at the end.

    Raises:
        TypeError: `mode` is not True or False.

    >>> with td.set_grad_enabled(False):
    ...     td.is_grad_enabled()
    False

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.set_grad_enabled.html
    """

    def __new__(cls, mode: bool) -> Any:
        if not isinstance(mode, bool):
            raise TypeError(f"set_grad_enabled: expected True or False, got {mode!r} ({type(mode).__name__})")
        return super().__new__(cls)

    def __init__(self, mode: bool):
        self.grad = mode
        self._outside = modes.grad
        _set_grad(mode)

    def __enter__(self) -> None:
        _set_grad(self.grad)  # once more: the mode may have been changed since __init__

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _set_grad(self._outside)

    def __call__(self, function: F) -> F:
        _set_grad(self._outside)  # as a decorator it must not change the mode around it
        return super().__call__(function)

    def _fresh(self) -> _Switch:
        new: _Switch = enable_grad() if self.grad else no_grad()
        return new


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread.

    >>> with td.no_grad():
    ...     td.is_grad_enabled()
    False
    """
    return modes.grad


def is_inference(input: Any) -> bool:
    """Whether a tensor was made inside `inference_mode`.

    >>> with td.inference_mode():
    ...     y = td.ones(2)
    >>> td.is_inference(y), td.is_inference(td.ones(2))
    (True, False)
    """
    if not hasattr(input, "is_inference"):
        raise TypeError(f"is_inference: got input={type(input).__name__} {input!r:.60}, expected a tensor")
    found: bool = input.is_inference()
    return found


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`.

    >>> with td.inference_mode():
    ...     td.is_inference_mode_enabled()
    True
    """
    return modes.inference
