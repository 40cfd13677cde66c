"""How groups of processes begin and end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tinygrad_dl.core.errors import ArgumentError, ArgumentTypeError
from tinygrad_dl.distributed.debugging import set_debug_level_from_env
from tinygrad_dl.distributed.faults import Departures, Ending
from tinygrad_dl.distributed.groups import GroupMember, NoMember, resolved
from tinygrad_dl.distributed.mpi import library
from tinygrad_dl.distributed.process_group import ProcessGroup, calls_so_far, duplicate, state
from tinygrad_dl.distributed.work import unfinished

default_pg_timeout = timedelta(minutes=30)


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: Any = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
) -> None:
    """Makes the processes that `mpirun -n N python program.py` has started a group that exchanges tensors.

    Every process calls it, once. Without `mpirun` the group is this process alone. An exception that nobody catches
    then ends all ranks, after its traceback: `sys.excepthook` is another one until `destroy_process_group`.

    Args:
        backend: "mpi", or None for it.
        init_method: "env://", or None: MPI knows where the processes are.
        timeout: how long a rank waits for the others before it raises; 30 minutes by default.
        world_size, rank: what is expected, to be checked; -1 for whatever `mpirun` says.
        store, group_name, pg_options, device_id: have no effect.

    Raises:
        ImportError: mpi4py is not installed. ValueError: there is a group already, or not as many processes as
            expected.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.get_rank(), dist.get_world_size()
    (0, 1)
    >>> dist.destroy_process_group()
    """
    name = "init_process_group"
    if state.world is not None:
        raise ArgumentError(f"{name}: got a second call, expected one; call destroy_process_group() before")
    if backend not in (None, "mpi"):
        raise ArgumentError(
            f'{name}: got backend={backend!r}, expected "mpi"; start with mpirun -n N python program.py'
        )
    if init_method not in (None, "env://"):
        raise ArgumentError(f"{name}: got init_method={init_method!r}, expected None: mpirun knows the processes")
    world = library().COMM_WORLD
    require_processes(name, world.Get_size(), world.Get_rank(), world_size, rank)
    limit = checked_timeout(name, timeout)
    comm = duplicate(world, limit.total_seconds())
    state.world, state.made = ProcessGroup(comm, range(world.Get_size()), limit, "0"), 1
    set_debug_level_from_env()
    if state.world.size() > 1:
        state.ending = Ending(state.world.rank(), state.world.size())
        state.ending.install()
        state.departures = Departures(duplicate(world, limit.total_seconds()), calls_so_far)


# What those set who start several processes, with the number of processes.
STARTERS = {"OMPI_COMM_WORLD_SIZE": "Open MPI's mpirun", "PMI_SIZE": "another MPI's mpirun", "WORLD_SIZE": "torchrun"}


def require_processes(name: str, size: int, rank: int, expected_size: int, expected_rank: int) -> None:
    """Raises if MPI has not as many processes as the program, or who started it, speaks of."""
    for given, found, argument in ((expected_size, size, "world_size"), (expected_rank, rank, "rank")):
        if given not in (-1, None, found):
            raise ArgumentError(
                f"{name}: got {argument}={given}, expected {found}, as MPI says; start {max(expected_size, 2)} "
                f"processes with: mpirun -n {max(expected_size, 2)} python program.py"
            )
    for variable, starter in STARTERS.items() if size == 1 else ():
        started = os.environ.get(variable, "1")
        if started.isdigit() and int(started) > 1:
            raise ArgumentError(
                f"{name}: got {started} processes from {starter} (by {variable}), of which MPI knows nothing, expected "
                f"those of the mpirun beside this Python; start them with: mpirun -n {started} python program.py"
            )


def checked_timeout(name: str, timeout: Any) -> timedelta:
    """The time that a rank waits for the others."""
    if timeout is None:
        return default_pg_timeout
    if not isinstance(timeout, timedelta) or timeout <= timedelta(0):
        raise ArgumentTypeError(f"{name}: got timeout={timeout!r}, expected a datetime.timedelta above 0")
    return timeout


def destroy_process_group(group: Any = None) -> None:
    """Ends a group, by default that of all processes and with it every other.

    Raises:
        ValueError: there is none.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.destroy_process_group()
    >>> dist.is_initialized()
    False
    """
    if isinstance(group, NoMember):
        return
    found = resolved(group, "destroy_process_group")
    for work in [*unfinished]:
        work.wait()
    if found is not state.world:
        state.groups.remove(found)
        found.free()
        return
    for each in [*state.groups, found]:
        each.free()
    state.groups.clear()
    if state.ending is not None and state.departures is not None:
        state.ending.remove()
        state.departures.close()
    state.world = state.ending = state.departures = None


def new_group(
    ranks: Sequence[int] | None = None,
    timeout: timedelta | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    use_local_synchronization: bool = False,
    group_desc: str | None = None,
    device_id: Any = None,
) -> Any:
    """A group of some of the processes. All processes call it, those that are not in it too.

    Args:
        ranks: which; None for all.
        timeout: how long a rank waits for the others; by default as in the group of all.
        backend: "mpi", or None for it.
        pg_options, use_local_synchronization, group_desc, device_id: have no effect.

    Returns:
        A ProcessGroup, or `GroupMember.NON_GROUP_MEMBER` where this process is not in it.

    Raises:
        ValueError: there is no such rank, or one is there twice.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.new_group([0])
    <ProcessGroup 1 of ranks [0]>
    >>> dist.destroy_process_group()
    """
    world = resolved(None, "new_group")
    if backend not in (None, "mpi"):
        raise ArgumentError(f'new_group: got backend={backend!r}, expected "mpi"')
    found = list(world.ranks) if ranks is None else sorted(ranks)
    if len(set(found)) != len(found) or not all(0 <= rank < world.size() for rank in found) or not found:
        raise ArgumentError(
            f"new_group: got ranks={ranks}, expected different numbers from 0 to {world.size() - 1}, at least one"
        )
    number, state.made = state.made, state.made + 1
    if world.rank() not in found:
        return GroupMember.NON_GROUP_MEMBER
    limit = timedelta(seconds=world.timeout) if timeout is None else checked_timeout("new_group", timeout)
    comm = world.comm.Create_group(world.comm.Get_group().Incl(found))
    made = ProcessGroup(comm, found, limit, str(number))
    state.groups.append(made)
    return made
