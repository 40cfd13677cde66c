"""Fourier transforms, those of short stretches, and windows: values, gradients and refusals against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_dl as td
from parity.counterpart import as_numpy, torch

NORMS = (None, "backward", "ortho", "forward")
RNG = np.random.default_rng(0)
REAL = RNG.standard_normal((3, 4, 5))
COMPLEX = REAL + 1j * RNG.standard_normal((3, 4, 5))
OF_REAL = ("rfft", "ihfft")  # which take real numbers alone
# Arguments of the transforms along one dimension, and of those over several.
ONE = [{}, {"n": 3}, {"n": 8}, {"dim": 0}, {"n": 1, "dim": -2}, {"n": 7, "dim": 1}]
TWO = [{}, {"s": (3, 6)}, {"s": (-1, 4)}, {"dim": (0, 1)}, {"s": (5, 2), "dim": (2, 0)}]
ANY = [{}, {"s": 4}, {"s": (4, 3)}, {"dim": 1}, {"dim": (2, 0, 1)}, {"s": (2, 5), "dim": (1, -3)}]
CASES = [
    (name + suffix, {**options, "norm": NORMS[i % 4]})
    for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
    for suffix, several in (("", ONE), ("2", TWO), ("n", ANY))
    for i, options in enumerate(several, len(name))
]


def compare(function: Any, arrays: list[np.ndarray], tolerance: float = 1e-9) -> None:
    """Values, gradients, and those of the sum of their squares: `function(library, *tensors)` in both libraries."""
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    ours = [td.tensor(a, requires_grad=True) for a in arrays]
    expected, found = function(torch, *theirs), function(td, *ours)
    close = {"rtol": tolerance, "atol": tolerance}
    assert str(found.dtype) == str(expected.dtype).removeprefix("torch.")
    np.testing.assert_allclose(found.detach().numpy(), as_numpy(expected), **close)
    seed = RNG.standard_normal(tuple(expected.shape)).astype(found.detach().numpy().real.dtype)
    if expected.is_complex():
        seed = seed * (1 + 0.5j)
    slopes = torch.autograd.grad((expected * expected), theirs, torch.tensor(seed), create_graph=True)
    mine = td.autograd.grad((found * found), ours, td.tensor(seed), create_graph=True)
    for a, b in zip(mine, slopes, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), as_numpy(b), **close)
    second = torch.autograd.grad(sum((b * b.conj()).real.sum() for b in slopes), theirs)
    for a, b in zip(td.autograd.grad(sum((a * a.conj()).real.sum() for a in mine), ours), second, strict=True):
        np.testing.assert_allclose(a.numpy(), as_numpy(b), rtol=100 * tolerance, atol=100 * tolerance)


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{name} {options}" for name, options in CASES])
def test_transforms(name, options):
    for x in (REAL, COMPLEX)[: 1 if name.startswith(OF_REAL) else 2]:
        compare(lambda L, x: getattr(L.fft, name)(x, **options), [x])


@pytest.mark.parametrize("name", ["fft", "rfft", "irfft2", "hfftn", "ifftn"])
def test_single_precision_and_integers(name):
    x = REAL.astype(np.float32)
    compare(lambda L, x: getattr(L.fft, name)(x), [x], 1e-4)
    for numbers in (np.arange(12).reshape(3, 4), np.array([[True, False, True], [True, True, False]])):
        expected, found = getattr(torch.fft, name)(torch.tensor(numbers)), getattr(td.fft, name)(td.tensor(numbers))
        assert str(found.dtype) == str(expected.dtype).removeprefix("torch.")
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5, atol=1e-5)


REFUSED = {
    "size 0": lambda L, x: L.fft.fft(x, 0),
    "size -1": lambda L, x: L.fft.fft(x, -1),
    "size -2 of two": lambda L, x: L.fft.fft2(x, (-2, 3)),
    "no such dimension": lambda L, x: L.fft.rfft(x, dim=3),
    "of a number": lambda L, x: L.fft.fft(x[0, 0, 0]),
    "two of a vector": lambda L, x: L.fft.fft2(x[0, 0]),
    "norm": lambda L, x: L.fft.irfft(x, norm="unit"),
    "half precision": lambda L, x: L.fft.fft(x.half()),
    "half of complex": lambda L, x: L.fft.rfft(x * 1j),
    "half of complex, over all": lambda L, x: L.fft.ihfftn(x * 1j),
    "one element": lambda L, x: L.fft.irfft(x[..., :1]),
    "dimension twice": lambda L, x: L.fft.fftn(x, dim=(0, -3)),
    "sizes and dimensions": lambda L, x: L.fft.fftn(x, (3, 3), (0,)),
    "too many sizes": lambda L, x: L.fft.fftn(x, (3, 3, 3, 3)),
    "nothing": lambda L, x: L.fft.rfftn(x, dim=()),
    "shift of no dimension": lambda L, x: L.fft.fftshift(x, 5),
    "frequencies": lambda L, x: L.fft.fftfreq(-1),
    "whole frequencies": lambda L, x: L.fft.rfftfreq(3, dtype=L.int64),
    "stft without return_complex": lambda L, x: L.stft(x[0], 4),
    "stft of a matrix": lambda L, x: L.stft(x, 4, return_complex=True),
    "stft, window of another length": lambda L, x: L.stft(x[0], 4, window=L.ones(3), return_complex=True),
    "stft, too few samples": lambda L, x: L.stft(x[0], 6, center=False, return_complex=True),
    "stft, hop": lambda L, x: L.stft(x[0], 4, hop_length=0, return_complex=True),
    "stft, long window": lambda L, x: L.stft(x[0], 4, win_length=5, return_complex=True),
    "stft, half of complex": lambda L, x: L.stft(x[0] * 1j, 4, onesided=True),
    "stft, aligned": lambda L, x: L.stft(x[0], 4, return_complex=True, align_to_window=True),
    "stft of half precision": lambda L, x: L.stft(x[0].half(), 4, return_complex=True),
    "istft of real numbers": lambda L, x: L.istft(x[0], 5, window=L.ones(5)),
    "istft, other frequencies": lambda L, x: L.istft(x * 1j, 5, window=L.ones(5)),
    "istft, complex signal of half": lambda L, x: L.istft(x * 1j, 6, window=L.ones(6), return_complex=True),
    "istft, no overlap": lambda L, x: L.istft(x * 1j, 6, hop_length=7, window=L.ones(6)),
    "istft, windows of 0": lambda L, x: L.istft(x * 1j, 6, window=L.zeros(6)),
    "complex of two dtypes": lambda L, x: L.complex(x, x.double()),
    "complex of integers": lambda L, x: L.complex(x.int(), x.int()),
    "polar of two dtypes": lambda L, x: L.polar(x, x.double()),
    "polar of integers": lambda L, x: L.polar(x.int(), x.int()),
    "window of negative length": lambda L, x: L.signal.windows.hann(-1),
    "window of half precision": lambda L, x: L.signal.windows.hann(3, dtype=L.float16),
    "window of integers": lambda L, x: L.hann_window(3, dtype=L.int64),
    "std": lambda L, x: L.signal.windows.gaussian(3, std=0.0),
    "tau": lambda L, x: L.signal.windows.exponential(3, tau=-1.0),
    "center": lambda L, x: L.signal.windows.exponential(3, center=1.0),
    "beta": lambda L, x: L.signal.windows.kaiser(3, beta=-1.0),
    "no cosines": lambda L, x: L.signal.windows.general_cosine(3, a=[]),
    "no list": lambda L, x: L.signal.windows.general_cosine(3, a=1.0),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore:.*window")
def test_what_pytorch_refuses_is_refused_with_the_same_class(name):
    x = REAL.astype(np.float32)
    with pytest.raises(Exception) as theirs:
        REFUSED[name](torch, torch.tensor(x))
    with pytest.raises(type(theirs.value), match=r"(?s)got .*expected"):
        REFUSED[name](td, td.tensor(x))


@pytest.mark.parametrize("n", [0, 1, 2, 5, 8])
def test_frequencies_and_shifts(n):
    for name in ("fftfreq", "rfftfreq"):
        for options in ({}, {"d": 0.3}, {"dtype": "float16"}):
            given = [
                {**options, "dtype": getattr(L, options["dtype"])} if "dtype" in options else options
                for L in (torch, td)
            ]
            expected, found = getattr(torch.fft, name)(n, **given[0]), getattr(td.fft, name)(n, **given[1])
            np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6, equal_nan=True)
            assert found.numpy().dtype == expected.numpy().dtype
    x = RNG.standard_normal((n, 3))
    for name in ("fftshift", "ifftshift"):
        for dim in (None, 0, (1,), (0, -1)):
            compare(lambda L, x, name=name, dim=dim: getattr(L.fft, name)(x, dim), [x])


WINDOWS: dict[str, list[dict[str, Any]]] = {
    "signal.windows.bartlett": [{}],
    "signal.windows.blackman": [{}],
    "signal.windows.cosine": [{}],
    "signal.windows.exponential": [{}, {"tau": 2.5}, {"center": 1.0, "sym": False}],
    "signal.windows.gaussian": [{}, {"std": 2.5}],
    "signal.windows.general_cosine": [{"a": [0.5, 0.3, 0.2]}, {"a": (1.0,)}],
    "signal.windows.general_hamming": [{}, {"alpha": 0.7}],
    "signal.windows.hamming": [{}],
    "signal.windows.hann": [{}],
    "signal.windows.kaiser": [{}, {"beta": 0.0}, {"beta": 3}],
    "signal.windows.nuttall": [{}],
    "hann_window": [{}],
    "hamming_window": [{}, {"alpha": 0.6, "beta": 0.3}],
    "blackman_window": [{}],
    "bartlett_window": [{}],
    "kaiser_window": [{}, {"beta": 3.0}],
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows(name):
    ours, theirs = td, torch
    for part in name.split("."):
        ours, theirs = getattr(ours, part), getattr(theirs, part)
    way = "sym" if "." in name else "periodic"
    for options in WINDOWS[name]:
        for n in (0, 1, 2, 3, 6, 11):
            for flag in (True, False):
                given = {way: flag, **options}
                for dtype in ("float64", "float32"):
                    found = ours(n, **given, dtype=getattr(td, dtype))
                    expected = theirs(n, **given, dtype=getattr(torch, dtype))
                    close = 1e-12 if dtype == "float64" else 2e-6
                    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=close, atol=close)
                    assert found.numpy().dtype == expected.numpy().dtype


SIGNAL = RNG.standard_normal((2, 24))
WEIGHTS = RNG.uniform(0.5, 1.5, 8)
STFT: list[dict[str, Any]] = [
    {"n_fft": 8, "return_complex": True},
    {"n_fft": 8, "return_complex": False, "normalized": True},
    {"n_fft": 10, "win_length": 8, "hop_length": 3, "return_complex": True},
    {"n_fft": 11, "win_length": 8, "center": False, "return_complex": True, "onesided": False},
    {"n_fft": 12, "win_length": 8, "center": False, "return_complex": True, "align_to_window": True},
    {"n_fft": 8, "pad_mode": "circular", "return_complex": True},
    {"n_fft": 8, "pad_mode": "constant", "hop_length": 8, "return_complex": True},
]


@pytest.mark.parametrize("options", STFT, ids=str)
@pytest.mark.filterwarnings("ignore:.*window", "ignore:.*return_complex")
def test_stft(options):
    compare(lambda L, x, w: L.stft(x, window=w, **options), [SIGNAL, WEIGHTS])
    compare(lambda L, x, w: x.stft(window=w * (1 + 1j), **options), [SIGNAL[0], WEIGHTS])
    compare(lambda L, x: L.stft(x, **options), [SIGNAL + 1j * SIGNAL[::-1]])
    compare(lambda L, x: L.stft(x, **options), [SIGNAL])


ISTFT: list[dict[str, Any]] = [
    {"n_fft": 8},
    {"n_fft": 8, "normalized": True, "length": 10},
    {"n_fft": 8, "length": 40},
    {"n_fft": 9, "win_length": 8, "hop_length": 3},
    {"n_fft": 8, "center": False, "hop_length": 5, "onesided": True},
    {"n_fft": 5, "onesided": False, "win_length": 4},
]


@pytest.mark.parametrize("options", ISTFT, ids=str)
@pytest.mark.filterwarnings("ignore:.*window", "ignore:.*length")
def test_istft(options):
    spectra = RNG.standard_normal((2, 5, 6)) + 1j * RNG.standard_normal((2, 5, 6))
    weights = WEIGHTS[: options.get("win_length", options["n_fft"])]
    compare(lambda L, x, w: L.istft(x, window=w, **options), [spectra, weights])
    compare(lambda L, x: x.istft(**options), [spectra[0]])
    if not options.get("onesided", True):
        compare(lambda L, x, w: L.istft(x, window=w, return_complex=True, **options), [spectra, weights])


HELPERS: dict[str, Any] = {
    "angle": lambda L, z: L.angle(z),
    "polar": lambda L, z: L.polar(z.abs(), z.imag),  # PyTorch's gradient is wrong where `abs` is negative
    "conj_physical": lambda L, z: L.conj_physical(z) * z,
    "conj_physical_": lambda L, z: (z * 2).conj_physical_(),
    "resolve_neg": lambda L, z: L.resolve_neg(z.conj().imag),
    "real and imag written": lambda L, z: written(z.clone(), z),
}


def written(changed: Any, z: Any) -> Any:
    changed.real = z.imag
    changed.imag = z.real * 2
    return changed


@pytest.mark.parametrize("name", HELPERS)
def test_complex_helpers(name):
    compare(lambda L, z: HELPERS[name](L, z), [COMPLEX])


def test_special_angles():
    numbers = [0.0, -0.0, 1.0, -1.0, np.nan, -np.inf, np.inf]
    pairs = [complex(x, y) for x in (0.0, -0.0, -1.0, np.inf) for y in (0.0, -0.0, 2.0, np.nan)]
    for values in (numbers, pairs):
        x = np.array(values)
        np.testing.assert_array_equal(td.angle(td.tensor(x)).numpy(), torch.angle(torch.tensor(x)).numpy())
        np.testing.assert_array_equal(td.isreal(td.tensor(x)).numpy(), torch.isreal(torch.tensor(x)).numpy())


def mixer(L: Any) -> Any:
    """A block of a network over frequencies: a spectrum times complex weights, and back (Autoformer, FNet, FreTS)."""

    class Mixer(L.nn.Module):
        def __init__(self, weights: Any):
            super().__init__()
            self.weights = L.nn.Parameter(L.tensor(weights))
            self.scale = L.nn.Parameter(L.ones(4, dtype=L.float64))

        def forward(self, x: Any) -> Any:
            spectrum = L.fft.rfft(x, dim=1, norm="ortho")
            mixed = L.einsum("bfi,fio->bfo", spectrum, self.weights)
            kept = L.view_as_complex(L.nn.functional.softshrink(L.view_as_real(mixed), 0.01))
            x = x + L.fft.irfft(kept, n=x.shape[1], dim=1, norm="ortho")
            tokens = L.fft.fft2(x * self.scale, dim=(-2, -1)).real
            queries, keys = L.fft.rfft(tokens, dim=1), L.fft.rfft(x, dim=1)
            return tokens + L.fft.irfft(queries * L.conj(keys), n=x.shape[1], dim=1).mean(-1, keepdim=True)

    return Mixer


def test_a_network_over_frequencies_trains_as_in_pytorch():
    rng = np.random.default_rng(1)
    weights = 0.3 * (rng.standard_normal((6, 4, 4)) + 1j * rng.standard_normal((6, 4, 4)))
    x, y = rng.standard_normal((3, 10, 4)), rng.standard_normal((3, 10, 4))
    runs = []
    for L in (torch, td):
        model = mixer(L)(weights)
        optimizer = L.optim.Adam(model.parameters(), lr=0.02)
        losses = []
        for _ in range(8):
            optimizer.zero_grad()
            loss = L.nn.functional.mse_loss(model(L.tensor(x)), L.tensor(y))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        runs.append((losses, model.weights.detach().numpy()))
    assert runs[0][0][-1] < 0.7 * runs[0][0][0]
    np.testing.assert_allclose(runs[1][0], runs[0][0], rtol=1e-9)
    np.testing.assert_allclose(runs[1][1], runs[0][1], rtol=1e-7, atol=1e-9)
