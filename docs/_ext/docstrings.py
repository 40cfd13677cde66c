"""Docstrings as Markdown: the first line, sections (Args, Returns, Raises, ...), examples, the source.

They are plain text with `code` between backticks, so every other character that Markdown knows is escaped.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from _ext.names import classes, entries

SECTIONS = {
    "Args": "Arguments",
    "Attributes": "Attributes",
    "Raises": "Raises",
    "Returns": "Returns",
    "Warns": "Warns",
    "Yields": "Yields",
}
ITEM = re.compile(r"^(\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*): +(.*)$", re.DOTALL)
SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|$~^:@'\"])")
PARTS = re.compile(r"(`[^`\n]+`|https?://[^\s,;)]+[^\s,;).])")


def escaped(text: str) -> str:
    """Plain text as Markdown: code stays code, addresses become links, every other character stands for itself."""

    def part(text: str) -> str:
        if text.startswith("`") and len(text) > 1:
            target = target_of(text[1:-1])
            return f"{{py:obj}}`{text[1:-1]} <{target}>`" if target else text
        if text.startswith("http"):
            return f"<{text}>"
        return SPECIAL.sub(r"\\\1", text)

    return "".join(part(piece) for piece in PARTS.split(text))


@cache
def target_of(code: str) -> str | None:
    """The public name that code in a docstring means: a dotted name, a class, a call; other words may be arguments."""
    name = code.removesuffix("()")
    if not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", name):
        return None
    if "." not in name and name == code:
        return classes().get(name)
    places = ("", "td.", "td.nn.", "td.nn.functional.", "td.Tensor.", "td.optim.")
    return next((place + name for place in places if place + name in entries()), None)


def text_of(value: Any) -> str:
    """The docstring of a value, a class's own; the margin is taken away."""
    text = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
    return inspect.cleandoc(text or "")


def first_sentence(text: str) -> str:
    """The first line of a docstring."""
    return text.strip().split("\n")[0]


def markdown(text: str) -> str:
    """A docstring as Markdown."""
    return "\n\n".join(part for block in blocks(text) for part in rendered(block))


def blocks(text: str) -> Iterator[list[str]]:
    """The parts of a docstring between empty lines; a section is one part, with the empty lines inside of it."""
    part: list[str] = []
    in_section = False
    for line in text.split("\n"):
        if in_section and (not line.strip() or line.startswith(" ")):
            part.append(line)
            continue
        if not line.strip() or in_section:
            if part:
                yield part
            part, in_section = [], False
        if line.strip():
            in_section = line.endswith(":") and line[:-1] in SECTIONS
            part.append(line)
    if part:
        yield part


def rendered(part: list[str]) -> Iterator[str]:
    """A part as Markdown."""
    head = part[0]
    if head.endswith(":") and head[:-1] in SECTIONS:
        yield from section(SECTIONS[head[:-1]], inspect.cleandoc("\n".join(["", *part[1:]])))
    elif head.startswith(">>>"):
        yield "```pycon\n" + "\n".join(part) + "\n```"
    elif all(line.startswith("    ") for line in part):
        yield "```text\n" + inspect.cleandoc("\n".join(["", *part])) + "\n```"
    elif head.startswith("Source: "):
        yield f"*Source:* {escaped(' '.join(part).removeprefix('Source: '))}"
    else:
        yield from prose(part)


def prose(part: list[str]) -> Iterator[str]:
    """Lines of text, in which a list may begin."""
    lines: list[str] = []
    for line in part:
        if line.startswith("- "):
            if lines and not lines[0].startswith("- "):
                yield " ".join(lines)
                lines = []
            lines.append("\n- " + escaped(line[2:]) if lines else "- " + escaped(line[2:]))
        else:
            lines.append(escaped(line.strip()))
    if lines:
        yield " ".join(lines)


def section(title: str, text: str) -> Iterator[str]:
    """A section: its items as a list, each with its name, or a text."""
    items = [*items_of(text)]
    if title == "Raises":  # one paragraph may name several: "ValueError: ... TypeError: ..."
        items = [
            piece
            for item in items
            for piece in re.split(r"(?<=[.]) (?=(?:\w+\.)*[A-Z]\w*(?:Error|Exception)\b[\w,. ]*: )", item)
        ]
    named = [ITEM.match(item) for item in items]
    if not all(named):
        yield f"**{title}**"
        yield from prose(text.split("\n"))
        return
    lines = [f"`{name}`: {body(rest)}" for match in named if match for name, rest in [match.groups()]]
    yield f"**{title}**"
    yield "\n".join(f"- {line}" for line in lines)


def items_of(text: str) -> Iterator[str]:
    """The items of a section: a line at the margin begins one, what is indented belongs to it."""
    item: list[str] = []
    for line in text.split("\n"):
        if item and not line.startswith(" ") and line.strip():
            yield "\n".join(item)
            item = []
        item.append(line)
    if item:
        yield "\n".join(item)


def body(text: str) -> str:
    """The text of an item, whose continuation lines are indented; a list may be inside of it."""
    parts = [part for line in text.split("\n") if (part := line.strip())]
    out = ""
    for part in parts:
        bullet = part.startswith("- ")
        out += ("\n  - " if bullet else " " if out else "") + escaped(part.removeprefix("- "))
    return out
