"""What will be there later: the values of exchanges that go on, and what functions make of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_dl.core.errors import ArgumentTypeError


class Future:
    """A value that comes later: that of `Work.get_future()`, or one that is set.

    >>> future = td.distributed.futures.Future()
    >>> doubled = future.then(lambda each: each.value() * 2)
    >>> future.set_result(3)
    >>> doubled.wait()
    6

    Source: https://docs.pytorch.org/docs/stable/futures.html#torch.futures.Future
    """

    def __init__(self, *, devices: Any = None):
        self._find: Callable[[], Any] | None = None  # waits for the value, and returns it
        self._over: Callable[[], bool] = lambda: False
        self._known = False
        self._value: Any = None

    @classmethod
    def of(cls, find: Callable[[], Any], over: Callable[[], bool]) -> Future:
        """The future of what `find` waits for, which `over` asks after."""
        made = cls()
        made._find, made._over = find, over
        return made

    def done(self) -> bool:
        """Whether `wait` would return at once."""
        return self._known or self._over()

    def wait(self) -> Any:
        """The value, as soon as it is there."""
        if not self._known:
            if self._find is None:
                raise RuntimeError("Future.wait: got a future without a value, expected set_result() before")
            self.set_result(self._find())
        return self._value

    value = wait

    def set_result(self, result: Any) -> None:
        """Sets the value."""
        self._value, self._known = result, True

    def then(self, callback: Callable[[Future], Any]) -> Future:
        """The future of `callback(this)`, which is called when its value is asked for."""
        if not callable(callback):
            raise ArgumentTypeError(f"Future.then: got {callback!r}, expected a function of one argument")
        return Future.of(lambda: callback(self._waited()), self.done)

    def _waited(self) -> Future:
        self.wait()
        return self
