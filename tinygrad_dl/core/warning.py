"""Warnings that point to the user's line, however many functions of this package lie between."""

from __future__ import annotations

import sys
import warnings


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns of the innermost line outside this package: that of the user, or of the library that called."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "tinygrad_dl":
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
