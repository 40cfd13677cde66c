"""Checks a built site: every link in it leads to a file and an anchor that exist, every picture has a text."""

from __future__ import annotations

import os
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

TAG = re.compile(r"<([a-zA-Z][\w-]*)((?:\s+[\w:-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+))?)*)\s*/?>")
ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))")
FEW = re.compile(r"\b(?:id|name|href|src|alt)\s*=")


class Page:
    """What a page links to, the anchors it has, and its pictures without a text."""

    def __init__(self, text: str):
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.silent: list[str] = []
        for tag, attributes in TAG.findall(text):
            if tag != "img" and not FEW.search(attributes):
                continue
            found = {name: unescape(a or b or c) for name, a, b, c in ATTRIBUTE.findall(attributes)}
            self.anchors.update(found[name] for name in ("id", "name") if name in found)
            self.targets += [found[name] for name in ("href", "src") if found.get(name)]
            if tag == "img" and not found.get("alt", "").strip() and found.get("role") != "presentation":
                self.silent.append(found.get("src", "?"))


def faults(site: Path) -> tuple[list[str], list[str]]:
    """A line for each fault, and the addresses that lead out of the site, which are not fetched."""
    site = site.resolve()
    pages = {path: Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    wrong: list[str] = []
    outside: set[str] = set()
    there = {path for path in site.rglob("*") if path.is_file()}
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        wrong += [f"{name}: the picture {source} has no text (alt)" for source in page.silent]
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if parts.scheme != "data":
                    outside.add(target)
                continue
            file = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
            if file not in there:
                wrong.append(f"{name}: {target} leads to no file")
            elif parts.fragment and file in pages and unquote(parts.fragment) not in pages[file].anchors:
                wrong.append(f"{name}: {target} leads to no place on that page")
    return sorted(set(wrong)), sorted(outside)
