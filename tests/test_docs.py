"""The pages of the site: their code prints what they show; every public name has an entry; links are checked."""

from __future__ import annotations

import re
from pathlib import Path

import make_errors
import pytest
from _ext import api, docstrings, dtypes, links, names, operators
from _ext.assemble import translated
from _ext.blocks import code_blocks, run

import tinygrad_dl as td
from tinygrad_dl.core.declaration import REGISTRY
from tinygrad_dl.core.namespaces import NAMESPACES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
# Pages whose code tests/test_readme.py and tests/test_examples.py run: each block by itself, or in another folder.
ELSEWHERE = {"autograd.md", "files.md", "from_pytorch.md", "gallery.md", "transforms.md"}
NEEDS = {"onnx": ["onnx", "onnxruntime"], "scaling": ["mpi4py"]}
PROGRAMS = [page for page in sorted(DOCS.glob("*.md")) if page.name not in ELSEWHERE and code_blocks(page.read_text())]


@pytest.mark.parametrize("page", PROGRAMS, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_and_prints_what_it_shows(page, registry, tmp_path, monkeypatch):
    for needed in NEEDS.get(page.stem, ()):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)
    for block, shown, error in run(page.read_text()):
        place = f"{page.name}:{block.line}"
        assert error is None, f"{place}: {error!r}"
        assert block.output in (None, shown), f"{place} prints\n{shown}"


def test_the_list_of_errors_names_every_page_once():
    assert sorted(make_errors.pages()) == sorted(
        page for page in make_errors.FOLDER.glob("*.md") if page.stem != "index"
    )
    assert (make_errors.FOLDER / "index.md").read_text() == make_errors.index(), "run: python docs/make_errors.py"


@pytest.mark.parametrize("page", make_errors.pages(), ids=lambda page: page.stem)
def test_a_page_of_an_error_shows_the_error(page, registry, tmp_path, monkeypatch):
    """The first block raises it; no block raises or warns that does not show what comes of it."""
    monkeypatch.chdir(tmp_path)
    first, *others = run(page.read_text())
    assert first.error is not None
    assert all(each.error is None or each.block.output is not None for each in others)
    assert make_errors.written(page) == page.read_text(), "run: python docs/make_errors.py"
    assert re.search(r"^\*\*Why\.\*\*", page.read_text(), re.MULTILINE)
    assert re.search(r"^\*\*How to mend it\.\*\*", page.read_text(), re.MULTILINE)


def test_every_public_name_has_one_entry(monkeypatch):
    monkeypatch.setattr(operators, "accepted", lambda op, function: "not tried here.")
    text = "\n".join({**api.pages(), **operators.pages()}.values())
    heads = re.findall(r"^:{6}\{py:\w+\} ([\w.]+)", text, re.MULTILINE)
    others = [
        name.removesuffix("()")
        for line in re.findall(r"^:also: (.*)$", text, re.MULTILINE)
        for name in line.split("; ")
    ]
    entries = [*heads, *others]
    assert len(entries) == len(set(entries))
    wanted = {
        f"{namespace}.{name}"
        for namespace in names.NAMESPACES
        if names.module_of(namespace) is not None
        for name in names.public_names(namespace)
    }
    assert wanted - set(entries) == wanted & set(names.NAMESPACES) - {"td.Tensor"}  # these have pages
    assert {"td.matmul", "td.Tensor.backward", "td.nn.Linear", "td.optim.lr_scheduler.StepLR", "td.train.fit"} <= wanted


def test_every_operation_has_an_entry_in_the_pages_of_operators(monkeypatch):
    """Public ones under their names, others as what functions call; every namespace of operations is gone through."""
    monkeypatch.setattr(operators, "accepted", lambda op, function: "not tried here.")
    assert {name.replace("tinygrad_dl", "td") for name in NAMESPACES} <= set(names.NAMESPACES)
    text = "\n".join(operators.pages().values())
    shown = {id(operators.op_of(entry)) for entry in names.entries().values()}
    missing = [
        op.key
        for op in REGISTRY.values()
        if op.home.startswith(operators.OPS)
        and id(op) not in shown
        and f"### {op.name} (behind other functions)" not in text
    ]
    assert not missing
    for name in (
        "td.hash_tensor",
        "td.fft.rfft",
        "td.special.entr",
        "td.signal.windows.hann",
        "td.Tensor.fill_diagonal_",
    ):
        assert re.search(rf"^:{{6}}\{{py:\w+\}} {re.escape(name)}\b", text, re.MULTILINE), name


def test_an_entry_of_an_operation_says_what_its_declaration_says():
    entry = names.entries()["td.mul"]
    text = api.entry_text(entry, "operators/pointwise", operators.declared(td.mul.op, entry))
    assert text.startswith(
        "::::::{py:function} td.mul(input: td.Tensor, other: td.Tensor, *, out: td.Tensor | None = None)"
    )
    assert ":also: td.multiply" in text and "td.Tensor.mul_()" in text
    assert "mul.vjp(\n    input=lambda g, other: g * other,\n    other=lambda g, input: g * input,\n)" in text
    assert "- **Forward mode**: the gradient rules, as of every op of the kind elementwise." in text
    assert "- **NumPy**: `np.multiply` of tensors." in text
    assert 'href="../sources/tinygrad_dl/ops/pointwise/arithmetic.html#L' in text


def test_dtypes_are_those_that_come_out():
    assert dtypes.accepted(td.exp.op, td.exp) == (
        "bool, integers give float32; half precision, floating, complex give the same."
    )
    assert (
        dtypes.accepted(td.bitwise_and.op, td.bitwise_and)
        == "bool, integers give the same; refused: half precision, floating, complex."
    )
    assert dtypes.accepted(td.lt.op, td.lt) == "bool, integers, half precision, floating give bool; refused: complex."


def test_docstrings_become_markdown_in_which_only_code_is_marked():
    text = "x * y of _all_ `a * b`.\n\nArgs:\n    x, y: two\n        tensors.\n\n>>> 1 + 1\n2\n\nSource: https://example.org/a_b"
    assert docstrings.markdown(text) == (
        "x \\* y of \\_all\\_ `a * b`\\.\n\n**Arguments**\n\n- `x, y`: two tensors\\.\n\n"
        "```pycon\n>>> 1 + 1\n2\n```\n\n*Source:* <https://example.org/a_b>"
    )


def test_links_of_a_page_lead_to_the_places_of_the_site():
    places = {"CONTRIBUTING.md": "contributing.md", "docs/design.md": "design.md"}
    sources = frozenset(["tinygrad_dl/core/op.py"])
    assert (
        translated("[a](docs/design.md#one) [b](#two)", "CONTRIBUTING.md", places, sources)
        == "[a](design.md#one) [b](#two)"
    )
    assert translated("[`op`](../tinygrad_dl/core/op.py)", "docs/design.md", places, sources) == (
        '<a class="source" href="sources/tinygrad_dl/core/op.html">`op`</a>'
    )


def test_faults_of_a_built_site_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<h1 id="top">A</h1><a href="b.html#there">b</a> <a href="b.html#gone">c</a> <a href="#top">d</a>'
        '<a href="c.html">e</a> <a href="https://example.org/x">f</a> <img src="p.png" alt="A picture">'
        '<img src="p.png">'
    )
    (tmp_path / "b.html").write_text('<p id="there">B</p>')
    (tmp_path / "p.png").write_bytes(b"")
    assert links.faults(tmp_path) == (
        [
            "a.html: b.html#gone leads to no place on that page",
            "a.html: c.html leads to no file",
            "a.html: the picture p.png has no text (alt)",
        ],
        ["https://example.org/x"],
    )
