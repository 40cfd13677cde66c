"""From boxes and arrows to text in Graphviz's DOT language.

Source: https://graphviz.org/doc/info/lang.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tinygrad_dl.viz.read import Picture
from tinygrad_dl.viz.themes import Theme

SPINE = "5"  # arrows between operations are kept straight, parameters stand aside
# Graphviz needs minutes for many arrows that pass many rows of boxes; then straight ones, placed in haste.
MOST_CROSSED = 1500
HASTE = {"splines": "line", "nslimit": "0.2", "mclimit": "0.1"}


def write(picture: Picture, theme: Theme, direction: str, captions: Sequence[str]) -> str:
    """The whole text; nothing in it depends on the run, only on what is drawn."""
    head = {**theme.graph, "rankdir": direction}
    if crossed_rows(picture) > MOST_CROSSED:
        head |= HASTE
    if captions:
        head["label"] = label([*captions, " "])  # with a gap to the boxes
    lines = [
        "digraph {",
        f"  graph [{attributes(head)}]",
        f"  node [{attributes(theme.node)}]",
        f"  edge [{attributes(theme.edge)}]",
    ]
    for number, box in enumerate(picture.boxes, 1):
        style: Mapping[str, str] = getattr(theme, box.kind)
        shown = {"label": label(box.lines), "tooltip": label(box.details), "class": box.kind, **style}
        lines.append(f"  n{number} [{attributes(shown)}]")
    for arrow in picture.arrows:
        extra: dict[str, str] = {}
        if arrow.label:
            extra["label"] = label([f" {arrow.label} "])  # with a gap to the line
        if arrow.cut:
            extra["style"] = "dashed"
        elif picture.boxes[arrow.tail].kind == "op":
            extra["weight"] = SPINE
        lines.append(f"  n{arrow.tail + 1} -> n{arrow.head + 1}" + (f" [{attributes(extra)}]" if extra else ""))
    return "\n".join([*lines, "}", ""])


def crossed_rows(picture: Picture) -> int:
    """How many rows of boxes all the arrows pass on their way, together."""
    row = [0] * len(picture.boxes)
    for arrow in picture.arrows:  # those to older boxes come first
        if not arrow.cut:
            row[arrow.head] = max(row[arrow.head], row[arrow.tail] + 1)
    # A leaf stands right above its first use, however deep that is.
    for arrow in reversed(picture.arrows):
        if picture.boxes[arrow.tail].kind in ("input", "parameter"):
            row[arrow.tail] = row[arrow.head] - 1
    return sum(row[arrow.head] - row[arrow.tail] - 1 for arrow in picture.arrows if not arrow.cut)


def attributes(values: Mapping[str, str]) -> str:
    """Attributes as DOT writes them."""
    return " ".join(f'{name}="{value}"' for name, value in values.items())


def label(lines: Iterable[str]) -> str:
    r"""Lines as the inside of a quoted label.

    Graphviz reads quotes, backslashes and HTML entities; what can't be printed is shown as in Python.

    >>> print(label(['say "a\\b"', "x<&amp;", "tab\t"]))
    say \"a\\b\"\nx<&amp;amp;\ntab\\t
    """
    return "\\n".join(quoted(line) for line in lines)


def quoted(text: str) -> str:
    """Text with what DOT would take for markup escaped."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
