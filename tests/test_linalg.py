"""linalg: systems of equations, exponentials, orthogonal factors and singular values."""

from __future__ import annotations

import functools
import itertools
import math
import warnings

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import linalg
from tinygrad_dl.ops.linalg import _triangular
from tinygrad_dl.testing import gradcheck, gradgradcheck

RNG = np.random.default_rng(0)


def draw(*shape, complex=False):
    real = RNG.standard_normal(shape)
    return td.tensor(real + 1j * RNG.standard_normal(shape) if complex else real, requires_grad=True)


def test_systems():
    a = td.tensor([[2.0, 1.0], [1.0, 3.0]])
    assert linalg.solve(a, td.tensor([3.0, 4.0])).tolist() == [1.0, 1.0]
    assert linalg.solve(a, td.tensor([[3.0], [4.0]])).tolist() == [[1.0], [1.0]]
    assert linalg.solve(a, td.tensor([[3.0, 4.0]]), left=False).tolist() == [[1.0, 1.0]]
    np.testing.assert_allclose(td.inverse(a).tolist(), [[0.6, -0.2], [-0.2, 0.4]], rtol=1e-6)
    assert linalg.inv(td.tensor([[2, 0], [0, 4]])).tolist() == [[0.5, 0.0], [0.0, 0.25]]  # integers become floats
    with pytest.raises(linalg.LinAlgError, match="solve: got a singular matrix, expected one that has an inverse"):
        linalg.solve(td.ones(2, 2), td.ones(2))
    with pytest.raises(ValueError, match=r"solve: got shapes \(2, 3\) and \(2, 1\), expected square matrices"):
        linalg.solve(td.ones(2, 3), td.ones(2))
    with pytest.raises(ValueError, match=r"solve: got left=False for vectors of shape \(2,\), expected matrices"):
        linalg.solve(a, td.ones(2), left=False)
    with pytest.raises(ValueError, match=r"inv: got shape \(2,\), expected square matrices"):
        linalg.inv(td.ones(2))


def test_exponentials():
    turn = linalg.matrix_exp(td.tensor([[0.0, -math.pi / 3], [math.pi / 3, 0.0]], dtype=td.float64))
    np.testing.assert_allclose(turn, [[0.5, -math.sqrt(0.75)], [math.sqrt(0.75), 0.5]], atol=1e-15)
    np.testing.assert_allclose(linalg.matrix_exp(td.tensor([[0.0, 1.0], [0.0, 0.0]])), [[1.0, 1.0], [0.0, 1.0]])
    stack = td.tensor([[[0.001, 0.0], [0.0, 3.0]], [[60.0, 0.0], [0.0, -60.0]]], dtype=td.float64)
    expected = [[math.exp(0.001), math.exp(3)], [math.exp(60), math.exp(-60)]]
    np.testing.assert_allclose(linalg.matrix_exp(stack).diagonal(0, 1, 2), expected, rtol=1e-13)
    assert linalg.matrix_exp(td.zeros(2, 0, 0)).shape == (2, 0, 0)
    assert linalg.matrix_exp(td.full((2, 2), math.nan)).isnan().all()


def test_reflections_give_back_q():
    for shape in ((3, 3), (5, 3), (2, 4, 2)):
        for complex in (False, True):
            a = draw(*shape, complex=complex).detach()
            q, r = linalg.qr(a)
            np.testing.assert_allclose(linalg.householder_product(*td.geqrf(a)), q, atol=1e-14)
            np.testing.assert_allclose(q @ r, a, atol=1e-14)
            np.testing.assert_allclose(q.mH @ q, np.broadcast_to(np.eye(shape[-1]), r.shape), atol=1e-14)
    with pytest.raises(
        ValueError, match=r"householder_product: got shapes \(2, 3\) and \(2,\), expected \(\.\.\., m, n"
    ):
        linalg.householder_product(td.ones(2, 3), td.ones(2))
    assert linalg.qr(td.ones(3, 2), "r").Q.shape == (0,)


@pytest.mark.parametrize("complex", [False, True])
def test_derivatives_of_what_is_made_of_ops(complex):
    a, tau = draw(4, 3, complex=complex), draw(2, complex=complex)
    assert gradcheck(linalg.householder_product, (a, tau)) and gradgradcheck(linalg.householder_product, (a, tau))
    square, vector = draw(3, 3, complex=complex), draw(3, complex=complex)
    assert gradcheck(linalg.inv, square) and gradcheck(linalg.solve, (square, vector))
    assert gradcheck(lambda a: linalg.svd(a, False).U.abs(), draw(4, 2, complex=complex))
    assert gradcheck(linalg.svdvals, draw(2, 4, complex=complex))


def test_singular_values():
    a = td.tensor([[0.0, 2.0], [-3.0, 0.0], [0.0, 0.0]])
    u, s, vh = linalg.svd(a)
    assert s.tolist() == [3.0, 2.0] and u.shape == (3, 3) and vh.abs().tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert linalg.svdvals(a).tolist() == [3.0, 2.0] and linalg.matrix_rank(a) == 2
    assert linalg.matrix_norm(a, 2).item() == 3.0 and linalg.matrix_norm(a, -2).item() == 2.0
    assert linalg.norm(a, "nuc").item() == 5.0
    np.testing.assert_allclose(((u[:, :2] * s) @ vh).tolist(), a.tolist(), atol=1e-6)
    assert linalg.matrix_rank(td.ones(3, 3)) == 1 and linalg.matrix_rank(td.eye(3), 2.0) == 0


def test_equal_singular_values_have_a_gradient():
    x = td.eye(3, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        linalg.svdvals(x).sum().backward()
    assert x.grad.tolist() == td.eye(3).tolist()


def test_a_q_that_is_not_determined_has_no_gradient():
    tall = draw(3, 2)
    for call in (
        lambda: linalg.qr(tall, "complete").R.sum().backward(),
        lambda: linalg.qr(tall, "r").R.sum().backward(),
    ):
        with pytest.raises(RuntimeError, match="expected mode='reduced'"):
            call()


@pytest.mark.parametrize("function", [linalg.solve, linalg.solve_triangular])
def test_batches(function):
    function = functools.partial(function, upper=True) if function is linalg.solve_triangular else function
    a, b = draw(5, 3, 3).detach() + 4 * td.eye(3), draw(5, 3, 2).detach()
    expected = td.stack([function(x, y) for x, y in zip(a, b, strict=True)])
    np.testing.assert_allclose(td.func.vmap(function)(a, b), expected, rtol=1e-12)
    np.testing.assert_allclose(td.func.vmap(function, (None, 0))(a[0], b)[2], function(a[0], b[2]), rtol=1e-12)


def test_results_are_written_where_out_says():
    a, out = td.tensor([[2.0, 0.0], [0.0, 4.0]]), td.empty(2, 2)
    assert linalg.inv(a, out=out) is out and out.tolist() == [[0.5, 0.0], [0.0, 0.25]]
    assert linalg.qr(a, out=(out, td.empty(2, 2))).Q is out
    assert linalg.solve(a, td.ones(2), out=td.empty(2)).tolist() == [0.5, 0.25]


def test_least_squares():
    A = td.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], dtype=td.float64)
    found = td.linalg.lstsq(A, td.tensor([1.0, 3.0, 8.0], dtype=td.float64), driver="gelsd")
    np.testing.assert_allclose(found.solution.numpy(), [0.5, 3.5])
    np.testing.assert_allclose(found.residuals.numpy(), [1.5])
    assert found.rank.item() == 2 and found.singular_values.shape == (2,)
    wide = td.linalg.lstsq(td.tensor([[3.0, 4.0]]), td.tensor([[5.0]])).solution  # of all, that of smallest norm
    np.testing.assert_allclose(wide.numpy(), [[0.6], [0.8]], rtol=1e-6)
    equal = td.linalg.lstsq(td.ones(3, 2), td.tensor([[1.0], [2.0], [3.0]]))
    np.testing.assert_allclose(equal.solution.numpy(), [[1.0], [1.0]], rtol=1e-6)
    assert equal.rank.item() == 1 and equal.residuals.shape == (0,)
    with pytest.raises(ValueError, match="lstsq: expected driver as one of gels, gelsy, gelsd, gelss, got 'qr'"):
        td.linalg.lstsq(A, A, driver="qr")
    with pytest.raises(ValueError, match="lstsq: expected A"):
        td.linalg.lstsq(A, td.ones(2, 2))


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_singular_values_of_what_is_not_finite_are_refused(value):
    a = td.tensor(RNG.standard_normal((4, 4))).float()
    a[0, 0] = a[1, 1] = value
    with pytest.raises(linalg.LinAlgError, match="got a matrix with an element that is infinite or nan"):
        linalg.svdvals(a)


def test_determinants():
    a = td.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    linalg.det(a).backward()
    np.testing.assert_allclose(a.grad.tolist(), [[3.0, -1.0], [-1.0, 2.0]], rtol=1e-6)
    singular = td.tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    singular.det().backward()
    np.testing.assert_allclose(singular.grad.tolist(), [[4.0, -2.0], [-2.0, 1.0]], atol=1e-6)
    sign, size = td.slogdet(td.tensor([[0.0, 2.0], [1.0, 0.0]]))
    assert sign.item() == -1.0 and size.item() == pytest.approx(math.log(2.0))
    assert td.logdet(td.tensor([[0.0, 2.0], [1.0, 0.0]])).isnan() and td.logdet(td.eye(2) * 2).item() > 1.38
    assert td.inverse(a).tolist() == a.inverse().tolist()
    complex = td.tensor([[1.0, 2.0j], [0.5, 1.0 + 1.0j]], dtype=td.complex128, requires_grad=True)
    for function in (td.det, lambda a: td.slogdet(a)[0], lambda a: td.slogdet(a)[1], td.logdet):
        assert gradcheck(function, complex) and gradgradcheck(function, complex)


def test_low_rank():
    a = td.tensor(RNG.standard_normal((2, 6, 2)) @ RNG.standard_normal((2, 2, 5)))
    for matrices in (a, a.mT):
        U, S, V = td.svd_lowrank(matrices, q=3)
        assert U.shape[-1] == S.shape[-1] == V.shape[-1] == 3
        np.testing.assert_allclose((U * S[..., None, :]) @ V.mH, matrices, atol=1e-12)
        np.testing.assert_allclose(S[..., :2], linalg.svdvals(matrices)[..., :2])
    mean = a.mean(-2, keepdim=True)
    U, S, V = td.pca_lowrank(a, q=2)
    np.testing.assert_allclose((U * S[..., None, :]) @ V.mH, a - mean, atol=1e-12)
    np.testing.assert_allclose(td.svd_lowrank(a, q=2, M=mean.expand(2, 6, 5)).S, S)
    for wrong in (lambda: td.svd_lowrank(a, q=-1), lambda: td.pca_lowrank(a, niter=-1)):
        with pytest.raises(ValueError, match="got q="):
            wrong()


def test_what_is_singular_has_info():
    a = td.stack([td.eye(2), td.ones(2, 2), -td.eye(2)])
    assert linalg.cholesky_ex(a).info.tolist() == [0, 2, 1] and linalg.cholesky_ex(a).L.isnan().any((1, 2))[1:].all()
    inverse, info = linalg.inv_ex(a)
    assert info.tolist() == [0, 2, 0] and inverse[2].tolist() == [[-1.0, 0.0], [0.0, -1.0]] and inverse[1].isnan().all()
    assert linalg.solve_ex(a, td.ones(2, 1)).result[:, 0, 0].tolist()[::2] == [1.0, -1.0]
    assert linalg.lu_factor_ex(a).info.tolist() == [0, 2, 0]
    for function in (linalg.cholesky_ex, linalg.inv_ex, linalg.lu_factor_ex):
        with pytest.raises(linalg.LinAlgError):
            function(a, check_errors=True)
    assert linalg.cond(a, 1).tolist() == [1.0, math.inf, 1.0] and linalg.cond(a)[0].item() == 1.0
    assert linalg.cond(td.ones(2, 0, 0)).tolist() == linalg.cond(td.ones(2, 0, 0), 1).tolist() == [0.0, 0.0]


def test_factors_of_batches():
    a = draw(2, 3, 3).detach()
    found = td.func.vmap(linalg.lu_factor)(a)
    np.testing.assert_allclose(found[0], linalg.lu_factor(a).LU)


def test_numpys_functions_of_matrices():
    a = draw(3, 3)
    x = a.detach().numpy()
    for function in (np.linalg.pinv, np.linalg.cond, np.linalg.eigvals):
        np.testing.assert_allclose(function(a).detach(), function(x))
    np.testing.assert_allclose(np.linalg.matrix_power(a, 3).detach(), np.linalg.matrix_power(x, 3))
    np.testing.assert_allclose(np.linalg.eigvalsh(a + a.mT).detach(), np.linalg.eigvalsh(x + x.T))
    np.testing.assert_allclose(np.vander(a[0], 2).detach(), np.vander(x[0], 2))
    np.testing.assert_allclose(np.linalg.multi_dot([a, a, a[0]]).detach(), x @ x @ x[0])
    np.testing.assert_allclose(np.linalg.tensorsolve(a, a[0]).detach(), np.linalg.solve(x, x[0]))


@pytest.mark.parametrize("function", ["eig", "eigh", "svd"])
def test_gradients_of_complex_vectors_must_not_hang_on_their_factors(function):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3))
    x = td.tensor(a + a.conj().T if function == "eigh" else a).requires_grad_()
    found = getattr(td.linalg, function)(x)
    vectors = found[0] if function == "svd" else found[1]
    vectors.abs().sum().backward(retain_graph=True)
    with pytest.raises(RuntimeError, match=f"{function}: got a gradient of complex vectors that changes"):
        vectors.sum().abs().backward()


def test_integers_become_the_default_dtype():
    x = td.tensor([[2, 1], [1, 3]])
    for function in (td.linalg.det, td.linalg.cholesky, td.linalg.inv, td.linalg.matrix_exp, td.linalg.svdvals):
        assert function(x).dtype == td.float32
    assert td.linalg.det(x).item() == pytest.approx(5)


def test_negative_norms_of_nothing_are_refused():
    with pytest.raises(RuntimeError, match="got no elements for p=-1"):
        td.linalg.vector_norm(td.empty(0), -1)
    assert td.linalg.vector_norm(td.empty(0, 2), -1, dim=1).shape == (0,)


LAYOUTS = {"rows": lambda a: a, "columns": lambda a: a.swapaxes(-1, -2).copy().swapaxes(-1, -2)}
LAYOUTS["apart"] = lambda a: np.repeat(a, 2, -1)[..., ::2]


@pytest.mark.parametrize("blas", [True, False])
@pytest.mark.parametrize("lay", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_triangular_systems_of_any_size_and_layout(dtype, lay, blas, monkeypatch):
    if not blas:
        monkeypatch.setattr(_triangular, "_functions", {})
    rng = np.random.default_rng(0)
    near = 1e-4 if dtype in ("float32", "complex64") else 1e-12
    for batch, n in (((), 40), ((2, 3), 5), ((150,), 3), ((), 1)):
        complex_part = 1j if "c" in dtype else 0
        a = LAYOUTS[lay]((rng.standard_normal((*batch, n, n)) + 20 * np.eye(n) + complex_part).astype(dtype))
        for upper, left, ones in itertools.product((False, True), repeat=3):
            b = rng.standard_normal((*batch, n, 7) if left else (*batch, 7, n)).astype(dtype)
            read = a * np.array(0.01, dtype) if ones else a
            whole = np.triu(read, int(ones)) if upper else np.tril(read, -int(ones))
            whole = whole + np.eye(n, dtype=dtype) if ones else whole
            x = _triangular.solution(read, b, upper, left, ones)
            assert x.dtype == b.dtype and np.abs((whole @ x if left else x @ whole) - b).max() < near


def test_derivatives_of_determinants_near_singular_matrices():
    """By the inverse where it is exact, else by singular values, also where there is no inverse."""
    for a in ([[1.0, 2.0], [2.0, 4.0]], [[1.0, 2.0], [2.0, 4.0 + 1e-12]], [[3.0, 1.0], [1.0, 2.0]]):
        x = td.tensor(a, dtype=td.float64, requires_grad=True)
        td.linalg.det(x).backward()
        (p, q), (r, s) = a
        np.testing.assert_allclose(x.grad, [[s, -r], [-q, p]], rtol=1e-12)


def test_least_squares_know_their_rank_without_singular_values_where_it_is_clear():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((2, 40, 20))
    assert td.linalg.lstsq(td.tensor(a), td.tensor(a[..., :1])).rank.tolist() == [20, 20]
    a[0, :, 3] = a[0, :, 4]
    assert td.linalg.lstsq(td.tensor(a), td.tensor(a[..., :1])).rank.tolist() == [19, 20]


def test_exponentials_of_small_matrices_in_single_precision_are_exact_to_rounding():
    a = np.array([[0.0, 3.0], [-3.0, 0.0]])
    expected = [[np.cos(3), np.sin(3)], [-np.sin(3), np.cos(3)]]
    found = td.linalg.matrix_exp(td.tensor(a, dtype=td.float32))
    assert found.dtype == td.float32
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_distances_in_blocks_are_those_of_all_differences():
    rng = np.random.default_rng(0)
    for batch, rows, columns, size in (((), 300, 200, 5), ((200,), 9, 8, 4), ((3,), 100, 50, 3)):
        a, b = rng.standard_normal((*batch, rows, size)), rng.standard_normal((*batch, columns, size))
        b[..., 0, :] = a[..., 0, :]
        for p in (0.0, 1.0, 1.5, 2.0, 3.0, math.inf):
            x, y = td.tensor(a, requires_grad=True), td.tensor(b, requires_grad=True)
            u, v = td.tensor(a, requires_grad=True), td.tensor(b, requires_grad=True)
            found = td.cdist(x, y, p, "donot_use_mm_for_euclid_dist")
            expected = td.norm(u[..., :, None, :] - v[..., None, :, :], p, -1)
            np.testing.assert_allclose(found.detach(), expected.detach(), atol=1e-12)
            if p == 2:
                by_products = td.cdist(x.detach(), y.detach(), p, "use_mm_for_euclid_dist")
                np.testing.assert_allclose(by_products, expected.detach(), atol=1e-6)
            g = td.tensor(rng.standard_normal(found.shape))
            found.backward(g)
            expected.backward(g)
            np.testing.assert_allclose(x.grad, u.grad, atol=1e-11)
            np.testing.assert_allclose(y.grad, v.grad, atol=1e-11)


def test_the_second_derivative_of_a_norm_at_zero_is_none():
    x = td.zeros(3, dtype=td.float64, requires_grad=True)
    (g,) = td.autograd.grad(td.linalg.norm(x), x, create_graph=True)
    assert g.tolist() == [0, 0, 0]
    with np.errstate(all="ignore"):
        assert np.isnan(td.autograd.grad(g.sum(), x)[0].numpy()).all()
