"""Large NumPy jobs on all cores: NumPy lets other threads run while it computes, but starts none of its own.

    def work(start, stop):
        np.exp(x[start:stop], out=y[start:stop])

    parallel_for(work, len(x), grain=...)

Waking a thread costs the caller 15 to 45 us, and the thread begins up to 100 us after it, so a job is worth splitting
from some 300 us on; `grain` says how small a range may be. Work is best a few long NumPy calls: between short ones the
interpreter changes hands, which may cost as much each time.

Where ranges begin depends on the number of threads that was asked for and on nothing else: not on how many are free,
nor on who computes a range. So the same call always gives the same bits.

Matrix products are split in the same way, each range in a thread with a BLAS of one thread (`gemm.py`). The threads of
the BLAS itself would do as well for large products alone; but they go on for some 20 ms after each, looking for the
next one, and are in the way of everything else; and where other programs keep the cores busy each product waits for
the last of them.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from tinygrad_dl.backends import blas

__all__ = ["get_num_threads", "parallel_for", "parallel_for_products", "set_num_threads"]

Work = Callable[[int, int], object]

_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_number = _cores
_helpers: list[threading.Thread] = []
_jobs: Any = None
_here = threading.local()


def set_num_threads(number: int) -> None:
    """Sets the number of threads that large operations use, this one included; 1: none but this one.

    It holds for what this package computes, matrix products among it, not for NumPy's own. Results may differ in
    their last bits between one number and another; with one number they are always the same. No more threads are
    used than the BLAS may have: `threadpoolctl.threadpool_limits` and OPENBLAS_NUM_THREADS hold here too.

    Raises:
        ValueError: less than 1. TypeError: not an int.

    >>> before = td.get_num_threads()
    >>> td.set_num_threads(1)
    >>> td.get_num_threads()
    1
    >>> td.set_num_threads(before)
    """
    global _number
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"set_num_threads: expected an int, got {type(number).__name__}")
    if number < 1:
        raise ValueError(f"set_num_threads: expected a positive number, got {number}")
    _number = number


def get_num_threads() -> int:
    """The number of threads that large operations use: at first one for each core.

    >>> td.get_num_threads() >= 1
    True
    """
    return _number


def parallel_for(work: Work, count: int, grain: int = 1, ahead: int = 0) -> None:
    """Calls `work(start, stop)` on ranges that together cover 0 to `count`, on several threads at once.

    Within work this runs everything in the calling thread, range after range. NumPy's error state goes along.

    Args:
        work: what to do with one range; ranges must not write to the same place.
        count: the number of items.
        grain: no range is smaller than this (but for a smaller `count`).
        ahead: by how many items the first range, which the calling thread takes, is larger than the others: as many
            as it computes until another thread is awake.

    Raises:
        Whatever work raises, after all ranges have ended.
    """
    ranges = ranges_of(count, grain, ahead)
    parts = len(ranges)
    if parts < 2:
        work(0, count)
        return
    ranges.reverse()  # they are taken from the end
    at_once = 1 if getattr(_here, "busy", False) else min(parts, blas.allowed())
    if at_once > 1:
        _start(at_once - 1)
    others = [_Share(work, ranges) for _ in range(at_once - 1)]
    for share in others:
        _jobs.put(share)
    _finish([_Share(work, ranges), *others])


def ranges_of(count: int, grain: int, ahead: int) -> list[tuple[int, int]]:
    """The ranges that `parallel_for` makes."""
    parts = min(_number, count // grain) if grain > 0 else 1
    if parts < 2:
        return [(0, count)]
    rest = count - ahead
    return list(itertools.pairwise([0, *(ahead + rest * part // parts for part in range(1, parts + 1))]))


GRAIN = 2**16  # elements


def grain(size: int) -> int:
    """How many items of so many elements are worth a thread, if all that is done is to copy or to add them."""
    return max(1, GRAIN // max(1, size))


def parallel_for_products(work: Work, count: int, grain: int = 1, ahead: int = 0) -> None:
    """`parallel_for` for work that contains matrix products: each of them stays in its thread.

    All is done by this thread if the BLAS can't be told to leave the others alone.
    """
    if not blas.switch():
        work(0, count)
        return
    with blas.single:
        parallel_for(work, count, grain, ahead)


class Tasks:
    """Calls of `work(start, stop)` that other threads make while this one goes on with something that is not for two.

        with Tasks() as tasks:
            first = tasks.add(work, 0, 10)
            ...
            tasks.finish(first)

    Another thread begins a call as soon as one is free. A call that none has begun when it is asked for, this thread
    makes; all are made in the end, unless the block raises. Products stay in their threads, and numbers depend on no
    thread: each call is made once, by whomever. Worth it from some 200 us a call on, if it is made of few long ones.
    """

    def __init__(self) -> None:
        self.shares: list[_Share] = []
        alone = getattr(_here, "busy", False) or not blas.switch()
        self.helpers = 0 if alone else min(_number, blas.allowed()) - 1

    def add(self, work: Work, start: int, stop: int) -> _Share:
        """Hands a call over."""
        share = _Share(work, [(start, stop)])
        self.shares.append(share)
        if self.helpers:
            _start(min(self.helpers, len(self.shares)))
            _jobs.put(share)
        return share

    def finish(self, share: _Share) -> None:
        """Returns when a call that was added is made.

        Raises:
            What it raised.
        """
        _finish([share])

    def __enter__(self) -> Tasks:
        blas.single.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not None:  # what nobody has begun is not needed any more
                self.shares = [share for share in self.shares if not share.drop()]
            for share in self.shares:
                share.run()
            _finish(self.shares, kind is None)
        finally:
            blas.single.__exit__()


def _finish(shares: list[_Share], tell: bool = True) -> None:
    """Returns when all shares are ended; raises, if it is to `tell`, what one of them raised."""
    interrupted: BaseException | None = None
    for share in shares:
        while not share.ended:
            try:
                share.finish()
            except BaseException as error:  # a signal's: it is raised when nobody writes to the arrays any more
                interrupted = error
    for share in shares:
        if share.error is not None and tell:
            raise share.error
    if interrupted is not None:
        raise interrupted


class _Share:
    """A thread's share of a job: it takes ranges until none is left. One that no thread has begun the caller ends."""

    __slots__ = ("context", "done", "ended", "error", "free", "ranges", "work")

    def __init__(self, work: Work, ranges: list[tuple[int, int]]):
        self.work, self.ranges = work, ranges
        self.context: Context = copy_context()
        self.error: BaseException | None = None
        self.ended = False
        self.free = threading.Lock()  # is taken by who computes
        self.done = threading.Lock()
        self.done.acquire()

    def run(self) -> None:
        """Computes ranges, unless somebody has begun to."""
        if not self.free.acquire(blocking=False):
            return
        outside, _here.busy = getattr(_here, "busy", False), True
        try:
            while True:
                try:
                    start, stop = self.ranges.pop()
                except IndexError:  # none is left
                    break
                self.context.run(self.work, start, stop)
        except BaseException as error:
            self.error = error
        finally:
            _here.busy = outside
            del self.work  # a share that was not waited for may lie in the queue for long
            self.ended = True
            self.done.release()

    def drop(self) -> bool:
        """Ends it uncomputed; False if somebody has begun."""
        if not self.free.acquire(blocking=False):
            return False
        del self.work
        self.ended = True
        self.done.release()
        return True

    def finish(self) -> None:
        """Computes the ranges, or waits for who does: returns when they are ended."""
        self.run()
        if not self.ended:
            self.done.acquire()


def _serve(jobs: Any) -> None:
    _here.busy = True
    while True:
        jobs.get().run()


def _start(number: int) -> None:
    """Makes sure that so many threads wait for work."""
    global _jobs
    if _jobs is None:
        from queue import SimpleQueue  # at the first large job: imports stay fast

        _jobs = SimpleQueue()
    while len(_helpers) < number:
        thread = threading.Thread(target=_serve, args=(_jobs,), name="tinygrad_dl", daemon=True)
        thread.start()
        _helpers.append(thread)


def _forget() -> None:
    """In a forked child there are no threads but its own, and a lock of the queue may be held by none of them."""
    global _jobs
    _jobs = None
    _helpers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
