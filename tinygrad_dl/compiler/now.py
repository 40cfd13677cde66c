"""What a thread is doing: recording a step, or running functions that are not to be compiled."""

from __future__ import annotations

import threading

__all__ = ["now"]


class _Now(threading.local):
    recording: bool = False
    disabled: int = 0  # in how many calls of functions that `compiler.disable` was given


now = _Now()
