"""td.special and parts of numbers: what it is without PyTorch beside it."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

import tinygrad_dl as td


def test_known_values():
    special = td.special
    x = td.tensor([0.5, 1.0], dtype=td.float64)
    np.testing.assert_allclose(special.i0(x), [1.0634833707413236, 1.2660658777520084], rtol=1e-14)
    np.testing.assert_allclose(special.zeta(td.tensor(2.0, dtype=td.float64), 1), math.pi**2 / 6, rtol=1e-14)
    np.testing.assert_allclose(special.ndtr(td.tensor(-30.0, dtype=td.float64)), 4.906713927148187e-198, rtol=1e-12)
    assert special.hermite_polynomial_h(td.tensor(2.0), td.tensor([0, 1, 2, 3])).tolist() == [1.0, 4.0, 14.0, 40.0]
    assert special.legendre_polynomial_p(td.tensor(0.5), 2).item() == -0.125
    assert special.laguerre_polynomial_l(td.tensor(1), 2).dtype == td.float32
    assert special.gammaln is td.lgamma and special.expit is td.sigmoid and special.multigammaln is td.mvlgamma


def test_numbers_by_their_parts():
    x = td.tensor([6.0, -0.25, 0.0], requires_grad=True)
    mantissa, exponent = td.frexp(x)
    assert td.ldexp(mantissa, exponent).tolist() == x.tolist() and exponent.dtype == td.int32
    (g,) = td.autograd.grad(mantissa.sum(), x)
    assert g.tolist() == [0.125, 2.0, 1.0]
    assert [each.tolist() for each in np.frexp(td.tensor([8.0]))] == [[0.5], [4]]
    assert td.nextafter(td.tensor([1.0], dtype=td.float16), td.tensor([2.0], dtype=td.float16)).item() == 1 + 2**-10
    assert td.copysign(td.tensor([1]), -0.0).tolist() == [-1.0]


def test_the_second_derivative_of_sinc_at_0():
    x = td.tensor([0.0, 0.005, 0.02], dtype=td.float64, requires_grad=True)
    (g,) = td.autograd.grad(td.sinc(x).sum(), x, create_graph=True)
    (second,) = td.autograd.grad(g.sum(), x)
    p = math.pi**2
    expected = [-p / 3 + p**2 * v**2 / 10 - p**3 * v**4 / 168 for v in (0, 0.005, 0.02)]
    np.testing.assert_allclose(second, expected, rtol=1e-7)


def test_numpys_functions():
    x = td.tensor([3.0, 9.0], requires_grad=True)
    for function in (np.deg2rad, np.degrees, np.sinc, np.i0, np.isposinf, np.exp2):
        assert isinstance(function(x), td.Tensor)
        np.testing.assert_allclose(function(x).detach(), function(x.detach().numpy()), rtol=1e-4, atol=1e-6)
    assert np.left_shift(td.tensor([1, 2]), 2).tolist() == [4, 8] and np.gcd(td.tensor([12]), 8).tolist() == [4]
    assert np.float_power(x, 2).dtype == td.float64 and np.heaviside(x, 0.5).tolist() == [1.0, 1.0]


def test_without_scipy_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert td.special.i0(1.0).item() == pytest.approx(1.2660659)
    with pytest.raises(ImportError, match=r"needs SciPy: pip install 'tinygrad_dl\[special\]'"):
        td.special.bessel_j0(1.0)


def test_a_first_argument_of_igamma_that_requires_a_gradient_is_refused():
    with pytest.raises(RuntimeError, match="input"):
        td.igamma(td.ones(2, requires_grad=True), td.ones(2))


def test_polynomials_in_single_precision_are_exact_to_rounding():
    x = np.linspace(-6, 6, 101).astype(np.float32)
    for name in ("hermite_polynomial_h", "hermite_polynomial_he", "laguerre_polynomial_l"):
        found = getattr(td.special, name)(td.tensor(x), 20).numpy()
        expected = getattr(td.special, name)(td.tensor(x.astype(np.float64)), 20).numpy()
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-7)
