"""A frame that says what the kinds of boxes and the words in them mean."""

from __future__ import annotations

from tinygrad_dl.viz.pictures.boxes import Box
from tinygrad_dl.viz.pictures.read import Arrow, Border, Picture

KINDS = {
    "op": "operation",
    "gradient": "gradient operation",
    "module": "module",
    "parameter": "parameter",
    "input": "input",
    "constant": "no gradient",
    "again": "shown elsewhere too",
    "output": "output",
}
WORDS = {
    "view": "view: shows the memory of its input",
    "in place": "in place: overwrites its input",
    "training only": "training only: not there in eval()",
    "gradient of": "gradient of: recorded by create_graph=True",
    "detached": "detached: no gradient goes back from it",
    "saves": "saves: kept for the backward pass",
    "freed": "freed: gone through by a backward pass",
}


def with_legend(picture: Picture) -> Picture:
    """The picture and, beside it, a frame with a box of each kind that it shows; the words stand in the first."""
    shown = {box.kind for box in picture.boxes}
    notes = [note for box in picture.boxes for note in box.notes]
    words = tuple(text for word, text in WORDS.items() if any(word in note for note in notes))
    kinds = [(kind, name) for kind, name in KINDS.items() if kind in shown]
    boxes = [Box(kind, (name,), (name,), words if i == 0 else ()) for i, (kind, name) in enumerate(kinds)]
    first, frame = len(picture.boxes), len(picture.frames)
    column = [Arrow(first + i, first + i + 1, hidden=True) for i in range(len(boxes) - 1)]
    return picture._replace(
        boxes=[*picture.boxes, *boxes],
        arrows=[*picture.arrows, *column],
        frames=[*picture.frames, Border(-1, ("legend",), ("legend",), False)],
        inside=[*picture.inside, *[frame] * len(boxes)],
    )
