"""What is raised where a step can't be written down as a program."""

from __future__ import annotations

__all__ = ["Unrecordable"]


class Unrecordable(RuntimeError):
    """A step does something that is not the same in every run, or that can't be seen.

    Attributes:
        reason: what it does, in words.
        line: the line of the user's program, "model.py:12"; "" if it is not known.
    """

    def __init__(self, reason: str, line: str = ""):
        super().__init__(f"{reason} at {line}" if line else reason)
        self.reason, self.line = reason, line


class Refused(BaseException):
    """The same on its way out of the step, whose own handlers of errors leave it alone."""

    def __init__(self, reason: str, line: str):
        super().__init__(reason)
        self.reason, self.line = reason, line
