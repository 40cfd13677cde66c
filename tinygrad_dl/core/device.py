"""Where tensors live: on the device whose module made their arrays, the CPU in most programs.

A tensor does not note its device: the type of its array says it. So nothing is to be kept in step, and tensors of
NumPy's arrays pay nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from typing import Any, Final

import numpy as np

from tinygrad_dl.backends.arrays import MODULES, register, to_numpy

# The devices that PyTorch knows.
TYPES: Final = (
    *("cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy"),
    *("vulkan", "mps", "meta", "hpu", "mtia", "privateuseone"),
)
# The module that makes the arrays of a device, imported when the device is first asked for, and how to install it.
ARRAY_MODULES: Final[dict[str, str]] = {"cpu": "numpy", "cuda": "cupy"}
INSTALL: Final = {"cuda": "pip install 'tinygrad_dl[cuda]'"}


class device:
    """The name of a device, where tensors live: "cpu", or "cuda" with CuPy.

    As a context it is where tensors are made that no device is named for.

    Args:
        type: "cpu", "cuda" and so on, with or without a number: "cuda:1".
        index: the number.

    Raises:
        RuntimeError: it is no device that PyTorch knows.

    >>> td.device("cpu")
    device(type='cpu')
    >>> with td.device("cpu"):
    ...     td.ones(2).device == td.device("cuda", 0)
    False

    Source: https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.device
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: Any = "cpu", index: int | None = None):
        if isinstance(type, device):
            type, index = type.type, type.index
        name, colon, number = type.partition(":") if isinstance(type, str) else ("", "", "")
        known = name in TYPES or name in ARRAY_MODULES
        if not known or (colon and (index is not None or not number.isdecimal())):
            raise RuntimeError(
                f"device: got {type!r}{'' if index is None else f' and {index!r}'}, expected the name of a device such "
                f"as 'cpu', or a name and a number: 'cuda:0'"
            )
        self.type, self.index = name, int(number) if colon else index

    def __repr__(self) -> str:
        return f"device(type={self.type!r}{'' if self.index is None else f', index={self.index}'})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, device):
            return self.type == other.type and self.index == other.index
        return isinstance(other, str) and str(self) == other

    def __hash__(self) -> int:
        return hash(str(self))

    def __enter__(self) -> device:
        check_device(self)
        defaults.entered.append(self)
        choices.change(1)
        return self

    def __exit__(self, *error: Any) -> None:
        choices.change(-1)
        defaults.entered.pop()


CPU: Final = device()


def is_name(value: str) -> bool:
    """Whether a text is the name of a device rather than that of a dtype."""
    name = value.partition(":")[0]
    return name in TYPES or name in ARRAY_MODULES


class _Defaults(threading.local):
    """Where this thread makes tensors that no device is named for."""

    def __init__(self) -> None:
        self.entered: list[device] = []  # the contexts that it is in, the innermost last
        self.chosen: device | None = None  # what `set_default_device` said


defaults: Final = _Defaults()


class _Choices:
    """How many devices are chosen as defaults now, in all threads: as long as there is none, nobody asks further."""

    def __init__(self) -> None:
        self.made, self.lock = 0, threading.Lock()

    def change(self, by: int) -> None:
        """Notes that so many more, or fewer, are chosen."""
        with self.lock:
            self.made += by


choices: Final = _Choices()


def choose(wanted: Any) -> None:
    """Sets where this thread makes tensors outside of contexts; None: on the CPU."""
    check_device(wanted)
    choices.change((wanted is not None) - (defaults.chosen is not None))
    defaults.chosen = None if wanted is None else device(wanted)


def default_device() -> device:
    """Where tensors are made that no device is named for."""
    return defaults.entered[-1] if defaults.entered else defaults.chosen or CPU


def no_device(wanted: Any) -> ValueError:
    """The error for tensors on a device for which there is no module of arrays."""
    install = INSTALL.get(str(wanted).partition(":")[0])
    return ValueError(
        f"unknown device: got {wanted!r}, expected 'cpu': tensors live on the CPU; pass device='cpu' or leave it out"
        + (f", or install arrays for it: {install}" if install else "")
    )


def array_module(wanted: Any) -> Any:
    """The module that makes the arrays of a device.

    Raises:
        ValueError: there is none for it, or it is not installed.
    """
    if wanted is CPU:
        return np
    try:
        name = device(wanted).type
    except RuntimeError:
        raise no_device(wanted) from None
    known = ARRAY_MODULES.get(name)
    if known is None or not is_installed(known):
        raise no_device(str(wanted) if isinstance(wanted, device) else wanted)
    module = importlib.import_module(known)
    if module.ndarray not in MODULES:
        register(module)
    return module


def is_installed(name: str) -> bool:
    """Whether a module can be imported, without importing it."""
    from importlib.util import find_spec

    try:
        return name in sys.modules or find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def check_device(wanted: Any) -> None:
    """Raises ValueError for a device on which no tensor can be made; None is the default."""
    if wanted is not None:
        array_module(wanted)


def module_for(wanted: Any) -> Any:
    """The module to make new arrays with, for what was given as `device=`; raises as `array_module`."""
    if wanted is None:
        if not choices.made:
            return np
        wanted = default_device()
    return array_module(wanted)


def device_of(array: Any) -> device:
    """Where an array lies."""
    if isinstance(array, np.ndarray):
        return CPU
    module = MODULES[type(array)]
    name = next(name for name, known in ARRAY_MODULES.items() if known == module.__name__)
    return device(name, getattr(getattr(array, "device", None), "id", None))


def on(wanted: Any) -> Any:
    """A context in which the module of a device makes its arrays on the one of the number that is asked for."""
    place = default_device() if wanted is None else device(wanted)
    if place.index is None or place.type != "cuda":
        return contextlib.nullcontext()
    return array_module(place).cuda.Device(place.index)


def moved(array: Any, wanted: Any) -> Any:
    """The array if it lies on that device, else a copy there."""
    module = array_module(wanted)
    if type(array) is module.ndarray or module is np:
        place = device(wanted)
        if module is np or place.index is None or device_of(array).index == place.index:
            return to_numpy(array) if module is np else array
    with on(wanted):
        return module.asarray(array)


def foreign_array(value: Any) -> bool:
    """Whether it is an array of another device's module, which from now on tensors can hold."""
    if type(value) in MODULES:
        return type(value) is not np.ndarray
    root = type(value).__module__.partition(".")[0]
    name = next((name for name, known in ARRAY_MODULES.items() if known == root != "numpy"), None)
    return name is not None and type(value) is array_module(name).ndarray


def elsewhere(what: str, first: Any, second: Any) -> RuntimeError:
    """The error of an operation on arrays of two devices."""
    return RuntimeError(
        f"{what}: got tensors on {device_of(first)} and on {device_of(second)}, expected all on the same device; move "
        f"one of them: t.to({str(device_of(second))!r})"
    )
