"""Training in several processes that exchange tensors: this library does not have it, and says so."""

from __future__ import annotations


def is_available() -> bool:
    """False: programs then leave it out.

    Source: https://docs.pytorch.org/docs/stable/distributed.html#torch.distributed.is_available
    """
    return False


def is_initialized() -> bool:
    """False: there is no group of processes.

    Source: https://docs.pytorch.org/docs/stable/distributed.html#torch.distributed.is_initialized
    """
    return False
