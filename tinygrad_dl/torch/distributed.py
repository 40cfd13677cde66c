"""Training in several processes that exchange tensors: this library does not have it, and says so.

Programs can import the names, and ask `is_available()` before they use them.
"""

from __future__ import annotations

import functools
from typing import Any, NoReturn


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


def is_torchelastic_launched() -> bool:
    """False: nothing has started this process as one of several."""
    return False


# What exchanges tensors between processes, or is made of several.
_NEED_PROCESSES = """
    Backend DTensor DeviceMesh FSDPModule FullyShardedDataParallel MixedPrecision ProcessGroup ReduceOp
    ShardingStrategy StateDictType TCPStore ZeroRedundancyOptimizer
    all_gather all_gather_into_tensor all_gather_object all_reduce all_to_all all_to_all_single barrier broadcast
    broadcast_object_list destroy_process_group fully_shard gather gather_object get_backend get_rank get_world_size
    group init_device_mesh init_process_group irecv isend monitored_barrier new_group recv reduce reduce_scatter
    reduce_scatter_tensor scatter scatter_object_list send
"""


@functools.cache
def __getattr__(name: str) -> Any:
    if name not in _NEED_PROCESSES.split():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def needs_processes(cls: type, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            f"distributed.{name}: got a call for several processes, but this library trains in one; ask "
            "distributed.is_available() before"
        )

    return type(name, (), {"__new__": needs_processes, "__module__": __name__})
