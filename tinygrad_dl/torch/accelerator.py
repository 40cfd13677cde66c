"""`torch.accelerator` where tensors live on the CPU: programs that ask are told that there is none.

Source: https://docs.pytorch.org/docs/stable/accelerator.html
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["current_accelerator", "device_count", "is_available"]


def is_available() -> bool:
    """Whether tensors can live on an accelerator: False."""
    return False


def device_count() -> int:
    """The number of accelerators: 0."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """The device of the accelerator: None, as there is none."""


_NEED_ONE = """
    current_device_idx current_device_index current_stream device_index empty_cache get_memory_info
    max_memory_allocated max_memory_reserved memory_allocated memory_reserved memory_stats
    reset_accumulated_memory_stats reset_peak_memory_stats set_device_idx set_device_index set_stream synchronize
"""


def __getattr__(name: str) -> Any:
    if name not in _NEED_ONE.split():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def needs_one(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            f"accelerator.{name}: got a call for an accelerator, but tensors live on the CPU; ask "
            f"accelerator.is_available() before"
        )

    return needs_one
