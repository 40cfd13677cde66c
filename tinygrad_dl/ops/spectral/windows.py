"""Windows: the weights of the samples of a stretch of a signal, by the names of torch.signal.windows and of torch.

Computed in float64 and rounded once. M samples are those of a symmetric window, or, for spectra, the first M of a
symmetric one of M + 1, which then is a period of its repetition.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, Unpack

import numpy as np

from tinygrad_dl.core import dtypes, promotion
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import Options, creation, finish

Shape: TypeAlias = Callable[[np.ndarray, int], Any]
BLACKMAN, NUTTALL = (0.42, 0.5, 0.08), (0.3635819, 0.4891775, 0.1365995, 0.0106411)


def window(
    name: str, M: Any, sym: bool, dtype: Any, options: Any, shape: Shape, half: bool = False, one: float = 1.0
) -> Tensor:
    """The window of M samples that `shape` gives for 0, ..., M - 1 and the number of the last sample of a period.

    Args:
        half: whether half precision is taken too, as PyTorch's older functions do.
        one: the only sample of a window of one.
    """
    try:
        size = operator.index(M)
    except TypeError:
        raise TypeError(f"{name}: got a window of length {M!r}, expected an integer") from None
    if size < 0:
        raise ValueError(f"{name}: got a window of length {size}, expected 0 or more")
    found = promotion.default.dtype if dtype is None else dtypes.as_dtype(dtype)
    if not promotion.is_floating(found) or (promotion.is_half(found) and not half):
        raise ValueError(f"{name}: got dtype={found}, expected {'a floating dtype' if half else 'float32 or float64'}")
    values = shape(np.arange(float(size)), size - 1 if sym else size) if size > 1 else np.full(size, one)
    return finish(values.astype(found), name, options)


def cosines(a: Sequence[float]) -> Shape:
    """a[0] - a[1] cos(x) + a[2] cos(2 x) - ..., for x from 0 to 2 pi."""
    if not len(a):
        raise ValueError("got no coefficients, expected at least one")
    return lambda k, last: sum((-1) ** i * weight * np.cos(2 * np.pi * i / last * k) for i, weight in enumerate(a))


def triangle(k: np.ndarray, last: int) -> Any:
    """From 0 to 1 and back."""
    return 1 - np.abs(2 * k / last - 1)


def bessel(beta: float) -> Shape:
    """I0(beta sqrt(1 - x^2)) / I0(beta), for x from -1 to 1."""
    return lambda k, last: np.i0(beta * np.sqrt(np.maximum(0.0, 1 - (2 * k / last - 1) ** 2))) / np.i0(beta)


class Window(Protocol):
    """A window without parameters."""

    def __call__(self, M: int, *, sym: bool = True, dtype: Any = None, **options: Unpack[Options]) -> Tensor: ...


class OlderWindow(Protocol):
    """The same under its older name."""

    def __call__(
        self, window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Unpack[Options]
    ) -> Tensor: ...


def row(name: str, what: str, example: str, shape: Shape) -> Window:
    """A window of torch.signal.windows."""

    def body(M: int, *, sym: bool = True, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
        return window(name, M, sym, dtype, options, shape)

    doc = f"""{what}

    Args:
        M: the number of samples.
        sym: whether the window is symmetric, for filters; else it is periodic, for spectra: M stands for M - 1.
        dtype: float32 or float64; the default dtype if None.

    Raises:
        ValueError: `M` is negative, or another dtype.
"""
    made: Window = named(body, name, doc, f"td.signal.windows.{name}", example)
    return made


def older(name: str, what: str, example: str, shape: Shape) -> OlderWindow:
    """A window of torch."""

    def body(window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
        return window(name, window_length, not periodic, dtype, options, shape, half=True)

    doc = f"""{what}

    Args:
        window_length: the number of samples.
        periodic: N is `window_length`, for spectra; else one less, for a symmetric window.
        dtype: a floating dtype; the default one if None.

    Raises:
        ValueError: the length is negative, or the dtype not floating.
"""
    made: OlderWindow = named(body, name, doc, f"td.{name}", example)
    return made


def named(body: Callable[..., Tensor], name: str, doc: str, path: str, example: str) -> Any:
    """The function of a row."""
    given, _, result = example.partition(" -> ")
    body.__name__ = body.__qualname__ = name
    body.__doc__ = f"{doc}\n    >>> {path}({given})\n    tensor([{result}])\n    "
    return creation(body)


# fmt: off
hamming = row("hamming", "Hamming's window, w[n] = 0.54 - 0.46 cos(2 pi n / (M - 1)).",
    "5 -> 0.0800, 0.5400, 1.0000, 0.5400, 0.0800", cosines((0.54, 0.46)))
hann = row("hann", "Hann's window, w[n] = (1 - cos(2 pi n / (M - 1))) / 2.",
    "4, sym=False -> 0.0000, 0.5000, 1.0000, 0.5000", cosines((0.5, 0.5)))
blackman = row("blackman", "Blackman's window, w[n] = 0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1)).",
    "3 -> -1.3878e-17,  1.0000e+00, -1.3878e-17", cosines(BLACKMAN))
nuttall = row("nuttall", "Nuttall's window of four cosines, whose side lobes are low.",
    "3 -> 3.6280e-04, 1.0000e+00, 3.6280e-04", cosines(NUTTALL))
bartlett = row("bartlett", "A triangle, w[n] = 1 - |2 n / (M - 1) - 1|.",
    "5 -> 0.0000, 0.5000, 1.0000, 0.5000, 0.0000", triangle)
cosine = row("cosine", "Half a period of the sine, w[n] = sin(pi (n + 1/2) / M).",
    "3 -> 0.5000, 1.0000, 0.5000", lambda k, last: np.sin(np.pi * (k + 0.5) / (last + 1)))
# PyTorch's older functions are periodic by default and take half precision.
hann_window = older("hann_window", "Hann's window, w[n] = (1 - cos(2 pi n / N)) / 2.",
    "4 -> 0.0000, 0.5000, 1.0000, 0.5000", cosines((0.5, 0.5)))
blackman_window = older("blackman_window",
    "Blackman's window, w[n] = 0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N).",
    "4 -> -1.3878e-17,  3.4000e-01,  1.0000e+00,  3.4000e-01", cosines(BLACKMAN))
bartlett_window = older("bartlett_window", "A triangle, w[n] = 1 - |2 n / N - 1|.",
    "4 -> 0.0000, 0.5000, 1.0000, 0.5000", triangle)
# fmt: on


@creation
def general_cosine(
    M: int, *, a: Sequence[float], sym: bool = True, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """A sum of cosines: w[n] = sum over i of (-1)^i a[i] cos(2 pi i n / (M - 1)).

    Args:
        M: the number of samples.
        a: the weights of the cosines.
        sym: whether the window is symmetric, for filters; else it is periodic, for spectra: M stands for M - 1.
        dtype: float32 or float64; the default dtype if None.

    Raises:
        ValueError: `M` is negative, another dtype, no weights. TypeError: `a` is no sequence.

    >>> td.signal.windows.general_cosine(5, a=[0.5, 0.5])
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    if not isinstance(a, Sequence):
        raise TypeError(f"got a={a!r}, expected a list or tuple of numbers")
    return window("general_cosine", M, sym, dtype, options, cosines(a))


@creation
def general_hamming(
    M: int, *, alpha: float = 0.54, sym: bool = True, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """w[n] = alpha - (1 - alpha) cos(2 pi n / (M - 1)).

    Args:
        M: the number of samples.
        alpha: the mean of a period.
        sym: whether the window is symmetric, for filters; else it is periodic, for spectra: M stands for M - 1.
        dtype: float32 or float64; the default dtype if None.

    Raises:
        ValueError: `M` is negative, or another dtype.

    >>> td.signal.windows.general_hamming(5, alpha=0.6)
    tensor([0.2000, 0.6000, 1.0000, 0.6000, 0.2000])
    """
    return window("general_hamming", M, sym, dtype, options, cosines((alpha, 1 - alpha)))


@creation
def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: Any = None,
    **options: Unpack[Options],
) -> Tensor:
    """w[n] = exp(-|n - center| / tau).

    Args:
        M: the number of samples.
        center: where the window is 1; the middle if None, as it must be of a symmetric window.
        tau: after how many samples it has fallen to 1/e.
        sym: whether the window is symmetric, for filters; else it is periodic, for spectra.
        dtype: float32 or float64; the default dtype if None.

    Raises:
        ValueError: `M` is negative, `tau` not positive, a center for a symmetric window, or another dtype.

    >>> td.signal.windows.exponential(3, tau=2.0)
    tensor([0.6065, 1.0000, 0.6065])
    """
    if tau <= 0:
        raise ValueError(f"got tau={tau}, expected a positive number")
    if sym and center is not None:
        raise ValueError(f"got center={center} for a symmetric window, expected None; or give sym=False")

    def fall(k: Any, last: int) -> Any:
        return np.exp(-np.abs(k - (last / 2 if center is None else center)) / tau)

    return window("exponential", M, sym, dtype, options, fall, one=float(fall(0.0, 0)))


@creation
def gaussian(M: int, *, std: float = 1.0, sym: bool = True, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A bell curve, w[n] = exp(-(n - (M - 1) / 2)^2 / (2 std^2)).

    Args:
        M: the number of samples.
        std: the standard deviation, in samples.
        sym: whether the window is symmetric, for filters; else it is periodic, for spectra: M stands for M - 1.
        dtype: float32 or float64; the default dtype if None.

    Raises:
        ValueError: `M` is negative, `std` not positive, or another dtype.

    >>> td.signal.windows.gaussian(3)
    tensor([0.6065, 1.0000, 0.6065])
    """
    if std <= 0:
        raise ValueError(f"got std={std}, expected a positive number")
    return window("gaussian", M, sym, dtype, options, lambda k, last: np.exp(-(((k - last / 2) / std) ** 2) / 2))


@creation
def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """Kaiser's window, w[n] = I0(beta sqrt(1 - (2 n / (M - 1) - 1)^2)) / I0(beta), with the Bessel function I0.

    Args:
        M: the number of samples.
        beta: 0 or more; the larger, the lower the side lobes and the wider the main one.
        sym: whether the window is symmetric, for filters; else it is periodic, for spectra: M stands for M - 1.
        dtype: float32 or float64; the default dtype if None.

    Raises:
        ValueError: `M` or `beta` is negative, or another dtype.

    >>> td.signal.windows.kaiser(5, beta=3.0)
    tensor([0.2049, 0.7269, 1.0000, 0.7269, 0.2049])
    """
    if beta < 0:
        raise ValueError(f"got beta={beta}, expected 0 or more")
    return window("kaiser", M, sym, dtype, options, bessel(beta))


@creation
def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: Any = None,
    **options: Unpack[Options],
) -> Tensor:
    """Hamming's window, w[n] = alpha - beta cos(2 pi n / N).

    Args:
        window_length: the number of samples.
        periodic: N is `window_length`, for spectra; else one less, for a symmetric window.
        alpha, beta: the mean, and the weight of the cosine.
        dtype: a floating dtype; the default one if None.

    Raises:
        ValueError: the length is negative, or the dtype not floating.

    >>> td.hamming_window(4)
    tensor([0.0800, 0.5400, 1.0000, 0.5400])
    """
    return window("hamming_window", window_length, not periodic, dtype, options, cosines((alpha, beta)), half=True)


@creation
def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """Kaiser's window, w[n] = I0(beta sqrt(1 - (2 n / N - 1)^2)) / I0(beta), with the Bessel function I0.

    Args:
        window_length: the number of samples.
        periodic: N is `window_length`, for spectra; else one less, for a symmetric window.
        beta: the larger, the lower the side lobes and the wider the main one.
        dtype: a floating dtype; the default one if None.

    Raises:
        ValueError: the length is negative, or the dtype not floating.

    >>> td.kaiser_window(4, beta=3.0)
    tensor([0.2049, 0.7269, 1.0000, 0.7269])
    """
    return window("kaiser_window", window_length, not periodic, dtype, options, bessel(beta), half=True)
