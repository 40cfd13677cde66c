"""What stands beside an operation in a picture: its options and constants, and what is out of the ordinary."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

import tinygrad_dl as td
from tinygrad_dl import nn, viz
from tinygrad_dl.nn import functional
from tinygrad_dl.viz.arguments import phrases
from tinygrad_dl.viz.boxes import fitting


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
    assert r'label="Mul\ngradient of Exp"' in text and 'class="gradient ' in text
    (line,) = (each for each in text.splitlines() if 'class="gradient ' in each)
    assert viz.LIGHT.gradient["fillcolor"] in line


def test_freed() -> None:
    w = td.ones(3, requires_grad=True)
    y = (w * w).sum()
    y.backward()
    assert r'label="Mul\nsaved values freed"' in viz.graph(y, show_shapes=False).source
