"""The code blocks of README, CONTRIBUTING and the other pages run; the commands of README are those of CI."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def blocks(document: str, language: str) -> list[str]:
    """The document's code blocks in one language, unindented."""
    text = (ROOT / document).read_text()
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


@pytest.mark.parametrize("code", blocks("README.md", "python"))
def test_readme_code_runs(code, registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


@pytest.mark.parametrize("code", blocks("docs/autograd.md", "python"))
def test_code_of_the_page_on_automatic_differentiation_runs(code):
    exec(compile(code, "docs/autograd.md", "exec"), {"__name__": "page"})


@pytest.mark.parametrize("code", blocks("docs/transforms.md", "python"))
def test_code_of_the_page_on_transforms_runs(code):
    exec(compile(code, "docs/transforms.md", "exec"), {"__name__": "page"})


@pytest.mark.parametrize("code", blocks("docs/files.md", "python"))
def test_code_of_the_page_on_files_runs(code):
    exec(compile(code, "docs/files.md", "exec"), {"__name__": "page"})


@pytest.mark.parametrize("code", blocks("docs/from_pytorch.md", "python"))
def test_code_of_the_page_for_users_of_pytorch_runs(code, tmp_path):
    """In a process of its own, as it takes PyTorch's name."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert not done.returncode, done.stderr
    assert (tmp_path / "model.pth").exists()


def test_contributing_code_runs_as_one_program(registry):
    exec(compile("\n".join(blocks("CONTRIBUTING.md", "python")), "CONTRIBUTING.md", "exec"), {"__name__": "guide"})


def test_readme_commands_are_run_by_ci():
    commands = [line.split("#")[0].strip() for block in blocks("README.md", "sh") for line in block.splitlines()]
    assert commands == ["make demo", "make test", "make docs"]
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert set(commands) <= set(script)


def test_readme_links_lead_somewhere():
    text = (ROOT / "README.md").read_text()
    targets = [link or picture for link, picture in re.findall(r"\]\(([^)#:]+)\)|src(?:set)?=\"([^\"]+)\"", text)]
    assert [target for target in targets if not (ROOT / target).exists()] == []
    assert {target for target in targets if target.startswith("docs/img/")} == {
        f"docs/img/readme-{name}" for name in ("gpt-light.svg", "gpt-dark.svg", "explain-light.png", "explain-dark.png")
    }


def test_the_table_of_extras_names_all_of_them_and_what_they_bring():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    listed = {name: brings for names, brings in rows for name in re.findall(r"`(\w+)`", names)}
    assert listed.keys() == extras.keys()
    alone = {name: packages for name, packages in extras.items() if not any("tinygrad_dl[" in p for p in packages)}
    for name, packages in alone.items():
        for package in packages:
            assert re.match(r"[\w-]+", package)[0].lower() in listed[name].lower(), f"{name} brings {package}"
