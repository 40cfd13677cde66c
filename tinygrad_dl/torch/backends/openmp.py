"""`torch.backends.openmp`: threads of OpenMP, which are not used. `td.set_num_threads` sets those that are."""

from __future__ import annotations


def is_available() -> bool:
    """Whether the threads are those of OpenMP: False."""
    return False
