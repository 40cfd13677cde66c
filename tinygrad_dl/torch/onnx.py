"""`torch.onnx`: the export of `tinygrad_dl.onnx`, and names that programs use to teach PyTorch's exporter more.

Source: https://docs.pytorch.org/docs/stable/onnx.html
"""

from __future__ import annotations

from typing import Any

from tinygrad_dl.onnx import (
    OnnxExporterError,
    ONNXProgram,
    TrainingMode,
    Unsupported,
    UnsupportedOperators,
    converter,
    export,
    is_in_onnx_export,
)

# fmt: off
__all__ = [
    "ONNXProgram", "OnnxExporterError", "TrainingMode", "Unsupported", "UnsupportedOperators", "converter", "export",
    "is_in_onnx_export", "register_custom_op_symbolic",
]
# fmt: on


def register_custom_op_symbolic(symbolic_name: str, symbolic_fn: Any, opset_version: int) -> None:
    """Does nothing: operations of PyTorch's registry are not here. Those of this one get a `td.onnx.converter`."""


def parse_args(*descriptors: str) -> Any:
    """A decorator that gives back the function that it decorates."""
    return lambda fn: fn
