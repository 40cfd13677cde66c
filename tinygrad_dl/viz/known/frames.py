"""The frames of running functions: the user's line, and variables, read without keeping any of them alive."""

from __future__ import annotations

import inspect
import linecache
import os
import sys
from types import FrameType
from typing import Any, NamedTuple

from tinygrad_dl.autograd.anomaly_mode import OURS


class Line(NamedTuple):
    """A line of the user's program.

    Attributes:
        file: its name as Python knows it. number: counted from 1. function: the function in which the line stands.
        text: the line itself without indentation, "" if the file can't be read.
    """

    file: str
    number: int
    function: str
    text: str

    @property
    def place(self) -> str:
        """The name of the file without its folder; for a cell of a notebook "In[3]", by its number."""
        ipython: Any = sys.modules.get("IPython")
        shell = ipython.get_ipython() if hasattr(ipython, "get_ipython") else None
        cell = shell.compile.format_code_name(self.file) if shell is not None else None
        return str(cell[1]) if cell else os.path.basename(self.file)

    def __str__(self) -> str:
        return f"{self.place}:{self.number}"


def is_ours(frame: FrameType) -> bool:
    """Whether a frame runs code of this package."""
    return frame.f_code.co_filename.startswith(OURS)


def line_of(frame: FrameType) -> Line:
    """The line that a frame is executing."""
    file, number = frame.f_code.co_filename, frame.f_lineno
    return Line(file, number, frame.f_code.co_qualname, linecache.getline(file, number, frame.f_globals).strip())


ALONE = 3  # what is counted of a dict that a frame, a variable and the counting function refer to


def variables_of(frame: FrameType) -> dict[str, Any]:
    """The variables of a running function.

    Before Python 3.13 a function's frame keeps the dict that it gives away, and so all that the variables held at that
    time. It is emptied, unless somebody else has it, by `locals()`.
    """
    own = frame.f_locals
    found = dict(own)
    if type(own) is dict and frame.f_code.co_flags & inspect.CO_OPTIMIZED and sys.getrefcount(own) <= ALONE:
        own.clear()
    return found
