"""`torch.backends.cudnn`: no GPU, nothing that its settings change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

enabled = True
benchmark = False
benchmark_limit = 10
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Whether the library is there: False."""
    return False


def version() -> int | None:
    """The version of the library: None."""
    return None


@contextlib.contextmanager
def flags(**settings: Any) -> Iterator[None]:
    """A context with these settings, which change nothing."""
    yield
