"""autograd.Function: forward and backward written by hand."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from leaves import leaf

import tinygrad_dl as td
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
    assert Product.apply(x, y).grad_fn.name() == "ProductBackward"
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

    with pytest.raises(
        RuntimeError, match=r"got 1 gradients from it, expected 2: one for each argument of forward, None for"
    ):
        Wrong.apply(leaf(1), leaf(2)).sum().backward()


def test_a_second_backward_explains_itself():
    x, y = leaf(1), leaf(2)
    z = Product.apply(x, y).sum()
    z.backward()
    with pytest.raises(RuntimeError, match=r"second time, .*Product.*retain_graph=True"):
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


def test_setup_context_saves_what_forward_without_ctx_does_not():
    class Scaled(autograd.Function):
        @staticmethod
        def forward(x, factor):
            return x * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.factor = inputs
            ctx.save_for_backward(x, output)

        @staticmethod
        def backward(ctx, g):
            x, output = ctx.saved_tensors
            assert output.tolist() == (x * ctx.factor).tolist()
            return g * ctx.factor, None

    x = leaf(1, 2)
    Scaled.apply(x, 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_saved_arguments_are_the_very_same_tensors():
    seen = []

    class Times(Product):
        @staticmethod
        def backward(ctx, g):
            seen.extend(ctx.saved_tensors)
            return Product.backward(ctx, g)

    x, y = leaf(2), td.tensor([5.0])
    Times.apply(x, y).backward()
    assert seen[0] is x and seen[1] is y and x.grad.tolist() == [5]


class Tripled(autograd.Function):
    """Returns more gradients than there are arguments: the last are None."""

    @staticmethod
    def forward(ctx, x):
        return x * 3

    @staticmethod
    def backward(ctx, g):
        return g * 3, None, None


def test_nones_beyond_the_arguments_are_accepted_and_gradients_are_not():
    class Surplus(Tripled):
        @staticmethod
        def backward(ctx, g):
            return g * 3, g

    x = leaf(1, 1)
    Tripled.apply(x).sum().backward()
    assert x.grad.tolist() == [3, 3]
    with pytest.raises(
        RuntimeError, match=r"got 2 gradients from it, expected 1: one for each argument of forward, None for"
    ):
        Surplus.apply(x).sum().backward()


def test_a_broadcast_gradient_is_summed_to_its_argument():
    class Add(autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, g):
            return g, g

    x, y = td.ones(2, 3, requires_grad=True), td.ones(3, requires_grad=True)
    Add.apply(x, y).sum().backward()
    assert x.grad.shape == (2, 3) and y.grad.tolist() == [2, 2, 2]


@pytest.mark.parametrize("materialize", [True, False])
def test_unused_outputs_have_gradients_of_zeros_or_none(materialize):
    seen = []

    class Both(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(materialize)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            seen.append(h)
            return g * 2

    x = leaf(1, 1)
    Both.apply(x)[0].sum().backward()
    assert x.grad.tolist() == [2, 2]
    assert seen[0].tolist() == [0, 0] if materialize else seen == [None]


def test_outputs_that_are_no_tensors_are_passed_on():
    class Mixed(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 5, x * 2, None

        @staticmethod
        def backward(ctx, *gradients):
            assert gradients[0] is None and gradients[2] is None
            return gradients[1] * 2

    x = leaf(1, 1)
    number, doubled, nothing = Mixed.apply(x)
    doubled.sum().backward()
    assert (number, nothing, x.grad.tolist()) == (5, None, [2, 2])


class Exp_(autograd.Function):
    """The exponential, in place."""

    @staticmethod
    def forward(ctx, x):
        x.exp_()
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


def test_a_function_may_work_in_place():
    x = leaf(1, dtype="float64")
    y = x * 2
    before = (y * y).sum()
    z = Exp_.apply(y)
    assert z is y and y.item() == pytest.approx(np.exp(2))
    (first,) = autograd.grad((y * 1).sum(), x, create_graph=True)
    assert first.item() == pytest.approx(2 * np.exp(2))
    assert autograd.grad(first.sum(), x)[0].item() == pytest.approx(4 * np.exp(2))
    with pytest.raises(
        RuntimeError, match=r"got a value of shape \(1,\) that was changed in place afterwards, by Exp_ at"
    ):
        before.backward()


def test_in_place_functions_refuse_leaves_and_lost_outputs():
    class Lost(Exp_):
        @staticmethod
        def forward(ctx, x):
            return Exp_.forward(ctx, x) * 1

    with pytest.raises(
        RuntimeError, match=r"got a leaf tensor that requires a gradient, expected another, as operations are"
    ):
        Exp_.apply(leaf(1))
    with pytest.raises(RuntimeError, match=r"got 1 tensors in mark_dirty, 0 of them among the outputs, expected all"):
        Lost.apply(leaf(1) * 2)
    plain = td.zeros(1)
    assert Exp_.apply(plain) is plain and plain.item() == 1 and not plain.requires_grad


def test_once_differentiable_refuses_a_second_derivative():
    class Square(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @autograd.function.once_differentiable
        def backward(ctx, g):
            assert not td.is_grad_enabled()
            return td.tensor(g.numpy() * 2 * ctx.saved_tensors[0].numpy())

    x = leaf(3)
    assert autograd.grad(Square.apply(x), x)[0].tolist() == [6]
    (g,) = autograd.grad(Square.apply(x) * x, x, create_graph=True)
    assert g.tolist() == [27]
    with pytest.raises(RuntimeError, match=r"got a second derivative through a Function whose backward is marked with"):
        g.backward()


def test_only_tensors_are_saved():
    class Wrong(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x, 5)
            return x * 1

    with pytest.raises(TypeError, match="got a int for argument 1, expected a tensor or None"):
        Wrong.apply(leaf(1))


def test_arguments_left_out_have_their_defaults_in_setup_context():
    class Power(td.autograd.Function):
        @staticmethod
        def forward(x, n=3):
            return x**n

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.n = inputs
            ctx.save_for_backward(x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * ctx.n * x ** (ctx.n - 1), None

    x = td.tensor(2.0, requires_grad=True)
    assert Power.apply(x).item() == 8 and td.autograd.grad(Power.apply(x), x)[0].item() == 12
    assert td.autograd.grad(Power.apply(x, 2), x)[0].item() == 4


def test_backward_may_be_called_vjp():
    class Double(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_forward(x)
            return x * 2

        @staticmethod
        def vjp(ctx, g):
            return g * 2

    x = td.tensor(2.0, requires_grad=True)
    Double.apply(x).backward()
    assert x.grad.item() == 2


def test_a_tensor_that_was_changed_in_place_may_be_returned_twice():
    class Twice(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x, x

        @staticmethod
        def backward(ctx, a, b):
            return a * 2 + b * 2

    x = td.tensor(3.0, requires_grad=True)
    y = x.clone()
    a, b = Twice.apply(y)
    assert a is y and b is y and y.item() == 6
    (a + b).backward()
    assert x.grad.item() == 4


def test_a_ctx_that_is_kept_has_no_saved_tensors_after_backward():
    kept = []

    class Keeps(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 1

        @staticmethod
        def backward(ctx, g):
            kept.append(ctx)
            assert ctx.saved_tensors[0].item() == 2
            return g

    x = td.tensor(2.0, requires_grad=True)
    y = Keeps.apply(x)
    y.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="got a ctx whose backward has run"):
        _ = kept[0].saved_tensors
    assert y.grad_fn.saved_tensors[0] is x
    y.backward()
    assert x.grad.item() == 2


def test_both_names_or_none_of_the_backward_are_refused():
    class Both(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

        @staticmethod
        def vjp(ctx, g):
            return g * 2

    class Neither(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    with pytest.raises(RuntimeError, match="Both: got both backward and vjp"):
        Both.apply(leaf(1))
    with pytest.raises(RuntimeError, match="got a subclass without backward") as caught:
        Neither.apply(leaf(1)).backward()
    assert not isinstance(caught.value, NotImplementedError)


def test_the_gradients_of_non_differentiable_outputs():
    seen = []

    class Pair(autograd.Function):
        whole = True

        @staticmethod
        def forward(ctx, x):
            a, b = x * 2, x * 3
            ctx.mark_non_differentiable(b)
            ctx._materialize_non_diff_grads = Pair.whole
            return a, b

        @staticmethod
        def backward(ctx, ga, gb):
            seen.append(None if gb is None else gb.tolist())
            return ga * 2

    for Pair.whole in (True, False):
        x = leaf(1)
        Pair.apply(x)[0].backward()
        assert x.grad.tolist() == [2]
    assert seen == [[0], None]


def test_the_old_name_of_saved_tensors():
    class Square(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_variables
            return 2 * g * x

    x = leaf(3)
    with pytest.warns(DeprecationWarning, match="its name is ctx.saved_tensors"):
        Square.apply(x).backward()
    assert x.grad.tolist() == [6]


def test_the_modules_of_pytorchs_names():
    from tinygrad_dl.autograd.function import FunctionCtx, InplaceFunction, once_differentiable
    from tinygrad_dl.autograd.grad_mode import no_grad, set_multithreading_enabled

    class Doubled(InplaceFunction):
        @staticmethod
        def forward(ctx, x):
            assert isinstance(ctx, FunctionCtx)
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return g * 2

    x = leaf(3)
    y = x * 1
    assert Doubled.apply(y) is y and y.tolist() == [6]
    y.backward()
    assert x.grad.tolist() == [2]
    assert no_grad is td.no_grad and set_multithreading_enabled is autograd.set_multithreading_enabled
