"""The code of a page: its Python blocks, in order, each with the output that is shown below it."""

from __future__ import annotations

import contextlib
import io
import linecache
import re
import traceback
from typing import Any, NamedTuple

FENCE = re.compile(r"^( *)```(\w+|\{[\w-]+\}[^\n]*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A Python block: its text, the line it begins at, and the block `output` right below it, or None."""

    text: str
    line: int
    output: str | None


def code_blocks(page: str) -> list[Block]:
    """The Python blocks of a page of Markdown, unindented."""
    found: list[Block] = []
    end = 0
    for match in FENCE.finditer(page):
        indent, language, body = match.groups()
        text = re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
        if language == "python":
            found.append(Block(text, page.count("\n", 0, match.start()) + 2, None))
        elif language == "output" and found and not page[end : match.start()].strip():
            found[-1] = found[-1]._replace(output=text)
        end = match.end()
    return found


class Ran(NamedTuple):
    """A block that was run, and what a terminal would show: what it printed, and the end of the traceback."""

    block: Block
    shown: str
    error: BaseException | None


def run(page: str, name: str = "example.py") -> list[Ran]:
    """Runs the blocks of a page as one program."""
    scope: dict[str, Any] = {"__name__": "page"}
    done = []
    for block in code_blocks(page):
        out, error = io.StringIO(), None
        linecache.cache[name] = len(block.text), None, block.text.splitlines(keepends=True), name  # for who reads it
        with contextlib.redirect_stdout(out):
            try:
                exec(compile(block.text, name, "exec"), scope)
            except Exception as found:
                error = found
        text = "".join(traceback.format_exception_only(error)) if error else ""
        done.append(Ran(block, re.sub(r"[ \t]+$", "", out.getvalue() + text, flags=re.MULTILINE), error))
    return done
