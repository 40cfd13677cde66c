"""`torch.backends.mkldnn`: Intel's library of layers, which is not used."""

from __future__ import annotations

enabled = False


def is_available() -> bool:
    """Whether the library computes: False."""
    return False
