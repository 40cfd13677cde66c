"""Large NumPy jobs on all cores: NumPy lets other threads run while it computes, but starts none of its own.

    def work(start, stop):
        np.exp(x[start:stop], out=y[start:stop])

    spread(work, len(x), grain=...)

Matrix products alone need none of this: the BLAS has threads of its own. But a job that alternates between copies and
small products is better split as a whole (`spread_products`). Handing a range to a thread and waiting for it costs
about 15 us, so a job is worth splitting from about 100 us on; `grain` says how small a range may be.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from tinygrad_dl import blas

__all__ = ["get_num_threads", "set_num_threads", "spread", "spread_products"]

Work = Callable[[int, int], object]

_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_number = _cores
_helpers: list[threading.Thread] = []
_jobs: Any = None
_here = threading.local()


def set_num_threads(number: int) -> None:
    """Sets the number of threads that large operations use, this one included; 1: none but this one.

    It holds for matrix products too, if NumPy's BLAS is the OpenBLAS of its wheels, and then for all of the process.
    Where other programs keep the cores busy, 1 is the fastest: products wait for their slowest thread.

    Raises:
        ValueError: less than 1. TypeError: not an int.

    >>> import tinygrad_dl as td
    >>> before = td.get_num_threads()
    >>> td.set_num_threads(1)
    >>> td.get_num_threads()
    1
    >>> td.set_num_threads(before)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.set_num_threads.html
    """
    global _number
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"set_num_threads: expected an int, got {type(number).__name__}")
    if number < 1:
        raise ValueError(f"set_num_threads: expected a positive number, got {number}")
    _number = number
    blas.set_threads(number)


def get_num_threads() -> int:
    """The number of threads that large operations use: at first one for each core.

    >>> import tinygrad_dl as td
    >>> td.get_num_threads() >= 1
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.get_num_threads.html
    """
    return _number


def spread(work: Work, count: int, grain: int = 1) -> None:
    """Calls `work(start, stop)` on ranges that together cover 0 to `count`, on several threads at once.

    Where a range begins depends on the number of threads: work must give the same numbers for any split, or set
    `grain` to `count`. Within work this runs everything in the calling thread. NumPy's error state goes along.

    While the BLAS uses several threads nothing is split: those of OpenBLAS go on for some 20 ms after each product,
    looking for the next one, and in a step of training that is always (measured on a GPT: 5 % slower with ranges
    split). So ranges are split where convolutions hold the BLAS to one thread, or OPENBLAS_NUM_THREADS=1 does.

    Args:
        work: what to do with one range; ranges must not write to the same place.
        count: the number of items.
        grain: no range is smaller than this (but for a smaller `count`).

    Raises:
        Whatever work raises, after all ranges have ended.
    """
    parts = min(_number, count // grain) if grain > 0 else 1
    if parts < 2 or getattr(_here, "busy", False) or not blas.is_quiet():
        work(0, count)
        return
    _start(parts - 1)
    shares = [_Share(work, count * part // parts, count * (part + 1) // parts) for part in range(parts - 1)]
    for share in shares:
        _jobs.put(share)
    try:
        work(shares[-1].stop, count)
    finally:
        for share in shares:
            share.done.acquire()
    for share in shares:
        if share.error is not None:
            raise share.error


def spread_products(work: Work, count: int, grain: int = 1) -> None:
    """`spread` for work that contains matrix products: each stays in its thread.

    Splitting only the products would keep one core waiting during the copies between them. All is done by this
    thread if the BLAS can't be told to leave the others alone.
    """
    if _number < 2 or not blas.switch():
        work(0, count)
        return
    if blas.hold():
        _start(1)
        _jobs.put(_Share(_nothing, 0, 0))  # wakes a thread, which gives the BLAS back when there is no more to do
    try:
        spread(work, count, grain)
    finally:
        blas.let_go()


def _nothing(start: int, stop: int) -> None:
    """Work that is none."""


class _Share:
    """One range on its way to a thread."""

    __slots__ = ("context", "done", "error", "start", "stop", "work")

    def __init__(self, work: Work, start: int, stop: int):
        self.work, self.start, self.stop = work, start, stop
        self.context: Context = copy_context()
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()

    def run(self) -> None:
        try:
            self.context.run(self.work, self.start, self.stop)
        except BaseException as error:
            self.error = error
        finally:
            self.done.release()


IDLE = 0.05  # seconds without products, after which the BLAS gets its threads back


def _serve(jobs: Any) -> None:
    from queue import Empty

    _here.busy = True
    while True:
        try:
            share = jobs.get(timeout=None if blas.rest(IDLE) else IDLE)
        except Empty:
            continue
        share.run()


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
    blas.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
