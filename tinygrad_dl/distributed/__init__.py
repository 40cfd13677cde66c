"""Training in several processes, on one machine or many, that exchange tensors: torch.distributed's names, over MPI.

    pip install "tinygrad_dl[mpi]"
    mpirun -n 2 python program.py

`mpirun` starts the program N times; each process is a rank, a number from 0 to N - 1, and has tensors of its own:

>>> dist = td.distributed
>>> dist.init_process_group()
>>> x = td.ones(2) * dist.get_rank()
>>> dist.all_reduce(x)  # in each rank the sum over all ranks
>>> x
tensor([0., 0.])
>>> dist.destroy_process_group()

Elements go from memory to memory as mpi4py's buffers, unpickled. Only the functions for objects pickle. The order of
the calls is one on all ranks of a group: each collective is called by all of them.
"""

from __future__ import annotations

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.distributed.debugging import DebugLevel, get_debug_level, set_debug_level, set_debug_level_from_env
from tinygrad_dl.distributed.errors import DistBackendError, DistError
from tinygrad_dl.distributed.groups import (
    GroupMember,
    get_backend,
    get_global_rank,
    get_group_rank,
    get_process_group_ranks,
    get_rank,
    get_world_size,
    group,
    is_initialized,
)
from tinygrad_dl.distributed.lifetime import default_pg_timeout, destroy_process_group, init_process_group, new_group
from tinygrad_dl.distributed.mpi import is_available, is_mpi_available
from tinygrad_dl.distributed.objects import (
    all_gather_object,
    broadcast_object_list,
    gather_object,
    scatter_object_list,
)
from tinygrad_dl.distributed.point_to_point import P2POp, batch_isend_irecv, irecv, isend, recv, send
from tinygrad_dl.distributed.process_group import ProcessGroup
from tinygrad_dl.distributed.reducing import all_reduce, reduce, reduce_scatter, reduce_scatter_tensor
from tinygrad_dl.distributed.reductions import ReduceOp
from tinygrad_dl.distributed.sharing import (
    all_gather,
    all_gather_into_tensor,
    all_to_all,
    all_to_all_single,
    barrier,
    broadcast,
    gather,
    scatter,
)
from tinygrad_dl.distributed.work import Work

# fmt: off
__all__ = [
    "DebugLevel", "DistBackendError", "DistError", "GroupMember", "P2POp", "ProcessGroup", "ReduceOp", "Work",
    "all_gather", "all_gather_into_tensor", "all_gather_object", "all_reduce", "all_to_all", "all_to_all_single",
    "barrier", "batch_isend_irecv", "broadcast", "broadcast_object_list", "default_pg_timeout", "destroy_process_group",
    "gather", "gather_object", "get_backend", "get_debug_level", "get_global_rank", "get_group_rank",
    "get_process_group_ranks", "get_rank", "get_world_size", "group", "init_process_group", "irecv", "is_available",
    "is_initialized", "is_mpi_available", "isend", "new_group", "recv", "reduce", "reduce_scatter",
    "reduce_scatter_tensor", "scatter", "scatter_object_list", "send", "set_debug_level", "set_debug_level_from_env",
]
# fmt: on


public(globals(), "docs/stable/distributed.html#torch.distributed.{}")
