"""Which of the groups an argument means, and what a program asks of a group: ranks and numbers."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.errors import ArgumentError, ArgumentTypeError
from tinygrad_dl.core.warning import warn
from tinygrad_dl.distributed.process_group import ProcessGroup, state


class NoMember:
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

    NON_GROUP_MEMBER = NoMember()


class group(metaclass=_World):
    """The group of all processes: `group.WORLD`.

    >>> td.distributed.group.WORLD is None
    True

    Source: https://docs.pytorch.org/docs/stable/distributed.html#groups
    """


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
    if isinstance(group, NoMember):
        warn(f"{name}: rank {get_rank()} is not in the group, and does nothing")
        return None
    return resolved(group, name)


# -- what a program asks --------------------------------------------------------------------------------


def is_initialized() -> bool:
    """Whether there is a group of processes: whether `init_process_group` was called.

    >>> td.distributed.is_initialized()
    False
    """
    return state.world is not None


def get_rank(group: Any = None) -> int:
    """This process's number, from 0 on, in a group; -1 if it is not in it.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.get_rank()
    0
    >>> dist.destroy_process_group()
    """
    return -1 if isinstance(group, NoMember) else resolved(group, "get_rank").rank()


def get_world_size(group: Any = None) -> int:
    """How many processes a group has; -1 if this one is not in it.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> dist.get_world_size()
    1
    >>> dist.destroy_process_group()
    """
    return -1 if isinstance(group, NoMember) else resolved(group, "get_world_size").size()


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
