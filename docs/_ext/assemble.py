"""Puts the pages of the site together in a folder: those of docs/ and of the root, and the generated ones."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path, PurePosixPath

from _ext.sources import files, page_of

ROOT = Path(__file__).parent.parent.parent
ELSEWHERE = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "examples/exercises/README.md": "exercises.md",
}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def pages() -> dict[str, str]:
    """The pages that are written by hand: path in the repository -> path in the site."""
    docs = ROOT / "docs"
    found = [*docs.glob("*.md"), *docs.glob("errors/*.md"), *docs.glob("notebooks/*.ipynb")]
    inside = {path.relative_to(ROOT).as_posix(): path.relative_to(docs).as_posix() for path in sorted(found)}
    return ELSEWHERE | inside


def translated(text: str, path: str, places: dict[str, str], sources: frozenset[str]) -> str:
    """A page with its links as the site has them: to pages, pictures, and the pages of source files."""
    site = PurePosixPath(places[path])

    def link(match: re.Match[str]) -> str:
        mark, words, target, anchor = match.groups()
        found = os.path.normpath(PurePosixPath(path).parent / target).replace(os.sep, "/")
        if found in places:
            return f"{mark}[{words}]({os.path.relpath(places[found], site.parent)}{anchor or ''})"
        if found in sources:
            href = os.path.relpath(page_of(found), site.parent)
            return f'<a class="source" href="{href}.html{anchor or ""}">{words}</a>'
        if found.startswith("docs/"):  # a picture
            return f"{mark}[{words}]({os.path.relpath(found.removeprefix('docs/'), site.parent)})"
        return f"{words}"

    return LINK.sub(link, text)


def write(path: Path, text: str) -> None:
    """Writes a file if it is not there yet as it should be: Sphinx reads again what is newer than its page."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def assemble(folder: Path, generated: dict[str, str]) -> None:
    """Fills the folder; what is in it and does not belong there any more goes."""
    places, sources = pages(), frozenset(files())
    texts = {
        site: (text if path.endswith(".ipynb") else translated(text, path, places, sources))
        for path, site in places.items()
        for text in [(ROOT / path).read_text()]
    }
    texts |= generated
    for site, text in texts.items():
        write(folder / site, text)
    for old in [*folder.rglob("*.md"), *folder.rglob("*.ipynb")]:
        if old.relative_to(folder).as_posix() not in texts:
            old.unlink()
    for name in ("img", "_static"):
        shutil.copytree(ROOT / "docs" / name, folder / name, dirs_exist_ok=True)
