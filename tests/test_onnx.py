"""Models as ONNX: what onnxruntime makes of them, names, dynamic axes, changes in place, and what is refused."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path

import inplace_programs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.onnx.table import CONVERTERS

onnx = pytest.importorskip("onnx", reason="the export needs onnx: pip install 'tinygrad_dl[onnx]'")
pytest.importorskip("onnxruntime", reason="exported models are run by onnxruntime: pip install onnxruntime")

F = nn.functional
HERE = Path(__file__).parent


def types(program):
    """The operators of a program's nodes."""
    return [node.op_type for node in program.model_proto.graph.node]


def agree(model, *makers, axes=None, sizes=(2, 3, 5), **options):
    """Exports a model at the first size and compares it with itself at all; `makers` make an input of a size."""
    td.manual_seed(0)
    inputs = tuple([make(sizes[0]) for make in makers])
    names = [f"x{i}" for i in range(len(inputs))]
    dynamic = dict.fromkeys(names, axes) if axes else None
    program = td.onnx.export(model, inputs, input_names=names, dynamic_axes=dynamic, **options)
    for size in sizes if axes else sizes[:1]:
        inputs = [make(size) for make in makers]
        expected = model(*[each.clone() for each in inputs])
        found = program(*inputs)
        for mine, theirs in zip(expected if isinstance(expected, tuple) else (expected,), found, strict=True):
            assert (theirs.shape, theirs.dtype) == (mine.shape, mine.dtype)
            np.testing.assert_allclose(theirs.numpy(), mine.detach().numpy(), rtol=1e-5, atol=1e-5)
    return program


def shaped(*shape):
    """Makes random inputs; "n" stands for a size, "t" for the size and 3."""
    return lambda n: td.randn(*[{"n": n, "t": n + 3}.get(each, each) for each in shape])


# -- whole models --------------------------------------------------------------------------------------


def test_models_of_programs_give_the_same_at_every_size():
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_dl.torch", str(HERE / "onnx_programs.py")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
    )
    assert not done.returncode, done.stderr
    reports = {each["name"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert len(reports) >= 22
    for name, report in reports.items():
        assert report["worst"] < 1e-5, name
        assert report["unchanged"], name
    assert reports["ResNet-18"]["nodes"] == {
        "Conv": 20,
        "BatchNormalization": 20,
        "Relu": 17,
        "Add": 8,
        "GlobalAveragePool": 1,
        "Reshape": 1,
        "Gemm": 1,
    }
    assert reports["LSTM of two directions"]["nodes"]["LSTM"] == 4
    assert reports["GPT"]["nodes"]["Softmax"] == 2
    assert reports["GPT"]["parameters"].count("transformer.wte.weight") == 1  # which `lm_head.weight` is too
    assert "lm_head.weight" not in reports["GPT"]["parameters"]
    for name in ("LeNet", "GPT", "diffusion U-Net", "transformer encoder"):
        assert len(reports[name]["parameters"]) == reports[name]["state"], name


def small():
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1),
        nn.GroupNorm(4, 8),
        nn.GELU(),
        nn.AvgPool2d(2),
        nn.ZeroPad2d(1),
        nn.Flatten(2),
        nn.LayerNorm(36),
        nn.Hardswish(),
        nn.Softmax(-1),
    )


@pytest.mark.parametrize("opset", range(17, 25))
def test_every_operator_set_gives_the_same(opset):
    program = agree(small(), shaped("n", 2, 8, 8), axes={0: "batch"}, opset_version=opset)
    assert program.model_proto.opset_import[0].version == opset
    assert ("Gelu" in types(program)) == (opset >= 20)
    assert ("GroupNormalization" in types(program)) == (opset >= 21)


def test_a_model_in_double_precision_stays_so():
    program = agree(nn.Linear(3, 2, dtype=td.float64), lambda n: td.randn(n, 3, dtype=td.float64))
    assert program.model_proto.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE


def test_half_precision_stays_half():
    program = td.onnx.export(nn.Linear(3, 2).half(), td.randn(2, 3).half())
    assert program.model_proto.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT16


def test_a_model_is_exported_as_it_is_in_evaluation_and_left_as_it_was():
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.BatchNorm1d(3))
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = td.get_rng_state()["state"]["state"].tolist()
    program = td.onnx.export(model, td.randn(4, 3))
    assert types(program) == ["Gemm", "BatchNormalization"]
    assert [module.training for module in model] == [True, False, True]
    assert all(td.equal(before[name], value) for name, value in model.state_dict().items())
    td.randn(4, 3)
    assert td.get_rng_state()["state"]["state"].tolist() != state


def test_a_failing_model_is_left_as_it_was():
    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x):
            raise KeyError("no such thing")

    model = Fails()
    parameter = model.linear.weight
    with pytest.raises(KeyError, match="no such thing"):
        td.onnx.export(model, td.randn(4, 3))
    assert model.training
    assert model.linear.weight is parameter
    assert not model._forward_hooks and not model._forward_pre_hooks
    assert not td.onnx.is_in_onnx_export()


# -- names -----------------------------------------------------------------------------------------------


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.rest = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 2)])
        self.register_buffer("scale", td.full((4,), 2.0))
        self.tied = self.first

    def forward(self, x, factor):
        y = self.rest[0](self.tied(x).relu() * self.scale)
        return {"y": self.rest[1](y * factor), "pair": (y, None)}


def test_parameters_nodes_inputs_and_outputs_have_names():
    model = Two()
    program = td.onnx.export(model, (td.randn(2, 3), td.randn(2, 4)), dynamic_axes={"x": {0: "n"}, "factor": {0: "n"}})
    graph = program.model_proto.graph
    assert [each.name for each in graph.initializer] == [
        *("first.weight", "first.bias", "scale"),
        *("rest.0.weight", "rest.0.bias", "rest.1.weight", "rest.1.bias"),
    ]
    for each in graph.initializer:
        assert np.array_equal(onnx.numpy_helper.to_array(each), model.state_dict()[each.name].numpy())
    assert [node.name for node in graph.node] == [
        "first/Gemm",
        "Relu",
        "Mul",
        "rest.0/Gemm",
        "Mul_1",
        "rest.1/Gemm",
    ] or [node.name for node in graph.node] == [
        "first/Gemm",
        "Relu",
        "Mul",
        "rest.0/Gemm",
        "pair.0/Identity",
        "Mul_1",
        "rest.1/Gemm",
    ]
    assert program.input_names == ["x", "factor"]
    assert program.output_names == ["y", "pair.0"]
    assert graph.node[0].doc_string.startswith("test_onnx.py:")
    proto = program.model_proto
    assert (proto.producer_name, proto.producer_version) == ("tinygrad_dl", td.__version__)
    assert graph.name == "Two"
    sizes = [dim.dim_param or dim.dim_value for dim in graph.output[0].type.tensor_type.shape.dim]
    assert sizes == ["n", 2]


def test_names_that_are_given_come_first():
    model = Two()
    args = td.randn(2, 3), td.randn(2, 4)
    program = td.onnx.export(model, args, input_names=["a"], output_names=["b"])
    assert program.input_names == ["a", "factor"]
    assert program.output_names == ["b", "pair.0"]
    assert td.onnx.export(model, (args[0],), kwargs={"factor": args[1]}).input_names == ["x", "factor"]
    assert td.onnx.export(model, (args[0], {"factor": args[1]})).input_names == ["x", "factor"]
    by_key = td.onnx.export(lambda both: both["a"] + both["b"], ({"a": args[0], "b": args[0]},))
    assert by_key.input_names == ["both.0", "both.1"]
    assert td.onnx.export(lambda pair: pair[0] + pair[1], ([args[0], args[0]],)).input_names == ["pair.0", "pair.1"]


def test_constants_are_folded_unless_they_are_not_to_be():
    weight = nn.Parameter(td.randn(3, 3))
    model = nn.Module()
    model.weight = weight
    model.forward = lambda x: x @ (model.weight * 2).exp()
    folded = td.onnx.export(model, td.randn(2, 3))
    assert types(folded) == ["MatMul"]
    assert len(folded.model_proto.graph.initializer) == 1
    program = td.onnx.export(model, td.randn(2, 3), do_constant_folding=False)
    assert types(program) == ["Mul", "Exp", "MatMul"]
    assert "weight" in [each.name for each in program.model_proto.graph.initializer]


def test_what_no_output_depends_on_is_left_out():
    def model(x, unused):
        x.erfinv()
        return x + 1

    program = td.onnx.export(model, (td.ones(2), td.ones(3)))
    assert types(program) == ["Add"]
    assert program.input_names == ["x", "unused"]


def test_outputs_may_be_inputs_constants_and_twice_the_same():
    x = td.ones(2)
    program = td.onnx.export(lambda x: (x, x + 1, x, td.ones(3)), x)
    found = program(x)
    assert [each.tolist() for each in found] == [[1.0, 1.0], [2.0, 2.0], [1.0, 1.0], [1.0, 1.0, 1.0]]


# -- dynamic axes ------------------------------------------------------------------------------------------


def positions(x):
    at = td.arange(x.shape[1]).unsqueeze(1).float()
    table = td.zeros(x.shape[1], 4)
    table[:, 0::2] = td.sin(at * td.tensor([1.0, 0.1]))
    table[:, 1::2] = td.cos(at * td.tensor([1.0, 0.1]))
    return x + table


def causal(x):
    t = x.shape[1]
    mask = td.triu(td.full((t, t), -float("inf")), diagonal=1)
    return (x @ x.transpose(1, 2) + mask).softmax(-1), (td.ones(t, t).tril() == 0).expand(x.shape[0], t, t)


def halves(x):
    out = td.zeros(x.shape[0], x.shape[1])
    out[:, 0] = x[:, 0, 0]
    out[:, 1:] += 1
    return out, x[:, : x.shape[1] // 2], x[:, x.shape[1] - 1], x[:, ::2], x[:, -1]


DYNAMIC = {
    "reshape": lambda x: (x.reshape(x.shape[0] * x.shape[1], -1), x.flatten(0, 1), x.view(x.shape[0], -1)),
    "positions": positions,
    "causal masks": causal,
    "parts": halves,
    "numbers": lambda x: (x.sum(1) / x.shape[1], x * x.shape[1] ** -0.5, x * (1 / x.shape[0])),
    "statistics": lambda x: (x.mean((0, 1)), x.var(1), x.std(0, unbiased=False), x.logsumexp(1)),
    "joined": lambda x: (td.cat([x, x.new_zeros(x.shape[0], 1, 4)], 1), td.stack([x, x], 1), x.repeat(1, 2, 1)),
    "moved": lambda x: (x.flip(1), x.roll(1, 1), x.roll(-1), x[None], x.expand(2, -1, -1, -1)),
    "padded": lambda x: (F.pad(x, (0, 0, 1, 2)), F.pad(x, (0, 0, 0, 20 - x.shape[1]))),
    "made anew": lambda x: (td.zeros_like(x) + 1, td.ones(x.shape[1]), td.eye(x.shape[1]), td.full_like(x, 3.0)),
    "counted": lambda x: (td.arange(2, x.shape[1]), td.linspace(0, 1, x.shape[1]), td.arange(x.shape[0]) * 2),
    "chosen": lambda x: (x.topk(2, -1)[0], x.sort(1)[0], x.argmax(1), F.one_hot(x.argmax(-1), 4)),
    "along": lambda x: (F.avg_pool1d(x.mT, 2), F.adaptive_avg_pool1d(x.mT, 1), F.conv1d(x.mT, td.ones(2, 4, 3))),
    "resized": lambda x: (F.interpolate(x.mT, scale_factor=2), F.interpolate(x.mT, size=7, mode="linear")),
    "products": lambda x: (td.einsum("btd,bsd->bts", x, x), x.cumsum(1), F.normalize(x, dim=1)),
    "heads": lambda x: x.reshape(x.shape[0], x.shape[1], 2, 2).transpose(1, 2).reshape(x.shape[0] * 2, -1, 2),
}


@pytest.mark.parametrize("name", DYNAMIC)
def test_sizes_that_depend_on_dynamic_axes(name):
    agree(DYNAMIC[name], shaped("n", "t", 4), axes={0: "batch", 1: "time"})


def test_a_reshape_with_one_unknown_size_needs_no_other_node():
    program = agree(lambda x: x.reshape(x.shape[0], 6), shaped("n", 2, 3), axes={0: "n"})
    assert types(program) == ["Reshape"]
    program = agree(lambda x: x.view(*x.shape[:2], 2, 2), shaped("n", "t", 4), axes={0: "n", 1: "t"})
    assert types(program) == ["Reshape"]


def test_axes_without_names_that_are_equal_go_together():
    program = td.onnx.export(lambda a, b: a + b, (td.ones(2, 3), td.ones(2, 3)), dynamic_axes={"a": [0], "b": [0]})
    assert program(td.ones(5, 3), td.ones(5, 3))[0].shape == (5, 3)
    dims = program.model_proto.graph.input[0].type.tensor_type.shape.dim
    assert dims[0].dim_param == "a_dynamic_axes_1"


def test_shapes_may_be_said_in_the_form_of_the_arguments():
    def model(x, pair, scale=1.0):
        return (x + pair[0]) * scale

    args = td.ones(2, 3), (td.ones(2, 3), td.ones(4))
    for shapes in (({0: "n"}, ({0: "n"}, None)), {"x": ("n", None), "pair": ({0: "n"}, None)}):
        program = td.onnx.export(model, args, dynamic_shapes=shapes)
        assert program(td.ones(5, 3), td.ones(5, 3), td.ones(4))[0].shape == (5, 3)
        assert program.model_proto.graph.input[1].type.tensor_type.shape.dim[0].dim_param == "n"
    with pytest.raises(ValueError, match=r"got 'y' in dynamic_shapes, expected names of arguments: \['x', 'pair'\]"):
        td.onnx.export(model, args, dynamic_shapes={"y": {0: "n"}})
    with pytest.raises(ValueError, match="got dynamic_axes and dynamic_shapes, expected one of them"):
        td.onnx.export(model, args, dynamic_shapes={}, dynamic_axes={})


def test_an_output_axis_may_have_a_name_of_its_own():
    program = td.onnx.export(
        lambda x: td.cat([x, x]),
        td.ones(2, 3),
        output_names=["y"],
        dynamic_axes={"x": {-2: "rows"}, "y": {0: "twice"}},
    )
    assert program.model_proto.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "twice"


def test_a_dynamic_size_at_the_limit_of_a_table_is_found_below():
    table = nn.Embedding(8, 3)
    agree(lambda x: table(td.arange(x.shape[1])) + x, lambda n: td.randn(1, n, 3), axes={1: "t"}, sizes=(8, 5, 2, 1))


def test_a_model_may_be_verified_at_all_sizes(monkeypatch):
    model = nn.Sequential(nn.Linear(3, 4), nn.Softmax(-1))
    td.onnx.export(model, td.randn(2, 3), dynamic_axes={"input": [0]}, verify=True)

    def wrong(g, input, weight, bias):
        return g.op("MatMul", input, g.transpose(weight, [1, 0]))

    monkeypatch.setitem(CONVERTERS, "linear", wrong)
    with pytest.raises(
        td.onnx.OnnxExporterError, match=r"got another 'output' from onnxruntime for inputs of shape \(2"
    ):
        td.onnx.export(model, td.randn(2, 3), verify=True)


def test_a_converter_that_is_wrong_is_named_by_what_onnx_says(monkeypatch):
    monkeypatch.setitem(CONVERTERS, "relu", lambda g, input: g.op("NoSuch", input))
    with pytest.raises(td.onnx.OnnxExporterError, match="got a model that ONNX refuses, expected a valid one"):
        td.onnx.export(nn.ReLU(), td.ones(2))


def test_a_model_that_does_something_else_at_other_sizes_is_refused():
    def model(x):
        return x * 2 if x.shape[0] > 2 else x + 1

    with pytest.raises(RuntimeError, match="not the same operations for other sizes than 2 of axis 0 of 'x'"):
        td.onnx.export(model, td.ones(2), dynamic_axes={"x": {0: "n"}})
    with pytest.raises(RuntimeError, match="give axes that have to be equal one name"):
        td.onnx.export(lambda a, b: a + b, (td.ones(2), td.ones(2)), dynamic_axes={"a": {0: "n"}, "b": {0: "m"}})


def test_a_size_that_has_to_be_fixed_is_refused_with_its_reason():
    layer = nn.AdaptiveAvgPool2d(4)
    with pytest.raises(td.onnx.UnsupportedOperators) as caught:
        td.onnx.export(layer, td.ones(1, 1, 8, 8), dynamic_axes={"input": {2: "height"}})
    assert "adaptive_avg_pool" in caught.value.lines[0]
    assert "its size has to be fixed in ONNX, and depends on a dynamic axis (8, 9" in caught.value.lines[0]


def test_a_constant_that_depends_on_a_size_by_its_values_is_refused():
    with pytest.raises(td.onnx.UnsupportedOperators, match="keep the largest one as a buffer"):
        td.onnx.export(lambda x: x + td.tensor(np.arange(len(x)) ** 2), td.ones(3), dynamic_axes={"x": [0]})


# -- changes in place ----------------------------------------------------------------------------------------


def of_views(x):
    y = x * 2
    row, column = y[1], y[:, 1]
    row.add_(10.0)
    column.mul_(3.0)
    y.view(-1)[::5] = 0.0
    y.t()[0] = 7.0
    return y, row, column


def of_parts(x):
    y = x * 1
    first, second = y.split(2, 1)
    first -= second
    a, _, c = y.unbind(0)
    a.zero_()
    c.unsqueeze(0)[:, 1:3] = td.tensor([1.0, 2.0])
    return y, first, a, c


def of_others(x):
    out = td.zeros(3, 4)
    view = out[:, 2]
    out[1] = x[0]
    view.copy_(x[:, 1])
    shared = x.detach()
    shared.relu_()
    y = x.clone().fill_(2.0)
    y[[0, 1], [1, 2]] = td.tensor([5.0, 6.0])
    y[:, td.tensor([3, 0])] = 4.0
    y[td.arange(3), x.argmax(1)] = 9.0
    y[y > 8] = -1.0
    return out, view, x, y


@pytest.mark.parametrize("model", [of_views, of_parts, of_others])
def test_changes_in_place_reach_bases_and_views(model):
    agree(model, lambda n: td.arange(12.0).reshape(3, 4).sin())


def test_buffers_that_forward_changes_are_left_as_they_were():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", td.zeros(()))

        def forward(self, x):
            self.calls += 1
            return x + self.calls

    model = Counts()
    program = td.onnx.export(model, td.ones(2), dynamic_axes={"x": [0]})
    assert model.calls.item() == 0.0
    assert program(td.ones(3))[0].tolist() == [2.0, 2.0, 2.0]


def test_what_a_model_keeps_is_a_plain_tensor_afterwards():
    class Keeps(nn.Module):
        def forward(self, x):
            self.kept, self.made = x * 2, td.zeros(len(x))
            self.made += x
            return self.kept + 1

    model = Keeps()
    td.onnx.export(model, td.ones(2), dynamic_axes={"x": [0]})
    assert {type(model.kept), type(model.made)} == {td.Tensor}
    assert pickle.loads(pickle.dumps(model.kept)).dtype == td.float32


LOOKS = [*inplace_programs.VIEWS, *(look for look, _ in inplace_programs.PIECES)]
STEPS = st.tuples(st.sampled_from(("view", "view", "change", "make")), st.integers(0, 30), st.integers(0, 30))


@settings(max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, min_size=3, max_size=12))
def test_random_programs_of_views_and_changes_give_the_same(steps):
    def model(x, y):
        found = [x * 1, y * 2]
        for kind, which, how in steps:
            tensor = found[which % len(found)]
            if kind == "view" and tensor.ndim:
                found.append(LOOKS[how % len(LOOKS)](tensor))
            elif kind == "make":
                found.append(inplace_programs.UNARY[how % len(inplace_programs.UNARY)](tensor))
            elif kind == "change":
                other = next((each for each in reversed(found) if each.shape == tensor.shape), tensor).clone()
                inplace_programs.CHANGES[how % len(inplace_programs.CHANGES)][1](tensor, other)
        return tuple(found)

    def numbers(size):
        return td.arange(6.0).reshape(2, 3).sin()

    agree(model, numbers, lambda size: numbers(size).reshape(3, 2).cos())


# -- programs that look at values ------------------------------------------------------------------------------


def test_values_that_are_asked_for_are_those_of_the_example_and_warned_of():
    def model(x):
        if x.sum() > 0:
            x = x * float(x.max())
        return x

    with pytest.warns(UserWarning, match="onnx.export: (bool|float) asks a tensor for its values") as caught:
        program = td.onnx.export(model, td.tensor([1.0, 2.0]))
    assert len(caught) == 2
    assert caught[0].filename == __file__
    assert program(td.tensor([1.0, 1.0]))[0].tolist() == [2.0, 2.0]


def test_values_that_depend_on_no_input_may_be_asked_for():
    layer = nn.Linear(2, 2)
    program = td.onnx.export(lambda x: x * int(td.arange(3).sum()) if layer.weight.max() < 5 else x, td.ones(2))
    assert program(td.ones(2))[0].tolist() == [3.0, 3.0]


def test_what_values_decide_is_refused():
    for model in (td.nonzero, td.unique, lambda x: x if td.equal(x, x) else -x):
        with pytest.raises(RuntimeError, match="whose values decide what is done or how large a result is, expected"):
            td.onnx.export(model, td.ones(2))
    with pytest.raises(RuntimeError, match="got a gradient that is taken inside of the model"):
        td.onnx.export(td.func.grad(lambda x: x.square().sum()), td.ones(2))


def test_lengths_of_packed_sequences_are_those_of_the_example():
    lstm = nn.LSTM(3, 4)

    def model(x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths)
        return nn.utils.rnn.pad_packed_sequence(lstm(packed)[0])[0]

    args = td.randn(5, 2, 3), td.tensor([5, 3])
    with pytest.warns(UserWarning, match="numpy asks a tensor for its values"):
        program = td.onnx.export(model, args)
    assert (program(*args)[0] - model(*args)).abs().max() < 1e-6


def test_random_numbers_are_drawn_when_the_model_runs():
    def model(x):
        return x + td.randn_like(x), td.rand(x.shape[0], 500)

    program = td.onnx.export(model, td.ones(2, 3), dynamic_axes={"x": [0]}, verify=True)
    normal, uniform = program(td.zeros(1000, 3))
    assert abs(normal.mean().item()) < 0.1
    assert abs(normal.std().item() - 1) < 0.1
    assert uniform.shape == (1000, 500)
    assert abs(uniform.mean().item() - 0.5) < 0.05
    assert uniform.min() >= 0 and uniform.max() < 1
    assert not td.equal(program(td.zeros(1000, 3))[0], normal)


def test_other_random_numbers_are_warned_of():
    with pytest.warns(UserWarning, match=r"random numbers, drawn at test_onnx.py:\d+, become constants"):
        program = td.onnx.export(lambda x: F.dropout(x, 0.5), td.ones(20))
    assert td.equal(program(td.ones(20))[0], program(td.ones(20))[0])
    assert set(program(td.ones(20))[0].tolist()) == {0.0, 2.0}


def test_a_function_with_its_own_backward_is_exported_by_its_forward():
    class Twice(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    assert types(agree(lambda x: Twice.apply(x) + 1, shaped("n", 2))) == ["Mul", "Add"]


def test_transforms_inside_of_a_model_are_exported_too():
    program = agree(lambda x: td.func.vmap(lambda row: row.sum() * row)(x), shaped(3, 2))
    assert types(program) == ["ReduceSum", "Reshape", "Mul"]


def test_it_is_known_inside_that_a_model_is_exported():
    seen = []
    td.onnx.export(lambda x: (seen.append(td.onnx.is_in_onnx_export()), x + 1)[1], td.ones(2))
    assert seen == [True]
    assert not td.onnx.is_in_onnx_export()


def test_tensors_that_other_threads_make_meanwhile_are_theirs():
    made = []

    def model(x):
        thread = threading.Thread(target=lambda: made.append(td.zeros(2)))
        thread.start()
        thread.join()
        return x + td.zeros(len(x))

    td.onnx.export(model, td.ones(2), dynamic_axes={"x": [0]})
    assert {type(each) for each in made} == {td.Tensor}


# -- files ------------------------------------------------------------------------------------------------------


def test_a_file_is_written_and_read(tmp_path):
    path = tmp_path / "model.onnx"
    file = io.BytesIO()
    for destination in (file, path):
        program = td.onnx.export(nn.ReLU(), td.ones(2), destination)
    onnx.checker.check_model(str(path), full_check=True)
    assert onnx.load(path) == program.model_proto
    assert file.getvalue() == path.read_bytes()
    program.save(tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == path.read_bytes()
    assert repr(program) == "ONNXProgram(input -> output, 1 nodes)"


def test_nothing_is_written_if_it_fails(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    with pytest.raises(td.onnx.UnsupportedOperators):
        td.onnx.export(lambda x: x.erfinv(), td.ones(2), path)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["model.onnx"]
    with pytest.raises(FileNotFoundError, match=r"onnx.export: got the folder .*, expected one that is there"):
        td.onnx.export(lambda x: 1 / 0, td.ones(2), tmp_path / "none" / "model.onnx")
    with pytest.raises(IsADirectoryError, match="which is a folder"):
        td.onnx.export(nn.ReLU(), td.ones(2), tmp_path)
    with pytest.raises(TypeError, match="got int to write to, expected a path"):
        td.onnx.export(nn.ReLU(), td.ones(2), 3)


def test_a_full_disk_is_told_with_the_path(tmp_path, monkeypatch):
    def full(*paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=r"^onnx.export: got '.*model.onnx', which cannot be written \(No space left"):
        td.onnx.export(nn.ReLU(), td.ones(2), str(tmp_path / "model.onnx"))
    assert os.listdir(tmp_path) == []


def test_the_graph_is_printed_if_asked_for(capsys):
    td.onnx.export(nn.Sequential(nn.Linear(2, 3)), td.ones(1, 2), verbose=True)
    assert capsys.readouterr().out.splitlines() == [
        "graph Sequential(float32[1, 2] input) -> (output)",
        "  output = Gemm[transB=1](input, 0.weight, 0.bias)",
    ]


# -- operations of users, and those that can't be exported --------------------------------------------------------


def test_an_op_of_a_user_needs_a_converter_and_may_have_one(registry):
    @td.op(name="onnx_twice", inputs=dict(x=td.inputs.real()), reference=lambda x: 2 * x)
    def twice(x):
        return 2 * x

    with pytest.raises(td.onnx.UnsupportedOperators, match=r"onnx_twice .*: it has no converter; declare one"):
        td.onnx.export(twice, td.ones(2))

    @td.onnx.converter(twice.op.key)
    def _(g, x):
        return g.op("Add", x, x)

    assert types(agree(twice, shaped("n"))) == ["Add"]


def test_all_that_cannot_be_exported_is_listed_once():
    class Bad(nn.Module):
        def forward(self, x):
            return td.linalg.inv(x).erfinv() + x.lgamma()

    model = nn.Sequential(nn.Linear(2, 2), Bad(), Bad())
    with pytest.raises(td.onnx.UnsupportedOperators) as caught:
        td.onnx.export(model, td.eye(2))
    first, *rest = str(caught.value).splitlines()
    assert (
        first
        == "onnx.export: got 6 operations that can't be exported, expected ones that ONNX has; nothing was written"
    )
    assert [line.strip() for line in rest] == caught.value.lines
    text = "\n".join(caught.value.lines)
    assert "1: lgamma (test_onnx.py:" in text
    assert "2: lgamma (test_onnx.py:" in text
    assert "ONNX has no such special function" in text
    assert "inv (" in text


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"opset_version": 16}, ValueError, "got opset_version=16, expected an integer from 17 to 24, or None for 20"),
        ({"opset_version": "20"}, ValueError, "got opset_version='20'"),
        ({"input_names": ["a", "b"]}, ValueError, "got 2 input_names, .*, expected at most 1"),
        ({"output_names": ["a", "b"]}, ValueError, "got 2 output_names, .*, expected at most 1"),
        ({"input_names": ["a"], "output_names": ["a"]}, ValueError, "got 'a' for an input and an output"),
        ({"input_names": "x"}, TypeError, "got input_names='x', expected a list of names"),
        ({"input_names": [3]}, TypeError, "got 3 in input_names, expected names"),
        ({"output_names": ["a", "a"]}, ValueError, "got 'a' twice in output_names"),
        ({"dynamic_axes": {"y": [0]}}, ValueError, r"got 'y' in dynamic_axes, expected one of the inputs \['x'\]"),
        ({"dynamic_axes": {"x": {2: "n"}}}, ValueError, "got axis 2 of 'x' in dynamic_axes, expected one of its 2"),
        ({"dynamic_axes": {"x": "n"}}, TypeError, r"got dynamic_axes\['x'\]='n', expected a dict"),
        ({"dynamic_axes": {"x": {"0": "n"}}}, TypeError, "got the axis '0' of 'x'"),
        ({"dynamic_axes": {"x": {0: "n", 1: "n"}}}, ValueError, "got sizes 2 and 3 for the dynamic axis 'n'"),
        ({"export_params": False}, ValueError, "got export_params=False, expected True"),
        ({"training": td.onnx.TrainingMode.TRAINING}, ValueError, "expected TrainingMode.EVAL"),
        ({"keep_initializers_as_inputs": True}, ValueError, "got keep_initializers_as_inputs=True, expected False"),
        ({"no_such_option": 1}, TypeError, "unexpected keyword argument 'no_such_option'"),
    ],
)
def test_wrong_options_are_refused(options, kind, message):
    with pytest.raises(kind, match=message):
        td.onnx.export(lambda x: x + 1, td.ones(2, 3), **options)


@pytest.mark.parametrize(
    ("model", "args", "kind", "message"),
    [
        (3, td.ones(2), TypeError, "got int as the model"),
        (lambda x: x, np.ones(2), TypeError, r"got an array of shape \(2,\) among the arguments, expected tensors"),
        (lambda x: x, td.ones(2).to(td.complex64), TypeError, "got dtype complex64 for the input 'x'"),
        (lambda x: (x, 3), td.ones(2), TypeError, "got int in the model's output_1, expected tensors"),
        (lambda x: None, td.ones(2), TypeError, "got no tensor from the model"),
        (lambda x: td.complex(x, x), td.ones(2), td.onnx.UnsupportedOperators, "no complex numbers"),
        (lambda x: x[x > 0], td.ones(2), RuntimeError, "how much a mask picks depends on its values"),
    ],
)
def test_what_is_no_model_or_no_input_is_refused(model, args, kind, message):
    with pytest.raises((kind, IndexError) if kind is RuntimeError else kind, match=message):
        td.onnx.export(model, args)


def test_an_example_without_elements_has_no_dynamic_axis():
    with pytest.raises(ValueError, match=r"an example without elements for 'x', of shape \(0, 2\)"):
        td.onnx.export(lambda x: x + 1, td.ones(0, 2), dynamic_axes={"x": [0]})


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"onnx.export needs the package onnx: pip install 'tinygrad_dl\[onnx\]'"):
        td.onnx.export(nn.ReLU(), td.ones(2))


def test_a_missing_runtime_is_named(monkeypatch):
    program = td.onnx.export(nn.ReLU(), td.ones(2))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match="pip install onnxruntime"):
        program(td.ones(2))
    with pytest.raises(TypeError, match="got 2 tensors, expected 1"):
        monkeypatch.undo()
        program(td.ones(2), td.ones(2))


def test_the_code_of_the_page_prints_what_it_says(registry, tmp_path, monkeypatch, capsys):
    text = (HERE.parent / "docs" / "onnx.md").read_text()
    pairs = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)
    assert len(pairs) == text.count("```python") == 3
    monkeypatch.chdir(tmp_path)
    for code, printed in pairs:
        exec(compile(code, "docs/onnx.md", "exec"), {"__name__": "page"})
        assert capsys.readouterr().out == printed
    assert (tmp_path / "model.onnx").exists()


def test_the_package_needs_no_onnx_to_be_imported():
    code = (
        "import sys; sys.modules['onnx'] = sys.modules['onnxruntime'] = None\n"
        "import tinygrad_dl as td; td.onnx.export; td.onnx.TrainingMode"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
