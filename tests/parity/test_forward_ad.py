"""Forward mode by hand, changes in place of tensors with tangents, Functions inside of transforms, beside PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")

RNG = np.random.default_rng(3)
X, V, W = RNG.standard_normal((3, 4)), RNG.standard_normal((3, 4)), RNG.standard_normal((4, 2))


def functions(T):
    """Functions with hand-written derivatives, of the library."""

    class Scaled(T.autograd.Function):
        """x**2 * y, whose tangent and gradient are written down; y may be the same for all examples."""

        generate_vmap_rule = True

        @staticmethod
        def forward(x, y):
            return x**2 * y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return g * 2 * x * y, g * x**2

        @staticmethod
        def jvp(ctx, tx, ty):
            x, y = ctx.saved_tensors
            return tx * 2 * x * y + ty * x**2

    class Split(T.autograd.Function):
        """Sine and cosine, with a rule for batches of its own."""

        @staticmethod
        def forward(x):
            return x.sin(), x.cos()

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*output)
            ctx.save_for_forward(*output)

        @staticmethod
        def backward(ctx, gs, gc):
            s, c = ctx.saved_tensors
            return gs * c - gc * s

        @staticmethod
        def jvp(ctx, t):
            s, c = ctx.saved_tensors
            return t * c, -t * s

        @staticmethod
        def vmap(info, in_dims, x):
            return Split.apply(x), in_dims * 2

    return Scaled.apply, Split.apply


def written(x):
    y = x.clone()
    y[0] = x[1] * 2
    y.t()[1].mul_(3)
    y[:, 2:] += x[:, :2]
    return y * x


def filled(x):
    y = x.new_zeros(4, 4)
    y[1:] = x
    y.view(-1)[::5].copy_(x[0])
    return y


def by_hand(T, f):
    """The primal and the tangent of f at X in the direction V, and the gradient of the tangent's sum."""
    from_hand = T.autograd.forward_ad
    x = T.tensor(X, requires_grad=True)
    with from_hand.dual_level():
        primal, tangent = from_hand.unpack_dual(f(from_hand.make_dual(x, T.tensor(V))))
    (second,) = T.autograd.grad(tangent.sum(), x, allow_unused=True, materialize_grads=True)
    return primal, tangent, second


# name -> a program of the library
PROGRAMS = {
    "linear": lambda T: by_hand(T, lambda x: T.tanh(x @ T.tensor(W))),
    "sigmoid": lambda T: by_hand(T, lambda x: T.sigmoid(x) * x.abs()),
    "reductions": lambda T: by_hand(T, lambda x: (x.std(0) + x.max(0).values) * x.prod(1).sum()),
    "detached": lambda T: by_hand(T, lambda x: x.detach() * x**2 + x.sort(-1).values),
    "joined": lambda T: by_hand(T, lambda x: T.cat([x, T.ones(1, 4, dtype=x.dtype), x.exp()])[1:5].cumsum(0)),
    "in place": lambda T: by_hand(T, written),
    "in place into zeros": lambda T: T.func.jvp(filled, (T.tensor(X),), (T.tensor(V),)),
    "in place in a batch": lambda T: T.func.vmap(lambda x, v: T.func.jvp(written, (x,), (v,)))(
        T.tensor(np.stack([X, V])), T.tensor(np.stack([V, X]))
    ),
    "function, forward": lambda T: T.func.jvp(functions(T)[0], (T.tensor(X), T.tensor(V)), (T.tensor(V), T.tensor(X))),
    "function, one tangent": lambda T: T.func.jvp(
        lambda x: functions(T)[0](x, T.tensor(V)), (T.tensor(X),), (T.tensor(V),)
    ),
    "function, batch": lambda T: T.func.vmap(functions(T)[0], (0, None))(T.tensor(X), T.tensor(V[0])),
    "function, gradients of examples": lambda T: T.func.vmap(
        T.func.grad(lambda x, y: functions(T)[0](x, y).sum(), (0, 1)), (0, None)
    )(T.tensor(X), T.tensor(V[0])),
    "function, Jacobians": lambda T: T.func.jacfwd(T.func.jacrev(lambda x: functions(T)[0](x, x)))(T.tensor(X[0])),
    "function, a batch's gradient": lambda T: T.func.grad(
        lambda y: T.func.vmap(functions(T)[0], (0, None))(T.tensor(X), y).sum()
    )(T.tensor(V[0])),
    "two results": lambda T: T.func.jvp(functions(T)[1], (T.tensor(X),), (T.tensor(V),)),
    "two results, batch": lambda T: T.func.vmap(functions(T)[1], 1, 1)(T.tensor(X)),
    "two results, gradients": lambda T: T.func.vmap(
        T.func.grad(lambda x: (functions(T)[1](x)[0] * functions(T)[1](x)[1]).sum())
    )(T.tensor(X)),
    "two results, Jacobian": lambda T: T.func.jacrev(lambda x: functions(T)[1](x))(T.tensor(X[0])),
}


def expect_equal(ours, theirs):
    if isinstance(theirs, tuple):
        for a, b in zip(ours, theirs, strict=True):
            expect_equal(a, b)
        return
    assert tuple(ours.shape) == tuple(theirs.shape)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", PROGRAMS)
def test_both_give_the_same(name):
    expect_equal(PROGRAMS[name](td), PROGRAMS[name](torch))
