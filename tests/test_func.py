"""td.func: values by hand, what is refused and how, and that nothing is left behind."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.core.transforms import stack
from tinygrad_dl.func import (
    functional_call,
    grad,
    grad_and_value,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    stack_module_state,
    vjp,
    vmap,
)


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    yield
    assert stack.levels == []


def test_gradients_of_gradients():
    cubed = lambda x: x**3  # noqa: E731
    x = td.tensor(2.0)
    assert [f(x).item() for f in (grad(cubed), grad(grad(cubed)), grad(grad(grad(cubed))))] == [12.0, 12.0, 6.0]
    assert x.grad is None and not x.requires_grad


def test_a_gradient_has_no_graph_unless_something_outside_needs_it():
    w = td.tensor(3.0, requires_grad=True)
    assert not grad(lambda x: x**2)(td.tensor(1.0)).requires_grad
    found = grad(lambda x: w * x**2)(td.tensor(5.0))
    assert found.item() == 30.0 and found.requires_grad
    found.backward()
    assert w.grad.item() == 10.0


def test_no_grad_outside_does_not_reach_inside():
    with td.no_grad():
        found, value = grad_and_value(lambda x: (x**2).sum())(td.tensor([1.0, 2.0]))
    assert found.tolist() == [2.0, 4.0] and value.item() == 5.0 and not value.requires_grad


def test_levels_do_not_mix_their_perturbations():
    inner = lambda x: grad(lambda y: x * y)(td.tensor(1.0))  # noqa: E731
    assert grad(lambda x: x * inner(x))(td.tensor(3.0)).item() == 6.0
    push = lambda x: jvp(lambda y: x * y, (td.tensor(1.0),), (td.tensor(1.0),))[1]  # noqa: E731
    assert jvp(lambda x: x * push(x), (td.tensor(3.0),), (td.tensor(1.0),))[1].item() == 6.0


def test_trees_of_arguments():
    tree = {"a": td.tensor(2.0), "b": [td.tensor(3.0), (td.tensor(5.0),)]}
    found = grad(lambda t: t["a"] * t["b"][0] * t["b"][1][0])(tree)
    assert found["a"].item() == 15.0 and found["b"][0].item() == 10.0 and found["b"][1][0].item() == 6.0
    out, pull = vjp(lambda t: {"sum": t["a"] + t["b"][0]}, tree)
    assert out["sum"].item() == 5.0 and pull({"sum": td.tensor(2.0)})[0]["a"].item() == 2.0


def test_hessian_jacobians_and_products_with_them():
    x = td.tensor([1.0, 2.0, 3.0])
    f = lambda x: x[0] ** 2 * x[1] + x[2] ** 3  # noqa: E731
    expected = [[4.0, 2.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 18.0]]
    for way in (hessian(f), jacrev(jacrev(f)), jacfwd(jacfwd(f)), jacrev(jacfwd(f))):
        assert way(x).tolist() == expected
    assert hvp(f, (x,), (td.tensor([1.0, 0.0, 1.0]),))[1][0].tolist() == [4.0, 2.0, 18.0]
    out, push = linearize(f, x)
    assert out.item() == 29.0 and push(td.tensor([1.0, 0.0, 0.0])).item() == 4.0 == push(td.tensor([1.0, 0.0, 0.0]))


def test_an_integer_result_has_no_tangent():
    value, tangent = jvp(lambda x: x.argmax(), (td.tensor([1.0, 3.0]),), (td.tensor([1.0, 1.0]),))
    assert value.item() == 1 and tangent.item() == 0


def test_vmap_puts_dimensions_where_it_is_told():
    x = td.arange(24).reshape(2, 3, 4)
    assert vmap(lambda t: t.sum(0), in_dims=1)(x).shape == (3, 4)
    assert vmap(lambda t: t, in_dims=2, out_dims=1)(x).shape == (2, 4, 3)
    assert vmap(lambda t: t, in_dims=-1, out_dims=-1)(x).tolist() == x.tolist()
    a, b = vmap(lambda t, s: (t, s), in_dims=(0, None), out_dims=(0, None))(x, td.tensor(7))
    assert a.shape == x.shape and b.item() == 7
    scaled = vmap(lambda t, *, k: t.sum() * k)(td.ones(2, 3), k=td.tensor([1.0, 2.0, 4.0]))
    assert scaled.tolist() == [[3.0, 6.0, 12.0]] * 2  # arguments by name are the same for all examples
    with pytest.raises(ValueError, match="vmap: got no arguments"):
        vmap(lambda *, k: k)(k=td.ones(2))


def test_an_op_without_a_rule_says_so_once_and_is_right():
    @td.op(inputs={}, name="halved_for_this_test")
    def halved(x):
        return x / 2

    with pytest.warns(UserWarning, match="halved_for_this_test has no rule for batches"):
        assert vmap(halved)(td.tensor([2.0, 4.0])).tolist() == [1.0, 2.0]
    assert vmap(halved)(td.tensor([2.0, 4.0])).tolist() == [1.0, 2.0]


def test_a_user_s_op_gets_rules_in_a_line_each():
    @td.op(inputs={}, name="tripled_for_this_test", kind="elementwise", linear=("x",))
    def tripled(x):
        return x * 3

    tripled.vjp(x=lambda g: g * 3)
    assert vmap(tripled)(td.ones(2, 2)).tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert jvp(tripled, (td.tensor(1.0),), (td.tensor(2.0),))[1].item() == 6.0


class Chained(td.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = td.nn.Linear(2, 2, bias=False), td.nn.Linear(2, 2, bias=False)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(x))


def test_functional_call_with_tied_weights():
    model, swap = Chained(), td.tensor([[0.0, 2.0], [1.0, 0.0]])
    assert functional_call(model, {"first.weight": swap}, td.tensor([1.0, 3.0])).tolist() == [2.0, 6.0]
    both = {"first.weight": swap, "second.weight": td.eye(2)}
    with pytest.raises(
        ValueError, match=r"got different tensors for 'first\.weight' and 'second.weight', which are names"
    ):
        functional_call(model, both, td.ones(2))
    assert functional_call(model, both, td.tensor([1.0, 3.0]), tie_weights=False).tolist() == [6.0, 1.0]
    assert model.second.weight is model.first.weight


def test_functional_call_with_parametrized_weights():
    layer = td.nn.utils.parametrizations.weight_norm(td.nn.Linear(2, 1, bias=False))
    w = td.tensor([[3.0, 4.0]], requires_grad=True)
    given = {"parametrizations.weight.original0": td.full((1, 1), 10.0), "parametrizations.weight.original1": w}
    out = functional_call(layer, given, td.tensor([1.0, 0.0]))
    out.backward()
    assert out.item() == pytest.approx(6.0) and w.grad.tolist()[0] == pytest.approx([1.28, -0.96])
    assert functional_call(layer, {"weight": w}, td.tensor([1.0, 0.0])).tolist() == [3.0]  # in the place of its value
    assert "weight" not in layer.__dict__ and layer.weight.shape == (1, 2)
    with pytest.raises(RuntimeError, match="functional_call: got nothing for"):
        functional_call(layer, {"weight": w}, td.ones(2), strict=True)


def test_functional_call_shows_what_the_module_puts_in_the_place_of_a_buffer():
    class Counter(td.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("count", td.zeros(()))

        def forward(self):
            self.count = self.count + 1

    counter, state = Counter(), {"count": td.tensor(5.0)}
    functional_call(counter, state)
    assert state["count"].item() == 6.0 and counter.count.item() == 0.0
    layer = td.nn.BatchNorm1d(2)
    names = list(layer.state_dict())
    functional_call(layer, {"running_mean": td.ones(2), "weight": td.ones(2)}, td.ones(3, 2))
    assert list(layer.state_dict()) == names


def test_functional_call_leaves_the_module_as_it_was():
    layer = td.nn.Linear(2, 1)
    before = dict(layer.named_parameters())
    given = {"weight": td.ones(1, 2), "bias": td.ones(1)}
    assert functional_call(layer, given, td.tensor([3.0, 4.0])).tolist() == [8.0]
    with pytest.raises(ValueError):
        functional_call(layer, given, td.ones(3))
    assert all(layer.get_parameter(name) is tensor for name, tensor in before.items())
    for name, strict in (("wight", True), ("sub.weight", False)):
        with pytest.raises(
            RuntimeError, match=f"functional_call: got '{name}', expected a parameter or buffer of Linear"
        ):
            functional_call(layer, {**given, name: td.ones(1, 2)}, td.ones(2), strict=strict)
    assert functional_call(layer, {**given, "extra": td.ones(2)}, td.ones(2)).item() == 3.0
    assert functional_call(layer, {**given, "bias": None}, td.ones(2)).item() == 2.0 and not hasattr(layer, "extra")
    with pytest.raises(TypeError, match="got 'forward', which is a method, expected the name of a tensor"):
        functional_call(layer, {"forward": td.ones(2)}, td.ones(2))
    with pytest.raises(RuntimeError, match=r"got nothing for 'bias' with strict=True"):
        functional_call(layer, {"weight": td.ones(1, 2)}, td.ones(2), strict=True)


def test_stacked_models_must_be_alike():
    with pytest.raises(RuntimeError, match="got no models"):
        stack_module_state([])
    with pytest.raises(RuntimeError, match="different classes"):
        stack_module_state([td.nn.Linear(1, 1), td.nn.ReLU()])
    with pytest.raises(RuntimeError, match="differ in shape"):
        stack_module_state([td.nn.Linear(1, 1), td.nn.Linear(2, 1)])


REFUSED = {
    "vmap over nothing": (lambda: vmap(lambda: 1)(), ValueError, "vmap: got no arguments, expected at least one"),
    "no batch": (lambda: vmap(td.sin, in_dims=None)(td.ones(2)), ValueError, "vmap: got no argument with a batch"),
    "batches differ": (lambda: vmap(td.add)(td.ones(2), td.ones(3)), ValueError, "batches of the sizes 2, 3"),
    "no such dim": (lambda: vmap(td.sin, in_dims=2)(td.ones(2)), ValueError, "got dim 2 among in_dims=2 for a tensor"),
    "a number": (lambda: vmap(td.add)(td.ones(2), 3.0), ValueError, "argument of type float, expected None there"),
    "too few in_dims": (lambda: vmap(td.add, (0,))(td.ones(2), td.ones(2)), ValueError, "for 2 arguments"),
    "no tensor": (lambda: vmap(lambda x: 3)(td.ones(2)), ValueError, "got a result of type int"),
    "out_dims": (lambda: vmap(td.sin, out_dims=3)(td.ones(2)), IndexError, "got 3 among out_dims=3"),
    "out_dims None": (lambda: vmap(td.sin, out_dims=None)(td.ones(2)), ValueError, "differs between examples"),
    "randomness": (lambda: vmap(td.sin, randomness="any"), ValueError, "got randomness='any', expected one of"),
    "chunk_size": (lambda: vmap(td.sin, chunk_size=0), ValueError, "got chunk_size=0, expected None"),
    "item": (lambda: vmap(lambda x: x * x.item())(td.ones(2)), RuntimeError, "where numbers are needed"),
    "control flow": (lambda: vmap(lambda x: x if x > 0 else -x)(td.ones(2)), RuntimeError, "use|replace"),
    "a mask": (lambda: vmap(lambda x: x[x > 0])(td.ones(2, 2)), IndexError, "how much a mask picks depends"),
    "writing outside": (lambda: vmap(lambda x: td.zeros(2).add_(x))(td.ones(3, 2)), RuntimeError, "made without"),
    "no scalar": (lambda: grad(td.sin)(td.ones(2)), RuntimeError, r"got a result of shape \(2,\)"),
    "not floating": (lambda: grad(td.sum)(td.ones(2).long()), RuntimeError, "got dtype int64 in argument 0"),
    "argnums": (lambda: grad(td.sin, argnums=1)(td.ones(())), RuntimeError, "expected numbers of the 1 arguments"),
    "form of tangents": (lambda: jvp(td.sin, (td.ones(2),), ([td.ones(2)],)), RuntimeError, "tangents of the form"),
    "shape of tangents": (lambda: jvp(td.sin, (td.ones(2),), (td.ones(3),)), RuntimeError, r"tangent of shape \(3,\)"),
    "no results of jvp": (lambda: jvp(lambda x: (), (td.ones(2),), (td.ones(2),)), RuntimeError, r"jvp: got \(\) from"),
    "no results of vjp": (lambda: vjp(lambda x: None, td.ones(2)), RuntimeError, "vjp: got a result of type NoneType"),
    "no results of linearize": (lambda: linearize(lambda x: [], td.ones(2)), RuntimeError, r"linearize: got \[\] from"),
    "no tuple": (lambda: jvp(td.sin, td.ones(2), td.ones(2)), RuntimeError, "write jvp"),
    "cotangents": (lambda: vjp(td.sin, td.ones(2))[1](td.ones(3)), RuntimeError, r"a cotangent of shape \(3,\)"),
    "requires_grad_": (lambda: vmap(lambda x: x.requires_grad_())(td.ones(2)), RuntimeError, "td.func.grad"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()


def test_a_tensor_that_was_kept_is_of_no_use_outside():
    kept = []
    vmap(lambda x: kept.append(x) or x)(td.ones(2))
    with pytest.raises(RuntimeError, match="made inside vmap, which has ended"):
        kept[0] + 1


def test_writing_into_what_is_made_inside():
    def running(x):
        total = td.zeros_like(x)
        for i in range(len(x)):
            total[i] = x[: i + 1].sum()
        total[0] += 100
        return total

    x = td.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    assert vmap(running)(x).tolist() == [[101.0, 3.0, 6.0], [110.0, 30.0, 60.0]]
    slopes = vmap(jacrev(running))(x)
    assert slopes.tolist() == [np.tri(3).tolist()] * 2
    assert vmap(jacfwd(running))(x).tolist() == slopes.tolist()


def test_tangents_that_are_the_same_for_all_examples_can_be_changed_in_place():
    def squared(x):
        y = x.clone()
        head = y[:1]
        y.mul_(x)
        return head.sum() * x

    x = td.tensor([3.0, 2.0])
    expected = [[27.0, 0.0], [12.0, 9.0]]  # x0^2 x
    assert vmap(jacfwd(squared))(x.unsqueeze(0)).tolist() == [expected]
    assert jvp(jacfwd(squared), (x,), (td.tensor([1.0, 0.0]),))[1].tolist() == [[18.0, 0.0], [4.0, 6.0]]


def test_rules_of_tangents_keep_what_a_change_in_place_overwrites():
    def cubed(x):
        y = x.clone()
        y.mul_(x)
        y.mul_(x)
        return y.sum()

    x = td.tensor([1.0, 2.0])
    assert jvp(grad(cubed), (x,), (td.ones(2),))[1].tolist() == [6.0, 12.0]
    assert grad(lambda x: jvp(cubed, (x,), (td.ones(2),))[1])(x).tolist() == [6.0, 12.0]


def test_a_linear_function_can_be_differentiated_from_outside():
    def product(x):
        value, push = linearize(lambda y: y**3, x)
        return push(td.tensor(1.0)) * value  # 3 x^5

    x = td.tensor(2.0)
    assert grad(product)(x).item() == 240.0
    assert vmap(grad(product))(td.tensor([1.0, 2.0])).tolist() == [15.0, 240.0]
    assert jvp(product, (x,), (td.tensor(1.0),))[1].item() == 240.0
    w = td.tensor(2.0, requires_grad=True)
    product(w).backward()
    assert w.grad.item() == 240.0
    value, push = linearize(lambda y: y**3, x)
    assert not value.requires_grad and not push(x).requires_grad


def test_a_tensor_that_is_its_own_tangent_has_all_second_derivatives():
    x = td.tensor(2.0, requires_grad=True)
    slope = grad(lambda w: w**3)
    # d/dy of the tangent 6 y x of 3 y^2 in the direction x, and of that of 3 y^2 y
    out, pull = vjp(lambda y: jvp(slope, (y,), (x,))[1], x)
    assert out.item() == 24.0 and pull(td.tensor(1.0))[0].item() == 12.0
    out, pull = vjp(lambda y: jvp(lambda z: slope(z) * y, (y,), (x,))[1], x)
    assert out.item() == 48.0 and pull(td.tensor(1.0))[0].item() == 48.0


def test_rules_that_choose_by_values_serve_examples_as_well():
    x = td.tensor([2.0, 0.0, 3.0])
    assert hessian(td.prod)(x).tolist() == [[0.0, 3.0, 0.0], [3.0, 0.0, 2.0], [0.0, 2.0, 0.0]]
    assert hessian(lambda x: td.amax(x) ** 2)(x).tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 2.0]]
    assert hessian(lambda e: td.pow(td.tensor(1.0), e).sum())(x).tolist() == [[0.0] * 3] * 3


def test_forward_mode_of_inference_tensors_records_nothing_and_asks_no_hooks():
    with td.inference_mode():
        x = td.tensor([1.0, 2.0]) * 1
    packed = []
    with td.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t):
        out, tangent = td.func.jvp(lambda x: x.softmax(0) * x, (x,), (td.ones(2),))
    assert not packed and not out.requires_grad and not tangent.requires_grad
    # softmax does not change where all elements grow alike
    np.testing.assert_allclose(tangent.numpy(), out.numpy() / x.numpy(), rtol=1e-6)


def test_forward_mode_of_half_precision_is_that_of_single_precision():
    x = td.tensor([[0.5, -1.0, 2.0]])
    t = td.tensor([[1.0, 0.25, -0.5]])

    def f(x):
        return td.nn.functional.layer_norm(td.nn.functional.gelu(x).softmax(-1), (3,)).logsumexp(-1)

    (out, tangent), (half, half_tangent) = (td.func.jvp(f, (a,), (b,)) for a, b in ((x, t), (x.half(), t.half())))
    assert half.dtype == half_tangent.dtype == td.float16
    np.testing.assert_allclose(half.float().numpy(), out.numpy(), atol=2e-3)
    np.testing.assert_allclose(half_tangent.float().numpy(), tangent.numpy(), atol=2e-2)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.softmax(-1),
        lambda x: x.logsumexp(-1),
        lambda x: td.nn.functional.layer_norm(x, (4,)),
        lambda x: td.sigmoid(x) * 1.0,
        lambda x: td.nn.functional.linear(x, td.ones(2, 4, dtype=x.dtype)),
        lambda x: td.cumprod(x, -1),
        lambda x: td.cat([x, x]).var(-1),
    ],
)
def test_tangents_of_half_precision_are_rounded_once_in_each_operation(function):
    x, t = td.tensor([[6.0, 6.5, -1.0, 0.3]]).half(), td.tensor([[1.0, -0.5, 0.25, 3.0]]).half()
    out, tangent = jvp(function, (x,), (t,))
    assert out.tolist() == function(x).tolist() and tangent.dtype == out.dtype == td.float16
    _, exact = jvp(function, (x.double(),), (t.double(),))
    step = np.spacing(np.abs(exact.numpy()).astype(np.float16))  # between neighbouring numbers
    assert np.all(np.abs(tangent.double().numpy() - exact.numpy()) <= 2 * step)
    slopes = grad(lambda x: jvp(function, (x,), (t,))[1].sum())(x)
    assert slopes.dtype == td.float16 and bool(td.isfinite(slopes).all())
