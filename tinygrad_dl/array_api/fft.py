"""The standard's extension `fft`: discrete Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_dl import Tensor
from tinygrad_dl import fft as transforms
from tinygrad_dl.array_api._operands import document, named

# fmt: off
__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft", "irfftn", "rfft",
    "rfftfreq", "rfftn",
]
# fmt: on


def along(op: Any, text: str) -> Callable[..., Tensor]:
    """A transform along one dimension, of n elements."""

    def function(x: Tensor, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
        found: Tensor = op(x, n, axis, norm)
        return found

    return named(function, op.__name__, text)


def over(op: Any, text: str) -> Callable[..., Tensor]:
    """A transform over several dimensions, of sizes s; over all by default."""

    def function(x: Tensor, /, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Tensor:
        found: Tensor = op(x, s, axes, norm)
        return found

    return named(function, op.__name__, text)


fft = along(transforms.fft, "The Fourier transform along a dimension.")
ifft = along(transforms.ifft, "The inverse of `fft`.")
rfft = along(
    transforms.rfft, "The Fourier transform of real numbers along a dimension: its first half, n // 2 + 1 elements."
)
irfft = along(transforms.irfft, "The inverse of `rfft`: n real numbers.")
hfft = along(
    transforms.hfft, "The Fourier transform, n real numbers, of a Hermitian signal of which the first half is given."
)
ihfft = along(transforms.ihfft, "The inverse of `hfft`.")
fftn = over(transforms.fftn, "The Fourier transform over several dimensions.")
ifftn = over(transforms.ifftn, "The inverse of `fftn`.")
rfftn = over(
    transforms.rfftn, "The Fourier transform of real numbers over dimensions; half of it along the last of them."
)
irfftn = over(transforms.irfftn, "The inverse of `rfftn`.")


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of the elements of `fft`, for samples at a distance d."""
    return transforms.fftfreq(n, d, dtype=dtype, device=device)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of the elements of `rfft`, for samples at a distance d."""
    return transforms.rfftfreq(n, d, dtype=dtype, device=device)


def fftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """A spectrum with the frequency 0 in the middle of dimensions, of all by default."""
    return transforms.fftshift(x, axes)


def ifftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """The inverse of `fftshift`."""
    return transforms.ifftshift(x, axes)


document(globals(), "fft.")
