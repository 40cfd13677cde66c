"""What ends all ranks when one fails, so that none waits for ever for another that is not there any more.

An exception that nobody catches ends all ranks, after its traceback (`Ending`). A rank that leaves in good order while
others wait for it tells them (`Departures`), as does one that is late (`Work.wait`, by its timeout); what they raise
ends all. A process that is killed ends the others without any of this: `mpirun` sees to it.
"""

from __future__ import annotations

import atexit
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from tinygrad_dl.distributed.mpi import library

READ = 0.25  # seconds, in which `mpirun` passes on what a rank has said last
Calls = dict[str, int]  # how many collectives a rank has begun in each group, by the group's name


class Ending:
    """What takes the place of `sys.excepthook` while there are several ranks.

    Without it a rank that raises would leave the others waiting for it.
    """

    def __init__(self, rank: int, size: int):
        self.rank, self.size, self.process = rank, size, os.getpid()
        self.before = sys.excepthook

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> Any:
        if os.getpid() != self.process:  # a forked child is no rank
            return self.before(kind, error, trace)
        try:
            if self.before is sys.__excepthook__:  # in one piece, and each line with its rank: several may fail at once
                text = "".join(traceback.format_exception(kind, error, trace))
                sys.stderr.write("".join(f"[rank {self.rank}] {line}\n" for line in text.splitlines()))
            else:
                self.before(kind, error, trace)
            sys.stderr.write(f"rank {self.rank} of {self.size} has failed, which ends all of them\n")
            sys.stdout.flush()
            sys.stderr.flush()
            time.sleep(READ)  # what `mpirun` has not read by the time all are ended is lost
        finally:
            library().COMM_WORLD.Abort(1)

    def install(self) -> None:
        """Has exceptions end all ranks from now on."""
        sys.excepthook = self

    def remove(self) -> None:
        """Puts the earlier hook back, unless another has taken this one's place."""
        if sys.excepthook is self:
            sys.excepthook = self.before


class Departures:
    """Which ranks have ended their program without `destroy_process_group`, and what they had done by then.

    A rank that ends sends each other one a note. Who waits for long looks for notes: for a collective that the other
    had begun nothing is lost, for a later one there is nobody to wait for.
    """

    def __init__(self, comm: Any, calls: Callable[[], Calls]):
        self.comm, self.calls, self.process = comm, calls, os.getpid()
        self.known: dict[int, Calls] = {}
        self.sent: Any = None
        atexit.register(self.tell)

    def tell(self) -> None:
        """Sends the notes, as this process ends."""
        if library().Is_finalized() or os.getpid() != self.process:  # a forked child is no rank
            return
        note = np.frombuffer(pickle.dumps(self.calls()), np.uint8)
        others = [rank for rank in range(self.comm.Get_size()) if rank != self.comm.Get_rank()]
        self.sent = note, [self.comm.Isend(note, rank) for rank in others]  # which MPI reads until it ends

    def close(self) -> None:
        """There is nobody to be told any more."""
        atexit.unregister(self.tell)
        self.comm.Free()

    def missing(self, ranks: Sequence[int], group: str, number: int | None) -> int | None:
        """One of the ranks that has left before the collective of this number in a group, or before it sent a message.

        None if all are there, as far as is known.
        """
        status = library().Status()
        while self.comm.Iprobe(status=status):
            note = np.empty(status.Get_count(library().BYTE), np.uint8)
            self.comm.Recv(note, status.Get_source())
            self.known[status.Get_source()] = pickle.loads(note.tobytes())
        left = [rank for rank in ranks if rank in self.known]
        return next((rank for rank in left if number is None or self.known[rank].get(group, 0) < number), None)
