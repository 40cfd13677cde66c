"""Samplers: in which order the samples are taken.

Those here also have `chunks()`, which gives the order in arrays, drawn as they are needed; a `DataLoader` cuts them
into batches without a Python object for each sample.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from tinygrad_dl import distributed
from tinygrad_dl.core.composition import Composed
from tinygrad_dl.random import Generator, rng_of

__all__ = [
    "BatchSampler",
    "DistributedSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

T_co = TypeVar("T_co", covariant=True)


class Sampler(Composed, Generic[T_co]):
    """An order of samples: a subclass has `__iter__()`, which gives their numbers, and, if it can, `__len__()`.

    >>> from tinygrad_dl import data
    >>> class Backwards(data.Sampler):
    ...     def __iter__(self):
    ...         return iter([2, 1, 0])
    >>> [batch.tolist() for batch in data.DataLoader([10, 20, 30], batch_size=2, sampler=Backwards())]
    [[30, 20], [10]]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(
            f"{type(self).__name__}: got a Sampler without __iter__, expected one that gives the samples' numbers; "
            "define __iter__(self)"
        )


CHUNK = 1 << 20  # numbers drawn at a time


class _Order(Sampler[int]):
    """A sampler whose order comes in arrays."""

    def chunks(self) -> Iterator[np.ndarray]:
        """The numbers of the samples in the order of this pass, in arrays."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        return itertools.chain.from_iterable(chunk.tolist() for chunk in self.chunks())


def drawn(
    draw: Callable[[np.random.Generator, int], np.ndarray], count: int, generator: Generator | None
) -> Iterator[np.ndarray]:
    """`count` numbers in arrays, of which `draw(rng, n)` gives up to n.

    All that is taken from the generator is taken at once: the first array and, if there are to be more, the seed of the
    others. So it does not matter to what else draws from it how far ahead of the batches the order is drawn.
    """
    rng = rng_of(generator)
    first = draw(rng, count)
    if len(first) == count:
        return iter([first])
    return itertools.chain([first], _others(draw, count - len(first), int(rng.integers(2**63))))


def _others(draw: Callable[[np.random.Generator, int], np.ndarray], left: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.Generator(np.random.SFC64(seed))
    while left:
        chunk = draw(rng, left)
        left -= len(chunk)
        yield chunk


class SequentialSampler(_Order):
    """The samples in their own order.

    >>> from tinygrad_dl import data
    >>> list(data.SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Any):
        self.data_source = data_source

    def chunks(self) -> Iterator[np.ndarray]:
        total = len(self.data_source)
        return (np.arange(start, min(start + CHUNK, total)) for start in range(0, total, CHUNK))

    def __len__(self) -> int:
        return len(self.data_source)


def _check_count(name: str, num_samples: int) -> None:
    if not isinstance(num_samples, int | np.integer) or isinstance(num_samples, bool) or num_samples <= 0:
        raise ValueError(f"{name}: expected num_samples to be a whole number above 0, got {num_samples!r}")


class RandomSampler(_Order):
    """The samples in random order, another one in each pass.

    Args:
        data_source: what has a length.
        replacement: whether each draw is made among all samples, so that some come twice and some not at all.
        num_samples: how many to draw (default: as many as there are). More than there are: several passes. They are
            drawn as they are needed, so there is no limit.
        generator: where the random numbers come from (default: the one of `td.manual_seed`).

    >>> sorted(td.data.RandomSampler("abcd"))
    [0, 1, 2, 3]
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ):
        if num_samples is not None:
            _check_count("RandomSampler", num_samples)
        self.data_source = data_source
        self.replacement = replacement
        self.generator = generator
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        """How many samples a pass gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def chunks(self) -> Iterator[np.ndarray]:
        total = len(self.data_source)
        if not total:
            return iter(())

        def draw(rng: np.random.Generator, count: int) -> np.ndarray:
            return rng.integers(total, size=min(count, CHUNK)) if self.replacement else rng.permutation(total)[:count]

        return drawn(draw, self.num_samples, self.generator)

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(_Order):
    """The samples of these numbers, in random order.

    >>> from tinygrad_dl import data
    >>> sorted(data.SubsetRandomSampler([4, 2]))
    [2, 4]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None):
        self._chosen = np.asarray(indices, np.int64)
        self.generator = generator

    def chunks(self) -> Iterator[np.ndarray]:
        return iter([self._chosen[rng_of(self.generator).permutation(len(self._chosen))]])

    def __len__(self) -> int:
        return len(self._chosen)


class DistributedSampler(_Order):
    """The share of one of several processes in the samples; all shares have the same size.

    Args:
        dataset: what has a length.
        num_replicas: the number of processes; by default that of the process group (`td.distributed`).
        rank: which of them this is, from 0 on; by default as the process group says. It gets the samples rank,
            rank + num_replicas, ... of the order.
        shuffle: whether the order is random: the same in all processes, another one for each epoch that is set.
        seed: what the random order depends on, beside the epoch.
        drop_last: whether the last samples are left out where the shares are uneven; if not, the first ones come again.

    Raises:
        ValueError: rank is not between 0 and num_replicas - 1; or one of the two is missing, and there is no process
            group to ask (`td.distributed.init_process_group`).

    >>> sampler = td.data.DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False)
    >>> list(sampler)
    [1, 3, 0]

    Source: https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ):
        if num_replicas is None or rank is None:
            if not distributed.is_initialized():
                raise ValueError(
                    f"DistributedSampler: got num_replicas={num_replicas} and rank={rank}, expected both, or a process "
                    "group to ask; call td.distributed.init_process_group() first"
                )
            num_replicas = distributed.get_world_size() if num_replicas is None else num_replicas
            rank = distributed.get_rank() if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(f"DistributedSampler: got rank {rank}, expected one between 0 and {num_replicas - 1}")
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        self.num_samples = len(dataset) // num_replicas if drop_last else -(-len(dataset) // num_replicas)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch, so that the next pass has an order of its own."""
        self.epoch = epoch

    def chunks(self) -> Iterator[np.ndarray]:
        order = np.arange(len(self.dataset))
        if self.shuffle:
            order = rng_of(Generator().manual_seed(self.seed + self.epoch)).permutation(order)
        return iter([np.resize(order, self.total_size)[self.rank :: self.num_replicas]])

    def __len__(self) -> int:
        return self.num_samples


class WeightedRandomSampler(_Order):
    """Samples drawn with probabilities proportional to the given weights: rare classes can be made frequent.

    Args:
        weights: one number, zero or more, for each sample; they need not sum to 1.
        num_samples: how many to draw.
        replacement: whether a sample may be drawn twice.
        generator: where the random numbers come from.

    Raises:
        ValueError: a weight is negative or no number, all are zero, or more samples are asked for without replacement
            than have a weight above zero.

    >>> from tinygrad_dl import data
    >>> list(data.WeightedRandomSampler([0.0, 1.0, 0.0], 4))
    [1, 1, 1, 1]
    """

    def __init__(
        self,
        weights: Sequence[float] | Any,
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ):
        _check_count("WeightedRandomSampler", num_samples)
        found = np.asarray(weights, np.float64)
        if found.ndim != 1:
            raise ValueError(f"WeightedRandomSampler: expected one weight for each sample, got shape {found.shape}")
        if not (np.isfinite(found).all() and (found >= 0).all() and found.sum() > 0):
            raise ValueError(
                "WeightedRandomSampler: got weights that are not all finite and 0 or more, or all 0, expected finite "
                "weights of 0 or more, and one above 0"
            )
        possible = int(np.count_nonzero(found))
        if not replacement and num_samples > possible:
            raise ValueError(
                f"WeightedRandomSampler: got num_samples={num_samples} without replacement, expected at most "
                f"{possible}: as many weights are above 0"
            )
        self.weights = found
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def chunks(self) -> Iterator[np.ndarray]:
        chances = self.weights / self.weights.sum()

        def draw(rng: np.random.Generator, count: int) -> np.ndarray:
            wanted = min(count, CHUNK) if self.replacement else count
            return rng.choice(len(chances), wanted, replace=self.replacement, p=chances)

        return drawn(draw, self.num_samples, self.generator)

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Cuts the order of another sampler into batches.

    Args:
        sampler: anything that gives samples' numbers.
        batch_size: how many there are in a batch.
        drop_last: whether a last batch that is smaller is left out.

    >>> from tinygrad_dl import data
    >>> list(data.BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool):
        if not isinstance(batch_size, int | np.integer) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(f"BatchSampler: expected batch_size to be a whole number above 0, got {batch_size!r}")
        if not isinstance(drop_last, bool):
            raise ValueError(f"BatchSampler: expected drop_last to be True or False, got {drop_last!r}")
        self.sampler = sampler
        self.batch_size = int(batch_size)
        self.drop_last = drop_last

    def arrays(self) -> Iterator[np.ndarray] | None:
        """The batches of this pass as arrays, if the sampler gives its order in such."""
        if not isinstance(self.sampler, _Order) or type(self).__iter__ is not BatchSampler.__iter__:
            return None
        # A subclass with an `__iter__` of its own means that one.
        if type(self.sampler).__iter__ is not _Order.__iter__:
            return None
        return self._cut(self.sampler.chunks())

    def _cut(self, chunks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        size, rest = self.batch_size, np.arange(0)
        for chunk in chunks:
            order = np.concatenate([rest, chunk]) if len(rest) else chunk
            end = len(order) - len(order) % size
            yield from (order[start : start + size] for start in range(0, end, size))
            rest = order[end:]
        if len(rest) and not self.drop_last:
            yield rest

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        sampler: Any = self.sampler
        total = len(sampler)
        return total // self.batch_size if self.drop_last else -(-total // self.batch_size)
