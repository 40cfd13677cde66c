"""What has begun and is not over: handles of exchanges that run while the program goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.distributed.errors import DistBackendError
from tinygrad_dl.distributed.futures import Future
from tinygrad_dl.distributed.mpi import library

# Between two looks another process of this core may go on, so that more ranks than cores do not wait for each other.
pause: Callable[[], Any] = getattr(os, "sched_yield", lambda: time.sleep(0))
PATIENCE = 0.5  # seconds of waiting after which a rank asks whether the others are still there
unfinished: set[Work] = set()  # what MPI still reads or writes must not go, even if nobody holds the handle


class Work:
    """An exchange that has begun: what a collective with `async_op=True` returns, and `isend` and `irecv`.

    The tensors must not be read or changed before it is over. MPI goes on with it while it is asked: in `wait`, in
    `is_completed`, and in any other call of this module.

    >>> dist = td.distributed
    >>> dist.init_process_group()
    >>> x = td.ones(2)
    >>> work = dist.all_reduce(x, async_op=True)
    >>> work.wait(), work.is_completed()
    (True, True)
    >>> dist.destroy_process_group()

    Source: https://docs.pytorch.org/docs/stable/distributed.html#synchronous-and-asynchronous-collective-operations
    """

    __module__ = "tinygrad_dl.distributed"

    def __init__(
        self,
        request: Any,
        told: str,
        timeout: float,
        gone: Callable[[], int | None] = lambda: None,
        then: Callable[[Any], None] | None = None,
        kept: Any = None,
        result: Sequence[Tensor] = (),
    ):
        """A request of MPI's.

        Args:
            told: what it is, for an error.
            timeout: seconds.
            gone: says which of the other ranks is not there any more, if one is missed.
            then: called with MPI's status once it is over.
            kept: what must live until then.
            result: the tensors that are changed.
        """
        self._request, self._told, self._timeout = request, told, timeout
        self._gone, self._then, self._kept, self._result = gone, then, kept, list(result)
        self._source = -1
        unfinished.add(self)

    def is_completed(self) -> bool:
        """Whether it is over, and its results are in their tensors."""
        if self._request is None:
            return True
        status = library().Status()
        try:
            over = self._request.Test(status)
        except Exception as error:
            self._close()
            raise DistBackendError(f"{self._told}: MPI says: {error}") from error
        if not over:
            return False
        self._source = status.Get_source()
        then = self._then
        self._close()
        if then is not None:
            then(status)
        return True

    def _close(self) -> None:
        self._request = self._then = self._kept = None
        unfinished.discard(self)

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Returns True as soon as it is over.

        Args:
            timeout: how long to wait at most; by default as `init_process_group` was told.

        Raises:
            RuntimeError: the other ranks have not done their part by then.
        """
        if self.is_completed():
            return True
        seconds = self._timeout if timeout is None else timeout.total_seconds()
        begin = looked = time.monotonic()
        while not self.is_completed():
            pause()
            now = time.monotonic()
            if now - begin > seconds:
                raise DistBackendError(
                    f"{self._told}: got no answer from the other ranks for {seconds:g} s, expected that all take part; "
                    "with TORCH_DISTRIBUTED_DEBUG=DETAIL ranks whose calls differ are named; for slow ones give "
                    "init_process_group a longer timeout"
                )
            if now - looked > PATIENCE:
                looked = now
                self._require_company()
        return True

    def _require_company(self) -> None:
        """Raises if another rank, for which this one waits, has left."""
        rank = self._gone()
        if rank is not None:
            raise DistBackendError(
                f"{self._told}: got no answer from rank {rank}, which has ended its program, expected that it "
                "takes part"
            )

    def is_success(self) -> bool:
        """Whether it is over; what fails raises in `wait`."""
        return self.is_completed()

    def result(self) -> list[Tensor]:
        """The tensors that it changes."""
        return self._result

    def get_future(self) -> Future:
        """The tensors that it changes, as a future."""

        def found() -> list[Tensor]:
            self.wait()
            return self._result

        return Future.of(found, self.is_completed)

    def source_rank(self) -> int:
        """Of a message that has arrived, the sender's rank in the group; else -1."""
        return self._source


def handle(work: Work, async_op: bool) -> Work | None:
    """What a collective returns: the handle of what it has begun, or None once that is over."""
    if async_op:
        return work
    work.wait()
    return None
