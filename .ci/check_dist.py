"""Checks what the wheel and the source archive hold: all files of the package, no link, nothing besides."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
folder = Path(sys.argv[1])
(wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
KINDS = {".py", ".pyi", ".html", ".css", ".js"}
modules = {str(p.relative_to(ROOT)) for p in (ROOT / "tinygrad_dl").rglob("*.*") if p.suffix in KINDS}
modules.add("tinygrad_dl/py.typed")

with zipfile.ZipFile(wheel) as packed:
    in_wheel = {name for name in packed.namelist() if ".dist-info/" not in name}
assert in_wheel == modules, f"wheel: missing {modules - in_wheel}, unexpected {in_wheel - modules}"
with tarfile.open(archive) as source:
    in_archive = {name.split("/", 1)[1] for name in source.getnames() if "/" in name}
assert modules <= in_archive, f"source archive: missing {modules - in_archive}"
assert not {"nn", "optim", "viz"} & {name.split("/")[0] for name in in_archive}, "the links are in the archive"
print(f"{wheel.name}: {len(in_wheel)} files; {archive.name}: {len(in_archive)} files")
