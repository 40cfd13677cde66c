"""Which processes take part: the group of all, and others made of its ranks."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.errors import ArgumentError, ArgumentTypeError
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn
from tinygrad_dl.distributed.debugging import DebugLevel, set_debug_level_from_env, setting
from tinygrad_dl.distributed.errors import DistBackendError
from tinygrad_dl.distributed.faults import Calls, Departures, Ending
from tinygrad_dl.distributed.mpi import library
from tinygrad_dl.distributed.work import Work, unfinished

default_pg_timeout = timedelta(minutes=30)
LINE = 256  # bytes of the text by which ranks compare their calls


class ProcessGroup:
    """Processes that exchange tensors: what `new_group` returns, and `group.WORLD` is.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.group.WORLD.size(), dist.group.WORLD.rank()
    (1, 0)
    >>> dist.destroy_process_group()

    Source: https://docs.pytorch.org/docs/stable/distributed.html#groups
    """

    __module__ = "tinygrad_dl.distributed"

    def __init__(self, comm: Any, ranks: Sequence[int], timeout: timedelta, name: str):
        self.comm, self.ranks, self.timeout, self._name = comm, tuple(ranks), timeout.total_seconds(), name
        self._rank, self._size = comm.Get_rank(), comm.Get_size()
        self._calls = 0
        self._twin: ProcessGroup | None = None

    def rank(self) -> int:
        """This process's rank in the group."""
        return int(self._rank)

    def size(self) -> int:
        """How many processes it has."""
        return int(self._size)

    def name(self) -> str:
        """The name of the backend."""
        return "mpi"

    @property
    def group_name(self) -> str:
        """The group's own name: its number, in the order in which groups were made."""
        return self._name

    def begin(
        self,
        name: str,
        call: Callable[[Any], Any],
        then: Callable[[Any], None] | None = None,
        kept: Any = None,
        result: Sequence[Tensor] = (),
        about: Sequence[Any] = (),
    ) -> Work:
        """Begins a collective.

        Args:
            call: gets MPI's communicator and returns MPI's request.
            then, kept, result: see `Work`.
            about: what else must be the same on all ranks.
        """
        self._calls += 1
        number = self._calls
        told = f"{name}: rank {self.ranks[self._rank]}, call {number} of group {self._name}"
        if setting.level is DebugLevel.DETAIL:
            self._compare(told, " ".join(map(str, (name, *about))))
        return Work(
            call(self.comm), told, self.timeout, lambda: gone(self.ranks, self._name, number), then, kept, result
        )

    def exchange(
        self,
        name: str,
        call: Callable[[Any], Any],
        peers: Sequence[int],
        then: Callable[[Any], None] | None = None,
        kept: Any = None,
        result: Sequence[Tensor] = (),
    ) -> Work:
        """Begins to send or receive a message, as `begin`; `peers` are the ranks in the group that it waits for."""
        told = f"{name}: rank {self.ranks[self._rank]}, group {self._name}"
        others = [self.ranks[peer] for peer in peers]
        return Work(call(self.comm), told, self.timeout, lambda: gone(others, self._name, None), then, kept, result)

    def _compare(self, told: str, own: str) -> None:
        """Raises on all ranks unless all begin the same collective."""
        line = np.frombuffer(own.encode()[:LINE].ljust(LINE), np.uint8)
        found = np.empty((self._size, LINE), np.uint8)
        Work(self.comm.Iallgather(line, found), told, self.timeout).wait()
        lines = [each.tobytes().decode(errors="replace").rstrip() for each in found]
        if len(set(lines)) > 1:
            calls = " and ".join(f"{each} on rank {rank}" for each, rank in zip(lines, self.ranks, strict=True))
            raise DistBackendError(f"{told}: got different calls, {calls}, expected one on all ranks")

    def calls(self) -> Calls:
        """How many collectives it has begun, with its twin's."""
        return {self._name: self._calls, **({} if self._twin is None else self._twin.calls())}

    def twin(self) -> ProcessGroup:
        """The same ranks with a communicator of their own, so that two orders of calls do not meet: made at first use.

        Called by all ranks of the group.
        """
        if self._twin is None:
            self._twin = ProcessGroup(duplicate(self.comm, self.timeout), self.ranks, timedelta(0), f"{self._name}'")
            self._twin.timeout = self.timeout
        return self._twin

    def free(self) -> None:
        """Gives back what MPI keeps of it."""
        if self._twin is not None:
            self._twin.free()
        self.comm.Free()

    def __repr__(self) -> str:
        return f"<ProcessGroup {self._name} of ranks {list(self.ranks)}>"


class _NoMember:
    """What `new_group` returns to a process that is not among the ranks."""

    def __repr__(self) -> str:
        return "GroupMember.NON_GROUP_MEMBER"


class _World(type):
    @property
    def WORLD(cls) -> ProcessGroup | None:
        """The group of all processes; None before `init_process_group`."""
        return state.world


class GroupMember(metaclass=_World):
    """The group of all processes, `WORLD`, and what is not in a group, `NON_GROUP_MEMBER`.

    >>> td.distributed.GroupMember.NON_GROUP_MEMBER
    GroupMember.NON_GROUP_MEMBER

    Source: https://docs.pytorch.org/docs/stable/distributed.html#groups
    """

    NON_GROUP_MEMBER = _NoMember()


class group(metaclass=_World):
    """The group of all processes: `group.WORLD`.

    >>> td.distributed.group.WORLD is None
    True

    Source: https://docs.pytorch.org/docs/stable/distributed.html#groups
    """


class _State:
    def __init__(self) -> None:
        self.world: ProcessGroup | None = None
        self.groups: list[ProcessGroup] = []  # the others
        self.made = 0  # how many groups there have been
        self.ending: Ending | None = None
        self.departures: Departures | None = None


state = _State()


def calls_so_far() -> Calls:
    """How many collectives this process has begun in each group."""
    groups = [*state.groups, *([] if state.world is None else [state.world])]
    return {name: number for each in groups for name, number in each.calls().items()}


def gone(ranks: Sequence[int], group: str, number: int | None) -> int | None:
    """One of the ranks that has left before a collective, or before a message: see `Departures.missing`."""
    return None if state.departures is None else state.departures.missing(ranks, group, number)


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


def duplicate(comm: Any, timeout: float) -> Any:
    """Another communicator of the same processes, all of which call it."""
    found, request = comm.Idup()
    Work(request, "init_process_group", timeout).wait()
    return found


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
    if isinstance(group, _NoMember):
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


def is_initialized() -> bool:
    """Whether there is a group of processes: whether `init_process_group` was called.

    >>> td.distributed.is_initialized()
    False
    """
    return state.world is not None


def resolved(group: Any, name: str) -> ProcessGroup:
    """The group that an argument means: None is all processes."""
    if group is None:
        if state.world is None:
            raise ArgumentError(
                f"{name}: got a call before init_process_group(), expected one after it, in each process; start them "
                "with: mpirun -n 2 python program.py"
            )
        return state.world
    if not isinstance(group, ProcessGroup):
        raise ArgumentTypeError(f"{name}: got group={summary(group)}, expected what new_group() returned, or None")
    if group is not state.world and group not in state.groups:
        raise ArgumentError(f"{name}: got {group}, which was destroyed, expected one that was not")
    return group


def membership(group: Any, name: str) -> ProcessGroup | None:
    """The group of a collective; None, after a warning, in a process that is not in it."""
    if isinstance(group, _NoMember):
        warn(f"{name}: rank {get_rank()} is not in the group, and does nothing")
        return None
    return resolved(group, name)


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


# -- what a program asks --------------------------------------------------------------------------------


def get_rank(group: Any = None) -> int:
    """This process's number, from 0 on, in a group; -1 if it is not in it.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.get_rank()
    0
    >>> dist.destroy_process_group()
    """
    return -1 if isinstance(group, _NoMember) else resolved(group, "get_rank").rank()


def get_world_size(group: Any = None) -> int:
    """How many processes a group has; -1 if this one is not in it.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.get_world_size()
    1
    >>> dist.destroy_process_group()
    """
    return -1 if isinstance(group, _NoMember) else resolved(group, "get_world_size").size()


def get_backend(group: Any = None) -> str:
    """What carries the bytes: "mpi".

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.get_backend()
    'mpi'
    >>> dist.destroy_process_group()
    """
    return resolved(group, "get_backend").name()


def get_process_group_ranks(group: Any = None) -> list[int]:
    """The ranks, among all processes, of those in a group.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.get_process_group_ranks()
    [0]
    >>> dist.destroy_process_group()
    """
    return list(resolved(group, "get_process_group_ranks").ranks)


def get_global_rank(group: Any, group_rank: int) -> int:
    """The rank among all processes of a rank in a group.

    Raises:
        ValueError: the group has no such rank.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.get_global_rank(dist.group.WORLD, 0)
    0
    >>> dist.destroy_process_group()
    """
    found = resolved(group, "get_global_rank")
    if not 0 <= group_rank < found.size():
        raise ArgumentError(f"get_global_rank: got rank {group_rank}, expected one from 0 to {found.size() - 1}")
    return found.ranks[group_rank]


def get_group_rank(group: Any, global_rank: int) -> int:
    """The rank in a group of a rank among all processes.

    Raises:
        ValueError: it is not in the group.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.get_group_rank(dist.group.WORLD, 0)
    0
    >>> dist.destroy_process_group()
    """
    return rank_in(resolved(group, "get_group_rank"), global_rank, None, "get_group_rank", "global_rank")


def rank_in(group: ProcessGroup, rank: int | None, in_group: int | None, name: str, argument: str) -> int:
    """The rank in a group that an argument means, which is one among all processes unless it is `in_group`."""
    if (rank is None) == (in_group is None):
        raise ArgumentError(f"{name}: got {argument}={rank} and group_{argument}={in_group}, expected one of the two")
    if in_group is not None:
        if 0 <= in_group < group.size():
            return in_group
        raise ArgumentError(f"{name}: got group_{argument}={in_group}, expected one from 0 to {group.size() - 1}")
    if rank not in group.ranks:
        raise ArgumentError(f"{name}: got {argument}={rank}, expected one of the group's ranks, {list(group.ranks)}")
    return group.ranks.index(rank)
