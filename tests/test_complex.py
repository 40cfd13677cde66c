"""Gradients of complex tensors follow PyTorch: the conjugate of the derivative, checked as those of real ones are."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.testing import check_call

RNG = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    """Complex numbers away from zero and from the negative axis, where roots and logarithms jump."""
    return RNG.uniform(0.3, 2.0, shape) + 1j * RNG.uniform(-2.0, 2.0, shape)


ONE = [
    *("neg", "exp", "log", "sin", "cos", "sqrt", "reciprocal", "square", "conj", "real", "imag", "view_as_real"),
    *("abs", "tan", "sinh", "cosh", "tanh", "exp2", "expm1", "log2", "log10", "log1p", "rsqrt", "sigmoid", "prod"),
    *("asin", "acos", "atan", "asinh", "acosh", "atanh"),
]
TWO = ["add", "sub", "mul", "div"]


@pytest.mark.parametrize("name", ONE)
def test_of_one_complex_tensor(name):
    check_call(name, input=numbers(2, 3))


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((2, 3), (3,)), ((), (2, 2))])
def test_of_two_complex_tensors(name, shapes):
    check_call(name, input=numbers(*shapes[0]), other=numbers(*shapes[1]))


@pytest.mark.parametrize("name", TWO)
def test_of_a_complex_and_a_real_tensor(name):
    check_call(name, input=numbers(2, 3), other=np.array([0.5, 1.5, 2.0]))
    check_call(name, input=np.array([0.5, 1.5, 2.0]), other=numbers(2, 3))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("matmul", {"input": numbers(2, 3), "other": numbers(3, 2)}),
        ("matmul", {"input": numbers(2, 2, 3), "other": numbers(3)}),
        ("sum", {"input": numbers(2, 3), "dim": 0}),
        ("mean", {"input": numbers(2, 3), "dim": 1}),
        ("cumsum", {"input": numbers(3), "dim": 0}),
        ("cat", {"tensors": [numbers(2), numbers(3)]}),
        ("where", {"condition": np.array([True, False]), "input": numbers(2), "other": numbers(2)}),
        ("getitem", {"input": numbers(2, 3), "index": (slice(None), 1)}),
    ],
)
def test_of_whole_arrays(name, arguments):
    check_call(name, **arguments)


def test_hooks_see_the_gradient_as_grad_has_it():
    z, seen = td.tensor([1 + 2j, 3 - 1j], requires_grad=True), []
    w = z * (2 + 1j)
    w.retain_grad()
    for t in (z, w):
        t.register_hook(seen.append)
    (w * 1j).real.sum().backward()
    assert w.grad.tolist() == [-1j, -1j] and z.grad.tolist() == [-1 - 2j, -1 - 2j]
    assert [g.tolist() for g in seen] == [w.grad.tolist(), z.grad.tolist()]


def test_gradients_at_computed_tensors_are_those_of_the_user():
    z = td.tensor([1 + 2j, -3j], requires_grad=True)
    y = z * 2
    (g,) = td.autograd.grad((y * y.conj()).real.sum(), y)
    assert g.tolist() == [4 + 8j, -12j]


QUADRANTS = np.array([complex(x, y) for x in (-3.3, -0.7, 0.6, 2.7) for y in (-1.9, -0.4, 0.5, 2.2)])


def slopes(function, z):
    """The gradient of the sum of the real parts, by differences."""
    h = 1e-6
    along, across = [(function(z + d).real - function(z - d).real) / (2 * h) for d in (h, 1j * h)]
    return along + 1j * across


def test_in_all_four_quadrants_every_function_has_the_slope_that_differences_have():
    found = set()
    for op in td.op.registry.values():
        if len(op.tensors) != 1 or op.sequence or not op.records or op.namespace not in ("td", "functional"):
            continue

        def values(z, op=op):
            return op.function(td.tensor(z)).numpy()

        z = td.tensor(QUADRANTS, requires_grad=True)
        try:
            out = op.function(z)
        except (TypeError, ValueError, RuntimeError, IndexError):
            continue  # has no meaning for complex numbers, or wants more arguments
        if not isinstance(out, td.Tensor) or out.shape != z.shape or not out.requires_grad:
            continue
        (g,) = td.autograd.grad(out, z, td.ones_like(out))
        np.testing.assert_allclose(g.numpy(), slopes(values, QUADRANTS), rtol=1e-6, atol=1e-7, err_msg=op.key)
        found.add(op.key)
    assert {"exp", "log", "sqrt", "tan", "asin", "acos", "atan", "asinh", "acosh", "atanh", "tanh", "abs"} <= found


def test_acosh_near_1_keeps_its_digits():
    x = td.tensor(1 + 2.0**-40, dtype=td.float64, requires_grad=True)
    td.acosh(x).backward()
    assert x.grad.item() == pytest.approx(2.0**20 / np.sqrt(2 + 2.0**-40), rel=1e-12)


def test_the_norm_of_an_infinite_number_is_infinite():
    z = td.tensor([complex(np.inf, 2.0), 1.0])
    with np.errstate(invalid="ignore"):
        assert td.norm(z).item() == td.norm(z, dim=0).item() == td.norm(z, p=1).item() == np.inf
    assert td.norm(td.tensor([3 + 4j, 0j, 12.0])).item() == 13.0


@pytest.mark.parametrize("function", [td.abs, lambda z: td.nn.functional.l1_loss(z, td.zeros(2), reduction="none")])
def test_the_distance_from_0_has_no_slope_there_to_any_order(function):
    z = td.tensor([0j, 3 + 4j], requires_grad=True)
    (first,) = td.autograd.grad(function(z).sum(), z, create_graph=True)
    (second,) = td.autograd.grad(first, z, td.tensor([1 + 2j, 1 + 0j]))
    np.testing.assert_allclose(first.detach().numpy(), [0, 0.6 + 0.8j], rtol=1e-6)
    np.testing.assert_allclose(second.numpy(), [0, (0.64 - 0.48j) / 5], rtol=1e-6)


def test_a_conjugate_is_computed_at_once():
    z = td.tensor([1 + 2j])
    assert not z.conj().is_conj() and z.conj().resolve_conj().tolist() == [1 - 2j]
    assert td.view_as_real(td.resolve_conj(z.conj())).tolist() == [[1.0, -2.0]]


def test_view_as_real_copy_shares_no_memory():
    z = td.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    pairs = td.view_as_real_copy(z)
    (pairs * td.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert z.grad.tolist() == [1 + 2j, 3 + 4j]
    with td.no_grad():
        pairs.zero_()
    assert z.tolist() == [1 + 2j, 3 - 1j]
