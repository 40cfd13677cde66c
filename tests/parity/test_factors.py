"""Factors of matrices, pseudoinverses and products beside PyTorch's: values, gradients, dtypes, what both refuse."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from parity.test_linalg import compare, draw, tuple_of

torch = pytest.importorskip("torch")

SQUARE, TALL, WIDE = (2, 4, 4), (2, 5, 3), (3, 5)
NORMS = ("fro", "nuc", 1, -1, float("inf"))  # of which PyTorch has no gradient: it changes a saved inverse


def of_factors(library, a, b):
    """The systems of a matrix, by its factors."""
    LU, pivots = library.linalg.lu_factor(a)
    sides = b, b.mH
    found = [library.linalg.lu_solve(LU, pivots, sides[not left], left=left) for left in (True, False)]
    return *found, library.linalg.lu_solve(LU, pivots, b, adjoint=True), library.lu_solve(b, LU, pivots)


def below(a):
    """The lower triangles of matrices, with a diagonal away from 0."""
    return np.tril(a, -1) + (3 + a.real) * np.eye(a.shape[-1])


# What is called, and the shapes of its arguments.
CALLS = {
    "eigvals": (lambda lib, a: lib.linalg.eigvals(a).abs().sort(-1)[0], SQUARE),
    "eig": (lambda lib, a: (lib.linalg.eig(a)[0].abs(), lib.linalg.eig(a)[1].abs()), SQUARE),
    "eigh": (lambda lib, a: (lib.linalg.eigh(a + a.mH)[0], lib.linalg.eigh(a + a.mH)[1].abs()), SQUARE),
    "eigh U": (lambda lib, a: lib.linalg.eigh(a + a.mH, "U")[0], SQUARE),
    "eigvalsh of one triangle": (lambda lib, a: lib.linalg.eigvalsh(a), SQUARE),
    "lu": (lambda lib, a: tuple_of(lib.linalg.lu(a))[1:], SQUARE),
    "lu tall": (lambda lib, a: tuple_of(lib.linalg.lu(a))[1:], TALL),
    "lu wide": (lambda lib, a: tuple_of(lib.linalg.lu(a))[1:], WIDE),
    "lu_unpack": (lambda lib, a: tuple_of(lib.lu_unpack(*lib.linalg.lu_factor(a)))[1:], TALL),
    "lu_solve": (of_factors, SQUARE, (2, 4, 2)),
    "lu_solve broadcast": (of_factors, (4, 4), (2, 4, 2)),
    "pinv": (lambda lib, a: lib.linalg.pinv(a), SQUARE),
    "pinv tall": (lambda lib, a: lib.linalg.pinv(a, rtol=0.3), TALL),
    "pinv wide": (lambda lib, a: lib.linalg.pinv(a, atol=0.5), WIDE),
    "pinv hermitian": (lambda lib, a: lib.linalg.pinv(a, hermitian=True), SQUARE),
    "pinverse": (lambda lib, a: lib.pinverse(a), TALL),
    "cond": (lambda lib, a: tuple(lib.linalg.cond(a, p) for p in (None, 2, -2)), TALL),
    "cond of norms": (lambda lib, a: tuple(lib.linalg.cond(a.detach(), p) * a.abs().sum() for p in NORMS), SQUARE),
    "matrix_power": (lambda lib, a: tuple(lib.matrix_power(a, n) for n in (0, 1, 2, 3, 5, -2)), SQUARE),
    "multi_dot": (lambda lib, *a: lib.linalg.multi_dot(a), (3,), (3, 5), (5, 2), (2, 4)),
    "chain_matmul": (lambda lib, *a: lib.chain_matmul(*a), (2, 5), (5, 1), (1, 4)),
    "tensorinv": (lambda lib, a: lib.linalg.tensorinv(a, 1), (6, 2, 3)),
    "tensorsolve": (lambda lib, a, b: lib.linalg.tensorsolve(a, b, (1,)), (2, 6, 3), (2, 3)),
    "cholesky_inverse": (lambda lib, a: lib.cholesky_inverse(a), SQUARE),
    "cholesky_inverse upper": (lambda lib, a: lib.cholesky_inverse(a.mH, upper=True), SQUARE),
    "cholesky_solve": (lambda lib, b, a: lib.cholesky_solve(b, a), (2, 4, 3), SQUARE),
    "triangular_solve": (lambda lib, b, a: tuple_of(lib.triangular_solve(b, a, False)), (4, 3), SQUARE),
    "triangular_solve turned": (lambda lib, b, a: lib.triangular_solve(b, a, False, True, True)[0], (4, 3), SQUARE),
    "svd": (lambda lib, a: (lib.svd(a)[0].abs(), lib.svd(a)[1], lib.svd(a)[2].abs()), TALL),
    "qr": (lambda lib, a: tuple(lib.qr(a)), TALL),
    "ormqr": (
        lambda lib, a, tau, b: tuple(lib.ormqr(a, tau, b.mT if not left else b, left) for left in (True, False)),
        (5, 3),
        (3,),
        (5, 2),
    ),
    "ormqr turned": (lambda lib, a, tau, b: lib.ormqr(a, tau, b, True, True), (5, 3), (3,), (5, 2)),
    "lstsq tall": (lambda lib, a, b: lib.linalg.lstsq(a, b)[0], TALL, (2, 5, 2)),
    "lstsq wide": (lambda lib, a, b: lib.linalg.lstsq(a, b)[0], WIDE, (3, 2)),
    "lstsq residuals": (lambda lib, a, b: lib.linalg.lstsq(a, b, driver="gels")[1], TALL, (2, 5, 2)),
    "cross": (lambda lib, a, b: lib.linalg.cross(a, b), (2, 1, 3), (1, 4, 3)),
    "cross dim": (lambda lib, a, b: lib.cross(a, b, 0), (3, 4), (3, 4)),
    "vecdot": (lambda lib, a, b: lib.linalg.vecdot(a, b, dim=0), (3, 4), (3, 1)),
    "vander": (lambda lib, a: lib.vander(a.detach(), 3) * a.abs().sum(), (4,)),
    "linalg.vander": (lambda lib, a: lib.linalg.vander(a, N=5), (2, 3)),
    "diagonal": (lambda lib, a: lib.linalg.diagonal(a, offset=1), SQUARE),
    "block_diag": (lambda lib, *a: lib.block_diag(*a), (2, 3), (), (2,)),
    "addmv": (lambda lib, *a: lib.addmv(*a, beta=0.5, alpha=2), (3,), (3, 2), (2,)),
    "addr": (lambda lib, *a: lib.addr(*a, beta=0.5, alpha=2), (2,), (3,), (2,)),
    "addbmm": (lambda lib, *a: lib.addbmm(*a, beta=0.5, alpha=2), (2, 4), (3, 2, 5), (3, 5, 4)),
    "baddbmm": (lambda lib, *a: lib.baddbmm(*a, beta=0.5, alpha=2), (4,), (3, 2, 5), (3, 5, 4)),
}


@pytest.mark.filterwarnings("ignore:.*deprecated.*:UserWarning")
@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("name", CALLS)
def test_values_and_gradients(name, kind):
    function, *shapes = CALLS[name]
    arrays = [draw(kind, *shape) for shape in shapes]
    if "triangular" in name or "cholesky" in name:
        arrays[-1] = below(arrays[-1])
    compare(function, *arrays, 1e-7)


@pytest.mark.parametrize("dtype", ["float32", "complex64", "float64"])
@pytest.mark.parametrize("name", ["ldl_factor", "ldl_factor_ex", "lu_factor", "lu_factor_ex", "cholesky_ex", "inv_ex"])
def test_factors_as_lapack_leaves_them(name, dtype):
    a = draw("complex" if dtype == "complex64" else "real", 2, 4, 4)
    a = (a + a.conj().swapaxes(-1, -2) + 8 * np.eye(4)).astype(dtype)
    options = {"hermitian": True} if "ldl" in name else {}
    ours, theirs = (getattr(lib.linalg, name)(lib.tensor(a), **options) for lib in (td, torch))
    assert ours._fields == tuple(n for n in ("LD", "LU", "L", "inverse", "pivots", "info") if hasattr(theirs, n))
    for x, y in zip(ours, theirs, strict=True):
        assert str(y.dtype) == f"torch.{x.dtype}"
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-4, atol=1e-5)
    if name == "ldl_factor":
        b = draw("real", 4, 2).astype(dtype)
        x, y = (lib.linalg.ldl_solve(*lib.linalg.ldl_factor(lib.tensor(a)), lib.tensor(b)) for lib in (td, torch))
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["addmv_", "addr_", "addbmm_", "addmm_", "baddbmm_"])
@pytest.mark.parametrize("dtype", ["int64", "float32"])
def test_in_place(name, dtype):
    shapes = {
        "addmv_": [(2,), (2, 3), (3,)],
        "addr_": [(2, 3), (2,), (3,)],
        "addbmm_": [(2, 4), (3, 2, 5), (3, 5, 4)],
        "addmm_": [(2, 4), (2, 5), (5, 4)],
        "baddbmm_": [(3, 2, 4), (3, 2, 5), (3, 5, 4)],
    }[name]
    arrays = [(4 * draw("real", *shape)).astype(dtype) for shape in shapes]
    found = []
    for library in (td, torch):
        first, *others = [library.tensor(a) for a in arrays]
        assert getattr(first, name)(*others, beta=2, alpha=3) is first
        found.append(first.numpy())
    assert found[0].dtype == found[1].dtype
    np.testing.assert_allclose(*found, rtol=1e-5)


@pytest.mark.parametrize("name", ["addmv", "addbmm", "baddbmm", "addmm"])
def test_factors_of_integers_have_no_fraction(name):
    shapes = {"addmv": [(3,), (3, 3), (3,)], "addmm": [(3, 3)] * 3, "addbmm": [(3, 3), (2, 3, 3), (2, 3, 3)]}
    arrays = [np.arange(np.prod(shape)).reshape(shape) for shape in shapes.get(name, [(2, 3, 3)] * 3)]
    ours, theirs = (getattr(lib, name)(*map(lib.tensor, arrays), beta=1.7, alpha=2.9) for lib in (td, torch))
    assert ours.dtype == td.int64
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize(
    "call",
    [
        lambda library: library.linalg.eig(library.ones(2, 3)),
        lambda library: library.linalg.eig(library.full((2, 2), float("nan"))),
        lambda library: library.linalg.eigh(library.ones(2, 3)),
        lambda library: library.linalg.eigh(library.ones(2, 2), "X"),
        lambda library: library.linalg.lu(library.ones(3)),
        lambda library: library.linalg.lu(library.ones(3, 3), pivot=False),
        lambda library: library.linalg.lu_factor(library.ones(2, 2)),
        lambda library: library.linalg.lu_factor_ex(library.ones(2, 2), check_errors=True),
        lambda library: library.linalg.lu_solve(library.eye(2), library.ones(2), library.eye(2)),
        lambda library: library.linalg.inv_ex(library.ones(2, 2), check_errors=True),
        lambda library: library.linalg.cholesky_ex(-library.eye(2), check_errors=True),
        lambda library: library.linalg.solve_ex(library.ones(2, 2), library.ones(2), check_errors=True),
        lambda library: library.linalg.ldl_factor(library.zeros(2, 2)),
        lambda library: library.linalg.pinv(library.ones(3)),
        lambda library: library.linalg.cond(library.ones(2, 3), 1),
        lambda library: library.linalg.matrix_power(library.ones(2, 3), 2),
        lambda library: library.linalg.matrix_power(library.zeros(2, 2), -1),
        lambda library: library.linalg.tensorinv(library.ones(2, 3), 1),
        lambda library: library.linalg.tensorinv(library.ones(2, 2), 0),
        lambda library: library.linalg.tensorsolve(library.ones(2, 3), library.ones(3)),
        lambda library: library.linalg.cross(library.ones(2), library.ones(2)),
        lambda library: library.linalg.cross(library.ones(2, 3), library.ones(3)),
        lambda library: library.linalg.vander(library.ones(2), N=1),
        lambda library: library.linalg.vecdot(library.ones(2).int(), library.ones(2).int()),
        lambda library: library.linalg.multi_dot([library.ones(2)]),
        lambda library: library.linalg.multi_dot([library.ones(2, 3), library.ones(2, 3)]),
        lambda library: library.linalg.multi_dot([library.ones(2, 2), library.ones(2), library.ones(2, 2)]),
        lambda library: library.chain_matmul(library.ones(2)),
        lambda library: library.block_diag(library.ones(1, 1, 1)),
        lambda library: library.vander(library.ones(2, 2)),
        lambda library: library.addmv(library.ones(3), library.ones(2, 2), library.ones(2)),
        lambda library: library.addmv(library.ones(2), library.ones(2, 2).int(), library.ones(2).int()),
        lambda library: library.addr(*[library.ones(2).int()] * 3, alpha=0.5),
        lambda library: library.addbmm(library.ones(2, 2), library.ones(2, 2, 3), library.ones(2, 2, 2)),
        lambda library: library.ormqr(library.ones(3, 2), library.ones(2), library.ones(2, 2)),
        lambda library: library.pca_lowrank(library.ones(2, 2), q=3),
        lambda library: library.cholesky_solve(library.ones(2), library.eye(2)),
    ],
)
def test_what_both_refuse(call):
    for library in (td, torch):
        with pytest.raises((RuntimeError, AssertionError, ValueError)):
            call(library)


def test_out():
    a, b = draw("real", 3, 3), draw("real", 3, 2)
    found = []
    for library in (td, torch):
        a_, b_, single = library.tensor(a), library.tensor(b), library.empty(0, dtype=library.float64)
        pair = single.clone(), library.empty(0, dtype=library.int32)
        assert library.linalg.pinv(a_, out=single) is single
        library.linalg.lu_factor(a_, out=pair)
        sums = library.addmv(a_[0], a_, b_[:, 0], out=library.empty(3, dtype=library.float64))
        found.append([single.numpy(), pair[0].numpy(), pair[1].numpy(), sums.numpy()])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_the_nuclear_norm():
    for options in ({}, {"keepdim": True}, {"dim": (0, 2)}, {"dim": [1, 0], "keepdim": True}):
        a = draw("real", 3, 4, 2) if "dim" in options else draw("real", 4, 2)
        compare(lambda library, a, options=options: library.norm(a, "nuc", **options), a, 1e-8)
