"""Datasets that worker processes can import: theirs must be at the top level of a module."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from multiprocessing.connection import Connection

import numpy as np

import tinygrad_dl as td
from tinygrad_dl import data


class Numbers(data.Dataset):
    """Sample `i` is i, in an array of this shape, and i."""

    def __init__(self, count, shape=(3,)):
        self.count = count
        self.shape = shape

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return np.full(self.shape, index, np.float32), index


class Random(Numbers):
    """What a sample draws from the default generator."""

    def __getitem__(self, index):
        return td.rand(3), td.randint(0, 1000, (1,))


class Foreign(Numbers):
    """What a sample draws from the global generators of Python and NumPy."""

    def __getitem__(self, index):
        return random.random(), np.random.random()


class Where(Numbers):
    """The process that a sample comes from."""

    def __getitem__(self, index):
        return os.getpid()


class Unusual(Exception):
    """Has a constructor that takes more than a message."""

    def __init__(self, code, detail):
        super().__init__(code, detail)
        self.code = code


class Unsendable(Exception):
    def __init__(self, *args):
        super().__init__(*args)
        self.function = lambda: None


class Fails(Numbers):
    def __init__(self, count, error):
        super().__init__(count)
        self.error = error

    def __getitem__(self, index):
        if index == 5:
            raise self.error
        return index


class FailsUnsendably(Numbers):
    def __getitem__(self, index):
        raise Unsendable("not to be pickled")


class Unpicklable(Numbers):
    def __getitem__(self, index):
        return lambda: index


class Dies(Numbers):
    """At sample 5 the process is killed by a signal, or ends with a code."""

    def __init__(self, count, signal=None, code=None):
        super().__init__(count)
        self.signal = signal
        self.code = code

    def __getitem__(self, index):
        if index == 5:
            if self.signal is not None:
                os.kill(os.getpid(), self.signal)
                time.sleep(60)
            os._exit(self.code)
        return index


class Hangs(Numbers):
    def __getitem__(self, index):
        if index == 5:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # so only SIGKILL ends it
            time.sleep(600)
        return index


class Growing(Numbers):
    """Larger and larger samples, so that shared memory has to be made anew."""

    def __getitem__(self, index):
        return np.full((index + 1) * 5000, index, np.float64)


class Shapes(Numbers):
    """Arrays without elements or dimensions, in Fortran order, of other types, and things that are no arrays."""

    def __getitem__(self, index):
        return {
            "empty": np.empty((0, 3), np.float32),
            "scalar": np.array(index),
            "fortran": np.asfortranarray(np.full((40, 50), index, np.float64)),
            "half": np.full((70, 80), index, np.float16),
            "text": f"sample {index}",
        }


class Stream(data.IterableDataset):
    """The whole numbers below `count`, shared out among the workers."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __iter__(self):
        info = data.get_worker_info()
        start, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(start, self.count, step))


def remember_worker(number):
    info = data.get_worker_info()
    assert info.id == number
    assert info.num_workers == 2
    info.dataset.count = 1000 + number


class Remembers(Numbers):
    def __getitem__(self, index):
        return self.count


def failing_start(number):
    raise OSError(f"no connection for worker {number}")


def pairs(samples):
    """A collate function."""
    return tuple(index for _, index in samples)


class Drawing(Numbers):
    """Samples that draw from a generator of the dataset's own."""

    def __init__(self, count):
        super().__init__(count)
        self.rng = np.random.default_rng(8)

    def __getitem__(self, index):
        return self.rng.normal(size=4).astype(np.float32), index % 2


class Large(Numbers):
    """Samples that go through the pipe in several pieces."""

    def __getitem__(self, index):
        return "x" * 10_000_000


def die_while_sending(samples):
    """A collate function: the process is killed when half of the batch is in the pipe."""
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return Slow(samples)


class Slow:
    """Is sent as much text, of which the pipe takes the first part, and whose second part comes too late."""

    def __init__(self, samples):
        self.samples = samples

    def __reduce__(self):
        write = Connection._send

        def half(self, content, write=write):
            write(self, content[: len(content) // 2] if len(content) > 1_000_000 else content)
            if len(content) > 1_000_000:
                time.sleep(60)

        Connection._send = half
        return str, ("x" * 10_000_000,)
