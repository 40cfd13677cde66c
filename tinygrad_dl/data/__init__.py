"""Data: datasets, samplers, the `DataLoader` with its worker processes, readers of well-known files, transforms.

>>> import tinygrad_dl as td
>>> dataset = td.data.TensorDataset(td.randn(100, 3), td.randint(0, 2, (100,)))
>>> train, dev = td.data.random_split(dataset, [0.8, 0.2])
>>> for x, y in td.data.DataLoader(train, batch_size=40, shuffle=True):
...     print(x.shape, y.shape)
(40, 3) (40,)
(40, 3) (40,)
"""

from __future__ import annotations

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.data import transforms
from tinygrad_dl.data.collate import default_collate, default_convert
from tinygrad_dl.data.datasets import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from tinygrad_dl.data.fetch import get_worker_info
from tinygrad_dl.data.files import read_cifar10, read_idx
from tinygrad_dl.data.images import CIFAR10, MNIST, FashionMNIST, ImageFolder
from tinygrad_dl.data.loader import DataLoader
from tinygrad_dl.data.samplers import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

# fmt: off
__all__ = [
    "CIFAR10", "MNIST", "BatchSampler", "ChainDataset", "ConcatDataset", "DataLoader", "Dataset", "DistributedSampler",
    "FashionMNIST", "ImageFolder", "IterableDataset", "RandomSampler", "Sampler", "SequentialSampler", "StackDataset",
    "Subset", "SubsetRandomSampler", "TensorDataset", "WeightedRandomSampler", "default_collate", "default_convert",
    "get_worker_info", "random_split", "read_cifar10", "read_idx", "transforms",
]
# fmt: on


public(globals(), "docs/stable/data.html#torch.utils.data.{}")
