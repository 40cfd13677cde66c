"""`torch.profiler` where operations are not timed: programs that profile run, and the profile is empty.

Python's own profilers (`python -m cProfile`) see the operations, each by its name.

Source: https://docs.pytorch.org/docs/stable/profiler.html
"""

from __future__ import annotations

import contextlib
import enum
from typing import Any

from tinygrad_dl.writing import Path, replacing

__all__ = ["ProfilerActivity", "profile", "record_function", "schedule", "tensorboard_trace_handler"]


class ProfilerActivity(enum.Enum):
    """What PyTorch's profiler looks at."""

    CPU = 0
    XPU = 1
    CUDA = 2


class EventList(list[Any]):
    """The operations of a profile, none."""

    def table(self, *args: Any, **options: Any) -> str:
        """A sentence in the place of the table."""
        return "tinygrad_dl measures no operations here; python -m cProfile does"

    def export_chrome_trace(self, path: Path) -> None:
        """Writes a trace without events to a file."""
        with replacing(path, "profiler.export_chrome_trace") as file:
            file.write(b'{"traceEvents": []}')


class profile(contextlib.ContextDecorator):
    """A block that PyTorch profiles; here nothing is measured.

    >>> from tinygrad_dl.torch import profiler
    >>> with profiler.profile(activities=[profiler.ProfilerActivity.CPU]) as found:
    ...     found.step()
    >>> found.key_averages()
    []
    >>> print(found.key_averages().table(sort_by="cpu_time_total"))
    tinygrad_dl measures no operations here; python -m cProfile does

    Source: https://docs.pytorch.org/docs/stable/profiler.html#torch.profiler.profile
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self.options = options

    def __enter__(self) -> profile:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def start(self) -> None:
        """Does nothing."""

    def stop(self) -> None:
        """Does nothing."""

    def step(self) -> None:
        """Says that the next step begins; does nothing."""

    def key_averages(self, *args: Any, **options: Any) -> EventList:
        """What was measured: an empty list."""
        return EventList()

    def events(self) -> EventList:
        """What was measured: an empty list."""
        return EventList()

    def export_chrome_trace(self, path: Path) -> None:
        """Writes a trace without events to a file."""
        EventList().export_chrome_trace(path)


class record_function(contextlib.ContextDecorator):
    """A block with a name in the profile.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.profiler.record_function.html
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name

    def __enter__(self) -> record_function:
        return self

    def __exit__(self, *error: object) -> None:
        pass


def schedule(*, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, **options: Any) -> Any:
    """A function of the step that says what is profiled: nothing."""
    return lambda step: None


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None, use_gzip: bool = False) -> Any:
    """A function for `on_trace_ready`, which writes nothing."""
    return lambda profile: None
