"""Names for what a program uses."""

from __future__ import annotations

import builtins
import keyword
import re

import numpy as np

TAKEN = {
    *keyword.kwlist,
    *dir(builtins),
    *dir(np),
    "array",
    "number",
    "strided",
    "outside",
    "memory",
    "at_once",
    "in_numpy",
    "Stopped",
}


class Names:
    """Gives out identifiers, none of them twice."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = dict.fromkeys(TAKEN, 0)

    def new(self, wish: str, *, numbered: bool = False) -> str:
        """An identifier as near to the wish as can be; `numbered`: the first one has a number, too."""
        name = identifier(wish)
        if name not in self.counts and not numbered:
            self.counts[name] = 1
            return name
        while True:
            count = self.counts[name] = self.counts.get(name, 0) + 1
            found = f"{name}{'_' if name[-1].isdigit() else ''}{count}"
            if found not in self.counts:
                self.counts[found] = 1
                return found


def identifier(wish: str) -> str:
    """The wish with all that no identifier may have replaced by underscores."""
    name = re.sub(r"\W+", "_", wish).strip("_")
    return f"layer{name}" if name[:1].isdigit() else name or "a"
