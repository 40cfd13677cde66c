"""autograd.Function: forward and backward written by hand."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from leaves import leaf

from tinygrad_dl import autograd


class Product(autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y if ctx.needs_input_grad[0] else None, g * x if ctx.needs_input_grad[1] else None


def test_first_and_second_order():
    x, y = leaf(2, dtype="float64"), leaf(3, dtype="float64")
    (gx,) = autograd.grad(Product.apply(x, Product.apply(x, y)).sum(), x, create_graph=True)
    assert gx.tolist() == [12]
    assert autograd.grad(gx.sum(), [x, y])[0].tolist() == [6]
    assert Product.apply(x, y).grad_fn.name() == "Product"
    assert not Product.apply(x.detach(), y.detach()).requires_grad


def test_saving_the_output_makes_no_cycle(no_collector):
    class Exp(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            out = x.exp()
            ctx.save_for_backward(out)
            return out

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = leaf(0.5, dtype="float64")
    y = Exp.apply(x)
    watched = weakref.ref(y)
    g = autograd.grad(y.sum(), x, create_graph=True)[0]
    (gg,) = autograd.grad(g.sum(), x)
    assert gg.item() == pytest.approx(np.exp(0.5))
    del y, g, gg
    assert watched() is None


def test_several_outputs_and_options():
    class Both(autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.factor = factor
            return x * factor, x + factor

        @staticmethod
        def backward(ctx, g_product, g_sum):
            return g_product * ctx.factor + g_sum, None

    x = leaf(1, 2)
    product, total = Both.apply(x, 3)
    product.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [3, 3]
    (product + total).sum().backward()
    assert x.grad.tolist() == [7, 7]


def test_too_few_gradients_are_explained():
    class Wrong(Product):
        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(RuntimeError, match=r"Wrong\.backward returned 1 gradients, expected 2"):
        Wrong.apply(leaf(1), leaf(2)).sum().backward()


def test_a_second_backward_explains_itself():
    x, y = leaf(1), leaf(2)
    z = Product.apply(x, y).sum()
    z.backward()
    with pytest.raises(RuntimeError, match=r"Product a second time.*retain_graph=True"):
        z.backward()


def test_outputs_marked_non_differentiable_have_no_graph():
    class WithSigns(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            signs = x.sign()
            ctx.mark_non_differentiable(signs)
            return x * 2, signs

        @staticmethod
        def backward(ctx, g, _):
            return g * 2

    x = leaf(1, -2)
    doubled, signs = WithSigns.apply(x)
    assert doubled.requires_grad and not signs.requires_grad
    doubled.sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_second_order_through_a_saved_output_of_several():
    class Both(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            out = x.exp()
            ctx.save_for_backward(out)
            return out, x * 1

        @staticmethod
        def backward(ctx, g, h):
            return g * ctx.saved_tensors[0] + h

    x = leaf(0.5, dtype="float64")
    (g,) = autograd.grad(Both.apply(x)[0].sum(), x, create_graph=True)
    assert autograd.grad(g.sum(), x)[0].item() == pytest.approx(np.exp(0.5))
