"""Fetching one batch: what a worker process does, and the loader itself when it has no workers.

Each batch is fetched with the default generator seeded by the epoch's seed and the batch's number, so what a dataset or
a transform draws from it does not depend on which process makes the batch, nor on how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_dl.data.collate import default_collate
from tinygrad_dl.data.datasets import fast_batch
from tinygrad_dl.random import default_generator

__all__ = ["Fetch", "WorkerInfo", "get_worker_info", "seed_of"]

GOLDEN = 0x9E3779B97F4A7C15  # spreads consecutive numbers over all 64 bits


def seed_of(base: int, index: int) -> int:
    """The seed of batch `index` in the epoch whose seed is `base`."""
    return (base + (index + 1) * GOLDEN) % 2**64


class Fetch:
    """Makes the batch of a task. Picklable if its dataset and its collate function are.

    A task is an array or list of samples' numbers; a number where samples are not batched; for a stream how many
    samples to take from it, None for one as it is.
    """

    def __init__(self, dataset: Any, collate: Callable[[Any], Any], stream: bool, drop_last: bool):
        self.dataset = dataset
        self.collate = collate
        self.stream = stream
        self.drop_last = drop_last
        self.samples: Iterator[Any] | None = None

    def __call__(self, task: Any, base: int, index: int) -> Any:
        """The batch; raises StopIteration where a stream has ended."""
        saved = default_generator._rng, default_generator._seed
        default_generator.manual_seed(seed_of(base, index))
        try:
            return self._from_stream(task) if self.stream else self._by_number(task)
        finally:
            default_generator._rng, default_generator._seed = saved

    def _by_number(self, task: Any) -> Any:
        try:
            if isinstance(task, int):
                return self.collate(self.dataset[task])
            if self.collate is default_collate and (quick := fast_batch(self.dataset)) is not None:
                return quick(np.asarray(task, np.int64))
            numbers = task.tolist() if isinstance(task, np.ndarray) else task
            if hasattr(self.dataset, "__getitems__"):
                return self.collate(self.dataset.__getitems__(numbers))
            return self.collate([self.dataset[number] for number in numbers])
        except StopIteration as error:
            # It would end the loop over the loader without a word.
            raise RuntimeError(
                f"got StopIteration from the dataset for {task!r}, expected a sample, or IndexError"
            ) from error

    def _from_stream(self, task: int | None) -> Any:
        if self.samples is None:
            self.samples = iter(self.dataset)
        if task is None:
            return self.collate(next(self.samples))
        samples = [sample for _, sample in zip(range(task), self.samples, strict=False)]
        if not samples or (self.drop_last and len(samples) < task):
            raise StopIteration
        return self.collate(samples)


class WorkerInfo:
    """What a worker process knows of itself: `id`, `num_workers`, `seed`, and its own copy of the `dataset`."""

    __slots__ = ("dataset", "id", "num_workers", "seed")

    def __init__(self, id: int, num_workers: int, seed: int, dataset: Any):
        self.id = id
        self.num_workers = num_workers
        self.seed = seed
        self.dataset = dataset

    def __repr__(self) -> str:
        return f"WorkerInfo(id={self.id}, num_workers={self.num_workers}, seed={self.seed})"


class _Here:
    info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process of a `DataLoader`: its `id`, `num_workers`, `seed` and `dataset`. Elsewhere None.

    >>> from tinygrad_dl import data
    >>> data.get_worker_info() is None
    True
    """
    return _Here.info


def set_worker_info(info: WorkerInfo) -> None:
    """Says that this process is a worker."""
    _Here.info = info
