"""DataLoader: batches of a dataset, made here or by worker processes."""

from __future__ import annotations

import itertools
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tinygrad_dl.core.composition import Composed
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.data.collate import default_collate, default_convert
from tinygrad_dl.data.datasets import IterableDataset
from tinygrad_dl.data.fetch import Fetch
from tinygrad_dl.data.samplers import BatchSampler, RandomSampler, SequentialSampler
from tinygrad_dl.random import Generator, rng_of

if TYPE_CHECKING:
    from tinygrad_dl.data.workers import Pool

__all__ = ["DataLoader"]


class DataLoader(Composed):
    """Goes through a dataset in batches, in an order that a generator decides.

    The same seed gives the same batches, whatever the number of workers; so does what a dataset or a transform draws
    from the default generator (`td.rand` and its like without `generator=`), because that is seeded anew for each
    batch. In worker processes so are Python's `random` and NumPy's global generator. A generator of its own that a
    dataset keeps is another matter: each worker has a copy.

    Worker processes pay when making a batch takes longer than using it: reading and decoding files, heavy augmentation.
    Arrays in memory are served fastest by a `TensorDataset` without workers. Workers are started afresh (`spawn`), so
    the dataset and the functions given here must be picklable, and a program must start its work under
    `if __name__ == "__main__":`. `multiprocessing_context="fork"` starts them faster and without either demand, and is
    not safe beside threads, which BLAS has.

    Args:
        dataset: samples by number (`__getitem__`, `__len__`), or an `IterableDataset`.
        batch_size: samples in a batch; None gives single samples.
        shuffle: whether each pass has an order of its own.
        sampler: the order of the samples instead; anything iterable.
        batch_sampler: the batches themselves, as lists of numbers, instead.
        num_workers: how many processes make batches ahead of time; 0 makes them here when they are asked for.
        collate_fn: makes a batch of a list of samples (default: `default_collate`).
        pin_memory: accepted for compatibility; batches are made on the CPU, and copies start from any memory.
        drop_last: whether a last batch that is smaller is left out.
        timeout: seconds to wait for a batch of a worker; 0 waits for ever.
        worker_init_fn: called in each worker with its number, once, before it makes batches.
        multiprocessing_context: how workers are started: "spawn" (the default), "forkserver", "fork" or a context.
        generator: where the order and the seeds come from (default: the one of `td.manual_seed`).
        prefetch_factor: how many batches each worker makes ahead (default: 2).
        persistent_workers: whether the workers stay from one pass to the next.
        pin_memory_device, in_order: accepted for compatibility; batches come in order in any case.

    Raises:
        ValueError: options that contradict each other.
        RuntimeError: while iterating: a worker has died (the message says which, and of what) or timed out.
        Exception: while iterating: what the dataset raised; if in a worker, its traceback is added as a note.

    >>> dataset = td.data.TensorDataset(td.arange(5))
    >>> [x.tolist() for [x] in td.data.DataLoader(dataset, batch_size=2)]
    [[0, 1], [2, 3], [4]]
    >>> loader = td.data.DataLoader(dataset, batch_size=2, shuffle=True, generator=td.Generator().manual_seed(0))
    >>> sorted(number for [x] in loader for number in x.tolist())
    [0, 1, 2, 3, 4]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ):
        stream = isinstance(dataset, IterableDataset)
        _check_order(stream, batch_size, shuffle, sampler, batch_sampler, drop_last)
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        if generator is not None and not isinstance(generator, Generator):
            raise TypeError(f"DataLoader: expected a td.Generator, got {type(generator).__name__}")
        if not (stream or hasattr(dataset, "__getitem__") or hasattr(dataset, "__getitems__")):
            raise TypeError(
                f"DataLoader: got dataset={summary(dataset)}, expected a data.Dataset or a list, with samples by "
                f"number, or a data.IterableDataset"
            )
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if prefetch_factor is None and num_workers else prefetch_factor
        self.pin_memory, self.pin_memory_device, self.in_order = pin_memory, pin_memory_device, in_order
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.persistent_workers = persistent_workers
        self.drop_last = drop_last
        self.batch_size = None if batch_sampler is not None else batch_size
        if sampler is None and not stream and batch_sampler is None:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_sampler is None and sampler is not None and batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        single = batch_size is None and batch_sampler is None
        self.collate_fn = collate_fn or (default_convert if single else default_collate)
        self._pool: Pool | None = None

    def _tasks(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            return itertools.repeat(self.batch_size)
        if self.batch_sampler is None:
            assert self.sampler is not None
            return (int(number) for number in self.sampler)
        arrays = self.batch_sampler.arrays() if isinstance(self.batch_sampler, BatchSampler) else None
        return iter(self.batch_sampler) if arrays is None else arrays

    def __iter__(self) -> Iterator[Any]:
        base = int(rng_of(self.generator).integers(2**63))
        fetch = Fetch(self.dataset, self.collate_fn, isinstance(self.dataset, IterableDataset), self.drop_last)
        if self.num_workers:
            return _FromWorkers(self, fetch, base)
        return self._here(fetch, base)

    def _here(self, fetch: Fetch, base: int) -> Iterator[Any]:
        for index, task in enumerate(self._tasks()):
            try:
                batch = fetch(task, base, index)
            except StopIteration:
                return
            yield batch

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            order: Any = self.sampler if self.batch_sampler is None else self.batch_sampler
            return len(order)
        stream: Any = self.dataset
        total = len(stream)
        if self.batch_size is None:
            return total
        return total // self.batch_size if self.drop_last else -(-total // self.batch_size)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_pool": None}


class _FromWorkers:
    """One pass over the data with worker processes. They end with it, unless they are persistent."""

    def __init__(self, loader: DataLoader, fetch: Fetch, base: int):
        from tinygrad_dl.data.workers import Pool

        self.loader = loader
        pool = loader._pool
        if pool is None or pool.closed:
            pool = Pool((fetch, loader.worker_init_fn), loader.num_workers, loader.multiprocessing_context)
            if loader.persistent_workers:
                loader._pool = pool
            # Called when the owner is collected, and at the latest when the interpreter ends.
            weakref.finalize(loader if loader.persistent_workers else self, pool.close)
        self.pool = pool
        self.epoch = pool.start_epoch(base)
        self.tasks = enumerate(loader._tasks())
        self.turn = deque(range(loader.num_workers))
        self.pending: deque[tuple[int, int]] = deque()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __len__(self) -> int:
        return len(self.loader)

    def _fill(self) -> None:
        while len(self.pending) < (self.loader.prefetch_factor or 2) * len(self.turn):
            found = next(self.tasks, None)
            if found is None:
                return
            worker = self.turn[0]
            self.turn.rotate(-1)
            self.pool.submit(worker, *found)
            self.pending.append((found[0], worker))

    def __next__(self) -> Any:
        from tinygrad_dl.data.workers import END

        if self.epoch != self.pool.epoch:
            raise RuntimeError(
                "DataLoader: got a batch asked of an older pass, expected the newest: it has taken the persistent "
                "workers over"
            )
        while not self.pool.closed:
            self._fill()
            if not self.pending:
                break
            index, worker = self.pending.popleft()
            batch = self.pool.receive(worker, self.epoch, index, self.loader.timeout)
            if batch is not END:
                self._fill()  # work for the worker while the batch is used
                return batch
            if worker in self.turn:
                self.turn.remove(worker)
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Ends the pass, and with it the worker processes, unless they are persistent."""
        if not self.loader.persistent_workers:
            self.pool.close()


def _check_order(
    stream: bool, batch_size: int | None, shuffle: bool | None, sampler: Any, batch_sampler: Any, drop_last: bool
) -> None:
    if stream:
        for name, value in (("shuffle", shuffle), ("sampler", sampler), ("batch_sampler", batch_sampler)):
            if value is not None and value is not False:
                raise ValueError(
                    f"DataLoader: got {name}={value!r} with an IterableDataset, expected a dataset whose samples have "
                    "numbers: this one decides its own order; shuffle in its __iter__"
                )
    if sampler is not None and shuffle:
        raise ValueError(
            "DataLoader: got both shuffle=True and a sampler, expected one of them: the sampler decides the order; a "
            "RandomSampler shuffles"
        )
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError(
            "DataLoader: got batch_sampler beside batch_size, shuffle, sampler or drop_last, expected it alone: it "
            "decides the batches"
        )
    if batch_size is None:
        if drop_last:
            raise ValueError(
                "DataLoader: got drop_last=True with batch_size=None, expected a batch_size: without batches there is "
                "no last one to drop"
            )
    elif not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
        raise ValueError(f"DataLoader: expected batch_size to be a whole number above 0, or None, got {batch_size!r}")


def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None, persistent: bool) -> None:
    if not isinstance(num_workers, int) or isinstance(num_workers, bool) or num_workers < 0:
        raise ValueError(f"DataLoader: expected num_workers to be a whole number, 0 or more, got {num_workers!r}")
    if timeout < 0:
        raise ValueError(f"DataLoader: expected timeout of 0 or more seconds, got {timeout}")
    if not num_workers:
        for name, value in (("timeout", timeout), ("prefetch_factor", prefetch_factor)):
            if value:
                raise ValueError(
                    f"DataLoader: got {name}={value} with num_workers=0, expected num_workers above 0: it is for "
                    "worker processes"
                )
        if persistent:
            raise ValueError("DataLoader: got persistent_workers=True with num_workers=0, expected num_workers above 0")
    elif prefetch_factor is not None and prefetch_factor < 1:
        raise ValueError(f"DataLoader: expected prefetch_factor of 1 or more, got {prefetch_factor}")
