"""`viz.trace`: the numbers of `backward()`, formulas that are true, local derivatives, and nothing changed."""

from __future__ import annotations

import gc
import json
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inplace_programs import Copying, Direct, Lockstep, programs
from test_random_graphs import SHAPE, build, steps

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn import functional as F
from tinygrad_dl.utils.checkpoint import checkpoint
from tinygrad_dl.viz.known.recording import place_of


def leaf(*values, dtype=td.float64):
    return td.tensor(values, dtype=dtype, requires_grad=True)


def two_layers():
    """The smallest network with a fork: w2 is in the loss and in a penalty."""
    x, t = td.tensor([[0.5, -1.0], [1.5, 2.0]]), td.tensor([[1.0], [0.0]])
    w1 = td.tensor([[0.1, -0.2], [0.4, 0.5]], requires_grad=True)
    w2 = td.tensor([[0.7], [-0.8]], requires_grad=True)
    with td.viz.recording():
        h = (x @ w1).relu()
        y = h @ w2
        loss = ((y - t) ** 2).mean() + (w2 * 0.1).sum()
    return loss, {"x": x, "t": t, "w1": w1, "w2": w2, "h": h, "y": y, "loss": loss}


# -- the numbers ---------------------------------------------------------------------------------


@given(steps, st.integers(0, 2**16), st.booleans())
@settings(max_examples=40)
def test_gradients_are_those_of_backward_bit_for_bit(program, seed, recorded):
    rng = np.random.default_rng(seed)
    leaves = [td.tensor(rng.uniform(-1, 1, SHAPE).astype(np.float32), requires_grad=True) for _ in range(3)]
    with td.viz.recording(values=recorded):
        root = build(program, leaves, 0)[-1] * 1.0
    start = td.tensor(rng.uniform(-1, 1, SHAPE).astype(np.float32))
    names = {f"leaf{i}": each for i, each in enumerate(leaves)}
    found = td.viz.trace(root, start, names)
    again = td.viz.trace(root, start, names)
    assert all(each.grad is None for each in leaves)
    root.backward(start)
    for each in found.leaves:
        assert np.array_equal(each.grad._data, names[each.name].grad._data, equal_nan=True)
        assert each.gradient.array.tobytes() == names[each.name].grad.numpy().tobytes()
    assert {each.name for each in found.leaves} == {name for name, t in names.items() if t.grad is not None}
    for step, other in zip(found.steps, again.steps, strict=True):
        assert step.rules == other.rules and step.inputs == other.inputs
        for one, two in zip(step.incoming, other.incoming, strict=True):
            assert one.array.tobytes() == two.array.tobytes()
    for step in found.steps:  # what arrives is what was sent
        sent = [s.outgoing[i.argument] for s in found.steps for i in s.inputs if i.origin == step.number]
        if step.number > 1:
            total = sum(each.array.astype(np.float64) for each in sent)
            np.testing.assert_allclose(step.incoming[0].array, total, rtol=1e-4, atol=1e-5)
            assert len(step.sums) == (len(sent) > 1)


class Traced(Lockstep):
    """Runs a program with views, in-place changes and hooks, and compares a trace of its end with `grad`."""

    def backward(self):
        machine = self.machines[0]
        ends = [each for each in machine.variables if each.requires_grad]
        loss = sum((each * 0.5).sum() for each in ends)
        if not ends:
            return
        before = [each.grad for each in machine.leaves]
        try:
            found = td.viz.trace(loss)
        except RuntimeError as error:
            with pytest.raises(RuntimeError, match="in place afterwards"):
                loss.backward()
            assert "in place afterwards" in str(error)
            return
        assert all(each.grad is grad for each, grad in zip(machine.leaves, before, strict=True))
        expected = td.autograd.grad(loss, machine.leaves, allow_unused=True)
        grads = {each.edge: each.grad for each in found.leaves}
        for each, gradient in zip(machine.leaves, expected, strict=True):
            grad = grads.get(each._edge)
            assert (grad is None) == (gradient is None)
            assert grad is None or grad.numpy().tobytes() == gradient.numpy().tobytes()
        assert all(place_of(step.node) is not None for step in found.steps)


@given(programs)
@settings(max_examples=50)
def test_programs_with_views_in_place_changes_and_hooks(program):
    with td.viz.recording():
        Traced(Direct(td), Copying()).run(program)


def test_hooks_count_and_nothing_is_left_behind():
    x = leaf(1.0, 2.0)
    y = x * 3
    y.retain_grad()
    y.register_hook(lambda g: g * 2)
    y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] + 1, *inputs[1:]))
    y.grad_fn.register_prehook(lambda outputs: (outputs[0] * 10,))
    x.register_hook(lambda g: g - 0.5)
    calls = []
    x.register_post_accumulate_grad_hook(lambda t: calls.append(t))
    loss = (y * y).sum()
    before = dict(y.grad_fn.hooks.after)
    found = td.viz.trace(loss)
    assert x.grad is None and y.grad is None and calls == [] and y.grad_fn.hooks.after == before
    loss.backward()
    assert found["x"].gradient.array.tolist() == x.grad.tolist() and len(calls) == 1
    assert found["y"].incoming[0].array.tolist() == (y.grad * 10).tolist()
    assert found["y"].outgoing["input"].array.tolist() == (x.grad + 0.5).tolist()


def test_a_hook_that_raises_leaves_nothing_behind():
    x = leaf(1.0)
    y = x * 3
    z = (y * y).sum()
    y.grad_fn.register_hook(lambda inputs, outputs: 1 / 0)
    y.retain_grad()
    before = dict(y.grad_fn.hooks.after)
    with pytest.raises(ZeroDivisionError):
        td.viz.trace(z)
    assert y.grad_fn.hooks.after == before and y.grad is None and y.retains_grad


def test_gradients_that_are_there_stay():
    loss, names = two_layers()
    w2 = names["w2"]
    w2.grad = td.full((2, 1), 7.0)
    td.viz.trace(loss)
    assert w2.grad.tolist() == [[7.0], [7.0]]
    loss.backward(retain_graph=True)
    td.viz.trace(loss)
    loss.backward()


def test_complex_half_and_several_outputs():
    z = td.tensor([1 + 2j, 0.5 - 1j], requires_grad=True)
    loss = (z * z * 1j).abs().sum()
    found = td.viz.trace(loss, params={"z": z})
    loss.backward()
    assert found["z"].gradient.array.tolist() == z.grad.tolist()
    assert all(each is None for step in found.steps[1:] for each in step.local.values())
    h = td.tensor([1.0, 2.0], dtype=td.float16, requires_grad=True)
    loss = (h * h * 3).sum()
    found = td.viz.trace(loss)
    loss.backward()
    assert found["h"].gradient.array.tolist() == h.grad.tolist() == [6.0, 12.0]
    assert found["h"].gradient.dtype == np.float16
    x = leaf([3.0, 1.0], [2.0, 4.0])
    values, _ = x.max(dim=1)
    a, b = x.unbind(0)
    loss = values.sum() + (a * b).sum() + (a * 2).sum()
    found = td.viz.trace(loss)
    loss.backward()
    assert found["x"].gradient.array.tolist() == x.grad.tolist()
    (unbind,) = [step for step in found.steps if step.title == "Unbind"]
    assert [each.array.tolist() for each in unbind.incoming] == [[4.0, 6.0], [3.0, 1.0]]
    assert [(each.output, len(each.parts)) for each in unbind.sums] == [(0, 2)]
    assert unbind.local["input"].kind == "matrix" and unbind.local["input"].values.array.tolist() == np.eye(4).tolist()


# -- what the steps say --------------------------------------------------------------------------


def test_the_steps_of_two_layers():
    loss, names = two_layers()
    found = td.viz.trace(loss, params=names)
    assert [(step.number, step.name, step.formula) for step in found.steps] == [
        (1, "loss", "%6 + %8"),
        (2, "%8", "sum(%7)"),
        (3, "%7", "w2 * 0.1"),
        (4, "%6", "mean(%5)"),
        (5, "%5", "square(%4)"),
        (6, "%4", "y - t"),
        (7, "y", "h @ w2"),
        (8, "h", "relu(%1)"),
        (9, "%1", "x @ w1"),
    ]
    assert [step.rules for step in found.steps] == [
        {"input": "loss.grad", "other": "loss.grad"},
        {"input": "expand(%8.grad, (2, 1))"},
        {"input": "%7.grad * 0.1"},
        {"input": "expand(%6.grad / 2, (2, 1))"},
        {"input": "%5.grad * (%4 + %4)"},
        {"input": "%4.grad"},
        {"input": "y.grad @ w2.T", "other": "h.T @ y.grad"},
        {"input": "where(h != 0, h.grad, 0)"},
        {"other": "x.T @ %1.grad"},
    ]
    assert found["y"].inputs == (("input", "h", 8), ("other", "w2", "w2"))
    assert found[9].inputs == (("input", "x", None), ("other", "w1", "w1"))
    assert found["y"].line.text == "y = h @ w2" and found["y"].path == ""
    assert found["y"].values[0].array.tolist() == names["y"].tolist()
    parts = found["w2"].sum.parts
    assert [(part.step, part.argument) for part in parts] == [(3, "input"), (7, "other")]
    assert found["w2"].sum.total.array.tolist() == found["w2"].gradient.array.tolist()
    assert parts[0].values.array.tolist() == np.full((2, 1), 0.1, np.float32).tolist()
    assert found["w1"].sum is None and found["w1"].value.array.tolist() == names["w1"].tolist()
    assert [(each.name, each.step) for each in found.forward][:3] == [("%1", 9), ("h", 8), ("y", 7)]
    assert [each.name for each in found.leaves] == ["w1", "w2"]
    assert [each.kind for each in found.leaves] == ["parameter", "parameter"]
    assert all(each.values[0] is not None for each in found.forward)
    assert len(found) == 9 and found[-1] is found[9] is found.steps[8] and next(iter(found)) is found[1]
    assert found[names["y"].grad_fn] is found[names["y"]] is found["y"] and found[names["w1"]] is found["w1"]
    with pytest.raises(KeyError, match="expected a step's number, a tensor of the graph"):
        found[names["x"]]
    json.dumps(found.data(), allow_nan=False)


def test_the_text():
    loss, _ = two_layers()
    found = td.viz.trace(loss)  # names are those of the variables that operations were given
    lines = str(found).splitlines()
    assert lines[0] == "backward pass of loss: 9 steps" and max(map(len, lines)) <= 100
    at = next(i for i, line in enumerate(lines) if line.startswith("7. y = h @ w2"))
    assert lines[at].endswith(f"test_viz_trace.py:{two_layers.__code__.co_firstlineno + 7}")
    assert lines[at + 1 : at + 6] == [
        "   y.grad = [[-1.0000],",
        "             [ 0.1050]]",
        "   h.grad = y.grad @ w2.T",
        "          = [[-0.7000,  0.8000],",
        "             [ 0.0735, -0.0840]]",
    ]
    assert "   w2.grad += h.T @ y.grad" in lines and "     from step 7, other = [[0.0998]," in lines
    rows = found.rows()
    assert [row[:2] + row[3:6] for row in rows if row[0] == "7"] == [
        ["7", "y = h @ w2", "[[-1.0000], [0.1050]]", "h.grad", "y.grad @ w2.T"],
        ["7", "y = h @ w2", "[[-1.0000], [0.1050]]", "w2.grad", "h.T @ y.grad"],
    ]
    assert repr(found) == "<Trace of loss: 9 steps, 2 leaves>"
    page = found._repr_html_()
    assert page.count("<tr>") == 1 + len(rows) == 12 and "y.grad @ w2.T" in page


def test_names_that_variables_had():
    def repeated(start, factor):
        value = start
        for _ in range(3):
            value = value * factor
        return value.sum()

    with td.viz.recording():
        loss = repeated(leaf(1.0, 2.0), td.tensor([3.0, 4.0]).double())
    found = td.viz.trace(loss)
    assert [each.formula for each in found.forward] == ["start * factor", "%1 * factor", "%2 * factor", "sum(%3)"]
    assert [row[1] for row in td.viz.text(loss).rows][1:3] == ["start * factor", "%1 * factor"]


def test_a_name_is_that_of_one_tensor():
    def scaled(x):
        other = td.tensor([1.0, 2.0]).double()
        return (x * 2).exp() * other

    x, inner = leaf(1.0, 2.0), leaf(3.0, 4.0)
    with td.viz.recording():
        loss = (scaled(inner) + x).sum()
    found = td.viz.trace(loss)
    assert [each.name for each in found.leaves] == ["inner", "x"]
    assert found.forward[2].formula == "%2 * other"
    del inner
    found = td.viz.trace(loss)  # the variable x of the function was another tensor than the one that is x here
    assert [each.name for each in found.leaves] == ["input 1", "x"]
    assert found.forward[0].formula == "input 1 * 2" and found["input 1"].value is None


def test_nothing_is_kept_alive():
    x = leaf(1.0, 2.0)
    with td.viz.recording():
        y = x * 2
        loss = y.sum()
    td.viz.trace(loss)
    gone = weakref.ref(y)
    del loss, y
    gc.collect()
    assert gone() is None


def test_a_dict_of_variables_stays_as_it_is():
    mine = locals()
    x = leaf(1.0, 2.0)
    with td.viz.recording():
        loss = (x * 2).sum()
    td.viz.trace(loss)
    locals()  # which brings it up to date
    assert "mine" not in mine or mine["x"] is x


def test_large_arrays_are_described():
    x = td.ones(50, 3, requires_grad=True)
    with td.viz.recording():
        loss = (x * 2).mean()
    found = td.viz.trace(loss)
    text = str(found)
    assert "x.grad = %1.grad * 2\n          = (50, 3) from 0.013333 to 0.013333, mean 0.013333" in text
    assert found["x"].gradient.array is None and found["x"].grad.shape == (50, 3)
    assert found[2].local["input"].values.high == 2.0 and found[1].local["input"].kind == "shape"
    assert found[1].local["input"].shape == (50, 3)


def test_paths():
    loss, names = two_layers()
    found = td.viz.trace(loss, params=names)
    way = found.path("w1")
    assert [step.number for step in way.steps] == [9, 8, 7, 6, 5, 4, 1]
    assert way.product == "∂loss/∂w1 = ∂loss/∂%6 · ∂%6/∂%5 · ∂%5/∂%4 · ∂%4/∂y · ∂y/∂h · ∂h/∂%1 · ∂%1/∂w1"
    assert (way.count, way.ways) == (1, [["loss", "%6", "%5", "%4", "y", "h", "%1", "w1"]])
    assert "   w1.grad = x.T @ %1.grad" in str(way) and "w2.grad" not in str(way)
    both = found.path("w2")
    assert both.count == 2 and both.ways == [["loss", "%6", "%5", "%4", "y", "w2"], ["loss", "%8", "%7", "w2"]]
    assert "from step 7, other" in str(both) and max(map(len, str(both).splitlines())) <= 100
    assert found.path("h").ways == [["loss", "%6", "%5", "%4", "y", "h"]]
    assert found.path("loss").product == "∂loss/∂loss = 1"
    x = leaf(1.0)
    y = x
    for _ in range(40):
        y = y * y
    many = td.viz.trace(y).path("x")
    assert (
        many.count == 2**40 and len(many.ways) == 4 and "1,099,511,627,772 more products" in " ".join(str(many).split())
    )


def test_names_of_modules_and_of_constants():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(2, 3), nn.Tanh())

        def forward(self, x):
            return self.body(x)

    net, inputs, labels = Net(), td.ones(2, 2), td.tensor([0, 1])
    with td.viz.recording():
        loss = F.cross_entropy(net(inputs), labels)
    found = td.viz.trace(loss)
    assert [each.name for each in found.leaves] == ["body.0.weight", "body.0.bias"]
    assert [(step.path, step.formula) for step in found.steps] == [
        ("", "cross_entropy(%2, labels)"),
        ("body.1", "tanh(%1)"),
        ("body.0", "linear(inputs, body.0.weight, body.0.bias)"),
    ]
    assert found[1].rules == {"input": "(softmax(%2, 1) - one_hot(labels, 3)) * loss.grad / 2"}
    assert found[3].rules == {
        "weight": "%1.grad.T @ inputs",
        "bias": "sum(%1.grad, axis=0)",
    }
    plain = td.viz.trace(F.cross_entropy(net(inputs), labels))  # without a recording
    assert [each.rules for each in plain.steps] == [each.rules for each in found.steps]
    assert plain[3].path == "" and plain[3].line is None and plain[2].values[0].array is not None
    other = nn.Linear(3, 1)
    loss = other(net(inputs)).sum()
    assert {each.name for each in td.viz.trace(loss).leaves} == {
        "net.body.0.weight",
        "net.body.0.bias",
        "other.weight",
        "other.bias",
    }


def test_a_function_of_the_users():
    runs = []

    class Scale(td.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.factor = factor
            return x * factor

        @staticmethod
        def backward(ctx, g):
            runs.append(g)
            return g * ctx.factor, None

    x = leaf(1.0, 2.0)
    with td.viz.recording():
        loss = Scale.apply(x, 3.0).sum()
    found = td.viz.trace(loss)
    assert found[2].rules == {"x": "Scale.backward(%1.grad)[0]"} and found[2].local == {"x": None}
    assert found["x"].gradient.array.tolist() == [3.0, 3.0] and len(runs) == 1


# -- errors --------------------------------------------------------------------------------------


def test_refusals():
    x = leaf(1.0, 2.0)
    with pytest.raises(TypeError, match=r"trace: expected a tinygrad_dl\.Tensor, got int"):
        td.viz.trace(3)
    with pytest.raises(RuntimeError, match="trace: this tensor has no graph"):
        td.viz.trace(td.ones(2))
    with pytest.raises(
        RuntimeError, match=r"trace: a gradient can start by itself from a scalar only, got shape \(2,\)"
    ):
        td.viz.trace(x * 2)
    with pytest.raises(RuntimeError, match=r"trace: got a starting gradient of shape \(3,\)"):
        td.viz.trace(x * 2, td.ones(3))
    with pytest.raises(RuntimeError, match="trace: a gradient can start by itself from a real scalar only"):
        td.viz.trace((x * 1j).sum())
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="trace: got a graph for a second time") as caught:
        td.viz.trace(loss)
    assert caught.value.__notes__[-1] == "help(tinygrad_dl.viz.trace) says what it takes"
    loss = (x * x).sum()
    found = td.viz.trace(loss)
    with pytest.raises(IndexError, match="Trace: got step 0, expected a number from 1 to 2"):
        found[0]
    with pytest.raises(
        KeyError, match="Trace: got 'z', expected a step's number, a tensor of the graph, its node, or a name: loss"
    ):
        found["z"]
    with pytest.raises(RuntimeError, match="use_reentrant=True, expected none"):
        td.viz.trace(checkpoint(lambda a: a * 2, x, use_reentrant=True).sum())
    with pytest.raises(RuntimeError, match="inside of a transform such as vmap"):
        td.func.vmap(lambda row: td.viz.trace(row.sum()))(td.ones(2, 2))


def test_checkpoints_views_in_place_and_leaves():
    x = leaf([1.0, 2.0], [3.0, 4.0])
    with td.viz.recording():
        y = checkpoint(lambda a: (a * 2).exp(), x, use_reentrant=False)
        z = x * 1
        z[0] = y[1] * 0.5
        z.mul_(3)
        loss = z.sum() + y.sum()
    found = td.viz.trace(loss)
    loss.backward()
    assert found["x"].gradient.array.tolist() == x.grad.tolist()
    alone = td.viz.trace(x[0, 0] * 1)
    assert alone["x"].gradient.array.tolist() == [[1.0, 0.0], [0.0, 0.0]]
    scalar = td.tensor(2.0, requires_grad=True)
    itself = td.viz.trace(scalar)
    assert len(itself) == 0 and itself["scalar"].gradient.array == 1.0 and str(itself.path("scalar"))


def test_the_passes_of_other_threads_and_modes_go_on():
    loss, names = two_layers()
    with td.autograd.detect_anomaly():
        found = td.viz.trace(loss, params=names)
    assert len(found) == 9
    x = td.tensor([0.0], requires_grad=True)
    with td.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="got nan from SqrtBackward0"):
        td.viz.trace((x.sqrt() * 0).sum())
