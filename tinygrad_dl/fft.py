"""Discrete Fourier transforms under PyTorch's name `torch.fft`.

Source: https://docs.pytorch.org/docs/stable/fft.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_dl.core import lazy
from tinygrad_dl.core.namespaces import NAMESPACES, public

if TYPE_CHECKING:  # loaded at first use, as docs/make_lazy_names.py writes down
    from tinygrad_dl.ops.fft.frequencies import fftfreq, fftshift, ifftshift, rfftfreq
    from tinygrad_dl.ops.fft.transforms import (
        fft,
        fft2,
        fftn,
        hfft,
        hfft2,
        hfftn,
        ifft,
        ifft2,
        ifftn,
        ihfft,
        ihfft2,
        ihfftn,
        irfft,
        irfft2,
        irfftn,
        rfft,
        rfft2,
        rfftn,
    )

# fmt: off
__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2", "ifftn", "ifftshift",
    "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]
# fmt: on

if not TYPE_CHECKING:  # checkers see the imports above
    __getattr__ = lazy.names(__name__)
public(globals(), NAMESPACES[__name__])
