"""The page of `viz.explain` as text: whole in itself, true to the trace, safe with any name, small; how it is saved."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn


def net():
    x = td.tensor([[0.5, -1.0], [1.5, 0.25]])
    w, b = td.tensor([[0.5], [1.5]], requires_grad=True), td.zeros(1, requires_grad=True)
    with td.viz.recording():
        h = td.tanh(x @ w + b)
        loss = (h * h).sum()
    return loss, {"x": x, "w": w, "b": b, "h": h}


class Parts(HTMLParser):
    """The elements of a page with their attributes, and what stands in scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self.texts.append([tag, dict(attributes), ""])

    def handle_data(self, data):
        if self.cdata_elem is not None:  # inside of a script or style
            self.texts[-1][2] += data


def data_of(html):
    """What the page is made from."""
    (text,) = [text for tag, attributes, text in Parts(html).texts if attributes.get("type") == "application/json"]
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_it_asks_nothing_of_the_network():
    page = td.viz.explain(*net())
    parts = Parts(page.html)
    for tag, attributes in parts.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
        assert not {"src", "srcset", "data", "action", "style"} & attributes.keys(), (tag, attributes)
        assert attributes.get("href", "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on")]
    names = set(re.findall(r"https?://[^\s\"'`)]+", page.html))
    assert names <= {"http://www.w3.org/2000/svg"}  # the name of what SVG elements are, which nobody fetches
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket|innerHTML|eval\(|import\(", page.html)


def test_its_policy_names_its_own_style_and_script_and_nothing_else():
    parts = Parts(td.viz.explain(*net()).html)
    ((_, meta),) = [e for e in parts.elements if e[1].get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in meta["content"].split(";"))
    assert rules["default-src"] == "'none'"
    for kind in ("style", "script"):
        (text,) = [t for tag, attributes, t in parts.texts if tag == kind and "type" not in attributes]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"


def test_its_data_are_those_of_the_trace():
    loss, names = net()
    trace = td.viz.trace(loss, params=names)
    data = data_of(td.viz.explain(loss, names).html)
    text, values = data["strings"].__getitem__, data["values"]
    rows = {text(row[1]): row for row in data["nodes"]}
    assert [text(row[1]) for row in data["nodes"]] == ["x", "w", "%1", "b", "%2", "h", "%4", "loss"]
    assert [row[0] for row in data["nodes"]] == [3, 1, 0, 1, 0, 0, 0, 0]
    assert data["title"] == "loss" and data["note"] == ""
    for step, number in zip(trace.steps, data["backward"], strict=True):
        row = data["nodes"][number]
        assert (text(row[1]), text(row[3])) == (step.name, step.formula)
        np.testing.assert_allclose(values[row[7][0]][2], step.values[0].array.ravel(), rtol=1e-5)
        np.testing.assert_allclose(values[row[8][0]][2], step.incoming[0].array.ravel(), rtol=1e-5)
        assert {text(e[2]): text(e[3]) for e in row[9] if e[3] >= 0} == step.rules
    for leaf in trace.leaves:
        row = rows[leaf.name]
        np.testing.assert_allclose(values[row[8][0]][2], leaf.gradient.array.ravel(), rtol=1e-5)
    # h * h sends two gradients to h, which are added; each stands at its edge.
    assert [values[edge[4]][2] for edge in rows["%4"][9]] == [values[rows["h"][7][0]][2]] * 2
    assert rows["h"][9][0][4] == -1
    line = data["lines"][rows["h"][5]]
    assert [text for text in line if isinstance(text, str)] == ["test_explain.py", "net", "h = td.tanh(x @ w + b)"]


def test_modules_are_groups():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    with td.viz.recording():
        loss = model(td.ones(1, 2)).sum()
    data = data_of(td.viz.explain(loss).html)
    text = data["strings"].__getitem__
    groups = [(parent, text(path), text(type)) for parent, path, type in data["groups"]]
    assert groups == [(-1, "", ""), (0, "", "Sequential"), (1, "0", "Linear"), (1, "1", "Tanh")]
    assert [row[4] for row in data["nodes"] if row[0] == 0] == [2, 3, 0]
    assert {"0.weight", "0.bias"} <= set(data["strings"])


def test_without_a_recording_it_says_how_to_see_more():
    w = td.tensor([1.0, -2.0], requires_grad=True)
    page = td.viz.explain((w * 3).tanh().sum(), {"w": w})
    data = data_of(page.html)
    assert data["note"].endswith("compute the loss inside `with td.viz.recording():`.")
    assert data["groups"] == [[-1, data["strings"].index(""), data["strings"].index("")]] and data["lines"] == []
    assert repr(page) == "<Page: 3 operations, 10 steps>"


def test_the_graph_and_gradients_are_as_they_were():
    loss, names = net()
    td.viz.explain(loss, names)
    assert names["w"].grad is None
    loss.backward()
    assert names["w"].grad is not None


NAMES = [
    "</script><script>alert(1)</script>",
    "\"quoted'",
    "<!--",
    "\u202egnp.exe",
    "😀",
    "{{script}}",
    "a\u2028b",
    "\\u003c",
]


def test_any_name_is_text():
    tensors = {name: td.tensor(1.0, requires_grad=True) for name in NAMES}
    html = td.viz.explain(sum(tensors.values()), tensors, title="<b>{{data}}&amp;").html
    assert set(NAMES) <= set(data_of(html)["strings"])
    assert [tag for tag, _ in Parts(html).elements].count("script") == 2
    assert "<title>Backpropagation of &lt;b&gt;{{data}}&amp;amp;, step by step</title>" in html


def test_numbers_that_json_has_not():
    w = td.tensor([float("nan"), float("inf"), -1.0, 0.1], requires_grad=True)
    with td.viz.recording():
        loss = (w * td.tensor([1.0, 2.0, 1e-30, 1.0])).sum()
    data = data_of(td.viz.explain(loss, {"w": w}).html)
    (row,) = [row for row in data["nodes"] if data["strings"][row[1]] == "w"]
    assert data["values"][row[7][0]][2] == ["nan", "inf", -1.0, 0.1]
    large = td.full((7, 7), float("nan"), requires_grad=True)
    data = data_of(td.viz.explain(large.sum()).html)
    (value,) = data["nodes"][0][7]
    assert data["values"][value][2:] == [None, None, None, [0] * 16, 49]


def test_a_large_graph_stays_small():
    """600 operations with arrays of 16 elements each: less than a kilobyte an operation, besides what each page has."""
    w = td.ones(4, 4, requires_grad=True)
    with td.viz.recording():
        x = w
        for _ in range(300):
            x = (x * w).tanh()
        loss = x.sum()
    html = td.viz.explain(loss, {"w": w}).html
    small = td.viz.explain(w.sum()).html
    assert len(small) < 130_000
    assert len(html) - len(small) < 601_000


def test_it_is_saved_whole_or_not_at_all(tmp_path):
    page = td.viz.explain(*net())
    path = page.save(tmp_path / "new" / "page.html")
    assert path == tmp_path / "new" / "page.html" and path.read_text("utf-8") == page.html
    with pytest.raises(ValueError, match=r"^Page.save: got the path 'page.txt', expected one that ends in .html$"):
        page.save("page.txt")
    with pytest.raises(IsADirectoryError, match=r"which is a folder, expected the path of a file"):
        os.mkdir(tmp_path / "folder.html")
        page.save(tmp_path / "folder.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        page.save(tmp_path / "file" / "page.html")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.html", "new"]


def test_opening_it_needs_a_browser_and_no_other_file(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    page = td.viz.explain(*net())
    path = page.open()
    assert path.read_text("utf-8") == page.html and opened == [path.as_uri()]


def test_a_notebook_shows_it_in_a_frame():
    page = td.viz.explain(*net())
    ((tag, attributes),) = Parts(page._repr_html_()).elements
    assert tag == "iframe" and attributes["srcdoc"] == page.html and attributes["sandbox"] == "allow-scripts"


def test_bad_arguments():
    w = td.ones(2, requires_grad=True)
    with pytest.raises(TypeError, match=r"expected a tinygrad_dl\.Tensor, got float"):
        td.viz.explain(1.0)
    with pytest.raises(RuntimeError, match="graph"):
        td.viz.explain(td.ones(2).sum())
    with pytest.raises(RuntimeError, match="got a leaf"):
        td.viz.explain(td.ones((), requires_grad=True))
    with pytest.raises(RuntimeError, match=r"got a tensor of shape \(2,\), expected a loss of one element"):
        td.viz.explain(w * 2)
    with pytest.raises(TypeError, match="title: got int, expected a str or None"):
        td.viz.explain((w * 2).sum(), title=3)
    with pytest.raises(TypeError, match="params"):
        td.viz.explain((w * 2).sum(), params=3)
    loss = (w * w).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="freed"):
        td.viz.explain(loss)
