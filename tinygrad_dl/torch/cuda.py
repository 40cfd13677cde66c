"""`torch.cuda`: GPUs, on which tensors live in arrays of CuPy (`pip install 'tinygrad_dl[cuda]'`).

>>> import tinygrad_dl as td
>>> "cuda" if td.cuda.is_available() else "cpu"
'cpu'

Without CuPy or a GPU it answers as PyTorch's build for CPUs does: programs that ask go on without, all else raises.

Source: https://docs.pytorch.org/docs/stable/cuda.html
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable
from typing import Any, NoReturn

from tinygrad_dl.core.device import ARRAY_MODULES, array_module, is_installed
from tinygrad_dl.core.device import device as Device
from tinygrad_dl.torch import amp

# fmt: off
__all__ = [
    "amp", "current_device", "device", "device_count", "empty_cache", "get_device_capability", "get_device_name",
    "is_available", "manual_seed", "manual_seed_all", "max_memory_allocated", "mem_get_info", "memory_allocated",
    "memory_reserved", "set_device", "synchronize",
]
# fmt: on


def is_available() -> bool:
    """Whether tensors can live on a GPU: CuPy is installed and finds one.

    >>> import tinygrad_dl as td
    >>> td.cuda.is_available()
    False

    Source: https://docs.pytorch.org/docs/stable/generated/torch.cuda.is_available.html
    """
    return device_count() > 0


_initialized = False  # what programs read that keep the states of generators


def is_initialized() -> bool:
    """Whether a GPU is in use: whether one was found, since nothing is to be prepared."""
    return is_available()


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether a GPU computes in bfloat16: False, of which CuPy has no arrays."""
    return False


def device_count() -> int:
    """The number of GPUs: 0 without CuPy.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.cuda.device_count.html
    """
    if not is_installed(ARRAY_MODULES["cuda"]):
        return 0
    cuda = importlib.import_module(ARRAY_MODULES["cuda"]).cuda
    return int(cuda.runtime.getDeviceCount()) if cuda.is_available() else 0


def _cupy(what: str) -> Any:
    """CuPy, for a function that needs a GPU. RuntimeError: there is none."""
    if not is_available():
        raise _no_gpu(what)
    return array_module("cuda")


def _no_gpu(what: str) -> RuntimeError:
    return RuntimeError(
        f"cuda.{what}: got a call for a GPU, but tensors live on the CPU; ask cuda.is_available() before; for a GPU, "
        "pip install 'tinygrad_dl[cuda]'"
    )


def _index(place: Any) -> int | None:
    """The number of a GPU, given as one, as a device or as its name; None: the current one."""
    return place if place is None or isinstance(place, int) else Device(place).index


def current_device() -> int:
    """The number of the GPU on which tensors are made that name none: 0 at first. RuntimeError: there is no GPU."""
    return int(_cupy("current_device").cuda.runtime.getDevice())


def set_device(device: Any) -> None:
    """Sets the GPU on which tensors are made that name "cuda" without a number. RuntimeError: there is no GPU."""
    module, index = _cupy("set_device"), _index(device)
    if index is not None:
        module.cuda.Device(index).use()


class device(contextlib.AbstractContextManager[None]):
    """While a block runs, the GPU on which tensors are made that name "cuda" without a number.

    Args:
        device: a number, a device or its name; None changes nothing.
    """

    def __init__(self, device: Any):
        self.index = _index(device)
        self._entered: Any = None

    def __enter__(self) -> None:
        if self.index is not None:
            self._entered = _cupy("device").cuda.Device(self.index)
            self._entered.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self._entered is not None:
            self._entered.__exit__(*error)


def synchronize(device: Any = None) -> None:
    """Waits until a GPU has done all that it was asked to: what is timed is to be waited for.

    Args:
        device: a number, a device or its name; None: the current one.

    Raises:
        RuntimeError: there is no GPU.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.cuda.synchronize.html
    """
    _cupy("synchronize").cuda.Device(_index(device)).synchronize()


def get_device_name(device: Any = None) -> str:
    """The name of a GPU. RuntimeError: there is none."""
    module, index = _cupy("get_device_name"), _index(device)
    name = module.cuda.runtime.getDeviceProperties(current_device() if index is None else index)["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """What a GPU can do, as NVIDIA numbers it: (8, 0). RuntimeError: there is none."""
    number = str(_cupy("get_device_capability").cuda.Device(_index(device)).compute_capability)
    return int(number[:-1]), int(number[-1])


def manual_seed(seed: int) -> None:
    """Does nothing: random numbers are drawn on the CPU for every device; `td.manual_seed` seeds them."""


def manual_seed_all(seed: int) -> None:
    """Does nothing, as `manual_seed`."""


def get_rng_state_all() -> list[Any]:
    """The states of the generators of GPUs: there are none."""
    return []


def set_rng_state_all(new_states: Iterable[Any]) -> None:
    """Does nothing: there are no generators of GPUs."""


def _pool() -> Any:
    return array_module("cuda").get_default_memory_pool() if is_available() else None


def empty_cache() -> None:
    """Gives memory of the GPU back that no tensor uses."""
    pool = _pool()
    if pool is not None:
        pool.free_all_blocks()


def memory_allocated(device: Any = None) -> int:
    """Bytes of the current GPU that tensors take."""
    pool = _pool()
    return 0 if pool is None else int(pool.used_bytes())


max_memory_allocated = memory_allocated  # CuPy's pool remembers no peak


def memory_reserved(device: Any = None) -> int:
    """Bytes of the current GPU that are held for tensors."""
    pool = _pool()
    return 0 if pool is None else int(pool.total_bytes())


max_memory_reserved = memory_reserved


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Bytes of a GPU that are free, and all. RuntimeError: there is none."""
    free, total = _cupy("mem_get_info").cuda.Device(_index(device)).mem_info
    return int(free), int(total)


# What asks a GPU for something that is not here.
_NEED_A_GPU = """
    Event Stream current_stream default_stream get_device_properties get_rng_state init ipc_collect memory_stats
    memory_summary reset_peak_memory_stats set_rng_state stream
"""


def __getattr__(name: str) -> Any:
    if name not in _NEED_A_GPU.split():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def needs_gpu(*args: Any, **kwargs: Any) -> NoReturn:
        if is_available():
            raise NotImplementedError(f"cuda.{name}: is not here; CuPy's own serves arrays of tensors as well")
        raise _no_gpu(name)

    return needs_gpu
