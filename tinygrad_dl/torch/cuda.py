"""`torch.cuda` on a machine where tensors live on the CPU: there is no device, and programs that ask go on without.

>>> import tinygrad_dl as td
>>> "cuda" if td.cuda.is_available() else "cpu"
'cpu'

What PyTorch's build for CPUs answers is answered here as well; all else raises.

Source: https://docs.pytorch.org/docs/stable/cuda.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from tinygrad_dl.torch import amp

__all__ = ["amp", "device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all"]


def is_available() -> bool:
    """Whether tensors can live on a GPU: False."""
    return False


_initialized = False  # what programs read that keep the states of generators


def is_initialized() -> bool:
    """Whether a GPU is in use: False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether a GPU computes in bfloat16: False."""
    return False


def device_count() -> int:
    """The number of GPUs: 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Does nothing: there is no generator of a GPU. `td.manual_seed` seeds the CPU's."""


def manual_seed_all(seed: int) -> None:
    """Does nothing: there are no generators of GPUs. `td.manual_seed` seeds the CPU's."""


def get_rng_state_all() -> list[Any]:
    """The states of the generators of GPUs: none."""
    return []


def set_rng_state_all(new_states: Iterable[Any]) -> None:
    """Does nothing: there are no generators of GPUs."""


def empty_cache() -> None:
    """Does nothing: there is no memory of a GPU to give back."""


def memory_allocated(device: Any = None) -> int:
    """Bytes of a GPU that tensors take: 0."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes of a GPU that tensors have taken: 0."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """Bytes of a GPU that are held: 0."""
    return 0


max_memory_reserved = memory_reserved


# What asks a GPU for something.
_NEED_A_GPU = """
    Event Stream current_device current_stream default_stream get_device_capability get_device_name
    get_device_properties get_rng_state init ipc_collect mem_get_info memory_stats memory_summary
    reset_peak_memory_stats set_device set_rng_state stream synchronize
"""


def __getattr__(name: str) -> Any:
    if name not in _NEED_A_GPU.split():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def needs_gpu(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            f"cuda.{name}: got a call for a GPU, but tensors live on the CPU; ask cuda.is_available() before"
        )

    return needs_gpu
