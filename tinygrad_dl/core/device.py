"""Where tensors live: the CPU. Other devices have names, which programs compare with."""

from __future__ import annotations

from typing import Any, Final

# The devices that PyTorch knows.
TYPES: Final = (
    *("cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy"),
    *("vulkan", "mps", "meta", "hpu", "mtia", "privateuseone"),
)


class device:
    """The name of a device: "cpu", where all tensors live, or another, where none can.

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
        if name not in TYPES or (colon and (index is not None or not number.isdecimal())):
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
        return self

    def __exit__(self, *error: Any) -> None:
        """New tensors live on the CPU inside of the context as outside."""


CPU: Final = device()


def no_device(wanted: Any) -> ValueError:
    """The error for tensors on any device but the CPU."""
    return ValueError(
        f"unknown device: got {wanted!r}, expected 'cpu': tensors live on the CPU; pass device='cpu' or leave it out"
    )


def check_device(wanted: Any) -> None:
    """Raises ValueError for any device but the CPU; None is the default."""
    if wanted is None or wanted is CPU:
        return
    try:
        here = device(wanted).type == "cpu"
    except RuntimeError:
        here = False
    if not here:
        raise no_device(str(wanted) if isinstance(wanted, device) else wanted)
