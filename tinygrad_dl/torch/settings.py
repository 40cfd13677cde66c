"""Settings of PyTorch that have one right value here: programs may set and read them.

Results are the same in every run already (`use_deterministic_algorithms`), products of float32 are computed in float32.
"""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.device import choose, default_device, device
from tinygrad_dl.core.dtypes import TENSOR_TYPES, set_default_dtype


class _Settings:
    deterministic = False
    warn_only = False
    precision = "highest"
    warn_always = False


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Asks for the same results in every run; every operation here is so, whatever is set.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html
    """
    _Settings.deterministic, _Settings.warn_only = bool(mode), bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """Whether `use_deterministic_algorithms` was asked for."""
    return _Settings.deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether `use_deterministic_algorithms` was asked to warn alone."""
    return _Settings.deterministic and _Settings.warn_only


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by a number or a word: 0 "default", 1 "warn", 2 "error".

    Source: https://docs.pytorch.org/docs/stable/generated/torch.set_deterministic_debug_mode.html
    """
    modes = {0: 0, 1: 1, 2: 2, "default": 0, "warn": 1, "error": 2}
    if debug_mode not in modes:
        raise ValueError(
            f"set_deterministic_debug_mode: got {debug_mode!r}, expected one of {', '.join(map(repr, modes))}"
        )
    use_deterministic_algorithms(modes[debug_mode] > 0, warn_only=modes[debug_mode] == 1)


def get_deterministic_debug_mode() -> int:
    """0 if `use_deterministic_algorithms` was not asked for, 1 if to warn alone, else 2."""
    return 0 if not _Settings.deterministic else 1 if _Settings.warn_only else 2


def set_float32_matmul_precision(precision: str) -> None:
    """Takes note of how exact products of float32 need to be; they are computed in float32, whatever is set.

    Args:
        precision: "highest", "high" or "medium".

    Source: https://docs.pytorch.org/docs/stable/generated/torch.set_float32_matmul_precision.html
    """
    if precision not in ("highest", "high", "medium"):
        raise ValueError(
            f"set_float32_matmul_precision: got precision={precision!r}, expected 'highest', 'high' or 'medium'"
        )
    _Settings.precision = precision


def get_float32_matmul_precision() -> str:
    """The precision that was set; "highest" if none."""
    return _Settings.precision


def set_default_device(place: Any) -> None:
    """Sets where this thread makes new tensors that no device is named for; None: on the CPU.

    Raises:
        ValueError: there is no such device.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
    """
    choose(place)


def get_default_device() -> device:
    """Where new tensors are made that no device is named for."""
    return default_device()


def set_default_tensor_type(t: Any) -> None:
    """Sets the dtype that Python floats become, by the name of a type of tensors: `set_default_dtype` says it directly.

    Args:
        t: `td.FloatTensor`, "torch.DoubleTensor", or the like.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.set_default_tensor_type.html
    """
    name = t if isinstance(t, str) else getattr(t, "__name__", str(t))
    dtype = TENSOR_TYPES.get(name.removeprefix("torch."))
    if dtype not in ("float32", "float64", "float16"):
        raise TypeError(
            f"set_default_tensor_type: got {name}, expected FloatTensor, DoubleTensor or HalfTensor, on the CPU"
        )
    set_default_dtype(dtype)


def set_flush_denormal(mode: bool) -> bool:
    """Whether the processor now takes denormal numbers as 0: False, its setting belongs to the whole process.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.set_flush_denormal.html
    """
    return False


def set_warn_always(b: bool) -> None:
    """Takes note of it: how often a warning is shown is set by Python's `warnings`."""
    _Settings.warn_always = bool(b)


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` was told."""
    return _Settings.warn_always


def set_num_interop_threads(num: int) -> None:
    """Does nothing: operations run one after the other. `td.set_num_threads` sets the threads inside of one."""


def get_num_interop_threads() -> int:
    """The number of operations that run at the same time: 1."""
    return 1
