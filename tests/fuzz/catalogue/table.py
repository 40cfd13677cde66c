"""The table of ops, and how an op gets into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fuzz.drawing import Entry, Writer, spellings

CATALOGUE: dict[str, Entry] = {}

Draw = Callable[[Writer], Any]


def draws(
    names: str, also: dict[str, str] | None = None, only: str = "", weight: float = 1.0
) -> Callable[[Draw], Draw]:
    """Enters these ops, whose arguments the decorated function draws.

    It returns the arguments, with a dict of options at the end if there are any; or a list of steps.

    Args:
        names: the ops, by the name they have as a function or method.
        also: for some of them, further ways to spell them: operators and attributes.
        only: these ways alone, for an op without a function or method.
        weight: how often it is drawn, compared with others.
    """

    def enter(function: Draw) -> Draw:
        for name in names.split():
            ways = tuple(only.split()) if only else spellings(name, *(also or {}).get(name, "").split())
            if not ways:
                raise ValueError(f"{name}: no way to spell it that both libraries have")
            CATALOGUE[name] = Entry(name, function, ways, weight)
        return function

    return enter
