"""`torch.distributed`: `td.distributed`, and the names of what splits single tensors, which this library does not do.

Programs can import those names, and ask `isinstance` of them; a call is refused.
"""

from __future__ import annotations

import functools
from typing import Any, NoReturn

from tinygrad_dl import distributed
from tinygrad_dl.distributed import *  # noqa: F403

__all__ = distributed.__all__

# What shards parameters, or brings processes together without `mpirun`.
_MISSING = """
    Backend DTensor DeviceMesh FSDPModule FileStore FullyShardedDataParallel HashStore MixedPrecision PrefixStore
    ShardingStrategy StateDictType Store TCPStore fully_shard init_device_mesh
"""


def is_torchelastic_launched() -> bool:
    """False: `mpirun` starts the processes."""
    return False


def is_nccl_available() -> bool:
    """False: there are no GPUs."""
    return False


def is_gloo_available() -> bool:
    """False: MPI carries the tensors."""
    return False


@functools.cache
def __getattr__(name: str) -> Any:
    if name not in _MISSING.split():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def refused(cls: type, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            f"distributed.{name}: got a call, but this library splits no tensors between processes, and mpirun alone "
            "starts them; use nn.parallel.DistributedDataParallel"
        )

    return type(name, (), {"__new__": refused, "__module__": __name__})
