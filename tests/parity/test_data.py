"""Collating samples into batches, side by side with PyTorch."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest
import torch
from torch.utils.data import DistributedSampler as Theirs
from torch.utils.data import default_collate, default_convert

import tinygrad_dl as td
from tinygrad_dl import data

Point = namedtuple("Point", "x y")
SAMPLES = {
    "tensors": lambda make: [make([1.0, 2.0]), make([3.0, 4.0])],
    "arrays": lambda make: [np.ones(2), np.zeros(2)],
    "int": lambda make: [1, 2],
    "float": lambda make: [1.0, 2.5],
    "bool": lambda make: [True, False],
    "numpy scalars": lambda make: [np.float32(1), np.float32(2)],
    "strings": lambda make: ["a", "b"],
    "tuples": lambda make: [(make([1.0]), 1, "a"), (make([2.0]), 2, "b")],
    "lists": lambda make: [[1, 2.0], [3, 4.0]],
    "dicts": lambda make: [{"x": make([1.0]), "y": 0}, {"x": make([2.0]), "y": 1}],
    "named tuples": lambda make: [Point(1, make([2.0])), Point(3, make([4.0]))],
    "nested": lambda make: [{"x": (1, [make([2.0]), 3])}, {"x": (1, [make([2.0]), 3])}],
}


def same_structure(ours, theirs):
    if type(theirs).__module__ == "torch":
        assert isinstance(ours, td.Tensor)
        assert str(theirs.dtype).removeprefix("torch.") == str(ours.dtype)
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key, value in theirs.items():
            same_structure(ours[key], value)
    elif isinstance(theirs, list | tuple):
        assert type(ours) is type(theirs)
        for pair in zip(ours, theirs, strict=True):
            same_structure(*pair)
    else:
        assert ours == theirs


@pytest.mark.parametrize("kind", SAMPLES)
def test_as_pytorch_does(kind):
    ours, theirs = SAMPLES[kind](td.tensor), SAMPLES[kind](torch.tensor)
    same_structure(data.default_collate(ours), default_collate(theirs))
    same_structure(data.default_convert(ours), default_convert(theirs))


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("replicas", range(1, 6))
@pytest.mark.parametrize("length", [0, 1, 2, 5, 10, 23])
def test_shares_of_several_processes(length, replicas, drop_last):
    """Without shuffling the same samples; shuffled, of another order, as many, and the same ones again at the end."""
    for rank in range(replicas):
        options = dict(num_replicas=replicas, rank=rank, drop_last=drop_last)
        ours, theirs = (kind(range(length), shuffle=False, **options) for kind in (data.DistributedSampler, Theirs))
        if length:  # of nothing PyTorch makes shares by dividing by zero, or none
            assert list(ours) == list(theirs)
        assert (len(ours), ours.num_samples, ours.total_size) == (len(theirs), theirs.num_samples, theirs.total_size)
        ours, theirs = (kind(range(length), seed=3, **options) for kind in (data.DistributedSampler, Theirs))
        for epoch in range(2):
            ours.set_epoch(epoch)
            theirs.set_epoch(epoch)
            if length:
                assert len(list(ours)) == len(list(theirs))


def test_shares_that_can_not_be():
    for options in (dict(num_replicas=2, rank=2), dict(num_replicas=2, rank=-1), {}, dict(rank=0)):
        for kind in (data.DistributedSampler, Theirs):
            with pytest.raises(ValueError):
                kind(range(4), **options)
