"""Pages of source files, with an anchor at each line, for links to files and to where an entry is written."""

from __future__ import annotations

import html
import os
from pathlib import Path, PurePosixPath

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

ROOT = Path(__file__).parent.parent.parent
FOLDER = "sources"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{path}</title>
<link rel="icon" href="{up}/_static/logo.svg">
<link rel="stylesheet" href="{up}/_static/pygments.css">
<link rel="stylesheet" href="{up}/_static/styles/furo.css">
<link rel="stylesheet" href="{up}/_static/site.css">
</head>
<body class="source-file">
<script>document.body.dataset.theme = localStorage.getItem("theme") || "auto";</script>
<p><a href="{up}/index.html">tinygrad_dl</a></p>
<h1 class="path">{path}</h1>
{code}
</body>
</html>
"""


def files() -> list[str]:
    """The paths of all files that have a page, from the root of the repository."""
    found = [*(ROOT / "tinygrad_dl").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def page_of(path: str) -> str:
    """Where the page of a file is, from the root of the site."""
    return f"{FOLDER}/{path.removesuffix('.py')}"


def page(path: str) -> str:
    """The page of a file: highlighted, each line in a span that a link can name."""
    code = highlight((ROOT / path).read_text(), PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    numbered = "\n".join(f'<span id="L{number}">{line}</span>' for number, line in enumerate(code.splitlines(), 1))
    block = f'<div class="highlight"><pre>{numbered}\n</pre></div>'
    return PAGE.format(path=html.escape(path), up=os.path.relpath(".", PurePosixPath(page_of(path)).parent), code=block)


def write(site: Path) -> None:
    """Writes the pages of all files."""
    for path in files():
        target = site / f"{page_of(path)}.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page(path))
