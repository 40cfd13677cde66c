"""What a program was recorded with, as conditions that are checked before each run: one function of plain comparisons.

A comparison of two objects by identity costs some 20 ns, so that the few dozen of a small model cost a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Condition(NamedTuple):
    """A condition as Python's text, what of the user's it is about, and whether a step may change that itself."""

    text: str
    about: str
    changes: bool


class Checks:
    """Conditions on the arguments `args` and `kwargs` of a call, and on the objects that a step reads."""

    def __init__(self) -> None:
        self.conditions: list[Condition] = []
        self.scope: dict[str, Any] = {"type": type, "len": len, "same": same}
        self.names: dict[int, str] = {}
        self.arrays: list[str] = []  # the expressions of the arrays that a run is given

    def bind(self, value: Any) -> str:
        """The name under which a condition finds an object."""
        key = id(value)
        if key not in self.names:
            self.names[key] = f"v{len(self.names)}"
            self.scope[self.names[key]] = value  # which keeps it alive, so that its id is its own
        return self.names[key]

    def add(self, text: str, about: str, changes: bool = False) -> None:
        """Adds a condition."""
        self.conditions.append(Condition(text, about, changes))

    def same(self, path: str, value: Any, about: str) -> None:
        """The object at a path is this one."""
        self.add(f"{path} is {'None' if value is None else self.bind(value)}", about)

    def equal(self, path: str, value: Any, about: str) -> None:
        """The value at a path is this one, or one of its type that is equal."""
        if value is None or value is True or value is False:
            self.add(f"{path} is {value}", about)
        else:
            name = self.bind(value)
            self.add(f"({path} is {name} or same({path}, {name}))", about)

    def function(self) -> Callable[[Any, Any], tuple[Any, ...] | None]:
        """A function of a call's arguments: the arrays that a run is given, or None if a condition does not hold."""
        body = "\n        and ".join(condition.text for condition in self.conditions) or "True"
        found = "".join(f"{each}, " for each in self.arrays)
        source = (
            f"def matches(args, kwargs):\n    try:\n        if ({body}):\n            return ({found})\n"
            "    except (AttributeError, IndexError, KeyError, TypeError):\n        pass\n"
        )
        exec(compile(source, "<checks of a compiled step>", "exec"), self.scope)
        found_function: Callable[[Any, Any], tuple[Any, ...] | None] = self.scope.pop("matches")
        return found_function

    def broken(self, args: tuple[Any, ...], kwargs: dict[str, Any], after: bool = False) -> str | None:
        """What the first condition that does not hold is about; `after` a step, of those that a step may not change."""
        local = {"args": args, "kwargs": kwargs}
        for condition in self.conditions:
            try:
                holds = eval(condition.text, self.scope, local)
            except (AttributeError, IndexError, KeyError, TypeError):
                holds = False
            if not holds and not (after and condition.changes):
                return condition.about
        return None


def same(a: Any, b: Any) -> bool:
    """Whether two plain values are of one type and equal."""
    return type(a) is type(b) and bool(a == b)
