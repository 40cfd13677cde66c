"""`linalg` beside torch.linalg: values, gradients, shapes, dtypes, and what both refuse."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")

INF = float("inf")
X = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)

NORMS = [
    ("norm", {}),
    ("norm", {"ord": 2, "dim": 1}),
    ("norm", {"ord": 0, "dim": 1}),
    ("norm", {"ord": 3, "dim": -1}),
    ("norm", {"ord": INF, "dim": [2]}),
    ("norm", {"dim": (0, 1)}),
    ("norm", {"ord": "fro", "dim": (0, 2)}),
    ("norm", {"ord": 1, "dim": (1, 2)}),
    ("norm", {"ord": -INF, "dim": (2, 0), "keepdim": True}),
    ("norm", {"dtype": "float64"}),
    ("vector_norm", {}),
    ("vector_norm", {"ord": 1.5, "dim": (0, 2)}),
    ("vector_norm", {"ord": -INF, "dim": -1, "keepdim": True}),
    ("vector_norm", {"ord": -2, "dim": 0}),
    ("matrix_norm", {}),
    ("matrix_norm", {"ord": -1, "keepdim": True}),
    ("matrix_norm", {"ord": INF, "dim": (0, 1), "dtype": "float64"}),
]


def options(library, given):
    return {name: getattr(library, value) if name == "dtype" else value for name, value in given.items()}


@pytest.mark.parametrize("name, given", NORMS)
def test_norms(name, given):
    found = []
    for library in (td, torch):
        x = library.tensor(X, requires_grad=True)
        norm = getattr(library.linalg, name)(x, **options(library, given))
        if norm.requires_grad:
            norm.sum().backward()
        found.append((norm.detach().numpy(), None if x.grad is None else x.grad.numpy()))
    (ours, our_grad), (theirs, their_grad) = found
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    if their_grad is not None:
        np.testing.assert_allclose(our_grad, their_grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "name, given",
    [
        ("norm", {"ord": 2}),
        ("norm", {"ord": "fro", "dim": 1}),
        ("norm", {"ord": 3, "dim": (0, 1)}),
        ("norm", {"dim": (0, 1, 2)}),
        ("norm", {"dim": (0, 0)}),
        ("vector_norm", {"ord": "fro"}),
        ("matrix_norm", {"ord": 3}),
        ("matrix_norm", {"dim": (1, 1)}),
        ("matrix_norm", {"dim": 1}),
    ],
)
def test_norms_that_both_refuse(name, given):
    for library in (td, torch):
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            getattr(library.linalg, name)(library.tensor(X), **given)


@pytest.mark.parametrize("norm", ["norm", "matrix_norm"])
@pytest.mark.parametrize("given", [{"ord": 2}, {"ord": -2}, {"ord": "nuc", "keepdim": True}, {"ord": 2, "dim": (2, 0)}])
def test_norms_by_singular_values(norm, given):
    compare(lambda library, x: getattr(library.linalg, norm)(x, **{"dim": (0, 1), **given}), X, 1e-5)


RNG = np.random.default_rng(1)


def draw(kind, *shape):
    real = RNG.standard_normal(shape)
    return real + 1j * RNG.standard_normal(shape) if kind == "complex" else real


def compare(function, *arrays, tolerance=1e-9):
    """The results and gradients of a weighted sum of them, of both libraries."""
    tolerance, arrays = (arrays[-1], arrays[:-1]) if isinstance(arrays[-1], float) else (tolerance, arrays)
    found = []
    for library in (td, torch):
        tensors = [library.tensor(a, requires_grad=True) for a in arrays]
        results = function(library, *tensors)
        results = results if isinstance(results, tuple) else (results,)
        total = 0
        for result in results:
            places = np.arange(result.numel()).reshape(tuple(result.shape))
            part = (result * library.tensor(np.cos(places).astype(arrays[0].real.dtype))).sum()
            total = total + (part.real if part.is_complex() else part)
        total.backward()
        found.append([*(r.detach() for r in results), *(t.grad for t in tensors)])
    for ours, theirs in zip(*found, strict=True):
        ours, theirs = ours.numpy(), theirs.resolve_conj().numpy()
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * max(1.0, np.abs(theirs).max()))


def tuple_of(result):
    return tuple(result) if isinstance(result, tuple) else result


@pytest.mark.parametrize("kind", ["real", "complex"])
class TestFactors:
    @pytest.mark.parametrize(
        "a, b, left",
        [
            ((2, 3, 3), (2, 3, 2), True),
            ((3, 3), (2, 3, 2), True),
            ((2, 3, 3), (3, 1), True),
            ((2, 3, 3), (4, 3), False),
            ((2, 3, 3), (2, 3), True),
            ((2, 3, 3), (3,), True),
        ],
    )
    def test_solve(self, kind, a, b, left):
        a, b = draw(kind, *a) + 3 * np.eye(3), draw(kind, *b)
        compare(lambda library, a, b: library.linalg.solve(a, b, left=left), a, b)

    @pytest.mark.parametrize("upper", [True, False])
    @pytest.mark.parametrize("left", [True, False])
    def test_solve_triangular(self, kind, upper, left):
        a, b = draw(kind, 2, 3, 3) + 3 * np.eye(3), draw(kind, 3, 3)
        compare(lambda library, a, b: library.linalg.solve_triangular(a, b, upper=upper, left=left), a, b)

    @pytest.mark.parametrize("upper", [True, False])
    def test_cholesky(self, kind, upper):
        def factor(library, a):
            return library.linalg.cholesky(a @ a.mH + 2 * library.eye(3, dtype=a.dtype), upper=upper)

        compare(factor, draw(kind, 2, 3, 3))

    def test_determinants(self, kind):
        a = draw(kind, 2, 3, 3) + 2 * np.eye(3)
        for name in ("det", "slogdet"):
            compare(lambda library, a, name=name: tuple_of(getattr(library.linalg, name)(a)), a)
        a = draw(kind, 3, 3)
        compare(lambda library, a: library.logdet(a @ a.mH), a)
        assert td.slogdet(td.zeros(2, 2))[1].item() == -float("inf")

    def test_inv(self, kind):
        a = draw(kind, 2, 3, 3) + 3 * np.eye(3)
        compare(lambda library, a: library.linalg.inv(a), a)
        compare(lambda library, a: library.inverse(a), a)

    @pytest.mark.parametrize("scale", [0.01, 1.0, 20.0])
    def test_matrix_exp(self, kind, scale):
        a = draw(kind, 2, 4, 4)
        a = scale * (a - a.conj().swapaxes(-1, -2))  # whose exponential does not grow
        compare(lambda library, a: library.linalg.matrix_exp(a), a)
        compare(
            lambda library, a: library.matrix_exp(a), a.astype("F" if kind == "complex" else "f"), 1e-4 * (1 + scale)
        )

    @pytest.mark.parametrize("shape", [(3, 3), (2, 5, 3), (3, 5)])
    def test_qr(self, kind, shape):
        compare(lambda library, a: tuple(library.linalg.qr(a)), draw(kind, *shape))
        a = draw(kind, *shape)
        np.testing.assert_allclose(
            td.linalg.qr(td.tensor(a), mode="r").R.numpy(), torch.linalg.qr(torch.tensor(a), mode="r").R.numpy()
        )
        if shape[-1] >= shape[-2]:
            compare(lambda library, a: tuple(library.linalg.qr(a, "complete")), a)

    @pytest.mark.parametrize("shape, count", [((2, 5, 3), 3), ((4, 4), 4), ((5, 4), 2)])
    def test_householder_product(self, kind, shape, count):
        tau = draw(kind, *shape[:-2], count)
        compare(lambda library, a, tau: library.linalg.householder_product(a, tau), draw(kind, *shape), tau)

    def test_geqrf(self, kind):
        a = draw(kind, 2, 4, 3)
        for ours, theirs in zip(td.geqrf(td.tensor(a)), torch.geqrf(torch.tensor(a)), strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs.numpy())

    @pytest.mark.parametrize("shape", [(3, 3), (2, 5, 3), (3, 5)])
    def test_singular_values_and_vectors(self, kind, shape):
        a = draw(kind, *shape)
        compare(lambda library, a: library.linalg.svdvals(a), a)
        for full in (True, False):
            compare(lambda library, a, full=full: library.linalg.svd(a, full).S, a)
        # What does not hang on the vectors' signs.
        compare(lambda library, a: library.linalg.svd(a, False).U.abs(), a)
        compare(lambda library, a: library.linalg.svd(a, False).Vh.abs(), a)


def test_signatures():
    names = ["QR", "SVD"]
    assert [type(getattr(td.linalg, name.lower())(td.eye(2)))._fields for name in names] == [
        ("Q", "R"),
        ("U", "S", "Vh"),
    ]


@pytest.mark.parametrize("matrix", [np.eye(3), np.ones((4, 2)), np.zeros((2, 2)), 1e-20 * X[0], np.zeros((0, 2))])
@pytest.mark.parametrize("given", [{}, {"rtol": 0.5}, {"atol": 0.5}, {"atol": 0.0}, {"atol": 0.1, "rtol": 0.1}])
def test_matrix_rank(matrix, given):
    ours = td.linalg.matrix_rank(td.tensor(matrix), **given)
    assert ours.dtype == td.int64 and ours.item() == torch.linalg.matrix_rank(torch.tensor(matrix), **given).item()


@pytest.mark.parametrize(
    "call",
    [
        lambda library: library.linalg.solve(library.ones(2, 3), library.ones(2)),
        lambda library: library.linalg.solve(library.zeros(2, 2), library.ones(2)),
        lambda library: library.linalg.solve(library.eye(2), library.ones(2), left=False),
        lambda library: library.linalg.inv(library.zeros(2, 2)),
        lambda library: library.linalg.inv(library.ones(2, 3)),
        lambda library: library.linalg.cholesky(-library.eye(2)),
        lambda library: library.linalg.matrix_exp(library.ones(2, 3)),
        lambda library: library.linalg.householder_product(library.ones(2, 3), library.ones(2)),
        lambda library: library.linalg.qr(library.ones(3)),
        lambda library: library.linalg.qr(library.ones(3, 2), "thin"),
        lambda library: library.linalg.qr(library.ones(3, 2, requires_grad=True), "complete").Q.sum().backward(),
        lambda library: library.linalg.svd(library.ones(3)),
    ],
)
def test_what_both_refuse(call):
    for library in (td, torch):
        with pytest.raises(RuntimeError):
            call(library)


def test_errors_of_matrices_are_linalg_errors():
    for library in (td, torch):
        for function in (library.linalg.inv, library.linalg.cholesky):
            with pytest.raises(library.linalg.LinAlgError):
                function(library.zeros(2, 2))


@pytest.mark.parametrize("p", [0, 0.5, 1, 2, 3, INF, -INF])
@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 1), ()])
def test_dist(p, shape):
    other = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    found = []
    for library in (td, torch):
        x, y = library.tensor(X, requires_grad=True), library.tensor(other, requires_grad=True)
        distance = library.dist(x, y, p)
        if p:
            distance.backward()
        found.append([each.detach().numpy() for each in (distance, x.dist(y, p), *([x.grad, y.grad] if p else []))])
    for mine, theirs in zip(*found, strict=True):
        assert mine.dtype == theirs.dtype and mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("driver", [None, "gels", "gelsy", "gelsd", "gelss"])
@pytest.mark.parametrize(
    ("shape", "sides"),
    [((5, 3), (5, 2)), ((3, 5), (3, 2)), ((4, 4), (4, 1)), ((5, 3), (5,)), ((2, 5, 3), (2, 5)), ((2, 3, 5), (2, 3, 2))],
)
def test_lstsq(shape, sides, driver):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(shape), rng.standard_normal(sides)
    found = []
    for library in (td, torch):
        A, B = (library.tensor(each, requires_grad=True) for each in (a, b))
        result = library.linalg.lstsq(A, B, driver=driver)
        (result.solution**2).sum().backward()
        found.append([*(each.detach().numpy() for each in result), A.grad.numpy(), B.grad.numpy()])
    for ours, theirs in zip(*found, strict=True):
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


def test_lstsq_of_lower_rank():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
    a[:, 2] = a[:, 0]
    ours, theirs = td.linalg.lstsq(td.tensor(a), td.tensor(b)), torch.linalg.lstsq(torch.tensor(a), torch.tensor(b))
    np.testing.assert_allclose(ours.solution.numpy(), theirs.solution.numpy(), rtol=1e-9)
    assert ours.rank.item() == theirs.rank.item() == 2
