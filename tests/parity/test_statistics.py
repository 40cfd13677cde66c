"""Quantiles, histograms, covariances, integrals and their like: values and gradients are PyTorch's."""

import numpy as np
import pytest
import torch

import tinygrad_dl as td

RNG = np.random.default_rng(7)
VECTOR, MATRIX = RNG.standard_normal(7), RNG.standard_normal((4, 5))
INTS = np.array([3, 1, 3, 1, 2, 2, 2])
COMPLEX = RNG.standard_normal((3, 4)) + 1j * RNG.standard_normal((3, 4))
NAN = np.array([[1.0, np.nan, 2.0, 4.0], [np.nan] * 4, [3.0, 1.0, 2.0, 0.5]])
EQUAL = np.array([1.0, 3.0, 3.0, np.nan, 2.0, np.nan])
BIG = np.array([[-1e3, -2e3, 1.0, 800.0, 2.0], [900.0, -900.0, 3.0, 1.0, 0.0]])
WEIGHTS = RNG.uniform(0.5, 1, 5)
PARTS, POINTS = np.array([0.0, 0.3, 1.0]), np.array([0.0, 1.0, 3.0, 4.0, 8.0])
HOW = ("linear", "lower", "higher", "midpoint", "nearest")
WITH_GRADIENT = {
    **{
        f"quantile {how}": (lambda L, x, h=how: L.quantile(x, L.tensor(PARTS), 1, True, interpolation=h), MATRIX)
        for how in HOW
    },
    **{f"nanquantile {how}": (lambda L, x, h=how: L.nanquantile(x, 0.4, 1, interpolation=h), NAN) for how in HOW},
    "quantile of all": (lambda L, x: L.quantile(x, 0.3, keepdim=True), MATRIX),
    "quantile with nan": (lambda L, x: L.quantile(x, 0.4, dim=-1), NAN),
    "mode": (lambda L, x: L.mode(x, 1), np.round(MATRIX)),
    "cummax": (lambda L, x: L.cummax(x, 0), EQUAL),
    "cummin": (lambda L, x: L.cummin(x, 1), MATRIX),
    "logcumsumexp": (lambda L, x: L.logcumsumexp(x, 1), BIG),
    "logcumsumexp complex": (lambda L, x: L.logcumsumexp(x, 0), COMPLEX),
    "aminmax": (lambda L, x: L.aminmax(x, dim=0, keepdim=True), np.round(MATRIX)),
    "cov": (lambda L, x: L.cov(x), MATRIX),
    "cov complex": (lambda L, x: L.cov(x, correction=0), COMPLEX),
    "cov weighted": (lambda L, x: L.cov(x, fweights=L.tensor([1, 2, 0, 1, 3]), aweights=L.tensor(WEIGHTS)), MATRIX),
    "corrcoef": (lambda L, x: L.corrcoef(x), MATRIX),
    "corrcoef complex": (lambda L, x: L.corrcoef(x), COMPLEX),
    "trapezoid": (lambda L, x: L.trapezoid(x, L.tensor([0.0, 1.0, 3.0, 4.0], dtype=L.float64), dim=0), MATRIX),
    "trapz": (lambda L, x: L.trapz(x, dx=0.5), MATRIX),
    "cumulative_trapezoid": (lambda L, x: L.cumulative_trapezoid(x, x * x), MATRIX),
    "gradient": (lambda L, x: L.gradient(x, spacing=[0.5, 2.0], edge_order=2), MATRIX),
    "gradient at points": (lambda L, x: L.gradient(x, spacing=[L.tensor(POINTS)], dim=1, edge_order=2), MATRIX),
    "renorm": (lambda L, x: L.renorm(x, 3, 1, 1.5), MATRIX),
    "renorm complex": (lambda L, x: L.renorm(x, 2, 0, 1.0), COMPLEX),
    "combinations": (lambda L, x: L.combinations(x, 3, True), VECTOR),
    "put": (lambda L, x: L.put(x, L.tensor([[0, -1], [5, 0]]), x[:2, :2] * 2, True), MATRIX),
}  # fmt: skip
WITHOUT_GRADIENT = {
    "histc": lambda L: L.histc(L.tensor(VECTOR), 5),
    "histc with a range": lambda L: L.histc(L.tensor(VECTOR), 4, -1, 0.5),
    "histogram": lambda L: L.histogram(
        L.tensor(VECTOR), 4, range=(-1.0, 1.0), density=True, weight=L.tensor(VECTOR**2)
    ),
    "histogram at edges": lambda L: L.histogram(L.tensor([1.0, 2.0, 3.0, 3.5]), L.tensor([1.0, 2.0, 3.0])),
    "histogramdd": lambda L: L.histogramdd(L.tensor(MATRIX[:, :3]), [2, 3, 2]),
    "tril_indices": lambda L: L.tril_indices(3, 4, -1),
    "triu_indices": lambda L: L.triu_indices(3, 4, 1, dtype=L.int32),
    "logspace": lambda L: L.logspace(-1, L.tensor(2), 5, 2, dtype=L.float64),
    "linspace of integers": lambda L: L.linspace(4.3, 0, 50, dtype=L.uint8),
    "linspace complex": lambda L: L.linspace(0, 1j, 3),
    "arange of integers": lambda L: L.arange(-0.9, 6.1, 2.0, dtype=L.int32),
    "unique_consecutive": lambda L: L.unique_consecutive(L.tensor(INTS), True, True),
    "unique_consecutive of slices": lambda L: L.unique_consecutive(L.tensor([[1, 1, 2], [3, 3, 3]]), True, True, dim=1),
    "nonzero_static": lambda L: L.nonzero_static(L.tensor([[1, 0], [2, 3]]), size=5, fill_value=9),
    "mode of integers": lambda L: L.mode(L.tensor(INTS)),
    "trapezoid of integers": lambda L: L.trapezoid(L.tensor(INTS), dx=2),
}  # fmt: skip
REFUSED = {
    "quantile of half": lambda L: L.quantile(L.ones(3, dtype=L.float16), 0.5),
    "quantile of nothing": lambda L: L.quantile(L.ones(0), 0.5),
    "quantile beyond": lambda L: L.quantile(L.ones(3), 1.5),
    "quantile of another dtype": lambda L: L.quantile(L.ones(3), L.ones(1, dtype=L.float64)),
    "mode of nothing": lambda L: L.mode(L.ones(2, 0)),
    "amax of nothing": lambda L: L.amax(L.ones(2, 0), 1),
    "aminmax of nothing": lambda L: L.aminmax(L.ones(0)),
    "cummax": lambda L: L.cummax(L.ones(2), 3),
    "histc": lambda L: L.histc(L.ones(2), 0),
    "histogram": lambda L: L.histogram(L.ones(2), 2, range=(3.0, 1.0)),
    "cov": lambda L: L.cov(L.ones(2, 2, 2)),
    "trapezoid": lambda L: L.trapezoid(L.ones(2, 3), L.ones(2)),
    "gradient": lambda L: L.gradient(L.ones(2), edge_order=2),
    "renorm": lambda L: L.renorm(L.ones(2), 2, 0, 1),
    "combinations": lambda L: L.combinations(L.ones(2, 2)),
    "put": lambda L: L.put(L.ones(2), L.tensor([0]), L.tensor([1])),
    "put of another count": lambda L: L.put(L.ones(2), L.tensor([0]), L.ones(2)),
    "nonzero_static": lambda L: L.nonzero_static(L.ones(2), size=-1),
    "tril_indices": lambda L: L.tril_indices(-1, 3),
    "logspace": lambda L: L.logspace(0, 1, -1),
    "linspace": lambda L: L.linspace(L.ones(2), 1, 3),
    "arange": lambda L: L.arange(0, -3, 2),
}


def tensors(found):
    if isinstance(found, tuple):
        return [each for part in found for each in tensors(part)]
    return [found]


def assert_alike(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        a, b = a.detach().resolve_conj().numpy(), b.detach().resolve_conj().numpy()
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-9 if a.dtype.itemsize > 4 else 1e-6, atol=1e-9)


@pytest.mark.parametrize("name", WITH_GRADIENT)
def test_values_and_gradients(name):
    function, array = WITH_GRADIENT[name]
    sides = []
    for library in (td, torch):
        x = library.tensor(array, requires_grad=True)
        found = tensors(function(library, x))
        total = 0.0
        for each in found:
            if each.requires_grad:
                weight = library.arange(1.0, each.numel() + 1, dtype=library.float64).reshape(each.shape)
                part = (each * weight).sum()
                total = total + (part.real + 2 * part.imag if each.dtype.is_complex else part)
        (g,) = library.autograd.grad(total, x, create_graph=True)
        second = library.autograd.grad(abs(g * g).sum(), x, allow_unused=True)[0] if g.requires_grad else None
        finite = np.isfinite(array).all() and second is not None
        sides.append([*found, g, *([second] if finite else [])])
    assert_alike(*sides)


@pytest.mark.parametrize("name", WITHOUT_GRADIENT)
def test_values(name):
    assert_alike(*(tensors(WITHOUT_GRADIENT[name](library)) for library in (td, torch)))


@pytest.mark.parametrize("name", REFUSED)
def test_errors_are_of_the_same_kind(name):
    with pytest.raises((RuntimeError, IndexError, TypeError, ValueError)) as theirs:
        REFUSED[name](torch)
    with pytest.raises(theirs.type if theirs.type is not NotImplementedError else RuntimeError):
        REFUSED[name](td)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.quantile(x, [[0.1, 0.5]], axis=(0, 1), keepdims=True),
        lambda x: np.percentile(x, 30, axis=0, method="higher"),
        lambda x: np.nanquantile(x, 0.4),
        lambda x: np.cov(x, rowvar=False, ddof=0),
        lambda x: np.cov(x, x[:2], bias=True),
        lambda x: np.corrcoef(x),
        lambda x: np.trapezoid(x, dx=2.0, axis=0),
        lambda x: np.gradient(x, 2.0, axis=1),
        lambda x: np.gradient(x, 2.0, [0.0, 1.0, 3.0, 4.0, 8.0]),
        lambda x: np.histogram(x, 3),
        lambda x: np.maximum.accumulate(x, axis=1),
        lambda x: np.logaddexp.accumulate(x),
    ],
)
def test_numpys_functions(call):
    ours, theirs = call(td.tensor(MATRIX)), call(MATRIX)
    for a, b in zip(ours, theirs, strict=True) if isinstance(theirs, tuple | list) else [(ours, theirs)]:
        assert isinstance(a, td.Tensor)
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-12, atol=1e-14)


def test_in_place_forms():
    x = td.tensor([[3.0, 4.0], [0.3, 0.4]])
    x.renorm_(2, 0, 1)
    x.put_(td.tensor([1]), td.tensor([9.0]))
    np.testing.assert_allclose(x.numpy(), [[0.6, 9.0], [0.3, 0.4]], rtol=1e-6)
