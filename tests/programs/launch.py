"""Runs a program with random numbers of NumPy's in place of the library's: `python launch.py PROGRAM ARGUMENTS`.

PyTorch's generator and ours give other numbers for the same seed. Replaced are the functions that the programs beside
this file draw by, so that a program gives the same losses under either library.
"""

import runpy
import sys
from pathlib import Path

import numpy as np
import torch
import torch.utils.data

RNG = np.random.default_rng(0)


def sizes(size):
    return tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size


def floats(array):
    return torch.tensor(array, dtype=torch.get_default_dtype())


def rand(*size, **options):
    return floats(RNG.random(sizes(size)))


def randn(*size, **options):
    return floats(RNG.standard_normal(sizes(size)))


def randn_like(input, **options):
    return randn(*input.shape).to(input.dtype)


def randint(low, high, size, **options):
    return torch.tensor(RNG.integers(low, high, tuple(size)))


def multinomial(input, num_samples, replacement=False, **options):
    assert num_samples == 1
    bounds = input.detach().numpy().cumsum(-1)
    drawn = (bounds < RNG.random((*bounds.shape[:-1], 1)) * bounds[..., -1:]).sum(-1)
    return torch.tensor(drawn)[..., None]


def sample(self, sample_shape=()):
    assert not sample_shape
    return multinomial(self.probs, 1)[..., 0]


def dropout(self, input):
    if not self.training:
        return input
    keep = RNG.random(tuple(input.shape)) >= self.p
    return input * floats(keep / (1 - self.p)).to(input.dtype)


def main():
    for function in (rand, randn, randn_like, randint, multinomial):
        setattr(torch, function.__name__, function)
    torch.nn.Dropout.forward = dropout
    torch.utils.data.RandomSampler.__iter__ = lambda self: iter(RNG.permutation(len(self.data_source)).tolist())
    if "Categorical" in Path(sys.argv[1]).read_text():
        torch.distributions.Categorical.sample = sample
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
