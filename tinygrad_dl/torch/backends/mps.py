"""`torch.backends.mps`: no GPU of Apple's."""

from __future__ import annotations


def is_available() -> bool:
    """Whether tensors can live there: False."""
    return False


is_built = is_available
