"""Boxes coloured by a quantity: which colours they get, and that the text stays legible on them."""

from __future__ import annotations

import re

import pytest

import tinygrad_dl as td
from tinygrad_dl import nn, viz


def fills(drawing: viz.Drawing) -> dict[str, str]:
    """The colour of each operation and leaf, by its title."""
    lines = [
        re.search(r'label="([^\\"]*).*class="(\w+).*fillcolor="([^"]*)"', line) for line in drawing.source.splitlines()
    ]
    return {line[1]: line[3] for line in lines if line is not None and line[2] != "output"}


def chain() -> td.Tensor:
    x = td.ones(4, 4, requires_grad=True)
    return ((x.exp() * 0.001).sin() + 1.0).sum()


def test_memory() -> None:
    drawing = viz.graph(chain(), heat="memory")
    cold, hot = viz.LIGHT.heat["fillcolor"].split(":")
    found = fills(drawing)
    assert found["Exp"] == found["Sin"] == hot and found["Add"] == found["Sum"] == cold
    assert cold < found["Mul"] or found["Mul"] != hot  # 4 of 64 bytes
    assert found["input"] == viz.LIGHT.input["fillcolor"]  # a leaf keeps nothing
    assert r'label="0 B … 64 B\nkept for backward"' in drawing.source
    assert drawing.source.count("saves 64 B") == 2
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh())  # whose picture shows no bytes else
    assert "saves 160 B" in viz.graph(model, td.ones(10, 4), heat="memory").source


def test_gradient() -> None:
    drawing = viz.graph(chain(), heat="gradient", theme="dark")
    cold, hot = viz.DARK.heat["fillcolor"].split(":")
    found = fills(drawing)
    assert found["Sum"] != hot and found["Add"] == found["Sin"] == hot  # norms 1 and 4
    assert found["Exp"] == cold  # 0.004
    assert r"\ngradient 0.004" in drawing.source and "0.004 … 4" in drawing.source
    assert r"data\n" not in drawing.source and r"grad\n" not in drawing.source


def test_cost() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    for name in ("cost", "flops"):
        drawing = viz.graph(model(td.ones(10, 4)), model, heat=name)
        assert "multiply-adds 320" in drawing.source and "multiply-adds 160" in drawing.source
        assert r'label="0 … 320\nmultiply-adds"' in drawing.source


def test_nothing_to_colour() -> None:
    x = td.ones(2, requires_grad=True)
    drawing = viz.graph(x.sum(), heat="cost")
    assert set(fills(drawing).values()) == {viz.LIGHT.input["fillcolor"], viz.LIGHT.heat["fillcolor"].split(":")[0]} | {
        viz.LIGHT.heat["fillcolor"]
    }


def test_refusals() -> None:
    with pytest.raises(ValueError, match="heat: got 'time', expected one of 'memory', 'cost', 'gradient', 'flops'"):
        viz.graph(chain(), heat="time")
    y = chain()
    y.backward()
    with pytest.raises(RuntimeError, match=r"gradients: got a graph whose saved values .*freed"):
        viz.graph(y, heat="gradient")
    assert r'label="0 B … 0 B\n' in viz.graph(y, heat="memory").source


@pytest.mark.parametrize("theme", [viz.LIGHT, viz.DARK])
def test_text_is_legible_on_all_colours(theme: viz.Theme) -> None:
    """By the contrast that the guidelines for accessible pages ask for: 4.5 to 1."""
    kinds = [theme.op, theme.gradient, theme.parameter, theme.input, theme.output, theme.note]
    colours = [style["fillcolor"] for style in kinds] + theme.heat["fillcolor"].split(":")
    assert all(contrast(colour, theme.node["fontcolor"]) >= 4.5 for colour in colours)


def contrast(a: str, b: str) -> float:
    """Source: https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio"""
    bright, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = (part / 255 for part in bytes.fromhex(colour[1:]))
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
