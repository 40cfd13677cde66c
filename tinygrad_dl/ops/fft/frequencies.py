"""The frequencies of a spectrum, and their order."""

from __future__ import annotations

import operator
from typing import Any, Unpack

import numpy as np

from tinygrad_dl.core import dtypes, promotion
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import Options, creation, finish
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.shape.reorder import roll


def spaced(name: str, count: Any, n: int, d: float, dtype: Any, options: Any) -> Tensor:
    """Whole numbers over n * d, in a floating dtype."""
    found = promotion.default.dtype if dtype is None else dtypes.as_dtype(dtype)
    if promotion.category(found) < 2:
        raise TypeError(f"{name}: got dtype={found}, expected a floating dtype")
    with np.errstate(divide="ignore", invalid="ignore"):  # d = 0 gives infinite frequencies
        return finish((count / np.float64(n * d)).astype(found), name, options)


def counted(name: str, n: int) -> int:
    """A size."""
    size = operator.index(n)
    if size < 0:
        raise ValueError(f"{name}: got n={n}, expected a size of 0 or more")
    return size


@creation
def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """The frequencies of the elements of `fft`, (0, 1, ..., (n - 1) // 2, -(n // 2), ..., -1) / (n d).

    Args:
        n: the size of the transform.
        d: the time between two samples, the inverse of the sampling rate.
        dtype: of the result; the default floating dtype by default.

    Raises:
        ValueError: `n` is negative. TypeError: `dtype` is not floating.

    >>> td.fft.fftfreq(4, 0.5)
    tensor([ 0.0000,  0.5000, -1.0000, -0.5000])
    """
    n = counted("fftfreq", n)
    count = np.arange(n)
    return spaced("fftfreq", np.where(count < (n + 1) // 2, count, count - n), n, d, dtype, options)


@creation
def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """The frequencies of the elements of `rfft`, (0, 1, ..., n // 2) / (n d).

    Args:
        n: the size of the transform, that of the real input.
        d: the time between two samples, the inverse of the sampling rate.
        dtype: of the result; the default floating dtype by default.

    Raises:
        ValueError: `n` is negative. TypeError: `dtype` is not floating.

    >>> td.fft.rfftfreq(4, 0.5)
    tensor([0.0000, 0.5000, 1.0000])
    """
    n = counted("rfftfreq", n)
    return spaced("rfftfreq", np.arange(n // 2 + 1), n, d, dtype, options)


def rolled(input: Tensor, dim: Any, back: bool) -> Tensor:
    """The tensor rolled by half of its size along dimensions, rounded down, or up and back."""
    dims = tuple(range(input.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    halves = [input.shape[normal_dim(d, input.ndim)] // 2 for d in dims]
    return roll(input, tuple([-n if back else n for n in halves]), dims)


@composition
def fftshift(input: Array, dim: Any = None) -> Tensor:
    """A spectrum with the frequency 0 in the middle, at n // 2, from the order of `fft`: negative ones come first.

    Args:
        dim: the dimensions, by default all.

    Raises:
        IndexError: there is no such dimension.

    >>> td.fft.fftshift(td.fft.fftfreq(4))
    tensor([-0.5000, -0.2500,  0.0000,  0.2500])
    """
    return rolled(input, dim, False)


@composition
def ifftshift(input: Array, dim: Any = None) -> Tensor:
    """The inverse of `fftshift`.

    Args:
        dim: the dimensions, by default all.

    Raises:
        IndexError: there is no such dimension.

    >>> td.fft.ifftshift(td.fft.fftshift(td.tensor([0, 1, 2, -2, -1])))
    tensor([ 0,  1,  2, -2, -1])
    """
    return rolled(input, dim, True)


NUMPY[np.fft.fftshift] = fftshift
NUMPY[np.fft.ifftshift] = ifftshift
