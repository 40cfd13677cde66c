"""`autograd.graph`: hooks on saved tensors, edges, hooks on several gradients, changes of saved tensors."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.autograd import graph
from tinygrad_dl.autograd.saved import active
from tinygrad_dl.core.graph import Node, observers


def leaf(*values):
    return td.tensor([float(v) for v in values], requires_grad=True)


def keep(tensor):
    return tensor


@pytest.fixture(autouse=True)
def nothing_is_left_on():
    yield
    assert active.pairs == [] and active.disabled is None
    assert not observers.recorders and "__init__" not in vars(Node)


def test_saved_tensors_are_packed_once_and_unpacked_when_read():
    log = []

    def pack(t):
        log.append(("pack", t.tolist(), t.requires_grad, td.is_grad_enabled()))
        return t.numpy() * 1

    def unpack(array):
        log.append(("unpack", array.tolist()))
        return td.from_numpy(array * 10)

    x = leaf(1, 2)
    with graph.saved_tensors_hooks(pack, unpack):
        y = x.square()
        z = (y + x) * 3  # adds nothing; the number is kept as it is
    assert log == [("pack", [1.0, 2.0], False, False)]
    z.sum().backward()
    assert log[1:] == [("unpack", [1.0, 2.0])]
    assert x.grad.tolist() == [3 * (20 + 1), 3 * (40 + 1)]
    assert type((x * x)._edge) is Node  # outside nothing is packed


def test_nothing_is_on_before_and_after():
    def off():
        return not active.pairs and not observers.recorders and "__init__" not in vars(Node)

    assert off()
    with graph.save_on_cpu():
        with graph.save_on_cpu():
            assert len(active.pairs) == 2 and "__init__" in vars(Node)
        assert len(active.pairs) == 1 and "__init__" in vars(Node)
        assert type(leaf(1).exp()._edge) is not Node
    assert off() and type(leaf(1).exp()._edge) is Node


def test_second_order_unpacks_once_for_each_pass():
    reads = []
    x = leaf(3)
    with graph.saved_tensors_hooks(keep, lambda t: reads.append(1) or t):
        y = x**3
    (g,) = td.autograd.grad(y, x, create_graph=True)
    assert len(reads) == 1
    assert g.item() == 27 and td.autograd.grad(g, x)[0].item() == 18


def test_the_innermost_hooks_are_used_and_each_thread_has_its_own():
    used = []
    with graph.saved_tensors_hooks(lambda t: used.append("outer") or t, keep):
        leaf(1).exp()
        with graph.saved_tensors_hooks(lambda t: used.append("inner") or t, keep):
            leaf(1).exp()
            thread = threading.Thread(target=lambda: leaf(1).exp())
            thread.start()
            thread.join()
        leaf(1).exp()
    assert used == ["outer", "inner", "outer"]


def test_values_in_lists_and_of_layers_are_packed():
    td.manual_seed(0)
    layer = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3))
    x = td.randn(4, 1, 6, 6)
    loss = (layer(x) ** 2).sum() + td.cat([p.reshape(-1) for p in layer.parameters()]).prod()
    loss.backward()
    expected = [p.grad.numpy() for p in layer.parameters()]
    layer.zero_grad()
    with graph.saved_tensors_hooks(lambda t: t.numpy().tobytes(), None) as nothing:
        assert nothing is None
    shapes = []

    def pack(t):
        shapes.append(t.shape)
        return t.numpy().copy()

    with graph.saved_tensors_hooks(pack, td.from_numpy):
        loss = (layer(x) ** 2).sum() + td.cat([p.reshape(-1) for p in layer.parameters()]).prod()
    assert len(shapes) > 5
    loss.backward()
    for got, right in zip(layer.parameters(), expected, strict=True):
        np.testing.assert_allclose(got.grad.numpy(), right, rtol=1e-5, atol=1e-6)


def test_functions_save_through_the_hooks_too():
    class Cube(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x**3
            ctx.save_for_backward(x, y, None)
            return y

        @staticmethod
        def backward(ctx, g):
            x, y, nothing = ctx.saved_tensors
            assert nothing is None
            return 3 * g * y / x

    x = leaf(2)
    with graph.saved_tensors_hooks(lambda t: t.item(), lambda number: td.tensor([number])):
        y = Cube.apply(x)
    (g,) = td.autograd.grad(y, x, create_graph=True)
    assert g.item() == 12 and td.autograd.grad(g, x)[0].item() == 12


def test_what_is_packed_keeps_nothing_alive():
    x = leaf(*[0.5] * 1000)
    with graph.saved_tensors_hooks(lambda t: t.shape, lambda shape: td.ones(shape)):
        y = x.exp()
    assert y.grad_fn.nbytes == 0
    y.sum().backward()
    assert x.grad.tolist() == [1.0] * 1000
    with pytest.raises(RuntimeError, match="for a second time"):
        y.sum().backward()


def test_errors_of_the_hooks():
    x = leaf(1, 2)

    def change(t):
        t.add_(1)

    with graph.saved_tensors_hooks(change, keep), pytest.raises(RuntimeError, match="changed its argument in place"):
        x.exp()
    with graph.saved_tensors_hooks(keep, lambda t: "text"):
        y = x.exp()
    with pytest.raises(TypeError, match="got str from the unpack hook, expected a tensor"):
        y.sum().backward()

    def fail(t):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"), graph.saved_tensors_hooks(fail, keep):
        x.exp()


def test_save_on_cpu_and_disabling():
    x = leaf(1, 2)
    with graph.save_on_cpu(pin_memory=True):
        y = (x * x).sum()
    y.backward()
    assert x.grad.tolist() == [2.0, 4.0]
    with graph.disable_saved_tensors_hooks("outer"):
        with graph.disable_saved_tensors_hooks("inner"), pytest.raises(RuntimeError, match="inner"):
            graph.save_on_cpu().__enter__()
        with pytest.raises(RuntimeError, match="outer"):
            graph.save_on_cpu().__enter__()
    with graph.save_on_cpu(), pytest.raises(RuntimeError, match="late"):
        graph.disable_saved_tensors_hooks("late").__enter__()


def test_saved_values_of_a_node_by_name():
    x, w = leaf(1, 2), leaf(3, 4)
    y = x * w
    assert y.grad_fn._saved_self.tolist() == [1.0, 2.0] and y.grad_fn._saved_other.tolist() == [3.0, 4.0]
    assert y.grad_fn._saved_input.requires_grad
    z = y.exp()
    assert z.grad_fn._saved_result.tolist() == z.tolist()
    with pytest.raises(AttributeError, match="has no attribute '_saved_weight'"):
        _ = y.grad_fn._saved_weight
    assert not hasattr(y.grad_fn, "weight")
    z.sum().backward()
    with pytest.raises(RuntimeError, match="saved values the first pass has freed"):
        _ = z.grad_fn._saved_result


def test_hooks_on_one_saved_value():
    x, w = leaf(1, 2), leaf(3, 4)
    y = x * w
    y.grad_fn._raw_saved_other.register_hooks(lambda t: t.tolist(), lambda values: td.tensor(values) * 10)
    with pytest.raises(RuntimeError, match="has hooks already"):
        y.grad_fn._raw_saved_other.register_hooks(keep, keep)
    y.sum().backward()
    assert x.grad.tolist() == [30.0, 40.0] and w.grad.tolist() == [1.0, 2.0]


def test_the_ctx_of_a_function_is_reached_through_its_node():
    class Scale(td.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.save_for_backward(x)
            ctx.factor = factor
            return x * factor

        @staticmethod
        def backward(ctx, g):
            return g * ctx.factor, None

    x = leaf(1, 2)
    y = Scale.apply(x, 5)
    assert y.grad_fn.factor == 5 and y.grad_fn.name() == "ScaleBackward"
    assert y.grad_fn.saved_tensors[0] is x
    y.sum().backward()
    with pytest.raises(RuntimeError, match="freed"):
        _ = y.grad_fn.saved_tensors


# -- edges -------------------------------------------------------------------------------------------


def test_edges_stand_for_tensors():
    x = leaf(1, 2)
    y = x * 3
    edge = graph.get_gradient_edge(y)
    assert (edge.node, edge.output_nr) == (y.grad_fn, 0) and edge == graph.get_gradient_edge(y)
    assert isinstance(edge.node, graph.Node) and isinstance(graph.get_gradient_edge(x).node, graph.Node)
    z = (y * y).sum()
    assert td.autograd.grad(z, edge, retain_graph=True)[0].tolist() == [6.0, 12.0]
    assert td.autograd.grad(z, [x, edge], retain_graph=True)[0].tolist() == [18.0, 36.0]
    td.autograd.backward(z, inputs=graph.get_gradient_edge(x), retain_graph=True)
    assert x.grad.tolist() == [18.0, 36.0]
    end = graph.get_gradient_edge(z)
    del z
    assert td.autograd.grad(end, x)[0].tolist() == [18.0, 36.0]


def test_edges_of_one_of_several_outputs():
    x = leaf(1, 2)
    first, second = (x * 2).unbind()
    edges = graph.get_gradient_edge(first), graph.get_gradient_edge(second)
    assert [e.output_nr for e in edges] == [0, 1] and edges[0].node is edges[1].node
    assert [g.item() for g in td.autograd.grad(first * second, edges)] == [4.0, 2.0]
    with pytest.raises(RuntimeError, match="take the edge from the tensor"):
        td.autograd.grad(first, graph.GradientEdge(second.grad_fn, 1))
    with pytest.raises(RuntimeError, match="got a tensor that requires no gradient"):
        graph.get_gradient_edge(td.ones(2))
    with pytest.raises(TypeError, match="expected a tensor or a GradientEdge"):
        td.autograd.grad(first, ["x"])
    with pytest.raises(TypeError):
        graph.Node()


# -- several gradients ---------------------------------------------------------------------------------


def test_a_hook_on_several_gradients():
    log = []
    a, b, c = leaf(2), leaf(3), leaf(4)
    y = a * b
    handle = graph.register_multi_grad_hook(
        [a, b, c, y], lambda gs: log.append([None if g is None else g.item() for g in gs])
    )
    (y * 5).backward(retain_graph=True)
    assert log == [[15.0, 10.0, None, 5.0]]
    (y * 5).backward(inputs=[b])
    assert log[1:] == [[None, 10.0, None, 5.0]]
    handle.remove()
    (a * b).backward()
    assert len(log) == 2
    with graph.register_multi_grad_hook([a], log.append, mode="any"):
        (a * b).backward()
    assert len(log) == 3 and log[2].item() == 3
    with pytest.raises(ValueError, match="expected mode 'all' or 'any', got 'some'"):
        graph.register_multi_grad_hook([a], log.append, mode="some")


def test_the_first_of_several_gradients():
    log = []
    a = leaf(2)
    b = a * 3
    c = b * 5
    graph.register_multi_grad_hook((a, b, c), lambda g: log.append(g.item()), mode="any")
    c.backward(retain_graph=True)
    c.backward()
    assert log == [1.0, 1.0]


# -- changes of saved tensors ----------------------------------------------------------------------------


def test_saved_tensors_may_be_changed_inside_the_context():
    x = leaf(1, 2)
    y = x.clone()
    z = (y**2).sum()
    y.zero_()
    with pytest.raises(RuntimeError, match="changed in place"):
        z.backward()
    with graph.allow_mutation_on_saved_tensors() as context:
        y = x.clone()
        a, b = (y**2).sum(), (y**2).sum()
        y.zero_()
        assert len(context.cloned) == 1  # one copy for both
        y.zero_()
        assert len(context.cloned) == 1
        (a + b).backward()
        assert len(context.cloned) == 0
        assert x.grad.tolist() == [4.0, 8.0]
        with pytest.raises(RuntimeError, match="one inside another"):
            graph.allow_mutation_on_saved_tensors().__enter__()
        late = (x**2).sum()
    with pytest.raises(RuntimeError, match="inside the same `with` block"):
        late.backward()


def test_stores_by_index_are_changes_too():
    x, w = leaf(1, 2), td.tensor([3.0, 4.0])
    with graph.allow_mutation_on_saved_tensors() as context:
        y = (x * w).sum()
        w[0] = 100.0
        assert len(context.cloned) == 1
        y.backward()
    assert x.grad.tolist() == [3.0, 4.0] and w.tolist() == [100.0, 4.0]


def test_an_operation_that_reads_what_it_overwrites_packs_a_copy():
    x = leaf(0.5, 1)
    with graph.saved_tensors_hooks(keep, keep):
        y = x.clone()
        y.sin_()
        y.mul_(y)
    y.sum().backward()
    assert x.grad.tolist() == pytest.approx((2 * np.sin([0.5, 1.0]) * np.cos([0.5, 1.0])).tolist())


def test_nothing_is_copied_that_no_graph_needs():
    with graph.allow_mutation_on_saved_tensors() as context:
        y = leaf(1, 2).clone()
        z = (y**2).sum()
        z.backward()
        y.zero_()
        assert len(context.cloned) == 0


def test_increment_version_says_that_memory_was_changed():
    x, w = leaf(1, 2), td.tensor([3.0, 4.0])
    y = (x * w).sum()
    w.numpy()[0] = 100.0
    graph.increment_version(w)
    with pytest.raises(
        RuntimeError, match=r"changed in place afterwards, by increment_version at .*test_saved_tensors"
    ):
        y.backward()
    y = (x * w).sum()
    graph.increment_version([x, w])
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


def test_what_a_function_saves_one_by_one():
    class Double(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x, None)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = leaf(3, 5)
    y = Double.apply(x)
    saved = y.grad_fn._raw_saved_tensors
    assert len(saved) == 2 and all(isinstance(each, td.autograd.SavedTensor) for each in saved)
    with pytest.raises(RuntimeError, match="register_hooks: got NoneType, expected a saved tensor"):
        saved[1].register_hooks(keep, keep)
    with pytest.raises(TypeError, match="register_hooks: got int as a hook, expected a function"):
        saved[0].register_hooks(1, keep)
    saved[0].register_hooks(lambda t: t.tolist(), lambda values: td.tensor(values) * 10)
    with pytest.raises(RuntimeError, match="that has hooks already"):
        saved[0].register_hooks(keep, keep)
    y.sum().backward()
    assert x.grad.tolist() == [30.0, 50.0]
    with pytest.raises(RuntimeError, match="for a second time"):
        y.grad_fn._raw_saved_tensors  # noqa: B018
    with pytest.raises(RuntimeError, match="SavedTensor: got a call"):
        td.autograd.SavedTensor()


def test_a_node_can_be_called():
    x, y = leaf(3, 5), leaf(2, 2)
    node = (x * y).grad_fn
    gx, gy = node(td.tensor([1.0, 10.0]))
    assert gx.tolist() == [2.0, 20.0] and gy.tolist() == [3.0, 50.0] and not gx.requires_grad
    start = leaf(1, 1)
    again, _ = node(start)
    again.sum().backward()
    assert start.grad.tolist() == [2.0, 2.0] and y.grad.tolist() == [1.0, 1.0]
    assert (x * 2).grad_fn(td.ones(2))[0].tolist() == [2.0, 2.0] and x.exp().grad_fn(td.zeros(2)).tolist() == [0.0, 0.0]
    for wrong in [(), (td.ones(2), td.ones(2)), (1.0,)]:
        with pytest.raises(
            TypeError, match=r"<MulBackward0>: got \d arguments, expected 1: the gradient of each output"
        ):
            node(*wrong)
