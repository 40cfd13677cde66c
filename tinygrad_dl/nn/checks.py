"""Checks of what layers are made with."""

from __future__ import annotations

import operator
from typing import Any

from tinygrad_dl.core.descriptions import LIMIT

LAYERS = 100_000  # more copies of a layer than this are a mistake


def whole(owner: object, name: str, value: Any, least: int = 0, most: int = LIMIT - 1) -> int:
    """`value` as an int from `least` to `most`.

    Raises:
        TypeError: no integer. ValueError: too small or too large.
    """
    layer = type(owner).__name__
    if isinstance(value, bool):
        raise TypeError(f"{layer}: expected an integer for {name}, got {value!r}")
    try:
        found = operator.index(value)
    except TypeError:
        raise TypeError(f"{layer}: expected an integer for {name}, got {value!r} ({type(value).__name__})") from None
    if found > most:
        raise ValueError(f"{layer}: expected {name} <= {most}, got {found}")
    if found < least:
        raise ValueError(f"{layer}: expected {name} >= {least}, got {found}")
    return found


def truth(owner: object, name: str, value: Any) -> bool:
    """`value`, if it is True or False: an argument in another's place is found.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{type(owner).__name__}: expected True or False for {name}, got {value!r}")
    return value


def probability(owner: object, name: str, value: Any) -> float:
    """`value` as a float between 0 and 1.

    Raises:
        TypeError: no number. ValueError: out of range.
    """
    layer = type(owner).__name__
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{layer}: expected a number between 0 and 1 for {name}, got {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"{layer}: expected {name} between 0 and 1, got {value}")
    return value


def reduction_name(owner: object, value: Any, *more: str) -> str:
    """`value`, if it is the name of a reduction."""
    known = ("none", "mean", "sum", *more)
    if value not in known:
        raise ValueError(f"{type(owner).__name__}: expected a reduction among {known}, got {value!r}")
    return str(value)
