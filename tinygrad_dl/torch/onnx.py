"""`torch.onnx`, without the export: programs that ask get False, and what they register is not used.

Source: https://docs.pytorch.org/docs/stable/onnx.html
"""

from __future__ import annotations

from typing import Any

__all__ = ["is_in_onnx_export", "register_custom_op_symbolic"]


def is_in_onnx_export() -> bool:
    """Whether a model is being exported: False."""
    return False


def register_custom_op_symbolic(symbolic_name: str, symbolic_fn: Any, opset_version: int) -> None:
    """Does nothing: there is no exporter that would use it."""


def parse_args(*descriptors: str) -> Any:
    """A decorator that gives back the function that it decorates."""
    return lambda fn: fn
