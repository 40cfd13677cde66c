"""Special functions and parts of numbers at special values, in all dtypes, in place, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_dl as td
from parity.counterpart import NUMPY_DTYPES, as_numpy, torch

X = [0.0, -0.0, 0.3, -0.3, 0.9, 1.0, -1.0, 2.5, -2.5, 4.9, 30.0, -30.0, math.inf, -math.inf, math.nan]
ONE = [
    "airy_ai",
    "entr",
    "erfcx",
    "expit",
    "exp2",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "log_ndtr",
    "modified_bessel_i0",
    "modified_bessel_i1",
    "modified_bessel_k0",
    "modified_bessel_k1",
    "ndtr",
    "ndtri",
    "psi",
    "gammaln",
    "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1",
    "sinc",
    "logit",
    "log1p",
    "spherical_bessel_j0",
    "erfinv",
]
POLYNOMIALS = [name for name in td.special.__all__ if "_polynomial_" in name]
KINDS = ["bool", "uint8", "int32", "int64", "float32", "float64"]


def gradients(library, function, arrays):
    """The result, and first and second gradients of its sum, as arrays."""
    tensors = [library.tensor(a, requires_grad=True) for a in arrays]
    out = function(library, *tensors)
    first = library.autograd.grad(out.sum(), tensors, create_graph=True)
    known = [each.sum() for each in first if each.requires_grad]
    second = library.autograd.grad(sum(known), tensors, allow_unused=True) if known else ()
    return [np.array(t.tolist()) for t in (out, *first)], [None if g is None else np.array(g.tolist()) for g in second]


def compare(function, *arrays):
    (ours, ours_2), (theirs, theirs_2) = (gradients(library, function, arrays) for library in (td, torch))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)
    for mine, other in zip(ours_2, theirs_2, strict=False):
        np.testing.assert_allclose(0 if mine is None else mine, 0 if other is None else other, rtol=1e-7, atol=1e-9)


@np.errstate(all="ignore")
@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_tensor_at_special_values(name):
    x = np.array(X)
    theirs = as_numpy(getattr(torch.special, name)(torch.tensor(x)))
    close = 1e-6 if name == "airy_ai" else 1e-12  # PyTorch's is off by that much
    np.testing.assert_allclose(getattr(td.special, name)(td.tensor(x)), theirs, rtol=1e-9, atol=close)


@np.errstate(all="ignore")
@pytest.mark.parametrize("name", [*ONE, "bessel_j0", "bessel_y1"])
def test_dtypes_of_functions_of_one_tensor(name):
    for kind in KINDS:
        x = np.ones(2, kind)
        theirs = getattr(torch.special, name)(torch.tensor(x))
        ours = getattr(td.special, name)(td.tensor(x))
        assert ours.dtype == NUMPY_DTYPES[theirs.dtype], kind
        np.testing.assert_allclose(ours, as_numpy(theirs), rtol=2e-6)


@pytest.mark.parametrize("name", ["bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1"])
def test_bessel_functions(name):
    x = np.linspace(0.1, 30.0, 50)
    theirs = as_numpy(getattr(torch.special, name)(torch.tensor(x)))
    np.testing.assert_allclose(getattr(td.special, name)(td.tensor(x)), theirs, atol=2e-6)


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_polynomials(name):
    x, n = np.array([-1.5, -1.0, -0.4, 0.0, 0.7, 1.0, 1.2]), np.arange(-1, 12)[:, None]
    for degree in (n, n + 0.5):
        theirs = as_numpy(getattr(torch.special, name)(torch.tensor(x), torch.tensor(degree)))
        ours = getattr(td.special, name)(td.tensor(x), td.tensor(degree))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    for library in (td, torch):
        assert not getattr(library.special, name)(library.ones(2, requires_grad=True), 2).requires_grad


@pytest.mark.parametrize("name", ["i0", "i0e", "i1", "i1e", "erfcx", "log_ndtr", "ndtr", "entr", "sinc"])
def test_gradients(name):
    compare(lambda library, x: getattr(library.special, name)(x), np.array([0.2, 0.7, 1.5, 3.0]))


A, B = np.array([0.5, 1.0, 2.5]), np.array([0.3, 2.0, 4.0])
OF_TWO = {
    "zeta": lambda library, x: library.special.zeta(library.tensor(A + 1), x),
    "igamma": lambda library, x: library.igamma(library.tensor(A), x),
    "igammac": lambda library, x: library.igammac(library.tensor(A), x),
    "mvlgamma": lambda library, x: library.mvlgamma(x + 2, 3),
    "frexp": lambda library, x: library.frexp(x * 5).mantissa,
    "copysign": lambda library, x: library.copysign(x, library.tensor(-A)),
    "xlog1py": lambda library, x: library.special.xlog1py(x + 1, x),
    "logaddexp2": lambda library, x: library.logaddexp2(x * 2, x),
    "ldexp": lambda library, x: library.ldexp(x, x - 1),
    "float_power": lambda library, x: library.float_power(x, x - 1),
    "rsub": lambda library, x: library.rsub(x, x * x, alpha=3),
    "nextafter": lambda library, x: library.nextafter(x, x + 1),
}


@pytest.mark.parametrize("name", OF_TWO)
def test_gradients_of_two_tensors(name):
    compare(OF_TWO[name], B)


PAIRS = ["copysign", "ldexp", "float_power", "gcd", "lcm", "bitwise_left_shift", "bitwise_right_shift"]


@pytest.mark.parametrize("name", PAIRS)
def test_dtypes_of_two_tensors(name):
    for first in KINDS:
        for second in KINDS:
            a, b = np.array([1, 3, 6]).astype(first), np.array([1, 2, 4]).astype(second)
            try:
                theirs = getattr(torch, name)(torch.tensor(a), torch.tensor(b))
            except (RuntimeError, NotImplementedError):
                if name == "ldexp":
                    continue  # bools count as 0 and 1
                with pytest.raises((RuntimeError, TypeError)):
                    getattr(td, name)(td.tensor(a), td.tensor(b))
                continue
            ours = getattr(td, name)(td.tensor(a), td.tensor(b))
            assert ours.dtype == NUMPY_DTYPES[theirs.dtype], (first, second)
            np.testing.assert_allclose(ours, as_numpy(theirs), rtol=1e-6)


def test_shifts_beyond_the_bits():
    for library in (td, torch):
        x, n = library.tensor([-5, 5, 1]), library.tensor([70, -1, 63])
        assert (x << n).tolist() == [0, 0, -(2**63)] and (x >> n).tolist() == [-1, 0, 0]
        assert (2 << library.tensor([1, 3])).tolist() == [4, 16] and (9 >> library.tensor([1, 3])).tolist() == [4, 1]
        x <<= 1
        x >>= 2
        assert x.tolist() == [-3, 2, 0]


INPLACE = [
    ("copysign_", [1.0, -2.0], ([-1.0, 2.0],)),
    ("deg2rad_", [90.0, -45.0], ()),
    ("rad2deg_", [1.0, -0.5], ()),
    ("sinc_", [0.5, 0.0], ()),
    ("i0_", [0.5, 2.0], ()),
    ("fix_", [1.7, -1.7], ()),
    ("heaviside_", [0.0, 2.0], ([0.25, 0.25],)),
    ("igamma_", [1.0, 2.0], ([0.5, 1.5],)),
    ("igammac_", [1.0, 2.0], ([0.5, 1.5],)),
    ("ldexp_", [1.0, 3.0], ([2.0, -1.0],)),
    ("nextafter_", [1.0, 3.0], ([2.0, -1.0],)),
    ("polygamma_", [1.0, 2.5], (1,)),
    ("mvlgamma_", [2.0, 2.5], (2,)),
    ("conj_physical_", [1.0, 2.5], ()),
    ("__rdiv__", [1.0, 2.5], (2,)),
    ("__div__", [1.0, 2.5], (2,)),
    ("__idiv__", [1.0, 2.5], (2,)),
]


@pytest.mark.parametrize(("name", "start", "given"), INPLACE, ids=[row[0] for row in INPLACE])
def test_in_place_forms(name, start, given):
    results = []
    for library in (td, torch):
        x = library.tensor(start)
        out = getattr(x, name)(*(library.tensor(each) if isinstance(each, list) else each for each in given))
        assert (out is x) == name.removesuffix("__").endswith(("_", "idiv"))
        results.append(np.array(out.tolist()))
    np.testing.assert_allclose(*results, rtol=2e-6)


REFUSED = [
    lambda library, one: library.heaviside(one, one.double()),
    lambda library, one: library.frexp(one.long()),
    lambda library, one: library.mvlgamma(one, 0),
    lambda library, one: one.float_power_(2),
    lambda library, one: library.gcd(one, one),
    lambda library, one: one << 1,
    lambda library, one: library.deg2rad(one.to(library.complex64)),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_refusals(number):
    for library in (td, torch):
        with pytest.raises((RuntimeError, TypeError)):
            REFUSED[number](library, library.ones(2))
