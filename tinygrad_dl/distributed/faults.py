"""What ends all ranks when one fails: an exception that nobody catches, after its traceback.

A process that is killed ends the others without this: `mpirun` sees to it.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from tinygrad_dl.distributed.mpi import library


class Ending:
    """What takes the place of `sys.excepthook` while there are several ranks.

    Without it a rank that raises would leave the others waiting for it.
    """

    def __init__(self, rank: int, size: int):
        self.rank, self.size = rank, size
        self.before = sys.excepthook

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> Any:
        try:
            sys.stderr.write(f"rank {self.rank} of {self.size} has failed, which ends all of them:\n")
            self.before(kind, error, trace)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            library().COMM_WORLD.Abort(1)

    def install(self) -> None:
        """Has exceptions end all ranks from now on."""
        sys.excepthook = self

    def remove(self) -> None:
        """Puts the earlier hook back, unless another has taken this one's place."""
        if sys.excepthook is self:
            sys.excepthook = self.before
