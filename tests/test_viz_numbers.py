"""Values and gradients in pictures: they are right, they change nothing, and what is not known is said."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn, viz
from tinygrad_dl.viz.known.numbers import written
from tinygrad_dl.viz.known.values import values_of


def columns(drawing: viz.Drawing) -> dict[str, list[str]]:
    """What stands below "data" and "grad" in each box, by its title."""
    found = {}
    for line in drawing.source.splitlines():
        title = re.search(r'label="\{+(?:[^|]*<i.*?\}\|)?([^|\\]*)', line)
        if title is not None and "data" in line:
            found[title[1]] = re.findall(r"(?:data|grad)\\n(.*?)(?=[|}])", line)
    return found


def test_values_and_gradients_are_those_of_backward() -> None:
    x = td.tensor([1.0, 2.0], requires_grad=True)
    w = td.tensor([3.0, -1.0], requires_grad=True)
    with viz.recording():
        h = (x * w).tanh()
        loss = (h * 2.0 + x).sum()
    drawing = viz.graph(
        loss, {"x": x, "w": w, "h": h}, values=True, gradients=True, show_shapes=False, show_saved=False
    )
    loss.backward()
    found = columns(drawing)
    gap = "\xa0\xa0"
    assert found["Sum"] == ["3.062", "1"]  # 3 + 2 (tanh 3 - tanh 2) = 3.06205...
    assert found["Tanh → h"] == [f"\xa00.9951{gap}-0.9640", f"2{gap}2"]
    assert found["x"] == [f"1{gap}2", gap.join(f"{each:.3f}" for each in x.grad.tolist())]
    assert found["w"][1] == gap.join(f"{each:.4f}" for each in w.grad.tolist())
    assert "not known" not in drawing.source


def test_without_a_recording_what_is_kept_is_known() -> None:
    x = td.tensor([0.5, 2.0], requires_grad=True)
    y = (x + 1.0).exp() * x
    drawing = viz.graph(y, {"x": x}, values=True, show_shapes=False, show_saved=False)
    found = columns(drawing)
    assert found["Add"] == ["?"]  # whose result the exponential does not read
    assert found["Exp"] == ["\xa0\xa04.48\xa0\xa020.09"]  # e^1.5, e^3
    assert found["Mul"] == ["\xa0\xa02.24\xa0\xa040.17"]
    assert 'label="1 value not known (?): compute inside td.viz.recording() to see it' in drawing.source


def test_a_value_that_was_changed_in_place_is_not_shown() -> None:
    x = td.tensor([1.0, 2.0], requires_grad=True)
    h = x + 1.0
    y = h * h
    with td.no_grad():
        h.mul_(10.0)
    assert columns(viz.graph(y, values=True, show_shapes=False, show_saved=False))["Add"] == ["?"]


def test_gradients_leave_everything_as_it_was() -> None:
    x = td.tensor([1.0, 2.0], requires_grad=True)
    h = x * x
    h.retain_grad()
    seen = []
    h.register_hook(lambda g: seen.append(g.tolist()) or g * 3)
    y = h.sum()
    drawing = viz.graph(y, {"x": x}, gradients=True, show_shapes=False, show_saved=False)
    assert "grad\\n\xa0\xa06\xa0\xa012" in drawing.source  # hooks count, as in a backward pass
    assert x.grad is None and h.grad is None
    y.backward()
    assert x.grad.tolist() == [6, 12] and h.grad.tolist() == [3, 3] and seen == [[1, 1], [1, 1]]


def test_gradient_of_outputs_that_are_no_scalars() -> None:
    x = td.tensor([1.0, 2.0], requires_grad=True)
    y, z = x * 2, x.sum()
    with pytest.raises(RuntimeError, match=r"gradients: got an output of shape \(2,\), expected a scalar"):
        viz.graph(y, gradients=True)
    with pytest.raises(RuntimeError, match=r"gradient: got a starting gradient of shape \(3,\), expected .*, \(2,\)"):
        viz.graph(y, gradients=True, gradient=td.ones(3))
    with pytest.raises(ValueError, match="gradient: got one, expected gradients=True or heat='gradient' with it"):
        viz.graph(y, gradient=td.ones(2))
    with pytest.raises(ValueError, match="got 1 starting gradients for 2 tensors, expected one each"):
        viz.graph((y, z), gradients=True, gradient=[td.ones(2)])
    assert "grad\\n\xa0\xa06\xa0\xa016" in viz.graph(y, gradients=True, gradient=td.tensor([3.0, 8.0])).source
    assert (
        "grad\\n\xa0\xa07\xa0\xa017" in viz.graph((y, z), gradients=True, gradient=[td.tensor([3.0, 8.0]), None]).source
    )


def test_a_freed_graph_has_no_gradients() -> None:
    x = td.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"gradients: got a graph whose saved values .*freed \(at Mul\)"):
        viz.graph(y, gradients=True)
    assert columns(viz.graph(y, values=True, show_shapes=False))["Mul"] == ["?"]


def test_hooks_on_saved_tensors_are_not_called_to_draw() -> None:
    x = td.tensor([1.0, 2.0], requires_grad=True)
    unpacked = []
    with td.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: unpacked.append(t) or t), viz.recording():
        y = (x.exp() * 3.0).sum()
    drawing = viz.graph(y, values=True, heat="memory")
    assert not unpacked and "x * 3" in drawing.source and "Exp" in drawing.source
    assert r"grad\n  8.15  22.17" in viz.graph(y, gradients=True).source.replace("\xa0", " ") and unpacked


def test_several_outputs() -> None:
    x = td.tensor([3.0, 1.0], requires_grad=True)
    with viz.recording():
        values, _ = td.sort(x)
        y = (values * td.tensor([1.0, 5.0])).sum()
    text = viz.graph(y, values=True, gradients=True, show_shapes=False, show_saved=False).source
    gap = "\xa0\xa0"
    assert rf"<o0> values\ndata\n1{gap}3\ngrad\n1{gap}5|<o1> indices\ndata\n1{gap}0\ngrad\nnone}}" in text


@pytest.mark.parametrize(
    ("array", "lines"),
    [
        (0.123456, ["0.1235"]),
        (-0.0, ["0"]),
        (float("nan"), ["nan"]),
        (1e9, ["1e+09"]),
        (1 + 2j, ["1+2j"]),
        ([True, False], ["\xa0\xa0True\xa0\xa0False"]),
        ([1e-5, 3e-4], ["\xa0\xa01e-05\xa0\xa00.0003"]),
        ([[10.0, 20.5], [-1.0, 3.0]], ["10.0\xa0\xa020.5", "\xa0-1.0\xa0\xa0\xa0\xa03.0"]),
        ([1.0, np.inf, 2.5], ["\xa01.0\xa0\xa0inf\xa0\xa0\xa02.5"]),
        (np.zeros((0, 3)), ["empty"]),
        (np.arange(100.0), ["0 … 99", "mean 49.5"]),
        (np.full((7, 7), 3.0), ["all 3"]),
        ([np.nan] * 40, ["no finite number"]),
        ([1.0] * 39 + [np.inf], ["all 1", "1 not finite"]),
        (np.zeros((2, 2, 2)), ["all 0"]),
    ],
)
def test_written(array: object, lines: list[str]) -> None:
    assert written(values_of(np.asarray(array))) == lines


def test_a_small_model_shows_the_numbers_of_its_parameters() -> None:
    model = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
    text = viz.graph(model, td.tensor([[1.0, 2.0]]), values=True, gradients=True).source
    assert text.count('class="parameter ') == 2 and "grad\\n1" in text
    assert 'class="parameter ' not in viz.graph(model, td.tensor([[1.0, 2.0]])).source
    large = nn.Sequential(*(nn.Linear(2, 2) for _ in range(30)))
    assert 'class="module ' in viz.graph(large, td.ones(1, 2), values=True).source


def test_the_values_of_what_a_model_was_given() -> None:
    """Also where no operation keeps them."""

    class Model(nn.Module):
        def forward(self, x: td.Tensor) -> td.Tensor:
            return (-x).exp()

    text = viz.graph(Model(), td.tensor([1.0, 2.0]), values=True, show_shapes=False).source
    assert "{x|{data\\n1\xa0\xa02}}" in text and "?" not in text
