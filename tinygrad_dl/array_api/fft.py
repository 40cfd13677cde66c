"""The standard's extension `fft`: discrete Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tinygrad_dl as td
from tinygrad_dl import Tensor
from tinygrad_dl.array_api._operands import document, named

# fmt: off
__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft", "irfftn", "rfft",
    "rfftfreq", "rfftn",
]
# fmt: on

ops: Any = td.fft


def along(name: str, text: str) -> Callable[..., Tensor]:
    """A transform along one dimension, of n elements."""

    def function(x: Tensor, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
        found: Tensor = getattr(ops, name)(x, n, axis, norm)
        return found

    return named(function, name, text)


def over(name: str, text: str) -> Callable[..., Tensor]:
    """A transform over several dimensions, of sizes s; over all by default."""

    def function(x: Tensor, /, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Tensor:
        found: Tensor = getattr(ops, name)(x, s, axes, norm)
        return found

    return named(function, name, text)


fft = along("fft", "The Fourier transform along a dimension.")
ifft = along("ifft", "The inverse of `fft`.")
rfft = along("rfft", "The Fourier transform of real numbers along a dimension: its first half, n // 2 + 1 elements.")
irfft = along("irfft", "The inverse of `rfft`: n real numbers.")
hfft = along("hfft", "The Fourier transform, n real numbers, of a Hermitian signal of which the first half is given.")
ihfft = along("ihfft", "The inverse of `hfft`.")
fftn = over("fftn", "The Fourier transform over several dimensions.")
ifftn = over("ifftn", "The inverse of `fftn`.")
rfftn = over("rfftn", "The Fourier transform of real numbers over dimensions; half of it along the last of them.")
irfftn = over("irfftn", "The inverse of `rfftn`.")


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of the elements of `fft`, for samples at a distance d."""
    found: Tensor = ops.fftfreq(n, d, dtype=dtype, device=device)
    return found


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of the elements of `rfft`, for samples at a distance d."""
    found: Tensor = ops.rfftfreq(n, d, dtype=dtype, device=device)
    return found


def fftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """A spectrum with the frequency 0 in the middle of dimensions, of all by default."""
    found: Tensor = ops.fftshift(x, axes)
    return found


def ifftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """The inverse of `fftshift`."""
    found: Tensor = ops.ifftshift(x, axes)
    return found


document(globals(), "fft.")
