"""Datasets: what has a length and gives sample `i`, and ways to join, stack and divide such things.

Beside PyTorch's `__getitem__` a dataset may have `__getbatch__(indices)`, which returns the collated batch of an
array of indices at once. A `TensorDataset` then costs one gather for each array, not one Python call for each sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from tinygrad_dl.core.composition import Composed
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.data.collate import default_collate
from tinygrad_dl.random import Generator, rng_of

# fmt: off
__all__ = [
    "ChainDataset", "ConcatDataset", "Dataset", "IterableDataset", "StackDataset", "Subset", "TensorDataset",
    "random_split",
]
# fmt: on

T_co = TypeVar("T_co", covariant=True)


def fast_batch(dataset: Any) -> Callable[[np.ndarray], Any] | None:
    """The dataset's `__getbatch__`, unless a subclass has a `__getitem__` that it knows nothing of."""
    for kind in type(dataset).__mro__:
        if "__getbatch__" in vars(kind):
            found: Callable[[np.ndarray], Any] = dataset.__getbatch__
            return found
        if "__getitem__" in vars(kind):
            return None
    return None


def get_batch(dataset: Any, indices: np.ndarray) -> Any:
    """The collated batch of these samples, by the fastest way that the dataset offers."""
    quick = fast_batch(dataset)
    if quick is not None:
        return quick(indices)
    return default_collate([dataset[index] for index in indices.tolist()])


class Dataset(Composed, Generic[T_co]):
    """Samples by number: a subclass has `__getitem__(index)` and `__len__()`.

    >>> from tinygrad_dl import data
    >>> class Squares(data.Dataset):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, index):
    ...         return index**2
    >>> Squares()[3]
    9
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(
            f"{type(self).__name__}: got a Dataset without __getitem__, expected one that returns sample `index`; "
            "define __getitem__(self, index)"
        )

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """Samples from a stream: a subclass has `__iter__()`.

    With worker processes each of them iterates over a copy of its own: share the stream out with `get_worker_info()`.

    >>> from tinygrad_dl import data
    >>> class Count(data.IterableDataset):
    ...     def __iter__(self):
    ...         return iter(range(3))
    >>> [batch.tolist() for batch in data.DataLoader(Count(), batch_size=2)]
    [[0, 1], [2]]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(
            f"{type(self).__name__}: got an IterableDataset without __iter__, expected one that returns the samples; "
            "define __iter__(self)"
        )

    def __add__(self, other: Dataset[Any]) -> Any:
        return ChainDataset([self, other])


class ChainDataset(IterableDataset[Any]):
    """Several streams one after the other; `a + b` of streams makes one.

    Its length, if all of them have one, is the sum.

    >>> from tinygrad_dl import data
    >>> class Count(data.IterableDataset):
    ...     def __iter__(self):
    ...         return iter(range(2))
    >>> list(data.ChainDataset([Count(), Count()]))
    [0, 1, 0, 1]
    """

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        for number, dataset in enumerate(self.datasets):
            if not isinstance(dataset, IterableDataset):
                raise TypeError(
                    f"ChainDataset: got {type(dataset).__name__} for dataset {number}, expected an IterableDataset; "
                    "ConcatDataset joins those whose samples have numbers"
                )
            yield from dataset

    def __len__(self) -> int:
        datasets: Any = self.datasets
        return sum(len(dataset) for dataset in datasets)


def _same_length(what: str, lengths: Mapping[Any, int]) -> int:
    if not lengths:
        raise ValueError(f"{what}: expected at least one, got none")
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise ValueError(f"{what}: got different lengths, {found}, expected the same length of all")
    return next(iter(lengths.values()))


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Sample `i` is the tuple of the i-th rows of the given tensors (or arrays, whose memory it then shares).

    Args:
        tensors: all of the same length.
        transform: called with the tensors of a whole batch, `transform(images, labels)`; returns as many, changed. The
            transforms in `data.transforms` are such functions. A single sample goes through it as a batch of one.

    Raises:
        ValueError: the tensors differ in length, or there are none.

    >>> dataset = td.data.TensorDataset(td.tensor([[1.0], [2.0]]), td.tensor([0, 1]))
    >>> dataset[1]
    (tensor([2.]), tensor(1))
    >>> noise = td.data.transforms.GaussianNoise(sigma=0.1)
    >>> noisy = td.data.TensorDataset(td.rand(9, 1, 8, 8), td.arange(9), transform=noise)
    >>> [x.shape for x in next(iter(td.data.DataLoader(noisy, batch_size=4)))]
    [(4, 1, 8, 8), (4,)]
    """

    def __init__(self, *tensors: Any, transform: Callable[..., Any] | None = None):
        self.transform = transform
        self.tensors = tuple(t if isinstance(t, Tensor) else wrap(np.asarray(t)) for t in tensors)
        for number, tensor in enumerate(self.tensors):
            if not tensor.ndim:
                raise ValueError(f"TensorDataset: got a 0-d tensor {number}, expected rows, one for each sample")
        self._length = _same_length("TensorDataset", {f"tensor {i}": len(t) for i, t in enumerate(self.tensors)})

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        rows = tuple(tensor[index] for tensor in self.tensors)
        if self.transform is None:
            return rows
        return tuple(part[0] for part in self._transformed([row.unsqueeze(0) for row in rows]))

    def __getbatch__(self, indices: np.ndarray) -> list[Tensor]:
        if any(tensor.requires_grad for tensor in self.tensors):
            batch = [tensor[wrap(indices)] for tensor in self.tensors]
        else:
            batch = [wrap(tensor._data.take(indices, axis=0)) for tensor in self.tensors]
        return batch if self.transform is None else self._transformed(batch)

    def _transformed(self, batch: list[Tensor]) -> list[Tensor]:
        assert self.transform is not None
        changed = self.transform(*batch)
        return list(changed) if isinstance(changed, tuple | list) else [changed]

    def __len__(self) -> int:
        return self._length


class StackDataset(Dataset[Any]):
    """Several datasets of the same length side by side: sample `i` is a tuple (or dict) of theirs.

    >>> from tinygrad_dl import data
    >>> data.StackDataset([10, 20], "ab")[1]
    (20, 'b')
    >>> data.StackDataset(image=[10, 20], text="ab")[0]
    {'image': 10, 'text': 'a'}
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any):
        if args and kwargs:
            raise ValueError("StackDataset: expected datasets either by position or by name, got both")
        self.datasets = kwargs or args
        self._length = _same_length("StackDataset", {name: len(dataset) for name, dataset in self._named()})

    def _named(self) -> Iterable[tuple[Any, Any]]:
        return self.datasets.items() if isinstance(self.datasets, dict) else enumerate(self.datasets)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __len__(self) -> int:
        return self._length


class Subset(Dataset[T_co]):
    """The samples of `dataset` whose numbers are in `indices`, in that order.

    >>> from tinygrad_dl import data
    >>> subset = data.Subset("abcd", [3, 1])
    >>> len(subset), subset[0]
    (2, 'd')
    """

    def __init__(self, dataset: Any, indices: Sequence[int] | np.ndarray | Tensor):
        self.dataset = dataset
        self.indices = indices.tolist() if isinstance(indices, np.ndarray | Tensor) else list(indices)
        self._array = np.asarray(self.indices, np.int64)

    def __getitem__(self, index: int) -> T_co:
        found: T_co = self.dataset[self.indices[index]]
        return found

    def __getbatch__(self, indices: np.ndarray) -> Any:
        return get_batch(self.dataset, self._array[indices])

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[Any]):
    """Several datasets one after the other; `a + b` makes one.

    >>> from tinygrad_dl import data
    >>> both = data.ConcatDataset([[1, 2], [3]])
    >>> len(both), both[2], both[-3]
    (3, 3, 1)
    """

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: expected at least one dataset, got none")
        for number, dataset in enumerate(self.datasets):
            if isinstance(dataset, IterableDataset):
                raise TypeError(
                    f"ConcatDataset: got an IterableDataset for dataset {number}, expected samples with numbers"
                )
        self.cumulative_sizes: list[int] = np.cumsum([len(dataset) for dataset in self.datasets]).tolist()

    def __getitem__(self, index: int) -> Any:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"ConcatDataset: got index {index}, expected {-len(self)} to {len(self) - 1}")
        part = int(np.searchsorted(self.cumulative_sizes, position, side="right"))
        return self.datasets[part][position - (self.cumulative_sizes[part - 1] if part else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


def random_split(dataset: Any, lengths: Sequence[int | float], generator: Generator | None = None) -> list[Subset[Any]]:
    """Divides a dataset into parts at random, each sample in one of them.

    Args:
        dataset: what has a length and samples by number.
        lengths: how many samples each part gets; or fractions that sum to 1 (rounded down, what is left over is given
            to the parts in turn).
        generator: where the random order comes from.

    Raises:
        ValueError: the lengths do not sum to the dataset's, or a fraction is outside [0, 1].

    >>> generator = td.Generator().manual_seed(0)
    >>> [len(part) for part in td.data.random_split(range(10), [0.7, 0.3], generator)]
    [7, 3]
    """
    total = len(dataset)
    if abs(sum(lengths) - 1) < 1e-6 and (total != 1 or any(isinstance(length, float) for length in lengths)):
        for length in lengths:
            if not 0 <= length <= 1:
                raise ValueError(f"random_split: expected fractions between 0 and 1, got {length}")
        # A fraction like 0.7 of 10 must not become 6 by the rounding of floats.
        sizes = [int(total * length + 1e-9) for length in lengths]
        for extra in range(total - sum(sizes)):
            sizes[extra % len(sizes)] += 1
    else:
        if any(length != int(length) or length < 0 for length in lengths) or sum(lengths) != total:
            raise ValueError(
                f"random_split: expected whole numbers that sum to the {total} samples, or fractions that sum to 1, "
                f"got {list(lengths)}, which sum to {sum(lengths)}"
            )
        sizes = [int(length) for length in lengths]
    order = rng_of(generator).permutation(total)
    ends = np.cumsum(sizes).tolist()
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
