"""The device that all tensors share: the CPU."""

from __future__ import annotations

from typing import Any, Final


class device:
    """Where a tensor lives: `device("cpu")`, the only one.

    >>> td.device("cpu")
    device(type='cpu')

    Source: https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.device
    """

    __slots__ = ("type",)

    type: str

    def __init__(self, type: Any = "cpu"):
        if isinstance(type, device):
            type = type.type
        if type not in ("cpu", "cpu:0"):
            raise unknown_device(type)
        self.type = "cpu"

    def __repr__(self) -> str:
        return "device(type='cpu')"

    def __str__(self) -> str:
        return "cpu"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) or other == "cpu"

    def __hash__(self) -> int:
        return hash("cpu")


CPU: Final = device()


def unknown_device(wanted: Any) -> ValueError:
    """The error for any device but the CPU."""
    return ValueError(
        f"unknown device: got {wanted!r}, expected 'cpu': tensors live on the CPU; pass device='cpu' or leave it out"
    )


def check_device(wanted: Any) -> None:
    """Raises ValueError for any device but the CPU; None is the default."""
    if wanted is not None:
        device(wanted)
