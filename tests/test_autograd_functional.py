"""`autograd.functional`: products with Jacobians and Hessians, and the matrices, against their formulas."""

from __future__ import annotations

import pytest

import tinygrad_dl as td
from tinygrad_dl.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp

X, Y = td.tensor([1.0, 2.0]), td.tensor([3.0, 5.0])


def product(x, y):
    return x * x * y


def two(x, y):
    return x * y, (x + 2 * y).sum()


def energy(x, y):
    return (x**3).sum() + (x * y).sum()


def test_products_with_the_jacobian():
    v = td.tensor([1.0, 10.0])
    out, found = vjp(product, (X, Y), v)
    assert out.tolist() == [3.0, 20.0]
    assert [f.tolist() for f in found] == [[6.0, 200.0], [1.0, 40.0]]
    out, found = jvp(product, (X, Y), (v, td.ones(2)))
    assert found.tolist() == [6 * 1 + 1, 20 * 10 + 4.0]
    out, found = vjp(two, (X, Y), (v, td.tensor(100.0)))
    assert isinstance(out, tuple) and [f.tolist() for f in found] == [[103.0, 150.0], [201.0, 220.0]]
    out, found = jvp(two, (X, Y), (v, v))
    assert [f.tolist() for f in found] == [[4.0, 70.0], 33.0]
    assert vjp(lambda x: (x * x).sum(), X)[1].tolist() == [2.0, 4.0]
    assert jvp(lambda x: x * X, td.tensor(3.0))[1].tolist() == [1.0, 2.0]


def test_jacobians_by_kind_of_input_and_output():
    assert jacobian(lambda x: x**2, X).tolist() == [[2.0, 0.0], [0.0, 4.0]]
    found = jacobian(two, (X, Y))
    assert [[f.tolist() for f in row] for row in found] == [
        [[[3.0, 0.0], [0.0, 5.0]], [[1.0, 0.0], [0.0, 2.0]]],
        [[1.0, 1.0], [2.0, 2.0]],
    ]
    assert jacobian(lambda x: x.sum() * td.ones(2, 3), X).shape == (2, 3, 2)
    assert jacobian(lambda x: x[:0], X).shape == (0, 2)
    assert isinstance(jacobian(lambda x: (x,), X), tuple)
    for strategy in ("reverse-mode", "forward-mode"):
        assert jacobian(lambda x: x**2, X, vectorize=True, strategy=strategy).tolist() == [[2.0, 0.0], [0.0, 4.0]]


def test_vectorized_jacobians_are_one_call_and_the_same():
    calls = []

    def counted(x, y):
        calls.append(x)
        return *two(x, y), td.ones(3)  # the last depends on nothing

    expected = jacobian(counted, (X, Y))
    for strategy in ("reverse-mode", "forward-mode"):
        calls.clear()
        found = jacobian(counted, (X, Y), vectorize=True, strategy=strategy)
        assert len(calls) == 1
        assert [[f.tolist() for f in row] for row in found] == [[f.tolist() for f in row] for row in expected]
        assert jacobian(lambda x: x[:0], X, vectorize=True, strategy=strategy).shape == (0, 2)
        assert isinstance(jacobian(lambda x: (x,), X, vectorize=True, strategy=strategy), tuple)
        x = X.clone().requires_grad_()
        assert not jacobian(lambda x: x**3, x, vectorize=True, strategy=strategy).requires_grad
        jacobian(lambda x: x**3, x, create_graph=True, vectorize=True, strategy=strategy).sum().backward()
        assert x.grad.tolist() == [6.0, 12.0]
        found = hessian(energy, (X, Y), vectorize=True, outer_jacobian_strategy=strategy)
        assert [[f.tolist() for f in row] for row in found] == [
            [[[6.0, 0.0], [0.0, 12.0]], [[1.0, 0.0], [0.0, 1.0]]],
            [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]],
        ]
        with pytest.raises(RuntimeError, match="hessian: got outputs of shapes"):
            hessian(lambda x: x * 2, X, vectorize=True, outer_jacobian_strategy=strategy)


def test_refused_inside_of_transforms():
    squared = lambda x: x**2  # noqa: E731
    for derivative in (lambda x: jacobian(squared, x, create_graph=True), lambda x: vjp(squared, x, x)[1]):
        with pytest.raises(RuntimeError, match="got a tensor inside of vmap, expected one outside"):
            td.func.vmap(derivative)(X.unsqueeze(0))
        with pytest.raises(RuntimeError, match="got a tensor inside of forward mode"):
            td.func.jvp(derivative, (X,), (X,))


def test_refused_where_a_gradient_would_be_lost():
    squared = lambda x: x**2  # noqa: E731
    for options in ({}, {"vectorize": True, "strategy": "forward-mode"}):
        with pytest.raises(RuntimeError, match=r"jacobian: got a tensor inside of td\.func\.grad, vjp or linearize"):
            td.func.grad(lambda x, o=options: jacobian(squared, x, **o).sum())(X)
        with pytest.raises(RuntimeError, match="jacobian: got a tensor inside of forward mode"):
            td.func.jvp(lambda x, o=options: jacobian(squared, x, **o), (X,), (X,))
    found = td.func.grad(lambda x: jacobian(squared, x, create_graph=True).sum())(X)
    assert found.tolist() == [2.0, 2.0]
    assert td.func.grad(lambda x: (x * jacobian(squared, Y).sum()).sum())(X).tolist() == [16.0, 16.0]
    assert jacobian(squared, X.clone().requires_grad_()).tolist() == [[2.0, 0.0], [0.0, 4.0]]


def test_hessians():
    found = hessian(energy, (X, Y))
    assert [[f.tolist() for f in row] for row in found] == [
        [[[6.0, 0.0], [0.0, 12.0]], [[1.0, 0.0], [0.0, 1.0]]],
        [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]],
    ]
    v = td.tensor([1.0, 10.0])
    for product_with in (vhp, hvp):
        out, found = product_with(energy, (X, Y), (v, td.ones(2)))
        assert out.item() == 22.0 and [f.tolist() for f in found] == [[7.0, 121.0], [1.0, 10.0]]
        assert product_with(lambda x: x**3, td.tensor(2.0))[1].item() == 12.0


def test_results_belong_to_the_graph_only_if_asked():
    x = X.clone().requires_grad_()
    assert not jacobian(lambda x: x**3, x).requires_grad and x.grad is None
    found = jacobian(lambda x: x**3, x, create_graph=True)
    found.sum().backward()
    assert x.grad.tolist() == [6.0, 12.0]
    with td.no_grad():
        assert hvp(lambda x: (x**3).sum(), x, td.ones(2))[1].tolist() == [6.0, 12.0]
        assert hessian(lambda x: (x**3).sum(), x, create_graph=True).requires_grad
    for derivative in (vjp, jvp, vhp, hvp):
        x.grad = None
        out, found = derivative(lambda x: (x**3).sum(), x, *([td.ones(2)] if derivative is not vjp else []))
        assert not out.requires_grad and not found.requires_grad and x.grad is None
    v = td.ones(2, requires_grad=True)
    _, found = jvp(lambda x: x**3, x, v, create_graph=True)
    assert [g.tolist() for g in td.autograd.grad(found.sum(), (x, v))] == [[6.0, 12.0], [3.0, 12.0]]


def test_what_does_not_depend_on_an_input_is_zero_or_refused():
    def first(x, y):
        return (x * x).sum()

    assert [f.tolist() for f in jacobian(first, (X, Y))] == [[2.0, 4.0], [0.0, 0.0]]
    assert hessian(lambda x: x.sum(), X).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert jvp(lambda x: td.ones(2), X, X)[1].tolist() == [0.0, 0.0]
    strict = [
        (lambda: jacobian(first, (X, Y), strict=True), "got a row with respect to input 1 that is independent"),
        (lambda: vjp(first, (X, Y), strict=True), "a gradient with respect to input 1"),
        (lambda: jvp(first, (X, Y), (X, Y), strict=True), "a gradient with respect to input 1"),
        (lambda: vjp(lambda x: td.ones(2), X, X, strict=True), "got output 0 that does not depend on the inputs"),
        (lambda: hessian(lambda x: x.sum(), X, strict=True), "independent of the inputs"),
        (lambda: vhp(lambda x: x.sum(), X, X, strict=True), "independent of the inputs"),
        (lambda: hvp(lambda x: x.sum(), X, X, strict=True), "independent of the inputs"),
        (lambda: jacobian(first, (X, Y), strict=True, vectorize=True), "strict=True with vectorize=True"),
    ]
    for call, text in strict:
        with pytest.raises(RuntimeError, match=text):
            call()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: vjp(lambda x: x * 2, X), RuntimeError, r"vjp: got no v for tensors of shapes \[\(2,\)\]"),
        (lambda: vjp(lambda x: x * 2, X, td.ones(3)), RuntimeError, r"vjp: got v of shape \(3,\), expected \(2,\)"),
        (lambda: jvp(product, (X, Y), X), RuntimeError, "jvp: got a tensor as v, expected a tuple of 2"),
        (lambda: jvp(product, (X, Y), (X, X, X)), RuntimeError, "got a tuple of 3 as v, expected a tuple of 2"),
        (lambda: vjp(product, (X, Y), (X, "v")), TypeError, "vjp: got 'v' in v, expected a tensor"),
        (lambda: jacobian(lambda x: 3, X), TypeError, "jacobian: got 3 in the outputs of the function"),
        (lambda: jacobian(lambda x: x, [1.0]), TypeError, "jacobian: got 1.0 in inputs"),
        (lambda: hessian(lambda x: x * 2, X), RuntimeError, r"hessian: got outputs of shapes \[\(2,\)\]"),
        (lambda: vhp(lambda x: (x.sum(), x.sum()), X, X), RuntimeError, "vhp: got outputs of shapes"),
        (lambda: jacobian(lambda x: x, X, strategy="both"), ValueError, "got strategy='both'"),
        (lambda: jacobian(lambda x: x, X, strategy="forward-mode"), NotImplementedError, "expected vectorize=True"),
    ],
)
def test_misuse_is_explained(call, error, text):
    with pytest.raises(error, match=text):
        call()
