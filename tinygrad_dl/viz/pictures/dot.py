"""From boxes and arrows to text in Graphviz's DOT language.

Source: https://graphviz.org/doc/info/lang.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from tinygrad_dl.viz.known.numbers import NARROW
from tinygrad_dl.viz.pictures.boxes import Box
from tinygrad_dl.viz.pictures.read import Arrow, Picture
from tinygrad_dl.viz.pictures.rows import rows_of
from tinygrad_dl.viz.themes import Theme

COMPUTES = ("op", "gradient", "module", "joint")
TWICE = 1.8  # spaces that are as wide as a character
BRANCH = "2"
SPINE = "30"  # arrows between operations are kept straight, parameters stand aside
# Graphviz needs minutes for many arrows that pass many rows of boxes: then they are placed in haste, and where even
# that takes long they are straight, and may cross boxes.
MOST_CROSSED, MOST_CURVED = 1500, 8000
CLOSE = {"ranksep": "0.3"}  # in frames, which bring margins
HASTE, STRAIGHT = {"nslimit": "0.2", "mclimit": "0.1"}, {"splines": "line"}


# In which order the parts of a box stand that arrows enter above and leave below, by the direction of arrows, and the
# sides at which arrows enter and leave. Graphviz turns them for arrows to the right by itself.
SIDES = {"TB": (1, "n", "s"), "LR": (1, "w", "e"), "BT": (-1, "s", "n"), "RL": (-1, "e", "w")}
RECORD = {"shape": "record", "margin": "0.11,0.055"}  # a box with cells


def write(picture: Picture, theme: Theme, direction: str, captions: Sequence[str]) -> str:
    """The whole text; nothing in it depends on the run, only on what is drawn."""
    head = {**theme.graph, "rankdir": direction}
    crossed = crossed_rows(picture)
    if crossed > MOST_CROSSED:
        head |= HASTE
    if crossed > MOST_CURVED:
        head |= STRAIGHT
    if picture.frames:
        head |= CLOSE
    if captions:
        head["label"] = label([*captions, " "])  # with a gap to the boxes
    lines = [
        "digraph {",
        f"  graph [{attributes(head)}]",
        f"  node [{attributes(theme.node)}]",
        f"  edge [{attributes(theme.edge)}]",
    ]
    lines += nested(picture, theme, direction, -1, "  ")
    straight = spine(picture)
    for number, arrow in enumerate(picture.arrows):
        extra: dict[str, str] = {}
        if arrow.hidden:
            extra["style"] = "invis"
        elif arrow.cut:
            extra["style"] = "dashed"
        elif arrow.back:
            extra |= {"constraint": "false", "style": "dashed"}
        elif picture.boxes[arrow.head].kind == "constant":  # of a tensor that was detached
            extra["style"] = "dashed"
        elif picture.boxes[arrow.tail].kind in COMPUTES:
            extra["weight"] = SPINE if number in straight else BRANCH
        if picture.boxes[arrow.head].kind == "joint":
            extra["arrowhead"] = "none"
        lines.append(f"  {ends(arrow, picture, direction)}" + (f" [{attributes(extra)}]" if extra else ""))
    return "\n".join([*lines, "}", ""])


def spine(picture: Picture) -> set[int]:
    """The numbers of the arrows on the longest way through the picture, on the one in the middle of several."""
    row = rows(picture)
    into: dict[int, list[int]] = {}
    for number, arrow in enumerate(picture.arrows):
        if not arrow.cut and not arrow.back and picture.boxes[arrow.tail].kind in COMPUTES:
            into.setdefault(arrow.head, []).append(number)
    found: set[int] = set()
    box = max(range(len(row)), key=lambda i: (row[i], -i), default=0)
    while box in into:
        last = max(row[picture.arrows[number].tail] for number in into[box])
        longest = [number for number in into[box] if row[picture.arrows[number].tail] == last]
        middle = longest[len(longest) // 2] if len(longest) > 2 else longest[0]
        found.add(middle)
        box = picture.arrows[middle].tail
    return found


def nested(picture: Picture, theme: Theme, direction: str, frame: int, indent: str) -> list[str]:
    """The lines of all boxes that stand in a frame, and of the frames in it."""
    lines = []
    opened: set[int] = set()
    for number, box in enumerate(picture.boxes):
        inner = picture.inside[number]
        while inner != frame and inner != -1 and picture.frames[inner].parent != frame:
            inner = picture.frames[inner].parent
        if inner == frame:
            style = attributes(shown(box, theme, direction))
            lines.append(f"{indent}n{number + 1} [{style}]")
        elif inner != -1 and inner not in opened:
            opened.add(inner)
            border = picture.frames[inner]
            kind = theme.repeated if border.repeated else theme.frame
            style = attributes({"label": title(border.lines), "tooltip": label(border.details), **kind})
            inside = nested(picture, theme, direction, inner, indent + "  ")
            lines += [f"{indent}subgraph cluster_{inner + 1} {{", f"{indent}  graph [{style}]", *inside, f"{indent}}}"]
    return lines


def shown(box: Box, theme: Theme, direction: str) -> dict[str, str]:
    """The attributes of a box. Its class says what each line of its text is, for `finish.finished`."""
    style: Mapping[str, str] = getattr(theme, box.kind)
    scale = theme.heat.get("fillcolor", "").split(":")
    if box.heat is not None and len(scale) == 2:
        style = {**style, "fillcolor": between(scale[0], scale[1], box.heat)}
    body = [*box.lines, *box.notes]
    roles = "t" + "p" * (len(box.lines) - 1) + "n" * len(box.notes)
    if not box.inputs and not box.outputs and not box.columns:
        text = label(body)
    else:
        order, *_ = SIDES[direction]
        room = "&#160;" * (len(box.lines[0]) // 10)  # to become bold in; other boxes have wide margins for that
        parts = [
            cells("i", box.inputs),
            ("\\n".join([f"{room}{record_quoted(body[0])}{room}", *map(record_quoted, body[1:])]), roles),
            columns(box.columns),
            cells("o", box.outputs),
        ][::order]
        text = f"{{{'|'.join(text for text, _ in parts if text)}}}"
        roles = "".join(roles for _, roles in parts)
        style = {**style, **RECORD}
    return {"label": text, "tooltip": label(box.details), "class": f"{box.kind} text_{roles}", **style}


def between(first: str, second: str, part: float) -> str:
    """A colour between two, of which `part` is the second.

    >>> between("#ffffff", "#ff0000", 0.5)
    '#ff8080'
    """
    pairs = zip(bytes.fromhex(first[1:]), bytes.fromhex(second[1:]), strict=True)
    return "#" + bytes(round(a + (b - a) * part) for a, b in pairs).hex()


def cells(prefix: str, names: Mapping[int, str]) -> tuple[str, str]:
    """The cells at an edge of a box as DOT's records write them, and what their lines are."""
    if not names:
        return "", ""
    texts = [f"<{prefix}{key}> " + "\\n".join(map(record_quoted, name.split("\n"))) for key, name in names.items()]
    return f"{{{'|'.join(texts)}}}", "c" * sum(name.count("\n") + 1 for name in names.values())


def columns(found: Sequence[tuple[str, Sequence[str]]]) -> tuple[str, str]:
    """Numbers beside each other, below their headings, and what their lines are."""
    texts = ["\\n".join(map(record_quoted, [heading, *lines])) for heading, lines in found]
    return f"{{{'|'.join(texts)}}}" if texts else "", "".join("c" + "v" * len(lines) for _, lines in found)


def ends(arrow: Arrow, picture: Picture, direction: str) -> str:
    """From where to where an arrow goes."""
    _, enters, leaves = SIDES[direction]
    tail, head = f"n{arrow.tail + 1}", f"n{arrow.head + 1}"
    if arrow.leaves in picture.boxes[arrow.tail].outputs and not arrow.cut:
        tail += f":o{arrow.leaves}:{leaves}"
    if arrow.enters in picture.boxes[arrow.head].inputs and not arrow.cut:
        head += f":i{arrow.enters}:{enters}"
    return f"{tail} -> {head}"


def rows(picture: Picture) -> list[int]:
    """In which row each box stands, as far as it can be told."""
    leaves = {i for i, box in enumerate(picture.boxes) if box.kind in ("input", "parameter", "constant", "again")}
    arrows = ((arrow.tail, arrow.head) for arrow in picture.arrows if not arrow.cut and not arrow.back)
    return rows_of(len(picture.boxes), arrows, leaves)


def crossed_rows(picture: Picture) -> int:
    """How many rows of boxes all the arrows pass on their way, together."""
    row = rows(picture)
    return sum(row[arrow.head] - row[arrow.tail] - 1 for arrow in picture.arrows if not arrow.cut and not arrow.back)


def title(lines: Sequence[str]) -> str:
    """The title of a frame, at the left, with as much room beside it, so that the arrow in the middle passes by."""
    longest = max(map(len, lines))
    room = "&#160;" * int(longest * TWICE)
    return "".join(quoted(line) + (room if len(line) == longest else "") + "\\l" for line in lines)


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
        text = "".join(
            c if c.isprintable() or c == NARROW else c.encode("unicode_escape").decode("ascii") for c in text
        )
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")


def record_quoted(text: str) -> str:
    """The same for a part of a record, where braces, bars and angles are markup too."""
    return re.sub(r"([{}|<>])", r"\\\1", quoted(text))
