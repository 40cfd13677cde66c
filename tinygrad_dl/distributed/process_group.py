"""A group of processes, and the exchanges that it begins; which groups there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.distributed.debugging import DebugLevel, setting
from tinygrad_dl.distributed.errors import DistBackendError
from tinygrad_dl.distributed.faults import Calls, Departures, Ending
from tinygrad_dl.distributed.work import Work

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


def duplicate(comm: Any, timeout: float) -> Any:
    """Another communicator of the same processes, all of which call it."""
    found, request = comm.Idup()
    Work(request, "init_process_group", timeout).wait()
    return found


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
