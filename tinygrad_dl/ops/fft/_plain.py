"""Fourier transforms of arrays of other modules than NumPy, by the functions of their own `fft`."""

from __future__ import annotations

from typing import Any

import numpy as np

# How a transform is scaled, as that in the other direction says it.
TURNED: dict[Any, Any] = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def complex_to_complex(x: Any, dims: Any, norm: Any, inverse: bool) -> Any:
    """The transform over dimensions, negative numbers."""
    x = x.astype(np.result_type(x.dtype, np.complex64))
    for dim in reversed(dims):
        x = (np.fft.ifft if inverse else np.fft.fft)(x, axis=dim, norm=norm)
    return x


def real_to_complex(x: Any, dims: Any, norm: Any, inverse: bool) -> Any:
    """The first half of the spectrum of real numbers, n // 2 + 1 elements along the last of the dimensions."""
    *others, last = dims
    half = np.fft.rfft(x, axis=last, norm=TURNED[norm] if inverse else norm)
    return complex_to_complex(np.conjugate(half) if inverse else half, others, norm, inverse)


def complex_to_real(x: Any, n: int, dims: Any, norm: Any, inverse: bool) -> Any:
    """The real numbers, n along the last of the dimensions, of which `x` is the first half of the spectrum."""
    *others, last = dims
    x = complex_to_complex(x, others, norm, inverse)
    return np.fft.irfft(x if inverse else np.conjugate(x), n, axis=last, norm=norm if inverse else TURNED[norm])
