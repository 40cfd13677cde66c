"""Titles of frames, which Graphviz puts where arrows may cross them: in SVG they stand where none does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

Point = tuple[float, float]

FRAME = re.compile(r'<g id="[^"]*" class="cluster">.*?\n</g>', re.DOTALL)
EDGE = re.compile(r'<g id="[^"]*" class="edge">.*?<path [^>]*?d="([^"]*)"', re.DOTALL)
OUTLINE = re.compile(r' d="([^"]*)"| points="([^"]*)"')
TITLE = re.compile(
    r'(<text [^>]*?text-anchor="start" x=")([-\d.]+)(" y="([-\d.]+)"[^>]*?font-size="([\d.]+)"[^>]*>)([^<]*)'
)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
EM = 0.54  # how wide a character is, in sizes of the font
GAP, MARGIN = 5.0, 8.0
SAMPLES = 12


def aside(svg: str) -> str:
    """The picture with the titles of its frames beside the arrows that enter them; the first line is bold."""
    if 'class="cluster"' not in svg:
        return svg
    arrows = [points_of(path) for path in EDGE.findall(svg)]
    return FRAME.sub(lambda found: moved(found.group(), arrows), svg)


def moved(frame: str, arrows: Iterable[list[Point]]) -> str:
    """A frame with its title where no arrow is, if there is room."""
    outline = OUTLINE.search(frame)
    lines = list(TITLE.finditer(frame))
    if outline is None or not lines:
        return frame
    across = [x for x, _ in pairs(outline.group(1) or outline.group(2))]
    size = float(lines[0].group(5))
    top, bottom = float(lines[0].group(4)) - size, float(lines[-1].group(4)) + size / 3
    wide = max(len(line.group(6).replace("&#160;", " ").rstrip(" \xa0")) for line in lines) * size * EM
    taken = sorted(band for band in (crossed(arrow, top, bottom) for arrow in arrows) if band)
    left = place(taken, min(across) + MARGIN, max(across) - MARGIN, wide)

    def line(found: re.Match[str]) -> str:
        before, _, after, *_, text = found.groups()
        weight = 'font-weight="bold" ' if found.start() == lines[0].start() else ""
        shown = text.replace("&#160;", "\xa0").rstrip("\xa0")
        return f"{before.replace('<text ', f'<text {weight}')}{left:.2f}{after}{shown}"

    return TITLE.sub(line, frame)


def place(taken: Iterable[tuple[float, float]], left: float, right: float, wide: float) -> float:
    """The first place between left and right where a title of this width meets nothing; left if there is none."""
    start = left
    for low, high in taken:
        if start + wide + GAP <= low:
            break
        start = max(start, high + GAP)
    return start if start + wide <= right else left


def crossed(arrow: list[Point], top: float, bottom: float) -> tuple[float, float] | None:
    """From where to where an arrow lies between two heights."""
    found = []
    for (x, y), (next_x, next_y) in pairwise(arrow):
        if min(y, next_y) <= bottom and max(y, next_y) >= top:
            found += [x, next_x]
    return (min(found), max(found)) if found else None


def points_of(path: str) -> list[Point]:
    """Points on a path of cubic Bezier curves, or of lines."""
    corners = pairs(path)
    if "C" not in path:
        return corners
    found = corners[:1]
    for i in range(0, len(corners) - 3, 3):
        (a, b), (c, d), (e, f), (g, h) = corners[i : i + 4]
        for k in range(1, SAMPLES + 1):
            t = k / SAMPLES
            s = 1 - t
            weights = s**3, 3 * s * s * t, 3 * s * t * t, t**3
            found.append(
                (
                    weights[0] * a + weights[1] * c + weights[2] * e + weights[3] * g,
                    weights[0] * b + weights[1] * d + weights[2] * f + weights[3] * h,
                )
            )
    return found


def pairs(text: str) -> list[Point]:
    """The numbers in a text, two by two."""
    numbers = [float(each) for each in NUMBER.findall(text)]
    return list(zip(numbers[::2], numbers[1::2], strict=False))
