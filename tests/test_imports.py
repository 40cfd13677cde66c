"""The import contract: what importing the package loads, and in which direction its parts know each other."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tinygrad_dl"

# A part imports only parts to the left of its own, or on the same level.
LEVELS = [
    {
        "warning",
        "modes",
        "inputs",
        "dispatch",
        "dtypes",
        "generate",
        "memory",
        "threads",
        "blas",
        "gemm",
        "writing",
        "npz",
        "safetensors",
    },
    {"hooks"},
    {"engine"},
    {"tensor"},
    {"composition", "messages", "printing", "protocol"},
    {"creation"},
    {"random"},
    {"declaration", "methods", "runtime"},
    {"ops"},
    {"function"},
    {"autograd", "serialization"},
    {"nn"},
    {"optim"},
    {"data"},
    {"vision"},
    {"train"},
    {"estimators"},
    {"viz", "testing"},
]
RANK = {part: rank for rank, level in enumerate(LEVELS) for part in level}
FOLDERS = {"backends", "core"}  # their modules are parts of their own
ASIDE = {"viz", "testing"}  # may import anything, and nothing imports them


def part_of(module: list[str]) -> str:
    """The part that a module is in, by its path below the package."""
    return module[1] if module[0] in FOLDERS and len(module) > 1 else module[0]


def module_imports(path: Path) -> set[str]:
    """The parts of the package that a file imports when it is imported, not inside functions or for types."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tinygrad_dl"):
            parent = node.module.split(".")[1:]
            found.update(part_of([*parent, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(part_of(a.name.split(".")[1:]) for a in node.names if a.name.startswith("tinygrad_dl."))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


ROOTS = {PACKAGE / "__init__.py", *(PACKAGE / folder / "__init__.py" for folder in FOLDERS)}
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path not in ROOTS]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    part = part_of(list(path.relative_to(PACKAGE).with_suffix("").parts))
    for other in module_imports(path) - {part}:
        assert other not in ASIDE, f"{part} imports {other}, which nothing may import"
        assert RANK[other] <= RANK[part], f"{part} imports {other}, which stands above it"


def imported_by(code: str) -> set[str]:
    """The top-level modules that are loaded after running `code` in a new process, beyond a bare start."""
    program = (
        f"import sys; before = set(sys.modules)\n{code}\nprint(*{{m.split('.')[0] for m in set(sys.modules) - before}})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split()) - set(sys.stdlib_module_names)


def test_importing_the_package_imports_numpy_and_nothing_else():
    assert imported_by("import tinygrad_dl") == imported_by("import numpy") | {"tinygrad_dl"}


def test_the_standard_library_modules_it_loads_are_those_of_numpy_and_a_few_more():
    code = "import sys, numpy; before = set(sys.modules)\nimport tinygrad_dl\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    extra = {name for name in done.stdout.split() if name.split(".")[0] not in ("tinygrad_dl", "numpy")}
    assert extra <= {"__future__", "threading"}


def test_drawing_and_testing_are_imported_at_first_use():
    assert "graphviz" not in imported_by("import tinygrad_dl as td; td.viz")
    assert "hypothesis" in imported_by("import tinygrad_dl as td; td.testing.check_op")
