"""`torch.backends.mkl`: Intel's library of matrix products, which is not used."""

from __future__ import annotations

enabled = False


def is_available() -> bool:
    """Whether the library computes: False."""
    return False
