"""`viz.recording`: what nodes remember of their making, and that nothing is left of it outside."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.core.graph import Node, metadata, observers
from tinygrad_dl.nn.hooks import GLOBAL
from tinygrad_dl.utils.checkpoint import checkpoint
from tinygrad_dl.viz.known.calls import run
from tinygrad_dl.viz.known.recording import place_of, run_of
from tinygrad_dl.viz.known.values import values_of


def leaf(*values):
    return td.tensor([float(v) for v in values], requires_grad=True)


def paths(tensor):
    return [call.path for call in place_of(tensor.grad_fn).calls]


def is_off():
    return not (observers.recorders or observers.writers or "__init__" in vars(Node) or any(map(len, GLOBAL.values())))


def test_line_constants_options_and_values():
    x = leaf(1, 2, 3)
    with td.viz.recording():
        y = x.reshape(3, 1) * 2.5
        z = y.sum(dim=0, keepdim=True)
    place = place_of(y.grad_fn)
    assert (place.line.file, place.line.function) == (__file__, "test_line_constants_options_and_values")
    assert place.line.text == "y = x.reshape(3, 1) * 2.5"
    assert str(place.line) == f"test_viz_recording.py:{place.line.number}"
    assert list(place.arguments) == ["other"] and place.arguments["other"].array == np.float32(2.5)
    assert place.values.array.tolist() == [[2.5], [5.0], [7.5]] and place.values.shape == (3, 1)
    assert (place.values.low, place.values.high, place.values.mean) == (2.5, 7.5, 5.0)
    assert place_of(z.grad_fn).arguments == {"dim": 0, "keepdim": True, "dtype": None}
    assert place_of(y.grad_fn.next_functions[0][0]).arguments == {"shape": (3, 1)}
    assert place_of((x * 2).grad_fn) is None and is_off()


def test_values_are_those_at_the_time():
    x = leaf(1, 2)
    with td.viz.recording():
        y = x * 2
        first = y.grad_fn
        y.add_(10)
        y[0] = 5.0
        with td.viz.recording(values=False):  # the outer one still asks for them
            z = y.exp()
    assert place_of(first).values.array.tolist() == [2.0, 4.0] and place_of(first).inplace == ""
    slices = y.grad_fn
    assert place_of(slices).values.array.tolist() == [5.0, 14.0]
    added = slices.next_functions[0][0]
    assert place_of(added).values.array.tolist() == [12.0, 14.0] and place_of(added).inplace == "add_"
    assert place_of(z.grad_fn).values.high == pytest.approx(np.exp(14.0), rel=1e-6)
    with td.viz.recording(values=False):
        assert place_of(x.exp().grad_fn).values is None
    with pytest.raises(ValueError, match="read-only"):
        place_of(added).values.array[0] = 1


def test_several_outputs_sequences_functions_and_half_precision():
    class Scale(td.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor, *rest):
            return x * factor, x + 1

        @staticmethod
        def backward(ctx, first, second):
            return first, None, None

    x = leaf(1, 2)
    with td.viz.recording():
        a, b = x.unbind(0)
        c = td.cat([x, td.ones(1)])
        d, _ = Scale.apply(x, 3, "more")
        e = td.ones(2, dtype=td.float16, requires_grad=True) * 2
        f = (x * 1j).abs()
    assert [each.array.item() for each in place_of(a.grad_fn).values] == [1.0, 2.0]
    assert place_of(a.grad_fn) is place_of(b.grad_fn)
    assert place_of(c.grad_fn).arguments["tensors[1]"].array.tolist() == [1.0]
    assert place_of(d.grad_fn).arguments == {"factor": 3, "argument 2": "more"}
    assert [each.array.tolist() for each in place_of(d.grad_fn).values] == [[3.0, 6.0], [2.0, 3.0]]
    assert place_of(e.grad_fn).values.dtype == np.float16 and place_of(e.grad_fn).values.mean == 2.0
    turned = place_of(f.grad_fn.next_functions[0][0]).values
    assert turned.array.tolist() == [1j, 2j] and (turned.low, turned.high) == (1.0, 2.0)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.rest = [nn.ReLU()]  # not registered

    def forward(self, x):
        return self.rest[0](self.linear(x)) + x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        block = Block()
        self.blocks = nn.Sequential(block, nn.Identity(), block)

    def forward(self, x):
        return self.blocks(x).sum()


def test_calls_of_modules():
    net = Net()
    with td.viz.recording() as seen:
        y = net(td.ones(3, 2))
        z = y * 2
    expected = [
        ("Net", "", 0, [()]),
        ("Sequential", "blocks", 1, [(3, 2)]),
        ("Block", "blocks.0", 2, [(3, 2)]),
        ("Linear", "blocks.0.linear", 3, [(3, 2)]),
        ("ReLU", "blocks.0.ReLU", 3, [(3, 2)]),
        ("Identity", "blocks.1", 2, [(3, 2)]),
        ("Block", "blocks.0", 2, [(3, 2)]),
        ("Linear", "blocks.0.linear", 3, [(3, 2)]),
        ("ReLU", "blocks.0.ReLU", 3, [(3, 2)]),
    ]
    found = run_of(z)
    for calls in (seen.calls, found.calls, run(net, (td.ones(3, 2),), {}).calls):
        assert [
            (call.layer, call.path, call.depth, [each.shape for each in call.outputs]) for call in calls
        ] == expected
    assert paths(y) == [""] and paths(z) == []
    assert [node.title for node in found.nodes] == ["Linear", "Relu", "Add"] * 1 + [
        "Linear",
        "Relu",
        "Add",
        "Sum",
        "Mul",
    ]
    assert [node.title for node in found.nodes_of(found.calls[6])] == ["Linear", "Relu", "Add"]
    assert found.nodes_of(found.calls[6])[0] is found.nodes[3]
    assert found.nodes_of(found.calls[5]) == [] and len(found.nodes_of(found.calls[0])) == 7
    assert found.calls[2].module is net.blocks[0] and [each.shape for each in found.calls[2].inputs] == [(3, 2)]
    assert found.calls[2].inputs[0].edge is None and found.calls[6].inputs[0].edge() is found.nodes[2]
    assert place_of(found.nodes[0]).line.text == "return self.rest[0](self.linear(x)) + x"


def test_a_recording_inside_of_a_call_begins_there():
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 1)

        def forward(self, x):
            with td.viz.recording():
                return self.layer(x)

    net = Inner()
    assert paths(net(td.ones(1))) == [""]
    with td.viz.recording():
        assert paths(net(td.ones(1))) == [""]
        assert paths(nn.Sequential(nn.Linear(1, 1))(td.ones(1))) == ["", "0"]
    assert is_off()


def test_errors_inside_leave_nothing_behind():
    class Fails(nn.Module):
        def forward(self, x):
            if x.shape[0] == 1:
                raise KeyboardInterrupt  # which no hook sees
            return x * self.missing

    model = nn.Sequential(nn.Identity(), nn.Sequential(Fails()))
    with pytest.raises(AttributeError), td.viz.recording():
        model(leaf(1, 2))
    assert is_off()
    with td.viz.recording() as seen:
        with pytest.raises(KeyboardInterrupt):
            model(leaf(1))
        y = nn.ReLU()(leaf(1))
        z = leaf(1) * 2
    assert paths(y) == [""] and paths(z) == []
    assert [call.path for call in seen.calls] == ["", "0", "1", "1.0", ""]
    nodes = run_of(y)
    assert len(nodes.nodes_of(nodes.calls[0])) == 1 and is_off()


def test_checkpoints_that_stop_early():
    layer = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2))
    x = td.ones(2, requires_grad=True)
    with td.viz.recording() as seen:
        y = checkpoint(layer, x, use_reentrant=False)
        y.sum().backward()
        z = layer(x)
        w = checkpoint(layer, x, use_reentrant=True)
    assert paths(y) == ["", "2"] and paths(z) == ["", "2"] and paths(w) == []
    assert {call.depth for call in seen.calls if call.path == ""} == {0}


def test_threads_have_calls_of_their_own():
    found = []
    model = nn.Sequential(nn.Tanh())

    class Outer(nn.Module):
        def forward(self, x):
            thread = threading.Thread(target=lambda: found.append(model(x)))
            thread.start()
            thread.join()
            return found[0] * 2

    with td.viz.recording() as seen:
        y = Outer()(leaf(1))
    assert paths(found[0]) == ["", "0"] and paths(y) == [""] and place_of(found[0].grad_fn).line is not None
    assert [call.layer for call in seen.calls] == ["Outer"]


def test_backward_passes_that_are_recorded():
    x = leaf(1, 2)
    with td.viz.recording():
        y = (x * x * x).sum()
        (g,) = td.autograd.grad(y, x, create_graph=True)
        z = g.sum()
    forward = {node.seq for node in run_of(y).nodes}
    found = [place_of(node).gradient_of for node in run_of(z).nodes]
    assert all(number in {None, *forward} for number in found) and sum(n is not None for n in found) >= 3
    assert place_of(z.grad_fn).gradient_of is None
    assert place_of(g.grad_fn).line.text == "(g,) = td.autograd.grad(y, x, create_graph=True)"


def test_detached_arguments():
    x = leaf(1, 2)
    with td.viz.recording():
        y = x * 2
        a = y * y.detach()
        b = y * x.detach()
        c = y * td.ones(2)
    assert place_of(a.grad_fn).detached["other"]() is y.grad_fn
    assert place_of(b.grad_fn).detached["other"]() is x._edge
    assert place_of(c.grad_fn).detached == {}


def test_together_with_anomaly_mode():
    x = leaf(0)
    with td.viz.recording(), td.autograd.detect_anomaly():
        y = x.sqrt() * 0
        with pytest.raises(RuntimeError, match="got nan from SqrtBackward0"):
            y.backward()
    assert place_of(y.grad_fn).line.text == "y = x.sqrt() * 0" and is_off()


def test_nothing_is_kept_alive():
    class Keeps(nn.Module):
        def forward(self, x):
            self.last = x * 2
            return self.last

    gc.collect()
    before = len(metadata)
    model = Keeps()
    with td.viz.recording():
        y = model(leaf(1, 2)) + td.ones(2)
        run_of(y)
    gone = weakref.ref(model)
    del model, y
    gc.collect()
    assert gone() is None and len(metadata) == before


def test_the_summary_of_values():
    large = values_of(np.arange(64, dtype=np.int64).reshape(8, 8))
    assert large.array is None and large.histogram == (4,) * 16 and large.not_finite == 0
    odd = values_of(np.array([np.nan, 1.0, -np.inf, 3.0], np.float32))
    assert (odd.low, odd.high, odd.mean, odd.not_finite) == (1.0, 3.0, 2.0, 2)
    assert odd.histogram == (1, *(0,) * 14, 1)
    none = values_of(np.array([np.nan]))
    assert (none.low, none.mean, none.histogram, none.not_finite) == (None, None, (0,) * 16, 1)
    assert values_of(np.zeros((0, 3))).low is None
    top = np.finfo(np.float64).max
    wide = values_of(np.array([-top, top, top, top]))
    assert (wide.low, wide.high) == (-top, top) and wide.mean == pytest.approx(top / 2)
    assert wide.histogram == (1, *(0,) * 14, 3)
    assert values_of(np.array([True, False])).mean == 0.5
    tiny = values_of(np.array([1e-320, 5e-320]))
    assert (tiny.low, tiny.high, tiny.mean) == (1e-320, 5e-320, 3e-320) and tiny.histogram == (1, *(0,) * 14, 1)
    long = np.concatenate([np.full(2**19, 1.0, np.float32), [np.nan, 3.0], np.zeros(6)]).astype(np.float32)
    found = values_of(long)
    assert (found.low, found.high, found.not_finite) == (0.0, 3.0, 1) and sum(found.histogram) == long.size - 1
    assert found.mean == pytest.approx((2**19 + 3) / (2**19 + 7), rel=1e-12)
    assert (found.histogram[0], found.histogram[5], found.histogram[15]) == (6, 2**19, 1)
    assert sum(values_of(np.full(50, 7.0)).histogram) == 50


def test_in_place_operations_that_change_nothing():
    x = leaf(1, 2) * 1
    with td.viz.recording():
        y = x * 2
        td.nn.functional.dropout(y, training=False, inplace=True)
        z = x * 3
        z.copy_(y)
    assert place_of(y.grad_fn).inplace == "" and place_of(z.grad_fn).inplace == ""
    assert z.grad_fn.name() == "CopySlices"


def test_refusals():
    with pytest.raises(TypeError, match="recording: got values=1, expected True or False"):
        td.viz.recording(values=1)
