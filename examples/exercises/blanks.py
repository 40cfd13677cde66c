"""The blanks of an exercise: where they are, whether they are open, and how an exercise is made of a solution.

A blank is what stands between two marker lines:

    ### START CODE HERE ### blank 2, db: the gradient of b (about 1 line)
    db = ...
    ### END CODE HERE ###

`python examples/exercises/blanks.py` writes the eight exercises anew from the files in solutions/.
"""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
START = re.compile(r"^(?P<indent>\s*)### START CODE HERE ### blank (?P<number>\d+), (?P<names>[\w, ]+): (?P<about>.*)$")
END = re.compile(r"^\s*### END CODE HERE ###\s*$")
TAIL = '\n\nif __name__ == "__main__":\n    import checker\n\n    checker.main(__file__)\n'


class Blank(NamedTuple):
    """Line numbers count from 0, as indices of the list of lines."""

    number: int
    names: tuple[str, ...]  # the variables that it assigns
    about: str
    function: str  # the one that it stands in
    indent: str
    start: int  # the line of each marker
    end: int

    def body(self, lines: list[str]) -> list[str]:
        return lines[self.start + 1 : self.end]


class Damaged(Exception):
    """A file that is no longer the exercise it was: a marker line is missing, or something outside the blanks fails."""


def find(lines: list[str]) -> dict[int, Blank]:
    """The blanks of a file by their numbers."""
    found: dict[int, Blank] = {}
    function, begun = "", None
    for number, line in enumerate(lines):
        if name := re.match(r"def (\w+)\(", line):
            function = name[1]
        if match := START.match(line):
            begun = (number, match)
        elif END.match(line):
            if begun is None:
                raise Damaged(f"line {number + 1} ends a blank that no START line begins; put its START line back")
            start, match = begun
            names = tuple(match["names"].split(", "))
            blank = Blank(int(match["number"]), names, match["about"], function, match["indent"], start, number)
            found[blank.number], begun = blank, None
    if begun is not None:
        raise Damaged(f"the blank of line {begun[0] + 1} has no line ### END CODE HERE ###; put it back")
    return found


def outside(lines: list[str]) -> list[tuple[int, str]]:
    """The lines that are in no blank, with their numbers, counted from 1."""
    inside = {number for blank in find(lines).values() for number in range(blank.start + 1, blank.end)}
    return [(number + 1, line.rstrip()) for number, line in enumerate(lines) if number not in inside]


def statements(blank: Blank, lines: list[str]) -> list[ast.stmt]:
    """What the blank holds, as syntax. Raises SyntaxError, with the line number of the file."""
    try:
        return ast.parse(textwrap.dedent("\n".join(blank.body(lines)))).body
    except SyntaxError as error:
        error.lineno = blank.start + 1 + (error.lineno or 1)
        raise


def is_open(blank: Blank, lines: list[str]) -> bool:
    """Whether nothing stands in the blank but `...`, `name = ...` and comments."""
    return all(
        isinstance(value := getattr(statement, "value", None), ast.Constant) and value.value in (..., None)
        for statement in statements(blank, lines)
    )


def opened(blank: Blank, lines: list[str]) -> list[str]:
    """The lines of the blank as students get it."""
    targets = [target for s in statements(blank, lines) if isinstance(s, ast.Assign) for target in s.targets]
    assigned = {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    return [
        blank.indent + (f"{name} = ..." if name in assigned else f"...  # adds to {name}, as it stands above the loops")
        for name in blank.names
    ]


def exercise(solution: str) -> str:
    """The text of the exercise that belongs to a solution: its blanks opened, and the end of a file in this folder."""
    lines = solution[: solution.index('\n\nif __name__ == "__main__":')].split("\n")
    for blank in sorted(find(lines).values(), key=lambda blank: -blank.number):
        lines[blank.start + 1 : blank.end] = opened(blank, lines)
    return "\n".join(lines) + TAIL


if __name__ == "__main__":
    for path in sorted((FOLDER / "solutions").glob("*.py")):
        (FOLDER / path.name).write_text(exercise(path.read_text(encoding="utf-8")), encoding="utf-8")
        print("wrote", path.name)
