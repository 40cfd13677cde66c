"""What activation functions share."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.tensor import Tensor


def finish(input: Any, out: Tensor, inplace: bool, name: str) -> Tensor:
    """What an activation returns: its result, or its input with the result stored in it."""
    return input._assign(out, name) if inplace else out
