"""Every example says what it shows, can be run and is listed in docs/course.md; `make examples` runs them all."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from course import example

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.name != "show.py")  # what they share
# A path from the root of a file system: /home/..., C:\..., ~/...
ABSOLUTE = re.compile(r"(?:^|[\s\"'(=])(?:/[A-Za-z_][\w.-]*/[\w.-]+|[A-Za-z]:\\|~/)")


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def path(request):
    return request.param


def test_there_are_examples_and_each_number_is_given_once():
    numbers = [path.name[:2] for path in EXAMPLES if path.name[0].isdigit()]
    assert numbers and len(numbers) == len(set(numbers))


def test_it_says_what_it_shows(path):
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    first, _, rest = text.partition("\n")
    assert first.endswith((".", ":", "?", ",", ";")) or rest, f"{path.name} begins with no sentence: {first!r}"
    assert len(rest.split()) > 15, f"{path.name} does not say what to see"


def test_it_can_be_run_and_imported(path):
    tree = ast.parse(path.read_text())
    assert any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body), (
        f"{path.name}: no main()"
    )
    last = tree.body[-1]
    assert ast.unparse(last).replace('"', "'") == "if __name__ == '__main__':\n    main()", (
        f"{path.name}: main() not called"
    )


def test_it_is_listed(path):
    assert f"](../examples/{path.name})" in (ROOT / "docs" / "course.md").read_text(), f"{path.name} has no row"


def test_it_names_no_absolute_path(path):
    found = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    assert [text for text in found if isinstance(text, str) and ABSOLUTE.search(text)] == []


def test_what_counts_as_an_absolute_path():
    assert all(ABSOLUTE.search(text) for text in ("/home/me/data", "see /usr/share", "C:\\data", "~/data"))
    assert not any(
        ABSOLUTE.search(text) for text in ("out/a.png", "https://a.org/b/c", "1 / 2", "lambda / 2m", "and/or")
    )


def test_every_row_leads_to_an_example():
    linked = re.findall(r"\]\(\.\./examples/([^)/]+)\)", (ROOT / "docs" / "course.md").read_text())
    assert sorted(linked) == [path.name for path in EXAMPLES]


def test_every_exercise_is_listed():
    """Those with blanks, which check themselves; tests/test_exercises.py has the rest."""
    linked = re.findall(r"\]\(\.\./examples/exercises/(\w+\.py)\)", (ROOT / "docs" / "course.md").read_text())
    solutions = (ROOT / "examples" / "exercises" / "solutions").glob("*.py")
    assert sorted(linked) == sorted(path.name for path in solutions)


def test_a_graph_is_drawn_and_walked(tmp_path, monkeypatch, capsys):
    """`make examples` runs those with numbers, `make demo` the digits."""
    monkeypatch.chdir(tmp_path)
    example("draw_graph").main()
    printed = capsys.readouterr().out.split("\n")
    assert printed[0].endswith("classifier-light.dot") and (tmp_path / "out" / "classifier-dark.dot").stat().st_size
    tree = printed[printed.index("") + 1 :]
    assert tree[:3] == ["<CrossEntropyBackward0> ()", "  <LinearBackward0> (8, 3)", "    <ReluBackward0> (8, 32)"]


@pytest.fixture
def show():
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("show_of_examples", ROOT / "examples" / "show.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("quick", [False, True])
def test_a_quick_run_too_short_to_conclude_says_so_first_and_in_its_picture(show, quick, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["example.py", "--out", str(tmp_path), *["--quick"] * quick])
    options = show.options("An example.", "one epoch")
    printed = capsys.readouterr().out
    assert printed.split("\n")[0] == ("--quick is too short to conclude: one epoch." if quick else "")
    figure = show.Figure()
    figure.suptitle("A title")
    show.save(figure, options, "a.png")
    head = "\n--quick, too short to conclude: one epoch" if quick else ""
    assert figure.get_suptitle() == f"A title{head}"
    assert (tmp_path / "a.png").stat().st_size > 0


GALLERY = ROOT / "docs" / "gallery.md"


def test_every_picture_is_in_the_gallery_and_small():
    folder = ROOT / "docs" / "img"
    shown = re.findall(r"!\[[^]]*\]\(img/([^)]+)\)", GALLERY.read_text())
    of_the_readme = re.findall(r"img/(readme-[\w.-]+)", (ROOT / "README.md").read_text())
    pages = "".join((ROOT / "docs" / f"{page}.md").read_text() for page in ("performance", "scaling"))
    of_pages = re.findall(r"img/([\w.-]+)", pages)
    assert {*shown, *of_the_readme, *of_pages} == {path.name for path in folder.iterdir()}
    numbered = [name for name in shown if name[0].isdigit()]
    assert {path.stem for path in EXAMPLES if path.name[0].isdigit()} <= {Path(name).stem for name in numbered}
    assert [name for name in numbered if not name.startswith(tuple(path.stem for path in EXAMPLES))] == []
    assert [name for name in shown + of_the_readme + of_pages if (folder / name).stat().st_size >= 80_000] == []


def test_the_code_of_the_gallery_makes_its_pictures(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("make_pictures", ROOT / "docs" / "make_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    subprocess.run([sys.executable, "-W", "error", "-c", module.blocks()], check=True, cwd=tmp_path)
    before, _, _ = GALLERY.read_text().partition("## The course")
    shown = re.findall(r"!\[[^]]*\]\(img/([^)]+)\)", before)
    drawn = {path.name for path in tmp_path.iterdir() if path.suffix in (".png", ".svg")}
    assert drawn == {name for name in shown if not name.startswith("readme-")}
