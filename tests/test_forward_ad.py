"""Forward mode by hand (`autograd.forward_ad`), and `autograd.Function` inside of transforms."""

import re

import numpy as np
import pytest
from leaves import leaf

import tinygrad_dl as td
from tinygrad_dl.autograd import Function, forward_ad
from tinygrad_dl.autograd.forward_ad import dual_level, make_dual, unpack_dual


def test_tangents_are_carried_along():
    with dual_level():
        x = make_dual(td.tensor([1.0, 2.0]), td.tensor([1.0, -1.0]))
        y = unpack_dual((x**3).sum() + 5)
    assert y.primal.item() == 14 and y.tangent.item() == 3 - 12
    assert y._fields == ("primal", "tangent")


def test_several_inputs_and_one_without_a_tangent():
    with dual_level():
        x, y = make_dual(td.tensor(2.0), td.tensor(1.0)), make_dual(td.tensor(5.0), td.tensor(10.0))
        assert unpack_dual(x * y * td.tensor(3.0)).tangent.item() == 3 * (1 * 5 + 2 * 10)
        assert unpack_dual(td.tensor(3.0) * 2).tangent is None


def test_detach_takes_a_tensor_out_of_forward_mode():
    with dual_level():
        x = make_dual(td.tensor(3.0), td.tensor(1.0))
        assert unpack_dual(x.detach()).tangent is None
        assert unpack_dual(x.detach() * x).tangent.item() == 3
    _, tangent = td.func.jvp(lambda x: x.detach() * x, (td.tensor(3.0),), (td.tensor(1.0),))
    assert tangent.item() == 3
    once = lambda x: td.func.jvp(lambda y: y.detach() * y**2, (x,), (td.ones_like(x),))[1]  # noqa: E731
    _, twice = td.func.jvp(once, (td.tensor(3.0),), (td.tensor(1.0),))
    assert twice.item() == 6  # d/dx of c * 2 x with c = 3 held


def test_after_the_level_tensors_are_plain_ones():
    x = leaf(1, 2)
    with dual_level():
        dual = make_dual(x, td.ones(2))
        y = dual * 2
    assert unpack_dual(y) == (y, None)
    assert y.detach().numpy().tolist() == [2, 4] and str(y.detach()) == "tensor([2., 4.])"
    (y * dual).sum().backward()
    assert x.grad.tolist() == [4, 8]
    with dual_level():
        again = unpack_dual(y * make_dual(td.ones(2, dtype=td.float64), td.ones(2)))
    assert again.tangent.tolist() == [2, 4]


def test_reverse_over_forward():
    x = leaf(2)
    with dual_level():
        tangent = unpack_dual(make_dual(x, td.ones(1)) ** 3).tangent
        tangent.sum().backward()
    assert x.grad.tolist() == [12]


def test_forward_over_reverse():
    x = leaf(2, 3)
    with dual_level():
        dual = make_dual(x, td.tensor([1.0, 10.0]))
        (g,) = td.autograd.grad((dual**3).sum(), dual, create_graph=True)
        gradient, product = unpack_dual(g)
    assert gradient.tolist() == [12, 27] and product.tolist() == [12, 180]
    (third,) = td.autograd.grad(product.sum(), x)
    assert third.tolist() == [6, 60]


def test_backward_of_a_tensor_with_a_tangent_leaves_gradients_without():
    x = leaf(2, 3)
    with dual_level():
        y = (make_dual(x, td.ones(2)) ** 2).sum()
        y.backward()
        assert unpack_dual(x.grad).tangent is None
    assert x.grad.tolist() == [4, 6]


def test_tangents_go_on_without_recording_and_of_another_precision():
    with dual_level(), td.no_grad():
        x = make_dual(td.tensor([1.0]), td.tensor([2], dtype=td.float64))
        assert unpack_dual(x * 3).tangent.dtype == td.float32 and unpack_dual(x * 3).tangent.item() == 6


def test_the_text_shows_the_tangent():
    with dual_level():
        dual = make_dual(td.tensor([1.0, 2.0]), td.tensor([0.0, 1.0]))
        assert repr(dual) == "tensor([1., 2.], tangent=tensor([0., 1.]))"
    assert repr(dual) == "tensor([1., 2.])"


def test_a_module_with_dual_parameters():
    layer = td.nn.Linear(3, 2, dtype=td.float64)
    x, v = td.randn(4, 3, dtype=td.float64), td.randn(2, 3, dtype=td.float64)
    with dual_level():
        weight = layer.weight
        del layer.weight
        layer.weight = make_dual(weight, v)
        tangent = unpack_dual(layer(x)).tangent
    assert np.allclose(tangent.detach().numpy(), x.numpy() @ v.numpy().T)


def test_levels_follow_vmap_and_jvp():
    with dual_level():
        x = make_dual(td.tensor([1.0, 2.0, 3.0]), td.tensor([1.0, 0.0, 2.0]))
        assert unpack_dual(td.func.vmap(lambda e: e**2)(x)).tangent.tolist() == [2, 0, 12]
        inside = td.func.vmap(lambda e, t: unpack_dual(make_dual(e, t) ** 2).tangent)
        assert inside(td.tensor([1.0, 2.0]), td.tensor([1.0, 1.0])).tolist() == [2, 4]
        _, second = td.func.jvp(
            lambda e: unpack_dual(make_dual(e, td.ones(3)) ** 3).tangent, (td.ones(3),), (td.ones(3),)
        )
        assert second.tolist() == [6, 6, 6]


def test_mistakes():
    x, v = td.ones(2), td.ones(2)
    with pytest.raises(RuntimeError, match="make_dual: got a tensor outside of any level, expected a call inside"):
        make_dual(x, v)
    with pytest.raises(RuntimeError, match="exit_dual_level: got no open level, expected the last one"):
        forward_ad.exit_dual_level()
    with dual_level() as level:
        assert level == 0
        for given, kind, text in [
            ((x, td.ones(3)), RuntimeError, "got a tangent of shape (3,), expected that of its primal, (2,)"),
            ((x, td.ones(2).long()), ValueError, "got a tangent of dtype int64, expected a floating"),
            ((x.long(), v), ValueError, "got a primal of dtype int64, expected a floating"),
            ((3.0, v), TypeError, "got 3.0 as primal, expected a tensor"),
            ((x, None), TypeError, "got None as tangent, expected a tensor"),
            ((make_dual(x, v), v), RuntimeError, "got a tensor of shape (2,) that has a tangent at this level already"),
            (
                (x, make_dual(v, v)),
                RuntimeError,
                "got a tangent of shape (2,) that has a tangent at this level already",
            ),
        ]:
            with pytest.raises(kind, match=re.escape(text)):
                make_dual(*given)
        with pytest.raises(RuntimeError, match="unpack_dual: got level=5, expected that of the current"):
            unpack_dual(x, level=5)
        with pytest.raises(TypeError, match="unpack_dual: got 3, expected a tensor"):
            unpack_dual(3)
        with pytest.raises(RuntimeError, match="exit_dual_level: got level=5"):
            forward_ad.exit_dual_level(level=5)
        with pytest.raises(RuntimeError, match="enter_dual_level: got a level inside of another"):
            forward_ad.enter_dual_level()
    assert forward_ad.enter_dual_level() == 0
    forward_ad.exit_dual_level(level=0)


# -- in-place changes --------------------------------------------------------------------------------------

X = td.tensor([1.0, 2.0])
T = td.tensor([1.0, 7.0])


def through_a_view(x):
    y = x.clone()
    view = y.view(2, 1)
    view[0] = x[1]
    return y


def through_the_base(x):
    y = x * 1
    view = y[:1]
    y.mul_(3)
    view.mul_(2)
    return y, view * 1


def into_zeros(x):
    y = td.zeros_like(x)
    y[0] = x[1]
    return y


def into_new_zeros(x):
    y = x.new_zeros(3)
    y[1:] = x
    return y


def of_what_shares_a_tangent(x):
    y = x + 1
    y.mul_(3)
    wide = x.expand(2, 2) + 1
    wide[0] = 5.0
    wide[1].mul_(2)
    return x * 1, y, wide


def with_a_constant(x):
    y = x.clone()
    y.copy_(td.ones(2))
    return y * x


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (through_a_view, [7, 7]),
        (through_the_base, ([6, 21], [6])),
        (into_zeros, [7, 0]),
        (into_new_zeros, [0, 1, 7]),
        (of_what_shares_a_tangent, ([1, 7], [3, 21], [[0, 0], [2, 14]])),
        (with_a_constant, [1, 7]),
    ],
)
def test_changes_in_place_reach_the_tangents_of_all_views(change, expected):
    _, tangent = td.func.jvp(change, (X,), (T,))
    assert (tuple(t.tolist() for t in tangent) if isinstance(tangent, tuple) else tangent.tolist()) == expected
    _, batch = td.func.vmap(lambda x, t: td.func.jvp(change, (x,), (t,)))(td.stack([X, X]), td.stack([T, 2 * T]))
    pairs = zip(batch, expected, strict=True) if isinstance(expected, tuple) else [(batch, expected)]
    for both, one in pairs:
        assert both.tolist() == [one, (2 * td.tensor(one)).tolist()]
    assert X.tolist() == [1, 2] and T.tolist() == [1, 7]


def test_primals_do_not_share_a_tangent():
    def both(x, y):
        x.mul_(2)
        return y * 1

    _, tangent = td.func.jvp(both, (td.ones(2), td.ones(2)), (T.clone(),) * 2)
    assert tangent.tolist() == [1, 7]


# -- Function ---------------------------------------------------------------------------------------------


class Cube(Function):
    """x**3, whose slope is kept from forward; second derivatives go through x."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x**2

    @staticmethod
    def jvp(ctx, t):
        (x,) = ctx.saved_tensors
        return t * 3 * x**2


class Product(Function):
    """a * b and, as a number without a gradient, how many elements it has."""

    generate_vmap_rule = True

    @staticmethod
    def forward(a, b, factor):
        return a * b * factor, td.tensor(float(a.numel())) + 0 * a.detach().sum()

    @staticmethod
    def setup_context(ctx, inputs, output):
        a, b, ctx.factor = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(a, b)
        ctx.save_for_forward(a, b)

    @staticmethod
    def backward(ctx, g, _):
        a, b = ctx.saved_tensors
        return g * b * ctx.factor, g * a * ctx.factor, None

    @staticmethod
    def jvp(ctx, ta, tb, nothing):
        assert nothing is None
        a, b = ctx.saved_tensors
        return (ta * b + a * tb) * ctx.factor, None


class ByNumPy(Function):
    """sin by NumPy, which sees the whole batch."""

    @staticmethod
    def forward(x):
        return td.from_numpy(np.sin(x.numpy()))

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()

    @staticmethod
    def vmap(info, in_dims, x):
        assert info.batch_size == 3 and info.randomness == "error" and in_dims == (0,)
        return ByNumPy.apply(x), 0


ROW = td.tensor([1.0, 2.0, 3.0])


def test_derivatives_of_a_function_in_forward_mode():
    out, tangent = td.func.jvp(Cube.apply, (ROW,), (td.tensor([1.0, 1.0, 2.0]),))
    assert out.tolist() == [1, 8, 27] and tangent.tolist() == [3, 12, 54]
    with dual_level():
        assert unpack_dual(Cube.apply(make_dual(ROW, ROW))).tangent.tolist() == [3, 24, 81]
    assert td.func.hessian(Cube.apply)(td.tensor(2.0)).item() == 12
    assert td.func.jacfwd(td.func.jacfwd(Cube.apply))(td.tensor(2.0)).item() == 12
    assert td.func.jacrev(td.func.jacfwd(Cube.apply))(td.tensor(2.0)).item() == 12
    assert td.func.jacrev(td.func.jacrev(Cube.apply))(td.tensor(2.0)).item() == 12


def test_tangents_of_some_arguments_and_results():
    (product, count), (tangent, none) = td.func.jvp(lambda a: Product.apply(a, ROW, 2.0), (td.ones(3),), (ROW,))
    assert product.tolist() == [2, 4, 6] and tangent.tolist() == [2, 8, 18]
    assert count.item() == 3 and none.item() == 0


def test_a_generated_rule_for_batches():
    rows = td.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert td.func.vmap(Cube.apply)(rows).tolist() == (rows**3).tolist()
    product, count = td.func.vmap(lambda a, b: Product.apply(a, b, 2.0), in_dims=(0, None))(
        rows, td.tensor([1.0, 10.0])
    )
    assert product.tolist() == [[2, 40], [6, 80], [10, 120]] and count.tolist() == [2, 2, 2]
    gradient = td.func.grad(lambda a, b: Product.apply(a, b, 2.0)[0].sum(), argnums=(0, 1))
    a, b = td.func.vmap(gradient, in_dims=(0, None))(rows, td.tensor([1.0, 10.0]))
    assert a.tolist() == [[2, 20]] * 3 and b.tolist() == (2 * rows).tolist()
    assert td.func.vmap(td.func.jacfwd(Cube.apply))(ROW).tolist() == [3, 12, 27]
    assert td.func.vmap(td.func.vmap(Cube.apply))(rows).tolist() == (rows**3).tolist()
    _, tangent = td.func.jvp(td.func.vmap(Cube.apply), (ROW,), (td.ones(3),))
    assert tangent.tolist() == [3, 12, 27]


def test_gradients_through_a_generated_rule_reach_what_all_examples_share():
    rows, shared = leaf([1.0, 2.0], [3.0, 4.0]), leaf(1.0, 10.0)
    out, _ = td.func.vmap(lambda a, b: Product.apply(a, b, 2.0), in_dims=(0, None))(rows, shared)
    assert out.grad_fn is not None
    (g,) = td.autograd.grad(out.sum(), shared, create_graph=True)
    assert g.tolist() == [8, 12]
    (second,) = td.autograd.grad(g.sum(), rows)
    assert second.tolist() == [[2, 2], [2, 2]]


def test_a_rule_for_batches_by_hand():
    assert np.allclose(td.func.vmap(ByNumPy.apply)(ROW).numpy(), np.sin(ROW.numpy()))
    assert np.allclose(td.func.vmap(td.func.grad(ByNumPy.apply))(ROW).numpy(), np.cos(ROW.numpy()))


def test_out_dims_of_a_rule_by_hand():
    class Turned(ByNumPy):
        @staticmethod
        def vmap(info, in_dims, x):
            return (x.T, x.sum()), (1, None)

    turned, total = td.func.vmap(Turned.apply, out_dims=(0, None))(td.arange(6.0).reshape(3, 2))
    assert turned.tolist() == [[0, 1], [2, 3], [4, 5]] and total.item() == 15


def test_what_is_missing_is_named():
    class Old(Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def jvp(ctx, t):
            return t * 2

    class Both(Cube):
        @staticmethod
        def vmap(info, in_dims, x):
            return x, 0

    class Single(ByNumPy):
        @staticmethod
        def vmap(info, in_dims, x):
            return x

    class Uneven(ByNumPy):
        @staticmethod
        def vmap(info, in_dims, x):
            return (x, x), (0,)

    class Wrong(Cube):
        @staticmethod
        def jvp(ctx, t):
            return t.sum()

    class Less(Product):
        @staticmethod
        def jvp(ctx, *t):
            return t[0]

    for function, kind, text in [
        (lambda: td.func.vmap(Old.apply)(ROW), RuntimeError, "expected forward(...) without ctx, and setup_context"),
        (
            lambda: td.func.vmap(Both.apply)(ROW),
            RuntimeError,
            "got both generate_vmap_rule=True and vmap, expected one",
        ),
        (
            lambda: td.func.jvp(ByNumPy.apply, (ROW,), (ROW,)),
            RuntimeError,
            "expected a Function with jvp(ctx, *tan",
        ),
        (
            lambda: td.func.vmap(Single.apply)(ROW),
            RuntimeError,
            "Single.vmap: got Tensor from it, expected a tuple (out",
        ),
        (
            lambda: td.func.vmap(Uneven.apply)(ROW),
            RuntimeError,
            "Uneven.vmap: out_dims: got (0,), expected a value, or",
        ),
        (
            lambda: td.func.jvp(Wrong.apply, (ROW,), (ROW,)),
            RuntimeError,
            "got a tangent of shape () from it, expected a t",
        ),
        (
            lambda: td.func.jvp(lambda x: Less.apply(x, x, 1.0), (ROW,), (ROW,)),
            RuntimeError,
            "got 1 tangents from it, exp",
        ),
    ]:
        with pytest.raises(kind, match=re.escape(text)):
            function()
    assert td.func.jvp(Old.apply, (ROW,), (ROW,))[1].tolist() == [2, 4, 6]  # one level has one context

    class Without(Cube):
        generate_vmap_rule = False

    with pytest.raises(RuntimeError, match=re.escape("expected a Function with vmap(info, in_dims, *args)")):
        td.func.vmap(Without.apply)(ROW)


def test_backward_inside_of_vmap_is_refused():
    with pytest.raises(RuntimeError, match="backward: got a tensor inside of vmap, expected one outside of it"):
        td.func.vmap(lambda x: x.sum().backward())(leaf([1.0, 2.0]))


def test_the_number_of_the_open_level():
    assert td.autograd.forward_ad._current_level == -1
    with td.autograd.forward_ad.dual_level():
        assert td.autograd.forward_ad._current_level == 0
    assert not hasattr(td.autograd.forward_ad, "_level")


def test_a_function_takes_tensors_of_transforms_by_position():
    class Scaled(Function):
        @staticmethod
        def forward(ctx, x, *, factor):
            return x * factor

    with pytest.raises(NotImplementedError, match="got a tensor inside of vmap by name, expected tensors by position"):
        td.func.vmap(lambda x: Scaled.apply(td.ones(1), factor=x))(ROW)


def test_jacrev_of_one_row_at_a_time_lets_backward_look_at_values():
    class Looks(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2 * (1 if g.sum().item() > 0 else -1)

    rows = td.func.jacrev(Looks.apply, chunk_size=1)(ROW)
    assert rows.tolist() == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
    both = td.func.jacrev(lambda a, b: (Looks.apply(a) * b, b.sum()), argnums=(0, 1), chunk_size=1)(ROW, ROW)
    assert both[0][1].tolist() == [[2, 0, 0], [0, 4, 0], [0, 0, 6]] and both[1][1].tolist() == [1, 1, 1]
    with pytest.raises(RuntimeError, match="numbers are needed"):
        td.func.jacrev(Looks.apply)(ROW)


def test_a_backward_named_vjp_serves_batches_too():
    class Squared(Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x * x

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def vjp(ctx, g):
            return 2 * g * ctx.saved_tensors[0]

    x = td.tensor([1.0, 2.0, 3.0])
    assert td.func.vmap(td.func.grad(Squared.apply))(x).tolist() == [2.0, 4.0, 6.0]


class Narrowed(Function):
    """The first two elements, with a tangent that is made as `how` says."""

    @staticmethod
    def forward(ctx, x, how):
        ctx.how = how
        return x[:2]

    @staticmethod
    def backward(ctx, g):
        return td.cat([g, td.zeros(1)]), None

    @staticmethod
    def jvp(ctx, t, _):
        return {"view": lambda: t[:2], "copy": lambda: t[:2].clone(), "other": lambda: t.clone()[:2]}[ctx.how]()


def test_the_tangent_of_a_view_is_a_view():
    t = td.tensor([1.0, 2.0, 3.0])
    with dual_level():
        out = Narrowed.apply(make_dual(td.ones(3), t), "view")
        assert unpack_dual(out).tangent.tolist() == [1.0, 2.0] and unpack_dual(out).tangent._base is t
        for how in ("copy", "other"):
            with pytest.raises(
                RuntimeError, match=r"Narrowed.jvp: got a tangent of its own .* that is a view of an arg"
            ):
                Narrowed.apply(make_dual(td.ones(3, requires_grad=True), t), how)


def test_the_tangent_of_an_argument_that_is_returned():
    class Returned(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y, x

        @staticmethod
        def backward(ctx, g, h):
            return g + h, g

        @staticmethod
        def jvp(ctx, x, y):
            return x + y, Returned.tangent(x)

    t = td.tensor(1.0)
    for requires_grad in (False, True):
        x, y = td.tensor(2.0, requires_grad=requires_grad), td.tensor(3.0)
        with dual_level():
            Returned.tangent = lambda x: x.view_as(x)
            assert unpack_dual(Returned.apply(make_dual(x, t), y)[1]).tangent._base is t
            for Returned.tangent in (lambda x: x, lambda x: x * 2):
                with pytest.raises(RuntimeError, match="or the argument itself, expected the same view"):
                    Returned.apply(make_dual(x, t), y)


def test_the_tangent_of_an_argument_that_is_changed():
    class Doubled(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def jvp(ctx, t):
            return Doubled.tangent(t)

    with dual_level():
        t = td.tensor(5.0)
        x = make_dual(td.tensor(1.0), t)
        Doubled.tangent = lambda t: t.mul_(2)
        assert Doubled.apply(x) is x and unpack_dual(x).tangent is t and t.item() == 10
        for Doubled.tangent in (lambda t: t, lambda t: t * 2):
            with pytest.raises(RuntimeError, match="expected the argument's own, changed in place too"):
                Doubled.apply(make_dual(td.tensor(1.0), td.tensor(5.0)))


def test_no_tangents_of_what_is_not_differentiable():
    class Two(Function):
        @staticmethod
        def forward(ctx, x, y):
            second = y.clone()
            if Two.mark:
                ctx.mark_non_differentiable(second)
            return x.clone(), second

        @staticmethod
        def jvp(ctx, x, y):
            return x, Two.second

    with dual_level():
        x = make_dual(td.tensor(2.0), td.tensor(1.0))
        for Two.mark, y in ((True, td.tensor(3.0)), (False, td.tensor(3))):
            Two.second = None
            first, second = Two.apply(x, y)
            assert unpack_dual(first).tangent.item() == 1 and unpack_dual(second).tangent is None
            Two.second = td.tensor(1.0)
            with pytest.raises(RuntimeError, match="for a result that is not differentiable, expected None"):
                Two.apply(x, y)


def test_unpacking_gives_a_view():
    with dual_level():
        x, t = td.tensor([1.0, 2.0]), td.tensor([3.0, 4.0])
        dual = make_dual(x, t)
        primal, tangent = unpack_dual(dual)
        assert primal is not x and primal._base is x and tangent is t
        assert unpack_dual(dual).primal is not primal
        assert unpack_dual(x).primal is x


# -- result and tangent together ----------------------------------------------------------------------

F = td.nn.functional
TOGETHER = {
    "gelu": (lambda x: F.gelu(x), [(40, 700)]),
    "gelu by tanh": (lambda x: F.gelu(x, "tanh"), [(40, 700)]),
    "linear": (F.linear, [(3, 50, 200), (300, 200), (300,)]),
    "linear, small": (F.linear, [(3, 4), (5, 4), (5,)]),
    "conv2d by columns": (lambda x, w, b: F.conv2d(x, w, b, padding=1), [(5, 1, 28, 28), (6, 1, 5, 5), (6,)]),
    "conv2d by rows": (F.conv2d, [(5, 6, 14, 14), (16, 6, 5, 5), (16,)]),
    "conv1d of groups": (lambda x, w, b: F.conv1d(x, w, b, groups=2), [(5, 4, 30), (6, 2, 3), (6,)]),
    "max_pool2d": (lambda x: F.max_pool2d(x.relu(), 2), [(30, 6, 28, 28)]),
    "max_pool2d, windows that overlap": (lambda x: F.max_pool2d(x.relu(), 3, 2), [(3, 6, 28, 28)]),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_result_and_tangent_together_are_those_of_the_separate_rules(name):
    function, shapes = TOGETHER[name]
    rng = np.random.default_rng(0)
    primals, tangents = [[td.tensor(rng.normal(size=s), dtype=td.float32) for s in shapes] for _ in range(2)]
    exact = [p.to(td.float64) for p in primals]

    def pushed(values, group, directions):
        chosen = [values[i] for i in group]
        return td.func.jvp(
            lambda *given: function(*[dict(zip(group, given, strict=True)).get(i, v) for i, v in enumerate(values)]),
            tuple(chosen),
            tuple([each.to(chosen[0].dtype) for each in directions]),
        )

    def apart(a, b):
        return abs(a.to(td.float64) - b).max().item() / b.abs().max().item()

    plain = function(*primals)
    for group in [(i,) for i in range(len(shapes))] + [tuple(range(len(shapes)))]:
        directions = [tangents[i] for i in group]
        # Where a tangent is recorded, rules get tensors, and the separate ones serve.
        value, tangent = pushed(exact, group, [each.to(td.float64).requires_grad_() for each in directions])
        for values, tolerance in ((exact, 1e-13), (primals, 2e-5)):
            result, found = pushed(values, group, directions)
            assert apart(result, value) <= tolerance and apart(found, tangent) <= tolerance
        assert apart(result, plain) <= 1e-6


@pytest.mark.parametrize("place", [0, 3])
def test_max_pool_of_a_nan_takes_the_tangent_at_the_nan(place):
    x, t = td.zeros(1, 1, 2, 2), td.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    x.view(-1)[place] = float("nan")
    out, tangent = td.func.jvp(lambda x: F.max_pool2d(x, 2), (x,), (t,))
    assert np.isnan(out.item())
    assert tangent.item() == place + 1.0


@pytest.mark.parametrize(
    ("write", "primal", "tangent"),
    [
        (lambda x, dual: x.copy_(dual), [3.0, 5.0], [10.0, 20.0]),
        (lambda x, dual: x.add_(dual), [4.0, 7.0], [10.0, 20.0]),
        (lambda x, dual: x.__imul__(dual), [3.0, 10.0], [10.0, 40.0]),
        (lambda x, dual: x.__setitem__(1, dual[0]), [1.0, 3.0], [0.0, 10.0]),
        (lambda x, dual: x[1:].copy_(dual[:1]), [1.0, 3.0], [0.0, 10.0]),
    ],
)
@pytest.mark.parametrize("recorded", [False, True])
def test_a_plain_tensor_gets_the_tangent_that_is_written_into_it(write, primal, tangent, recorded):
    leaf_of_it = leaf(1, 2)
    x = leaf_of_it * 1 if recorded else td.tensor([1.0, 2.0])
    others = x[:1], x.detach()
    with dual_level():
        write(x, make_dual(td.tensor([3.0, 5.0]), td.tensor([10.0, 20.0])))
        found = unpack_dual(x)
        assert found.primal.tolist() == primal and found.tangent.tolist() == tangent
        assert unpack_dual(others[0]).tangent.tolist() == tangent[:1] and unpack_dual(others[1]).tangent is None
        x *= 2
        assert unpack_dual(others[0]).tangent.tolist() == [2 * tangent[0]]
        assert unpack_dual(x * 3).tangent.tolist() == [6 * each for each in tangent]
    assert type(x) is td.Tensor and x.tolist() == [2 * each for each in primal] and unpack_dual(x).tangent is None
    x += 1
    assert others[0].tolist() == [2 * primal[0] + 1] == others[1].tolist()[:1] and x.requires_grad == recorded


def test_the_graph_of_a_tensor_that_got_a_tangent_goes_on():
    w = leaf(2, 3)
    x = w * 5
    view = x[:1]
    with dual_level():
        view.mul_(make_dual(td.tensor([4.0]), td.tensor([1.0])))
        assert unpack_dual(x).tangent.tolist() == [10.0, 0.0]
        (x * x).sum().backward()
    assert x.tolist() == [40.0, 15.0] and w.grad.tolist() == [2 * 40 * 20, 2 * 15 * 5]
    leaf_of_it = leaf(1)
    with dual_level(), pytest.raises(RuntimeError, match="got a leaf tensor that requires a gradient"):
        leaf_of_it.mul_(make_dual(td.tensor([4.0]), td.tensor([1.0])))
    assert leaf_of_it.tolist() == [1.0]


def test_what_func_jvp_writes_into_has_the_tangent_while_it_runs():
    kept = []

    def squares(x):
        y = td.zeros(2)
        y[0] = x[1]
        y[1:].copy_(x[:1])
        kept.append(y)
        return y * y

    x, t = td.tensor([2.0, 3.0]), td.tensor([1.0, 10.0])
    out, tangent = td.func.jvp(squares, (x,), (t,))
    assert out.tolist() == [9.0, 4.0] and tangent.tolist() == [60.0, 4.0]
    assert td.func.jacfwd(squares)(x).tolist() == [[0.0, 6.0], [4.0, 0.0]]
    for second in (
        td.func.hessian,
        lambda f: td.func.jacrev(td.func.jacfwd(f)),
        lambda f: td.func.jacfwd(td.func.jacfwd(f)),
    ):
        assert second(lambda x: squares(x).sum())(x).tolist() == [[2.0, 0.0], [0.0, 2.0]]
        assert second(lambda x: squares(squares(x))[0])(x).tolist() == [[48.0, 0.0], [0.0, 0.0]]  # x0^4
        assert all(type(each) is td.Tensor for each in kept)
    assert type(kept[0]) is td.Tensor and kept[0].tolist() == [3.0, 2.0]

    def products(x):
        y = td.ones(2, 2)
        row = y[1]
        row.mul_(x)  # its rule reads the row, of whose memory another part is changed
        y[0].copy_(x.flip(0))
        return (y.prod(0) * row).sum()  # x0 x1 (x0 + x1)

    assert td.func.hessian(products)(x).tolist() == [[6.0, 10.0], [10.0, 4.0]]
    outside = td.zeros(1)
    assert td.func.jvp(lambda x: outside.copy_(x) * 3, (td.ones(1),), (td.ones(1),))[1].tolist() == [3.0]
    assert outside.tolist() == [1.0] and type(outside) is td.Tensor
    with pytest.raises(RuntimeError, match="for a tensor made without"):
        td.vmap(lambda x: td.zeros(1).copy_(x))(td.ones(2, 1))


def test_integers_have_no_tangent_for_jvp():
    class Scaled(Function):
        @staticmethod
        def forward(ctx, x, n):
            ctx.n = n
            return x * n

        @staticmethod
        def jvp(ctx, t, none):
            assert none is None
            return t * ctx.n

    with dual_level():
        found = Scaled.apply(make_dual(td.tensor(2.0), td.tensor(1.0)), td.tensor(3))
        assert unpack_dual(found).tangent.item() == 3


def test_detach_in_place_takes_a_tensor_out_of_forward_mode_and_of_the_graph():
    w = leaf(2)
    with dual_level():
        x = make_dual(w, td.tensor([5.0])).clone()
        assert x._version == 0 and x.detach_() is x
        out = unpack_dual(x * 3)
        assert out.tangent is None and out.primal.tolist() == [6.0] and not out.primal.requires_grad
        y = td.tensor([1.0])
        y.mul_(make_dual(td.tensor([4.0]), td.tensor([1.0])))
        assert y.detach_().tolist() == [4.0] and unpack_dual(y).tangent is None
    assert type(x) is td.Tensor and type(y) is td.Tensor and y.tolist() == [4.0]
    assert td.func.jvp(lambda x: (x * 1).detach_() * x, (td.tensor(3.0),), (td.tensor(1.0),))[1].item() == 3
    v = td.tensor([1.0, 2.0], requires_grad=True)
    td.vmap(lambda v: (v * 3).detach_() * v)(v).sum().backward()
    assert v.grad.tolist() == [3.0, 6.0]
