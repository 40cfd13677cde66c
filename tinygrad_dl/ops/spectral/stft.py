"""Fourier transforms of short stretches of a signal, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.promotion import category, is_half
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import values_of
from tinygrad_dl.core.warning import warn
from tinygrad_dl.creation import ones
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.fft.transforms import fft, ifft, irfft, rfft
from tinygrad_dl.ops.padding.pad import pad
from tinygrad_dl.ops.pointwise.complex import view_as_real
from tinygrad_dl.ops.shape.windows import sum_windows, unfold


def steps(n_fft: int, hop_length: int | None, win_length: int | None) -> tuple[int, int]:
    """The samples from one stretch to the next, and of a window."""
    hop = n_fft // 4 if hop_length is None else hop_length
    size = n_fft if win_length is None else win_length
    if hop < 1:
        raise ValueError(f"got hop_length={hop}, expected at least 1")
    if not 0 < size <= n_fft:
        raise ValueError(f"got win_length={size}, expected one from 1 to n_fft={n_fft}")
    return hop, size


def whole_window(window: Any, size: int, n_fft: int) -> Any:
    """The window with zeros around it, of n_fft samples; None for ones."""
    if window is None and size == n_fft:
        return None
    if window is not None and tuple(window.shape) != (size,):
        raise ValueError(f"got a window of shape {tuple(window.shape)}, expected ({size},), win_length samples")
    before = (n_fft - size) // 2
    return pad(ones(size) if window is None else window, (before, n_fft - size - before))


def is_complex(*tensors: Any) -> bool:
    """Whether one of them is; None is not."""
    return any(each is not None and each.dtype.kind == "c" for each in tensors)


def checked(input: Tensor, n_fft: int) -> None:
    """Raises unless the numbers are such as have a Fourier transform."""
    if category(input.dtype) < 2 or is_half(input.dtype):
        raise TypeError(f"got a tensor of {input.dtype}, expected float32, float64 or complex numbers")
    if n_fft < 1:
        raise ValueError(f"got n_fft={n_fft}, expected at least 1")


@method
def stft(
    input: Array,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """The short-time Fourier transform: X[w, t] = sum over k of window[k] input[t hop + k] exp(-2 pi i w k / n_fft).

    Args:
        input: signals of shape (L,) or (B, L), real or complex.
        n_fft: the size of each transform.
        hop_length: the samples from one stretch to the next; n_fft // 4 if None.
        win_length: the samples of the window; n_fft if None. With fewer, zeros are put around it.
        window: the weights of a stretch, of shape (win_length,); ones if None.
        center: whether the stretch t is around the sample t * hop_length, for which n_fft // 2 samples are added at
            both ends; else it begins there.
        pad_mode: what is added: see `td.nn.functional.pad`.
        normalized: whether to multiply by 1/sqrt(n_fft).
        onesided: whether to return the first half of the spectrum; by default if input and window are real.
        return_complex: whether to return complex numbers; if False, pairs of real ones in a last dimension. Must be
            given for real inputs.
        align_to_window: without `center`, whether the first window, not the first stretch, begins at the first sample.

    Returns:
        A tensor of shape (B, N, T) or (N, T): N is n_fft // 2 + 1 if `onesided`, else n_fft, and T the number of
        stretches.

    Raises:
        ValueError: a shape or a size is out of range, `onesided` with complex numbers, `return_complex` is missing.
        TypeError: the input is neither float32, float64 nor complex.

    >>> td.stft(td.ones(8), 4, window=td.hann_window(4), center=False, return_complex=True).real
    tensor([[ 2.,  2.,  2.,  2.,  2.],
            [-1., -1., -1., -1., -1.],
            [ 0.,  0.,  0.,  0.,  0.]])
    """
    checked(input, n_fft)
    hop, size = steps(n_fft, hop_length, win_length)
    both = is_complex(input, window)
    if return_complex is None and not both:
        raise ValueError("got return_complex=None, expected True for complex results, or False for pairs of real ones")
    if onesided and both:
        raise ValueError("got onesided=True with a complex input or window, expected real ones: there are two halves")
    if center and align_to_window is not None:
        raise ValueError(f"got align_to_window={align_to_window} with center=True, expected it with center=False alone")
    if input.ndim not in (1, 2):
        raise ValueError(f"got an input of shape {tuple(input.shape)}, expected (L,) or (B, L)")
    weights, x = whole_window(window, size, n_fft), input
    if center:
        x = pad(x[None], (n_fft // 2, n_fft // 2), pad_mode)[0]
    elif align_to_window:
        before = (n_fft - size) // 2
        x = pad(x, (before, n_fft - size - before))
    if x.shape[-1] < n_fft:
        raise ValueError(f"got n_fft={n_fft} for {x.shape[-1]} samples, expected at most as many")
    frames = unfold(x, -1, n_fft, hop)
    if weights is not None:
        frames = frames * (weights.to(x.dtype) if window is None else weights)
    transform = fft if both or onesided is False else rfft
    found = transform(frames, norm="ortho" if normalized else None).transpose(-1, -2)
    return found if return_complex or (return_complex is None and both) else view_as_real(found)


@method
def istft(
    input: Array,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The inverse of `stft`: stretches times the window, added up, over the sum of the squares of the windows.

    That is the signal whose `stft` comes closest in the sense of least squares (Griffin and Lim, 1984).

    Args:
        input: complex numbers of shape (B, N, T) or (N, T), as `stft` returns them.
        n_fft, hop_length, win_length, window, center, normalized: as they were given to `stft`.
        onesided: whether `input` is the first half of the spectrum; by default, if N is not n_fft.
        length: the number of samples of the result: it is cut, or zeros are added with a warning.
        return_complex: whether the signal is complex; else only the first half of the spectrum counts.

    Returns:
        Signals of shape (B, L) or (L,).

    Raises:
        ValueError: shapes or sizes do not fit, the input is not complex, or windows add up to 0 somewhere.

    >>> x, w = td.arange(8.0), td.hann_window(4)
    >>> td.istft(td.stft(x, 4, window=w, return_complex=True), 4, window=w)
    tensor([0., 1., 2., 3., 4., 5., 6., 7.])
    """
    checked(input, n_fft)
    hop, size = steps(n_fft, hop_length, win_length)
    if input.dtype.kind != "c":
        raise ValueError(f"got an input of {input.dtype}, expected complex numbers, as stft(return_complex=True) gives")
    if input.ndim not in (2, 3) or not input.numel():
        raise ValueError(f"got an input of shape {tuple(input.shape)}, expected (B, N, T) or (N, T), none of them 0")
    half = input.shape[-2] != n_fft if onesided is None else onesided
    if input.shape[-2] != (n_fft // 2 + 1 if half else n_fft):
        wanted = n_fft // 2 + 1 if half else n_fft
        raise ValueError(f"got {input.shape[-2]} frequencies, expected {wanted} for n_fft={n_fft}, onesided={half}")
    if hop > size:
        raise ValueError(f"got hop_length={hop}, expected at most win_length={size}: samples would be left out")
    if return_complex and half:
        raise ValueError("got return_complex=True for half a spectrum, expected a whole one: its signal is real")
    if not return_complex and is_complex(window):
        raise ValueError("got a complex window with return_complex=False, expected True")
    weights, norm = whole_window(window, size, n_fft), "ortho" if normalized else None
    spectra = input.transpose(-1, -2)
    frames = ifft(spectra, norm=norm) if return_complex else irfft(spectra, n_fft, norm=norm)
    if weights is None or window is None:
        weights = (ones(n_fft) if weights is None else weights).to(frames.real.dtype)
    count = frames.shape[-2]
    total = n_fft + hop * (count - 1)
    first = n_fft // 2 if center else 0
    last = first + length if length is not None else total - first
    summed = sum_windows(frames * weights, (*frames.shape[:-2], total), -1, hop)[..., first:last]
    squares = sum_windows((weights * weights).expand(count, n_fft), (total,), -1, hop)[first:last]
    if squares.numel() and float(np.abs(values_of(squares)).min()) < 1e-11:
        raise ValueError("got windows that add up to 0 at a sample, expected none such; give another window or hop")
    found = summed / squares
    if last > total:
        warn(f"istft: got length={length}, more than the {total - first} samples that there are: zeros follow them")
        found = pad(found, (0, last - total))
    return found
