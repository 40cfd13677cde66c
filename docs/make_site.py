"""Builds the site: `make docs`, or `python docs/make_site.py`; open build/docs/index.html.

The pages are put together in build/docs-source, Sphinx makes HTML of them, and every link in it is checked.
A warning is an error.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from _ext import api, operators, sources
from _ext.assemble import assemble
from _ext.links import faults
from sphinx.cmd.build import main as sphinx

DOCS = Path(__file__).parent
BUILD = DOCS.parent / "build"


def main() -> int:
    source, site = BUILD / "docs-source", BUILD / "docs"
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--jobs", "auto", "-c", str(DOCS)]
    with ProcessPoolExecutor(2) as beside:
        files, chapters = beside.submit(sources.write, site), beside.submit(operators.pages)
        assemble(source, {**api.pages(), **chapters.result()})
        status = sphinx([*options, "-d", str(BUILD / "docs-doctrees"), str(source), str(site)])
        files.result()
    if not (site / "index.html").exists():
        return status  # Sphinx has said why
    wrong, outside = faults(site)
    for line in wrong:
        print(line, file=sys.stderr)
    (BUILD / "docs-links.txt").write_text("\n".join([*outside, ""]))
    print(f"build/docs/index.html: {len(wrong)} broken links; {len(outside)} lead elsewhere: build/docs-links.txt")
    return status or bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
