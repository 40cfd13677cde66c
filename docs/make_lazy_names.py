"""Writes tinygrad_dl/core/lazy_names.py: which names are in the files of operations that are loaded at first use.

    python docs/make_lazy_names.py

Such a file is one that importing the package does not import. What it declares is found by importing it, alone in a
new process; which namespaces have its functions, the imports under `if TYPE_CHECKING:` say. A test holds that the table
is what this script writes.
"""

from __future__ import annotations

import ast
import importlib
import sys
import types
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent.parent / "tinygrad_dl"
TABLE = PACKAGE / "core" / "lazy_names.py"
ROOT = "tinygrad_dl."
MORE = ("core.printing",)  # has methods too, and no public function
WIDTH = 120
HEAD = '''"""Which names are in the files of operations that are loaded at first use.

Written by docs/make_lazy_names.py. Of each file: the keys of its ops, the methods of Tensor, the functions of NumPy
that it computes, and what namespaces have of it.
"""

# fmt: off
FILES: dict[str, dict[str, str]] = {
'''


def files() -> list[str]:
    """The files of operations, those that namespaces import for types alone, and MORE, by their modules."""
    paths = [path.relative_to(PACKAGE).with_suffix("") for path in (PACKAGE / "ops").rglob("*.py")]
    return sorted({*(".".join(path.parts) for path in paths if path.name != "__init__"), *functions(), *MORE})


def functions() -> dict[str, dict[str, list[str]]]:
    """What namespaces have of files that are loaded at first use: file -> namespace -> names."""
    from tinygrad_dl.core.namespaces import NAMESPACES

    found: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for namespace in NAMESPACES:
        path = PACKAGE.joinpath(*namespace.split(".")[1:])
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        tree = ast.parse(path.read_text())
        for block in tree.body:
            if not (isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"):
                continue
            for node in block.body:
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(ROOT):
                    names = [alias.name for alias in node.names]
                    if any(alias.asname not in (None, alias.name) for alias in node.names):
                        raise SystemExit(
                            f"{namespace}: got an import that renames in line {node.lineno}, expected none"
                        )
                    found[(node.module or "").removeprefix(ROOT)].setdefault(namespace, []).extend(names)
    return found


class Watch:
    """Notes in which file methods, ops and functions of NumPy are declared, while files are imported."""

    def __init__(self) -> None:
        from tinygrad_dl.core.declaration import REGISTRY
        from tinygrad_dl.core.dispatch import NUMPY, called
        from tinygrad_dl.core.tensor import Tensor

        self.places = {"methods": vars(Tensor), "ops": REGISTRY.data, "numpy": NUMPY}
        self.called = called
        self.before = self.now()
        self.stack = [""]  # of the files being imported
        self.found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))

    def now(self) -> dict[str, dict[Any, Any]]:
        return {place: dict(held) for place, held in self.places.items()}

    def note(self) -> None:
        """What is new since the last call is the innermost file's."""
        now = self.now()
        for place, held in now.items():
            for key, value in held.items():
                if self.before[place].get(key) is not value:
                    if place == "methods" and isinstance(value, property):
                        raise SystemExit(f"{self.stack[-1]}: got a property, {key}: import the file in ops/__init__.py")
                    if place == "numpy":
                        key = self.called(key)
                        for places in self.found.values():  # a file that goes on with what another declares imports it
                            places[place].discard(key)
                    self.found[self.stack[-1]][place].add(key)
        self.before = now

    @contextmanager
    def within(self, file: str) -> Iterator[None]:
        """While a file is executed."""
        self.note()
        self.stack.append(file)
        yield
        self.note()
        self.stack.pop()


def declared() -> dict[str, dict[str, set[str]]]:
    """What each file that importing the package does not import declares: file -> place -> names."""
    # Without a table nothing is loaded at first use, and so everything is noted where it is declared.
    sys.modules["tinygrad_dl.core.lazy_names"] = types.SimpleNamespace(FILES={})  # type: ignore[assignment]
    importlib.import_module("tinygrad_dl")
    rest = [file for file in files() if ROOT + file not in sys.modules]
    watch, execute = Watch(), SourceFileLoader.exec_module

    def watched(loader: SourceFileLoader, module: types.ModuleType) -> None:
        with watch.within(module.__name__.removeprefix(ROOT)):
            execute(loader, module)

    SourceFileLoader.exec_module = watched  # type: ignore[method-assign]
    for file in rest:
        importlib.import_module(ROOT + file)
    SourceFileLoader.exec_module = execute  # type: ignore[method-assign]
    return {file: watch.found[file] for file in rest}


def table() -> str:
    """The whole file."""
    lines, owners = [], {}
    found, public = declared(), functions()
    for file in sorted(found.keys() | public.keys()):
        places = found.get(file, {})
        rows = {place: sorted(places[place]) for place in ("ops", "methods", "numpy") if places.get(place)}
        rows |= {namespace: sorted(names) for namespace, names in public.get(file, {}).items()}
        if not rows:
            continue
        lines.append(f'    "{file}": {{')
        for place, names in rows.items():
            for name in names:
                other = owners.setdefault((place, name), file)
                if other != file:
                    raise SystemExit(f"{place}: {name} is declared in {other} and in {file}, expected one file")
            lines += row(place, names)
        lines.append("    },")
    return HEAD + "\n".join(lines) + "\n}\n# fmt: on\n"


def row(place: str, names: list[str]) -> list[str]:
    """The lines of a place's names."""
    rest, parts = names, []
    while rest:
        count = len(rest)
        while count > 1 and len(" ".join(rest[:count])) > WIDTH - 16:
            count -= 1
        parts.append(" ".join(rest[:count]))
        rest = rest[count:]
    if len(parts) == 1 and len(parts[0]) + len(place) < WIDTH - 14:
        return [f'        "{place}": "{parts[0]}",']
    return [f'        "{place}":', *[f'            "{part} "' for part in parts[:-1]], f'            "{parts[-1]}",']


if __name__ == "__main__":
    if "--print" in sys.argv:
        print(table(), end="")
    else:
        TABLE.write_text(table())
