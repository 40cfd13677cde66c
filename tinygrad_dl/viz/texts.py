"""Shapes, names and counts as pictures and tables write them."""

from __future__ import annotations

from typing import Any

LONGEST_NAME = 48


def text_of(shape: Any, dtype: Any) -> str:
    """A shape and dtype as a box shows them."""
    return f"{tuple(shape)} {dtype}"


def shortened(name: str) -> str:
    """A name that fits into a box: its end says more than its middle."""
    if len(name) <= LONGEST_NAME:
        return name
    head = LONGEST_NAME // 3
    return f"{name[:head]}…{name[head + 1 - LONGEST_NAME :]}"


def human_bytes(count: int) -> str:
    """1536 -> "1.5 kB"."""
    if count < 1000:
        return f"{count} B"
    size = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1000
        if size < 999.5 or unit == "TB":
            break
    return f"{size:.1f} {unit}" if size < 99.95 else f"{size:.0f} {unit}"


def plural(count: int, word: str) -> str:
    """A count with its word."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def human_count(count: int) -> str:
    """1536 -> "1.5 k".

    >>> human_count(999), human_count(25_000_000)
    ('999', '25.0 M')
    """
    return human_bytes(count)[:-1].rstrip()


def times(text: str, count: int) -> str:
    """What comes several times: "Block" and 12 make "Block x 12", with the sign of multiplication."""
    return f"{text} \N{MULTIPLICATION SIGN} {count:,}"
