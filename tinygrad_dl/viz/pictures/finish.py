"""What Graphviz cannot say of the text in a box: in SVG, titles become bold, cells and notes small and faint."""

from __future__ import annotations

import re
from itertools import chain, repeat

# By the letters in the class of a box: title, cell, value, note. "p" is plain.
STYLES = {
    "t": 'font-weight="bold"',
    "c": 'font-size="9" fill-opacity="0.75"',
    "v": 'font-size="10"',
    "n": 'font-size="9.5" fill-opacity="0.75"',
}
PART = re.compile(r'(?=<g id="[^"]*" class=")')  # where the next box, arrow or frame begins
BOX = re.compile(r'(<g id="[^"]*" class="node [^"]*) text_([a-z]+)"')
TEXT = re.compile(r'<text ([^>]*?)(?: font-size="([^"]*)")')


def finished(svg: str) -> str:
    """The picture with each line of its boxes in the style that the box's class tells.

    Lines only get smaller, or bold, for which margins leave room: the layout stays as it is.
    """
    return "".join(map(box, PART.split(svg)))


def box(part: str) -> str:
    """A part of the picture; if it is a box, with its lines in their styles."""
    begin = BOX.match(part)
    if begin is None:
        return part
    left = chain(begin[2], repeat("p"))

    def line(text: re.Match[str]) -> str:
        style = STYLES.get(next(left))
        if style is None:
            return text.group()
        size = "" if "font-size" in style else f' font-size="{text.group(2)}"'
        return f"<text {text.group(1)}{size} {style}"

    return f'{begin[1]}"' + TEXT.sub(line, part[begin.end() :])
