"""Fourier transforms, short-time ones, windows, and complex numbers by size and angle."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.ops.fft import _kernels
from tinygrad_dl.testing import gradcheck, gradgradcheck

RNG = np.random.default_rng(0)
PAIRS = [("fft", "ifft"), ("rfft", "irfft"), ("ihfft", "hfft")]


def draw(*shape, complex=False, grad=False):
    x = RNG.standard_normal(shape)
    return td.tensor(x + 1j * RNG.standard_normal(shape) if complex else x, requires_grad=grad)


def test_a_wave_has_one_frequency():
    wave = td.cos(2 * math.pi * 3 * td.arange(16.0, dtype=td.float64) / 16)
    assert td.fft.rfft(wave).abs().round(decimals=12).tolist() == [0.0] * 3 + [8.0] + [0.0] * 5
    assert td.fft.fft(td.tensor([1.0, 2.0, 3.0, 4.0])).tolist() == [10, -2 + 2j, -2, -2 - 2j]
    assert td.fft.hfft(td.tensor([1.0, 2.0, 3.0])).tolist() == [8.0, -2.0, 0.0, -2.0]


@pytest.mark.parametrize("suffix", ["", "2", "n"])
@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_inverses(pair, norm, suffix):
    for n in (4, 5):
        there, back = (getattr(td.fft, name + suffix) for name in pair)
        x = draw(2, 3, n, complex=pair[0] == "fft")
        size = {"n": n} if not suffix else {"s": (3, n), "dim": (-2, -1)}
        np.testing.assert_allclose(back(there(x, norm=norm, **size), norm=norm, **size), x, atol=1e-13)


def test_single_precision_stays_single():
    for dtype, wanted in ((td.float32, td.complex64), (td.float64, td.complex128), (td.int32, td.complex64)):
        assert td.fft.rfft(td.ones(4).to(dtype)).dtype == wanted
    assert td.fft.irfft(td.ones(3, dtype=td.complex64)).dtype == td.float32
    with td.no_grad():
        assert td.fft.ifft2(td.ones(2, 2, dtype=td.complex64)).dtype == td.complex64


@pytest.mark.parametrize("name", [name for pair in PAIRS for name in pair])
def test_gradients_of_what_is_cut_and_padded(name):
    x = draw(3, 4, complex=name not in ("rfft", "ihfft"), grad=True)
    for options in ({"n": 3}, {"n": 6, "dim": 0}):
        function = functools.partial(getattr(td.fft, name), **options)
        assert gradcheck(function, (x,)) and gradgradcheck(function, (x,))


def test_transforms_of_functions():
    x = draw(5, 8)
    spectra = td.func.vmap(lambda row: td.fft.rfft(row, norm="ortho"))(x)
    np.testing.assert_allclose(spectra, np.fft.rfft(x.numpy(), norm="ortho"), atol=1e-13)
    both = td.func.vmap(lambda matrix: td.fft.irfftn(td.fft.rfftn(matrix), (3, 4)))(draw(2, 3, 4))
    assert both.shape == (2, 3, 4)
    _, tangent = td.func.jvp(lambda x: td.fft.fft(x).abs().square().sum(), (x[0],), (x[1],))
    np.testing.assert_allclose(tangent, 2 * 8 * (x[0] * x[1]).sum(), rtol=1e-12)  # Parseval


def test_lines_on_several_threads_are_the_same_numbers():
    x = draw(16, 64, 65)
    many = [td.fft.fft2(x), td.fft.rfft(x, dim=1), td.fft.irfft(x, dim=0), td.fft.hfftn(x, dim=(0, 2))]
    before = td.get_num_threads()
    td.set_num_threads(1)
    one = [td.fft.fft2(x), td.fft.rfft(x, dim=1), td.fft.irfft(x, dim=0), td.fft.hfftn(x, dim=(0, 2))]
    td.set_num_threads(before)
    for a, b in zip(many, one, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(many[0], np.fft.fft2(x.numpy()), atol=1e-11)


def test_out():
    out = td.empty(3, dtype=td.complex64)
    assert td.fft.rfft(td.tensor([1.0, 2.0, 3.0, 4.0]), out=out) is out and out.tolist() == [10, -2 + 2j, -2]
    assert td.polar(td.ones(3), td.zeros(3), out=out) is out and out.tolist() == [1, 1, 1]
    with pytest.raises(RuntimeError, match="got out of dtype float32"):
        td.fft.fft(td.ones(3), out=td.empty(3))


def test_numpys_functions_compute_with_tensors():
    x = draw(3, 4, grad=True)
    np.fft.irfft(np.fft.rfft(x, axis=0), 3, axis=0).sum().backward()
    np.testing.assert_allclose(x.grad, np.ones((3, 4)), atol=1e-14)
    assert np.fft.fftshift(x, axes=1)[0, 0].item() == x[0, 2].item()
    assert np.angle(td.tensor(1j), deg=True).item() == 90.0


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda x: td.fft.fft(x, 0), ValueError, "fft: got a transform of size 0, expected at least 1"),
        (lambda x: td.fft.irfft(x[:, :1]), ValueError, "irfft: got a transform of size 0"),
        (lambda x: td.fft.fft(x, norm="unit"), ValueError, "fft: got norm='unit', expected 'backward'"),
        (lambda x: td.fft.rfft(x * 1j), TypeError, "rfft: got a tensor of complex64, expected real numbers"),
        (lambda x: td.fft.fft2(x.half()), TypeError, "fft2: got a tensor of float16, expected float32"),
        (lambda x: td.fft.fftn(x, dim=(0, 0)), ValueError, r"fftn: got the dimensions \[0, 0\], expected each"),
        (lambda x: td.fft.fft(td.tensor(1.0)), IndexError, "fft: got dim -1 for a tensor of no dimensions"),
        (lambda x: td.fft.rfftn(x, (2, 2, 2)), ValueError, "rfftn: .*expected at most 2 sizes"),
        (lambda x: td.stft(x, 4), ValueError, "stft: got return_complex=None, expected True"),
        (lambda x: td.istft(x + 0j, 4), ValueError, "istft: got 3 frequencies|istft: got 2 frequencies"),
        (
            lambda x: td.istft(td.ones(3, 4) + 0j, 4, window=td.zeros(4)),
            ValueError,
            "istft: got windows that add up to 0",
        ),
        (lambda x: td.polar(x, x.double()), TypeError, "polar: got tensors of float32 and float64"),
        (lambda x: td.complex(x, x.double()), TypeError, "complex: got tensors of float32 and float64"),
        (lambda x: td.signal.windows.hann(-1), ValueError, "hann: got a window of length -1, expected 0 or more"),
        (lambda x: td.hann_window(2.5), TypeError, "hann_window: got .*2.5, expected"),
    ],
)
def test_what_is_refused(call, kind, words):
    with pytest.raises(kind, match=words):
        call(td.ones(2, 3))


def test_a_signal_comes_back_from_its_stretches():
    x = draw(2, 50, grad=True)
    for options in ({"n_fft": 8}, {"n_fft": 10, "hop_length": 3, "win_length": 8, "normalized": True}):
        window = td.hann_window(8, dtype=td.float64)
        spectra = td.stft(x, window=window, return_complex=True, **options)
        found = td.istft(spectra, window=window, length=50, **options)
        n = found.shape[1] - options["n_fft"]
        np.testing.assert_allclose(found[:, :n].detach(), x[:, :n].detach(), atol=1e-13)
    with pytest.warns(UserWarning, match="istft: got length=90"):
        assert td.istft(spectra, 10, 3, length=90)[:, 60:].abs().max() == 0


def test_windows():
    assert td.hann_window(4).tolist() == [0.0, 0.5, 1.0, 0.5]
    assert td.hann_window(5, periodic=False).tolist() == td.signal.windows.hann(5).tolist()
    assert td.bartlett_window(4, dtype=td.float16).dtype == td.float16
    assert td.signal.windows.general_hamming(1).tolist() == [1.0] and td.signal.windows.kaiser(0).shape == (0,)
    np.testing.assert_allclose(td.signal.windows.kaiser(7, beta=5.0, dtype=td.float64), np.kaiser(7, 5.0), rtol=1e-13)
    np.testing.assert_allclose(td.blackman_window(6, False, dtype=td.float64), np.blackman(6), atol=1e-15)
    assert td.hann_window(3, requires_grad=True).requires_grad


def test_angles():
    z = td.tensor([0j, 1j, -2 + 0j], requires_grad=True)
    angles = td.angle(z)
    angles.sum().backward()
    np.testing.assert_allclose(angles.tolist(), [0, math.pi / 2, math.pi], rtol=1e-6)
    assert z.grad.tolist() == [0, -1, -0.5j]
    np.testing.assert_array_equal(
        td.angle(td.tensor([-1.0, -0.0, 2.0, math.nan])), np.float32([math.pi, 0, 0, math.nan])
    )
    back = td.polar(z.detach().abs(), angles.detach())
    np.testing.assert_allclose(back, z.detach(), atol=1e-6)
    assert td.isreal(z).tolist() == [True, False, True] and td.isreal(td.tensor([1.0, math.inf])).all()
    w = td.tensor([1 + 2j])
    assert w.conj_physical_() is w and w.tolist() == [1 - 2j]
    assert w.imag.resolve_neg().tolist() == [-2.0] and not w.is_neg()


LARGE = [("fft", (2**17,), True), ("fft", (3 * 2**16,), True), ("fft", (131101,), True), ("ifft", (300, 301), False)]
LARGE += [("fft", (300, 301), False), ("fftn", (20, 41, 60), False), ("ifft2", (200, 301), True)]


@pytest.mark.parametrize("name, shape, complex", LARGE, ids=str)
def test_large_transforms_are_numpys(name, shape, complex):
    """In two steps, as the mirror of a half, on several threads: in single precision, too."""
    x = draw(*shape, complex=complex).numpy()
    for norm in (None, "ortho", "forward"):
        expected = getattr(np.fft, name)(x, norm=norm)
        found = getattr(td.fft, name)(td.tensor(x), norm=norm).numpy()
        assert abs(found - expected).max() <= 1e-14 * abs(expected).max()
        single = getattr(td.fft, name)(td.tensor(x.astype(np.complex64 if complex else np.float32)), norm=norm).numpy()
        assert single.dtype == np.complex64 and abs(single - expected).max() <= 1e-6 * abs(expected).max()


def test_without_numpys_kernels(monkeypatch):
    x = draw(3, 4).numpy()
    names = [name for pair in PAIRS for name in pair]
    known = [getattr(td.fft, name)(td.tensor(x), norm=norm).numpy() for name in names for norm in (None, "ortho")]
    monkeypatch.setattr(_kernels, "_kernels", None)
    again = [getattr(td.fft, name)(td.tensor(x), norm=norm).numpy() for name in names for norm in (None, "ortho")]
    for found, expected in zip(again, known, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-15)
