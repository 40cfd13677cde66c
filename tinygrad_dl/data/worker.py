"""A worker process: reads tasks from a pipe, fetches the batches, and sends them back.

A thread of its own reads the pipe, for two reasons: the parent never waits for a worker that is itself waiting to send,
and a worker notices at once that its parent has gone, whatever it is doing.
"""

from __future__ import annotations

import os
import pickle
import queue
import random
import signal
import threading
import time
import traceback
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from tinygrad_dl.data.fetch import WorkerInfo, seed_of, set_worker_info
from tinygrad_dl.random import manual_seed

__all__ = ["ALIGNMENT", "BEGUN", "aligned", "work"]

BEGUN = b"begun"  # the first message of a worker: it has come as far as to be one
GRACE = 5.0  # seconds that a worker without a parent may go on with its batch
ALIGNMENT = 64


def aligned(size: int) -> int:
    """The size, rounded up so that the next array starts at a multiple of a cache line."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def _listen(tasks: Connection, inbox: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            inbox.put(tasks.recv())
    except (EOFError, OSError):
        inbox.put(None)
    time.sleep(GRACE)
    os._exit(1)


class _Outlet:
    """Sends batches: their arrays through shared memory where the parent has given enough, else through the pipe."""

    def __init__(self, results: Connection):
        self.results = results
        self.segments: dict[int, SharedMemory] = {}

    def attach(self, slot: int, name: str | None) -> None:
        held = self.segments.get(slot)
        if name is None or (held is not None and held.name == name):
            return
        if held is not None:
            held.close()
        self.segments[slot] = SharedMemory(name)

    def send(self, epoch: int, index: int, slot: int, kind: str, value: Any) -> None:
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        parts = [buffer.raw() for buffer in buffers]
        sizes = [part.nbytes for part in parts]
        segment = self.segments.get(slot)
        shared = segment is not None and sum(map(aligned, sizes)) <= segment.size
        if segment is not None and shared:
            start = 0
            memory = np.ndarray(segment.size, np.uint8, segment.buf)
            for part, size in zip(parts, sizes, strict=True):
                memory[start : start + size] = np.frombuffer(part, np.uint8)
                start += aligned(size)
        self.results.send_bytes(pickle.dumps((epoch, index, slot, kind, shared, head, sizes)))
        if not shared:
            for part in parts:
                self.results.send_bytes(part)


def _describe(error: BaseException) -> tuple[BaseException | None, str, str]:
    """The exception itself if it survives being sent, its one-line form, and its traceback as text."""
    text = "".join(traceback.format_exception(error))
    line = "".join(traceback.format_exception_only(error)).strip()
    try:
        copy = pickle.loads(pickle.dumps(error))
        return (error if type(copy) is type(error) else None), line, text
    except Exception:
        return None, line, text


def work(tasks: Connection, results: Connection, payload: bytes, worker: int, workers: int) -> None:
    """The life of worker number `worker`: until the parent closes the pipe of tasks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(tasks, inbox), daemon=True).start()
    outlet = _Outlet(results)
    fetch: Any = None
    init: Any = None
    failure: BaseException | None = None
    base = 0
    try:
        results.send_bytes(BEGUN)
        fetch, init = pickle.loads(payload)
    except BaseException as error:
        error.add_note(
            "The worker does not find what was defined in an interactive session, a notebook, or a program read from "
            "standard input; define the dataset and its functions in a module, or use num_workers=0"
        )
        failure = error
    try:
        while (message := inbox.get()) is not None:
            if message[0] == "epoch":
                base = message[1]
                if failure is None:
                    fetch.samples = None
                    set_worker_info(WorkerInfo(worker, workers, (base + worker) % 2**63, fetch.dataset))
                    if init is not None:
                        manual_seed(base + worker)
                        try:
                            init(worker)
                        except BaseException as error:
                            failure = error
                        init = None
                continue
            epoch, index, task, slot, name = message
            outlet.attach(slot, name)
            try:
                if failure is not None:
                    raise failure
                # The global generators of others, so that what they draw depends on the batch alone, too.
                seed = seed_of(base, index)
                random.seed(seed)
                np.random.seed(seed % 2**32)
                outlet.send(epoch, index, slot, "batch", fetch(task, base, index))
            except StopIteration:
                outlet.send(epoch, index, slot, "end", None)
            except (BrokenPipeError, ConnectionResetError):
                return
            except BaseException as error:  # SystemExit too: what ended is not the worker's doing
                outlet.send(epoch, index, slot, "error", _describe(error))
    except (BrokenPipeError, ConnectionResetError):
        return  # the parent needs no more
