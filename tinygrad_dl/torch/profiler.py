"""`torch.profiler` where operations are not timed: programs that profile run, and the profile is empty.

Python's own profilers (`python -m cProfile`) see the operations, each by its name.

Source: https://docs.pytorch.org/docs/stable/profiler.html
"""

from __future__ import annotations

import contextlib
import enum
from typing import Any

__all__ = ["ProfilerActivity", "profile", "record_function", "schedule", "tensorboard_trace_handler"]


class ProfilerActivity(enum.Enum):
    """What PyTorch's profiler looks at."""

    CPU = 0
    XPU = 1
    CUDA = 2


class profile(contextlib.ContextDecorator):
    """A block that PyTorch would profile.

    >>> from tinygrad_dl.torch import profiler
    >>> with profiler.profile(activities=[profiler.ProfilerActivity.CPU]) as found:
    ...     found.step()
    >>> found.key_averages()
    []

    Source: https://docs.pytorch.org/docs/stable/profiler.html#torch.profiler.profile
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self.options = options

    def __enter__(self) -> profile:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def start(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""

    def step(self) -> None:
        """Nothing: the next step begins."""

    def key_averages(self, *args: Any, **options: Any) -> list[Any]:
        """What was measured: nothing."""
        return []


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
    """Which steps are profiled: none."""
    return lambda step: None


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None, use_gzip: bool = False) -> Any:
    """What would write the profile to a folder: nothing is written."""
    return lambda profile: None
