"""Worker processes, seen from the parent: starting them, giving them tasks, taking their batches, ending them.

- Processes are started afresh (`spawn`): a fork would copy the locks of BLAS and of thread pools, not their threads.
- Tasks go round in turn and each worker answers in order, so the next batch is always the next message of a known
  worker, and the order of the batches does not depend on who is faster.
- The arrays of a batch come through shared memory that the parent makes, and makes larger when a batch did not fit;
  it is the parent's alone to remove, so that a worker that is killed leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from tinygrad_dl.data.worker import BEGUN, aligned, work

__all__ = ["END", "Pool"]

END = object()  # what a worker answers whose stream has ended
PATIENCE = 0.5  # seconds that workers get to end by themselves
SMALL = 16 * 1024  # bytes of arrays that the pipe takes as well as shared memory
LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_environment = threading.Lock()


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started here use one thread for BLAS, unless the user has said how many."""
    with _environment:
        missing = [name for name in LIMITS if name not in os.environ]
        os.environ.update(dict.fromkeys(missing, "1"))
        try:
            yield
        finally:
            for name in missing:
                os.environ.pop(name, None)


class _Worker:
    """One process, its two pipes, and the slots of shared memory that its batches come in."""

    def __init__(self, context: Any, payload: bytes, number: int, total: int):
        theirs, self.tasks = context.Pipe(duplex=False)
        self.results: Connection
        self.results, answers = context.Pipe(duplex=False)
        self.number = number
        self.free: deque[int] = deque()
        self.segments: list[SharedMemory | None] = []
        self.begun = False
        self.process = context.Process(
            target=work, args=(theirs, answers, payload, number, total), name=f"DataLoader worker {number}", daemon=True
        )
        try:
            self.process.start()
        finally:
            theirs.close()
            answers.close()

    def send(self, message: Any) -> None:
        # A worker that has died is reported when its batch is due.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.tasks.send(message)

    def submit(self, epoch: int, index: int, task: Any) -> None:
        if not self.free:
            self.free.append(len(self.segments))
            self.segments.append(None)
        slot = self.free.popleft()
        segment = self.segments[slot]
        self.send((epoch, index, task, slot, None if segment is None else segment.name))

    def message(self) -> bytes:
        """The next message of the process.

        Raises:
            RuntimeError: it has ended, be it in the middle of a message.
        """
        try:
            return self.results.recv_bytes()
        except (EOFError, OSError):
            raise RuntimeError(self.obituary()) from None

    def receive(self) -> tuple[int, int, str, Any]:
        """The next answer: epoch, index, kind and value."""
        epoch, index, slot, kind, shared, head, sizes = pickle.loads(self.message())
        segment = self.segments[slot]
        parts: list[Any] = []
        start = 0
        for size in sizes:
            part = np.empty(size, np.uint8)
            if shared and segment is not None:
                part[:] = np.frombuffer(segment.buf, np.uint8, size, start)
                start += aligned(size)
            else:
                part[:] = np.frombuffer(self.message(), np.uint8)
            parts.append(part)
        needed = sum(map(aligned, sizes))
        if not shared and needed > SMALL:
            self.segments[slot] = None
            _remove(segment)
            with contextlib.suppress(OSError):  # no room for shared memory: the pipe serves as well
                name = f"td-{os.getpid()}-{os.urandom(4).hex()}"
                self.segments[slot] = SharedMemory(name, create=True, size=needed + needed // 8)
        self.free.append(slot)
        return epoch, index, kind, pickle.loads(head, buffers=parts)

    def obituary(self) -> str:
        """How the process ended, for an error."""
        self.process.join(PATIENCE)
        code = self.process.exitcode
        who = f"DataLoader: worker {self.number} (pid {self.process.pid})"
        if code is None:
            return f"{who} closed its pipe without a word"
        if code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = "unknown"
            hint = "; it may have run out of memory: try fewer workers or smaller batches" if code == -9 else ""
            return f"{who} was killed by signal {-code} ({name}){hint}"
        hint = ""
        if not self.begun:
            hint = (
                " before it had begun. A worker imports the main program again: what starts the loader must stand "
                "under `if __name__ == '__main__':`, in a file"
            )
        return f"{who} ended with exit code {code}{hint}"


def _remove(segment: SharedMemory | None) -> None:
    if segment is not None:
        with contextlib.suppress(OSError, BufferError):
            segment.close()
        with contextlib.suppress(OSError):
            segment.unlink()


class Pool:
    """The worker processes of a loader."""

    def __init__(self, job: Any, workers: int, context: Any):
        self.workers: list[_Worker] = []
        self.epoch = 0
        self.closed = False
        self.pid = os.getpid()
        chosen = multiprocessing.get_context(context or "spawn") if isinstance(context, str | None) else context
        try:
            payload = bytes(ForkingPickler.dumps(job))
        except Exception as error:
            raise TypeError(
                "DataLoader: got a dataset, collate_fn or worker_init_fn that can't be sent to worker processes, "
                f"expected what pickle can send: {error}; define them at the top level of a "
                "module, or use num_workers=0"
            ) from error
        if os.name == "posix":
            # One tracker for all: a worker that started one of its own would remove the parent's memory as it ends.
            from multiprocessing import resource_tracker

            resource_tracker.ensure_running()
        try:
            with _one_thread_each():
                for number in range(workers):
                    self.workers.append(_Worker(chosen, payload, number, workers))
        except BaseException:
            self.close()
            raise

    def start_epoch(self, base: int) -> int:
        """Tells all workers the seed of a new pass over the data; returns its number."""
        self.epoch += 1
        with self._closed_if_broken_off():
            for worker in self.workers:
                worker.send(("epoch", base))
        return self.epoch

    def submit(self, number: int, index: int, task: Any) -> None:
        """Gives worker `number` a task of this epoch."""
        with self._closed_if_broken_off():
            self.workers[number].submit(self.epoch, index, task)

    @contextlib.contextmanager
    def _closed_if_broken_off(self) -> Iterator[None]:
        """A message that was sent or read in part, because of Ctrl-C for one, leaves the pipes of no use."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def receive(self, number: int, epoch: int, index: int, timeout: float) -> Any:
        """The answer of worker `number` to task `index` of this epoch; answers of earlier epochs are dropped."""
        worker = self.workers[number]
        with self._closed_if_broken_off():
            while True:
                if timeout and not worker.results.poll(timeout):
                    raise RuntimeError(
                        f"DataLoader: got no batch from worker {number} (pid {worker.process.pid}), expected one "
                        f"within {timeout} seconds (batch {index}); give it more time with timeout=, or see what "
                        "the dataset waits for"
                    )
                if not worker.begun:
                    worker.begun = worker.message() == BEGUN
                    continue
                found, at, kind, value = worker.receive()
                if found == epoch:
                    break
            assert at == index
            if kind == "error":
                raise _raised(value, worker)
        return END if kind == "end" else value

    def close(self) -> None:
        """Ends all processes and removes the shared memory. What does not end by itself is made to."""
        if self.closed or os.getpid() != self.pid:
            return
        self.closed = True
        for worker in self.workers:
            worker.tasks.close()
            worker.results.close()
        until = time.monotonic() + PATIENCE
        for end in (None, "terminate", "kill"):
            for worker in self.workers:
                if end is not None and worker.process.is_alive():
                    getattr(worker.process, end)()
            for worker in self.workers:
                worker.process.join(max(0.0, until - time.monotonic()))
            until = time.monotonic() + 2 * PATIENCE
        for worker in self.workers:
            for segment in worker.segments:
                _remove(segment)


def _raised(value: tuple[BaseException | None, str, str], worker: _Worker) -> BaseException:
    """The exception that a worker sent, with its traceback as a note."""
    error, line, text = value
    who = f"DataLoader worker {worker.number} (pid {worker.process.pid})"
    # A SystemExit would end this program, and a KeyboardInterrupt would look like the user's.
    if error is None or isinstance(error, StopIteration) or not isinstance(error, Exception):
        error = RuntimeError(f"{who} raised {line}")
    error.add_note(f"Raised in {who}:\n\n{text}")
    return error
