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
        "errors",
        "warning",
        "modes",
        "inputs",
        "declared",
        "namespaces",
        "table",
        "record",
        "dispatch",
        "lazy_names",
        "arrays",
        "device",
        "promotion",
        "size",
        "dtypes",
        "layout",
        "generate",
        "memory",
        "threads",
        "blas",
        "axpby",
        "blocks",
        "transposing",
        "along_rows",
        "gemm",
        "writing",
        "archive",
        "npz",
        "safetensors",
    },
    {"mutations"},
    {"contents", "hooks", "views"},
    {"graph"},
    {"engine"},
    {"inference"},
    {"tensor"},
    {"lazy"},
    {"transforms"},
    {"descriptions", "notebook", "numpy_errors", "printing"},
    {"untracked"},
    {"ufuncs"},
    {"batching", "composition", "destination", "messages", "protocol"},
    {"creation"},
    {"random", "tensor_types"},
    {"declaration", "methods", "op", "plan", "runtime"},
    {"ops"},
    {"function"},
    {"autograd", "structure"},
    {"distributed"},
    {"func", "utils"},
    {"nn"},
    {"pth"},
    {"serialization"},
    {"optim"},
    {"compiler"},
    {"data"},
    {"array_api", "vision", "distributions", "fft", "linalg", "signal", "special"},
    {"onnx"},
    {"torch"},
    {"train"},
    {"estimators"},
    {"viz", "testing"},
]
RANK = {part: rank for rank, level in enumerate(LEVELS) for part in level}
FOLDERS = {"backends", "core"}  # their modules are parts of their own
# Modules of PyTorch's names that are made of parts above their folder, which loads them at first use.
ABOVE = {("autograd", "forward_ad"): "func"}
ASIDE = {"viz", "testing"}  # may import anything, and nothing imports them


def part_of(module: list[str]) -> str:
    """The part that a module is in, by its path below the package."""
    if tuple(module) in ABOVE:
        return ABOVE[tuple(module)]
    return module[1] if module[0] in FOLDERS and len(module) > 1 else module[0]


def modules_of(path: Path) -> list[str]:
    """The module that a file is, by its path below the package."""
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


def module_imports(path: Path) -> set[tuple[str, ...]]:
    """The modules of the package that a file imports: at its head, inside functions, and for types alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tinygrad_dl":
            parent = node.module.split(".")[1:]
            for alias in node.names:
                found.add((*parent, alias.name) if (*parent, alias.name) in MODULES else tuple(parent))
        elif isinstance(node, ast.Import):
            found.update(tuple(a.name.split(".")[1:]) for a in node.names if a.name.startswith("tinygrad_dl."))
    return found & MODULES.keys()  # `core/signatures.pyi` is no module: checkers alone read it


MODULES = {tuple(modules_of(path)): path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"}
# Loaded at first use, by a name that PyTorch has in a part below it; nothing else may go against the order.
LAZY = {(("autograd",), ("testing",)), (("autograd",), ("testing", "gradcheck"))}


def imports_of(module: tuple[str, ...]) -> set[tuple[str, ...]]:
    return {other for other in module_imports(MODULES[module]) - {module} if (module, other) not in LAZY}


@pytest.mark.parametrize("module", [m for m in MODULES if m not in {(f,) for f in FOLDERS}], ids=".".join)
def test_imports_go_one_way(module):
    part = part_of(list(module))
    for other in {part_of(list(other)) for other in imports_of(module)} - {part}:
        assert other not in ASIDE, f"{part} imports {other}, which nothing may import"
        assert RANK[other] <= RANK[part], f"{part} imports {other}, which stands above it"


def test_no_modules_import_each_other():
    """Not in a circle either, nor inside functions or for types alone."""
    left = {module: imports_of(module) for module in MODULES}
    while free := [module for module, needs in left.items() if not needs & left.keys()]:
        for module in free:
            del left[module]
    circle = {
        ".".join(module): sorted(".".join(each) for each in needs & left.keys()) for module, needs in left.items()
    }
    assert not circle


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


def test_modules_and_optimisers_are_imported_at_first_use_and_change_nothing_for_tensors():
    code = """
import sys, tinygrad_dl as td
from tinygrad_dl.core import lazy
from tinygrad_dl.core.dispatch import NUMPY
lazy.load_all()
before = set(vars(td.Tensor)), set(NUMPY)
assert "tinygrad_dl.nn" not in sys.modules and "tinygrad_dl.optim" not in sys.modules
td.optim.SGD(td.nn.Linear(1, 1).parameters())
assert before == (set(vars(td.Tensor)), set(NUMPY))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_compiles_no_annotations():
    """A NamedTuple compiles each annotation that is a string: files that have one do without `from __future__`."""
    code = """
import builtins, sys, numpy
compile, seen = builtins.compile, []
def watched(source, *args, **kwargs):
    if isinstance(source, str) and len(source) < 200:
        seen.append(source)
    return compile(source, *args, **kwargs)
builtins.compile = watched
import tinygrad_dl
print(len(seen))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 5
