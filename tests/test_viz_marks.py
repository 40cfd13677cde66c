"""What stands beside an operation in a picture: its options and constants, and what is out of the ordinary."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

import tinygrad_dl as td
from tinygrad_dl import nn, viz
from tinygrad_dl.nn import functional
from tinygrad_dl.viz.known.arguments import phrases
from tinygrad_dl.viz.pictures.boxes import fitting


def lines(tensor: td.Tensor, title: str) -> list[str]:
    """The lines of the box with a title."""
    text = viz.graph(tensor, show_shapes=False, show_saved=False).source
    return next(text.split("\\n") for text in text.split('"') if text.split("\\n")[0] == title)[1:]


x, v = td.ones(2, 3, 8, 8, requires_grad=True), td.ones(4, 6, requires_grad=True)
weight = nn.Parameter(td.ones(4, 3, 3, 3))

OPTIONS: list[tuple[Callable[[], td.Tensor], str]] = [
    (lambda: v**3, "x ** 3"),
    (lambda: v * 0.5, "x * 0.5"),
    (lambda: v / 8, "x / 8"),
    (lambda: v.sum(1, keepdim=True), "dim 1, keepdim"),
    (lambda: v.sum(), ""),
    (lambda: v.softmax(1), "dim 1"),
    (lambda: v.permute(1, 0), "dims (1, 0)"),
    (lambda: v[1:, None], "(1:, None)"),
    (lambda: td.stack([v, v], 1), "dim 1"),
    (lambda: functional.conv2d(x, weight, stride=2, padding=1), "stride 2, padding 1"),
    (lambda: functional.conv2d(x, weight, stride=(1, 2)), "stride (1, 2)"),
    (lambda: functional.max_pool2d(x, 2), "kernel 2"),
    (lambda: functional.max_pool2d(x, 3, stride=2, padding=1), "kernel 3, stride 2, padding 1"),
    (lambda: functional.avg_pool2d(x, 2, ceil_mode=True), "kernel 2, ceil_mode"),
    (lambda: functional.leaky_relu(v, 0.25), "slope 0.25"),
    (lambda: td.einsum("ij,ij->i", v, v), "ij,ij->i"),
    (lambda: functional.scaled_dot_product_attention(v[None], v[None], v[None], is_causal=True), "is_causal"),
]
# Known inside `recording` only, as no gradient reads them.
RECORDED: list[tuple[Callable[[], td.Tensor], str]] = [
    (lambda: 1 - v, "1 - x"),
    (lambda: v + 2, "x + 2"),
    (lambda: td.clamp(v, 0, 1), "min 0, max 1"),
    (lambda: v.unsqueeze(0), "dim 0"),
    (lambda: v.split(2)[0], "size 2"),
    (lambda: v.to(td.float64), "float64"),
    (lambda: v.clone(), ""),
    (lambda: v.clone(memory_format=td.contiguous_format), "memory_format contiguous_format"),
    (lambda: v.T, "dims (1, 0)"),
    (lambda: functional.gelu(v, approximate="tanh"), "approximate tanh"),
    (lambda: functional.cross_entropy(v, td.tensor([1, 2, 3, 0]), label_smoothing=0.1), "label_smoothing 0.1"),
]


@pytest.mark.parametrize("number", range(len(OPTIONS)))
@pytest.mark.parametrize("around", [contextlib.nullcontext, viz.recording])
def test_options(number: int, around: Callable[[], contextlib.AbstractContextManager[object]]) -> None:
    compute, expected = OPTIONS[number]
    with around():
        node = compute()._edge.node
    assert ", ".join(phrases(node)) == expected


@pytest.mark.parametrize("number", range(len(RECORDED)))
def test_options_that_no_rule_reads(number: int) -> None:
    compute, expected = RECORDED[number]
    with viz.recording():
        node = compute()._edge.node
    assert ", ".join(phrases(node)) == expected


def test_a_line_is_never_wide() -> None:
    assert fitting(["stride 2", "padding 1", "dilation (1, 2)"]) == "stride 2, padding 1, …"
    assert len(fitting(["x" * 100])) <= 48
    with viz.recording():
        y = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    (line,) = lines(y, "Interpolate")
    assert line == "scales 2, mode bilinear, …"


def test_dropout() -> None:
    td.manual_seed(0)
    assert lines(functional.dropout(v, 0.25), "Dropout") == ["p 0.25", "training only"]
    assert "Dropout" not in viz.graph(functional.dropout(v, 0.25, training=False) * 2).source


def test_views_and_changes_in_place() -> None:
    w = td.ones(2, 3, requires_grad=True)
    with viz.recording():
        y = w.exp().add_(1.0)
        z = w.exp()
        z.t()[0] = 0.0
    assert lines(y, "Add") == ["x + 1", "in place"]
    assert lines(z, "CopySlices") == ["in place"]
    assert lines(w.reshape(6), "Reshape") == ["view"]
    assert lines(w.exp(), "Exp") == []


def test_gradients_of_a_recorded_pass() -> None:
    w = td.ones(3, requires_grad=True)
    with viz.recording():
        y = w.exp().sum()
        (g,) = td.autograd.grad(y, w, create_graph=True)
        penalty = (g * g).sum() + y
    text = viz.graph(penalty, show_shapes=False, show_saved=False).source
    assert r'label="Mul → g\ngradient of Exp"' in text and 'class="gradient ' in text
    (line,) = (each for each in text.splitlines() if 'class="gradient ' in each)
    assert viz.LIGHT.gradient["fillcolor"] in line


def test_freed() -> None:
    w = td.ones(3, requires_grad=True)
    y = (w * w).sum()
    y.backward()
    assert r'label="Mul\nsaved values freed"' in viz.graph(y, show_shapes=False).source


# -- tensors without a gradient ---------------------------------------------------------------------


def constants(drawing: viz.Drawing) -> list[str]:
    """The boxes of constants."""
    return [line.split('"')[1] for line in drawing.source.splitlines() if 'class="constant ' in line]


def test_constants_that_are_kept() -> None:
    w, x, mask = td.ones(3, 2, requires_grad=True), td.ones(4, 3), td.tensor([True, False])
    y = td.where(mask, x @ w, td.zeros(2)) * 2.0
    assert constants(viz.graph(y)) == [r"input\n(4, 3) float32", r"condition\n(2,) bool"]  # zeros are not kept
    assert constants(viz.graph(y, {"x": x}))[0] == r"x\n(4, 3) float32"
    assert constants(viz.graph(y, show_constants=False)) == []
    with viz.recording():
        y = td.where(mask, x @ w, td.zeros(2)) * 2.0
    assert constants(viz.graph(y, show_shapes=False)) == ["x", "mask", "other"]  # by variables


def test_a_constant_that_is_used_twice_is_one_box() -> None:
    w, x = td.ones(3, requires_grad=True), td.ones(3)
    text = viz.graph((w * x).sum() + (w.exp() * x).sum(), {"w": w}).source
    assert text.count('class="constant ') == 1
    number = next(line.split()[0] for line in text.splitlines() if 'class="constant ' in line)
    assert text.count(f"  {number} -> ") == 2


def test_constants_and_the_names_of_arguments() -> None:
    """An argument whose constant bears its name needs no cell; that of a constant with another name does."""
    w, target = td.ones(4, 3, requires_grad=True), td.tensor([0, 1, 2, 0])
    loss = functional.cross_entropy(w, target)
    assert "<i" not in viz.graph(loss).source
    assert "{{<i0> input|<i1> target}|" in viz.graph(loss, {"labels": target}).source.replace("&#160;", "")


def test_detached() -> None:
    w = td.ones(3, requires_grad=True)
    with viz.recording():
        h = w.exp()
        y = h * h.detach()
    drawing = viz.graph(y, {"w": w}, show_shapes=False, show_saved=False)
    assert constants(drawing) == [r"h\ndetached"]
    numbers = {
        line.split('"')[1].split("\\n")[0]: line.split()[0] for line in drawing.source.splitlines() if "class" in line
    }
    assert f'{numbers["Exp"]} -> {numbers["h"]} [style="dashed"]' in drawing.source
    assert f"{numbers['h']} -> {numbers['Mul']}" in drawing.source
    with viz.recording():
        alone = w * td.ones(3).detach()
    assert constants(viz.graph(alone, show_shapes=False)) == ["other"]


def test_constants_that_closed_modules_are_given() -> None:
    first, second, criterion = nn.Linear(3, 4), nn.Linear(4, 2), nn.CrossEntropyLoss()
    x, y = td.ones(5, 3), td.tensor([0, 1, 1, 0, 1])
    with viz.recording():
        h = first(x)
        loss = criterion(second(h), y) + criterion(second(h.detach()), y)
    drawing = viz.graph(loss, show_shapes=False)
    assert constants(drawing) == ["x", "y", r"input\ndetached"]
    text = drawing.source
    assert text.count("call 1 of 2") == 1 and "of 3" not in text  # two models, though neither has a path
    number = {line.split('"')[1].split("\\n")[0]: line.split()[0] for line in text.splitlines() if "class" in line}
    assert f"{number['x']} -> " in text and text.count(f"  {number['y']} -> ") == 2
    assert f'-> {number["input"]} [style="dashed"]' in text
    with viz.recording():
        alone = first(td.ones(5, 3))  # which nothing keeps but the operation
    assert constants(viz.graph(alone)) == [r"input\n(5, 3) float32"]


def test_a_state_without_a_gradient_is_no_input_of_each_turn() -> None:
    cell, x, h = nn.GRUCell(4, 8), td.ones(2, 6, 4), td.zeros(2, 8)
    with viz.recording():
        for t in range(6):
            h = cell(x[:, t], h)
    drawing = viz.graph(h, roll=True)
    assert constants(drawing) == []  # not the zeros that the first turn was given
    assert drawing.source.count("->") == 2


def test_constants_with_values() -> None:
    w, x = td.ones(2, requires_grad=True), td.tensor([3.0, 4.0])
    text = viz.graph((w * x).sum(), values=True, gradients=True, show_shapes=False).source
    assert "{other|{data\\n3\xa0\xa04}}" in text


def test_what_a_model_was_given_is_one_box() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(td.ones(5, 3))

        def forward(self, words: td.Tensor) -> td.Tensor:
            return functional.embedding(words, self.weight) * td.ones(2, 3)

    text = viz.graph(Model(), td.tensor([1, 2])).source
    assert text.count('class="input ') == 1 and text.count('class="constant ') == 1


def test_layers_tell_the_options_of_their_operation() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(inplace=True), nn.Dropout(0.5))
    text = viz.graph(model, td.ones(1, 3, 8, 8)).source
    assert r"Conv2d\n0\nstride 2\n" in text and r"ReLU\n1\nin place" in text
    assert r"Dropout\n2\np 0.5 · training only\n" in text


def test_recordings_know_the_names_of_variables() -> None:
    weight, x = td.ones(3, requires_grad=True), td.ones(3)
    with viz.recording():
        hidden = weight * x
        y = hidden.exp()
    text = viz.graph(y, show_shapes=False, show_saved=False).source
    assert [line.split('"')[1] for line in text.splitlines() if "class=" in line] == [
        "weight", "x", "Mul → hidden", "Exp", "output",
    ]  # fmt: skip
    assert "given" in viz.graph(y, {"given": weight}, show_shapes=False).source


# -- the legend -------------------------------------------------------------------------------------


def test_legend_names_what_is_shown() -> None:
    w = td.ones(2, 3, requires_grad=True)
    with viz.recording():
        y = (w * td.ones(2, 3)).exp_().t()
    text = viz.graph(y, {"w": w}, legend=True).source
    frame = text[text.index("subgraph cluster_1 {") :].split("}\n")[0]
    said = [line.split('"')[1] for line in frame.splitlines() if "class=" in line]
    assert said[0].split("\\n") == [
        "operation", "view: shows the memory of its input", "in place: overwrites its input",
        "saves: kept for the backward pass",
    ]  # fmt: skip
    assert said[1:] == ["parameter", "no gradient", "output"]
    assert text.count('style="invis"') == 3
    assert viz.graph(y, {"w": w}).source.count("cluster") == 0
