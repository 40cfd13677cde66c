"""Hooks of tensors, nodes and leaves: what they see, in which order, what they may replace, when they go."""

from __future__ import annotations

import gc
import weakref

import pytest

import tinygrad_dl as td
from tinygrad_dl.core.hooks import running


def leaf(*values):
    return td.tensor([float(v) for v in values] if len(values) != 1 else float(values[0]), requires_grad=True)


def numbers(gradients):
    return tuple(None if g is None else g.tolist() for g in gradients)


def test_the_order_around_a_node():
    log = []
    a = leaf(2)
    b = a * 3
    b.register_hook(lambda g: log.append(("first", g.item())) or g * 2)
    b.retain_grad()
    b.register_hook(lambda g: log.append(("second", g.item())) or g * 10)
    b.grad_fn.register_prehook(lambda gs: log.append(("before", numbers(gs))) or (gs[0] * 100,))
    b.grad_fn.register_hook(lambda inputs, outputs: log.append(("after", numbers(inputs), numbers(outputs))))
    (b * 5).backward()
    assert log == [("first", 5.0), ("second", 10.0), ("before", (100.0,)), ("after", (30000.0, None), (10000.0,))]
    assert b.grad.item() == 100 and a.grad.item() == 30000


def test_the_order_around_a_leaf():
    log = []
    a = leaf(2)
    node = (a * 1).grad_fn.next_functions[0][0]
    a.register_hook(lambda g: log.append(("tensor", g.item())) or g * 2)
    node.register_prehook(lambda gs: log.append(("before", numbers(gs))) or (gs[0] * 100,))
    node.register_hook(lambda inputs, outputs: log.append(("after", inputs, numbers(outputs))))
    a.register_post_accumulate_grad_hook(lambda t: log.append(("accumulated", t.grad.item())))
    (a * 3).backward()
    assert log == [("tensor", 3.0), ("before", (6.0,)), ("accumulated", 600.0), ("after", (), (600.0,))]
    log.clear()
    assert td.autograd.grad(a * 3, a)[0].item() == 6 and log == [("tensor", 3.0)]  # nothing is accumulated
    assert a.grad.item() == 600
    (a * 3).backward(inputs=[a])
    assert a.grad.item() == 1200


def test_hooks_of_a_node_with_several_outputs_see_none_for_those_not_used():
    log = []
    x = leaf(1, 2)
    first, second = x.unbind()
    assert first.grad_fn is second.grad_fn and (first.output_nr, second.output_nr) == (0, 1)
    first.grad_fn.register_prehook(lambda gs: log.append(numbers(gs)))
    first.grad_fn.register_hook(lambda inputs, outputs: log.append((numbers(inputs), numbers(outputs))))
    (second * 2).backward()
    assert log == [(None, 2.0), (([0.0, 2.0],), (None, 2.0))]
    first, second = x.unbind()
    first.grad_fn.register_prehook(lambda gs: (td.tensor(7.0), gs[1]))
    with pytest.raises(RuntimeError, match=r"got a gradient from .* where there was None"):
        (second * 2).backward()


def test_hooks_of_a_node_see_gradients_in_the_shape_of_its_inputs():
    log = []
    x, w = leaf(1, 2, 3), leaf(2)
    y = x * w
    y.grad_fn.register_hook(lambda inputs, outputs: log.append(numbers(inputs)) or (inputs[0], inputs[1] * 10))
    y.sum().backward()
    assert log == [([2.0, 2.0, 2.0], 6.0)] and w.grad.item() == 60


def test_hooks_of_nodes_see_complex_gradients_as_grad_has_them():
    x = td.tensor([1 + 2j], requires_grad=True)
    seen = []
    y = x * td.tensor([3 + 4j])
    y.grad_fn.register_prehook(lambda gs: seen.append(gs[0].item()))
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append(inputs[0].item()))
    y.backward(td.tensor([1 + 1j]))
    assert seen == [1 + 1j, (1 + 1j) * (3 - 4j)] and x.grad.item() == seen[1]


@pytest.mark.parametrize(
    ("register", "error", "text"),
    [
        (lambda y: y.register_hook(lambda g: "a"), TypeError, "got str from .*, expected a tensor or None"),
        (lambda y: y.register_hook(lambda g: td.ones(3)), RuntimeError, r"got shape \(3,\) from .*shape \(2,\)"),
        (lambda y: y.register_hook(lambda g: g.double()), RuntimeError, "got dtype float64 from .*dtype float32"),
        (lambda y: y.grad_fn.register_prehook(lambda gs: gs[0]), TypeError, "got Tensor from .*, expected a tuple"),
        (lambda y: y.grad_fn.register_prehook(lambda gs: (td.ones(3),)), RuntimeError, r"got shape \(3,\)"),
        (lambda y: y.grad_fn.register_hook(lambda a, b: (a[0],)), RuntimeError, "got 1 gradients from .*, expected 2"),
    ],
)
def test_what_hooks_may_not_return(register, error, text):
    x = leaf(1, 2)
    y = x * 2
    register(y)
    with pytest.raises(error, match=text):
        y.sum().backward()
    assert running.passes == [] and td.is_grad_enabled() and x.grad is None


def test_hooks_of_accumulation_must_return_nothing_and_belong_to_leaves():
    x = leaf(1, 2)
    handle = x.register_post_accumulate_grad_hook(lambda t: t.grad)
    with pytest.raises(RuntimeError, match=r"got a value from .*lambda.*, expected None"):
        x.sum().backward()
    handle.remove()
    with pytest.raises(RuntimeError, match=r"computed by <MulBackward0>, expected a leaf"):
        (x * 2).register_post_accumulate_grad_hook(print)
    with pytest.raises(RuntimeError, match="got a tensor that requires no gradient"):
        td.ones(2).register_post_accumulate_grad_hook(print)


def test_a_leaf_is_done_as_soon_as_its_gradient_is_whole():
    log = []
    a, b = leaf(2), leaf(3)
    x = a * 2
    x.register_hook(lambda g: log.append("x"))
    y = x * b * b
    a.register_post_accumulate_grad_hook(lambda t: log.append("a"))
    b.register_post_accumulate_grad_hook(lambda t: log.append(("b", t.grad.item())))
    y.backward()
    assert log == [("b", 24.0), "x", "a"]
    b.grad = None
    b.backward()  # a leaf that is the root
    assert log[-1] == ("b", 1.0) and b.grad.item() == 1


def test_an_optimiser_in_the_backward_pass_frees_each_gradient():
    parameters = [leaf(1), leaf(2), leaf(3)]

    def step(parameter):
        assert not td.is_grad_enabled()
        parameter -= 0.5 * parameter.grad
        parameter.grad = None
        assert sum(p.grad is not None for p in parameters) == 0

    for parameter in parameters:
        parameter.register_post_accumulate_grad_hook(step)
    (parameters[0] * 2 + parameters[1] * 3 + parameters[2] * 4).backward()
    assert [p.item() for p in parameters] == [0.0, 0.5, 1.0]
    assert all(p.grad is None for p in parameters)


def test_hooks_record_with_create_graph_alone():
    modes = []
    x = leaf(3)
    x.register_hook(lambda g: modes.append(td.is_grad_enabled()) or g * x)
    y = x * x
    y.grad_fn.register_hook(lambda inputs, outputs: modes.append(td.is_grad_enabled()))
    (g,) = td.autograd.grad(y, x, create_graph=True)
    assert modes == [True, True] and g.item() == 18
    modes.clear()
    assert td.autograd.grad(g, x)[0].item() == 36  # the hook is there once more: (2 + 2) x is multiplied by x
    y = x * x
    y.grad_fn.register_hook(lambda inputs, outputs: modes.append(td.is_grad_enabled()))
    y.backward()
    assert set(modes) == {False} and not x.grad.requires_grad


def test_hooks_that_are_removed_or_added_meanwhile():
    log = []
    x = leaf(1)
    y = x * 2

    def first(g):
        second_handle.remove()
        y.register_hook(lambda g: log.append("third"))
        log.append("first")

    first_handle = y.register_hook(first)
    second_handle = y.register_hook(lambda g: log.append("second"))
    y.backward(retain_graph=True)
    assert log == ["first", "second"]  # those that were there when the gradient arrived
    first_handle.remove()
    first_handle.remove()
    y.backward()
    assert log == ["first", "second", "third"]


def test_the_same_function_twice_is_two_hooks():
    x = leaf(1)

    def double(g):
        return g * 2

    handles = [x.register_hook(double), x.register_hook(double)]
    x.backward()
    assert x.grad.item() == 4 and handles[0].id != handles[1].id
    handles[0].remove()
    x.grad = None
    x.backward()
    assert x.grad.item() == 2
    with handles[1]:
        pass
    x.grad = None
    x.backward()
    assert x.grad.item() == 1


def test_retains_grad():
    x = leaf(1, 2)
    y = x * 2
    assert not y.retains_grad and not x.retains_grad
    y.retain_grad()
    x.retain_grad()  # of a leaf it is kept anyway
    assert y.retains_grad and not x.retains_grad
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert y.grad.tolist() == [2.0, 2.0] and x.grad.tolist() == [4.0, 4.0]


def test_next_functions_and_names():
    x = leaf(1, 2)
    y = x * 2
    assert y.grad_fn.next_functions == (((y.grad_fn.next_functions[0][0]), 0), (None, 0))
    assert y.grad_fn.next_functions[0][0].variable is x and repr(y.grad_fn) == "<MulBackward0>"
    assert y.grad_fn.next_functions[0][0].next_functions == ()
    first, second = td.stack([x, x]).unbind()
    assert (first * second).grad_fn.next_functions == ((first.grad_fn, 0), (first.grad_fn, 1))
    assert y.output_nr == x.output_nr == td.ones(1).output_nr == 0


def test_metadata_belongs_to_the_node_and_goes_with_it():
    x = leaf(1, 2)
    y = x * 2
    assert y.grad_fn.metadata == {}
    y.grad_fn.metadata["made by"] = "me"
    assert y.grad_fn.metadata == {"made by": "me"} and (x * 2).grad_fn.metadata == {}
    gone = weakref.ref(y.grad_fn)
    del y
    assert gone() is None


def test_hooks_are_freed_with_their_tensor():
    gc.disable()
    try:
        x = leaf(1)
        y = x * 2

        class Hook:
            def __call__(self, g):
                return g * 3

        hook = Hook()
        handle = y.register_hook(hook)
        gone = weakref.ref(hook)
        y.backward()
        assert x.grad.item() == 6
        del hook, y
        assert gone() is None
        handle.remove()
    finally:
        gc.enable()


def test_the_hooks_of_a_node_at_which_a_pass_ends():
    log = []
    a = leaf(1)
    b = a.clone()
    b.register_hook(lambda g: log.append("tensor") or g * 3)
    b.grad_fn.register_prehook(lambda gs: log.append(("before", numbers(gs))) or (gs[0] * 2,))
    b.grad_fn.register_hook(lambda inputs, outputs: log.append(("after", numbers(inputs), numbers(outputs))))
    b.retain_grad()
    (b * 5).backward(inputs=[b])
    assert log == ["tensor", ("before", (15.0,)), ("after", (None,), (30.0,))]
    assert a.grad is None
    log.clear()
    td.autograd.grad(b * 5, b)
    assert log == ["tensor"]
