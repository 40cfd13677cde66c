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
