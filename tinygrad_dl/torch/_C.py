"""What other libraries call of PyTorch's core in C++."""

from __future__ import annotations

import contextlib
import enum


def _log_api_usage_once(event: str) -> None:
    """Does nothing: this library reports no use of it."""


def _get_tracing_state() -> None:
    """None: nothing is being traced."""


class DispatchKey(enum.Flag):
    """Entries of PyTorch's table of operations, which is not here."""

    AutocastCPU = enum.auto()
    AutocastCUDA = enum.auto()
    AutocastXPU = enum.auto()


def DispatchKeySet(key: DispatchKey) -> DispatchKey:
    """A set with one entry, itself."""
    return key


DisableTorchFunctionSubclass = contextlib.nullcontext
