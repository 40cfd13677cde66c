"""PyTorch's names for what an exported model is."""

from __future__ import annotations

import enum


class TrainingMode(enum.Enum):
    """In which mode a model is exported; EVAL is the one there is.

    Source: https://docs.pytorch.org/docs/stable/onnx.html
    """

    EVAL = 0
    PRESERVE = 1
    TRAINING = 2
