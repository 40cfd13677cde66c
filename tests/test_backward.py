"""backward() and grad(): right values, shapes and dtypes, misuse explained."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from leaves import leaf

import tinygrad_dl as td
from tinygrad_dl import autograd
from tinygrad_dl.core.graph import topological


def test_gradient_has_the_shape_and_dtype_of_its_input():
    x = td.ones(3, 1, requires_grad=True)
    y = td.ones(2, 3, 4, dtype=td.float64, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.shape == (3, 1) and x.grad.dtype == td.float32
    assert y.grad.shape == (2, 3, 4) and y.grad.dtype == td.float64
    assert x.grad.tolist() == [[8.0], [8.0], [8.0]]


def test_gradients_accumulate_in_grad():
    x = leaf(1, 2)
    for _ in range(3):
        (x * 2).sum().backward()
    assert x.grad.tolist() == [6, 6]


def test_an_input_used_many_times_sums_its_gradients():
    x = leaf(3)
    y = x * x
    (y + y * x + y).sum().backward()
    assert x.grad.tolist() == [2 * 2 * 3 + 3 * 9]


def test_the_same_array_handed_to_two_parents_is_not_changed_for_one_of_them():
    x, y = leaf(1), leaf(1)
    z = x + y  # hands one and the same array to both
    (z + x * 5).sum().backward()
    assert x.grad.tolist() == [6] and y.grad.tolist() == [1]
    x.grad.add_(1)
    assert y.grad.tolist() == [1]


def test_gradients_do_not_share_memory():
    x, y = leaf(1, 2), leaf(1, 2)
    start = td.ones(2)
    (x + y).backward(start)
    assert not np.shares_memory(x.grad.numpy(), y.grad.numpy())
    assert not np.shares_memory(x.grad.numpy(), start.numpy())


def test_backward_with_a_given_gradient():
    x = leaf(1, 2)
    (x * 3).backward(td.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [3, 30]


def test_backward_into_given_inputs_only():
    x, y = leaf(2), leaf(3)
    (x * y).backward(td.ones(1), inputs=[x])
    assert x.grad.tolist() == [3] and y.grad is None


def test_backward_from_several_roots_at_once():
    x = leaf(1, 2)
    autograd.backward([x.sum(), (x * x).sum()])
    assert x.grad.tolist() == [3, 5]


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (lambda: leaf(1, 2).backward(), r"from a scalar only, got shape \(2,\).*sum\(\) or mean\(\)"),
        (lambda: td.tensor(1.0).backward(), "has no graph.*requires_grad=True"),
        (lambda: (leaf(1) * 2).backward(td.ones(3)), r"got a starting gradient of shape \(3,\), expected.* \(1,\)"),
        (lambda: td.tensor([1, 2], requires_grad=True), r"only floating-point.*got dtype int64.*\.float\(\)"),
        (lambda: (leaf(1) * 2).requires_grad_(False), r"detach\(\)"),
        (lambda: td.ones(1).register_hook(lambda g: g), "requires no gradient"),
        (lambda: td.ones(1).retain_grad(), "requires no gradient"),
        (lambda: autograd.grad(leaf(1).sum(), leaf(1)), "input 0 .*was not used.*allow_unused=True"),
        (lambda: autograd.grad(leaf(1).sum(), td.ones(1)), r"does not require a gradient.*requires_grad_\(\)"),
        (lambda: leaf(1).numpy(), r"detach\(\)\.numpy\(\)"),
    ],
)
def test_misuse_is_explained(action, text):
    with pytest.raises(RuntimeError, match=text):
        action()


def test_a_second_backward_explains_itself():
    x = leaf(2)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"second time, .*Mul.*retain_graph=True"):
        y.backward()


def test_retain_graph_allows_a_second_backward():
    x = leaf(2)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [8]


def test_grad_leaves_the_grad_attribute_alone():
    x = leaf(2)
    (g,) = autograd.grad((x * x).sum(), x)
    assert g.tolist() == [4] and x.grad is None


def test_grad_at_a_computed_tensor():
    x = leaf(2)
    y = x * 3
    z = (y * y).sum()
    gy, gx = autograd.grad(z, [y, x])
    assert gy.tolist() == [12] and gx.tolist() == [36]


def test_grad_of_unused_inputs():
    x, y = leaf(1), leaf(1, 2)
    assert autograd.grad(x.sum(), [x, y], allow_unused=True)[1] is None
    zeros = autograd.grad(x.sum(), [x, y], materialize_grads=True)[1]
    assert zeros.tolist() == [0, 0]
    with pytest.raises(
        ValueError, match="got materialize_grads=True with allow_unused=False, expected allow_unused=True"
    ):
        autograd.grad(x.sum(), y, allow_unused=False, materialize_grads=True)


def test_grad_runs_only_the_rules_on_the_way_to_its_inputs():
    ran = []

    class Watched(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            ran.append(True)
            return g

    x, y = leaf(1), leaf(2)
    watched = Watched.apply(x)
    autograd.grad((watched * y).sum(), y)
    autograd.grad((watched * y).sum(), watched)
    assert not ran


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("create_graph", [False, True])
def test_grad_runs_only_the_rules_of_the_inputs_that_lead_there(registry, joint, create_graph):
    ran = []

    @td.op(method=False, aux={"double": lambda a: ran.append("derived") or a * 2})
    def weighted(a, b):
        return a * b, a * 2

    if joint:

        @weighted.joint_vjp("a", "b")
        def both(g, a, b, needs):
            ran.append(needs)
            return g * b if needs[0] else None, g * a if needs[1] else None
    else:
        weighted.vjp(
            a=lambda g, b: ran.append("a") or g * b,
            b=lambda g, double: ran.append("b") or g * double / 2,
        )

    a, b, c = leaf(2), leaf(3), leaf(5)
    (g,) = autograd.grad(weighted(a * c, b), c, create_graph=create_graph)
    assert g.item() == 6 and g.requires_grad == create_graph
    assert ran == ([(True, False)] if joint else ["a"])
    ran.clear()
    assert [each.item() for each in autograd.grad(weighted(a * c, b), [c, b])] == [6, 10]
    assert ran == ([(True, True)] if joint else ["a", "b"])
    weighted(a, b).backward(inputs=[b])
    assert a.grad is None and b.grad.item() == 2


def test_grad_asks_no_rule_for_what_does_not_lead_to_its_inputs():
    ran = []

    @td.op(method=False)
    def scaled(a, b):
        return a * b

    del td.op.registry[scaled.op.key]
    scaled.vjp(a=lambda g, b: g * b, b=lambda g, a: ran.append("b") or g * a)
    a, b = leaf(2), leaf(3)
    (g,) = autograd.grad(scaled(a * a, b), a)
    assert g.item() == 12 and not ran


def test_third_order():
    x = leaf(2, dtype="float64")
    g = (x**4).sum()
    for expected in (32, 48, 48, 24):
        (g,) = autograd.grad(g.sum(), x, create_graph=True)
        assert g.tolist() == [expected]


def test_create_graph_gradients_are_bitwise_those_of_the_array_pass():
    rng = np.random.default_rng(0)
    x = td.tensor(rng.standard_normal((3, 4)), requires_grad=True)
    w = td.tensor(rng.standard_normal((4, 5)), requires_grad=True)

    def loss():
        return ((x @ w).tanh().exp() / 3).sum()

    plain = autograd.grad(loss(), [x, w])
    recorded = autograd.grad(loss(), [x, w], create_graph=True)
    for a, b in zip(plain, recorded, strict=True):
        assert np.array_equal(a.numpy(), b.detach().numpy())


def test_backward_with_create_graph_accumulates_a_differentiable_gradient():
    x = leaf(3)
    (x**3).sum().backward(create_graph=True)
    g, x.grad = x.grad, None
    g.sum().backward()
    assert x.grad.tolist() == [18]


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (td.ones(3), RuntimeError, r"expected a gradient of the tensor's shape \(2,\) .* got shape \(3,\)"),
        (td.ones(1, 2), RuntimeError, r"shape \(2,\) .* got shape \(1, 2\)"),
        (td.ones(2, dtype=td.int64), RuntimeError, "float32, got .* int64"),
        (td.ones(2, dtype=td.float64), RuntimeError, "float32, got .* float64"),
        (np.ones(2, np.float32), TypeError, "expected a tensor or None, got ndarray"),
        ([1.0, 2.0], TypeError, "got list"),
        (1.0, TypeError, "got float"),
    ],
)
def test_grad_takes_tensors_of_the_same_shape_and_dtype_alone(value, error, text):
    x = leaf(1, 2)
    x.grad = td.tensor([5.0, 6.0])
    with pytest.raises(error, match=text):
        x.grad = value
    with pytest.raises(RuntimeError, match="got the tensor itself, expected another"):
        x.grad = x
    assert x.grad.tolist() == [5, 6]
    x.grad = None
    assert x.grad is None
    x.grad = td.zeros(2)
    del x.grad
    assert x.grad is None


def test_the_grad_of_a_computed_tensor_warns_unless_it_is_kept():
    y = leaf(1, 2) * 2
    with pytest.warns(UserWarning, match=r"retain_grad\(\)"):
        assert y.grad is None
    y.retain_grad()
    assert y.grad is None
    y.sum().backward()
    assert y.grad.tolist() == [1, 1]


def test_a_complex_scalar_starts_no_gradient_by_itself():
    z = td.tensor(1 + 2j, requires_grad=True)
    for action in (lambda: (z * 2).backward(), lambda: autograd.grad(z * 2, z)):
        with pytest.raises(RuntimeError, match="from a real scalar only, got dtype complex64"):
            action()
    with pytest.raises(RuntimeError, match="got a starting gradient of float32, expected the tensor's complex64"):
        (z * 2).backward(td.tensor(1.0))
    (z * 2).backward(td.tensor(1 + 0j))
    assert z.grad.item() == 2
    (z * z.conj()).real.backward()
    assert z.grad.item() == 2 + (2 + 4j)


def test_empty_inputs_are_refused():
    with pytest.raises(RuntimeError, match="got no inputs, expected at least one tensor"):
        autograd.grad(leaf(1).sum(), [])


def test_zeros_in_place_of_unused_gradients_can_be_differentiated_again():
    x, y = leaf(0.5), leaf(1.0)
    (first,) = autograd.grad(x * y, x, create_graph=True)
    (second,) = autograd.grad(first, x, create_graph=True, materialize_grads=True)
    (third,) = autograd.grad(second, x, materialize_grads=True)
    assert (first.item(), second.item(), third.item()) == (1, 0, 0)


def test_only_inputs_is_accepted():
    x = leaf(1, 2)
    assert autograd.grad(x.sum(), x, only_inputs=True)[0].tolist() == [1, 1]
    with pytest.warns(FutureWarning, match="only_inputs=False is ignored"):
        autograd.grad(x.sum(), x, only_inputs=False)


def test_changes_through_data_pass_and_those_through_detach_do_not():
    def after(change):
        w = leaf(1, 2)
        y = (w * w).sum()
        change(w)
        y.backward()
        return w.grad.tolist()

    def index(w):
        w.data[1] = 5.0

    def view_of_it(w):
        w.data.reshape(2, 1)[1:].fill_(5.0)

    def add(w):
        for _ in range(3):
            w.data += 1

    assert after(index) == [2, 10] and after(view_of_it) == [2, 10] and after(add) == [8, 10]
    with pytest.raises(RuntimeError, match="changed in place afterwards"):
        after(lambda w: w.detach().fill_(0))
    with pytest.raises(RuntimeError, match="changed in place afterwards"):
        after(lambda w: td.nn.init.zeros_(w))


def test_changes_of_data_itself_are_noticed_where_it_was_used():
    x = leaf(1, 1)
    data = leaf(1, 2).data
    y = (data * x).sum()
    data.mul_(2)
    with pytest.raises(RuntimeError, match="changed in place afterwards, by mul_"):
        y.backward()


@pytest.mark.parametrize("dtype", [td.float16, td.float64, td.complex64])
def test_data_is_the_same_memory_whatever_the_layout(dtype):
    for whole in (td.ones(2, 3, dtype=dtype), td.ones(3, dtype=dtype), td.ones((), dtype=dtype), td.ones(0, 2)):
        for t in (whole, whole.T if whole.ndim == 2 else whole, whole[..., ::2] if whole.ndim else whole):
            assert t.data.shape == t.shape and t.data.stride() == t.stride() and t.data.data_ptr() == t.data_ptr()


def test_data_of_a_tensor_that_requires_a_gradient_stays_differentiable():
    x = leaf(1, 2)
    with pytest.raises(
        RuntimeError, match="got dtype int64, expected a floating or complex one, as the tensor requires a"
    ):
        x.data = td.tensor([1, 2])
    assert x.tolist() == [1, 2] and x.dtype == td.float32
    x.requires_grad_(False).data = td.tensor([3, 4])
    assert x.tolist() == [3, 4]


def test_arrays_of_tensors_that_require_a_gradient_are_given_under_no_grad():
    x = leaf(1, 2)
    with td.no_grad():
        assert x.numpy() is x._data and np.asarray(x).tolist() == [1, 2] and (x * 2).numpy().tolist() == [2, 4]
    with pytest.raises(
        RuntimeError, match="got a tensor that requires a gradient, expected one that does not, as an array"
    ):
        x.numpy()


def test_a_root_given_twice_counts_twice():
    x = leaf(3)
    y = x * 2
    td.autograd.backward([y, y], [td.ones(1), td.ones(1)])
    assert x.grad.tolist() == [4]


def test_recorded_passes_add_up_and_can_be_differentiated_again():
    x = leaf(2)
    for _ in range(2):
        (x**3).backward(td.ones(1), create_graph=True)
    assert x.grad.tolist() == [24]
    assert td.autograd.grad(x.grad, x)[0].tolist() == [24]


def test_each_node_is_visited_once_however_many_ways_lead_to_it():
    y = leaf(1)
    for _ in range(12):
        y = y * y
    places = topological([y._edge])
    assert len(places) == 13 and places[-1].name() == "AccumulateGrad"
    assert [place.seq for place in places] == sorted((place.seq for place in places), reverse=True)


def test_an_output_that_is_used_and_saved_gets_both_gradients():
    class Pair(NamedTuple):
        grown: Any
        doubled: Any

    @td.op(outputs=Pair)
    def pair(x):
        return np.exp(x), x * 2

    pair.vjp(x=lambda g, grown: g[0] * grown + g[1] * 2)
    try:
        x = leaf(0.5, dtype="float64")
        out = pair(x)
        (g,) = td.autograd.grad(out.grown, x, td.ones(1, dtype=td.float64), create_graph=True)
        (g * out.grown + out.doubled).sum().backward()  # e**2x + 2x
        assert x.grad.item() == pytest.approx(2 * np.exp(1.0) + 2)
    finally:
        del td.op.registry[pair.op.key]


def test_rules_of_half_precision_compute_in_single():
    x = td.ones(70000, dtype=td.float16, requires_grad=True)
    x.mean().backward()  # the number of elements is infinite in float16
    assert x.grad[0].item() == np.float16(1 / 70000)


def test_sums_of_0d_gradients_are_arrays():
    x = td.tensor(2.0, requires_grad=True)
    y = x.masked_fill(td.tensor(False), 0.0)  # whose rule writes into a copy of its gradient
    (g,) = td.autograd.grad([y, y], x, [td.tensor(0.5), td.tensor(1.5)])
    assert g.item() == 2.0
    z = x.masked_fill(td.tensor(False), 0.0)
    (z.clone() + z).backward()
    assert x.grad.item() == 2.0


def test_a_batch_of_starting_gradients():
    x = td.tensor([1.0, 2.0, 3.0], requires_grad=True)
    unused = td.ones(2, requires_grad=True)
    y, z = x * x, x.sum()
    rows = td.autograd.grad(y, x, td.eye(3), retain_graph=True, is_grads_batched=True)[0]
    assert rows.tolist() == [[2.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 6.0]]
    found = td.autograd.grad([y, z], [x, unused], [td.ones(2, 3), td.tensor([0.0, 10.0])], True, allow_unused=True,
                             is_grads_batched=True)  # fmt: skip
    assert found[0].tolist() == [[2.0, 4.0, 6.0], [12.0, 14.0, 16.0]] and found[1] is None
    with pytest.raises(ValueError, match="with is_grads_batched=True, expected a tensor for each output"):
        td.autograd.grad(z, x, is_grads_batched=True)


def test_variables_are_tensors():
    data = td.ones(2)
    x = td.autograd.Variable(data, requires_grad=True)
    assert isinstance(x, td.autograd.Variable) and isinstance(data, td.autograd.Variable) and type(x) is td.Tensor
    assert x.requires_grad and not td.autograd.Variable(x).requires_grad
    data[0] = 5.0
    assert x.tolist() == [5.0, 1.0]
    with pytest.raises(TypeError, match="Variable: got list, expected a tensor"):
        td.autograd.Variable([1.0])
    td.autograd.set_multithreading_enabled(True)
    with td.autograd.set_multithreading_enabled(False):
        (x * x).sum().backward()
    assert x.grad.tolist() == [10.0, 2.0]


def test_whether_several_threads_are_allowed_is_remembered():
    allowed = td.autograd.is_multithreading_enabled
    assert allowed()
    with td.autograd.set_multithreading_enabled(False):
        assert not allowed()
        td.autograd.set_multithreading_enabled(True)
        assert allowed()
    assert allowed()
    td.autograd.set_multithreading_enabled(False)
    assert not allowed()
    td.autograd.set_multithreading_enabled(True)
    assert allowed()


@pytest.mark.parametrize("gradient", [3.0, 1, [1.0], np.ones(()), "1"], ids=repr)
def test_a_starting_gradient_is_a_tensor(gradient):
    y = td.ones(3, requires_grad=True).sum()
    with pytest.raises(TypeError, match=r"backward: got gradient=.*, expected a tensor of shape \(\)"):
        y.backward(gradient)
    with pytest.raises(TypeError, match=r"grad: got gradient="):
        td.autograd.grad(y * 2, y, gradient)


def test_zeros_are_made_at_tensors_alone():
    from tinygrad_dl.autograd.graph import get_gradient_edge

    x, y = td.ones(2, requires_grad=True), td.ones(3, requires_grad=True)
    assert td.autograd.grad(x.sum(), [x, y], materialize_grads=True)[1].tolist() == [0.0, 0.0, 0.0]
    assert td.autograd.grad(x.sum(), [get_gradient_edge(x), y], materialize_grads=True)[0].tolist() == [1.0, 1.0]
    with pytest.raises(RuntimeError, match="got materialize_grads=True and a GradientEdge as input 1"):
        td.autograd.grad(x.sum(), [x, get_gradient_edge(y)], materialize_grads=True)


def test_gradients_of_what_was_frozen_meanwhile():
    p = td.ones(2, requires_grad=True)
    seen = []
    p.register_hook(lambda g: seen.append(g.tolist()))
    loss, other = (p * 3).sum(), (p * 5).sum()
    p.requires_grad_(False)
    other.backward()
    assert p.grad is None
    p.requires_grad_(True)
    (p * 2 + loss).sum().backward(retain_graph=True)
    assert p.grad.tolist() == [8.0, 8.0] and seen[-1] == [8.0, 8.0]
    assert td.autograd.grad(loss, p)[0].tolist() == [3.0, 3.0]


def test_what_was_frozen_and_has_another_dtype_begins_anew():
    p = td.nn.Parameter(td.ones(2))
    p.requires_grad_(False)
    p.data = p.data.double()
    p.requires_grad_(True)
    (p * 4).sum().backward()
    assert p.grad.dtype == td.float64 and p.grad.tolist() == [4.0, 4.0]
    assert td.autograd.grad((p * p).sum(), p)[0].dtype == td.float64
