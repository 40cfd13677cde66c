"""Anomaly mode: which line made the operation whose gradient went wrong."""

from __future__ import annotations

import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.core.graph import Node, observers


def leaf(*values):
    return td.tensor([float(v) for v in values], requires_grad=True)


class Root(nn.Module):
    def forward(self, x):
        return x.sqrt()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.ReLU(), Root())

    def forward(self, x):
        return self.encoder(x)


def test_nan_is_traced_to_its_line_module_and_inputs():
    x = leaf(0, 4)
    with td.autograd.detect_anomaly():
        y = (Net()(x) * td.tensor([0.0, 1.0])).sum()
        with pytest.raises(RuntimeError) as caught:
            y.backward()
    lines = str(caught.value).splitlines()
    assert lines[0] == (
        "backward: got nan from SqrtBackward0 in the gradient of input 0 (1 of 2 elements), expected numbers"
    )
    number = Root.forward.__code__.co_firstlineno + 1
    assert lines[1] == f'made by File "{__file__}", line {number}, in forward, in module Net.encoder.1'
    assert lines[2] == "from input: float32 (2,) from 0 to 4"
    assert lines[3] == "given a gradient: float32 (2,) from 0 to 1"


def test_an_error_of_a_rule_keeps_its_type_and_tells_the_line():
    class Fails(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            raise KeyError("mine")

    with td.autograd.detect_anomaly():
        y = Fails.apply(leaf(1))
        with pytest.raises(KeyError, match="mine") as caught:
            y.backward()
    assert any(
        "FailsBackward was made by File" in note and "test_anomaly.py" in note for note in caught.value.__notes__
    )


def test_what_a_backward_pass_recorded_is_traced_further():
    x = leaf(0)
    with td.autograd.detect_anomaly():
        y = x * x.exp()
        (g,) = td.autograd.grad(y, x, create_graph=True)
        z = g.sum() - 1.0
        w = z.sqrt() * 0
        with pytest.raises(RuntimeError, match="SqrtBackward0"):
            w.backward()
    inner = [n for n, _ in g.grad_fn.next_functions if n is not None]
    assert "while the gradient of" not in str(w.grad_fn.metadata["origin"])
    assert any(n.metadata["origin"].parent is not None for n in inner if n.metadata.get("origin"))


def test_nodes_from_outside_say_so():
    x = leaf(0)
    y = x.sqrt() * 0
    with td.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="outside of anomaly mode"):
        y.backward()


def test_check_nan_may_be_left_out():
    x = leaf(0, 1)
    with td.autograd.detect_anomaly(check_nan=False):
        assert td.is_anomaly_enabled() and not td.is_anomaly_check_nan_enabled()
        y = (x.sqrt() * td.tensor([0.0, 1.0])).sum()
        y.backward()
    assert x.grad.tolist()[1] == 0.5 and x.grad.isnan().tolist() == [True, False]


def test_gradients_of_complex_and_unused_inputs_and_several_outputs_pass():
    x = td.tensor([1 + 2j, 3j], requires_grad=True)
    with td.autograd.detect_anomaly():
        first, _ = (x * x).unbind()
        first.abs().backward()
    assert x.grad[1].item() == 0


def test_it_is_on_and_off_by_itself():
    assert not td.is_anomaly_enabled()
    td.autograd.set_detect_anomaly(True)
    assert td.is_anomaly_enabled() and td.is_anomaly_check_nan_enabled()
    with td.autograd.set_detect_anomaly(False):
        assert not td.is_anomaly_enabled()
    assert td.is_anomaly_enabled()
    with td.autograd.detect_anomaly():
        pass
    assert td.is_anomaly_enabled()
    td.set_anomaly_enabled(False)
    assert not td.is_anomaly_enabled() and observers.step is None
    assert not observers.recorders and "__init__" not in vars(Node)
    assert "origin" not in (leaf(1) * 2).grad_fn.metadata
